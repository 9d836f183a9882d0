"""The latency of spikes on the chip, in steps, compared with Nengo's simulator.

In Nengo, spikes pass connections without a synapse within one step. On the chip a spike takes a
step to the next neurons, from the host to the chip, and back. Neurons that code in phase keep their
code if all clocks are as late as the spikes to which they are applied. The functions here ensure
this for sparsifiers and encoders, and delay inputs that arrive by a shorter path.

Nengo's lowpass filters also take a step, which those of the chip do not take in addition.
"""

from __future__ import annotations

import nengo
from nengo_loihi.builder import Model
from nengo_loihi.passthrough import base_obj

from nengo_phasor.neurons.rateless import Rateless


def connections(model: Model) -> list[nengo.Connection]:
    """Return the connections that are built, which include those that replace removed relays."""
    passthrough = model.split.passthrough
    every = dict.fromkeys(model.split.network.all_connections)
    return [c for c in (*every, *passthrough.to_add) if c not in passthrough.to_remove]


def hop(model: Model, connection: nengo.Connection) -> int:
    """Return the number of steps by which a connection's spikes arrive later than in Nengo."""
    pre, post = (model.split.on_chip(base_obj(x)) for x in (connection.pre, connection.post))
    if not post:
        return int(pre)
    return int(not isinstance(connection.synapse, nengo.Lowpass))


def latencies(model: Model) -> dict:
    """Return the number of steps by which the output of each ensemble and node is late.

    It is that of the longest path to the object, where feedback connections are ignored.
    """
    if not hasattr(
        model.split, "latencies"
    ):  # computed once, because a model is built connection by connection
        model.split.latencies = _latencies(model)
    return model.split.latencies


def _latencies(model):
    incoming = {}
    for connection in connections(model):
        if not isinstance(connection.post_obj, nengo.connection.LearningRule):
            incoming.setdefault(base_obj(connection.post), []).append(connection)
    found, path = {}, set()

    def latency(obj):
        if obj in found or obj in path:
            return found.get(obj, 0)
        path.add(obj)
        ways = (latency(base_obj(c.pre)) + hop(model, c) for c in incoming.get(obj, ()))
        found[obj] = max(ways, default=0)
        path.remove(obj)
        return found[obj]

    for obj in (*model.split.network.all_ensembles, *model.split.network.all_nodes):
        latency(obj)
    return found


def wait(model: Model, connection: nengo.Connection) -> int:
    """Return the number of steps for which a connection's spikes wait for those of longer paths.

    Spikes to neurons that do not code in phase do not wait.
    """
    if not isinstance(getattr(base_obj(connection.post), "neuron_type", None), Rateless):
        return 0
    late = latencies(model)
    arrival = late.get(base_obj(connection.pre), 0) + hop(model, connection)
    return max(late.get(base_obj(connection.post), 0) - arrival, 0)

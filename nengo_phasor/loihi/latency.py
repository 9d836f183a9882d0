"""How many steps late spikes are on the chip, compared with Nengo's simulator.

Within one step Nengo's neurons hear each other through connections without a synapse. On the chip
a spike takes a step to the next neurons, from the host to the chip, and back. Neurons that code in
phase keep their code if whatever tells the time is as late as what it is compared with: sparsifiers
and encoders are, by the functions here, and inputs that come by a shorter way wait.

Nengo's lowpass filters take a step, too, which the chip's don't take on top of its own.
"""

from __future__ import annotations

import nengo
from nengo_loihi.builder import Model
from nengo_loihi.passthrough import base_obj

from nengo_phasor.neurons import PhaseCoding


def connections(model: Model) -> list[nengo.Connection]:
    """Return the connections that are built: relays that are removed leave new ones."""
    passthrough = model.split.passthrough
    every = dict.fromkeys(model.split.network.all_connections)
    return [c for c in (*every, *passthrough.to_add) if c not in passthrough.to_remove]


def hop(model: Model, connection: nengo.Connection) -> int:
    """Return how many steps later a connection's spikes arrive than in Nengo."""
    pre, post = (model.split.on_chip(base_obj(x)) for x in (connection.pre, connection.post))
    if not post:
        return int(pre)
    return int(not isinstance(connection.synapse, nengo.Lowpass))


def latencies(model: Model) -> dict:
    """Return of each ensemble and node how many steps late its output is.

    That of the longest way to it, on which ways back are not followed.
    """
    if not hasattr(model.split, "latencies"):  # one model is built connection by connection
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
    """Return how many steps a connection's spikes are to wait for those of longer ways.

    They don't wait for neurons that do not code in phase.
    """
    if not isinstance(getattr(base_obj(connection.post), "neuron_type", None), PhaseCoding):
        return 0
    late = latencies(model)
    arrival = late.get(base_obj(connection.pre), 0) + hop(model, connection)
    return max(late.get(base_obj(connection.post), 0) - arrival, 0)

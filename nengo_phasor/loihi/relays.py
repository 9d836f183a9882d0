"""Relays that carry spikes, and synapses on the host that follow the clock of late spikes.

A relay is a node without output. Its values are spikes if its inputs are unweighted spikes.
"""

from __future__ import annotations

from collections.abc import Iterator

import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.transforms import NoTransform
from nengo_loihi.builder import Model

from nengo_phasor.builders import sparsifier_seed
from nengo_phasor.synapses import (
    AssumeReference,
    AssumeRhythm,
    PhaseEncoder,
    RandomSparsifier,
    SpikeSynapse,
    Tick,
)


def is_plain(connection: nengo.Connection) -> bool:
    """Return whether a connection passes its whole input unchanged, except for its synapse."""
    transform = connection.transform
    if connection.function is not None or connection.size_in != connection.size_out:
        return False
    if isinstance(transform, nengo.Dense) and isinstance(transform.init, np.ndarray):
        identity = np.eye(connection.size_in)
        full = transform.init if transform.init.ndim == 2 else identity * transform.init
        return np.array_equal(full, identity)
    return isinstance(transform, NoTransform)


def upstream(network: nengo.Network, obj, seen=()) -> Iterator[nengo.Connection]:
    """Yield the connections into a relay, and into the relays before it."""
    if not isinstance(obj, nengo.Node) or obj.output is not None or obj in seen:
        return
    for connection in network.all_connections:
        if connection.post_obj is obj:
            yield connection
            yield from upstream(network, connection.pre_obj, (*seen, obj))


def spike_height(network: nengo.Network, obj) -> float | None:
    """Return the amplitude of the spikes from neurons or a node; None if they send no spikes."""
    if isinstance(obj, Neurons):
        neuron_type = obj.ensemble.neuron_type
        return getattr(neuron_type, "amplitude", 1.0) if neuron_type.spiking else None
    heights = set()
    for connection in upstream(network, obj):
        if not is_plain(connection) or not isinstance(connection.synapse, SpikeSynapse | None):
            return None
        if isinstance(connection.synapse, PhaseEncoder):
            heights.add(connection.synapse.amplitude)
        elif not isinstance(connection.pre_obj, nengo.Node):
            heights.add(spike_height(network, connection.pre_obj))
    return heights.pop() if len(heights) == 1 else None


def takes_back(network: nengo.Network, connection: nengo.Connection) -> bool:
    """Return whether a connection's spikes can be negative."""
    ways = (connection, *upstream(network, connection.pre_obj))
    return any(isinstance(way.synapse, AssumeReference | AssumeRhythm) for way in ways)


class Late(SpikeSynapse):
    """A spike synapse whose clock is as late as the spikes that it receives.

    Parameters
    ----------
    synapse : SpikeSynapse
        The synapse to apply.
    late : int
        The number of time steps by which its clock is late.
    """

    def __init__(self, synapse: SpikeSynapse, late: int):
        super().__init__()
        self.synapse = synapse
        self.late = late

    def make_state(self, *args, **kwargs):
        """Return the synapse's states."""
        return self.synapse.make_state(*args, **kwargs)

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """Return the synapse's own function, whose time begins when the first spikes can arrive."""
        step = self.synapse.make_step(shape_in, shape_out, dt, rng, state)
        start = self.late * dt

        def late_step(t, x):
            return step(t - start, x) if t > start + dt / 2 else np.zeros(shape_out)

        return late_step


def late_tick(step, late: int) -> Tick:
    """Return the time step in which late spikes were sent."""
    number = np.asarray(step, dtype=float) - late
    return Tick(number, np.maximum(number, 0).astype(np.uint32).reshape(1))


def on_time(model: Model, connection: nengo.Connection, late: int) -> SpikeSynapse:
    """Return a connection's spike synapse for the host, where its spikes arrive late."""
    synapse = seeded(model, connection)
    return Late(synapse, late) if late else synapse


def seeded(model: Model, connection: nengo.Connection) -> SpikeSynapse:
    """Return a connection's spike synapse with the seed that Nengo's builder would give it."""
    synapse = connection.synapse
    if not isinstance(synapse, RandomSparsifier) or synapse.seed is not None:
        return synapse
    for place, obj in enumerate(_sparsified_at_random(model.split.network)):
        # a relay that was removed is replaced by a connection from the same source
        same = isinstance(obj, nengo.Connection) and obj.pre_obj is connection.pre_obj
        if obj is connection or (same and obj.synapse is synapse):
            seed = sparsifier_seed(model.seeds[model.split.network], place)
            return synapse.with_seed(seed)
    raise AssertionError(f"{connection} is not of this network")


def _sparsified_at_random(network):
    """Yield connections and probes in the order in which Nengo builds them."""
    for subnetwork in network.networks:
        yield from _sparsified_at_random(subnetwork)
    for obj in (*network.connections, *network.probes):
        if isinstance(obj.synapse, RandomSparsifier):
            yield obj

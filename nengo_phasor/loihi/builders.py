"""Builders of our neurons, of their connections and of sparsifiers.

Spikes from the host's relays and from other neurons are sent as spikes and weighted on the chip. A
sparsifier that a neuron can apply by itself (arc, random) acts on the chip if it is between neurons
and a relay that the weights follow. Every other sparsifier stays on the host between two layers, as
nodes do in nengo-loihi. Synapses with a rhythm use the clock of the spikes that they receive, which
are late on the chip (`.latency`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError
from nengo_loihi.builder import connection as stock
from nengo_loihi.builder.probe import build_probe as build_stock_probe
from nengo_loihi.passthrough import base_obj
from nengo_loihi.probe import LoihiProbe

from nengo_phasor.builders import check_phase_coding, sampled
from nengo_phasor.loihi import obstacles
from nengo_phasor.loihi.compartments import STATE_KEY
from nengo_phasor.loihi.latency import latencies, wait
from nengo_phasor.loihi.obstacles import Facts
from nengo_phasor.loihi.relays import on_time, seeded
from nengo_phasor.loihi.senders import build_spikes_to_chip, like
from nengo_phasor.loihi.tables import compartments_of, steps_as_stock, unknown
from nengo_phasor.neurons import Mixed, ResonateAndFire
from nengo_phasor.synapses import SpikeSynapse
from nengo_phasor.wiring import explained


class Route(NamedTuple):
    """The treatment of spikes between a block and a synapse.

    Attributes
    ----------
    gate : SpikeSynapse or None
        The sparsifier, if there is one.
    late : int
        The number of steps by which the block's spikes are late, and thus the gate's clock.
    delay : int
        The number of steps for which the spikes wait.
    """

    gate: SpikeSynapse | None
    late: int
    delay: int


# ---------------------------------------------------------------------------- neurons and probes


def build_neurons(build_stock, model, neuron_type, neurons, block):
    """Build neurons with our compartments or those of nengo-loihi, according to the tables.

    Parameters
    ----------
    build_stock : callable
        nengo-loihi's function for the nearest known parent class.
    model, neuron_type, neurons, block
        The arguments of that function.

    Raises
    ------
    nengo.exceptions.BuildError
        If the chip has no compartments with the same step as these neurons.
    """
    compartments = compartments_of(neuron_type)
    if compartments is not None:
        build_compartments(compartments, model, neuron_type, neurons, block)
    elif steps_as_stock(neuron_type):
        build_stock(model, neuron_type, neurons, block)
    else:
        raise unknown(neuron_type, neurons)


def build_compartments(compartments, model, neuron_type, neurons, block):
    """Set the block's compartments to those of these neurons, with their initial states."""
    if isinstance(neuron_type, ResonateAndFire):
        check_phase_coding(model, model.split.network)
    rng = np.random.RandomState(model.seeds[neurons.ensemble] + 1)  # as Nengo's builder does
    own = {}
    if isinstance(neuron_type, Mixed):
        own = {"neuron_type": sampled(model, neuron_type, neurons)}
    block.compartment = compartments(
        neurons,
        block.compartment.bias,
        neuron_type.make_state(block.n_neurons, rng=rng, dtype=float),
        model.dt,
        **own,
    )


def build_probe(model, probe):
    """Build a probe; one of our neurons' states reads them in the units of the neurons."""
    if isinstance(probe.synapse, SpikeSynapse):
        raise BuildError(
            f"{probe}: a {type(probe.synapse).__name__} acts on a connection to a relay: put it "
            "there and probe the relay"
        )
    ours = isinstance(probe.obj, Neurons) and compartments_of(probe.obj.ensemble.neuron_type)
    if not ours or probe.attr in ("output", "spikes"):
        build_stock_probe(model, probe)
        return
    states = probe.obj.ensemble.neuron_type.state
    if probe.attr not in states:
        raise BuildError(
            f"{probe}: {probe.attr!r} can't be read from the chip; "
            f"{', '.join(map(repr, ('output', *states)))} can"
        )
    target = model.objs[probe.obj]["out"]
    chip_probe = LoihiProbe(
        target=target,
        key=f"{STATE_KEY}{probe.attr}",
        slice=probe.slice,
        synapse=probe.synapse,
        weights=np.array(1.0),
    )
    model.add_probe(chip_probe)
    model.objs[probe] = {"in": target, "out": chip_probe}
    model.nengo_probes.append(probe)
    model.params[probe] = []


# ----------------------------------------------------------------------------------- connections


def build_connection(model, conn):
    """Build a connection, as nengo-loihi does unless it involves our types."""
    f = obstacles.facts(model, conn)
    obstacles.check(f)
    next(build for applies, build in WAYS if applies(f))(model, f)


def build_as_stock(model, f: Facts):
    """Build a connection that does not involve our types."""
    stock.build_connection(model, f.conn)


def build_on_host(model, f: Facts):
    """Build a connection whose spikes are sparsified on the host, with the spikes' own clock."""
    stock.build_connection(model, like(model, f.conn, synapse=on_time(model, f.conn, f.late)))


def build_on_chip(model, f: Facts):
    """Build a connection on the chip, and store the route of its spikes on its axons."""
    conn = f.conn
    source = model.objs[conn.pre_obj]["out"]
    gate = seeded(model, conn) if f.sparsified else None
    if gate is not None:
        explained(conn, gate.make_state, (conn.size_in,), (conn.size_in,), model.dt)
    route = Route(gate, latencies(model).get(base_obj(conn.pre), 0), wait(model, conn))
    before = len(source.axons)
    stock.build_chip_connection(model, conn if gate is None else like(model, conn, synapse=None))
    if gate is not None or route.delay:
        for axon in source.axons[before:]:
            axon.route = route
    if conn.learning_rule_type is not None:
        # a decoder learns from the neurons' output and acts on it, so the amplitude counts twice
        amplitude = getattr(f.pre_type, "amplitude", 1.0)
        model.objs[conn]["decoders"].learning_rate *= amplitude**2


WAYS = (
    (lambda f: f.to_rule, build_as_stock),
    (lambda f: f.height is not None, build_spikes_to_chip),
    (lambda f: f.pre_on_chip and f.post_on_chip, build_on_chip),
    (lambda f: f.sparsified, build_on_host),
    (lambda f: True, build_as_stock),
)
"""The ways to build connections, of which the first that applies is used."""

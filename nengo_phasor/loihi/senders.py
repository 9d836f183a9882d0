"""Spikes from the host, which are counted there, sent to the chip, and weighted on the chip."""

from __future__ import annotations

import copy
from collections.abc import Callable

import nengo
import numpy as np
from nengo.exceptions import SimulationError
from nengo.transforms import NoTransform
from nengo_loihi.builder import Builder
from nengo_loihi.builder import connection as stock
from nengo_loihi.builder.inputs import ChipReceiveNeurons, HostSendNode
from nengo_loihi.inputs import SpikeInput
from nengo_loihi.passthrough import base_obj

from nengo_phasor.loihi.latency import latencies, wait
from nengo_phasor.loihi.obstacles import Facts
from nengo_phasor.loihi.relays import on_time, takes_back

AT_ONCE = 4
"""The largest number of spikes of one input, of one sign, that can arrive in one step."""

ROUNDING = 1e-6
"""The relative deviation allowed in a spike's height; single precision is more accurate."""


class SpikeReceiver(ChipReceiveNeurons):
    """The chip's end of a connection from a relay, for its spikes of one sign."""

    def __init__(self, dimensions, amplitude, delay, label=nengo.params.Default):
        super().__init__(dimensions, nengo.SpikingRectifiedLinear(amplitude=amplitude), label)
        self.delay = delay


class DelayedSpikeInput(SpikeInput):
    """Spikes from the host that are delayed by a number of steps on the chip."""

    def __init__(self, n_neurons, delay, label=None):
        super().__init__(n_neurons, label)
        self.delay = delay

    def add_spikes(self, ti, spike_idxs, permanent=False):
        """Add the spikes of a step."""
        super().add_spikes(ti + self.delay, spike_idxs, permanent)


@Builder.register(SpikeReceiver)
def build_spike_receiver(model, node):
    """Create the chip's input."""
    spike_input = DelayedSpikeInput(node.raw_dimensions, node.delay, label=node.label)
    model.add_input(spike_input)
    model.objs[node]["out"] = spike_input
    model.spike_targets[node] = spike_input


def build_spikes_to_chip(model, f: Facts):
    """Send spikes of the host to the chip as they are, and weight them there.

    A spike is amplitude/dt, as everywhere in Nengo. The outputs of `.AssumeReference` need further
    channels: one for negative spikes, with weights of the opposite sign; and one for a spike that
    represents one spike of every input, with the sums of the weights.
    """
    channels = _channels(model, f.conn)
    counter = _counter(model, f, tuple(channels))
    place = 0
    for name, transform in channels.items():
        width = transform.size_in * AT_ONCE
        _send(model, f, counter[place : place + width], name, transform)
        place += width


def _counter(model, f, names):
    """Build the node on the host that counts the spikes of each channel."""
    conn, host = f.conn, model.host_model(base_obj(f.conn.pre))
    late = latencies(model).get(base_obj(conn.pre), 0)
    counter = nengo.Node(
        spike_counter(str(conn), f.height / model.dt, names),
        size_in=conn.size_mid,
        label=f"{conn} spikes",
        add_to_container=False,
    )
    to_counter = like(
        model,
        conn,
        post=counter,
        transform=NoTransform(conn.size_mid),
        synapse=on_time(model, conn, late) if f.sparsified else None,
    )
    stock._inherit_seed(host, to_counter, model, conn)
    host.build(counter)
    host.build(to_counter)
    return counter


def _send(model, f, counted, name, transform):
    """Build a channel, which sends the spikes counted by the host to be weighted on the chip."""
    conn, host = f.conn, model.host_model(base_obj(f.conn.pre))
    size = transform.size_in
    receiver = SpikeReceiver(
        size, f.height, wait(model, conn), label=f"{conn} {name}", add_to_container=False
    )
    model.builder.build(model, receiver)
    to_neurons = like(
        model,
        conn,
        pre=receiver,
        function=None,
        transform=transform,
        synapse=None if f.sparsified else conn.synapse,
    )
    stock.build_chip_connection(model, to_neurons)
    _repeat(model.objs[receiver]["out"])
    send = HostSendNode(size * AT_ONCE, label=f"{conn} send {name}", add_to_container=False)
    host.build(send)
    to_send = nengo.Connection(counted, send, synapse=None, add_to_container=False)
    stock._inherit_seed(host, to_send, model, conn)
    host.build(to_send)
    model.host2chip_senders[send] = receiver


def _channels(model, conn):
    """Return the transforms of the channels that carry a connection's spikes."""
    transform = conn.transform
    if not takes_back(model.split.network, conn):
        return {"spikes": transform}
    if isinstance(transform, NoTransform):
        transform = nengo.Dense((conn.size_out, conn.size_mid), init=1.0)
    weights = stock.sample_transform(conn, rng=np.random.RandomState(model.seeds[conn]))
    negative = copy.copy(transform)
    type(transform).init.data[negative] = -weights
    channels = {"spikes": transform, "taken back": negative}
    if isinstance(transform, nengo.Dense):
        full = np.eye(*transform.shape) * weights if weights.ndim < 2 else weights
        sums = full.sum(axis=1, keepdims=True)
        channels["of every input"] = nengo.Dense(sums.shape, init=sums)
    return channels


def spike_counter(name: str, height: float, channels: tuple[str, ...]) -> Callable:
    """Return a node's function from spikes to places, with `AT_ONCE` of each input and channel."""
    places = np.arange(AT_ONCE)[:, None]
    lowest = -AT_ONCE if "taken back" in channels else 0

    def count(t, x):
        counts = np.rint(x / height)
        wrong = ~(np.abs(counts * height - x) <= ROUNDING * height)  # NaN is wrong, too
        every = np.zeros(1)
        if "of every input" in channels and 2 * np.count_nonzero(counts > 0) > counts.size:
            every, counts = every + 1, counts - 1
        wrong |= (counts > AT_ONCE) | (counts < lowest)
        if np.any(wrong):
            raise SimulationError(
                f"{name}: {x[wrong][0]:.4g} can't be sent to the chip at t = {t:g} s: a spike is "
                f"{height:.4g} for one step, and an input may send at most {AT_ONCE} at once. Send "
                "spikes (a PhaseEncoder makes them from phases), weighted by the transform"
            )
        of = {"spikes": counts, "taken back": -counts, "of every input": every}
        return np.concatenate([(places < of[channel]).ravel() for channel in channels])

    return count


def _repeat(spike_input):
    """Give each of an input's neurons `AT_ONCE` places, by which spikes are sent."""
    spike_input.n_neurons *= AT_ONCE
    for axon in spike_input.axons:
        axon.compartment_map = np.tile(axon.compartment_map, AT_ONCE)
        if axon.compartment_atoms is not None:
            axon.compartment_atoms = np.tile(axon.compartment_atoms, AT_ONCE)


def like(model, conn, **changes):
    """Return a copy of a connection with changes, and with its seed and configuration."""
    names = ("pre", "post", "function", "transform", "synapse", "solver", "eval_points", "label")
    new = nengo.Connection(
        **{**{name: getattr(conn, name) for name in names}, **changes},
        scale_eval_points=conn.scale_eval_points,
        add_to_container=False,
    )
    stock._inherit_seed(model, new, model, conn)
    stock._inherit_config(model, new, model, conn)
    return new

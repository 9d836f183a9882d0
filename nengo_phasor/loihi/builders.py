"""Builders of our neurons, of what connects to them, and of sparsifiers.

Spikes travel as spikes: from the host's relays and from other neurons, weighted on the chip. A
sparsifier that a neuron can apply by itself (by arc, at random) acts on the chip, where it stands
between neurons and a relay and the weights follow; every other one stays on the host between two
layers, as nodes do in nengo-loihi. What keeps time does so by the clock of the spikes it sees,
which are late on the chip (`.latency`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError, SimulationError
from nengo.transforms import NoTransform
from nengo_loihi.builder import Builder
from nengo_loihi.builder import connection as stock
from nengo_loihi.builder.inputs import ChipReceiveNeurons, HostSendNode
from nengo_loihi.builder.probe import build_probe as build_stock_probe
from nengo_loihi.inputs import SpikeInput
from nengo_loihi.passthrough import base_obj
from nengo_loihi.probe import LoihiProbe

from nengo_phasor.builders import check_phase_coding, explained
from nengo_phasor.loihi.compartments import AdaptiveCompartment, ResonateAndFireCompartment
from nengo_phasor.loihi.latency import latencies, wait
from nengo_phasor.loihi.relays import is_plain, on_time, seeded, spike_height, takes_back
from nengo_phasor.neurons import AdaptiveSpiking, PhaseCoding, ResonateAndFire
from nengo_phasor.synapses import ArcSparsifier, RandomSparsifier, SpikeSynapse

COMPARTMENTS = {
    ResonateAndFire: ResonateAndFireCompartment,
    AdaptiveSpiking: AdaptiveCompartment,
}
"""The compartments of the neuron types that are emulated."""

FILTERS = {
    ResonateAndFire: ((), "None: a filter would shift the phase"),
    AdaptiveSpiking: ((nengo.Lowpass,), "a nengo.Lowpass or None"),
}
"""The synapses that they can have on the chip, and how to say so."""

CONVOLUTIONS = (nengo.Convolution, nengo.transforms.ConvolutionTranspose)

TRANSFORMS = (NoTransform, nengo.Dense, nengo.Sparse, *CONVOLUTIONS)

GATES = (ArcSparsifier, RandomSparsifier)
"""The sparsifiers that a neuron can apply to its own spikes."""

AT_ONCE = 4
"""How many spikes of one input, of one sign, can arrive in one step."""

ROUNDING = 1e-6
"""How far a spike may be off, as a part of it: single precision is closer."""

OFF_CHIP = (
    "or keep the ensemble off the chip: nengo_loihi.add_params(network) and "
    "network.config[ensemble].on_chip = False"
)


class Route(NamedTuple):
    """What happens to spikes between a block and a synapse.

    Attributes
    ----------
    gate : SpikeSynapse or None
        Sparsifies them.
    late : int
        How many steps late the block's spikes are: the gate's clock goes by that.
    delay : int
        How many steps they wait.
    """

    gate: SpikeSynapse | None
    late: int
    delay: int


# ---------------------------------------------------------------------------- neurons and probes


def build_neurons(model, neuron_type, neurons, block):
    """Give the block compartments of these neurons, with their initial states."""
    if isinstance(neuron_type, ResonateAndFire):
        check_phase_coding(model, model.split.network)
    rng = np.random.RandomState(model.seeds[neurons.ensemble] + 1)  # as Nengo's builder does
    block.compartment = COMPARTMENTS[type(neuron_type)](
        neurons,
        block.compartment.bias,
        neuron_type.make_state(block.n_neurons, rng=rng, dtype=float),
        model.dt,
    )


for _neuron_type in COMPARTMENTS:
    Builder.register(_neuron_type)(build_neurons)


def build_probe(model, probe):
    """Build a probe of our neurons' states, in the neurons' units; others as nengo-loihi does."""
    if isinstance(probe.synapse, SpikeSynapse):
        raise BuildError(
            f"{probe}: a {type(probe.synapse).__name__} acts on a connection to a relay; put it "
            "there and probe the relay"
        )
    ours = isinstance(probe.obj, Neurons) and type(probe.obj.ensemble.neuron_type) in COMPARTMENTS
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
        key=f"state_{probe.attr}",
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
    """Build a connection: what has to do with our types here, all else as nengo-loihi does."""
    if isinstance(conn.post_obj, nengo.connection.LearningRule):
        stock.build_connection(model, conn)
        return
    if isinstance(getattr(conn.pre_obj, "neuron_type", None), PhaseCoding):
        raise BuildError(
            f"{conn}: {type(conn.pre_obj.neuron_type).__name__} neurons code in phase: connect "
            "from `ensemble.neurons` (or probe them), not from the ensemble"
        )
    pre_on_chip, post_on_chip = (model.split.on_chip(base_obj(x)) for x in (conn.pre, conn.post))
    sparsified = isinstance(conn.synapse, SpikeSynapse)
    height = None
    if post_on_chip:
        height = _sent_as_spikes(model, conn, pre_on_chip)
        _check(model, conn, pre_on_chip, height)
    if height is not None:
        build_spikes_to_chip(model, conn, height)
    elif pre_on_chip and post_on_chip:
        build_on_chip(model, conn)
    elif sparsified:
        late = latencies(model).get(base_obj(conn.pre), 0) + int(pre_on_chip)
        stock.build_connection(model, _like(model, conn, synapse=on_time(model, conn, late)))
    else:
        stock.build_connection(model, conn)


def _sent_as_spikes(model, conn, pre_on_chip) -> float | None:
    """Return the amplitude of spikes that the host sends to neurons; None if it doesn't."""
    if pre_on_chip or not isinstance(conn.post_obj, Neurons):
        return None
    height = spike_height(model.split.network, conn.pre_obj)
    if isinstance(conn.post_obj.ensemble.neuron_type, PhaseCoding):
        return 1.0 if height is None else height
    # nengo-loihi knows what to do with neurons, but for sparsifiers
    known = isinstance(conn.pre_obj, Neurons) and not isinstance(conn.synapse, SpikeSynapse)
    return None if known else height


def _check(model, conn, pre_on_chip, height):
    """Refuse what can't be put before neurons on the chip."""
    if isinstance(conn.synapse, SpikeSynapse):
        gated = isinstance(conn.pre, Neurons) and isinstance(conn.synapse, GATES)
        was_plain = is_plain(conn) or conn in model.split.passthrough.to_add
        if not (was_plain and (gated or not pre_on_chip)):
            raise BuildError(
                f"{conn}: a {type(conn.synapse).__name__} can't be put on the chip here. Put it on "
                "a connection without weights to a relay, a nengo.Node(size_in=...), and the "
                "weights on the connection from there"
            )
    neuron_type = getattr(base_obj(conn.post), "neuron_type", None)  # or a probe's connection
    in_phase = isinstance(neuron_type, PhaseCoding)
    as_spikes = pre_on_chip or height is not None
    if type(neuron_type) not in COMPARTMENTS or not (as_spikes or in_phase):
        return
    name = type(neuron_type).__name__
    filters, words = FILTERS[type(neuron_type)]
    obstacles = {
        f"{name} neurons code in phase: connect to `ensemble.neurons`, not to the ensemble": (
            in_phase and not isinstance(conn.post_obj, Neurons)
        ),
        "a part of the neurons can't be connected to on the chip: connect to all of them, through "
        "weights with rows of zeros": isinstance(conn.post_obj, Neurons)
        and conn.post_slice != slice(None),
        f"{type(conn.transform).__name__} can't be put on the chip; take one of "
        f"{', '.join(kind.__name__ for kind in TRANSFORMS)}, {OFF_CHIP}": not isinstance(
            conn.transform, TRANSFORMS
        ),
        f"a {type(conn.transform).__name__} on the chip is over two dimensions, in one group: "
        f"change it, {OFF_CHIP}": (
            isinstance(conn.transform, CONVOLUTIONS)
            and (conn.transform.dimensions != 2 or conn.transform.groups != 1)
        ),
        f"{conn.synapse} can't be put on the chip before {name} neurons: the synapse must be "
        f"{words}; change it, {OFF_CHIP}": not isinstance(
            conn.synapse, (type(None), SpikeSynapse, *filters)
        ),
    }
    for obstacle in (words for words, is_there in obstacles.items() if is_there):
        raise BuildError(f"{conn}: {obstacle}")


def build_on_chip(model, conn):
    """Build a connection on the chip; note at its axons what happens on the way."""
    source = model.objs[conn.pre_obj]["out"]
    gate = seeded(model, conn) if isinstance(conn.synapse, SpikeSynapse) else None
    if gate is not None:
        explained(conn, gate.make_state, (conn.size_in,), (conn.size_in,), model.dt)
    route = Route(gate, latencies(model).get(base_obj(conn.pre), 0), wait(model, conn))
    before = len(source.axons)
    stock.build_chip_connection(model, conn if gate is None else _like(model, conn, synapse=None))
    if gate is not None or route.delay:
        for axon in source.axons[before:]:
            axon.route = route


class SpikeReceiver(ChipReceiveNeurons):
    """The chip's end of a connection from a relay: its spikes of one sign."""

    def __init__(self, dimensions, amplitude, delay, label=nengo.params.Default):
        super().__init__(dimensions, nengo.SpikingRectifiedLinear(amplitude=amplitude), label)
        self.delay = delay


class DelayedSpikeInput(SpikeInput):
    """Spikes from the host that wait a number of steps on the chip."""

    def __init__(self, n_neurons, delay, label=None):
        super().__init__(n_neurons, label)
        self.delay = delay

    def add_spikes(self, ti, spike_idxs, permanent=False):
        """Add the spikes of a step."""
        super().add_spikes(ti + self.delay, spike_idxs, permanent)


@Builder.register(SpikeReceiver)
def build_spike_receiver(model, node):
    """Make the chip's input."""
    spike_input = DelayedSpikeInput(node.raw_dimensions, node.delay, label=node.label)
    model.add_input(spike_input)
    model.objs[node]["out"] = spike_input
    model.spike_targets[node] = spike_input


def build_spikes_to_chip(model, conn, amplitude):
    """Send spikes of the host to the chip as they are, and weight them there.

    A spike is amplitude/dt, as in all of Nengo. What `.AssumeReference` makes of them comes through
    more channels: spikes that are taken back, through weights of the other sign; and a spike that
    stands for one of every input, through the sums of the weights.
    """
    host = model.host_model(base_obj(conn.pre))
    late = latencies(model).get(base_obj(conn.pre), 0)
    sparsified = isinstance(conn.synapse, SpikeSynapse)
    channels = _channels(model, conn)
    counter = nengo.Node(
        spike_counter(str(conn), amplitude / model.dt, tuple(channels)),
        size_in=conn.size_mid,
        label=f"{conn} spikes",
        add_to_container=False,
    )
    to_counter = _like(
        model,
        conn,
        post=counter,
        transform=NoTransform(conn.size_mid),
        synapse=on_time(model, conn, late) if sparsified else None,
    )
    stock._inherit_seed(host, to_counter, model, conn)
    host.build(counter)
    host.build(to_counter)
    place = 0
    for name, transform in channels.items():
        size = transform.size_in
        receiver = SpikeReceiver(
            size, amplitude, wait(model, conn), label=f"{conn} {name}", add_to_container=False
        )
        model.builder.build(model, receiver)
        to_neurons = _like(
            model,
            conn,
            pre=receiver,
            function=None,
            transform=transform,
            synapse=None if sparsified else conn.synapse,
        )
        stock.build_chip_connection(model, to_neurons)
        _repeat(model.objs[receiver]["out"])
        width = size * AT_ONCE
        send = HostSendNode(width, label=f"{conn} send {name}", add_to_container=False)
        host.build(send)
        to_send = nengo.Connection(
            counter[place : place + width], send, synapse=None, add_to_container=False
        )
        stock._inherit_seed(host, to_send, model, conn)
        host.build(to_send)
        model.host2chip_senders[send] = receiver
        place += width


def _channels(model, conn):
    """Return the transforms of the channels through which a connection's spikes come."""
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
    """Return a node's function from spikes to places: `AT_ONCE` of each input and channel."""
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
                f"{name}: {x[wrong][0]:.4g} can't be sent to the chip at t = {t:g} s; spikes are "
                f"{height:.4g} for one step, and at most {AT_ONCE} of an input come at once. Send "
                "spikes (a PhaseEncoder makes them of phases), weighted by the transform"
            )
        of = {"spikes": counts, "taken back": -counts, "of every input": every}
        return np.concatenate([(places < of[channel]).ravel() for channel in channels])

    return count


def _repeat(spike_input):
    """Let each of an input's neurons have `AT_ONCE` places: spikes are sent by their places."""
    spike_input.n_neurons *= AT_ONCE
    for axon in spike_input.axons:
        axon.compartment_map = np.tile(axon.compartment_map, AT_ONCE)
        if axon.compartment_atoms is not None:
            axon.compartment_atoms = np.tile(axon.compartment_atoms, AT_ONCE)


def _like(model, conn, **changes):
    """Return a connection like another one, with changes, seed and configuration."""
    names = ("pre", "post", "function", "transform", "synapse", "solver", "eval_points", "label")
    new = nengo.Connection(
        **{**{name: getattr(conn, name) for name in names}, **changes},
        scale_eval_points=conn.scale_eval_points,
        add_to_container=False,
    )
    stock._inherit_seed(model, new, model, conn)
    stock._inherit_config(model, new, model, conn)
    return new

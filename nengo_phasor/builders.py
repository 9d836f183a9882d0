"""Registers our types with Nengo's builder.

The builders validate our types once dt is known, and add no one-step delay. Importing this module
registers them; NengoDL and the layerwise simulator build through them too.
"""

from __future__ import annotations

import warnings
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.builder import Builder, Signal
from nengo.builder.neurons import SimNeurons, build_neurons
from nengo.builder.processes import build_process
from nengo.builder.transforms import ConvInc, conv2d
from nengo.dists import Distribution
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError, ValidationError
from nengo.processes import PresentInput

from nengo_phasor.checks import warn_outside
from nengo_phasor.convolutions import RowwiseConvolution
from nengo_phasor.listing import shows_public_names
from nengo_phasor.neurons import (
    AttendingResonator,
    BindingResonator,
    Mixed,
    PhaseCoding,
    Phasor,
    ResonateAndFire,
)
from nengo_phasor.settings import neuron_parameters
from nengo_phasor.synapses import PhaseEncoder, RandomSparsifier, RhythmicSynapse, SpikeSynapse

__dir__ = shows_public_names(__name__)

SEED_STRIDE = 0x9E3779B1


class SimRows(SimNeurons):
    """The operator of neurons that are not all alike, never merged with that of other neurons.

    Nengo's optimizer and NengoDL merge operators of the same type into one longer operator, whose
    two halves, for instance, would no longer be the real and imaginary parts, and whose parameters
    would be fewer than its neurons.
    """


@Builder.register(Mixed)
def build_mixed(model, neuron_type, neurons, **signals):
    """Build the neurons with sampled parameters after checking these and the time step."""
    neuron_type = sampled(model, neuron_type, neurons)
    explained(neurons, neuron_type.constants, model.dt)
    if isinstance(neuron_type, PhaseCoding):
        check_phase_coding(model, model.toplevel)
    build_neurons(model, neuron_type, neurons, **signals)
    if neuron_type.is_mixed:
        op = model.operators.pop()
        model.add_op(SimRows(op.neurons, op.J, op.output, op.state))


def sampled(model, neuron_type: Mixed, neurons: Neurons) -> Mixed:
    """Return neurons with sampled parameters, which are also a simulator's ``data[neurons]``."""
    n = neurons.size_in
    rng = np.random.RandomState(model.seeds[neurons.ensemble] + 2)  # Nengo takes 1 for states
    found = explained(neurons, neuron_type.sampled, n, rng)
    trained = {name: np.broadcast_to(getattr(found, name), n) for name in trains(model, neurons)}
    model.params[neurons] = found.with_values(**trained) if trained else found
    return model.params[neurons]


def trains(model, neurons: Neurons) -> dict[str, float]:
    """Return the neurons' parameters that are configured to train, and their units."""
    if model.toplevel is None:
        return {}
    found = notes(model)
    if found.trained is None:
        found.trained = neuron_parameters(model.toplevel)
    return found.trained.get(neurons.ensemble, {})


@Builder.register(Phasor)
def build_phasor(model, neuron_type, neurons):
    """Build the neurons after checking that their number is a multiple of the number of rows."""
    explained(neurons, neuron_type.units, neurons.size_in)
    check_phase_coding(model, model.toplevel)
    signals = model.sig[neurons]
    model.add_op(SimRows(neuron_type, signals["in"], signals["out"]))


@Builder.register(AttendingResonator)
@Builder.register(BindingResonator)
def build_resonators_in_rows(model, neuron_type, neurons, **signals):
    """Build the neurons after checking that their number is a multiple of the number of rows."""
    explained(neurons, neuron_type.units, neurons.size_in)
    build_mixed(model, neuron_type, neurons, **signals)
    op = model.operators.pop()
    model.add_op(SimRows(op.neurons, op.J, op.output, op.state))


class SimRowwiseConvolution(ConvInc):
    """The operator of a ``RowwiseConvolution``: Nengo's own does not run three dimensions.

    It sets its output, as operators do that NengoDL does not know.
    """

    def __init__(self, W, X, Y, conv, tag=None):
        super().__init__(W, X, Y, conv, tag)
        self.sets, self.incs = self.incs, []

    @property
    def Y(self):
        """The output."""
        return self.sets[0]

    def make_step(self, signals, dt, rng):
        """Return the function that convolves the images."""
        kernel, conv = signals[self.W][0], self.conv
        images = signals[self.X].reshape(conv.input_shape.shape)
        maps = signals[self.Y].reshape(conv.output_shape.shape)

        def step():
            maps[...] = conv2d(images, kernel, conv.padding.upper(), conv.strides[1:])

        return step


@Builder.register(RowwiseConvolution)
def build_rowwise_convolution(
    model, transform, sig_in, decoders=None, encoders=None, rng=np.random
):
    """Build the transform as Nengo builds a convolution, with an operator that runs it."""
    if decoders is not None:
        raise BuildError(
            f"{transform} can't follow decoders: connect from `ensemble.neurons` or from a node"
        )
    kernel = Signal(transform.sample(rng=rng), readonly=True, name=f"{transform}.weights")
    weighted = Signal(shape=transform.size_out, name=f"{transform}.weighted")
    model.add_op(SimRowwiseConvolution(kernel, sig_in, weighted, transform))
    return weighted, kernel


@Builder.register(SpikeSynapse)
def build_spike_synapse(model, synapse, sig_in=None, sig_out=None, mode="set"):
    """Build the synapse without the one-step delay that Nengo gives to filters."""
    explained(synapse, synapse.make_state, sig_in.shape, sig_in.shape, model.dt)
    check_phase_coding(model, model.toplevel)
    return build_process(model, synapse, sig_in, sig_out, mode="inc" if mode == "inc" else "set")


@Builder.register(RandomSparsifier)
def build_random_sparsifier(model, synapse, sig_in=None, sig_out=None, mode="set"):
    """Build the synapse, with a seed derived from the network's seed if it has none of its own."""
    place = notes(model).random_sparsifiers
    notes(model).random_sparsifiers += 1
    if synapse.seed is None:
        seed = sparsifier_seed(model.seeds[model.toplevel], place)
        synapse = synapse.with_seed(seed)
    return build_spike_synapse(model, synapse, sig_in, sig_out, mode)


def sparsifier_seed(network_seed: int, place: int) -> int:
    """Return the seed of the random sparsifier at the given place among those of a network."""
    return (network_seed + (place + 1) * SEED_STRIDE) % 2**31


@dataclass
class BuildNotes:
    """Notes that the checks of one build keep from one object to the next.

    Attributes
    ----------
    checked : bool
        Whether the connections have been checked.
    random_sparsifiers : int
        The number of random sparsifiers built so far.
    trained : dict, optional
        The neuron parameters that train, by ensemble.
    """

    checked: bool = False
    random_sparsifiers: int = 0
    trained: dict[nengo.Ensemble, dict[str, float]] | None = None


def notes(model) -> BuildNotes:
    """Return the notes of this build, which are stored on its model."""
    return vars(model).setdefault("nengo_phasor_notes", BuildNotes())


def check_phase_coding(model, network: nengo.Network | None) -> None:
    """Check all spike synapses and all connections of phase-coding neurons, once per build.

    This rejects random encoders, which would rotate phases, and spike synapses that would act on
    weighted sums. It warns about Nengo's default synapse, about spike synapses whose rhythm differs
    from that of the neurons, about phases that reach spiking neurons without an encoder, and about
    phases that appear to be in degrees or radians.

    Parameters
    ----------
    model : nengo.builder.Model
        The model that is being built.
    network : nengo.Network, optional
        The network whose connections are checked. None, when single objects are built, checks
        nothing.

    Raises
    ------
    nengo.exceptions.BuildError
        If a connection leads to an ensemble of phase-coding neurons with random encoders, has both
        weights and a spike synapse, or brings spikes of another frequency to neurons that attend.
    """
    if network is None or notes(model).checked:
        return
    notes(model).checked = True
    for connection in network.all_connections:
        if isinstance(connection.synapse, SpikeSynapse):
            check_unweighted(connection)
            check_encoded(connection)
    layers = [e for e in network.all_ensembles if isinstance(e.neuron_type, PhaseCoding)]
    arriving = Ends(network.all_connections, "post_obj", "pre_obj")
    leaving = Ends(network.all_connections, "pre_obj", "post_obj")
    check_encoders(arriving, layers)
    for connection, neurons in arriving.reached_from(layers):
        check_chosen(connection, neurons)
    rhythms = defaultdict(list)
    for layer in layers:
        if isinstance(layer.neuron_type, ResonateAndFire):
            rhythms[layer.neuron_type.rhythm].append(layer)
    for connection, neurons in leaving.reached_from(rhythms.pop(None, [])):
        check_common_rhythm(connection, neurons)
    for same in rhythms.values():
        for connection, neurons in arriving.reached_from(same):
            check_attended(connection, neurons)
            check_spikes(connection, neurons)
            check_rhythm(connection, neurons, PhaseEncoder)
        for connection, neurons in leaving.reached_from(same):
            check_rhythm(connection, neurons, RhythmicSynapse)


class Ends:
    """A network's connections, grouped by the object at one of their ends.

    Parameters
    ----------
    connections : iterable of nengo.Connection
        All connections of the network.
    near, far : "pre_obj" or "post_obj"
        The end by which connections are looked up, and the opposite end.
    """

    def __init__(self, connections: Iterable[nengo.Connection], near: str, far: str):
        self.far = far
        self.connections: dict[Any, list[nengo.Connection]] = defaultdict(list)
        for connection in connections:
            self.connections[getattr(connection, near)].append(connection)

    def reached_from(self, layers: Iterable[nengo.Ensemble]) -> Iterator[tuple]:
        """Yield the connections that carry spikes to or from layers, directly or through relays.

        Each connection is yielded once, with the neurons of one layer that it leads to or comes
        from.
        """
        reached = {end: layer.neurons for layer in layers for end in (layer.neurons, layer)}
        waiting = deque(reached)
        while waiting:
            obj = waiting.popleft()
            for connection in self.connections[obj]:
                yield connection, reached[obj]
                other = getattr(connection, self.far)
                is_relay = isinstance(other, nengo.Node) and other.output is None
                is_encoder = isinstance(connection.synapse, PhaseEncoder)
                if is_relay and not is_encoder and other not in reached:
                    reached[other] = reached[obj]
                    waiting.append(other)


def check_encoders(arriving: Ends, layers: Iterable[nengo.Ensemble]) -> None:
    """Reject connections to ensembles with random encoders, which would rotate phases."""
    for layer in layers:
        if isinstance(layer.encoders, Distribution) and arriving.connections[layer]:
            raise BuildError(
                f"{arriving.connections[layer][0]}: {type(layer.neuron_type).__name__} neurons "
                "code in phase, and random encoders would rotate phases: connect to "
                "`ensemble.neurons`, or set the ensemble's encoders"
            )


def check_chosen(connection: nengo.Connection, neurons: Neurons) -> None:
    """Warn if a connection to these neurons has Nengo's default synapse."""
    if connection.synapse is nengo.Connection.synapse.default:
        _warn(
            f"{connection}: Nengo's default synapse, {connection.synapse}, filters the input of "
            f"{neurons}, which code in phase: set synapse=None on the connection, or choose a "
            "synapse"
        )


def check_rhythm(connection: nengo.Connection, neurons: Neurons, kind: type[Any]) -> None:
    """Warn if a synapse of this kind has a rhythm other than that of the neurons."""
    frequency = neurons.ensemble.neuron_type.rhythm
    if isinstance(connection.synapse, kind) and connection.synapse.frequency != frequency:
        _warn(
            f"{connection}: {connection.synapse} has a rhythm of {connection.synapse.frequency:g} "
            f"Hz, but {neurons} have one of {frequency:g} Hz, so that their phases do not "
            "correspond: give both the same frequency"
        )


def check_common_rhythm(connection: nengo.Connection, neurons: Neurons) -> None:
    """Reject a synapse with a clock for neurons that have no common rhythm."""
    if isinstance(connection.synapse, RhythmicSynapse):
        raise BuildError(
            f"{connection}: {connection.synapse} has one rhythm, but {neurons} have several "
            "frequencies, so that their spikes have no common phase: give the neurons one "
            "frequency, or use a synapse without a rhythm, such as RandomSparsifier"
        )


def check_attended(connection: nengo.Connection, neurons: Neurons) -> None:
    """Reject spikes of another frequency, which have no phase relative to those they meet."""
    attending = neurons.ensemble.neuron_type
    if not isinstance(attending, AttendingResonator):
        return
    sender = connection.pre_obj
    sender = sender.ensemble.neuron_type if isinstance(sender, Neurons) else None
    for source in (sender, connection.synapse):
        other = getattr(source, "frequency", attending.frequency)
        if isinstance(source, ResonateAndFire):
            other = source.rhythm
        if other != attending.frequency:
            has = "several frequencies" if other is None else f"{other:g} Hz"
            raise BuildError(
                f"{connection}: {source} has {has}, but {neurons}, which attend, have "
                f"{attending.frequency:g} Hz: signals of different frequencies have no common "
                "phase; give all the same frequency"
            )


def check_unweighted(connection: nengo.Connection) -> None:
    """Reject a spike synapse that would act on weighted sums; warn if spikes enter an encoder."""
    pre, post, synapse = connection.pre_obj, connection.post_obj, connection.synapse
    spikes = isinstance(pre, Neurons) and pre.ensemble.neuron_type.spiking
    if (spikes or isinstance(post, Neurons)) and mixes(connection.transform):
        raise BuildError(
            f"{connection}: a connection's synapse acts after its weights, so {synapse} would act "
            f"on weighted sums instead of single spikes. Put synapse={synapse} on an unweighted "
            f"connection to a relay, nengo.Node(size_in={connection.size_in}), and the weights on "
            "a connection from the relay with synapse=None"
        )
    if spikes and isinstance(synapse, PhaseEncoder):
        _warn(
            f"{connection}: {synapse} turns phases into spikes, but {pre} already send spikes: "
            "set synapse=None on the connection"
        )


def mixes(transform: Any) -> bool | np.bool_:
    """Return whether a transform sums different inputs rather than only scaling each of them."""
    if not isinstance(transform, nengo.Dense):
        return not isinstance(transform, nengo.transforms.NoTransform)
    if isinstance(transform.init, Distribution):
        return True
    weights = np.asarray(transform.init)
    if weights.ndim < 2:
        return False
    return weights.shape[0] != weights.shape[1] or np.any(weights != np.diag(np.diag(weights)))


def check_encoded(connection: nengo.Connection) -> None:
    """Warn if a node sends values that look like degrees or radians to a phase encoder."""
    held = _held(connection.pre_obj)
    is_direct = isinstance(connection.transform, nengo.transforms.NoTransform)
    if held is not None and is_direct and isinstance(connection.synapse, PhaseEncoder):
        warn_outside(held, f"{connection}: {connection.pre_obj}")


def check_spikes(connection: nengo.Connection, neurons: Neurons) -> None:
    """Warn if a node sends what looks like phases to neurons that take spikes.

    Only constant outputs and those of `nengo.processes.PresentInput` are checked, not those of
    functions and of other processes.
    """
    source = connection.pre_obj
    held = _held(source)
    if held is not None and not isinstance(connection.synapse, PhaseEncoder):
        warn_unencoded(held, f"{connection}: the output of {source}", neurons)


def _held(source):
    """Return the values that a node outputs, constantly or in turn; None if they are unknown."""
    held = getattr(source, "output", None)
    held = held.inputs if isinstance(held, PresentInput) else held
    return held if isinstance(held, np.ndarray) else None


def warn_unencoded(values: np.ndarray, what: str, neurons: Neurons) -> None:
    """Warn if constant values sent to neurons that take spikes look like phases.

    In general we cannot know whether numbers are phases or currents. Values that all lie in [-1, 1)
    are taken to be phases, unless all are 0, which is a placeholder for data. A constant current
    that small would make the neurons resonate only at its onset.
    """
    if np.any(values) and np.all((values >= -1) & (values < 1)):
        _warn(
            f"{what} looks like phases, but {neurons} take spikes. Put synapse=PhaseEncoder() on "
            "a separate connection to a relay, which is a node without output, and connect the "
            "relay to the neurons; if the values are currents, return them from a function, "
            "nengo.Node(lambda t: ...)"
        )


def takers_of_phasors(network: nengo.Network) -> set[nengo.Node]:
    """Return the nodes that are connected, directly or through relays, to `.Phasor` neurons."""
    layers = [e for e in network.all_ensembles if isinstance(e.neuron_type, Phasor)]
    arriving = Ends(network.all_connections, "post_obj", "pre_obj").reached_from(layers)
    return {c.pre_obj for c, _ in arriving if isinstance(c.pre_obj, nengo.Node)}


def takers_of_spikes(network: nengo.Network) -> dict[nengo.Node, Neurons]:
    """Return each input node that reaches resonate-and-fire neurons unencoded, and the neurons."""
    layers = [e for e in network.all_ensembles if isinstance(e.neuron_type, ResonateAndFire)]
    arriving = Ends(network.all_connections, "post_obj", "pre_obj").reached_from(layers)
    return {
        connection.pre_obj: neurons
        for connection, neurons in arriving
        if isinstance(connection.pre_obj, nengo.Node)
        and not connection.pre_obj.size_in
        and not isinstance(connection.synapse, PhaseEncoder)
    }


def takers_of_phases(network: nengo.Network) -> set[nengo.Node]:
    """Return the nodes all of whose connections have a phase encoder and no weights."""
    takes: dict[nengo.Node, list[bool]] = defaultdict(list)
    for connection in network.all_connections:
        takes[connection.pre_obj].append(
            isinstance(connection.synapse, PhaseEncoder)
            and isinstance(connection.transform, nengo.transforms.NoTransform)
        )
    return {node for node, found in takes.items() if all(found)}


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=2)


def explained(obj, check, *args):
    """Return the result of a check; errors become a BuildError that names the object."""
    try:
        return check(*args)
    except ValidationError as error:
        raise BuildError(f"{obj}: {error}") from error

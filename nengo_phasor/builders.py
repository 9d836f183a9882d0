"""What Nengo's builder does with our types: checks while the time step is known, and no delay.

Importing this module registers the builders; NengoDL and the layerwise simulator build through them
too.
"""

from __future__ import annotations

import warnings
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.builder import Builder
from nengo.builder.neurons import SimNeurons, build_neurons
from nengo.builder.processes import build_process
from nengo.dists import Distribution
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError, ValidationError
from nengo.processes import PresentInput

from nengo_phasor.checks import warn_outside
from nengo_phasor.listing import public_names
from nengo_phasor.neurons import PhaseCoding, Phasor, ResonateAndFire
from nengo_phasor.synapses import PhaseEncoder, RandomSparsifier, RhythmicSynapse, SpikeSynapse

SEED_STRIDE = 0x9E3779B1


@Builder.register(ResonateAndFire)
def build_resonate_and_fire(model, neuron_type, neurons, **signals):
    """Build the neurons once the time step is known to be short enough."""
    explained(neurons, neuron_type.constants, model.dt)
    check_phase_coding(model, model.toplevel)
    build_neurons(model, neuron_type, neurons, **signals)


class SimPhasor(SimNeurons):
    """The operator of a layer of Phasor neurons, which is not merged with another layer's.

    Nengo's optimizer and NengoDL join equal operators of one type into a longer one. Its halves
    would no longer be real and imaginary parts.
    """


@Builder.register(Phasor)
def build_phasor(model, neuron_type, neurons):
    """Build the neurons once their number is known to be even."""
    explained(neurons, neuron_type.units, neurons.size_in)
    check_phase_coding(model, model.toplevel)
    signals = model.sig[neurons]
    model.add_op(SimPhasor(neuron_type, signals["in"], signals["out"]))


@Builder.register(SpikeSynapse)
def build_spike_synapse(model, synapse, sig_in=None, sig_out=None, mode="set"):
    """Build the synapse without the delay of a step that Nengo gives to filters."""
    explained(synapse, synapse.make_state, sig_in.shape, sig_in.shape, model.dt)
    check_phase_coding(model, model.toplevel)
    return build_process(model, synapse, sig_in, sig_out, mode="inc" if mode == "inc" else "set")


@Builder.register(RandomSparsifier)
def build_random_sparsifier(model, synapse, sig_in=None, sig_out=None, mode="set"):
    """Give the synapse the seed that its place in the seeded network determines, then build it."""
    place = notes(model).random_sparsifiers
    notes(model).random_sparsifiers += 1
    if synapse.seed is None:
        seed = sparsifier_seed(model.seeds[model.toplevel], place)
        synapse = synapse.with_seed(seed)
    return build_spike_synapse(model, synapse, sig_in, sig_out, mode)


def sparsifier_seed(network_seed: int, place: int) -> int:
    """Return the seed of a network's random sparsifier without one: by its place among them."""
    return (network_seed + (place + 1) * SEED_STRIDE) % 2**31


@dataclass
class BuildNotes:
    """What the checks of one build remember from one object to the next.

    Attributes
    ----------
    checked : bool
        Whether the connections were looked at.
    random_sparsifiers : int
        How many were built.
    """

    checked: bool = False
    random_sparsifiers: int = 0


def notes(model) -> BuildNotes:
    """Return the notes of this build, which its model keeps."""
    return vars(model).setdefault("nengo_phasor_notes", BuildNotes())


def check_phase_coding(model, network: nengo.Network | None) -> None:
    """Look once a build at all spike synapses, and all connections of neurons that code in phase.

    Encoders that are drawn, which turn phases round, are refused, and so are spike synapses that
    would act on weighted sums. Warnings tell of synapses nobody chose, of spike synapses that make
    or take phases for another rhythm's, of phases that come without having been made spikes, and of
    degrees and radians.

    Parameters
    ----------
    model : nengo.builder.Model
        Whose build it is.
    network : nengo.Network, optional
        Whose connections are looked at. None, where single objects are built: none.

    Raises
    ------
    nengo.exceptions.BuildError
        If a connection is to an ensemble of such neurons, whose encoders are not given, or has
        weights before a spike synapse.
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
            rhythms[layer.neuron_type.frequency].append(layer)
    for same in rhythms.values():
        for connection, neurons in arriving.reached_from(same):
            check_spikes(connection, neurons)
            check_rhythm(connection, neurons, PhaseEncoder)
        for connection, neurons in leaving.reached_from(same):
            check_rhythm(connection, neurons, RhythmicSynapse)


class Ends:
    """A network's connections by the object at one of their ends.

    Parameters
    ----------
    connections : iterable of nengo.Connection
        All of them.
    near, far : "pre_obj" or "post_obj"
        The end by which they are found, and the other.
    """

    def __init__(self, connections: Iterable[nengo.Connection], near: str, far: str):
        self.far = far
        self.connections: dict[Any, list[nengo.Connection]] = defaultdict(list)
        for connection in connections:
            self.connections[getattr(connection, near)].append(connection)

    def reached_from(self, layers: Iterable[nengo.Ensemble]) -> Iterator[tuple]:
        """Yield the connections on this side of layers, and of relays there: those of spikes.

        Each connection comes once, with the neurons of one layer that it is on the way to or from.
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
    """Refuse connections to ensembles whose encoders are drawn."""
    for layer in layers:
        if isinstance(layer.encoders, Distribution) and arriving.connections[layer]:
            raise BuildError(
                f"{arriving.connections[layer][0]}: {type(layer.neuron_type).__name__} neurons "
                "code in phase, and encoders drawn at random would turn phases round: connect to "
                "`ensemble.neurons`, or give the ensemble its encoders"
            )


def check_chosen(connection: nengo.Connection, neurons: Neurons) -> None:
    """Warn if nobody chose the synapse of a connection to these neurons."""
    if connection.synapse is nengo.Connection.synapse.default:
        _warn(
            f"{connection}: Nengo's default synapse, {connection.synapse}, filters what comes "
            f"to {neurons}, which code in phase: give the connection synapse=None, or the "
            "synapse that you want"
        )


def check_rhythm(connection: nengo.Connection, neurons: Neurons, kind: type[Any]) -> None:
    """Warn if a synapse of this kind makes or takes these neurons' phases for another rhythm's."""
    frequency = neurons.ensemble.neuron_type.frequency
    if isinstance(connection.synapse, kind) and connection.synapse.frequency != frequency:
        _warn(
            f"{connection}: {connection.synapse} has a rhythm of "
            f"{connection.synapse.frequency:g} Hz, but {neurons} one of {frequency:g} Hz: "
            "phases of one mean nothing to the other. Give both the same frequency"
        )


def check_unweighted(connection: nengo.Connection) -> None:
    """Refuse a spike synapse that would act on weighted sums; warn of an encoder of spikes."""
    pre, post, synapse = connection.pre_obj, connection.post_obj, connection.synapse
    spikes = isinstance(pre, Neurons) and pre.ensemble.neuron_type.spiking
    if (spikes or isinstance(post, Neurons)) and mixes(connection.transform):
        raise BuildError(
            f"{connection}: a connection's synapse acts after its weights, so {synapse} would act "
            f"on weighted sums instead of single spikes. Put synapse={synapse} on a connection "
            f"without weights to a relay, nengo.Node(size_in={connection.size_in}), and the "
            "weights on a connection from the relay with synapse=None"
        )
    if spikes and isinstance(synapse, PhaseEncoder):
        _warn(
            f"{connection}: {synapse} turns phases into spikes, but {pre} send spikes already: "
            "give the connection synapse=None"
        )


def mixes(transform: Any) -> bool | np.bool_:
    """Return whether a transform sums different inputs, instead of only scaling each."""
    if not isinstance(transform, nengo.Dense):
        return not isinstance(transform, nengo.transforms.NoTransform)
    if isinstance(transform.init, Distribution):
        return True
    weights = np.asarray(transform.init)
    if weights.ndim < 2:
        return False
    return weights.shape[0] != weights.shape[1] or np.any(weights != np.diag(np.diag(weights)))


def check_encoded(connection: nengo.Connection) -> None:
    """Warn if a node holds degrees or radians for a phase encoder."""
    held = _held(connection.pre_obj)
    is_direct = isinstance(connection.transform, nengo.transforms.NoTransform)
    if held is not None and is_direct and isinstance(connection.synapse, PhaseEncoder):
        warn_outside(held, f"{connection}: {connection.pre_obj}")


def check_spikes(connection: nengo.Connection, neurons: Neurons) -> None:
    """Warn if a node holds, for ever or in turn, what must be phases for neurons that take spikes.

    What a function or another process gives is not looked at.
    """
    source = connection.pre_obj
    held = _held(source)
    if held is not None and not isinstance(connection.synapse, PhaseEncoder):
        warn_unencoded(held, f"{connection}: what {source} holds", neurons)


def _held(source):
    """Return what a node holds, for ever or in turn; None if that is not known."""
    held = getattr(source, "output", None)
    held = held.inputs if isinstance(held, PresentInput) else held
    return held if isinstance(held, np.ndarray) else None


def warn_unencoded(values: np.ndarray, what: str, neurons: Neurons) -> None:
    """Warn if constant values look like phases on their way to neurons that take spikes.

    Whether numbers are phases or currents can't be known in general. Those are taken for phases
    that are all in [-1, 1), and not all 0, which stands for data to come. Held so low, a current
    would not make the neurons resonate, but for its onset.
    """
    if np.any(values) and np.all((values >= -1) & (values < 1)):
        _warn(
            f"{what} looks like phases, which are not spikes, but {neurons} take spikes. Put "
            "synapse=PhaseEncoder() on a connection of their own to a relay, a node without "
            "output, and connect the relay to the neurons; if you mean currents, give them by a "
            "function, nengo.Node(lambda t: ...)"
        )


def takers_of_phasors(network: nengo.Network) -> set[nengo.Node]:
    """Return the nodes that are connected, directly or by relays, to `.Phasor` neurons."""
    layers = [e for e in network.all_ensembles if isinstance(e.neuron_type, Phasor)]
    arriving = Ends(network.all_connections, "post_obj", "pre_obj").reached_from(layers)
    return {c.pre_obj for c, _ in arriving if isinstance(c.pre_obj, nengo.Node)}


def takers_of_spikes(network: nengo.Network) -> dict[nengo.Node, Neurons]:
    """Return resonate-and-fire neurons that each node without input reaches without an encoder."""
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
    """Return the nodes whose every connection has a phase encoder, and no weights."""
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
    """Return a check's result; what it finds wrong becomes a BuildError that names the object."""
    try:
        return check(*args)
    except ValidationError as error:
        raise BuildError(f"{obj}: {error}") from error


def __dir__():
    return public_names(__name__)

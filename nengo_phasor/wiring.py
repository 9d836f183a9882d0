"""How phase-coding neurons and spike synapses must be connected: checks for all simulators."""

from __future__ import annotations

import warnings
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Any

import nengo
import numpy as np
from nengo.dists import Distribution
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError, ValidationError
from nengo.processes import PresentInput

from nengo_phasor.checks import warn_outside
from nengo_phasor.listing import shows_public_names
from nengo_phasor.neurons import AttendingResonator, PhaseCoding, Phasor, ResonateAndFire
from nengo_phasor.synapses import PhaseEncoder, RhythmicSynapse, SpikeSynapse

__dir__ = shows_public_names(__name__)


def check_wiring(network: nengo.Network) -> None:
    """Check all spike synapses and all connections of phase-coding neurons.

    See `.builders.check_phase_coding`, which calls this once per build.
    """
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

"""What Nengo's builder does with our types: checks while the time step is known, and no delay.

Importing this module registers the builders; NengoDL and the layerwise simulator build through them
too.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import nengo
from nengo.builder import Builder
from nengo.builder.neurons import SimNeurons, build_neurons
from nengo.builder.processes import build_process
from nengo.dists import Distribution
from nengo.exceptions import BuildError, ValidationError

from nengo_phasor.neurons import Phasor, ResonateAndFire
from nengo_phasor.synapses import PhaseEncoder, RandomSparsifier, RhythmicSynapse, SpikeSynapse

SEED_STRIDE = 0x9E3779B1


@Builder.register(ResonateAndFire)
def build_resonate_and_fire(model, neuron_type, neurons, **signals):
    """Build the neurons once the time step is known to be short enough."""
    explained(neurons, neuron_type.constants, model.dt)
    check_input(model.toplevel, neurons)
    check_rhythm(model.toplevel, neurons)
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
    check_input(model.toplevel, neurons)
    signals = model.sig[neurons]
    model.add_op(SimPhasor(neuron_type, signals["in"], signals["out"]))


@Builder.register(SpikeSynapse)
def build_spike_synapse(model, synapse, sig_in=None, sig_out=None, mode="set"):
    """Build the synapse without the delay of a step that Nengo gives to filters."""
    explained(synapse, synapse.make_state, sig_in.shape, sig_in.shape, model.dt)
    return build_process(model, synapse, sig_in, sig_out, mode="inc" if mode == "inc" else "set")


@Builder.register(RandomSparsifier)
def build_random_sparsifier(model, synapse, sig_in=None, sig_out=None, mode="set"):
    """Give the synapse the seed that its place in the seeded network determines, then build it."""
    if synapse.seed is None:
        place = sum(
            isinstance(getattr(op, "process", None), RandomSparsifier) for op in model.operators
        )
        seed = sparsifier_seed(model.seeds[model.toplevel], place)
        synapse = RandomSparsifier(synapse.probability, seed=seed)
    return build_spike_synapse(model, synapse, sig_in, sig_out, mode)


def sparsifier_seed(network_seed: int, place: int) -> int:
    """Return the seed of a network's random sparsifier without one: by its place among them."""
    return (network_seed + (place + 1) * SEED_STRIDE) % 2**31


def check_input(network: nengo.Network | None, neurons: nengo.ensemble.Neurons) -> None:
    """Refuse encoders that are drawn, which turn phases round; warn of synapses nobody chose.

    Parameters
    ----------
    network : nengo.Network, optional
        Whose connections are looked at. None, where single objects are built: none.
    neurons : nengo.ensemble.Neurons
        Which code in phase.

    Raises
    ------
    nengo.exceptions.BuildError
        If a connection is to the ensemble, whose encoders are not given.
    """
    if network is None:
        return
    ensemble, connections = neurons.ensemble, network.all_connections
    for connection in connections if isinstance(ensemble.encoders, Distribution) else ():
        if connection.post_obj is ensemble:
            raise BuildError(
                f"{connection}: {type(ensemble.neuron_type).__name__} neurons code in phase, and "
                "encoders drawn at random would turn phases round: connect to `ensemble.neurons`, "
                "or give the ensemble its encoders"
            )
    for connection in _on_the_way(connections, neurons, "post_obj", "pre_obj"):
        if connection.synapse is nengo.Connection.synapse.default:
            warnings.warn(
                f"{connection}: Nengo's default synapse, {connection.synapse}, filters what comes "
                f"to {neurons}, which code in phase: give the connection synapse=None, or the "
                "synapse that you want",
                stacklevel=2,
            )


def check_rhythm(network: nengo.Network | None, neurons: nengo.ensemble.Neurons) -> None:
    """Warn of a spike synapse that makes or takes these neurons' phases for another rhythm's."""
    connections = network.all_connections if network is not None else ()
    frequency = neurons.ensemble.neuron_type.frequency
    before = _on_the_way(connections, neurons, "post_obj", "pre_obj")
    behind = _on_the_way(connections, neurons, "pre_obj", "post_obj")
    met = [c for c in before if isinstance(c.synapse, PhaseEncoder)]
    met += [c for c in behind if isinstance(c.synapse, RhythmicSynapse)]
    for connection in met:
        if connection.synapse.frequency != frequency:
            warnings.warn(
                f"{connection}: {connection.synapse} has a rhythm of "
                f"{connection.synapse.frequency:g} Hz, but {neurons} one of {frequency:g} Hz: "
                "phases of one mean nothing to the other. Give both the same frequency",
                stacklevel=2,
            )


def _on_the_way(connections, neurons, near: str, far: str) -> Iterator[nengo.Connection]:
    """Yield the connections on one side of neurons, and of relays there: those of spikes."""
    reached = [neurons]
    for obj in reached:  # which grows
        for connection in connections:
            if getattr(connection, near) == obj:
                yield connection
                other = getattr(connection, far)
                is_relay = isinstance(other, nengo.Node) and other.output is None
                is_encoder = isinstance(connection.synapse, PhaseEncoder)
                if is_relay and not is_encoder and other not in reached:
                    reached.append(other)


def explained(obj, check, *args):
    """Return a check's result; what it finds wrong becomes a BuildError that names the object."""
    try:
        return check(*args)
    except ValidationError as error:
        raise BuildError(f"{obj}: {error}") from error

"""Registers our types with Nengo's builder.

The builders validate our types once dt is known, and add no one-step delay. Importing this module
registers them; NengoDL and the layerwise simulator build through them too.
"""

from __future__ import annotations

from dataclasses import dataclass

import nengo
import numpy as np
from nengo.builder import Builder, Signal
from nengo.builder.neurons import SimNeurons, build_neurons
from nengo.builder.processes import build_process
from nengo.builder.transforms import ConvInc, conv2d
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError

from nengo_phasor.convolutions import RowwiseConvolution
from nengo_phasor.listing import shows_public_names
from nengo_phasor.neurons import (
    AttendingResonator,
    BindingResonator,
    Mixed,
    PhaseCoding,
    Phasor,
)
from nengo_phasor.settings import neuron_parameters
from nengo_phasor.synapses import RandomSparsifier, SpikeSynapse
from nengo_phasor.wiring import check_wiring, explained

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
    check_wiring(network)

"""Conversion of Keras models to adaptive spiking networks: `to_adaptive`.

We do not use NengoDL's Converter, because it has no max pooling, keeps batch normalisation as a
separate step, and sends biases as signals.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import SimulationError, ValidationError
from numpy.typing import ArrayLike

from nengo_phasor import compat, dynamics
from nengo_phasor.arousal import Focus
from nengo_phasor.checks import check_is, check_number, check_positive, check_positive_integer
from nengo_phasor.convert import focusing, keras_calls, keras_graph
from nengo_phasor.convert.calibration import PRECISIONS, Calibration, Trials, checked
from nengo_phasor.convert.construction import Construction, like
from nengo_phasor.convert.keras_layers import USE_NEURONS, Rectifier
from nengo_phasor.neurons import AdaptiveSpiking, AdaptiveSpikingRate


def to_adaptive(
    model: Any, neurons: AdaptiveSpikingRate | None = None, readout_tau: float = 0.05
) -> Converted:
    """Convert a trained Keras model to a network of adaptive spiking neurons.

    Each `.HalfSigmoid`, ReLU and LeakyReLU becomes an ensemble of `.AdaptiveSpiking` neurons,
    whether it is a layer or the activation of one. Rectifiers get neurons with graded spikes, and
    need not be trained for spikes: one neuron for each value, another if there is a highest value
    (such as 6), and another if there is a slope below 0. The layers in between are folded into the
    connections: convolutions, also of single channels, dense layers, normalisation (with Keras'
    epsilon), average pooling, padding and additions. Biases and shifts become biases of the neurons
    that they reach. An activation and the max pooling after it change places, so that fewer neurons
    are needed. Layers that act only in training are omitted, as is a final softmax. The output is a
    smoothed weighted sum of spikes, without neurons.

    Layers that are used more than once become separate neurons or connections each time. The layers
    of models within the model are named after them, as in ``"model/layer"``.

    Parameters
    ----------
    model : keras.Model or path
        A sequential or functional model of Keras 2 or Keras 3 with one input of known shape and one
        output, or the file of one.
    neurons : AdaptiveSpikingRate, optional
        The neurons whose parameters all neurons get, except for the amplitude, which keeps the f(1)
        of each activation. They must be graded for rectifiers, and not for `.HalfSigmoid`. By
        default these are the neurons of each `.HalfSigmoid`, and
        ``AdaptiveSpiking(graded=True)`` for rectifiers.
    readout_tau : float
        The time constant with which the output is smoothed, in seconds.

    Returns
    -------
    Converted
        The network, with its input, its output and its layers.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the model does not meet these requirements or has no such activation, if its
        `.HalfSigmoid` layers differ in tau_beta or tau_phi, if neurons are graded but an activation
        is a `.HalfSigmoid`, or the other way round, or if neurons or readout_tau are not valid.
    nengo.exceptions.BuildError
        If a layer can't be converted; the message names it.

    References
    ----------
    Zambrano et al. (2017), Efficient Computation in Adaptive Artificial Spiking Neural Networks.
    """
    if not isinstance(neurons, AdaptiveSpikingRate | None):
        raise ValidationError(f"must be AdaptiveSpiking neurons, got {neurons!r}", "neurons")
    check_positive(readout_tau, "readout_tau")
    if isinstance(model, str | os.PathLike):
        model = keras_calls.load(model)
    graph = keras_graph.pools_first(keras_graph.read(model))
    if not graph.neurons():
        raise ValidationError(f"{model.name!r} has no neurons: {USE_NEURONS}", "model")
    spiking = _neurons_of(graph.neurons(), neurons)
    any_neurons = next(iter(spiking.values()))
    taus = (any_neurons.tau_beta, any_neurons.tau_phi, readout_tau)
    return Converted(model, Construction(model.name, spiking, taus).build(graph))


def _neurons_of(layers, given):
    """Return the neurons of each layer: those given, or its own, at the scale of the layer."""
    own = {
        name: layer.neurons for name, layer in layers.items() if not isinstance(layer, Rectifier)
    }
    for tau in ("tau_beta", "tau_phi"):
        values = {getattr(x, tau) for x in own.values()}
        if given is None and len(values) > 1:
            raise ValidationError(
                f"differs between the model's HalfSigmoid layers: {values}; give all layers the "
                "same value, or give neurons",
                attr=tau,
            )
    any_own = next(iter(own.values()), AdaptiveSpiking()) if given is None else given
    taus = {tau: getattr(any_own, tau) for tau in ("tau_beta", "tau_phi")}
    rectified = AdaptiveSpiking(graded=True, **taus)
    own = {name: own.get(name, rectified) for name in layers}
    if given is None:
        return {name: like(AdaptiveSpiking, neurons) for name, neurons in own.items()}
    return {name: _at_scale_of(neurons, given, name) for name, neurons in own.items()}


class Converted:
    """The adaptive spiking network of a Keras model, as returned by `to_adaptive`.

    Attributes
    ----------
    model : keras.Model or None
        The model, which is not changed. None if the network was loaded from a file.
    network : nengo.Network
        The spiking network.
    input : nengo.Node
        The input node, which takes flat inputs of shape (n_items, n_steps, size).
    output : nengo.Probe
        The probe of the smoothed output, before a softmax.
    layers : {str: nengo.Ensemble}
        The neurons by the names of their layers, `.HalfSigmoid` or rectifiers, or of the layers
        with such an activation, in order. A rectifier of several lines has n neurons for each of
        them, one part after another.
    """

    def __init__(self, model: Any, network: nengo.Network):
        self.model = model
        self.network = network
        self.input, self.output = network.input, network.output
        self.layers = network.layers
        self._neurons = {name: ensemble.neuron_type for name, ensemble in self.layers.items()}

    def __repr__(self) -> str:
        """Describe the number and the precision of each layer's neurons."""
        layers = ", ".join(
            f"{name}: {e.n_neurons} of m_f={e.neuron_type.m_f:g}" for name, e in self.layers.items()
        )
        sizes = f"{self.input.size_out} inputs, {self.output.size_in} outputs"
        return f"<Converted {self.network.label!r}: {sizes}; {layers}>"

    @property
    def neurons(self) -> dict[str, AdaptiveSpikingRate]:
        """The neurons of each layer as converted or calibrated, before `set_precision`."""
        return dict(self._neurons)

    def copy(self) -> nengo.Network:
        """Return a copy of the network with the attributes ``input``, ``output`` and ``layers``."""
        with warnings.catch_warnings():  # Nengo's copy of a relay warns of the size that it has
            warnings.filterwarnings("ignore", "'Node.size_out' is being overwritten")
            return self.network.copy()

    def rate_network(self) -> nengo.Network:
        """Return a copy of the network with `.AdaptiveSpikingRate` neurons and without synapses.

        It gives its output in one step. It has the same attributes ``input``, ``output`` and
        ``layers`` as ``network``.
        """
        network = self.copy()
        for ensemble in network.all_ensembles:
            ensemble.neuron_type = like(AdaptiveSpikingRate, ensemble.neuron_type)
        for connection in network.all_connections:
            connection.synapse = None
        return network

    def focused(self, focus: Focus, place: ArrayLike) -> Converted:
        """Return the network that codes precisely in one window of the image, coarsely around it.

        Each layer of maps becomes two, ``"NAME, inside"`` and ``"NAME, around"``, of the precisions
        ``focus.high`` and ``focus.low``; one that is all inside or all around stays one. Layers
        without maps get ``focus.high``.

        Parameters
        ----------
        focus : nengo_phasor.arousal.Focus
            The precisions, and the size of the window.
        place : (2,) array_like
            The top and left of the window as fractions of the image, such as one of
            ``focus.places``.

        Returns
        -------
        Converted
            A new network with as many neurons. It runs wherever this one does.

        Raises
        ------
        nengo.exceptions.ValidationError
            If focus is not a `.Focus`, or the window is not within the image, or neurons cannot
            have the precision.
        """
        check_is(focus, "focus", Focus)
        network = self.copy()
        for name, ensemble in self.layers.items():
            neurons = [self._neurons[name].at_precision(m_f) for m_f in (focus.high, focus.low)]
            shape = self.network.shapes[name]
            if len(shape) < 3:
                network.layers[name].neuron_type = neurons[0]
                continue
            window = np.repeat(focus.window(shape[:2], place).ravel(), shape[2])
            inside = np.tile(window, ensemble.n_neurons // window.size)
            if inside.all() or not inside.any():
                network.layers[name].neuron_type = neurons[0 if inside.all() else 1]
            else:
                focusing.split(network, name, inside, neurons)
        return Converted(self.model, network)

    def verify(self, x: ArrayLike, tolerance: float = 1e-3) -> float:
        """Compare the output of the rate network with that of the model, before a softmax.

        Parameters
        ----------
        x : (n_items, ...) array_like
            Inputs of the model, of which a few are enough.
        tolerance : float
            The largest difference to accept. Keras computes in single precision or, under a mixed
            precision policy, in half precision.

        Returns
        -------
        float
            The largest difference found.

        Raises
        ------
        nengo.exceptions.ValidationError
            If the inputs do not have the model's shape, or tolerance is not greater than 0.
        nengo.exceptions.SimulationError
            If the difference exceeds the tolerance, or an output is not finite.
        """
        if self.model is None:
            raise ValidationError(
                "was loaded from a file, without its Keras model: convert the model again", "model"
            )
        nengo_dl = compat.require("nengo_dl")
        check_positive(tolerance, "tolerance", self)
        x, shape = np.asarray(x), tuple(self.model.input_shape[1:])
        if x.shape[1:] != shape or not len(x):
            raise ValidationError(
                f"has shape {x.shape}, but needs (n_items, {', '.join(map(str, shape))})", "x", self
            )
        network = self.rate_network()
        with network:
            nengo_dl.configure_settings(dtype="float64", stateful=False)
        with nengo_dl.Simulator(network, minibatch_size=len(x), progress_bar=False) as sim:
            seen = sim.predict({network.input: x.reshape(len(x), 1, -1)}, verbose=0)
        expected = keras_graph.logits(self.model, x).reshape(len(x), -1)
        seen = seen[network.output][:, 0]
        for what, values in (("model", expected), ("rate network of the model", seen)):
            if not np.all(np.isfinite(values)):
                raise SimulationError(
                    f"the {what} {self.model.name!r} gives {values[~np.isfinite(values)][0]} for "
                    "some inputs: it has diverged, or the inputs are not finite. Train the model "
                    "again"
                )
        difference = float(np.max(np.abs(seen - expected)))
        if difference > tolerance:
            raise SimulationError(
                f"the rate network of {self.model.name!r} differs from the model by "
                f"{difference:.3g}, more than {tolerance:g}: convert again if the model has "
                "been trained further, and note that neurons of another precision have another "
                f"transfer function{keras_graph.rounding(self.model)}"
            )
        return difference

    def set_precision(self, m_f: float | Mapping[str, float]) -> None:
        """Set m_f, theta_0 and the spike height together, without retraining.

        Existing simulators keep the precision with which they were built.

        Parameters
        ----------
        m_f : float or {str: float}
            The precision of all neurons, or of the named layers. Other layers keep theirs.

        Raises
        ------
        nengo.exceptions.ValidationError
            If a layer does not exist, or its neurons cannot have the precision. Nothing is changed
            then.
        """
        by_layer = m_f if isinstance(m_f, Mapping) else dict.fromkeys(self.layers, m_f)
        unknown = [name for name in by_layer if name not in self.layers]
        if unknown:
            raise ValidationError(
                f"{unknown[0]!r} is not a layer of neurons: choose from {', '.join(self.layers)}",
                attr="m_f",
                obj=self,
            )
        changed = {name: self._neurons[name].at_precision(x) for name, x in by_layer.items()}
        for name, neurons in changed.items():
            self.layers[name].neuron_type = neurons

    def calibrate(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        tolerance: float = 0.005,
        precisions: Sequence[float] = PRECISIONS,
        n_steps: int = 500,
    ) -> Calibration:
        """Set the coarsest precision at which the spikes keep the accuracy on some images.

        First all layers get the same m_f: that of ``precisions`` which is the coarsest that is
        enough. Then one layer after another becomes coarser, as long as that is enough and there
        are fewer spikes in all. In layers of graded spikes, the threshold at rest becomes m_f times
        the scale of the layer's activations: the root mean square of those above 0. Take images
        that are not used for testing.

        Parameters
        ----------
        images : (n_items, ...) array_like
            Inputs of the model.
        labels : (n_items,) or (n_items, n_outputs) array_like
            The class of each image, or predictions, such as those of the model, of which the class
            is the highest.
        tolerance : float
            The accuracy that may be lost, compared with the network without spikes, as a fraction
            of the images.
        precisions : sequence of float
            The values of m_f to try.
        n_steps : int
            The number of steps of 1 ms for which an image is shown. Its class is that at the end.

        Returns
        -------
        Calibration
            The precision by layer, with its accuracy, firing rate and number of spikes, and all
            that was tried.

        Raises
        ------
        nengo.exceptions.ValidationError
            If an argument is not valid, or the network has a single output.
        nengo.exceptions.SimulationError
            If no precision is enough, or an output is not finite. Nothing is changed then.
        """
        x, classes, m_fs = checked(self, images, labels, precisions)
        check_number(tolerance, "tolerance", self, low=0, high=1)
        check_positive_integer(n_steps, "n_steps", self)
        trials = Trials(self, x, classes, n_steps)
        best = trials.coarsest(m_fs, tolerance)
        best = trials.coarser_by_layer(best, m_fs, tolerance)
        self._neurons = trials.neurons(best.m_f)
        for name, neurons in self._neurons.items():
            self.layers[name].neuron_type = neurons
        return Calibration(*best, trials.analog, trials.done)


def _at_scale_of(old, neurons, name):
    """Return the neurons with the amplitude for which f(1) is that of a layer's old neurons."""
    lines = {False: "a half-sigmoid (graded=False)", True: "a rectified line (graded=True)"}
    if old.graded != neurons.graded:
        raise ValidationError(
            f"the activation of layer {name!r} is {lines[old.graded]}, but the mean output of "
            f"{neurons} is {lines[neurons.graded]}: give neurons with graded={old.graded}, or give "
            "none, so that each layer gets those that fit",
            attr="neurons",
        )
    if neurons.theta_0 >= 2 and not neurons.graded:
        raise ValidationError(
            f"cause no spikes at an activation of 1, because theta_0 is {neurons.theta_0:g}: use "
            "one below 2",
            attr="neurons",
        )
    at_one, wanted = (dynamics.adaptive_transfer(np, 1.0, n.transfer) for n in (neurons, old))
    return like(AdaptiveSpiking, neurons, amplitude=neurons.amplitude * wanted / at_one)

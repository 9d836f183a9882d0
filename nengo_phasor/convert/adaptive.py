"""From Keras models to adaptive spiking networks: `to_adaptive`.

NengoDL's Converter is not used: it has no max pooling, keeps batch normalisation as a step of its
own, and sends biases as signals.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import SimulationError, ValidationError
from numpy.typing import ArrayLike

from nengo_phasor import compat, dynamics
from nengo_phasor.checks import check_positive
from nengo_phasor.convert import keras_graph
from nengo_phasor.convert.construction import Construction, like
from nengo_phasor.neurons import AdaptiveSpiking, AdaptiveSpikingRate


def to_adaptive(
    model: Any, neurons: AdaptiveSpikingRate | None = None, readout_tau: float = 0.05
) -> Converted:
    """Turn a trained Keras model into a network of adaptive spiking neurons.

    Each `.HalfSigmoid` layer, and each layer's ``activation=HalfSigmoid()``, becomes an ensemble of
    `.AdaptiveSpiking` neurons. The layers between
    are folded into the connections: convolutions, dense layers, batch normalisation (with Keras'
    epsilon), average pooling, padding, additions. Biases and shifts are gathered in the biases of
    the neurons that they reach. A `.HalfSigmoid` and the max pooling after it change places: the
    neurons come after it, so there are fewer. What only acts in training is left out, and so is the
    softmax at the end. The output is a smoothed sum of spikes, without neurons.

    Parameters
    ----------
    model : tf.keras.Model
        Sequential or functional, with one input of known shape and one output.
    neurons : AdaptiveSpikingRate, optional
        Whose parameters all neurons get, except for the amplitude: f(1) stays as in each
        `.HalfSigmoid`. By default those of each `.HalfSigmoid`.
    readout_tau : float
        Time constant of the output's smoothing, in seconds.

    Returns
    -------
    Converted

    Raises
    ------
    nengo.exceptions.ValidationError
        If the model is no such model, has no `.HalfSigmoid`, or these differ in tau_beta or
        tau_phi; if neurons or readout_tau are not valid.
    nengo.exceptions.BuildError
        If a layer can't be converted; the message names it.

    References
    ----------
    Zambrano et al. (2017), Efficient Computation in Adaptive Artificial Spiking Neural Networks.
    """
    if not isinstance(neurons, AdaptiveSpikingRate | None):
        raise ValidationError(f"must be AdaptiveSpiking neurons, got {neurons!r}", "neurons")
    check_positive(readout_tau, "readout_tau")
    graph = keras_graph.pools_first(keras_graph.read(model))
    layers = {n: s.layer.neurons for n, s in graph.steps.items() if s.kind == "HalfSigmoid"}
    if not layers:
        raise ValidationError(
            f"{model.name!r} has no neurons: {keras_graph.USE_HALF_SIGMOID}", "model"
        )
    spiking = {
        name: like(AdaptiveSpiking, old if neurons is None else _at_scale_of(old, neurons))
        for name, old in layers.items()
    }
    for tau in ("tau_beta", "tau_phi"):
        values = {getattr(x, tau) for x in spiking.values()}
        if len(values) > 1:
            raise ValidationError(
                f"differs between the model's HalfSigmoid layers: {values}; give all the same, or "
                "give neurons",
                attr=tau,
            )
    any_neurons = next(iter(spiking.values()))
    taus = (any_neurons.tau_beta, any_neurons.tau_phi, readout_tau)
    return Converted(model, Construction(model.name, spiking, taus).build(graph))


class Converted:
    """A Keras model's adaptive spiking network, as `to_adaptive` returns it.

    Attributes
    ----------
    model : tf.keras.Model or None
        The model; it is not changed. None where the network was loaded from a file.
    network : nengo.Network
    input : nengo.Node
        Takes flat inputs, of shape (n_items, n_steps, size).
    output : nengo.Probe
        Sees the smoothed output, before softmax.
    layers : {str: nengo.Ensemble}
        The neurons by the names of their `.HalfSigmoid` layers, or of the layers that have one as
        their activation, in order.
    """

    def __init__(self, model: Any, network: nengo.Network):
        self.model = model
        self.network = network
        self.input, self.output = network.input, network.output
        self.layers = network.layers
        self._neurons = {name: ensemble.neuron_type for name, ensemble in self.layers.items()}

    def __repr__(self) -> str:
        """Say which neurons each layer has, and how precise they are."""
        layers = ", ".join(
            f"{name}: {e.n_neurons} of m_f={e.neuron_type.m_f:g}" for name, e in self.layers.items()
        )
        sizes = f"{self.input.size_out} inputs, {self.output.size_in} outputs"
        return f"<Converted {self.network.label!r}: {sizes}; {layers}>"

    def rate_network(self) -> nengo.Network:
        """Return a copy of the network with `.AdaptiveSpikingRate` neurons and without synapses.

        One step gives its output. It has the attributes ``input``, ``output`` and ``layers``, as
        ``network`` has.
        """
        with warnings.catch_warnings():  # Nengo's copy of a relay warns of the size that it has
            warnings.filterwarnings("ignore", "'Node.size_out' is being overwritten")
            network = self.network.copy()
        for ensemble in network.all_ensembles:
            ensemble.neuron_type = like(AdaptiveSpikingRate, ensemble.neuron_type)
        for connection in network.all_connections:
            connection.synapse = None
        return network

    def verify(self, x: ArrayLike, tolerance: float = 1e-3) -> float:
        """Compare the rate network with the model's own prediction, before softmax.

        Parameters
        ----------
        x : (n_items, ...) array_like
            Inputs of the model; a few are enough.
        tolerance : float
            Largest difference to accept. Keras computes in single precision, or, under a policy of
            mixed precision, in half.

        Returns
        -------
        float
            The largest difference.

        Raises
        ------
        nengo.exceptions.ValidationError
            If the inputs are not of the model's shape, or tolerance is not greater than 0.
        nengo.exceptions.SimulationError
            If the difference is larger, or either gives values that are not finite.
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
                f"is of shape {x.shape}; needs (n_items, {', '.join(map(str, shape))})", "x", self
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
                    "some inputs: it has diverged, or the inputs are not finite. Train it anew"
                )
        difference = float(np.max(np.abs(seen - expected)))
        if difference > tolerance:
            raise SimulationError(
                f"the rate network of {self.model.name!r} differs from the model by "
                f"{difference:.3g}, more than {tolerance:g}: convert again if the model was "
                "trained on, and mind that neurons of another precision have another transfer "
                f"function{keras_graph.rounding(self.model)}"
            )
        return difference

    def set_precision(self, m_f: float | Mapping[str, float]) -> None:
        """Set m_f, theta_0 and the spikes' height together, without retraining.

        Simulators that exist already keep the precision that they were built with.

        Parameters
        ----------
        m_f : float or {str: float}
            For all neurons, or by the name of the layer; the others stay as they are.

        Raises
        ------
        nengo.exceptions.ValidationError
            If there is no layer of that name, or the precision is not possible for its neurons.
            Nothing is changed then.
        """
        by_layer = m_f if isinstance(m_f, Mapping) else dict.fromkeys(self.layers, m_f)
        unknown = [name for name in by_layer if name not in self.layers]
        if unknown:
            raise ValidationError(
                f"{unknown[0]!r} is no layer of neurons; there are {', '.join(self.layers)}",
                attr="m_f",
                obj=self,
            )
        changed = {name: self._neurons[name].at_precision(x) for name, x in by_layer.items()}
        for name, neurons in changed.items():
            self.layers[name].neuron_type = neurons


def _at_scale_of(old, neurons):
    """Return the neurons with such an amplitude that f(1) is that of the old ones."""
    if neurons.theta_0 >= 2:
        raise ValidationError(
            f"make no spikes at an activation of 1, theta_0 being {neurons.theta_0:g}; take one "
            "below 2",
            attr="neurons",
        )
    at_one, wanted = (dynamics.adaptive_transfer(np, 1.0, n.transfer) for n in (neurons, old))
    return like(type(neurons), neurons, amplitude=neurons.amplitude * wanted / at_one)

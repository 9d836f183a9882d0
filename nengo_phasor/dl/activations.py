"""Activations for Keras models that will be converted to spiking networks."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_phasor import dynamics, gradients
from nengo_phasor.listing import shows_public_names
from nengo_phasor.neurons import AdaptiveSpiking, AdaptiveSpikingRate
from nengo_phasor.surrogates import SURROGATES

__dir__ = shows_public_names(__name__)

legacy = tf.keras.utils.legacy
"""The legacy format, which is the same in all files and can be nested in that of a layer."""

for _surrogate in SURROGATES:
    tf.keras.utils.register_keras_serializable("nengo_phasor")(_surrogate)


@tf.keras.utils.register_keras_serializable("nengo_phasor")
class HalfSigmoid(tf.keras.layers.Layer):
    """The transfer function of adaptive spiking neurons, as a Keras layer.

    Put it after a dense, convolution, batch normalisation or addition layer, or pass it to a dense
    or convolution layer as ``activation=HalfSigmoid()``. `.convert.to_adaptive` converts it to
    neurons.

    Parameters
    ----------
    neurons : `.AdaptiveSpikingRate`
        The neurons whose transfer function is used. By default these are neurons with default
        parameters: m_f = theta_0 = 0.1, f(1) = 1.
    **kwargs
        The arguments of `tf.keras.layers.Layer`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If neurons are not `.AdaptiveSpikingRate` neurons.

    References
    ----------
    Zambrano et al. (2017), Efficient Computation in Adaptive Artificial Spiking Neural Networks,
    equation (11).
    """

    def __init__(self, neurons: AdaptiveSpikingRate | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.neurons = AdaptiveSpikingRate() if neurons is None else neurons
        if not isinstance(self.neurons, AdaptiveSpikingRate):
            raise ValidationError(
                f"must be AdaptiveSpikingRate, got {neurons!r}; as an activation pass an object, "
                "activation=HalfSigmoid()",
                attr="neurons",
                obj=self,
            )

    def call(self, inputs):
        """Return f(inputs), elementwise."""
        c = self.neurons.transfer

        # What TensorFlow derives by itself takes several times as long.
        @tf.custom_gradient
        def transfer(S):
            def back(by_output):
                return gradients.adaptive_transfer(tf, S, by_output, c)

            return dynamics.adaptive_transfer(tf, S, c), back

        # Half precision has too few digits for the equation's differences.
        precise = inputs if inputs.dtype.size >= 4 else tf.cast(inputs, tf.float32)
        return tf.cast(transfer(precise), inputs.dtype)

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the neurons' parameters, in addition to Keras' own.

        When Keras loads the model, it finds a user's surrogate only if its class is registered with
        `tf.keras.utils.register_keras_serializable`.

        Raises
        ------
        NotImplementedError
            If the neurons are of a subclass, whose other parameters would not be saved.
        """
        if type(self.neurons) not in (AdaptiveSpikingRate, AdaptiveSpiking):
            raise NotImplementedError(
                f"{type(self.neurons).__name__} neurons can't be saved as AdaptiveSpikingRate: "
                "subclass HalfSigmoid with a get_config and a from_config that save them"
            )
        parameters = dict(self.neurons.parameters)
        if parameters["surrogate"] is not None:
            parameters["surrogate"] = legacy.serialize_keras_object(parameters["surrogate"])
        return {**super().get_config(), "neurons": parameters}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> HalfSigmoid:
        """Return the layer with the configuration that `get_config` returned."""
        config = dict(config)
        parameters = dict(config.pop("neurons"))
        if parameters.get("surrogate") is not None:
            parameters["surrogate"] = legacy.deserialize_keras_object(parameters["surrogate"])
        return cls(AdaptiveSpikingRate(**parameters), **config)

"""Activations for Keras models that are to become spiking networks."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from nengo_phasor import dynamics
from nengo_phasor.neurons import AdaptiveSpikingRate


@tf.keras.utils.register_keras_serializable("nengo_phasor")
class HalfSigmoid(tf.keras.layers.Layer):
    """The transfer function of adaptive spiking neurons, as a Keras layer.

    Put it behind a dense, convolution, batch normalisation or addition layer, with
    ``activation=None`` there; `.convert.to_adaptive` turns it into neurons.

    Parameters
    ----------
    neurons : `.AdaptiveSpikingRate`
        Whose transfer function. By default the type's defaults: m_f = theta_0 = 0.1, f(1) = 1.
    **kwargs
        Of `tf.keras.layers.Layer`.

    References
    ----------
    Zambrano et al. (2017), Efficient Computation in Adaptive Artificial Spiking Neural Networks,
    equation (11).
    """

    def __init__(self, neurons: AdaptiveSpikingRate | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.neurons = AdaptiveSpikingRate() if neurons is None else neurons

    def call(self, inputs):
        """Return f(inputs), elementwise."""
        return dynamics.adaptive_transfer(tf, inputs, self.neurons.transfer)

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the neurons' parameters beside Keras' own."""
        return {**super().get_config(), "neurons": self.neurons.parameters}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> HalfSigmoid:
        """Return the layer of a configuration that `get_config` gave."""
        config = dict(config)
        return cls(AdaptiveSpikingRate(**config.pop("neurons")), **config)

"""Keras layers for training. Importing this module imports TensorFlow."""

from __future__ import annotations

import tensorflow as tf

from nengo_phasor.neurons import AdaptiveSpikingRate

TINY = 1e-3
"""Activations below have no spikes, and count as this one."""


class Chance(tf.keras.layers.Layer):
    """Base class of layers whose random numbers depend on a seed and a counter only.

    The counter is among the model's variables, so a checkpoint of the variables is enough to
    continue with the same numbers. Such layers act only in training: build the model without them
    for `nengo_phasor.convert.to_adaptive`.
    """

    seed: int

    def build(self, input_shape):
        """Create the counter."""
        self.calls = self.add_weight(
            name="calls", shape=(), dtype=tf.int32, initializer="zeros", trainable=False
        )
        super().build(input_shape)

    def next_seed(self):
        """Return another seed each time."""
        return tf.stack([tf.constant(self.seed), self.calls.assign_add(1)])


class Dropout(Chance, tf.keras.layers.Dropout):
    """Dropout."""

    def call(self, inputs, training=None):
        """Drop some inputs in training, for which Keras sets ``training``."""
        if not training:
            return inputs
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, self.next_seed())


class CodeNoise(Chance):
    """The deviation of spikes from the activation that they stand for: up to half a threshold.

    The response Shat to a neuron's own spikes stays within half a threshold of the activation S
    (Zambrano et al. 2017, equation 6), anywhere in between, at any time. Spikes come at intervals
    of T = tau_eta theta/S and raise the threshold to theta = theta_0 + m_f theta/(exp(T/tau_gamma)
    - 1); the layer takes theta_0 for theta on the right. A network that is trained with this noise
    needs less precision.

    Parameters
    ----------
    neurons : AdaptiveSpikingRate
        The neurons whose thresholds are used.
    seed : int
        The seed.
    """

    def __init__(self, neurons: AdaptiveSpikingRate, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.neurons, self.seed = neurons, seed

    def call(self, inputs, training=None):
        """Add noise to the activations above 0 in training."""
        if not training:
            return inputs
        n = self.neurons
        intervals = n.tau_eta * n.theta_0 / tf.maximum(inputs, TINY)
        threshold = n.theta_0 * (1.0 + n.m_f / tf.math.expm1(intervals / n.tau_gamma))
        shape = tf.shape(inputs)
        part = tf.random.stateless_uniform(shape, self.next_seed(), -0.5, 0.5, inputs.dtype)
        return inputs + tf.stop_gradient(tf.where(inputs > 0, part * threshold, 0.0))

"""A Keras layer for training. Importing this module imports TensorFlow."""

from __future__ import annotations

import tensorflow as tf


class Dropout(tf.keras.layers.Dropout):
    """Dropout that depends on the seed and a counter among the model's variables only.

    So a checkpoint of the variables is enough to continue with the same choices. Build the model
    without it for `nengo_phasor.convert.to_adaptive`.
    """

    def build(self, input_shape):
        """Create the counter."""
        self.calls = self.add_weight(
            name="calls", shape=(), dtype=tf.int32, initializer="zeros", trainable=False
        )
        super().build(input_shape)

    def call(self, inputs, training=None):
        """Drop some inputs in training, for which Keras sets ``training``."""
        if not training:
            return inputs
        seed = tf.stack([tf.constant(self.seed), self.calls.assign_add(1)])
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed)

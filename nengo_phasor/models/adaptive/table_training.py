"""Training for rows of features. Importing this module imports TensorFlow.

The data sets are so small that an epoch is one batch, and all folds are trained with one compiled
graph.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from nengo_phasor import datasets
from nengo_phasor.models.adaptive.tables import VALIDATION, Table, keras_model


class Trainer:
    """Trains the network of a table repeatedly, with all samples in one batch and one graph."""

    def __init__(self, table: Table, features: int):
        self.table, self.features = table, features
        self.model = keras_model(table, features)
        self.optimizer = tf.keras.optimizers.Adam(
            table.learning_rate, weight_decay=table.weight_decay or None
        )
        self.optimizer.build(self.model.trainable_variables)
        self.at_start = [variable.numpy() for variable in self.optimizer.variables]
        self.loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        part = (tf.TensorSpec((None, features)), tf.TensorSpec((None,), tf.int64))
        self.epoch = tf.function(self._epoch, input_signature=(*part, *part))

    def _epoch(self, x, y, x_validation, y_validation):
        """Train one step on all samples; return the loss on them, then on validation samples."""
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.loss(y, self.model(x, training=True))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss, self.loss(y_validation, self.model(x_validation, training=False))

    def train(self, x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
        """Train; the model keeps the weights of the epoch with the lowest validation loss.

        The loss distinguishes epochs that are equally accurate on the few validation samples.

        Returns
        -------
        (epochs, 2) ndarray
            Losses: training and validation.
        """
        tf.keras.utils.set_random_seed(seed)
        best = keras_model(self.table, self.features).get_weights()
        self.model.set_weights(best)
        for variable, value in zip(self.optimizer.variables, self.at_start, strict=True):
            variable.assign(value)
        parts = [tf.constant(part) for part in datasets.split(x, y, VALIDATION, seed)]
        history = np.full((self.table.epochs, 2), np.inf)
        for k in range(self.table.epochs):
            history[k] = [float(loss) for loss in self.epoch(*parts)]
            if history[k, 1] <= history[: k + 1, 1].min():
                best = self.model.get_weights()
        self.model.set_weights(best)
        return history

"""Rows of features, Iris and Sonar: data sets, the analog network, the folds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nengo.exceptions import ValidationError

from nengo_phasor import compat, datasets, models

VALIDATION = 0.2
"""The fraction of the samples not held out that chooses the epoch."""


@dataclass(frozen=True)
class Table:
    """A data set of features, the hidden layers of its network, and its training."""

    name: str
    hidden: tuple[int, ...]
    epochs: int
    learning_rate: float
    weight_decay: float = 0.0

    @property
    def params(self) -> Path:
        """Committed weights."""
        return models.PARAMS / f"adaptive_{self.name}.npz"

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return len(datasets.DATASETS[self.name].classes)


TABLES = {
    "iris": Table("iris", hidden=(32,), epochs=300, learning_rate=0.01),
    "sonar": Table("sonar", hidden=(64,), epochs=150, learning_rate=0.03, weight_decay=0.01),
}
"""The sizes of the paper's hidden layers are lost."""


def keras_model(table: Table, features: int):
    """Return the analog network: features in, logits out.

    Batch normalisation and the transfer function follow every hidden layer and the features
    themselves, which start a standard deviation above zero so that little of them is cut off.
    """
    import tensorflow as tf

    from nengo_phasor.dl.activations import HalfSigmoid

    layers = tf.keras.layers

    def activate(x, name, **options):
        norm = layers.BatchNormalization(momentum=0.9, scale=False, name=f"{name}_norm", **options)
        return HalfSigmoid(name=name)(norm(x))

    row = layers.Input((features,), name="row")
    x = activate(row, "features", beta_initializer="ones")
    for k, units in enumerate(table.hidden):
        x = layers.Dense(units, use_bias=False, name=f"dense{k + 1}_weights")(x)
        x = activate(x, f"dense{k + 1}")
    return tf.keras.Model(row, layers.Dense(table.classes, name="classes")(x))


def folds(y: np.ndarray, n_folds: int, seed: int) -> list[np.ndarray]:
    """Return the indices of stratified folds, whose sizes in each class differ by at most one.

    Raises
    ------
    nengo.exceptions.ValidationError
        If a class has fewer samples than there are folds, or there are fewer than 2 folds.
    """
    fewest = int(np.bincount(y).min())
    if not 2 <= n_folds <= fewest:
        raise ValidationError(
            f"must be between 2 and {fewest}, the size of the smallest class; got {n_folds}",
            "folds",
        )
    splitter = compat.require("sklearn.model_selection").StratifiedKFold(
        n_folds, shuffle=True, random_state=seed
    )
    return [held_out for _, held_out in splitter.split(y, y)]

"""Digits and garments: the paper's network for MNIST, a small network, and their training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nengo_phasor import datasets, models
from nengo_phasor.arousal import Arousal
from nengo_phasor.models.adaptive.data import Augmentation, Parts
from nengo_phasor.models.adaptive.recipe import Recipe
from nengo_phasor.models.adaptive.stack import Layout, keras_model

DATA_SETS = {"mnist": datasets.mnist, "fashion": datasets.fashion_mnist}
CLASSES = {
    "mnist": datasets.DATASETS["mnist"].classes,
    "fashion": datasets.DATASETS["fashion_mnist"].classes,
}
VALIDATION = 1 / 6
"""The fraction of the training set that chooses the epoch: 10,000 images."""

PARAMS = {name: models.PARAMS / f"adaptive_digits_{name}.npz" for name in DATA_SETS}
"""Committed weights of the small network."""

SPIKING = {
    "accuracy lost in the conversion to spikes": ("<= 0.1", "0, Table 1"),
    "firing rate": ("<= 67", "67 Hz, Table 1"),
    "matching time": ("<= 0.291", "291 ms, Table 1"),
    "low firing rate": ("<= 10", "10 Hz, Table 1"),
    "accuracy lost with arousal": ("<= 0.1", "0, Figure 3c"),
    "firing rate with arousal, relative to without": ("<= 0.55", "about 0.5, Figure 3c"),
}
BOUNDS = {
    "mnist": {
        "analog accuracy": (">= 0.993", "0.9956, Table 1"),
        "accuracy at a low firing rate": (">= 0.991", "0.9912, Table 1"),
        **SPIKING,
    },
    "fashion": {
        "accuracy lost at a low firing rate": ("<= 0.44", "0.44, MNIST, Table 1"),
        **SPIKING,
    },
}
"""The targets for each data set, and the paper's numbers on MNIST."""

PRECISIONS = {"mnist": (0.1, 0.2, 0.3, 0.6, 0.8), "fashion": (0.04, 0.08, 0.125, 0.2, 0.3)}
"""The values of m_f to try. Garments are harder to distinguish, and need finer coding."""

LAYOUTS = {
    "small": Layout(((16,), (32, 32)), (64,)),
    "paper": Layout(((64,), (128, 128)), (256, 50)),
}
IMAGES = {"small": None, "paper": 2000}
TRIALS = {"small": 1000, "paper": 500}
"""The numbers of random test and validation images to show, or None for all. The large network
is slow."""

AROUSAL = ("wait", "duration", "threshold")
"""The fields of an arousal besides its two precisions."""

_DIGITS = Recipe(
    epochs=20,
    learning_rate=3e-3,
    smoothing=0.05,
    activity=0.3,
    augmentation=Augmentation(shift=2, angle=10, zoom=0.1),
)
_CLOTHES = replace(_DIGITS, activity=2.0, augmentation=Augmentation(shift=2, zoom=0.1, flip=True))
RECIPES = {
    ("mnist", "small"): _DIGITS,
    ("mnist", "paper"): replace(_DIGITS, epochs=8),
    ("fashion", "small"): _CLOTHES,
    ("fashion", "paper"): replace(_CLOTHES, epochs=8),
}
"""The recipe of each network, by data set and layout."""


def recipe(name: str, layout: str, epochs: int | None = None) -> Recipe:
    """Return the recipe of a network, with another number of ``epochs`` if given."""
    usual = RECIPES[name, layout]
    return usual if epochs is None else replace(usual, epochs=epochs)


def load_parts(name: str, data: Path | None, seed: int) -> tuple[datasets.Dataset, Parts]:
    """Return the data set and the parts of its training set."""
    loaded = DATA_SETS[name](data)
    return loaded, Parts(*datasets.split(loaded.x_train, loaded.y_train, VALIDATION, seed))


def committed(name: str) -> tuple[Any, np.ndarray, Arousal]:
    """Return the small network of a data set with its committed weights.

    Returns
    -------
    model : tf.keras.Model
    images : (10, 28, 28) uint8 ndarray
        A test image of each class.
    how : nengo_phasor.arousal.Arousal
        The arousal that was fitted on validation images for the figures in ``results``.
    """
    from nengo_phasor.models.adaptive import training

    model = keras_model(LAYOUTS["small"])
    others = training.load_weights(PARAMS[name], model)
    return model, others["images"], Arousal(*others["arousal"].tolist())


def fitted(found: Mapping[str, Any]) -> np.ndarray:
    """Return the arousal with which a network was measured, as `committed` reads it: (5,)."""
    precisions = found["low"]["m_f"], found["precise"]["m_f"]
    return np.array([*precisions, *(found["aroused"][key] for key in AROUSAL)])

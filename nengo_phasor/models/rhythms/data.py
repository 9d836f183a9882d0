"""FashionMNIST, cut down as a command asks for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nengo_phasor import datasets

HELD_OUT = 10_000
"""Number of training images that recipes are chosen on."""


def garments(folder=None, images: int | None = None, validate: bool = False) -> datasets.Dataset:
    """Return FashionMNIST, with only so many images to score.

    Parameters
    ----------
    folder : path, optional
        Where its files are; see `nengo_phasor.datasets.fashion_mnist`.
    images : int, optional
        The number of test images; all by default.
    validate : bool
        Hold out the last `HELD_OUT` training images, which take the test images' place.
    """
    loaded = datasets.fashion_mnist(folder)
    if validate:
        loaded = replace(
            loaded,
            x_train=loaded.x_train[:-HELD_OUT],
            y_train=loaded.y_train[:-HELD_OUT],
            x_test=loaded.x_train[-HELD_OUT:],
            y_test=loaded.y_train[-HELD_OUT:],
        )
    return replace(loaded, x_test=loaded.x_test[:images], y_test=loaded.y_test[:images])


def one_of_each(data: datasets.Dataset) -> np.ndarray:
    """Return the first test image of each class, (n_classes, 28, 28) of bytes."""
    firsts = [np.flatnonzero(data.y_test == label)[0] for label in range(len(data.classes))]
    return data.x_test[firsts]

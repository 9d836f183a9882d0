"""FashionMNIST, reduced to the images that a command asks for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nengo_phasor import datasets

HELD_OUT = 10_000
"""The number of training images on which recipes are chosen."""


def garments(folder=None, images: int | None = None, validate: bool = False) -> datasets.Dataset:
    """Return FashionMNIST with a given number of images to score.

    Parameters
    ----------
    folder : path, optional
        The folder with its files; see `nengo_phasor.datasets.fashion_mnist`.
    images : int, optional
        The number of test images; all by default.
    validate : bool
        Whether to replace the test images by the last `HELD_OUT` training images, held out.
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
    """Return the first test image of each class as bytes, of shape (n_classes, 28, 28)."""
    firsts = [np.flatnonzero(data.y_test == label)[0] for label in range(len(data.classes))]
    return data.x_test[firsts]

"""Garments anywhere in an image of four times their size, among fragments of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nengo_phasor import datasets
from nengo_phasor.models.adaptive.data import Parts
from nengo_phasor.models.adaptive.recipe import Recipe
from nengo_phasor.models.adaptive.stack import Layout, keras_model

SIZE = 56
"""The height and width of an image; a garment has 28."""

FRAGMENTS, FRAGMENT = 8, 9
"""The number of fragments in an image, and their height and width."""

VALIDATION = 1 / 6
"""The fraction of the training set that chooses the epoch and the precisions."""

EPOCHS = 10

LAYOUT = Layout(((16,), (32,), (32, 32)), (64,))


def model(seed: int = 0):
    """Return the analog network."""
    return keras_model(LAYOUT, seed, shape=(SIZE, SIZE, 1))


def recipe(epochs: int) -> Recipe:
    """Return how the network is trained. The images have been moved already."""
    return Recipe(epochs, learning_rate=3e-3, smoothing=0.05, activity=0.3)


def off_centre(garments: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return images with a garment at a random place, and fragments of other garments around it.

    Parameters
    ----------
    garments : (n, 28, 28) uint8 ndarray
        The garments.
    rng : numpy.random.RandomState
        The random numbers for places and fragments.

    Returns
    -------
    (n, SIZE, SIZE) uint8 ndarray
    """
    n, size = garments.shape[:2]
    images = np.zeros((n, SIZE, SIZE), np.uint8)
    for _ in range(FRAGMENTS):
        others = garments[rng.permutation(n)]
        _paste(images, _cut(others, rng.randint(0, size - FRAGMENT + 1, (2, n))), rng)
    _paste(images, garments, rng)
    return images


def _cut(images: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return a fragment of each image, given the tops and lefts, (2, n)."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (FRAGMENT, FRAGMENT), axis=(1, 2))
    return windows[np.arange(len(images)), corners[0], corners[1]]


def _paste(images: np.ndarray, parts: np.ndarray, rng: np.random.RandomState) -> None:
    """Put a part into each image, at a random place."""
    n, size = parts.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(
        images, (size, size), axis=(1, 2), writeable=True
    )
    top, left = rng.randint(0, SIZE - size + 1, (2, n))
    windows[np.arange(n), top, left] = parts


def load_parts(data: Path | None, seed: int) -> tuple[datasets.Dataset, Parts]:
    """Return the data set, and the parts of its training set, with garments off the centre."""
    loaded = datasets.fashion_mnist(data)
    rng = np.random.RandomState(seed)
    x_train, x_test = (off_centre(x, rng) for x in (loaded.x_train, loaded.x_test))
    moved = datasets.Dataset(
        loaded.name, x_train, loaded.y_train, x_test, loaded.y_test, loaded.classes
    )
    return moved, Parts(*datasets.split(x_train, loaded.y_train, VALIDATION, seed))

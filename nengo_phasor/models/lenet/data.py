"""Images as currents: a part of a data set, its validation images, and a channel for biases."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nengo_phasor import datasets

BIAS_CHANNEL = 0.2
"""The value of the images' last channel, for biases.

Under gradient descent, its 25 weights change a bias as fast as one weight from an input of 1 would;
under Adam, five times as fast. With a channel of ones, 25 times as fast, they silence whole maps.
"""


class Parts(NamedTuple):
    """Images as currents, (n, height, width, channels), and their classes."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def load(
    name: str,
    folder: str | os.PathLike | None,
    images: int,
    prepared: Callable[[np.ndarray], np.ndarray],
) -> Parts:
    """Return a data set: a random part of the training images, a fifth of it for validation.

    Remaining images validate as well, up to as many as there are to train with, so that 1 % of
    accuracy corresponds to more than a few images. The choice does not depend on a run's seed.
    Channels are scaled to mean 0 and standard deviation 1; ``prepared``, such as
    `with_bias_channel`, changes them further.
    """
    loaded = datasets.load(name, folder)
    order = np.random.RandomState(0).permutation(len(loaded.x_train))
    chosen = order[:images]
    x_train, y_train, x_validation, y_validation = datasets.split(
        loaded.x_train[chosen], loaded.y_train[chosen], 0.2, 0
    )
    others = order[images : images + len(x_train)]
    x_validation = np.concatenate([x_validation, loaded.x_train[others]])
    y_validation = np.concatenate([y_validation, loaded.y_train[others]])
    pixels = [
        np.reshape(x, (*x.shape[:3], -1)).astype(np.float32) / 255
        for x in (x_train, x_validation, loaded.x_test)
    ]
    mean, scale = (f(pixels[0], axis=(0, 1, 2)) for f in (np.mean, np.std))
    train, validation, test = (prepared((x - mean) / scale) for x in pixels)
    return Parts(train, y_train, validation, y_validation, test, loaded.y_test)


def with_bias_channel(images: np.ndarray) -> np.ndarray:
    """Return images with one more channel of value `BIAS_CHANNEL`.

    Its weights correspond to the biases of a convolution's maps in other frameworks, so training
    learns the biases.
    """
    return np.concatenate([images, np.full_like(images[..., :1], BIAS_CHANNEL)], axis=-1)

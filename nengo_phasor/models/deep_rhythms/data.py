"""Images as phases, and their random changes in training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nengo_phasor import datasets

HELD_OUT = 10_000
"""The number of training images on which designs are chosen."""


def images(
    name: str, folder=None, n_test: int | None = None, validate: bool = False
) -> datasets.Dataset:
    """Return a data set whose images have the shape (n, height, width, channels).

    Parameters
    ----------
    name : str
        "fashion_mnist" or "cifar10".
    folder : path, optional
        The folder with its files; see `nengo_phasor.datasets.load`.
    n_test : int, optional
        The number of test images; all by default.
    validate : bool
        Whether to replace the test images by the last `HELD_OUT` training images, held out.
    """
    data = datasets.load(name, folder)
    if validate:
        data = replace(
            data,
            x_train=data.x_train[:-HELD_OUT],
            y_train=data.y_train[:-HELD_OUT],
            x_test=data.x_train[-HELD_OUT:],
            y_test=data.y_train[-HELD_OUT:],
        )
    return replace(
        data,
        x_train=_with_channels(data.x_train),
        x_test=_with_channels(data.x_test[:n_test]),
        y_test=data.y_test[:n_test],
    )


def _with_channels(x: np.ndarray) -> np.ndarray:
    return x.reshape(*x.shape[:3], -1)


def encode(pixels: np.ndarray) -> np.ndarray:
    """Return the phases of images of bytes, (n, n_inputs): black is -1/4, white is 1/4."""
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    return (flat / 255 - 0.5) / 2


def changed(images: np.ndarray, rng: np.random.RandomState, shift: int, mirror: bool) -> np.ndarray:
    """Return images moved by up to ``shift`` pixels and, with ``mirror``, half of them mirrored.

    What moves in at a border repeats the border.
    """
    n, height, width = images.shape[:3]
    around = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, (height, width), axis=(1, 2))
    top, left = rng.randint(0, 2 * shift + 1, (2, n))
    moved = windows[np.arange(n), top, left].transpose(0, 2, 3, 1)
    mirrored = mirror & (rng.rand(n) < 0.5)
    return np.where(mirrored[:, None, None, None], moved[:, :, ::-1], moved)

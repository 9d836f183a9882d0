"""The order and the random changes of training images, the same for the same seed and epoch."""

from __future__ import annotations

import numpy as np


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of ``n`` training images in an epoch, counted from 0."""
    return np.random.RandomState((seed, epoch)).permutation(n)


def mirrored_and_shifted(images: np.ndarray, rng: np.random.RandomState, shift: int) -> np.ndarray:
    """Return images moved by up to ``shift`` pixels, half of them mirrored left to right.

    What moves in at a border is the mirror image of what is inside it.
    """
    n, height, width = images.shape[:3]
    around = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(around, (height, width), axis=(1, 2))
    top, left = rng.randint(0, 2 * shift + 1, (2, n))
    moved = windows[np.arange(n), top, left].transpose(0, 2, 3, 1)
    mirrored = rng.rand(n) < 0.5
    return np.where(mirrored[:, None, None, None], moved[:, :, ::-1], moved)

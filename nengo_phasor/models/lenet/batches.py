"""The order and the random changes of training images, the same for the same seed and epoch."""

from __future__ import annotations

import numpy as np


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of ``n`` training images in an epoch, counted from 0."""
    return np.random.RandomState((seed, epoch)).permutation(n)

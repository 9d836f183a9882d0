"""Random movements of training images by whole pixels, which cost little."""

from __future__ import annotations

from typing import Literal

import numpy as np


def mirrored_and_shifted(
    images: np.ndarray,
    rng: np.random.RandomState,
    shift: int,
    mirror: bool = True,
    beyond: Literal["reflect", "constant"] = "reflect",
) -> np.ndarray:
    """Return images moved by up to ``shift`` pixels; with ``mirror``, half of them are mirrored.

    They are mirrored left to right. ``beyond`` is what moves in at a border, as in `numpy.pad`: by
    default the mirror image of what is inside it, and zeros for "constant".
    """
    n, height, width = images.shape[:3]
    around = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode=beyond)
    windows = np.lib.stride_tricks.sliding_window_view(around, (height, width), axis=(1, 2))
    top, left = rng.randint(0, 2 * shift + 1, (2, n))
    moved = windows[np.arange(n), top, left].transpose(0, 2, 3, 1)
    mirrored = mirror & (rng.rand(n) < 0.5)
    return np.where(mirrored[:, None, None, None], moved[:, :, ::-1], moved)

"""Images and features as the networks receive them: split, in single precision, augmented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nengo_phasor.models.shared.augmentation import mirrored_and_shifted


class Parts(NamedTuple):
    """The parts of a training set: one to learn from, and one to choose the epoch."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray


def subset(x: np.ndarray, y: np.ndarray, n: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return samples in random order, n of them or all if None; the order does not depend on n."""
    chosen = np.random.RandomState(seed).permutation(len(x))[:n]
    return x[chosen], y[chosen]


def pixels(x: np.ndarray) -> np.ndarray:
    """Return a model's input in single precision: bytes become values in [0, 1], with channels."""
    if x.dtype != np.uint8:
        return x.astype(np.float32)
    x = x.astype(np.float32) / 255
    return x if x.ndim == 4 else x[..., None]


@dataclass(frozen=True)
class Augmentation:
    """The limits of random movements of images, which are uniform in either direction.

    ``shift`` is in pixels, ``angle`` in degrees, ``zoom`` a fraction; ``flip`` mirrors half of the
    images left to right.
    """

    shift: float = 0.0
    angle: float = 0.0
    zoom: float = 0.0
    flip: bool = False


def augment(images: np.ndarray, how: Augmentation, rng: np.random.RandomState) -> np.ndarray:
    """Return images, (n, height, width, channels), each moved independently.

    Values between pixels are interpolated linearly; beyond the border they are zero. Images that
    are neither turned nor zoomed are shifted by whole pixels, which takes a hundredth of the time.
    """
    if not (how.angle or how.zoom):
        return mirrored_and_shifted(images, rng, int(how.shift), how.flip, "constant")
    from scipy import ndimage

    n, *size, channels = images.shape
    angle = np.deg2rad(rng.uniform(-how.angle, how.angle, n))
    scale = 1 + rng.uniform(-how.zoom, how.zoom, n)
    shift = rng.uniform(-how.shift, how.shift, (2, n)).T
    mirror = np.where(how.flip & (rng.uniform(size=n) < 0.5), -1, 1)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    turn = np.array([[cos, -sin], [mirror * sin, mirror * cos]]).transpose(2, 0, 1)
    middle = (np.array(size) - 1) / 2
    origin = middle + shift - turn @ middle
    moved = np.empty_like(images)
    for k, channel in np.ndindex(n, channels):
        moved[k, ..., channel] = ndimage.affine_transform(
            images[k, ..., channel], turn[k], origin[k], order=1, mode="grid-constant"
        )
    return moved

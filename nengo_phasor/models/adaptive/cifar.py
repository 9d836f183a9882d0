"""Small photographs: the paper's networks for CIFAR-10 and CIFAR-100, and their training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from nengo_phasor import datasets, models
from nengo_phasor.models.adaptive.data import Augmentation, Parts
from nengo_phasor.models.adaptive.recipe import Recipe
from nengo_phasor.models.adaptive.stack import Layout, keras_model
from nengo_phasor.models.shared.policy import HALF

SHAPE = (32, 32, 3)
STACKS = {
    "cifar10": Layout(((64, 64), (128, 128), (256,) * 3, (512,) * 3), (512,)),
    "cifar100": Layout(((64, 64), (128, 128), (256,) * 3, (1024,) * 3), (1024,)),
}
"""The paper's networks, at full width."""

MAP_DROPOUT, DROPOUT = 0.2, 0.5
"""Dropout rates at full width: of convolutions without pooling, and of the dense layer's input. The
paper's own are lost. A narrower network overfits less, so the rates scale with its width."""

VALIDATION = 0.1
"""The fraction of the training set that chooses the epoch and the precision."""

PRECISIONS = (0.08, 0.12, 0.2, 0.3, 0.45)
"""The m_f to choose from."""

LOW_RATE = 22.0
"""The firing rate that counts as low, in Hz: the paper's for CIFAR-10 with few spikes."""

_SPIKING = {
    "accuracy difference between spiking and analog network": ("<= 0.2", "0, Table 1"),
    "firing rate": ("<= 68", "68 Hz, Table 1"),
    "matching time": ("<= 0.35", ""),
    "accuracy lost with arousal": ("<= 0.2", "0, Figure 3c"),
    "firing rate with arousal, relative to without": ("<= 0.55", "about 0.5, Figure 3c"),
}
BOUNDS = {
    "cifar10": {
        "analog accuracy": (">= 0.899", "0.8986, Table 1"),
        **_SPIKING,
        "accuracy lost at a low firing rate": ("<= 0.44", "0.44, MNIST, Table 1"),
        "low firing rate": (f"<= {LOW_RATE:g}", ""),
    },
    "cifar100": {"analog accuracy": (">= 0.643", "0.6421, Table 1"), **_SPIKING},
}
"""The targets for each data set, and the paper's numbers."""

PARAMS = models.PARAMS / "adaptive_cifar10.npz"
"""Committed weights of a narrow network."""


def layout(name: str, width: float) -> Layout:
    """Return a data set's network at a fraction of its width, with at least one map per layer."""

    def narrowed(sizes):
        return tuple(max(1, round(width * size)) for size in sizes)

    stack = STACKS[name]
    return Layout(tuple(map(narrowed, stack.convolutions)), narrowed(stack.dense))


def ycbcr(images: np.ndarray) -> np.ndarray:
    """Return images (bytes) as luminance and two colour differences, in [-1, 1].

    Grey has no colour difference, so the zeros that augmentation puts beyond the border are
    mid-grey. The weights are those of JPEG (ITU-R BT.601).
    """
    red, green, blue = np.array([0.299, 0.587, 0.114], np.float32)
    r, g, b = np.moveaxis(images.astype(np.float32) / 255, -1, 0)
    luminance = red * r + green * g + blue * b
    differences = (b - luminance) / (1 - blue), (r - luminance) / (1 - red)
    return np.stack([2 * luminance - 1, *differences], axis=-1)


def model_of(name: str, width: float, seed: int = 0, dropout: bool = False):
    """Return the analog network, with dropout for training."""
    rate = width if dropout else 0.0
    layers = layout(name, width)
    classes = len(datasets.DATASETS[name].classes)
    return keras_model(layers, seed, rate * DROPOUT, rate * MAP_DROPOUT, SHAPE, classes)


def recipe(epochs: int) -> Recipe:
    """Return the recipe with which the networks are trained."""
    moved = Augmentation(shift=4, flip=True)
    return Recipe(epochs, learning_rate=4e-3, activity=0.3, augmentation=moved, policy=HALF)


def load_parts(name: str, data: Path | None, seed: int) -> tuple[datasets.Dataset, Parts]:
    """Return the data set and the parts of its training set, as `ycbcr` returns images."""
    loaded = datasets.load(name, data)
    loaded = replace(loaded, x_train=ycbcr(loaded.x_train), x_test=ycbcr(loaded.x_test))
    return loaded, Parts(*datasets.split(loaded.x_train, loaded.y_train, VALIDATION, seed))

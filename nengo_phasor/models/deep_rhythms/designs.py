"""The networks that are compared, a row each: what is built, how it is trained, what is expected.

A further network is a further row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from nengo_phasor.models.deep_rhythms.network import Block, attention, conv, dense, residual


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: ``batches`` batches of ``batch_size`` images.

    ``pull`` weights the distance of each hidden layer's phases from the reference in the loss, so
    that the layer's mean field is near the reference: its rhythm unit can then take the place of
    the clock. In deep networks it is smaller, because time steps do not resolve the smallest
    phases. Images are changed at random as `.data.changed` does, with ``shift`` and ``mirror``.
    """

    batches: int
    learning_rate: float = 1e-3
    pull: float = 0.2
    shift: int = 0
    mirror: bool = False
    batch_size: int = 128
    optimizer: str = "Adam"
    decay: bool = True


@dataclass(frozen=True)
class Design:
    """A network.

    Attributes
    ----------
    data : str
        The name of the data set.
    blocks : sequence of callable
        The blocks of the chain; see `.network.classifier`.
    recipe : Recipe
        How it is trained.
    cycles : int
        The number of cycles after which the spiking network is decoded. The more layers, the more
        cycles pass until the last has settled.
    window : float
        The strength of the rhythm with which the claims are measured.
    accuracy : float or None
        The accuracy that was promised, in spikes, or None for a control.
    title : str
        The network in words.
    """

    data: str
    blocks: Sequence[Block]
    recipe: Recipe
    cycles: int
    window: float
    accuracy: float | None
    title: str


FASHION_EPOCH, CIFAR_EPOCH = 60_000 // 128, 50_000 // 128
"""Batches in an epoch."""

N_BLOCKS = 12


STRENGTHS: Mapping[str, Sequence[float]] = {
    "arc, by the clock": (0.03, 0.06, 0.12),
    "window around the unit": (0.0, 0.03, 0.06, 0.12),
    "difference from the mean field": (0.03, 0.06, 0.12),
    "reactive inhibition, by the clock": (0.3, 0.6),
    "random, by the clock": (0.1, 0.3),
}
"""The strengths of each of `.organic.RULES` that are compared."""


def _residual(join: str | None, accuracy: float | None, epochs: int, title: str) -> Design:
    """Return a deep design: each of its layers smooths over five cycles what arrives late."""
    return Design(
        "fashion_mnist",
        [dense(128), *[residual(128, join)] * N_BLOCKS],
        Recipe(epochs * FASHION_EPOCH, pull=0.005),
        cycles=80,
        window=0.1,
        accuracy=accuracy,
        title=f"{N_BLOCKS} residual blocks, {title}",
    )


DESIGNS = {
    "convolutional": Design(
        "fashion_mnist",
        [conv(32, 3, 2), conv(64, 3, 2)],
        Recipe(5 * FASHION_EPOCH),
        cycles=12,
        window=0.1,
        accuracy=0.91,
        title="convolutional",
    ),
    "bundling": _residual("bundling", 0.885, 3, "bundling"),
    "binding": _residual("binding", 0.885, 2, "binding"),
    "no_skips": _residual(None, None, 2, "without skips"),
    "attention": Design(
        "fashion_mnist",
        [attention(64, beta=3.0)],
        Recipe(4 * FASHION_EPOCH),
        cycles=12,
        window=0.1,
        accuracy=0.895,
        title="attention between rows",
    ),
    "cifar10": Design(
        "cifar10",
        [conv(48, 3, 2), conv(96, 3, 2)],
        Recipe(8 * 2 * CIFAR_EPOCH, batch_size=64, mirror=True),
        cycles=12,
        window=0.1,
        accuracy=0.76,
        title="convolutional, CIFAR-10",
    ),
}


def settings(design: Design) -> dict:
    """Return what the results of a design depend on, besides its blocks, for JSON."""
    known = {name: value for name, value in vars(design).items() if name != "blocks"}
    return {**known, "recipe": asdict(design.recipe)}

"""Runs of the networks for the ResNet: train, convert to spikes, measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nengo_phasor import datasets
from nengo_phasor.models.adaptive import measure, resnet, runs
from nengo_phasor.models.adaptive.data import Parts, pixels, subset
from nengo_phasor.models.adaptive.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Choice(runs.Choice):
    """The choice of a network by its width and its number of training images."""

    variant: ClassVar = "width"
    width: float
    training: int


def evaluated(chosen: Choice, images: int, trials: int, resume: bool) -> dict[str, Any]:
    """Train, convert to spikes, measure and draw; parts that are in the folder are not repeated."""
    loaded = datasets.load(chosen.name, chosen.data)
    x, y = subset(loaded.x_train, loaded.y_train, chosen.training, chosen.seed)
    shape = pixels(x[:1]).shape[1:]
    run = runs.trained(
        chosen,
        loaded,
        Parts(*datasets.split(x, y, resnet.VALIDATION, chosen.seed)),
        lambda dropout: resnet.keras_model(shape, len(loaded.classes), chosen.width),
        Recipe(chosen.epochs, learning_rate=5e-3, activity=0.3),
        resume,
        images=len(x),
    )
    title = f"{chosen.name}, ResNet-18 at {chosen.width} of its width"
    return runs.evaluated(chosen, run, measure.compare, resnet.PRECISIONS, images, trials, title)

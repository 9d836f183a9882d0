"""Runs of the networks for the ResNet: trained, turned to spikes, measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nengo_phasor import datasets
from nengo_phasor.models.adaptive import measure, resnet, runs
from nengo_phasor.models.adaptive.data import Parts, pixels, subset
from nengo_phasor.models.adaptive.recipe import Recipe


@dataclass(frozen=True)
class Choice:
    """Which network: its data set's name and folder, training images, width, seed and epochs.

    ``folders`` has the folders of runs.
    """

    name: str
    training: int
    width: float
    seed: int
    epochs: int
    folders: Path
    data: Path | None

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.folders / f"{self.name}-{self.width}-{self.seed}"


def evaluated(chosen: Choice, images: int, trials: int, resume: bool) -> dict[str, Any]:
    """Train, turn to spikes, measure and draw; what the folder has already is not done again."""
    name, seed = chosen.name, chosen.seed
    loaded = datasets.load(name, chosen.data)
    x, y = subset(loaded.x_train, loaded.y_train, chosen.training, seed)
    shape = pixels(x[:1]).shape[1:]
    run = runs.trained(
        loaded,
        Parts(*datasets.split(x, y, resnet.VALIDATION, seed)),
        lambda dropout: resnet.keras_model(shape, len(loaded.classes), chosen.width),
        Recipe(chosen.epochs, learning_rate=5e-3, activity=0.3),
        seed,
        chosen.folder,
        resume,
        set=name,
        width=chosen.width,
        images=len(x),
    )
    title = f"Adaptive spiking neurons: {name}, ResNet-18 at {chosen.width} of its width"
    return runs.evaluated(
        run, measure.compare, resnet.PRECISIONS, images, trials, seed, chosen.folder, title
    )

"""Runs of the networks for small photographs: trained, turned to spikes, measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nengo_phasor.models.adaptive import cifar, measure, runs


@dataclass(frozen=True)
class Choice:
    """Which network: its data set's name and folder, width, seed and epochs.

    ``folders`` has the folders of runs.
    """

    name: str
    width: float
    seed: int
    epochs: int
    folders: Path
    data: Path | None

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.folders / f"{self.name}-{self.width}-{self.seed}"


def trained(chosen: Choice, resume: bool) -> runs.Trained:
    """Train, unless the folder has the result already."""
    loaded, parts = cifar.load_parts(chosen.name, chosen.data, chosen.seed)
    return runs.trained(
        loaded,
        parts,
        lambda dropout: cifar.model_of(chosen.name, chosen.width, chosen.seed, dropout),
        cifar.recipe(chosen.epochs),
        chosen.seed,
        chosen.folder,
        resume,
        set=chosen.name,
        width=chosen.width,
        n=len(parts.x_train),
    )


def evaluated(
    chosen: Choice, images: int | None, trials: int | None, resume: bool
) -> dict[str, Any]:
    """Train, turn to spikes, measure and draw; what the folder has already is not done again."""
    return runs.evaluated(
        trained(chosen, resume),
        measure.compare,
        cifar.PRECISIONS,
        images,
        trials,
        chosen.seed,
        chosen.folder,
        f"Adaptive spiking neurons: {chosen.name} at {chosen.width} of the paper's width",
    )

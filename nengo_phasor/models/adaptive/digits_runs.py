"""Runs of the networks for digits and garments: trained, turned to spikes, measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nengo_phasor.models.adaptive import digits, measure, runs
from nengo_phasor.models.adaptive.stack import keras_model


@dataclass(frozen=True)
class Choice:
    """Which network: its data set's name and folder, layout, seed, epochs (None: as usual).

    ``folders`` has the folders of runs.
    """

    name: str
    layout: str
    seed: int
    epochs: int | None
    folders: Path
    data: Path | None

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.folders / f"{self.name}-{self.layout}-{self.seed}"


def trained(chosen: Choice, resume: bool) -> runs.Trained:
    """Train, unless the folder has the result already."""
    return runs.trained(
        *digits.load_parts(chosen.name, chosen.data, chosen.seed),
        lambda dropout: keras_model(digits.LAYOUTS[chosen.layout]),
        digits.recipe(chosen.name, chosen.layout, chosen.epochs),
        chosen.seed,
        chosen.folder,
        resume,
        set=chosen.name,
        layout=chosen.layout,
    )


def evaluated(
    chosen: Choice, images: int | None, trials: int | None, resume: bool
) -> dict[str, Any]:
    """Train, turn to spikes, measure and draw; what the folder has already is not done again."""
    return runs.evaluated(
        trained(chosen, resume),
        measure.measure,
        digits.PRECISIONS[chosen.name],
        images or digits.IMAGES[chosen.layout],
        trials or digits.TRIALS[chosen.layout],
        chosen.seed,
        chosen.folder,
        f"Adaptive spiking neurons: {chosen.name}, {chosen.layout} network",
    )

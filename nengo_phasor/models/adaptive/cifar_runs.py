"""Runs of the networks for small photographs: trained, turned to spikes, measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nengo_phasor.models.adaptive import cifar, measure, runs


@dataclass(frozen=True, kw_only=True)
class Choice(runs.Choice):
    """Which network, by its width."""

    variant: ClassVar = "width"
    width: float


def trained(chosen: Choice, resume: bool) -> runs.Trained:
    """Train, unless the folder has the result already."""
    loaded, parts = cifar.load_parts(chosen.name, chosen.data, chosen.seed)
    return runs.trained(
        chosen,
        loaded,
        parts,
        lambda dropout: cifar.model_of(chosen.name, chosen.width, chosen.seed, dropout),
        cifar.recipe(chosen.epochs),
        resume,
        n=len(parts.x_train),
    )


def evaluated(
    chosen: Choice, images: int | None, trials: int | None, resume: bool
) -> dict[str, Any]:
    """Train, turn to spikes, measure and draw; what the folder has already is not done again."""
    title = f"{chosen.name} at {chosen.width} of the paper's width"
    run = trained(chosen, resume)
    return runs.evaluated(chosen, run, measure.compare, cifar.PRECISIONS, images, trials, title)

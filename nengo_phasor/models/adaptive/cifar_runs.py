"""Runs of the networks for small photographs: train, convert to spikes, measure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from nengo_phasor.models.adaptive import cifar, measure, runs
from nengo_phasor.models.shared.distribution import processes


@dataclass(frozen=True, kw_only=True)
class Choice(runs.Choice):
    """The choice of a network by its width."""

    variant: ClassVar = "width"
    width: float


def trained(chosen: Choice, resume: bool) -> runs.Trained:
    """Train, unless the result is in the folder."""
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
    chosen: Choice,
    images: int | None,
    trials: int | None,
    resume: bool,
    workers: int,
    cluster: str | None,
) -> dict[str, Any]:
    """Train, convert to spikes, measure and draw; parts that are in the folder are not repeated.

    Images are shown in so many processes on this machine, or in those of a Dask scheduler.
    """
    title = f"{chosen.name} at {chosen.width} of the paper's width"
    run = trained(chosen, resume)
    how, precisions = partial(measure.measure, low_rate=cifar.LOW_RATE), cifar.PRECISIONS
    with processes(workers, cluster) as spread:
        return runs.evaluated(chosen, run, how, precisions, images, trials, title, spread)

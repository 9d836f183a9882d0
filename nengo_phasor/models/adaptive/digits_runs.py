"""Runs of the networks for digits and garments: train, convert to spikes, measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nengo_phasor.models.adaptive import digits, measure, runs
from nengo_phasor.models.adaptive.stack import keras_model


@dataclass(frozen=True, kw_only=True)
class Choice(runs.Choice):
    """The choice of a network by its layout."""

    variant: ClassVar = "layout"
    layout: str


def trained(chosen: Choice, resume: bool) -> runs.Trained:
    """Train, unless the result is in the folder."""
    layout, recipe = chosen.layout, digits.recipe(chosen.name, chosen.layout, chosen.epochs)
    return runs.trained(
        chosen,
        *digits.load_parts(chosen.name, chosen.data, chosen.seed),
        lambda noisy: keras_model(
            digits.LAYOUTS[layout], chosen.seed, noise=recipe.noise if noisy else 0.0
        ),
        recipe,
        resume,
    )


def evaluated(
    chosen: Choice, images: int | None, trials: int | None, resume: bool
) -> dict[str, Any]:
    """Train, convert to spikes, measure and draw; parts that are in the folder are not repeated."""
    return runs.evaluated(
        chosen,
        trained(chosen, resume),
        measure.measure,
        digits.PRECISIONS[chosen.name],
        images or digits.IMAGES[chosen.layout],
        trials or digits.TRIALS[chosen.layout],
        f"{chosen.name}, {chosen.layout} network",
    )

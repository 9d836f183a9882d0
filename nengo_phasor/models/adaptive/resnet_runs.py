"""Runs of the networks for the ResNet: train, convert to spikes, measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nengo_phasor import datasets, results
from nengo_phasor.models.adaptive import measure, resnet, resnet_measure, runs
from nengo_phasor.models.adaptive.data import Parts, pixels, subset
from nengo_phasor.models.adaptive.recipe import Recipe
from nengo_phasor.models.shared.distribution import processes

STATISTICS, SHOWN = 32, 3
"""The numbers of images whose statistics a large network's normalisation has, and of those that it
is shown."""


@dataclass(frozen=True, kw_only=True)
class Choice(runs.Choice):
    """The choice of a network by its width and its number of training images."""

    variant: ClassVar = "width"
    width: float
    training: int


def evaluated(
    chosen: Choice, images: int, trials: int, resume: bool, workers: int, cluster: str | None
) -> dict[str, Any]:
    """Train, convert to spikes, measure and draw; parts that are in the folder are not repeated.

    Images are shown in so many processes on this machine, or in those of a Dask scheduler.
    """
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
    precisions = resnet.PRECISIONS
    with processes(workers, cluster) as spread:
        return runs.evaluated(
            chosen, run, measure.compare, precisions, images, trials, title, spread
        )


BOUNDS = {
    "difference between rate network and model": ("rate_network_differs_by", "", 1.0, "<= 0.001"),
    "peak memory": ("peak_memory", "GiB", 2.0**-30, "<= 12"),
}
"""The targets of the large network: where a number is found, its unit, its scale and its bound."""


def large(
    loaded: datasets.Dataset, units: str, size: int, classes: int, large: float
) -> dict[str, Any]:
    """Measure a large network in a process of its own, with test images that are made larger.

    Parameters
    ----------
    loaded : nengo_phasor.datasets.Dataset
        The data set.
    units, size, classes, large
        The units, the height and width of the images, the number of classes, and the width as a
        fraction of ResNet-18's maps.
    """
    from scipy import ndimage

    small = pixels(loaded.x_test[:STATISTICS])
    zoom = (1, size / small.shape[1], size / small.shape[2], 1)
    images = ndimage.zoom(small, zoom, order=1, mode="nearest", grid_mode=True)
    return resnet_measure.alone(resnet_measure.measured, units, images, SHOWN, classes, large)


def claims(found: dict[str, Any], units: str) -> list[results.Claim]:
    """Return the claims about a large network."""
    return [
        results.Claim(f"ResNet-18, {units}s: {name}", scale * found[key], unit, bound)
        for name, (key, unit, scale, bound) in BOUNDS.items()
    ]

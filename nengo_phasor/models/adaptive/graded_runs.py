"""Runs of networks of rectifiers and their twins: train, convert without retraining, measure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from nengo_phasor import saving
from nengo_phasor.models.adaptive import graded_measure, rectified, runs
from nengo_phasor.models.adaptive.data import pixels
from nengo_phasor.models.shared import run_folder


@dataclass(frozen=True, kw_only=True)
class Choice(runs.Choice):
    """The choice of a network, by its name in `.rectified.NETWORKS`, and of its units."""

    variant: ClassVar = "units"
    units: str


UNITS_OF = {"graded": "rectifier", "half-sigmoid": "half-sigmoid"}
"""The units of the network itself and of its twin, by the names in the results."""


def trained(chosen: Choice, resume: bool) -> runs.Trained:
    """Train, unless the result is in the folder."""
    loaded, parts = rectified.load_parts(chosen.name, chosen.data, chosen.seed)
    shape, recipe = pixels(loaded.x_test[:1]).shape[1:], rectified.NETWORKS[chosen.name].recipe
    if chosen.epochs is not None:
        recipe = replace(recipe, epochs=chosen.epochs)
    return runs.trained(
        chosen,
        loaded,
        parts,
        lambda dropout: rectified.keras_model(chosen.name, chosen.units, shape),
        recipe,
        resume,
    )


def evaluated(
    chosen: Choice, images: int | None, trials: int, beside: int, resume: bool
) -> dict[str, Any]:
    """Train and convert a network and its twin, and measure them; finished parts are kept.

    Parameters
    ----------
    chosen : `Choice`
        The network, with rectifiers.
    images, trials : int or None
        The numbers of test images to show, all if None, and of validation images.
    beside : int
        The number of images that NengoDL's conversion is run with, at most.
    resume : bool
        Whether to keep what is in the runs' folders.

    Returns
    -------
    dict
        "graded" and "half-sigmoid": what `.graded_measure` returns of the network and of its twin;
        "nengo_dl": of NengoDL's conversion of the network.
    """
    found = {}
    for key, units in UNITS_OF.items():
        one = replace(chosen, units=units)
        run = trained(one, resume)
        found[key] = _measured(one, run, images, trials)
        if key == "graded":
            validation = run.parts.x_validation, run.parts.y_validation
            parts = [
                graded_measure.images_of(part, beside)
                for part in (validation, (run.data.x_test, run.data.y_test))
            ]
            found["nengo_dl"] = run_folder.kept(
                one.folder / f"nengo-dl-{beside}.json",
                lambda model=run.model, parts=parts: graded_measure.by_nengo_dl(model, *parts),
                "accuracy",
            )
    return found


def _measured(chosen: Choice, run: runs.Trained, images: int | None, trials: int) -> dict[str, Any]:
    """Convert a trained network, choose its precision, and run test images in spikes."""
    parts, data, folder = run.parts, run.data, chosen.folder
    validation = graded_measure.images_of((parts.x_validation, parts.y_validation), trials)
    test = graded_measure.images_of((data.x_test, data.y_test), images)
    network = folder / f"converted-{trials}.npz"
    how = run_folder.kept(
        folder / f"calibration-{trials}.json",
        lambda: graded_measure.calibrated(run.model, *validation, network),
        "tried",
    )
    converted = saving.load(network)
    return {
        **how,
        "analog": graded_measure.analog(run.model, converted.network, *test),
        **graded_measure.in_spikes(converted, *test, folder / f"spiking-{trials}"),
    }

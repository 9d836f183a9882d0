"""The paper's tables: the chosen epochs and runs, and their results on the test set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nengo_phasor import compat, datasets, energy
from nengo_phasor.models.lenet.data import Parts
from nengo_phasor.models.lenet.designs import DESIGNS
from nengo_phasor.models.lenet.measure import measure
from nengo_phasor.models.lenet.runs import BASELINE, name_of
from nengo_phasor.models.lenet.search import Study, points, search
from nengo_phasor.models.shared import run_folder

DEVICE = "cmos_45nm_int8"
"""Whose energy is compared, in `nengo_phasor.energy.DEVICES`: weights and outputs have 8 bits."""

TABLES = {"table 1": 0.0, "table 2": 0.0099}
"""How far the validation accuracy may be below the baseline's, in the paper's tables.

The second is less than a point whatever the number of images, with room for rounding.
"""


def fewest_spikes(found: Iterable[dict[str, Any]], accuracy: float) -> dict[str, Any]:
    """Return the point with the fewest spikes among those that are accurate enough on validation.

    If there is none, return the most accurate point.
    """
    found = list(found)
    good = [point for point in found if point["accuracy"] >= accuracy]
    if good:
        return min(good, key=lambda point: point["spikes"])
    return max(found, key=lambda point: point["accuracy"])


def chosen(found: list[dict[str, Any]], allowance: float) -> dict[str, dict[str, Any]]:
    """Return the point of each loss with the fewest spikes, given the accuracy that may be lost.

    ``found`` are the `.search.points` of one seed.
    """
    by_name: dict[str, list] = {}
    for point in found:
        by_name.setdefault(name_of(point["run"]), []).append(point)
    least = least_accuracy(found, allowance)
    return {name: fewest_spikes(some, least) for name, some in by_name.items()}


def best_loss(found: list[dict[str, Any]], allowance: float) -> str:
    """Return the loss with the fewest spikes among those accurate enough, except the baseline.

    If there is none, return the loss with the fewest spikes.
    """
    picked, least = chosen(found, allowance), least_accuracy(found, allowance)
    del picked[BASELINE]
    good = {name for name, point in picked.items() if point["accuracy"] >= least}
    return min(good or picked, key=lambda name: picked[name]["spikes"])


def least_accuracy(found: list[dict[str, Any]], allowance: float) -> float:
    """Return the required validation accuracy: the baseline's best minus the allowed loss."""
    accuracies = [point["accuracy"] for point in found if name_of(point["run"]) == BASELINE]
    return max(accuracies) - allowance


def tested(point: dict[str, Any], parts: Parts, folder: Path) -> dict[str, Any]:
    """Return a table's row: the point, and the same network measured on the test set."""
    run, epoch = point["run"], point["epoch"]

    def measured() -> dict[str, Any]:
        weights = datasets.load_params(folder / run.name / f"weights-{epoch}.npz")
        net = DESIGNS[run.design].network(parts.x_test.shape[1:], weights)
        return measure(net, parts.x_test, parts.y_test, run.steps)

    file = folder / run.name / f"test-{epoch}-{len(parts.x_test)}.json"
    return {
        "sigma_0": run.sigma_0,
        "epoch": epoch,
        "seed": run.seed,
        "validation_accuracy": point["accuracy"],
        "validation_spikes": point["spikes"],
        **run_folder.kept(file, measured, "accuracy", "spikes"),
    }


def table(
    found: list[dict[str, Any]], allowance: float, parts: Parts, folder: Path
) -> dict[str, dict[str, Any]]:
    """Return one of the paper's tables: a row for each loss, for one seed."""
    rows = {name: tested(point, parts, folder) for name, point in chosen(found, allowance).items()}
    least = least_accuracy(found, allowance)
    for row in rows.values():
        row["accurate_enough"] = row["validation_accuracy"] >= least
        row["fewer_spikes"] = 1 - row["spikes"] / rows[BASELINE]["spikes"]
        row["accuracy_lost"] = rows[BASELINE]["accuracy"] - row["accuracy"]
        row["joules"] = joules(synapse=row["operations"], mac=row["image_operations"])
    return rows


def joules(**operations: float) -> float:
    """Return the energy of an inference's operations by kind, on `DEVICE`."""
    return float(energy.energy(operations, DEVICE).total)


def experiment(study: Study, name: str) -> dict[str, Any]:
    """Search on a data set; return the figures.

    Schedule, sigma_0 and epoch are chosen on validation images, for each seed by its own runs.
    """
    tqdm = compat.require("tqdm").tqdm
    parts = study.parts(name)
    histories = search(study, name)
    found = {seed: points(same_seed) for seed, same_seed in histories.items()}
    tables: dict[str, list] = {which: [] for which in TABLES}
    pairs = [(which, seed) for which in TABLES for seed in study.seeds]
    for which, seed in tqdm(pairs, desc="tables", unit="table"):
        tables[which].append(table(found[seed], TABLES[which], parts, study.runs))
    return {
        "design": study.design,
        "tables": tables,
        "best": {
            which: [best_loss(found[seed], allowance) for seed in study.seeds]
            for which, allowance in TABLES.items()
        },
        "histories": {
            run.name: {
                "loss": name_of(run),
                "sigma_0": run.sigma_0,
                "seed": run.seed,
                "epochs": history,
            }
            for same_seed in histories.values()
            for run, history in same_seed.items()
        },
        "test_images": len(parts.x_test),
        "compared": compared(study, name, parts),
    }


def compared(study: Study, name: str, parts: Parts) -> list[dict[str, Any]]:
    """Return what the runs of each seed are compared with, if there is anything."""
    make = DESIGNS[study.design].compared
    runs = [same_seed[0] for same_seed in study.tried(name).values()]
    found = [make(run, parts, study.runs) for run in runs] if make else []
    return [{**one, "joules": joules(mac=one["mac"])} for one in found]

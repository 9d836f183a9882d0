"""The measurements of the networks of `phase_sparsity` beside their targets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nengo_phasor import datasets, results
from nengo_phasor.models.rhythms.sweep import accuracy_at

REMOVED = (0.9, 0.95, 0.98)
"""Fractions of hidden spikes removed at which accuracy is quoted, interpolated on the curves."""

Scores = Mapping
"""The scores of one network, as returned by `.sparsity_runs.scored`."""


def most(scores: Scores, sparsifier: str, lost: float = 1.0) -> float:
    """Return the largest fraction of hidden spikes removed on a curve, interpolated.

    The accuracy there is at most ``lost`` below the accuracy with all spikes. With the default of
    1, any accuracy qualifies.
    """
    curve = scores["curves"][sparsifier]
    removed = np.linspace(0, max(point["removed"] for point in curve), 1001)
    kept = [accuracy_at(curve, r) >= scores["spiking_accuracy"] - lost for r in removed]
    return float(removed[kept].max())


def summary(scores: Scores) -> dict[str, float]:
    """Return the most important numbers of one network, as fractions."""
    numbers = {
        "accuracy, phase domain": scores["phase_accuracy"],
        "accuracy, spiking, all spikes": scores["spiking_accuracy"],
    }
    for name, curve in scores["curves"].items():
        numbers[f"most hidden spikes removed, {name}"] = most(scores, name)
        for removed in REMOVED:
            if removed <= most(scores, name):
                title = f"accuracy, {100 * removed:.0f} % of hidden spikes removed, {name}"
                numbers[title] = accuracy_at(curve, removed)
    return numbers


def means(runs: Sequence[Scores]) -> dict[str, float]:
    """Return the means over seeds of those numbers of `summary` that every seed has."""
    found = [summary(run) for run in runs]
    names = [name for name in found[0] if all(name in numbers for numbers in found)]
    return {name: float(np.mean([numbers[name] for numbers in found])) for name in names}


def long_accuracy(file: Path) -> float:
    """Return the phase-domain accuracy of `local_rhythms`' long recipe, as a mean over seeds.

    Parameters
    ----------
    file : path
        The results file of `local_rhythms`.

    Raises
    ------
    nengo_phasor.datasets.DatasetError
        If the file does not exist or does not contain this accuracy.
    """
    try:
        known = {c["name"]: c["value"] for c in json.loads(Path(file).read_text())["claims"]}
        return float(known["phase-domain accuracy, long recipe"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise datasets.DatasetError(
            f"{file} does not say how accurate dense networks are ({error!r}): make it with "
            "python networks/local_rhythms.py results, or name another file"
        ) from error


def best_dense(means_of: Mapping[str, Mapping[str, float]], dense: float) -> float:
    """Return the accuracy of the best dense network: ours in either domain, or ``dense``."""
    names = ("accuracy, phase domain", "accuracy, spiking, all spikes")
    return max(dense, *(found[name] for found in means_of.values() for name in names))


def claims(runs_of: Mapping[str, Sequence[Scores]], dense: float) -> list[results.Claim]:
    """Return the claims, from the runs of each recipe.

    ``dense`` is the accuracy of another dense network to compare with.
    """
    best = best_dense({recipe: means(runs) for recipe, runs in runs_of.items()}, dense)
    runs = runs_of["sparse"]
    lost = "accuracy lost with 90 % of hidden spikes removed"
    found = []
    for name in ("arc", "field"):
        accuracies = [accuracy_at(run["curves"][name], 0.9) for run in runs]
        dense = [run["spiking_accuracy"] for run in runs]
        fewest = min(most(run, name, lost=0.01) for run in runs)
        found += [
            (
                f"fraction of hidden spikes removed for at most 1 point of accuracy, {name}, "
                "worst seed",
                fewest,
                "",
                ">= 0.9",
            ),
            (
                f"{lost}, relative to the same network with all spikes, {name}, worst seed",
                100 * float(np.max(np.subtract(dense, accuracies))),
                "points",
                "<= 1.0",
            ),
            (
                f"{lost}, relative to the best dense network, {name}",
                100 * float(best - np.mean(accuracies)),
                "points",
                "<= 1.5",
            ),
        ]
    end = min(most(run, "arc") for run in runs_of["sparser"])
    title = "fraction of hidden spikes removed at the end of the curve, arc"
    found.append((title, end, "", ">= 0.98"))
    return [results.Claim(f"phase sparsity: {name}", *rest) for name, *rest in found]

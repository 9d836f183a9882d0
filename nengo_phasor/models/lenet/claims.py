"""The targets of the search beside what it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nengo_phasor import results
from nengo_phasor.models.lenet.runs import BASELINE

TARGETS = {
    "table 1": ("without loss of validation accuracy", ">= 0.75", "70.1 %, Table 1"),
    "table 2": ("for less than 1 point of validation accuracy", ">= 0.80", "73.3 %, abstract"),
}

ACCURACY = {"cifar10": (">= 0.65", "64.97 %, Table 1"), "fashion_mnist": (">= 0.89", "")}
"""The target of the baseline's accuracy, by data set."""


def saved(row: Mapping[str, Any]) -> float:
    """Return the fraction of spikes that a row saves: 0 if it is not accurate enough."""
    return row["fewer_spikes"] * row["accurate_enough"]


def claims(found: Mapping[str, Any], title: str) -> list[results.Claim]:
    """Return the claims about the data set of this name, as means over the seeds.

    Each target is compared twice: with the best schedule of each seed, then with the one schedule
    that is best on average.
    """
    baselines = [rows[BASELINE]["accuracy"] for rows in found["tables"]["table 1"]]
    made = [
        results.Claim(
            f"{title}: test accuracy of the baseline, mean of seeds",
            float(np.mean(baselines)),
            "",
            *ACCURACY[title],
        )
    ]
    for name, (words, bound, paper) in TARGETS.items():
        tables = found["tables"][name]
        each = [rows[best] for rows, best in zip(tables, found["best"][name], strict=True)]
        common = set.intersection(*(set(rows) for rows in tables)) - {BASELINE}
        means = {loss: np.mean([saved(rows[loss]) for rows in tables]) for loss in sorted(common)}
        best = max(means, key=means.get)
        what = f"{title}: fraction of spikes saved on the test set {words}, mean of seeds"
        made += [
            results.Claim(
                f"{what}, best schedule of each seed",
                float(np.mean([saved(row) for row in each])),
                "",
                bound,
                paper,
            ),
            results.Claim(
                f"{what}, {best} schedule for all seeds", float(means[best]), "", bound, paper
            ),
        ]
    return made

"""What was promised of the search, beside what it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nengo_phasor import results
from nengo_phasor.models.lenet.training import BASELINE

PROMISED = {
    "table 1": ("no validation accuracy lost", ">= 0.70", "70.1 %, Table 1"),
    "table 2": ("less than 1 point of it lost", ">= 0.75", "73.3 %, abstract"),
}


def saved(row: Mapping[str, Any]) -> float:
    """Return the part of the spikes that a row saves: nothing if it is not accurate enough."""
    return row["fewer_spikes"] * row["accurate_enough"]


def claims(found: Mapping[str, Any], title: str) -> list[results.Claim]:
    """Return what was promised of one data set, in the mean of the seeds.

    First of each seed's best schedule, then of the one that is best for all of them.
    """
    made = []
    for name, (words, bound, paper) in PROMISED.items():
        tables = found["tables"][name]
        each = [rows[best] for rows, best in zip(tables, found["best"][name], strict=True)]
        common = set.intersection(*(set(rows) for rows in tables)) - {BASELINE}
        means = {loss: np.mean([saved(rows[loss]) for rows in tables]) for loss in sorted(common)}
        best = max(means, key=means.get)
        what = f"{title}: part of the spikes saved on the test set, {words}, mean of seeds"
        made += [
            results.Claim(
                f"{what}, each one's best schedule",
                float(np.mean([saved(row) for row in each])),
                "",
                bound,
                paper,
            ),
            results.Claim(f"{what}, all {best}", float(means[best]), "", bound, paper),
        ]
    return made

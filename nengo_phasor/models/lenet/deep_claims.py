"""The targets of the deep network beside what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nengo_phasor import results
from nengo_phasor.models.lenet.claims import saved

ACCURACY = {"fashion_mnist": ">= 0.92", "cifar10": ">= 0.82"}


def claims(found: Mapping[str, Any], name: str) -> list[results.Claim]:
    """Return the claims about one data set, as means over the seeds.

    They are of the network that uses the fewest spikes for less than a point of validation
    accuracy, with the schedule that is best for each seed.
    """
    tables, best = found["tables"]["table 2"], found["best"]["table 2"]
    rows = [rows[loss] for rows, loss in zip(tables, best, strict=True)]
    per_neuron = np.mean([row["spikes"] / row["neurons"] for row in rows])
    mean = "mean of seeds" if len(rows) > 1 else "one seed"
    return [
        results.Claim(
            f"{name}: test accuracy of the sparse network, {mean}",
            float(np.mean([row["accuracy"] for row in rows])),
            "",
            ACCURACY[name],
        ),
        results.Claim(
            f"{name}: spikes per neuron and inference, {mean}", float(per_neuron), "", "<= 0.3"
        ),
        results.Claim(
            f"{name}: fraction of spikes saved on the test set for less than 1 point of validation "
            f"accuracy, {mean}",
            float(np.mean([saved(row) for row in rows])),
            "",
            ">= 0.75",
        ),
    ]

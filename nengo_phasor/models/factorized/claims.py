"""The targets of the factorised network beside the measurements, and the paper's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nengo_phasor import results
from nengo_phasor.models.factorized.network import CLAIMED

PAPER_PERCENTILES = (-4.4, -1.8, -0.057, 1.42, 3.7)
PAPER_MEAN = -0.147


def claims(resets: Mapping[str, Any], training: Mapping[str, Any]) -> list[results.Claim]:
    """Return the claims, from the figures of the three resets and of further training."""
    n = len(resets["subtract"]["single"]["off_ideal"])
    test = {stage: seen["test"] for stage, seen in training["accuracies"].items()}
    lost = 100 * (np.mean(test["single, first"]) - np.mean(test["svd, untrained"]))
    return [
        results.Claim(
            f"factorised depth, PLU: mean error of the output, reset by subtraction, {n} seeds",
            abs(resets["subtract"][CLAIMED]["mean_error"]),
            "%",
            "<= 0.15",
            "0.147 %, section 6",
        ),
        results.Claim(
            f"factorised depth, SVD: accuracy lost on digits before further training, "
            f"{len(test['single, first'])} seeds",
            float(lost),
            "points",
            "<= 1.0",
        ),
    ]

"""The targets beside what was measured, as means over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any

import numpy as np

from nengo_phasor.results import Claim

PAPER = "Higuchi et al. 2024, table 1"


def mean(runs: Sequence[Any], *path: str) -> float:
    """Return the mean of a number over the runs of a design."""
    return float(np.mean([reduce(getitem, path, run) for run in runs]))


def claims(found: Mapping[str, Sequence[Mapping]]) -> list[Claim]:
    """Return the claims about the designs that were run, given the runs of each."""
    made = []
    if "published" in found:
        runs = found["published"]
        accuracy = mean(runs, "test", "accuracy")
        lost = accuracy - mean(runs, "chip", "accuracy")
        made += [
            Claim(
                "accuracy of the published network", accuracy, "", ">= 0.855", f"85.8 %, {PAPER}"
            ),
            Claim("its accuracy lost on the emulator", lost, "", "<= 0.01"),
            Claim(
                "processor minutes to train it",
                mean(runs, "processor_seconds") / 60,
                "min",
                "<= 90",
                "3.5 hours on a GPU at best",
            ),
        ]
    if "ours" in found:
        runs = found["ours"]
        made += [
            Claim(
                "accuracy of our network",
                mean(runs, "test", "accuracy"),
                "",
                ">= 0.865",
                f"87.0 % of harmonic neurons, {PAPER}",
            ),
            Claim(
                "its spikes per sequence",
                mean(runs, "test", "spikes"),
                "",
                "<= 4000",
                f"6,234 of harmonic neurons, {PAPER}",
            ),
            Claim("its parameters", mean(runs, "parameters"), "", "<= 5000", "1,734"),
        ]
    if {"paying", "ours"} <= set(found):
        runs = found["paying"]
        lost = mean(found["ours"], "test", "accuracy") - mean(runs, "test", "accuracy")
        spikes = mean(runs, "test", "spikes")
        made += [
            Claim("spikes per sequence with a higher cost", spikes, "", "<= 2500"),
            Claim("accuracy lost by that", lost, "", "<= 0.01"),
        ]
    return made

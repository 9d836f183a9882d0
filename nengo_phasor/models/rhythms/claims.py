"""The classifiers' measurements beside their targets, as means over the seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nengo_phasor import results
from nengo_phasor.models.rhythms.network import CYCLE
from nengo_phasor.models.rhythms.sweep import accuracy_at

Scores = Mapping
"""The scores of one network, as returned by `.runs.scored`."""


def summary(scores: Scores) -> dict[str, float]:
    """Return the most important numbers of one network."""
    numbers = {
        "accuracy, phase domain": scores["phase_accuracy"],
        f"accuracy, spiking, cycle {CYCLE + 1}": scores["spiking_accuracy"],
    }
    for receiver, curves in scores["curves"].items():
        for name, curve in curves.items():
            numbers[f"60 % removed, {name}, missing spike is {receiver}"] = accuracy_at(curve, 0.6)
    return numbers


def drops(runs: Sequence[Scores], removed: float = 0.6) -> dict[str, dict[str, float]]:
    """Return the accuracy lost when a fraction of spikes is removed: points, means over seeds."""

    def lost(receiver, name):
        return 100 * _mean(
            runs,
            lambda run: (
                run["spiking_accuracy"] - accuracy_at(run["curves"][receiver][name], removed)
            ),
        )

    return {
        receiver: {name: lost(receiver, name) for name in curves}
        for receiver, curves in runs[0]["curves"].items()
    }


def claims(runs_of: Mapping[str, Sequence[Scores]]) -> list[results.Claim]:
    """Return the claims, from the runs of each recipe."""
    found = [
        results.Claim(
            f"phase-domain accuracy, {recipe} recipe",
            _mean(runs_of[recipe], lambda run: run["phase_accuracy"]),
            "",
            bound,
            "85.3 %, section 2.3",
        )
        for recipe, bound in (("paper", ">= 0.853"), ("long", ">= 0.875"))
    ]
    for recipe, runs in runs_of.items():
        worst = max(100 * abs(run["phase_accuracy"] - run["spiking_accuracy"]) for run in runs)
        title = f"accuracy difference between phase domain and spiking, {recipe} recipe, worst seed"
        found.append(results.Claim(title, worst, "points", "<= 0.5"))
    lost = drops(runs_of["long"])["reference"]
    for name, bound in (("arc", "<= 1.0"), ("field", "<= 1.5"), ("random", ">= 30")):
        place = "Figure 4" if name == "random" else "Figure 4: little change up to about 60 %"
        title = f"accuracy lost with 60 % of all spikes removed, {name}, long recipe"
        found.append(results.Claim(title, lost[name], "points", bound, place))
    return found


def _mean(runs: Sequence[Scores], value: Callable[[Scores], float]) -> float:
    return float(np.mean([value(run) for run in runs]))

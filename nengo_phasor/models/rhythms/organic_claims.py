"""The measurements of networks without a clock beside their targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nengo_phasor import results
from nengo_phasor.models.rhythms.organic import ALL
from nengo_phasor.models.rhythms.sweep import accuracy_at

WINDOW = "window around the unit"
REMOVED = (0.6, 0.95)
"""Fractions of hidden spikes removed at which accuracy is quoted, interpolated on the curves."""


def dense(curves: Mapping[str, Sequence[Mapping]]) -> Mapping:
    """Return the scores of a network with all its spikes, read by the clock."""
    return curves[ALL][0]


def lost(curves: Mapping[str, Sequence[Mapping]], rule: str, removed: float) -> float:
    """Return the points of accuracy lost when a rule removes a fraction of the hidden spikes."""
    curve = [dense(curves), *curves[rule]]
    return 100 * (dense(curves)["accuracy"] - accuracy_at(curve, removed))


def most(curves: Mapping[str, Sequence[Mapping]], rule: str, points: float) -> float:
    """Return the largest fraction of hidden spikes that a rule removes for at most these points."""
    end = max(each["removed"] for each in curves[rule])
    removed = np.linspace(0, end, 1001)
    kept = [lost(curves, rule, fraction) <= points for fraction in removed]
    return float(removed[kept].max())


def means(networks: Sequence[Mapping]) -> dict[str, dict[str, float]]:
    """Return for each rule the means over seeds of the numbers that the tables show.

    The accuracy lost at a fraction removed is left out if the curve of a seed does not reach it.
    """
    found = {}
    for rule in (rule for rule in networks[0]["curves"] if rule != ALL):
        end = min(max(each["removed"] for each in n["curves"][rule]) for n in networks)
        found[rule] = {
            "most_removed_for_1_point": _mean(most(n["curves"], rule, 1.0) for n in networks),
            **{
                f"lost_at_{100 * removed:.0f}_percent_removed": _mean(
                    lost(n["curves"], rule, removed) for n in networks
                )
                for removed in REMOVED
                if removed <= end
            },
        }
    return found


def claims(found: Mapping[str, Sequence[Mapping]]) -> list[results.Claim]:
    """Return the claims, from the scores of the networks of each recipe."""
    plain, paying = found["plain"], found["paying"]
    shares = [
        max(each["unit_spikes"] for each in n["curves"][WINDOW])
        / dense(n["curves"])["hidden_spikes"]
        for networks in found.values()
        for n in networks
    ]
    made = [
        (
            "accuracy lost with 60 % of hidden spikes removed, trained without a cost of spikes, "
            "worst seed",
            max(lost(n["curves"], WINDOW, 0.6) for n in plain),
            "points",
            "<= 1.0",
        ),
        (
            "fraction of hidden spikes removed for at most 1 point of accuracy, trained with a "
            "cost of spikes, worst seed",
            min(most(n["curves"], WINDOW, 1.0) for n in paying),
            "",
            ">= 0.95",
        ),
        ("spikes of the unit as a fraction of its layer's, worst case", max(shares), "", "<= 0.01"),
        (
            "spikes that differ between nengo and layerwise",
            float(sum(n["differences"] for networks in found.values() for n in networks)),
            "spikes",
            "<= 0",
        ),
    ]
    return [results.Claim(f"local rhythm: {name}", *rest) for name, *rest in made]


def _mean(values) -> float:
    return float(np.mean(list(values)))

"""The measurements of deep networks in spikes beside their targets."""

from __future__ import annotations

from collections.abc import Mapping

from nengo_phasor import results
from nengo_phasor.models.deep_rhythms.designs import Design
from nengo_phasor.models.rhythms.organic_claims import lost, most

POINTS = 1.0
"""The points of accuracy that removed spikes may cost."""


def removed(scores: Mapping) -> float:
    """Return the fraction of hidden spikes that the design's window removes, units' included."""
    sent = scores["window"]["hidden_spikes"] + scores["window"]["unit_spikes"]
    return 1 - sent / scores["all"]["hidden_spikes"]


def summary(scores: Mapping) -> dict[str, float]:
    """Return the numbers of a network that tables show, in percent and points."""
    accuracy = scores["all"]["accuracy"]
    return {
        "accuracy, phase domain": 100 * scores["phase_accuracy"],
        "accuracy, spikes": 100 * accuracy,
        "accuracy, window": 100 * scores["window"]["accuracy"],
        "removed by the window": 100 * removed(scores),
        "lost by the window": 100 * (accuracy - scores["window"]["accuracy"]),
    }


def by_rule(scores: Mapping) -> dict[str, dict[str, float]]:
    """Return for each rule how much it removes for a point, and loses at 60 %, in percent."""
    curves = scores["curves"]
    found = {}
    for rule in list(curves)[1:]:
        end = max(each["removed"] for each in curves[rule])
        numbers = {"most removed for 1 point": 100 * most(curves, rule, POINTS)}
        if end >= 0.6:
            numbers["lost at 60 % removed"] = lost(curves, rule, 0.6)
        found[rule] = numbers
    return found


def claims(designs: Mapping[str, Design], found: Mapping[str, Mapping]) -> list[results.Claim]:
    """Return the claims about the networks for which an accuracy was promised."""
    return [
        claim
        for name, scores in found.items()
        if designs[name].accuracy is not None
        for claim in _of_one(name, designs[name].accuracy, scores)
    ]


def _of_one(name: str, accuracy: float, scores: Mapping) -> list[results.Claim]:
    numbers = summary(scores)
    difference = abs(numbers["accuracy, phase domain"] - numbers["accuracy, spikes"])
    made = [
        ("accuracy in spikes", scores["all"]["accuracy"], "", f">= {accuracy:g}"),
        ("accuracy difference between phase domain and spikes", difference, "points", "<= 0.5"),
        ("fraction of hidden spikes removed by the rhythm", removed(scores), "", ">= 0.6"),
        ("accuracy lost by that", numbers["lost by the window"], "points", f"<= {POINTS}"),
    ]
    return [results.Claim(f"{name}: {what}", *rest) for what, *rest in made]

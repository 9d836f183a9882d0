"""The choice of a network's coding precision and arousal, from runs on validation inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from nengo.exceptions import ValidationError

from nengo_phasor import arousal, metrics
from nengo_phasor.models.adaptive.spiking import BIN, DT, Seen

LOW_RATE = 10.0
"""The paper's low firing rate, in Hz."""

HIGH_RATE = 68.0
"""The paper's highest firing rate, in Hz."""

MARGIN = 0.95
"""The fraction of these rates to aim at, since other inputs cause more or fewer spikes."""


def coarsest(points: Mapping[float, Mapping[str, Any]], accuracy: float) -> float:
    """Return the largest m_f up to which every precision reaches a given accuracy.

    If the finest precision misses it, return the most accurate of all.
    """
    good = None
    for m_f in sorted(points):
        if points[m_f]["accuracy"] < accuracy:
            break
        good = m_f
    return max(points, key=lambda m_f: points[m_f]["accuracy"]) if good is None else good


def finest(points: Mapping[float, Mapping[str, Any]], firing_rate: float) -> float:
    """Return the smallest m_f whose firing rate is at most ``rate``, in Hz, or the largest m_f."""
    slow = [m_f for m_f, point in points.items() if point["firing_rate"] <= firing_rate]
    return min(slow, default=max(points))


def affordable(points: Mapping[float, Mapping[str, Any]]) -> float:
    """Return the finest precision that fires no faster than the paper's networks.

    This is for few validation inputs, whose accuracies hardly distinguish precisions.
    """
    return finest(points, MARGIN * HIGH_RATE)


class Candidate(NamedTuple):
    """A fitted arousal, with its firing rate (Hz) and accuracy as predicted from complete runs."""

    arousal: arousal.Arousal
    firing_rate: float
    accuracy: float


def foretell(
    how: arousal.Arousal, low: Seen, high: Seen, labels: np.ndarray, n_neurons: int
) -> Candidate:
    """Predict the result of a fitted arousal from complete runs at its two precisions."""
    window = low.classes.shape[1] * DT
    chosen = how.uncertain(low.outputs, BIN * DT)
    classes = np.where(chosen, high.classes[:, -1], low.classes[:, -1])
    rates = [metrics.firing_rate(s.spikes.sum(axis=1), n_neurons, window) for s in (low, high)]
    late = metrics.selectivity(chosen) * (1 - (how.wait + how.duration) / window)
    rate = rates[0] * (1 - late) + rates[1] * late
    return Candidate(how, rate, float(metrics.accuracy(classes, labels)))


def fit_arousal(
    runs: Mapping[float, Seen],
    high: float,
    labels: np.ndarray,
    n_neurons: int,
    accuracy: float,
    waits: Sequence[float] = (0.05, 0.1, 0.15),
    durations: Sequence[float] = (0.02, 0.05, 0.1),
    fractions: Sequence[float] = (0.9, 0.95, 0.99, 1.0),
) -> Candidate:
    """Return the arousal with the lowest firing rate that reaches a given accuracy.

    Both are predicted from ``runs`` at several precisions, on inputs outside the test set. If no
    arousal reaches the accuracy, the most accurate one is returned.

    Raises
    ------
    nengo.exceptions.ValidationError
        If no run has a lower precision than ``high``.
    """
    precise = runs[high].classes[:, -1]
    found = [
        foretell(
            arousal.Arousal(low, high, wait, duration).fit(
                seen.outputs, labels, precise, BIN * DT, fraction
            ),
            seen,
            runs[high],
            labels,
            n_neurons,
        )
        for low, seen in runs.items()
        if low > high
        for wait in waits
        for duration in durations
        for fraction in fractions
    ]
    if not found:
        raise ValidationError(
            f"no precision is lower than that of m_f = {high}: add larger m_f", "runs"
        )
    kept = [candidate for candidate in found if candidate.accuracy >= accuracy]
    if kept:
        return min(kept, key=lambda candidate: candidate.firing_rate)
    return max(found, key=lambda candidate: candidate.accuracy)

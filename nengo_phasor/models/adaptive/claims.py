"""What is promised of a measured network, and whether it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nengo_phasor import results


class Promise(NamedTuple):
    """How a claim's number is found in what `measure` returns, and its unit."""

    value: Callable[[Mapping[str, Any]], float]
    unit: str = ""


def _lost(found, which):
    """Return the points of accuracy that are lost on the way to spikes."""
    return 100 * (found["analog"]["accuracy"] - found[which]["accuracy"])


CLAIMS = {
    "analog accuracy": Promise(lambda found: found["analog"]["accuracy"]),
    "accuracy lost to spikes": Promise(lambda found: _lost(found, "precise"), "points"),
    "difference between spikes and analog": Promise(
        lambda found: abs(_lost(found, "precise")), "points"
    ),
    "firing rate": Promise(lambda found: found["precise"]["firing_rate"], "Hz"),
    "matching time": Promise(lambda found: found["precise"]["matching_time"], "s"),
    "accuracy at low firing rate": Promise(lambda found: found["sparse"]["accuracy"]),
    "accuracy lost at low firing rate": Promise(lambda found: _lost(found, "sparse"), "points"),
    "low firing rate": Promise(lambda found: found["sparse"]["firing_rate"], "Hz"),
    "accuracy lost with arousal": Promise(
        lambda found: _lost(found, "aroused") - _lost(found, "precise"), "points"
    ),
    "firing rate with arousal, of that without": Promise(
        lambda found: found["aroused"]["firing_rate"] / found["precise"]["firing_rate"]
    ),
}


def claims(
    found: Mapping[str, Any], title: str, bounds: Mapping[str, tuple[str, str]]
) -> list[results.Claim]:
    """Return what is promised of a measured network, in the order of ``bounds``.

    ``bounds`` has a bound and the paper's own number, which may be "", by names in `CLAIMS`.
    """
    return [
        results.Claim(f"{title}: {name}", promise.value(found), promise.unit, bound, paper)
        for name, (bound, paper) in bounds.items()
        for promise in (CLAIMS[name],)
    ]

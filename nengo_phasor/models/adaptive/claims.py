"""The targets for a measured network, and whether it meets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nengo_phasor import results


class Quantity(NamedTuple):
    """How to compute a claim's number from what `measure` returns, and its unit."""

    value: Callable[[Mapping[str, Any]], float]
    unit: str = ""


def _lost(found, which):
    """Return the accuracy lost in the conversion to spikes, in percentage points."""
    return 100 * (found["analog"]["accuracy"] - found[which]["accuracy"])


CLAIMS = {
    "analog accuracy": Quantity(lambda found: found["analog"]["accuracy"]),
    "accuracy lost in the conversion to spikes": Quantity(
        lambda found: _lost(found, "precise"), "points"
    ),
    "accuracy difference between spiking and analog network": Quantity(
        lambda found: abs(_lost(found, "precise")), "points"
    ),
    "firing rate": Quantity(lambda found: found["precise"]["firing_rate"], "Hz"),
    "matching time": Quantity(lambda found: found["precise"]["matching_time"], "s"),
    "accuracy at a low firing rate": Quantity(lambda found: found["sparse"]["accuracy"]),
    "accuracy lost at a low firing rate": Quantity(lambda found: _lost(found, "sparse"), "points"),
    "low firing rate": Quantity(lambda found: found["sparse"]["firing_rate"], "Hz"),
    "accuracy lost with arousal": Quantity(
        lambda found: _lost(found, "aroused") - _lost(found, "precise"), "points"
    ),
    "firing rate with arousal, relative to without": Quantity(
        lambda found: found["aroused"]["firing_rate"] / found["precise"]["firing_rate"]
    ),
}


def claims(
    found: Mapping[str, Any], title: str, bounds: Mapping[str, tuple[str, str]]
) -> list[results.Claim]:
    """Return the claims about a measured network, in the order of ``bounds``.

    ``bounds`` maps names in `CLAIMS` to the target and the paper's own number, which may be "".
    """
    return [
        results.Claim(f"{title}: {name}", quantity.value(found), quantity.unit, bound, paper)
        for name, (bound, paper) in bounds.items()
        for quantity in (CLAIMS[name],)
    ]

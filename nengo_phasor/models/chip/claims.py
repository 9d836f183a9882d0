"""The measurements on the emulator beside their targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nengo_phasor import results


def claims(found: Mapping[str, Any]) -> list[results.Claim]:
    """Return the claims, from the figures of the networks that were run."""
    made = []
    if "local rhythms" in found:
        dense, sparse = (found["local rhythms"][removed] for removed in ("0", "0.6"))
        fewer = "local rhythms, 60 % of the hidden spikes removed"
        made += [
            _lost("local rhythms: accuracy lost to fixed point", dense, dense, "<= 1.0"),
            results.Claim(
                "local rhythms: fraction of hidden spikes matched within one step",
                dense["hidden_matched"],
                "",
                ">= 0.99",
            ),
            results.Claim(
                "local rhythms: median phase error of the hidden layer",
                dense["phase_error"],
                "pi",
                "<= 0.02",
            ),
            _lost(f"{fewer}: accuracy lost to fixed point", sparse, sparse, "<= 1.5"),
            _lost(
                f"{fewer}: accuracy lost relative to all spikes in floating point",
                dense,
                sparse,
                "<= 1.5",
            ),
        ]
    if "adaptive" in found:
        part = found["adaptive"]
        made.append(_lost("adaptive digits: accuracy lost to fixed point", part, part, "<= 1.0"))
    return made


def _lost(name: str, floats: Mapping, chip: Mapping, bound: str) -> results.Claim:
    lost = 100 * (floats["accuracy_in_floats"] - chip["accuracy"])
    return results.Claim(name, lost, "points", bound)

"""Run both networks, and keep the results in a folder from which a later run can continue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nengo_phasor import datasets, energy
from nengo_phasor.models.adaptive.data import pixels
from nengo_phasor.models.chip.measure import arcs, run
from nengo_phasor.models.chip.pairs import M_F, SETS, adaptive_pair, rhythm_pair
from nengo_phasor.models.rhythms.network import PARAMS, encode
from nengo_phasor.models.shared.run_folder import open_run

REMOVED = {0.4: 4, 0.6: 1, 0.8: 4, 0.9: 4}
"""The fractions of the hidden spikes that are dropped by arc. Only one in n images is shown, where
n is the number behind the fraction, if there is no target."""

HELD = 500
"""The number of training images on which the arcs are chosen."""


def evaluate(
    images: int, data: Path | None, folder: Path, resume: bool, sets: Sequence[str] = SETS
) -> dict[str, Any]:
    """Run the networks on a number of images; return the figures."""
    open_run(folder, {"images": images, "m_f": M_F, "removed": list(REMOVED.items())}, resume)
    found = {}
    if "rhythms" in sets:
        found["local rhythms"] = rhythms_evaluated(images, data, folder)
    if "adaptive" in sets:
        found["adaptive"] = adaptive_evaluated(images, data, folder)
    return found


def rhythms_evaluated(images: int, data: Path | None, folder: Path) -> dict[str, Any]:
    """Return the figures of the phasor classifier, by the fraction of spikes to drop."""
    params = datasets.load_params(PARAMS)
    loaded = datasets.fashion_mnist(data)
    seed, spread = int(params["seed"]), float(params["spread"])
    x, y = encode(loaded.x_test[:images], seed, spread), loaded.y_test[:images]
    held = encode(loaded.x_train[:HELD], seed, spread)
    found = {}
    for removed, arc in {0.0: 0.0, **arcs(params, held, REMOVED)}.items():
        n = images // REMOVED.get(removed, 1)
        scores = run(rhythm_pair(params, arc), x[:n], y[:n], folder, f"arc-{removed:g}")
        found[f"{removed:g}"] = {"arc": arc, **scores}
    return found


def adaptive_evaluated(images: int, data: Path | None, folder: Path) -> dict[str, Any]:
    """Return the figures of the adaptive classifier."""
    loaded = datasets.mnist(data)
    x = pixels(loaded.x_test[:images]).reshape(images, -1).astype(float)
    pair = adaptive_pair()
    return {
        **run(pair, x, loaded.y_test[:images], folder, "adaptive"),
        "multiply_accumulates": energy.multiply_accumulates(pair.network),
    }

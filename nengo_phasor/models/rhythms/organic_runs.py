"""Score the trained networks of `local_rhythms` and `phase_sparsity` without a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import nengo
import numpy as np

from nengo_phasor import datasets, layerwise
from nengo_phasor.models.rhythms import organic
from nengo_phasor.models.rhythms.network import CYCLES, DT, encode
from nengo_phasor.models.shared.run_folder import kept, open_run

SINGLE = 3
"""The number of images that Nengo's own simulator runs one by one."""


def evaluate(
    params: Mapping[str, np.ndarray],
    folder: Path,
    data: datasets.Dataset,
    strengths: Mapping[str, Sequence[float]],
    disturbed: int,
    resume: bool,
) -> dict:
    """Score a network; with ``resume``, continue from the files in the folder, one for each rule.

    The first ``disturbed`` images are used for the robustness, which costs most.
    """
    settings = {
        "images": len(data.x_test),
        "disturbed": disturbed,
        "network": float(sum(np.abs(v).sum() for v in params.values())),
    }
    open_run(folder, settings, resume)
    x = encode(data.x_test, int(params["seed"]), float(params["spread"]))
    y = data.y_test
    curves = {
        rule: _curve(folder, params, x, y, rule, levels)
        for rule, levels in {organic.ALL: (0.0,), **strengths}.items()
    }
    robust = kept(
        folder / "robustness.json",
        lambda: organic.robustness(params, x[:disturbed], y[:disturbed]) if disturbed else {},
    )
    differences = kept(
        folder / "differences.json", lambda: {"spikes": differing_spikes(params, x[:SINGLE])}
    )
    return {
        "curves": organic.with_removed(curves),
        "robustness": robust,
        "differences": differences["spikes"],
    }


def _curve(folder, params, x, y, rule, levels) -> list[dict]:
    """Return the scores of a rule, which the folder keeps."""
    file = folder / f"{rule} {list(levels)}.json"
    return kept(file, lambda: {"scores": organic.curve(params, x, y, rule, levels)})["scores"]


def differing_spikes(params: Mapping[str, np.ndarray], x: np.ndarray) -> int:
    """Return how many spikes differ between nengo and layerwise, which run images one by one."""
    pairs = (pair for image in x for pair in zip(*_both(params, image), strict=True))
    return sum(int(np.sum(a != b)) for a, b in pairs)


def _both(params, image):
    net = organic.classifier(params, organic.COMPARED[1])
    net.input.output = image.astype(float)
    seen = []
    for sim_type in (nengo.Simulator, layerwise.Simulator):
        with sim_type(net.network, dt=DT, progress_bar=False) as sim:
            sim.run_steps(CYCLES * organic.STEPS)
            seen.append([np.squeeze(sim.data[p]) > 0 for p in (net.output, net.reference)])
    return seen

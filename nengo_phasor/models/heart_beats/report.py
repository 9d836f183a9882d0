"""Figures of the heart beats: accuracy against spikes, training, and a sequence with its spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nengo_phasor import layerwise, plots
from nengo_phasor.models.heart_beats.data import STEPS
from nengo_phasor.models.heart_beats.designs import Design
from nengo_phasor.models.heart_beats.network import DT, network
from nengo_phasor.plots.axes import styles


def draw(
    found: Mapping[str, Sequence[Mapping]],
    design: Design,
    params: Mapping[str, np.ndarray],
    events: np.ndarray,
    folder: Path,
) -> list[str]:
    """Draw the figures into the folder; return the names of the files.

    Parameters
    ----------
    found : mapping
        The scores of each design's runs; see `.runs.scored`.
    design : Design
        The design whose spikes are shown.
    params : mapping
        Its parameters.
    events : (1300, 4) ndarray
        The sequence that it receives.
    folder : path
        The folder.
    """
    scores = Figure(figsize=(8.0, 3.4), layout="constrained")
    draw_scores(scores, found)
    raster = Figure(figsize=(8.0, 4.4), layout="constrained")
    draw_raster(raster, design, params, events)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, figure in {"scores": scores, "raster": raster}.items():
        files.append(f"heart_beats_{name}.png")
        figure.savefig(folder / files[-1], dpi=150)
    return files


def draw_scores(figure: Figure, found: Mapping[str, Sequence[Mapping]]) -> None:
    """Draw accuracy against spikes of every run, and the first runs' accuracy over epochs."""
    left, right = figure.subplots(1, 2)
    for (name, runs), style in zip(found.items(), styles(), strict=False):
        points = [(run["test"]["spikes"], 100 * run["test"]["accuracy"]) for run in runs]
        left.plot(*np.transpose(points), label=name, **{**style, "linestyle": "none"})
        accuracies = 100 * np.array(runs[0]["accuracies"])
        right.plot(1 + np.arange(len(accuracies)), accuracies, **{**style, "marker": None})
    left.set(xlabel="spikes per sequence", ylabel="test accuracy (%)")
    left.legend(frameon=False)
    right.set(xlabel="epoch", ylabel="validation accuracy (%)", ylim=(60, None))


def draw_raster(
    figure: Figure, design: Design, params: Mapping[str, np.ndarray], events: np.ndarray
) -> None:
    """Draw the spikes of a sequence by frequency, above the outputs."""
    net = network(design, params)
    with layerwise.Simulator(net, dt=DT, progress_bar=False) as sim:
        seen = sim.predict({net.events: events[None]}, STEPS)
        resonance = sim.data[net.hidden.neurons].frequency if design.units else None
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    plots.spike_raster(seen[net.spikes][0], DT, ax=upper, resonance=resonance)
    lower.plot(DT * np.arange(1, STEPS + 1), seen[net.logits][0])
    lower.set(xlabel="time (s)", ylabel="outputs")

"""The figures of `local_rhythms`: accuracy against spikes left out, and phases that bunch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nengo_phasor import ResonateAndFire, convert, layerwise, phases, plots
from nengo_phasor.models.rhythms.network import DT, FREQUENCY, phase_network

TITLE = "Sparsifying a spiking network through its rhythm"

STORY = """A network of phasors learned FashionMNIST. Turned into resonate-and-fire neurons, it
gives its answer as the phase of spikes. Spikes close to the rhythm's reference carry little:
leaving them out costs little accuracy, where leaving out as many at random costs nearly all of
it."""

CAPTIONS = {
    "removed_silence.png": "Accuracy against spikes left out, a missing spike being silence.",
    "removed_reference.png": "The same, with receivers that assume it at the reference.",
    "cycles.png": "Accuracy at each cycle, all spikes sent.",
    "phases.png": "Phases of the hidden layer: the bias gathers them around the reference.",
    "spikes.png": "One input's spikes in the hidden layer: gathered phases are bunched spikes.",
}


def bunching(
    params: Mapping[str, np.ndarray], phase: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the hidden phases of all inputs and spikes of the first, without and with bias."""
    without = {**params, **{f"bias_{k}": 0 * params[f"bias_{k}"] for k in (0, 1)}}
    seen = {}
    for name, values in (("without bias", without), ("with bias", params)):
        net = phase_network(values)
        with layerwise.Simulator(net, dtype="float32") as sim:
            rows = sim.predict({net.input: phases.to_rows(phase).astype(np.float32)[:, None]})
        twin, new = convert.to_spiking(net, ResonateAndFire(FREQUENCY))
        with layerwise.Simulator(twin, dt=DT) as sim:
            spikes = sim.predict({new[net.input]: phase[:1, None]}, round(4 / (FREQUENCY * DT)))
        seen[name] = (
            phases.from_complex(phases.from_rows(rows[net.hidden][:, 0])),
            spikes[new[net.hidden]][0],
        )
    return seen


def draw(
    scores: Mapping, params: Mapping[str, np.ndarray], phase: np.ndarray, folder: Path
) -> list[str]:
    """Draw the figures of one network into the folder; return their files' names."""
    figures = {
        f"removed_{receiver}.png": Figure(figsize=(6, 4), layout="constrained")
        for receiver in scores["curves"]
    }
    for figure, curves in zip(figures.values(), scores["curves"].values(), strict=True):
        series = {
            name: ([p["removed"] for p in curve], [p["accuracy"] for p in curve])
            for name, curve in curves.items()
        }
        plots.accuracy_against_removed(
            series, ax=figure.add_subplot(), baseline=scores["spiking_accuracy"]
        )
    figures["cycles.png"] = figure = Figure(figsize=(6, 4), layout="constrained")
    plots.accuracy_over_cycles({"all spikes": scores["accuracy_per_cycle"]}, figure.add_subplot())
    figures["phases.png"], figures["spikes.png"] = bunched(params, phase)
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=150)
    return list(figures)


def bunched(params: Mapping[str, np.ndarray], phase: np.ndarray) -> tuple[Figure, Figure]:
    """Return what `bunching` finds, as histograms of phases and as rasters of spikes."""
    histograms = Figure(figsize=(6, 4), layout="constrained")
    rasters = Figure(figsize=(7, 6), layout="constrained")
    axes = histograms.add_subplot()
    for k, (name, (hidden, spikes)) in enumerate(bunching(params, phase).items()):
        plots.phase_histogram(hidden, ax=axes, label=name)
        axis = rasters.add_subplot(2, 1, k + 1)
        plots.spike_raster(spikes, DT, FREQUENCY, ax=axis)
        axis.set_title(f"hidden layer {name}")
    axes.legend()
    return histograms, rasters

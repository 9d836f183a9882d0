"""What the system of `local_rhythms` shows: its figures, and its numbers beside the paper's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from local_rhythms import CYCLE, DT, FREQUENCY, accuracy_at, phase_network
from matplotlib.figure import Figure

import nengo_phasor
from nengo_phasor import convert, phases, plots, results

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


def bunching(params: dict, phase: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the hidden phases of all inputs and spikes of the first, without and with bias."""
    without = {**params, **{f"bias_{k}": 0 * params[f"bias_{k}"] for k in (0, 1)}}
    seen = {}
    for name, values in (("without bias", without), ("with bias", params)):
        net = phase_network(values)
        with nengo_phasor.layerwise.Simulator(net, dtype="float32") as sim:
            rows = sim.predict({net.input: phases.to_rows(phase).astype(np.float32)[:, None]})
        twin, new = convert.to_spiking(net, nengo_phasor.ResonateAndFire(FREQUENCY))
        with nengo_phasor.layerwise.Simulator(twin, dt=DT) as sim:
            spikes = sim.predict({new[net.input]: phase[:1, None]}, round(4 / (FREQUENCY * DT)))
        seen[name] = (
            phases.from_complex(phases.from_rows(rows[net.hidden][:, 0])),
            spikes[new[net.hidden]][0],
        )
    return seen


def draw(scores: dict, params: dict, phase: np.ndarray, folder: Path) -> list[str]:
    """Draw the figures of one network into the folder; return their files' names."""
    figures = {}
    for receiver, curves in scores["curves"].items():
        figure = figures[f"removed_{receiver}.png"] = Figure(figsize=(6, 4), layout="constrained")
        series = {
            name: ([p["removed"] for p in curve], [p["accuracy"] for p in curve])
            for name, curve in curves.items()
        }
        plots.accuracy_against_removed(
            series, ax=figure.add_subplot(), baseline=scores["spiking_accuracy"]
        )
    figures["cycles.png"] = figure = Figure(figsize=(6, 4), layout="constrained")
    plots.accuracy_over_cycles({"all spikes": scores["accuracy_per_cycle"]}, figure.add_subplot())
    histograms = figures["phases.png"] = Figure(figsize=(6, 4), layout="constrained")
    rasters = figures["spikes.png"] = Figure(figsize=(7, 6), layout="constrained")
    axes = histograms.add_subplot()
    for k, (name, (hidden, spikes)) in enumerate(bunching(params, phase).items()):
        plots.phase_histogram(hidden, ax=axes, label=name)
        axis = rasters.add_subplot(2, 1, k + 1)
        plots.spike_raster(spikes, DT, FREQUENCY, ax=axis)
        axis.set_title(f"hidden layer {name}")
    axes.legend()
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=150)
    return list(figures)


def summary(scores: dict) -> dict[str, float]:
    """Return the numbers of one network that are looked at first."""
    numbers = {
        "accuracy, phase domain": scores["phase_accuracy"],
        f"accuracy, spiking, cycle {CYCLE + 1}": scores["spiking_accuracy"],
    }
    for receiver, curves in scores["curves"].items():
        for name, curve in curves.items():
            numbers[f"60 % removed, {name}, missing spike is {receiver}"] = accuracy_at(curve, 0.6)
    return numbers


def drops(runs: list[dict], removed: float = 0.6) -> dict[str, dict[str, float]]:
    """Return the points of accuracy lost where a fraction of spikes is removed: means of seeds."""
    return {
        receiver: {
            name: 100
            * _mean(
                runs,
                lambda run, r=receiver, n=name: (
                    run["spiking_accuracy"] - accuracy_at(run["curves"][r][n], removed)
                ),
            )
            for name in curves
        }
        for receiver, curves in runs[0]["curves"].items()
    }


def claims(runs_of: dict[str, list[dict]]) -> list[results.Claim]:
    """Return what was promised of the network, beside what was measured: means over the seeds."""
    found = [
        results.Claim(
            f"phase-domain accuracy, {recipe} recipe",
            _mean(runs_of[recipe], lambda run: run["phase_accuracy"]),
            "",
            bound,
            "85.3 %, section 2.3",
        )
        for recipe, bound in (("paper", ">= 0.853"), ("long", ">= 0.875"))
    ]
    for recipe, runs in runs_of.items():
        worst = max(100 * abs(run["phase_accuracy"] - run["spiking_accuracy"]) for run in runs)
        title = f"phase domain to spiking, {recipe} recipe, worst seed"
        found.append(results.Claim(title, worst, "points", "<= 0.5"))
    lost = drops(runs_of["long"])["reference"]
    for name, bound in (("arc", "<= 1.0"), ("field", "<= 1.5"), ("random", ">= 30")):
        place = "Figure 4" if name == "random" else "Figure 4: little change up to about 60 %"
        title = f"accuracy lost at 60 % removed, {name}, long recipe"
        found.append(results.Claim(title, lost[name], "points", bound, place))
    return found


def _mean(runs, value):
    return float(np.mean([value(run) for run in runs]))

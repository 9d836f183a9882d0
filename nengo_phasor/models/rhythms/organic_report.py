"""The figures of networks without a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import nengo
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nengo_phasor import RhythmSparsifier, convert, datasets, phases, plots
from nengo_phasor.models.rhythms.network import CYCLES, DT, FREQUENCY, encode, phase_network
from nengo_phasor.models.rhythms.organic import ALL, AMOUNTS, STEPS, detune, simulator
from nengo_phasor.neurons import ResonateAndFire
from nengo_phasor.plots.axes import styles

WINDOW = 0.3
SHOWN = 40
"""The number of hidden neurons in the raster."""

FREQUENCIES = np.arange(8.0, 12.01, 0.5)


def draw(
    found: Mapping[str, Sequence[Mapping]],
    params: Mapping[str, np.ndarray],
    data: datasets.Dataset,
    folder: Path,
) -> list[str]:
    """Draw the figures of the first network of each recipe; return the names of the files.

    ``params`` are those of the first network trained without a cost of spikes.
    """
    x = encode(data.x_test[:1], int(params["seed"]), float(params["spread"]))
    plain, paying = (networks[0] for networks in found.values())
    drawings: dict[str, tuple[tuple[float, float], Callable[[Figure], None]]] = {
        "raster": ((8.0, 4.4), lambda figure: draw_raster(figure, params, x)),
        "spectrum": ((6.4, 3.6), lambda figure: draw_spectrum(figure.add_subplot(), params, x)),
        "frequency": ((6.4, 3.6), lambda figure: draw_frequency(figure.add_subplot(), params, x)),
        "removed": (
            (9.0, 4.0),
            lambda figure: draw_removed(figure, {"no cost": plain, "a cost of spikes": paying}),
        ),
    }
    if plain["robustness"]:
        drawings["robustness"] = (
            (9.0, 3.6),
            lambda figure: draw_robustness(figure, plain["robustness"]),
        )
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, (size, drawn) in drawings.items():
        figure = Figure(figsize=size, layout="constrained")
        drawn(figure)
        files.append(f"local_rhythm_{name}.png")
        figure.savefig(folder / files[-1], dpi=150)
    return files


def seen(
    params: Mapping[str, np.ndarray], x: np.ndarray, window: float, frequency: float = FREQUENCY
) -> tuple[np.ndarray, ...]:
    """Return the rasters of an image: all hidden spikes, those sent, and the unit's."""
    old = phase_network(params)
    hidden, _ = old.classifier.layers
    twin, new = convert.to_spiking(
        old, ResonateAndFire(FREQUENCY), rhythm=RhythmSparsifier(window), assume_reference=True
    )
    rhythm = new[hidden.output]
    with twin:
        probes = [nengo.Probe(each) for each in (rhythm.layer, rhythm.sent, rhythm.unit.neurons)]
    detune(twin, frequency)
    with simulator(twin) as sim:
        rasters = sim.predict({new[old.input]: x[:, None]}, CYCLES * STEPS)
    return tuple(rasters[probe][0] * DT for probe in probes)


def draw_raster(figure: Figure, params: Mapping[str, np.ndarray], x: np.ndarray) -> None:
    """Draw the spikes of hidden neurons and of the unit, and the unit's phase on the circle."""
    every, sent, unit = seen(params, x, WINDOW)
    raster, circle = figure.subplots(1, 2, width_ratios=(2.2, 1))
    last = slice(-4 * STEPS, None)
    for spikes, color in ((every, "0.75"), (sent, "black")):
        steps, neurons = np.nonzero(spikes[last, :SHOWN])
        raster.plot(steps * DT * 1000, neurons, "|", color=color, markersize=4)
    for step in np.flatnonzero(unit[last, 0]):
        raster.axvline(step * DT * 1000, color="tab:red", linewidth=1)
    raster.set(xlabel="time in the last four cycles (ms)", ylabel="hidden neuron", ylim=(-1, SHOWN))
    relative = phases.from_reference(every, unit, FREQUENCY, DT, CYCLES - 2)[-1]
    plots.unit_circle(relative, ax=circle)
    circle.plot(1, 0, "o", color="tab:red", markersize=9)
    circle.set_title("phases relative to the unit")


def draw_spectrum(axes: Axes, params: Mapping[str, np.ndarray], x: np.ndarray) -> None:
    """Draw the spectra of the layer's activity with all spikes, and with those that are sent."""
    every, sent, _ = seen(params, x, WINDOW)
    steady = slice(2 * STEPS, None)
    for spikes, name, style in (
        (every, "all spikes", plots.STYLES[0]),
        (sent, f"sent, window {WINDOW:g}", plots.STYLES[1]),
    ):
        activity = spikes[steady].mean(axis=1)
        power = np.abs(np.fft.rfft(activity - activity.mean())) ** 2 / len(activity)
        frequencies = np.fft.rfftfreq(len(activity), DT)
        shown = (frequencies > 0) & (frequencies <= 60)
        axes.semilogy(frequencies[shown], power[shown], label=name, **{**style, "marker": None})
    axes.set(xlabel="frequency (Hz)", ylabel="power of the layer's mean activity")
    axes.set_ylim(bottom=axes.get_ylim()[0] / 100)
    axes.legend(frameon=False, loc="lower right")


def rhythm_frequency(unit: np.ndarray) -> float:
    """Return the frequency of a unit's spikes in Hz, from the times of its last ones."""
    (steps,) = np.nonzero(unit[3 * STEPS :, 0])
    return float(1 / (np.diff(steps).mean() * DT))


def draw_frequency(axes: Axes, params: Mapping[str, np.ndarray], x: np.ndarray) -> None:
    """Draw the frequency of the unit's spikes against that of the neurons, for an input at 10 Hz.

    Neurons that are driven by a rhythm follow it, so that the unit does as well.
    """
    measured = [rhythm_frequency(seen(params, x, 0.06, each)[2]) for each in FREQUENCIES]
    axes.plot(FREQUENCIES, measured, **plots.STYLES[0])
    axes.plot(FREQUENCIES, FREQUENCIES, color="0.6", linestyle=":", linewidth=1)
    axes.axhline(FREQUENCY, color="0.6", linestyle="--", linewidth=1)
    axes.set(xlabel="frequency of the neurons (Hz)", ylabel="frequency of the rhythm unit (Hz)")


def draw_removed(figure: Figure, networks: Mapping[str, Mapping]) -> None:
    """Draw accuracy against hidden spikes removed, for each rule and network."""
    for axes, (title, network) in zip(
        figure.subplots(1, len(networks), sharey=True), networks.items(), strict=True
    ):
        curves = network["curves"]
        (dense,) = curves[ALL]
        axes.axhline(100 * dense["accuracy"], color="0.6", linestyle=":", linewidth=1)
        rules = [rule for rule in curves if rule != ALL]
        for rule, style in zip(rules, styles(), strict=False):
            points = np.array(sorted((p["removed"], p["accuracy"]) for p in curves[rule]))
            axes.plot(*100 * points.T, label=rule, **{**style, "markersize": 4})
        axes.set(xlabel="hidden spikes removed (%)", title=f"trained with {title}", ylim=(70, 90))
    figure.axes[0].set_ylabel("accuracy (%)")
    figure.axes[0].legend(frameon=False)


def draw_robustness(figure: Figure, robustness: Mapping[str, Mapping]) -> None:
    """Draw accuracy against each disturbance."""
    names = {
        "jitter of input spikes": "jitter (units of π)",
        "input spikes lost": "input spikes lost",
        "detuning of the neurons": "detuning",
    }
    for axes, (name, by_rule) in zip(
        figure.subplots(1, len(robustness), sharey=True, squeeze=False)[0],
        robustness.items(),
        strict=True,
    ):
        for (rule, accuracies), style in zip(by_rule.items(), plots.STYLES, strict=False):
            axes.plot(AMOUNTS[name], 100 * np.array(accuracies), label=rule, **style)
        axes.set(xlabel=names[name])
    figure.axes[0].set_ylabel("accuracy (%)")
    figure.axes[0].legend(frameon=False)

"""The figures of the network: the paper's figures 2, 4 and 5, and its tables 5 and 6."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nengo_phasor import atomic, plots
from nengo_phasor.models.factorized import measure
from nengo_phasor.models.factorized.measure import PERCENTILES, Pathways
from nengo_phasor.models.factorized.network import (
    CLAIMED,
    DT,
    N_IN,
    PERIOD,
    VARIANTS,
    K,
    N,
    network,
    run,
    signal,
)
from nengo_phasor.models.shared import page

TITLE = "A single-layer spiking network made deep"

STORY = """Four sines drive integrate-and-fire neurons, which drive a layer of {n} through random
weights. Written as a product, the weights become two layers. The output is the same except for a
ripple: {title}, {claimed}."""

CAPTIONS = {
    "factorized_signals.png": "The input, the outputs of the four input neurons behind an alpha "
    "filter of 20 ms, and their spikes (the paper's figure 2).",
    "factorized_pathways.png": "The outputs of the single-layer and the deep network behind the "
    "same filter, and that of neurons whose rates are proportional to their currents (figure 4).",
    "factorized_error.png": "The difference between the two outputs over the last whole period of "
    "the input (figure 5).",
    "factorized_resets.png": "The outputs for each kind of reset: losses at resets to zero "
    "shift the output, and spikes that are spread lose less but arrive late.",
}


def signals(seed: int) -> Figure:
    """Draw the input and its neurons' outputs and spikes."""
    net = network(seed, VARIANTS["subtract"])
    sent, spikes = run(net, net.inputs, net.spikes)
    times = DT * np.arange(1, len(sent) + 1)
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    inputs = np.array([signal(t) for t in times])
    for k, style in zip(range(N_IN), plots.STYLES, strict=True):
        look = {**style, "marker": None, "label": f"n = {k}"}
        axes[0].plot(times, inputs[:, k], **look)
        axes[1].plot(times, sent[:, k] / K, **look)
    axes[0].set(ylabel="input x")
    axes[0].legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    axes[1].set(ylabel="output of X / k")
    plots.spike_raster(spikes, DT, ax=axes[2])
    return figure


def pathways(seen: Pathways) -> Figure:
    """Draw the outputs of both networks."""
    times = DT * np.arange(1, len(seen.single) + 1)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    series = {
        "single layer": seen.single,
        "deep": seen.deep[CLAIMED],
        "proportional rates": seen.ideal,
    }
    for (label, psp), style in zip(series.items(), plots.STYLES, strict=False):
        axes.plot(times, psp, **{**style, "marker": None}, linewidth=1.2, label=label)
    axes.axvspan(times[-1] - PERIOD, times[-1], color="0.92", zorder=0, label="compared")
    axes.set(xlim=(0, times[-1]), xlabel="time (s)", ylabel="post-synaptic potential (Hz)")
    axes.legend(frameon=False)
    return figure


def distribution(error: np.ndarray) -> Figure:
    """Draw the distribution of the difference."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.hist(error, 40, density=True, color="0.75")
    axes.axvline(error.mean(), color="black", label=f"mean {error.mean():.3f} %")
    label = f"percentiles {', '.join(map(str, PERCENTILES))}"
    for value in np.percentile(error, PERCENTILES):
        axes.axvline(value, color="#0072b2", linestyle=":", label=label)
        label = None
    axes.set(xlabel="error (% of the mean output)", ylabel="density (1/%)")
    axes.legend(frameon=False)
    return figure


def resets(by_variant: dict[str, Pathways]) -> Figure:
    """Draw the outputs for each kind of reset."""
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots(len(by_variant), 1, sharex=True)
    for ax, (name, seen) in zip(axes, by_variant.items(), strict=True):
        times = DT * np.arange(1, len(seen.single) + 1)
        series = {
            "single layer": seen.single,
            "deep, PLU": seen.deep[CLAIMED],
            "deep, NMF": seen.deep["nmf"],
        }
        for (label, psp), style in zip(series.items(), plots.STYLES, strict=False):
            ax.plot(times, psp, **{**style, "marker": None}, linewidth=1.2, label=label)
        ax.plot(times, seen.ideal, color="0.6", linewidth=1, label="proportional rates")
        ax.set(xlim=(0, times[-1]), ylabel="PSP (Hz)", title=VARIANTS[name].title)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    axes[-1].set(xlabel="time (s)")
    return figure


def draw(folder: Path, seed: int, seen: dict[str, Pathways] | None = None) -> list[Path]:
    """Draw all figures of one seed into the folder; return the files."""
    seen = simulate(seed) if seen is None else seen
    subtract = seen["subtract"]
    figures = {
        "factorized_signals.png": signals(seed),
        "factorized_pathways.png": pathways(subtract),
        "factorized_error.png": distribution(
            measure.errors(subtract.single, subtract.deep[CLAIMED])
        ),
        "factorized_resets.png": resets(seen),
    }
    for name, figure in figures.items():
        with atomic.replacing(folder / name) as place:
            figure.savefig(place, dpi=100, format="png")
    return [folder / name for name in figures]


def simulate(seed: int) -> dict[str, Pathways]:
    """Run one seed's networks in each variant."""
    return {name: measure.simulate(seed, variant) for name, variant in VARIANTS.items()}


def write(folder: Path, seed: int) -> Path:
    """Draw the figures, write the page with figures and tables, and return its path."""
    seen = simulate(seed)
    draw(folder, seed, seen)
    subtract = seen["subtract"]
    error = measure.errors(subtract.single, subtract.deep[CLAIMED])
    numbers = {"error, mean": error.mean()}
    for percentile, value in zip(PERCENTILES, np.percentile(error, PERCENTILES), strict=True):
        numbers[f"error, percentile {percentile}"] = value
    for name, one in seen.items():
        for label, psp in (("single layer", one.single), ("deep", one.deep[CLAIMED])):
            off = measure.off_ideal(psp, one.ideal)
            numbers[f"{VARIANTS[name].title}: {label}, off proportional rates"] = off
    shown = ("neurons", "synapses", "nonzero_synapses", "parameters")
    rows = [(name, *(size[key] for key in shown)) for name, size in measure.sizes(seed).items()]
    columns = ("network", "neurons", "synapses", "weights other than 0", "parameters")
    sizes = page.Section("Sizes", columns=columns, rows=rows)
    fractions = {name: value / 100 for name, value in numbers.items()}
    errors = page.Section("Outputs", rows=page.percentages(fractions), pictures=CAPTIONS)
    story = STORY.format(n=N, title=VARIANTS["subtract"].title, claimed=CLAIMED)
    return page.write(folder, TITLE, story, [errors, sizes], {"seed": seed})

"""The figures: rasters in floating point and in fixed point, accuracy and energy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nengo_phasor import datasets, layerwise, plots
from nengo_phasor.loihi import emulator, readout
from nengo_phasor.models.chip.pairs import DT, rhythm_pair
from nengo_phasor.models.rhythms import network as rhythms
from nengo_phasor.models.shared import page

TITLE = "Trained networks on the nengo-loihi emulator"

STORY = """Resonate-and-fire neurons and adaptive neurons run in integer arithmetic, as on a chip:
states have 24 bits, factors 12, and weights 8. Their spikes are those of the network in
double precision, to within one step."""

CAPTIONS = {
    "rasters.png": "One garment in the hidden layer: in double precision, and in fixed point.",
    "removed.png": "Accuracy, and synaptic operations behind the hidden layer, against dropped "
    "hidden spikes.",
    "energy.png": "Energy per image on Loihi, by kind of operation.",
}


def rasters(figure: Figure, n_cycles: int = 3, n_neurons: int = 40) -> None:
    """Draw a garment's hidden spikes on both substrates."""
    params = datasets.load_params(rhythms.PARAMS)
    x = rhythms.encode(params["images"][:1], int(params["seed"]), float(params["spread"]))
    pair = rhythm_pair(params)
    n_steps = round(n_cycles / (rhythms.FREQUENCY * DT))
    with layerwise.Simulator(pair.network, dt=DT, progress_bar=False) as sim:
        expected = sim.predict({pair.source: x[:, None]}, n_steps)[pair.hidden][0]
    pair.source.output = x[0]
    with emulator.Simulator(pair.network, dt=DT, target="sim") as sim:
        sim.run_steps(n_steps + readout.latency(sim, pair.hidden))
    found = readout.in_time(sim, pair.hidden)
    for ax, title, raster in zip(
        figure.subplots(2, 1, sharex=True),
        ("double precision", "fixed point"),
        (expected, found),
        strict=True,
    ):
        plots.spike_raster(raster[:, :n_neurons], DT, rhythms.FREQUENCY, ax=ax)
        ax.set_title(title)


def removed(found: Mapping[str, Any], figure: Figure) -> None:
    """Draw accuracy and operations against the fraction of dropped hidden spikes."""
    curve = found["local rhythms"]
    x = [point["hidden_removed"] for point in curve.values()]
    left, right = figure.subplots(1, 2)
    for key, label, style in (
        ("accuracy_in_floats", "double precision", "o-"),
        ("accuracy", "fixed point", "s--"),
    ):
        left.plot(x, [point[key] for point in curve.values()], style, label=label)
    left.set(xlabel="hidden spikes dropped", ylabel="accuracy")
    left.legend()
    counts = [point["operations"]["synapse_of_output"] for point in curve.values()]
    right.plot(x, counts, "s--", color="C1")
    right.set(xlabel="hidden spikes dropped", ylabel="synaptic operations of the output", ylim=0)


def energies(found: Mapping[str, Any], figure: Figure) -> None:
    """Draw the energy per image of each network."""
    rows = {}
    if "local rhythms" in found:
        rows |= {
            f"local rhythms, {point['hidden_removed']:.0%} dropped": point["energy"]
            for point in found["local rhythms"].values()
        }
    if "adaptive" in found:
        rows["adaptive digits"] = found["adaptive"]["energy"]
    plots.energy_bars(rows, figure.add_subplot())


def write(found: Mapping[str, Any], folder: Path) -> Path:
    """Draw all figures into the folder, write its page, and return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {"rasters.png": (7, 6), "removed.png": (8, 3.6), "energy.png": (7, 3.6)}
    figures = {name: Figure(figsize=size, layout="constrained") for name, size in sizes.items()}
    energies(found, figures["energy.png"])
    if "local rhythms" in found:
        rasters(figures["rasters.png"])
        removed(found, figures["removed.png"])
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=120)
    numbers = {}
    for point in found.get("local rhythms", {}).values():
        name = f"local rhythms, {point['hidden_removed']:.0%} of the hidden spikes dropped"
        numbers[f"{name}: accuracy in double precision"] = point["accuracy_in_floats"]
        numbers[f"{name}: accuracy in fixed point"] = point["accuracy"]
        numbers[f"{name}: fraction of hidden spikes matched within one step"] = point[
            "hidden_matched"
        ]
    if "adaptive" in found:
        numbers["adaptive digits: accuracy in double precision"] = found["adaptive"][
            "accuracy_in_floats"
        ]
        numbers["adaptive digits: accuracy in fixed point"] = found["adaptive"]["accuracy"]
    section = page.Section(rows=page.percentages(numbers), pictures=CAPTIONS)
    return page.write(folder, TITLE, STORY, [section])

"""The page of `local_rhythms`: garments, phases, spikes, and what dropping spikes costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nengo_phasor import ResonateAndFire, convert, datasets, layerwise, phases, plots
from nengo_phasor.models.rhythms import pictures
from nengo_phasor.models.rhythms.cost import REMOVED, cost, nearest
from nengo_phasor.models.rhythms.data import one_of_each
from nengo_phasor.models.rhythms.network import DT, FREQUENCY, encode, phase_network
from nengo_phasor.models.rhythms.sweep import accuracy_at
from nengo_phasor.models.shared.page import Section, write

TITLE = "Which spikes can go? A network that computes in rhythm"

LEAD = """A small network recognises garments by the timing of spikes within a shared rhythm. Spikes
close to the rhythm's reference carry little information, so a sparsifier can drop them. This page
follows garments through the network and shows what dropping spikes costs."""

SECTIONS = {
    "garments": (
        "1. Garments are the input",
        "One test image of each class, with the network's answer above it. The network was trained "
        "without spikes, on phases, and then turned into resonate-and-fire neurons with the same "
        "weights.",
    ),
    "phases": (
        "2. Pixels become phases",
        "A fixed random projection turns the 784 pixels of an image into 1,024 phases: points on "
        "a circle. The hidden layer answers with 128 phases, most of them close to the reference "
        "on the right. The class is the output nearest to 1/2, at the top.",
    ),
    "spikes": (
        "3. Phases are spikes, and many can go",
        "Each dot of the circle is a spike at its moment of every cycle. The pictures show the "
        "hidden layer's spikes for the garment above: black spikes are sent, pale red ones are "
        "dropped. The arc drops spikes close to the reference (dotted), the field those that come "
        "while the layer's summed activity rises fastest, and the third sparsifier drops spikes "
        "at random.",
    ),
    "accuracy": (
        "4. The cost in accuracy",
        "Accuracy on all scored test images against the fraction of the spikes of both layers "
        "that is dropped. A receiver can treat a missing spike as silence, or it can assume that "
        "the neuron spiked at the reference, which is where the dropped spikes were.",
    ),
    "energy": (
        "5. The saving in energy",
        "Synaptic operations for one image, priced with published figures for the Loihi chip (see "
        "docs/energy.md). Only the hidden layer's spikes are dropped in transit, and a receiver "
        "that assumes the reference needs two operations for each spike that it receives. In a "
        "network this small, most energy goes into the input's 1,024 neurons, which spike in every "
        "cycle: a whole image takes {dense:.2f} µJ with all spikes and {sparse:.2f} µJ with the "
        "arc. The saving grows with the number of layers behind a sparsifier.",
    ),
    "details": (
        "6. A closer look",
        "The accuracy over the cycles, and the hidden layer's phases and spikes without "
        "and with its bias. Phases that gather around the reference are spikes that come together.",
    ),
}

NAMES = {"arc": "by arc", "field": "by field", "random": "at random"}

LINKS = {
    "Watch it run in Nengo GUI": "nengo networks/local_rhythms.py",
    "A network that was trained to need fewer spikes": "python networks/phase_sparsity.py demo",
    "The same network in fixed point, on the chip's emulator": "python networks/on_chip.py demo",
    "Build the documentation": "make docs",
    "Nengo": "https://www.nengo.ai",
}


Drawn = dict[str, tuple[Figure, str]]
"""Figures with their captions, by file name."""


def page(
    folder: Path,
    scores: Mapping,
    params: Mapping[str, np.ndarray],
    data: datasets.Dataset,
    facts: Mapping[str, Any],
) -> Path:
    """Draw the pictures and write the page that tells the story; return its path.

    Parameters
    ----------
    folder : path
        The folder to write to.
    scores : dict
        The scores of the network, as returned by `.runs.scored`.
    params : dict
        The parameters of the network.
    data : Dataset
        The test images, and the names of the classes.
    facts : dict
        The facts about the run, such as its recipe and seed.
    """
    drawn = draw(scores, params, data)
    for name, (figure, _) in (item for figures in drawn.values() for item in figures.items()):
        figure.savefig(folder / name, dpi=160)
    rows, joules = _costs(scores)
    tables: dict[str, dict] = {"energy": {"columns": COLUMNS, "rows": rows}}
    sections = [
        Section(
            heading,
            text.format(**joules),
            {name: caption for name, (_, caption) in drawn[key].items()},
            **tables.get(key, {}),
        )
        for key, (heading, text) in SECTIONS.items()
    ]
    return write(folder, TITLE, LEAD, sections, {**headline(scores), **facts}, LINKS)


def headline(scores: Mapping) -> dict[str, str]:
    """Return the most important accuracies."""
    curves = scores["curves"]["reference"]
    accuracies = {"accuracy, all spikes": scores["spiking_accuracy"]}
    for name in ("arc", "random"):
        words = f"{REMOVED:.0%} of the spikes dropped, {NAMES[name]}"
        accuracies[words] = accuracy_at(curves[name], REMOVED)
    return {name: f"{accuracy:.1%}" for name, accuracy in accuracies.items()}


def draw(
    scores: Mapping, params: Mapping[str, np.ndarray], data: datasets.Dataset
) -> dict[str, Drawn]:
    """Draw the pictures of each section."""
    labels = np.arange(len(data.classes))
    seen = pictures.look(params, one_of_each(data))
    right = np.flatnonzero(seen.answers == labels)
    shown = int(right[-1]) if len(right) else 0
    garments = Figure(figsize=(5.0, 2.9), layout="constrained")
    pictures.draw_garments(garments, seen, labels, data.classes)
    return {
        "garments": {"garments.png": (garments, "Test images and the network's answers.")},
        "phases": _phases(seen, shown, data.classes),
        "spikes": _rasters(scores, seen.spikes[shown]),
        "accuracy": _curves(scores),
        "energy": _energy(scores),
        "details": _details(scores, params, data.x_test[:1000]),
    }


def _phases(seen: pictures.Seen, shown: int, classes: Sequence[str]) -> Drawn:
    """Draw one garment in the network: its pixels, and the phases of each layer."""
    image = Figure(figsize=(3.6, 3.2), layout="constrained")
    pictures.draw_image(image, seen.images[shown])
    drawn: Drawn = {"image.png": (image, f"The image: {classes[shown]}.")}
    for name, phase, caption in (
        ("input", seen.inputs, "The input: 1,024 phases."),
        ("hidden", seen.hidden, "The hidden layer: 128 phases."),
        ("output", seen.outputs, f"The output: the one nearest to 1/2 is {classes[shown]}."),
    ):
        figure = Figure(figsize=(3.6, 3.2), layout="constrained")
        pictures.draw_circle(figure, phase[shown])
        drawn[f"{name}.png"] = (figure, caption)
    return drawn


def _rasters(scores: Mapping, spikes: np.ndarray) -> Drawn:
    """Draw the hidden layer's spikes, all of them and behind each sparsifier."""
    drawn: Drawn = {}
    for name in ("", *NAMES):
        figure = Figure(figsize=(4.8, 3.2), layout="constrained")
        ax = figure.add_subplot()
        if name:
            point = nearest(scores["curves"]["reference"][name])
            dropped = pictures.draw_raster(ax, spikes, name, point["strength"])
            caption = (
                f"Dropped {NAMES[name]}: {dropped:.0%} of this "
                f"garment's hidden spikes. Accuracy on all images: {point['accuracy']:.1%}."
            )
        else:
            pictures.draw_raster(ax, spikes)
            caption = f"All spikes. Accuracy on all images: {scores['spiking_accuracy']:.1%}."
        drawn[f"raster_{name or 'all'}.png"] = (figure, caption)
    return drawn


def _curves(scores: Mapping) -> Drawn:
    """Draw accuracy against spikes removed, for each kind of receiver."""
    captions = {
        "reference": "The receiver assumes that missing spikes were at the reference.",
        "silence": "The receiver treats a missing spike as silence.",
    }
    drawn: Drawn = {}
    for receiver, caption in captions.items():
        series = {
            NAMES[name]: ([p["removed"] for p in curve], [p["accuracy"] for p in curve])
            for name, curve in scores["curves"][receiver].items()
        }
        figure = Figure(figsize=(5, 3.6), layout="constrained")
        baseline = scores["spiking_accuracy"]
        plots.accuracy_against_removed(series, ax=figure.add_subplot(), baseline=baseline)
        drawn[f"removed_{receiver}.png"] = (figure, caption)
    return drawn


COLUMNS = (
    "",
    "spikes dropped",
    "accuracy",
    "hidden spikes sent",
    "operations behind the hidden layer",
    "their energy",
)


def _cases(scores: Mapping) -> dict[str, tuple[Mapping, bool]]:
    """Return the points whose energy is computed, and whether their receivers assume spikes."""
    curves = scores["curves"]["reference"]
    cases = {"all spikes": (next(iter(curves.values()))[0], False)}
    return cases | {NAMES[name]: (nearest(curve), True) for name, curve in curves.items()}


def _costs(scores: Mapping) -> tuple[list[tuple[str, ...]], dict[str, float]]:
    """Return the table of costs, and the energy of a whole image in microjoules."""
    rows, joules = [], {}
    for name, (point, assumed) in _cases(scores).items():
        found = cost(point, assumed)
        joules[name] = 1e6 * found.joules
        rows.append(
            (
                name,
                f"{point['removed']:.1%}",
                f"{point['accuracy']:.1%}",
                f"{point['hidden_spikes']:,.0f}",
                f"{found.output:,.0f}",
                f"{1e6 * found.output_joules:.3f} µJ",
            )
        )
    return rows, {"dense": joules["all spikes"], "sparse": joules[NAMES["arc"]]}


def _energy(scores: Mapping) -> Drawn:
    """Draw the energy of the operations that the hidden layer's spikes cause."""
    parts = {
        name: {"synapses behind the hidden layer": cost(*case).output_joules}
        for name, case in _cases(scores).items()
    }
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    ax = plots.energy_bars(parts, figure.add_subplot())
    ax.get_legend().remove()
    ax.set(ylabel="")
    caption = "Energy for one image of the operations that the hidden layer's spikes cause."
    return {"energy.png": (figure, caption)}


def _details(scores: Mapping, params: Mapping[str, np.ndarray], images: np.ndarray) -> Drawn:
    """Draw the accuracy over the cycles, and the effect of the bias on phases and spikes."""
    cycles = Figure(figsize=(5, 3.6), layout="constrained")
    plots.accuracy_over_cycles({"all spikes": scores["accuracy_per_cycle"]}, cycles.add_subplot())
    inputs = encode(images, int(params["seed"]), float(params["spread"]))
    histograms, rasters = bunched(params, inputs)
    return {
        "cycles.png": (cycles, "Accuracy at each cycle, all spikes sent."),
        "phases.png": (histograms, "Phases of the hidden layer over many images."),
        "spikes.png": (rasters, "One image's hidden spikes, without and with the bias."),
    }


def bunching(
    params: Mapping[str, np.ndarray], phase: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the hidden phases of all inputs and spikes of the first, without and with bias."""
    without = {**params, **{f"bias_{k}": 0 * params[f"bias_{k}"] for k in (0, 1)}}
    seen = {}
    for name, values in (("without bias", without), ("with bias", params)):
        net = phase_network(values)
        with layerwise.Simulator(net, dtype="float32", progress_bar=False) as sim:
            rows = sim.predict({net.input: phases.to_rows(phase).astype(np.float32)[:, None]})
        twin, new = convert.to_spiking(net, ResonateAndFire(FREQUENCY))
        with layerwise.Simulator(twin, dt=DT, progress_bar=False) as sim:
            spikes = sim.predict({new[net.input]: phase[:1, None]}, round(4 / (FREQUENCY * DT)))
        seen[name] = (
            phases.from_complex(phases.from_rows(rows[net.hidden][:, 0])),
            spikes[new[net.hidden]][0],
        )
    return seen


def bunched(params: Mapping[str, np.ndarray], phase: np.ndarray) -> tuple[Figure, Figure]:
    """Draw the result of `bunching` as histograms of phases and as rasters of spikes."""
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

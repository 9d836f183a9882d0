"""What the networks of `phase_sparsity` show: figures, and numbers beside what was promised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import local_rhythms
import numpy as np
from matplotlib.figure import Figure
from phase_sparsity import STRENGTH

import nengo_phasor
from nengo_phasor import phases, plots, results

TITLE = "A phasor network that learns to be silent"

STORY = """In training, each hidden unit whose phase is outside an arc around the reference cost
something, and the output layer heard the reference in place of those within it. So the network
learned to answer with the few spikes that it has to send: the others are left out by the arc, or by
the layer's own field, and assumed by the receiver."""

CAPTIONS = {
    "phase_sparsity_removed.png": "Accuracy against hidden spikes left out; filled: by arc, open: "
    "by field; dotted: the first network with all its spikes.",
    "phase_sparsity_phases.png": "Phases of the hidden layer.",
    "phase_sparsity_losses.png": "Parts of the loss over the epochs: what errors cost, and which "
    "share of the hidden spikes is outside the arc.",
}

LONG = Path(__file__).resolve().parents[1] / "results" / "local_rhythms.json"


class Trained(NamedTuple):
    """A network with its scores, as `phase_sparsity.evaluate` returns them."""

    scores: dict
    params: Mapping[str, np.ndarray]


def hidden_phases(params: Mapping[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the phases of the hidden layer for some images, in the phase domain."""
    x = local_rhythms.encode(images, int(params["seed"]), float(params["spread"]))
    net = local_rhythms.phase_network(params)
    with nengo_phasor.layerwise.Simulator(net, dtype="float32") as sim:
        rows = sim.predict({net.input: phases.to_rows(x).astype(np.float32)[:, None]})
    return phases.from_complex(phases.from_rows(rows[net.hidden][:, 0]))


def draw(networks: Mapping[str, Trained], images: np.ndarray, folder: Path) -> list[str]:
    """Draw the figures of some networks into the folder; return their files' names."""
    figures = {name: Figure(figsize=(6.4, 4.0), layout="constrained") for name in CAPTIONS}
    removed, histograms, parts = figures.values()
    curves, dense, losses = removed.add_subplot(), histograms.add_subplot(), parts.subplots(1, 2)
    baseline = next(iter(networks.values())).scores["spiking_accuracy"]
    curves.axhline(100 * baseline, color="0.4", linestyle=":", linewidth=1)
    for (name, (scores, params)), style in zip(networks.items(), plots.STYLES, strict=False):
        for (sparsifier, curve), face in zip(
            scores["curves"].items(), (style["color"], "none"), strict=True
        ):
            points = np.array(sorted((p["removed"], p["accuracy"]) for p in curve))
            look = {**style, "markersize": 5, "markerfacecolor": face}
            curves.plot(*100 * points.T, label=f"{name}, {sparsifier}", **look)
        plots.phase_histogram(hidden_phases(params, images), ax=dense, label=name, bins=80)
        epochs = np.arange(1, 1 + len(scores["history"]["loss"]))
        look = {**style, "marker": None, "label": name}
        losses[0].plot(epochs, scores["history"]["output_loss"], **look)
        losses[1].plot(epochs, 100 * np.array(scores["history"]["hidden_share"]), **look)
    curves.set(xlim=(-2, 100), ylim=(70, 92), ylabel="accuracy (%)")
    curves.set(xlabel="hidden spikes removed (%)")
    dense.set_yscale("log")
    losses[0].set(xlabel="epoch", ylabel="loss of the outputs' phases", yscale="log")
    losses[1].set(xlabel="epoch", ylabel="hidden spikes outside the arc, soft count (%)")
    for axes in (curves, dense, losses[1]):
        axes.legend(frameon=False)
    for name, figure in figures.items():
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / name, dpi=150)
    return list(figures)


def quoted(scores: dict, sparsifier: str) -> dict:
    """Return the point of a curve at the strength whose numbers are quoted."""
    return next(p for p in scores["curves"][sparsifier] if p["strength"] == STRENGTH)


def summary(scores: dict) -> dict[str, float]:
    """Return the numbers of one network that are looked at first: fractions."""
    numbers = {
        "accuracy, phase domain": scores["phase_accuracy"],
        "accuracy, spiking, all spikes": scores["spiking_accuracy"],
    }
    for name in scores["curves"]:
        point = quoted(scores, name)
        numbers[f"accuracy, {name} of {STRENGTH:g}"] = point["accuracy"]
        numbers[f"hidden spikes removed, {name} of {STRENGTH:g}"] = point["removed"]
    return numbers


def means(runs: list[dict]) -> dict[str, float]:
    """Return the means of `summary` over seeds."""
    found = [summary(run) for run in runs]
    return {name: float(np.mean([numbers[name] for numbers in found])) for name in found[0]}


def best_dense(means_of: Mapping[str, Mapping[str, float]]) -> float:
    """Return the accuracy of the best dense network: ours, or `local_rhythms`', in any domain."""
    known = json.loads(LONG.read_text())["claims"]
    (long,) = (c["value"] for c in known if c["name"] == "phase-domain accuracy, long recipe")
    names = ("accuracy, phase domain", "accuracy, spiking, all spikes")
    return max(long, *(means[name] for means in means_of.values() for name in names))


def claims(runs_of: dict[str, list[dict]]) -> list[results.Claim]:
    """Return what was promised of the networks, beside what was measured."""
    best = best_dense({recipe: means(runs) for recipe, runs in runs_of.items()})
    runs = runs_of["sparse"]
    found = []
    for name in ("arc", "field"):
        points = [quoted(run, name) for run in runs]
        lost = [
            100 * (run["spiking_accuracy"] - point["accuracy"])
            for run, point in zip(runs, points, strict=True)
        ]
        accuracy = np.mean([point["accuracy"] for point in points])
        found += [
            results.Claim(
                f"phase sparsity: hidden spikes removed, {name}, fewest of the seeds",
                min(point["removed"] for point in points),
                "",
                ">= 0.9",
            ),
            results.Claim(
                f"phase sparsity: lost against the same network dense, {name}, worst seed",
                max(lost),
                "points",
                "<= 1.0",
            ),
            results.Claim(
                f"phase sparsity: lost against the best dense network, {name}",
                float(100 * (best - accuracy)),
                "points",
                "<= 1.5",
            ),
        ]
    most = min(quoted(run, "arc")["removed"] for run in runs_of["sparser"])
    return [
        *found,
        results.Claim(
            "phase sparsity: hidden spikes removed, arc, sparser recipe, fewest",
            most,
            "",
            ">= 0.98",
        ),
    ]

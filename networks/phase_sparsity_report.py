"""What the networks of `phase_sparsity` show: figures, and numbers beside what was promised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import local_rhythms
import numpy as np
from local_rhythms import accuracy_at
from matplotlib.figure import Figure

import nengo_phasor
from nengo_phasor import datasets, phases, plots, results

TITLE = "A phasor network that learns to be silent"

STORY = """In training, each hidden unit whose phase is outside an arc around the reference cost
something, and the output layer heard the reference in place of those within it. So the network
learned to answer with the few spikes that it has to send: the others are left out by the arc, or by
the layer's own field, and assumed by the receiver."""

CAPTIONS = {
    "phase_sparsity_removed.png": "Accuracy against hidden spikes left out; filled: by arc, open: "
    "by field. Dotted: the best dense network of this size.",
    "phase_sparsity_phases.png": "Phases of the hidden layer, beside those of a network that does "
    "not pay for spikes.",
    "phase_sparsity_losses.png": "Parts of the loss over the epochs: what errors cost, and which "
    "share of the hidden spikes is outside the arc.",
}

REMOVED = (0.9, 0.95, 0.98)
"""Fractions of the hidden spikes at which accuracy is quoted, between the points of a curve."""

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
    removed, histogram, parts = figures.values()
    curves, hidden, losses = removed.add_subplot(), histogram.add_subplot(), parts.subplots(1, 2)
    curves.axhline(100 * long_accuracy(), color="0.4", linestyle=":", linewidth=1)
    free = hidden_phases(datasets.load_params(local_rhythms.PARAMS), images)
    plots.phase_histogram(free, ax=hidden, label="not paying", bins=80)
    for (name, (scores, params)), style in zip(networks.items(), plots.STYLES, strict=False):
        for (sparsifier, curve), face in zip(
            scores["curves"].items(), (style["color"], "none"), strict=True
        ):
            points = np.array(sorted((p["removed"], p["accuracy"]) for p in curve))
            look = {**style, "markersize": 5, "markerfacecolor": face}
            curves.plot(*100 * points.T, label=f"{name}, {sparsifier}", **look)
        plots.phase_histogram(hidden_phases(params, images), ax=hidden, label=name, bins=80)
        epochs = np.arange(1, 1 + len(scores["history"]["loss"]))
        look = {**style, "marker": None, "label": name}
        losses[0].plot(epochs, scores["history"]["output_loss"], **look)
        losses[1].plot(epochs, 100 * np.array(scores["history"]["hidden_share"]), **look)
    curves.set(xlim=(-2, 101), ylim=(75, 90), ylabel="accuracy (%)")
    curves.set(xlabel="hidden spikes removed (%)")
    hidden.set_yscale("log")
    losses[0].set(xlabel="epoch", ylabel="loss of the outputs' phases", yscale="log")
    losses[1].set(xlabel="epoch", ylabel="hidden spikes outside the arc, soft count (%)")
    for axes in (curves, hidden, losses[1]):
        axes.legend(frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=150)
    return list(figures)


def most(scores: dict, sparsifier: str, lost: float = 1.0) -> float:
    """Return the largest fraction of hidden spikes removed on a curve, between its points too.

    Accuracy is to be at most ``lost`` below that with all spikes: 1, the default, is any.
    """
    curve = scores["curves"][sparsifier]
    removed = np.linspace(0, max(point["removed"] for point in curve), 1001)
    kept = [accuracy_at(curve, r) >= scores["spiking_accuracy"] - lost for r in removed]
    return float(removed[kept].max())


def summary(scores: dict) -> dict[str, float]:
    """Return the numbers of one network that are looked at first: fractions."""
    numbers = {
        "accuracy, phase domain": scores["phase_accuracy"],
        "accuracy, spiking, all spikes": scores["spiking_accuracy"],
    }
    for name, curve in scores["curves"].items():
        numbers[f"most hidden spikes removed, {name}"] = most(scores, name)
        for removed in REMOVED:
            if removed <= most(scores, name):
                title = f"accuracy, {100 * removed:.0f} % of hidden spikes removed, {name}"
                numbers[title] = accuracy_at(curve, removed)
    return numbers


def means(runs: list[dict]) -> dict[str, float]:
    """Return the means of `summary` over seeds, of numbers that there are for all."""
    found = [summary(run) for run in runs]
    names = [name for name in found[0] if all(name in numbers for numbers in found)]
    return {name: float(np.mean([numbers[name] for numbers in found])) for name in names}


def long_accuracy() -> float:
    """Return the accuracy of `local_rhythms`' long recipe, in the phase domain: mean of seeds."""
    known = json.loads(LONG.read_text())["claims"]
    return next(c["value"] for c in known if c["name"] == "phase-domain accuracy, long recipe")


def best_dense(means_of: Mapping[str, Mapping[str, float]]) -> float:
    """Return the accuracy of the best dense network: ours, or `local_rhythms`', in any domain."""
    names = ("accuracy, phase domain", "accuracy, spiking, all spikes")
    return max(long_accuracy(), *(found[name] for found in means_of.values() for name in names))


def claims(runs_of: dict[str, list[dict]]) -> list[results.Claim]:
    """Return what was promised of the networks, beside what was measured."""
    best = best_dense({recipe: means(runs) for recipe, runs in runs_of.items()})
    runs = runs_of["sparse"]
    found = []
    for name in ("arc", "field"):
        accuracies = [accuracy_at(run["curves"][name], 0.9) for run in runs]
        dense = [run["spiking_accuracy"] for run in runs]
        fewest = min(most(run, name, lost=0.01) for run in runs)
        found += [
            (f"hidden spikes removed for at most 1 point, {name}, fewest", fewest, "", ">= 0.9"),
            (
                f"lost at 90 % removed against the same network dense, {name}, worst seed",
                100 * float(np.max(np.subtract(dense, accuracies))),
                "points",
                "<= 1.0",
            ),
            (
                f"lost at 90 % removed against the best dense network, {name}",
                100 * float(best - np.mean(accuracies)),
                "points",
                "<= 1.5",
            ),
        ]
    end = min(most(run, "arc") for run in runs_of["sparser"])
    found.append(("hidden spikes removed at the end of the curve, arc", end, "", ">= 0.98"))
    return [results.Claim(f"phase sparsity: {name}", *rest) for name, *rest in found]

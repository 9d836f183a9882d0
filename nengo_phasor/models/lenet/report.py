"""The figures of `sparse_lenet`: accuracy against spikes, spikes and loss over the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nengo_phasor import plots
from nengo_phasor.models.lenet.training import SECONDS
from nengo_phasor.models.shared import page

TITLE = "Training with a cost of spikes: {name}"

CHOICE = """The numbers are means on the test set over the seeds that a loss was tried with;
epoch and weight were chosen on validation images."""

STORIES = {
    "lenet": f"""A spiking LeNet was trained for accuracy alone, and with the number of its spikes
in the loss, weighted by one of five schedules. Most spikes turn out not to be needed. {CHOICE}""",
    "vgg": f"""A network of six convolutions was trained in spikes, for accuracy alone and with the
number of its spikes in the loss. Its twin has the same layers, without spikes. {CHOICE}""",
}
"""What a page says, by the network."""

CAPTIONS = {
    "pareto.png": "Validation accuracy against spikes: every epoch of every run, except for those "
    "that are almost silent. Rings mark the chosen epochs.",
    "layers.png": "Spikes per layer over the epochs, without and with the cost of spikes.",
    "time.png": "Processor time of each epoch of training against the spikes after it.",
    "loss.png": "The two parts of the loss over the epochs, of the best schedule.",
}


LOOKS = (
    *({key: style[key] for key in ("color", "marker")} for style in plots.STYLES),
    {"color": "0.5", "marker": "v"},
    {"color": "#e69f00", "marker": "P"},
)
"""The styles of the losses in turn. Their markers differ, so they do not rely on colour."""


def by_loss(histories: Mapping[str, Any]) -> dict[str, list[dict]]:
    """Return the runs' histories by the name of their loss."""
    found: dict[str, list[dict]] = {}
    for history in histories.values():
        found.setdefault(history["loss"], []).append(history)
    return found


def pareto(found: Mapping[str, Any], figure: Figure) -> None:
    """Draw every epoch's accuracy against its spikes, and the tables' choices."""
    ax = figure.add_subplot()
    for look, (name, runs) in zip(LOOKS, by_loss(found["histories"]).items(), strict=False):
        epochs = [epoch for run in runs for epoch in run["epochs"]]
        x, y = ([epoch[key] for epoch in epochs] for key in ("spikes", "accuracy"))
        ax.scatter(x, y, s=14, **look, label=name)
        tables = [rows for seeds in found["tables"].values() for rows in seeds]
        rings = [rows[name] for rows in tables if name in rows]
        x, y = ([row[f"validation_{key}"] for row in rings] for key in ("spikes", "accuracy"))
        marker, color = look["marker"], look["color"]
        ax.scatter(x, y, s=80, facecolors="none", edgecolors=color, marker=marker)
    most = max(epoch["spikes"] for run in found["histories"].values() for epoch in run["epochs"])
    ax.set(xscale="log", xlim=(most / 16, most * 1.2), xlabel="spikes per image")
    ax.set(ylabel="validation accuracy")
    ax.legend()


def layers(found: Mapping[str, Any], figure: Figure) -> None:
    """Draw each layer's spikes over the epochs, of the baseline and of the best run."""
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (title, history) in zip(axes, _shown(found).items(), strict=True):
        epochs = history["epochs"]
        for name, style in zip(epochs[0]["spikes_by_layer"], LOOKS, strict=False):
            spikes = [epoch["spikes_by_layer"][name] for epoch in epochs]
            ax.plot(range(1, len(epochs) + 1), spikes, label=name, markersize=4, **style)
        ax.set(title=title, xlabel="epoch", yscale="symlog", ylim=0)
    axes[0].set_ylabel("spikes per image")
    axes[0].legend(frameon=False)


def loss(found: Mapping[str, Any], figure: Figure) -> None:
    """Draw cross-entropy and the cost of spikes over the epochs, of the best run."""
    ax = figure.add_subplot()
    *_, history = _shown(found).values()
    epochs, x = history["epochs"], range(1, len(history["epochs"]) + 1)
    parts = {
        "cross-entropy": [epoch["crossentropy"] for epoch in epochs],
        "spikes": [epoch["loss"] - epoch["crossentropy"] for epoch in epochs],
    }
    for (name, part), style in zip(parts.items(), plots.STYLES, strict=False):
        ax.plot(x, part, label=name, markersize=4, **style)
    ax.set(xlabel="epoch", ylabel="training loss", ylim=0)
    ax.legend()


def _shown(found):
    """Return the histories of the first seed's baseline and best run, by a description."""
    best = found["best"]["table 2"][0]
    row = found["tables"]["table 2"][0][best]
    runs = by_loss(found["histories"])
    chosen = next(
        run for run in runs[best] if (run["sigma_0"], run["seed"]) == (row["sigma_0"], row["seed"])
    )
    return {"accuracy alone": runs["baseline"][0], f"{best} schedule": chosen}


def time(found: Mapping[str, Any], figure: Figure) -> None:
    """Draw what an epoch's training took against its spikes, but for each run's first epoch.

    The first one compiles.
    """
    ax = figure.add_subplot()
    for look, (name, runs) in zip(LOOKS, by_loss(found["histories"]).items(), strict=False):
        epochs = [epoch for run in runs for epoch in run["epochs"][1:]]
        x, y = ([epoch[key] for epoch in epochs] for key in ("spikes", SECONDS))
        ax.scatter(x, y, s=14, **look, label=name)
    ax.set(xlabel="spikes per validation image after the epoch", ylim=0)
    ax.set_ylabel("processor time of an epoch (s)")
    ax.legend()


DRAW = {"pareto.png": pareto, "layers.png": layers, "loss.png": loss, "time.png": time}


def write(found: Mapping[str, Any], name: str, folder: Path) -> Path:
    """Draw all figures into the folder, write its page, and return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, draw in DRAW.items():
        figure = Figure(figsize=(7, 4), layout="constrained")
        draw(found, figure)
        figure.savefig(folder / file, dpi=120)
    numbers = {
        f"{which}, {loss}: {words}": float(
            np.mean([rows[loss][key] for rows in tables if loss in rows])
        )
        for which, tables in found["tables"].items()
        for loss in tables[0]
        for words, key in (("test accuracy", "accuracy"), ("spikes saved", "fewer_spikes"))
    }
    sections = [page.Section(rows=page.percentages(numbers), pictures=CAPTIONS)]
    if found["compared"]:
        sections.append(beside_twin(found))
    return page.write(folder, TITLE.format(name=name), STORIES[found["design"]], sections)


def beside_twin(found: Mapping[str, Any]) -> page.Section:
    """Return the table that compares the networks with their twins, as means over the seeds."""
    twins, columns = found["compared"], ("accuracy", "spikes per neuron", "energy (uJ)")

    def line(name, rows, accuracy="accuracy"):
        means = [np.mean([row[key] for row in rows]) for key in (accuracy, "joules")]
        spikes = [row["spikes"] / row["neurons"] for row in rows if "spikes" in row]
        each = f"{np.mean(spikes):.3f}" if spikes else "-"
        return (name, f"{means[0]:.2%}", each, f"{1e6 * means[1]:.2f}")

    tables = found["tables"]["table 2"]
    lines = [
        (*line("twin, floating point", twins)[:3], "-"),
        line("twin, 8 bits", twins, "quantised"),
        *(line(loss, [rows[loss] for rows in tables if loss in rows]) for loss in tables[0]),
    ]
    text = (
        "The same layers without spikes and in spikes, on test images; energy on an 8-bit device."
    )
    return page.Section("Beside the analog twin", text, columns=("", *columns), rows=lines)

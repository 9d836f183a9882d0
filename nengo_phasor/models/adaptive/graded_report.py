"""The figures of networks with graded spikes beside those of half-sigmoids and of NengoDL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nengo_phasor import atomic, results
from nengo_phasor.models.adaptive.rectified import NETWORKS
from nengo_phasor.models.shared import page

STORY = """Networks of rectifiers were trained without any thought of spikes, and converted to
adaptive spiking neurons without retraining. A graded spike carries the threshold at which it was
sent, so that the neurons' transfer function is a rectified line."""

WAYS = {
    "graded": "rectifiers, graded spikes",
    "half-sigmoid": "half-sigmoids, plain spikes",
    "nengo_dl": "rectifiers, NengoDL's converter",
}
"""How a network was turned to spikes, by the names in the results."""

LOST = "<= 0.3"
"""The target of the accuracy that graded spikes lose, in percentage points."""


def lost(point: Mapping[str, Any]) -> float:
    """Return the accuracy lost in the conversion to spikes, in percentage points."""
    return 100 * (point["analog"]["accuracy"] - point["accuracy"])


def claims(found: Mapping[str, Any], title: str) -> list[results.Claim]:
    """Return the claims about a network."""
    words = "accuracy lost in the conversion to graded spikes, without retraining"
    return [results.Claim(f"{title}: {words}", lost(found["graded"]), "points", LOST)]


def rates(found: Mapping[str, Any], figure: Figure) -> None:
    """Draw the accuracy on validation images against the firing rate, for all that was tried."""
    ax = figure.add_subplot()
    for (key, words), marker in zip(WAYS.items(), "os^", strict=True):
        points = sorted((trial["firing_rate"], trial["accuracy"]) for trial in found[key]["tried"])
        ax.plot(*zip(*points, strict=True), marker + "-", label=words)
    ax.axhline(found["graded"]["validation_accuracy"], color="0.5", linestyle="--")
    ax.set(xlabel="firing rate (Hz)", ylabel="accuracy on validation images", xscale="log")
    ax.legend(fontsize="small")


def rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the table of a network: how it spikes, accuracy, rate, spikes and energy."""
    analog = found["graded"]["analog"]
    lines = [("rectifiers, no spikes", analog["accuracy"], None, None, analog["joules"])]
    for key, words in WAYS.items():
        point = found[key]
        values = (point[name] for name in ("accuracy", "firing_rate", "spikes", "joules"))
        lines.append((words, *values))
    return [
        (
            name,
            f"{accuracy:.2%}",
            *("" if value is None else f"{value:,.1f}" for value in (rate, spikes)),
            f"{1e6 * joules:.3g}",
        )
        for name, accuracy, rate, spikes, joules in lines
    ]


COLUMNS = ("", "accuracy", "firing rate (Hz)", "spikes an image", "energy (microjoules)")


def write(found: Mapping[str, Any], folder: Path) -> Path:
    """Draw the figures and write the page that shows them; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = []
    for name, one in found.items():
        figure, file = Figure(figsize=(6.4, 4), layout="constrained"), f"rates_{name}.png"
        rates(one, figure)
        with atomic.replacing(folder / file) as place:
            figure.savefig(place, dpi=120, format="png")
        caption = "Accuracy against firing rate, for every precision or factor that was tried."
        sections.append(page.Section(NETWORKS[name].title, "", {file: caption}, COLUMNS, rows(one)))
    return page.write(folder, "Graded spikes", STORY, sections)

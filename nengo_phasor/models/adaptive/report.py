"""The figures of a measured adaptive network, and the states of one of its neurons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nengo
import numpy as np
from matplotlib.figure import Figure

from nengo_phasor import atomic, plots
from nengo_phasor.models.adaptive.measure import WAYS
from nengo_phasor.models.adaptive.spiking import BIN, DT, Spiking
from nengo_phasor.models.shared import page

STORY = """An analog network was trained with the transfer function of adaptive spiking neurons,
which then replaced its units. The larger m_f is, the coarser is their code, and the fewer spikes
they send."""

NAMES = dict(zip(WAYS, ("precise", "few spikes", "low precision", "arousal"), strict=True))

SERIES = {"validation": "validation", "held_out": "held out"}
"""The names of a network's points at several precisions, with a description of the inputs."""


def accuracy_over_time(found: Mapping[str, Any], figure: Figure) -> None:
    """Plot the accuracy on test inputs over time."""
    ax = figure.add_subplot()
    for key in _ways(found):
        course = found[key]["accuracy_over_time"]
        ax.plot(BIN * DT * 1e3 * np.arange(1, len(course) + 1), course, label=NAMES[key])
    ax.axhline(found["analog"]["accuracy"], color="0.5", linestyle="--")
    ax.set(xlabel="time (ms)", ylabel="accuracy", ylim=(0, 1.02))
    ax.legend()


def accuracy_against_rate(found: Mapping[str, Any], figure: Figure) -> None:
    """Plot accuracy against firing rate, with a point for each precision."""
    ax = figure.add_subplot()
    for points, name in ((found[key], SERIES[key]) for key in SERIES if key in found):
        rates = [point["firing_rate"] for point in points.values()]
        ax.plot(rates, [point["accuracy"] for point in points.values()], "o-", label=name)
        for m_f, rate in zip(points, rates, strict=True):
            ax.annotate(m_f, (rate, points[m_f]["accuracy"]), (4, -10), textcoords="offset points")
    for key in _ways(found):
        point = found[key]
        ax.plot(point["firing_rate"], point["accuracy"], "x", label=f"test, {NAMES[key]}")
    ax.axhline(found["analog"]["accuracy"], color="0.5", linestyle="--")
    ax.set(xlabel="firing rate (Hz)", ylabel="accuracy", xscale="log")
    ax.legend(fontsize="small")


def layers(found: Mapping[str, Any], figure: Figure) -> None:
    """Plot the firing rate of each layer."""
    ax = figure.add_subplot()
    for key in _ways(found):
        ax.plot(list(found[key]["firing_rates"].values()), "o-", label=NAMES[key])
    names = list(found["n_neurons"])
    ax.set_xticks(range(len(names)), names, rotation=90 if len(names) > 8 else 45)
    ax.set(ylabel="firing rate (Hz)", ylim=(0, None))
    ax.legend()


def arousal(found: Mapping[str, Any], figure: Figure) -> None:
    """Plot accuracy against firing rate for arousal and its two precisions."""
    ax = figure.add_subplot()
    for key in ("low", "aroused", "precise"):
        ax.plot(found[key]["firing_rate"], found[key]["accuracy"], "o", label=NAMES[key])
    share = found["aroused"]["selectivity"]
    ax.set(
        xlabel="firing rate (Hz)", ylabel="accuracy", title=f"{share:.1%} of the inputs highlighted"
    )
    ax.legend()


def neuron(found: Mapping[str, Any], figure: Figure) -> None:
    """Plot a neuron's states and spikes over time."""
    plots.adaptive_neuron(*found["neuron"], DT, figure.add_subplot())


def _ways(found):
    return [key for key in NAMES if key in found]


class Picture(NamedTuple):
    """A figure: the function that draws it, its caption, and the results that it requires."""

    draw: Callable[[Mapping[str, Any], Figure], None]
    caption: str
    needs: tuple[str, ...] = ("precise",)


PICTURES = {
    "accuracy_over_time.png": Picture(
        accuracy_over_time,
        "Accuracy on test inputs from their onset; dashed: the analog network.",
    ),
    "accuracy_against_rate.png": Picture(
        accuracy_against_rate,
        "Accuracy against firing rate: dots at several precisions m_f, crosses at those that were "
        "chosen; dashed: the analog network on test inputs.",
    ),
    "layers.png": Picture(layers, "The firing rate in each layer."),
    "arousal.png": Picture(
        arousal,
        "Arousal and its two precisions: only inputs that are hard to classify are coded "
        "precisely.",
        ("low", "aroused"),
    ),
    "neuron.png": Picture(
        neuron,
        "A neuron: its activation S, and the response Shat to its own spikes, which follows it to "
        "within half the threshold.",
        ("neuron",),
    ),
}


def neuron_course(spiking: Spiking, x: np.ndarray, m_f: float, n_steps: int = 300):
    """Return S, Shat, theta and the spikes, (n_steps,) each, of an active neuron for one input.

    It is in the last layer, whose input consists of spikes. The network is run in Nengo.
    """
    spiking.converted.set_precision(m_f)
    layer = list(spiking.converted.layers.values())[-1]
    network = spiking.converted.network
    with network:
        probes = {
            name: nengo.Probe(layer.neurons, name)
            for name in ("voltage", "refraction", "adaptation", "output")
        }
    image = spiking.converted.input
    silent, image.output = image.output, x.ravel()
    with nengo.Simulator(network, dt=DT, progress_bar=False) as sim:
        sim.run_steps(n_steps, progress_bar=False)
    image.output = silent
    network.probes[:] = [probe for probe in network.probes if probe not in probes.values()]
    spikes = sim.data[probes["output"]] != 0
    busy = np.argsort(spikes.sum(axis=0))[-3]
    voltage, refraction, adaptation = (
        sim.data[probes[name]][:, busy] for name in ("voltage", "refraction", "adaptation")
    )
    return voltage, refraction, adaptation + layer.neuron_type.theta_0, spikes[:, busy]


def write(
    found: Mapping[str, Any],
    spiking: Spiking,
    x: np.ndarray,
    m_f: float,
    folder: Path,
    title: str,
) -> Path:
    """Draw the figures and write the page that shows them; return its path.

    Parameters
    ----------
    found : dict
        The result of `measure.measure`. Missing parts are not drawn.
    spiking : `Spiking`
        The network.
    x, m_f : ndarray, float
        An input, and the precision at which the states of one neuron are shown.
    folder, title : path, str
        The folder and the title of the page.
    """
    shown = {**found, "neuron": neuron_course(spiking, x, m_f)}
    captions = {}
    for name, picture in PICTURES.items():
        if all(key in shown for key in picture.needs):
            figure = Figure(figsize=(6.4, 4), layout="constrained")
            picture.draw(shown, figure)
            with atomic.replacing(folder / name) as place:
                figure.savefig(place, dpi=120, format="png")
            captions[name] = picture.caption
    numbers = {"accuracy, analog": found["analog"]["accuracy"]}
    for key in _ways(found):
        point = found[key]
        numbers[f"accuracy, {NAMES[key]}, {point['firing_rate']:.1f} Hz"] = point["accuracy"]
    if "aroused" in found:
        numbers["highlighted by arousal"] = found["aroused"]["selectivity"]
    section = page.Section(rows=page.percentages(numbers), pictures=captions)
    return page.write(folder, title, STORY, [section])

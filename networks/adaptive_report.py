"""What adaptive networks show: figures of a measured network, and one neuron's course."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nengo
import numpy as np
from adaptive_spiking import BIN, DT, Spiking
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nengo_phasor import plots, results

STORY = """An analog network learned with the transfer function of adaptive spiking neurons, which
then took the place of its units. The larger m_f, the coarser they code, and the fewer spikes they
send. With arousal only inputs that are hard to tell apart are coded precisely."""

CAPTIONS = {
    "accuracy_over_time.png": "Accuracy on test images from their onset; dashed, the analog "
    "network.",
    "accuracy_against_rate.png": "Accuracy against firing rate at several precisions m_f: dots are "
    "validation images, crosses test images; dashed, the analog network on test images.",
    "arousal.png": "Arousal beside its two precisions, and the firing rate in each layer.",
    "neuron.png": "A neuron: its activation S, and the response Shat to its own spikes, which "
    "follows it to within half the threshold.",
}

NAMES = {
    "precise": "precise",
    "sparse": "few spikes",
    "low": "low precision",
    "aroused": "arousal",
}


def accuracy_over_time(found: Mapping[str, Any], ax: Axes) -> None:
    """Plot the accuracy on test images over time."""
    for key, name in NAMES.items():
        course = found[key]["accuracy_over_time"]
        ax.plot(BIN * DT * 1e3 * np.arange(1, len(course) + 1), course, label=name)
    ax.axhline(found["analog"]["accuracy"], color="0.5", linestyle="--")
    ax.set(xlabel="time (ms)", ylabel="accuracy", ylim=(0, 1.02))
    ax.legend()


def accuracy_against_rate(found: Mapping[str, Any], ax: Axes) -> None:
    """Plot accuracy against firing rate, a point for each precision."""
    points = found["validation"]
    rates = [point["firing_rate"] for point in points.values()]
    ax.plot(rates, [point["accuracy"] for point in points.values()], "o-", label="validation")
    for m_f, rate in zip(points, rates, strict=True):
        ax.annotate(m_f, (rate, points[m_f]["accuracy"]), (4, -10), textcoords="offset points")
    for key, name in NAMES.items():
        ax.plot(found[key]["firing_rate"], found[key]["accuracy"], "x", label=f"test, {name}")
    ax.axhline(found["analog"]["accuracy"], color="0.5", linestyle="--")
    ax.set(xlabel="firing rate (Hz)", ylabel="accuracy", xscale="log")
    ax.legend(fontsize="small")


def arousal(found: Mapping[str, Any], axes: tuple[Axes, Axes]) -> None:
    """Plot accuracy against firing rate of arousal and its precisions; and the layers' rates."""
    for key in ("low", "aroused", "precise"):
        point = found[key]
        axes[0].plot(point["firing_rate"], point["accuracy"], "o", label=NAMES[key])
        axes[1].plot(list(point["firing_rates"].values()), "o-", label=NAMES[key])
    share = found["aroused"]["selectivity"]
    axes[0].set(
        xlabel="firing rate (Hz)", ylabel="accuracy", title=f"{share:.1%} of the images highlighted"
    )
    axes[0].legend()
    layers = list(found["n_neurons"])
    axes[1].set_xticks(range(len(layers)), layers, rotation=45)
    axes[1].set(ylabel="firing rate (Hz)")


def neuron_course(spiking: Spiking, x: np.ndarray, m_f: float, n_steps: int = 300):
    """Return S, Shat, theta and the spikes (all (n_steps,)) of a busy neuron shown one input.

    It is of the last layer, whose input is itself made of spikes. The network is run in Nengo.
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


def draw(found: Mapping[str, Any], spiking: Spiking, x: np.ndarray, folder: Path) -> list[str]:
    """Draw the figures into the folder; return their files' names. ``x`` is one input."""
    figures = {name: Figure(figsize=(6.4, 4), layout="constrained") for name in CAPTIONS}
    accuracy_over_time(found, figures["accuracy_over_time.png"].add_subplot())
    accuracy_against_rate(found, figures["accuracy_against_rate.png"].add_subplot())
    arousal(found, figures["arousal.png"].subplots(1, 2))
    course = neuron_course(spiking, x, found["precise"]["m_f"])
    plots.adaptive_neuron(*course, DT, figures["neuron.png"].add_subplot())
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=120)
    return list(figures)


def write(found: Mapping[str, Any], spiking: Spiking, x: np.ndarray, folder: Path, title: str):
    """Draw the figures and write the page that shows them; return its path."""
    names = draw(found, spiking, x, folder)
    numbers = {"accuracy, analog": found["analog"]["accuracy"]}
    for key, name in NAMES.items():
        numbers[f"accuracy, {name}, {found[key]['firing_rate']:.1f} Hz"] = found[key]["accuracy"]
    numbers["highlighted by arousal"] = found["aroused"]["selectivity"]
    return results.write_page(folder, title, STORY, numbers, {n: CAPTIONS[n] for n in names})

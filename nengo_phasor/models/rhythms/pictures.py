"""Pictures of one garment in the classifier: its image, phases, and spikes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nengo_phasor import ResonateAndFire, convert, layerwise, metrics, phases, plots
from nengo_phasor.models.rhythms.network import (
    CYCLE,
    CYCLES,
    DT,
    FREQUENCY,
    encode,
    phase_network,
)
from nengo_phasor.models.rhythms.sweep import SPARSIFIERS

SHOWN_CYCLES = 3
MANY = 500
"""The number of phases above which they are drawn as a cloud."""

DROPPED = "#e0a899"
"""The colour of spikes that a sparsifier drops."""


class Seen(NamedTuple):
    """The response of the spiking network to images.

    Attributes
    ----------
    images : (n, 28, 28) ndarray
        The images as bytes.
    inputs, hidden, outputs : (n, units) ndarray
        The phases of the input, and of the spikes of both layers in the decoded cycle.
    spikes : (n, steps, units) ndarray
        The hidden layer's output, with all its spikes.
    answers : (n,) ndarray of int
        The classes.
    """

    images: NDArray
    inputs: NDArray
    hidden: NDArray
    outputs: NDArray
    spikes: NDArray
    answers: NDArray


def look(params: Mapping[str, np.ndarray], images: np.ndarray) -> Seen:
    """Return the response of the spiking network to images, bytes of shape (n, 28, 28)."""
    inputs = encode(images, int(params["seed"]), float(params["spread"]))
    net = phase_network(params)
    twin, new = convert.to_spiking(net, ResonateAndFire(FREQUENCY))
    n_steps = round(CYCLES / (FREQUENCY * DT))
    with layerwise.Simulator(twin, dt=DT) as sim:
        seen = sim.predict({new[net.input]: inputs[:, None]}, n_steps)
    rasters = seen[new[net.hidden]], seen[new[net.output]]
    hidden, outputs = (phases.from_raster(r, FREQUENCY, DT, CYCLES)[:, CYCLE] for r in rasters)
    return Seen(images, inputs, hidden, outputs, rasters[0], metrics.phase_class(outputs))


def draw_garments(figure: Figure, seen: Seen, labels: np.ndarray, classes) -> None:
    """Draw images with the network's answers; wrong answers are red, with the true class."""
    axes = figure.subplots(2, -(-len(labels) // 2)).ravel()
    for ax in axes:
        ax.axis("off")
    for ax, image, answer, label in zip(axes, seen.images, seen.answers, labels, strict=False):
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=255)
        wrong = answer != label
        title = f"{classes[answer]}\nnot {classes[label]}" if wrong else classes[answer]
        ax.set_title(title, fontsize=9, color="#b03010" if wrong else "black")


def draw_image(figure: Figure, image: np.ndarray) -> None:
    """Draw one image."""
    ax = figure.add_subplot()
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    ax.axis("off")


def draw_circle(figure: Figure, phase: np.ndarray) -> None:
    """Draw the phases of a layer on the circle."""
    ax = plots.unit_circle(phase, figure.add_subplot())
    ax.set(xlabel="")
    if len(phase) > MANY:
        ax.lines[2].set(alpha=0.08, markersize=9)


def draw_raster(ax: Axes, spikes: np.ndarray, sparsifier: str = "", strength: float = 0.0) -> float:
    """Draw the spikes of the last cycles, with dropped spikes in another colour.

    Parameters
    ----------
    ax : Axes
        The axes to draw on.
    spikes : (steps, units) ndarray
        All spikes of a layer.
    sparsifier : str
        One of `.sweep.SPARSIFIERS`, or "" for none.
    strength : float
        The strength of the sparsifier.

    Returns
    -------
    float
        The fraction of the spikes that the sparsifier drops.
    """
    sent = spikes
    if sparsifier:
        sent = SPARSIFIERS[sparsifier](strength).filt(spikes, dt=DT)
    last = slice(-round(SHOWN_CYCLES / (FREQUENCY * DT)), None)
    plots.spike_raster(spikes[last], DT, FREQUENCY, ax)
    ax.lines[-1].set(color=DROPPED if sparsifier else "black")
    steps, units = np.nonzero(sent[last])
    ax.plot((steps + 0.5) * DT, units, linestyle="none", marker="|", color="black", markersize=3)
    ax.set(xlabel="time in the last cycles (s)")
    return 1 - np.count_nonzero(sent) / max(1, np.count_nonzero(spikes))

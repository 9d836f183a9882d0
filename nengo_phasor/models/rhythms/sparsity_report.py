"""The figures of `phase_sparsity`: accuracy, hidden phases, and the losses in training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nengo_phasor import datasets, layerwise, phases, plots
from nengo_phasor.models.rhythms.network import PARAMS, encode, phase_network

TITLE = "A phasor network that learns to use few spikes"

STORY = """In training, each hidden spike whose phase is outside an arc around the reference has a
cost, and the output layer receives the reference instead of the spikes within the arc. So the
network learns to answer with few spikes. The others are dropped, by the arc or by the layer's own
field, and the receiver assumes them."""

CAPTIONS = {
    "phase_sparsity_removed.png": "Accuracy against dropped hidden spikes; filled: by arc, open: "
    "by field. Dotted: the best dense network of this size.",
    "phase_sparsity_phases.png": "Phases of the hidden layer, compared with a network trained "
    "without a cost of spikes.",
    "phase_sparsity_losses.png": "Parts of the loss over the epochs: the cost of errors, and the "
    "fraction of hidden spikes outside the arc.",
}


class Trained(NamedTuple):
    """A network with its scores, as returned by `.sparsity_runs.evaluate`."""

    scores: Mapping
    params: Mapping[str, np.ndarray]


def hidden_phases(params: Mapping[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the phases of the hidden layer for some images, in the phase domain."""
    x = encode(images, int(params["seed"]), float(params["spread"]))
    net = phase_network(params)
    with layerwise.Simulator(net, dtype="float32", progress_bar=False) as sim:
        rows = sim.predict({net.input: phases.to_rows(x).astype(np.float32)[:, None]})
    return phases.from_complex(phases.from_rows(rows[net.hidden][:, 0]))


def draw(
    networks: Mapping[str, Trained], images: np.ndarray, folder: Path, dense: float | None = None
) -> list[str]:
    """Draw the figures of networks into the folder; return the names of the files.

    ``dense`` is the accuracy of dense networks of this size, or None if unknown.
    """
    figures = {name: Figure(figsize=(6.4, 4.0), layout="constrained") for name in CAPTIONS}
    removed, histogram, parts = figures.values()
    _draw_curves(removed.add_subplot(), networks, dense)
    _draw_phases(histogram.add_subplot(), networks, images)
    _draw_losses(parts.subplots(1, 2), networks)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=150)
    return list(figures)


def _draw_curves(axes: Axes, networks: Mapping[str, Trained], dense: float | None) -> None:
    if dense is not None:
        axes.axhline(100 * dense, color="0.4", linestyle=":", linewidth=1)
    for (name, (scores, _)), style in zip(networks.items(), plots.STYLES, strict=False):
        for (sparsifier, curve), face in zip(
            scores["curves"].items(), (style["color"], "none"), strict=True
        ):
            points = np.array(sorted((p["removed"], p["accuracy"]) for p in curve))
            look = {**style, "markersize": 5, "markerfacecolor": face}
            axes.plot(*100 * points.T, label=f"{name}, {sparsifier}", **look)
    axes.set(xlim=(-2, 101), ylim=(75, 90), ylabel="accuracy (%)")
    axes.set(xlabel="hidden spikes removed (%)")
    axes.legend(frameon=False)


def _draw_phases(axes: Axes, networks: Mapping[str, Trained], images: np.ndarray) -> None:
    shown = {"no cost of spikes": datasets.load_params(PARAMS)}
    for name, params in {**shown, **{name: net.params for name, net in networks.items()}}.items():
        plots.phase_histogram(hidden_phases(params, images), ax=axes, label=name, bins=80)
    axes.set_yscale("log")
    axes.legend(frameon=False)


def _draw_losses(axes: tuple[Axes, Axes], networks: Mapping[str, Trained]) -> None:
    for (name, (scores, _)), style in zip(networks.items(), plots.STYLES, strict=False):
        history = scores["history"]
        epochs = np.arange(1, 1 + len(history["loss"]))
        look = {**style, "marker": None, "label": name}
        axes[0].plot(epochs, history["output_loss"], **look)
        axes[1].plot(epochs, 100 * np.array(history["hidden_share"]), **look)
    axes[0].set(xlabel="epoch", ylabel="loss of the outputs' phases", yscale="log")
    axes[1].set(xlabel="epoch", ylabel="hidden spikes outside the arc, soft count (%)")
    axes[1].legend(frameon=False)

"""The figures of deep networks in spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import nengo
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nengo_phasor import RhythmSparsifier, convert, layerwise
from nengo_phasor.models.deep_rhythms.data import encode
from nengo_phasor.models.rhythms.network import DT, FREQUENCY
from nengo_phasor.models.rhythms.organic import ALL, STEPS
from nengo_phasor.neurons import ResonateAndFire
from nengo_phasor.plots.axes import REFERENCE, STYLES, styles

SHOWN = 30
"""The number of neurons of each layer in the raster."""


def draw(
    found: Mapping[str, Mapping],
    net: nengo.Network,
    image: np.ndarray,
    folder: Path,
) -> list[str]:
    """Draw the figures into the folder; return the names of the files.

    Parameters
    ----------
    found : mapping
        The scores of the networks; see `.runs.evaluated`.
    net : nengo.Network
        The trained network whose spikes are shown.
    image : (1, height, width, channels) ndarray of uint8
        The image that it receives.
    folder : path
        The folder.
    """
    removed = Figure(figsize=(1.2 + 3.2 * len(found), 3.6), layout="constrained")
    for axes, (name, scores) in zip(
        removed.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True
    ):
        draw_removed(axes, scores["curves"])
        axes.set_title(name)
    removed.axes[0].set_ylabel("accuracy (%)")
    removed.axes[0].legend(frameon=False, fontsize=7, loc="lower left")
    depth = Figure(figsize=(6.4, 3.6), layout="constrained")
    draw_depth(depth.add_subplot(), found)
    raster = Figure(figsize=(8.0, 4.8), layout="constrained")
    draw_raster(raster.add_subplot(), net, image)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, figure in {"removed": removed, "depth": depth, "raster": raster}.items():
        files.append(f"deep_rhythms_{name}.png")
        figure.savefig(folder / files[-1], dpi=150)
    return files


def draw_removed(axes: Axes, curves: Mapping[str, Sequence[Mapping]]) -> None:
    """Draw accuracy against hidden spikes removed, for each rule."""
    (dense,) = curves[ALL]
    axes.axhline(100 * dense["accuracy"], **REFERENCE)
    rules = [rule for rule in curves if rule != ALL]
    for k, (rule, style) in enumerate(zip(rules, styles(), strict=False)):
        points = np.array(sorted((p["removed"], p["accuracy"]) for p in curves[rule]))
        face = style["color"] if k < len(STYLES) else "none"
        look = {**style, "markersize": 4, "markerfacecolor": face}
        axes.plot(*100 * points.T, label=rule, **look)
    top = 100 * dense["accuracy"]
    axes.set(xlabel="hidden spikes removed (%)", ylim=(max(0, top - 25), top + 3))


def draw_depth(axes: Axes, found: Mapping[str, Mapping]) -> None:
    """Draw the share of each layer's spikes that the window of the design lets pass."""
    for (name, scores), style in zip(found.items(), styles(), strict=False):
        sent, every = (
            np.array(scores[which]["spikes_by_layer"], float) for which in ("window", "all")
        )
        share = 100 * sent / np.where(every > 0, every, np.nan)
        axes.plot(np.arange(1, len(share) + 1), share, label=name, **{**style, "markersize": 4})
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="layer", ylabel="spikes sent (%)", ylim=(0, None))
    axes.legend(frameon=False)


def draw_raster(
    axes: Axes, net: nengo.Network, image: np.ndarray, window: float = 0.1, cycles: int = 8
) -> None:
    """Draw some neurons' spikes of each layer for an image: dropped, sent, and the unit's."""
    twin, new = convert.to_spiking(
        net, ResonateAndFire(FREQUENCY), rhythm=RhythmSparsifier(window), assume_reference=True
    )
    twin.probes.clear()
    layers = [new[probe.obj] for probe in net.hidden]
    with twin:
        probes = [
            [nengo.Probe(spikes) for spikes in (each.layer, each.sent, each.reference)]
            for each in layers
        ]
    with layerwise.Simulator(twin, dt=DT, progress_bar=False) as sim:
        seen = sim.predict({new[net.input]: encode(image)[:, None]}, cycles * STEPS)
    chosen = np.random.RandomState(0)
    for k, (every, sent, unit) in enumerate(probes):
        n = every.size_in
        places = np.sort(chosen.choice(n, min(n, SHOWN), replace=False))
        base = k * (SHOWN + 4)
        for probe, color in ((every, "0.75"), (sent, "black")):
            steps, neurons = np.nonzero(seen[probe][0][:, places])
            axes.plot(steps * DT * 1000, base + neurons, "|", color=color, markersize=3)
        for step in np.flatnonzero(seen[unit][0]):
            axes.plot([step * DT * 1000] * 2, [base - 1, base + SHOWN], color="tab:red", lw=1)
    middles = np.arange(len(probes)) * (SHOWN + 4) + SHOWN / 2
    axes.set_yticks(middles, [f"layer {k + 1}" for k in range(len(probes))])
    axes.set(xlabel="time (ms)", ylabel=f"{SHOWN} neurons of each layer")

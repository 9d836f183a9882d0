"""The pictures of docs/adaptive.md: the neuron's transfer function and its states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nengo_phasor import AdaptiveSpiking, atomic, dynamics, plots
from nengo_phasor.models.adaptive import neuron_measure
from nengo_phasor.models.adaptive.neuron import DT, trace


def transfer() -> Figure:
    """Draw the transfer function at three precisions (lines) and simulations (dots)."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    for k, end in enumerate((3.0, 0.4)):
        curves, simulated = {}, {}
        for m_f in (0.05, 0.1, 0.3):
            neuron, name = AdaptiveSpiking(m_f), f"m_f = {m_f:g}"
            S, points = (np.linspace(-0.1 * end, end, n) for n in (1101, 56))
            curves[name] = S, dynamics.adaptive_transfer(np, S, neuron.transfer)
            simulated[name] = points, neuron_measure.steady_currents(neuron, points, DT)["lowpass"]
        plots.transfer_function(curves, simulated, ax=figure.add_subplot(1, 2, k + 1))
    return figure


def states() -> Figure:
    """Draw a neuron's states and spikes over time, at two precisions."""
    figure = Figure(figsize=(8, 6.4), layout="constrained")
    for k, m_f in enumerate((0.1, 0.4)):
        neuron = AdaptiveSpiking(m_f)
        seen = trace(neuron, 2.0)
        theta = neuron.theta_0 + seen["adaptation"]
        axes = figure.add_subplot(2, 1, k + 1)
        plots.adaptive_neuron(
            seen["voltage"], seen["refraction"], theta, seen["spikes"], DT, ax=axes
        )
        axes.set_title(f"m_f = {m_f:g}", loc="right")
    return figure


PICTURES = {"adaptive_transfer.png": transfer, "adaptive_neuron.png": states}


def draw(folder: Path) -> list[Path]:
    """Draw all pictures; return the files."""
    for name, picture in PICTURES.items():
        with atomic.replacing(folder / name) as place:
            picture().savefig(place, dpi=100, format="png")
    return [folder / name for name in PICTURES]

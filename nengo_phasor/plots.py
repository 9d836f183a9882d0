"""Pictures of rhythm, phases, adaptation and spikes.

Every function draws on the axes it is given, or on new ones, and returns them;
``ax.figure.savefig`` writes the picture. None touches pyplot. What is told apart differs in line or
marker and in lightness, not in hue alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike

from nengo_phasor import compat
from nengo_phasor.phases import STEP_TOLERANCE, to_complex, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Figure = compat.require("matplotlib.figure").Figure
StepPatch = compat.require("matplotlib.patches").StepPatch

STYLES: tuple[dict[str, Any], ...] = (
    {"color": "black", "linestyle": "-", "marker": "o"},
    {"color": "#0072b2", "linestyle": "--", "marker": "s"},
    {"color": "#d55e00", "linestyle": "-.", "marker": "^"},
    {"color": "#56b4e9", "linestyle": ":", "marker": "D"},
)
"""Of one series after the other, dark to light; the hues are Okabe and Ito's."""

BARS = (("0.35", ""), ("#56b4e9", "//"), ("white", ".."))
"""Colour and hatch of one part of a bar after the other: as many as kinds of operations."""

CYCLE: dict[str, Any] = {"color": "0.5", "linestyle": "-", "linewidth": 1.0}
REFERENCE: dict[str, Any] = {"color": "0.5", "linestyle": ":", "linewidth": 1.0}

PHASE = "phase (units of π)"
PHASE_TICKS = (-1, -0.5, 0, 0.5, 1)


def spike_raster(
    raster: ArrayLike, dt: float, frequency: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the spikes of one item against time.

    Parameters
    ----------
    raster : (n_steps, n) array_like
        Spikes: anything other than 0. A spike is drawn in the middle of its step.
    dt : float
        Length of a simulation step, in seconds.
    frequency : float, optional
        Of the rhythm, in Hz: marks the beginning of each cycle (solid lines) and its reference
        (dotted).
    ax : Axes, optional
        Where to draw; by default on new axes.

    Raises
    ------
    ValidationError
        If the raster is of another number of dimensions.
    """
    raster = _matrix(raster, "raster", "(n_steps, n)")
    ax = ax or _new_axes()
    n_steps, n = raster.shape
    end = n_steps * dt
    label = "time (s)"
    if frequency is not None:
        n_cycles = int(np.ceil(end * frequency - STEP_TOLERANCE))
        beginnings = np.arange(n_cycles) / frequency
        references = beginnings + 0.5 / frequency
        for times, style in ((beginnings, CYCLE), (references[references < end], REFERENCE)):
            ax.vlines(times, -0.5, n - 0.5, zorder=1, **style)
        label += "; cycles begin at solid lines, dotted: reference"
    steps, neurons = np.nonzero(raster)
    ax.plot(
        (steps + 0.5) * dt,
        neurons,
        color="black",
        linestyle="none",
        marker="|",
        markersize=np.clip(260 / n, 3, 12),
        markeredgewidth=1.2,
    )
    ax.set(xlim=(0, end), ylim=(-0.5, n - 0.5), xlabel=label, ylabel="neuron")
    return ax


def phase_histogram(
    phases: ArrayLike, ax: Axes | None = None, label: str | None = None, bins: int = 40
) -> Axes:
    """Draw the distribution of phases around the circle.

    Further ones can be drawn on the same axes: the first is filled, the others are outlines.

    Parameters
    ----------
    phases : array_like
        Phases, in units of pi; those of missing spikes, NaN, are left out.
    ax : Axes, optional
        Where to draw; by default on new axes.
    label : str, optional
        Name in the legend, which ``ax.legend()`` draws.
    bins : int
        Number of bins in [-1, 1).
    """
    present = wrap(_present(phases))
    counts, edges = np.histogram(present, bins, range=(-1, 1))
    ax = ax or _new_axes()
    n_before = sum(isinstance(patch, StepPatch) for patch in ax.patches)
    if n_before:
        style = STYLES[(n_before - 1) % len(STYLES)]
        look = {"color": style["color"], "linestyle": style["linestyle"], "linewidth": 1.5}
    else:
        look = {"fill": True, "facecolor": "0.8", "edgecolor": "0.6"}
    ax.stairs(100 * counts / max(1, len(present)), edges, label=label, **look)
    ax.set(xlim=(-1, 1), xticks=PHASE_TICKS, xlabel=PHASE, ylabel="share of spikes (%)")
    return ax


def unit_circle(phases: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw phases as points on the unit circle, the reference on the right.

    Parameters
    ----------
    phases : array_like
        Phases, in units of pi. Those of missing spikes, NaN, are a grey cross in the centre, with
        their number.
    ax : Axes, optional
        Where to draw; by default on new axes.
    """
    z = to_complex(_present(phases))
    n_missing = np.size(phases) - len(z)
    ax = ax or _new_axes((4.0, 4.0))
    circle = np.exp(1j * np.linspace(-np.pi, np.pi, 361))
    ax.plot(circle.real, circle.imag, color="0.7", linewidth=1)
    ax.plot([0, 1], [0, 0], **REFERENCE)
    ax.plot(
        z.real, z.imag, color="black", linestyle="none", marker="o", markersize=6, alpha=0.5, mew=0
    )
    if n_missing:
        ax.plot([0], [0], color="0.6", linestyle="none", marker="x", markersize=9, mew=2)
        ax.text(0, -0.12, f"{n_missing} missing", color="0.35", ha="center", va="top")
    for angle, text in ((0, "0\nreference"), (0.5, "1/2"), (1, "±1"), (-0.5, "−1/2")):
        place = 1.2 * np.exp(1j * np.pi * angle)
        ax.text(place.real, place.imag, text, ha="center" if angle else "left", va="center")
    ax.set(xlim=(-1.4, 1.7), ylim=(-1.4, 1.4), xticks=[], yticks=[], xlabel=PHASE, aspect="equal")
    ax.spines[:].set_visible(False)
    return ax


def phase_raster(phases_per_cycle: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw each neuron's phase at each cycle, as `.phases.from_raster` gives them.

    The reference is dark and the opposite phase light, missing spikes are hatched. Before and after
    the reference differ in hue alone, as they must in any map of colours without a seam.

    Parameters
    ----------
    phases_per_cycle : (n_cycles, n) array_like
        Phases, in units of pi; NaN is a missing spike.
    ax : Axes, optional
        Where to draw; by default on new axes.

    Raises
    ------
    ValidationError
        If the phases are of another number of dimensions.
    """
    values = _matrix(phases_per_cycle, "phases_per_cycle", "(n_cycles, n)")
    n_cycles, n = values.shape
    ax = ax or _new_axes()
    ax.patch.set(facecolor="white", edgecolor="0.6", hatch="////")
    image = ax.imshow(
        np.ma.masked_invalid(values.T),
        cmap="twilight",
        vmin=-1,
        vmax=1,
        extent=(0.5, n_cycles + 0.5, -0.5, n - 0.5),
        origin="lower",
        aspect="auto",
        interpolation="none",
    )
    ax.figure.colorbar(image, ax=ax, label=PHASE, ticks=PHASE_TICKS)
    ax.set(xlabel="cycle", ylabel="neuron")
    ax.locator_params(axis="x", integer=True)
    return ax


def accuracy_against_removed(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    ax: Axes | None = None,
    baseline: float | None = None,
) -> Axes:
    """Draw accuracy against spikes removed, as Figure 4 of Olin-Ammentorp (2023).

    Parameters
    ----------
    curves : {str: (fractions removed, accuracies)}
        Points of each named curve, both from 0 to 1; drawn in percent, in order of what is removed.
    ax : Axes, optional
        Where to draw; by default on new axes.
    baseline : float, optional
        Accuracy with all spikes.
    """
    ax = ax or _new_axes()
    if baseline is not None:
        ax.axhline(100 * baseline, color="0.4", linestyle=":", linewidth=1, label="all spikes")
    _accuracies({name: (100 * np.asarray(x), y) for name, (x, y) in curves.items()}, ax)
    ax.set(xlim=(-2, 102), ylim=(0, 100), xlabel="spikes removed (%)", ylabel="accuracy (%)")
    ax.legend(frameon=False, loc="lower left")
    return ax


def accuracy_against_spikes(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]], ax: Axes | None = None
) -> Axes:
    """Draw accuracy against the number of spikes, which is on a logarithmic axis.

    Parameters
    ----------
    curves : {str: (spikes of an inference, accuracies)}
        Points of each named curve, accuracies from 0 to 1, drawn in percent, in order of spikes.
    ax : Axes, optional
        Where to draw; by default on new axes.
    """
    ax = ax or _new_axes()
    _accuracies(curves, ax)
    ax.set(xscale="log", xlabel="spikes of an inference", ylabel="accuracy (%)")
    ax.legend(frameon=False)
    return ax


def energy_bars(parts: Mapping[str, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """Draw the energy of an inference as a bar for each case, divided by kind of operation.

    Parameters
    ----------
    parts : {str: {str: float}}
        For each named case the joules of each kind, as the ``parts`` of `.energy.Energy`.
    ax : Axes, optional
        Where to draw; by default on new axes.
    """
    ax = ax or _new_axes()
    places, start = np.arange(len(parts)), np.zeros(len(parts))
    kinds = dict.fromkeys(kind for case in parts.values() for kind in case)
    for kind, (color, hatch) in zip(kinds, BARS, strict=False):
        width = 1e6 * np.array([case.get(kind, 0.0) for case in parts.values()], dtype=float)
        look: dict[str, Any] = {"edgecolor": "black", "hatch": hatch, "linewidth": 0.8}
        ax.barh(places, width, left=start, label=kind, facecolor=color, **look)
        start += width
    ax.set_yticks(places, parts)
    ax.invert_yaxis()
    ax.set(xlabel="energy of an inference (µJ)", ylabel="case")
    ax.legend(frameon=False)
    return ax


def accuracy_over_cycles(curves: Mapping[str, ArrayLike], ax: Axes | None = None) -> Axes:
    """Draw the accuracy at each cycle.

    Parameters
    ----------
    curves : {str: (n_cycles,) array_like}
        Accuracies of each named curve, from 0 to 1; drawn in percent. The first cycle is 1.
    ax : Axes, optional
        Where to draw; by default on new axes.
    """
    ax = ax or _new_axes()
    _accuracies({name: (np.arange(1, np.size(y) + 1), y) for name, y in curves.items()}, ax)
    ax.set(ylim=(0, 100), xlabel="cycle", ylabel="accuracy (%)")
    ax.locator_params(axis="x", integer=True)
    ax.legend(frameon=False, loc="lower right")
    return ax


def oscillator(
    voltage: ArrayLike, current: ArrayLike, spikes: ArrayLike, dt: float, ax: Axes | None = None
) -> Axes:
    """Draw a resonate-and-fire neuron's states over time, and its spikes on its voltage.

    Parameters
    ----------
    voltage, current, spikes : (n_steps,) array_like
        What probes of one neuron see at each step; a spike is anything other than 0.
    dt : float
        Length of a simulation step, in seconds.
    ax : Axes, optional
        Where to draw; by default on new axes.
    """
    voltage, current = np.asarray(voltage), np.asarray(current)
    times = dt * np.arange(1, len(voltage) + 1)
    fired = np.flatnonzero(spikes)
    ax = ax or _new_axes()
    ax.axhline(0, color="0.8", linewidth=0.8)
    ax.plot(times, voltage, color="black", linewidth=1.5, label="voltage")
    ax.plot(times, current, color="#56b4e9", linestyle="--", linewidth=1.5, label="current")
    ax.plot(
        times[fired],
        voltage[fired],
        color="#d55e00",
        linestyle="none",
        marker="v",
        markersize=7,
        markeredgecolor="black",
        label="spike",
    )
    ax.set(xlim=(0, times[-1]), xlabel="time (s)", ylabel="state (no unit)")
    ax.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return ax


def transfer_function(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    simulated: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw adaptive neurons' transfer functions as lines, and what simulations gave as points.

    Parameters
    ----------
    curves : {str: (activations, mean outputs)}
        Points of each named curve, in the order of the activations.
    simulated : {str: (activations, mean outputs)}, optional
        Measured with the neurons of the curve of that name.
    ax : Axes, optional
        Where to draw; by default on new axes.

    Raises
    ------
    ValidationError
        If something was simulated that is not among the curves.
    """
    simulated = simulated or {}
    for name in simulated:
        if name not in curves:
            raise ValidationError(f"has {name!r}, of which there is no curve", attr="simulated")
    ax = ax or _new_axes()
    for (name, (S, f)), style in zip(curves.items(), _styles(), strict=False):
        ax.plot(S, f, label=name, **{**style, "marker": None})
        if name in simulated:
            look = {**style, "linestyle": "none", "markersize": 4, "markerfacecolor": "none"}
            ax.plot(*simulated[name], label=f"{name}, simulated", **look)
    ax.set(xlabel="activation S", ylabel="mean output f(S)")
    ax.legend(frameon=False, loc="upper left")
    return ax


def adaptive_neuron(
    activation: ArrayLike,
    refraction: ArrayLike,
    threshold: ArrayLike,
    spikes: ArrayLike,
    dt: float,
    ax: Axes | None = None,
) -> Axes:
    """Draw an adaptive neuron's states over time, and its spikes below them.

    It spikes where the activation is above the refractory response by half the threshold.

    Parameters
    ----------
    activation, refraction, threshold, spikes : (n_steps,) array_like
        Of one neuron at each step: S, Shat and theta, which are `.AdaptiveSpiking`'s voltage,
        refraction, and theta_0 + adaptation; a spike is anything other than 0.
    dt : float
        Length of a simulation step, in seconds.
    ax : Axes, optional
        Where to draw; by default on new axes.
    """
    half = 0.5 * np.asarray(threshold)
    times = dt * np.arange(1, len(half) + 1)
    fired = np.flatnonzero(spikes)
    series: dict[str, tuple[Any, dict[str, Any]]] = {
        "refraction Ŝ": (refraction, {"color": "#56b4e9", "linewidth": 1.0}),
        "activation S": (activation, {"color": "black", "linewidth": 1.5}),
        "threshold θ/2": (half, {"color": "#d55e00", "linestyle": "--", "linewidth": 1.2}),
    }
    ax = ax or _new_axes()
    ax.axhline(0, color="0.8", linewidth=0.8)
    for label, (values, look) in series.items():
        ax.plot(times, values, label=label, **look)
    lowest = min(0.0, np.min(activation))
    below = np.full(len(fired), lowest - 2 * np.mean(half))
    ax.plot(times[fired], below, "|", color="black", markersize=9, label="spike")
    ax.set(xlim=(0, times[-1]), xlabel="time (s)", ylabel="state (no unit)")
    ax.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    return ax


def _accuracies(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], ax: Axes) -> None:
    """Draw named accuracies in percent, each in order of what it is drawn against."""
    for (name, (x, accuracy)), style in zip(curves.items(), _styles(), strict=False):
        order = np.argsort(x)
        values = np.asarray(x)[order], 100 * np.asarray(accuracy)[order]
        ax.plot(*values, label=name, markersize=4, **style)


def _new_axes(size: tuple[float, float] = (6.4, 4.0)) -> Axes:
    return Figure(figsize=size, layout="constrained").add_subplot()


def _styles() -> Iterable[dict]:
    while True:
        yield from STYLES


def _present(phases):
    """Return the phases of spikes that are not missing, as one row."""
    values = np.ravel(np.asarray(phases, dtype=float))
    return values[~np.isnan(values)]


def _matrix(values, name, shape):
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValidationError(
            f"has shape {values.shape}, but must be {shape}: of several items, take one", attr=name
        )
    return values

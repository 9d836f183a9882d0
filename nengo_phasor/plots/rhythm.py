"""Plots of rhythm: spikes, phases and oscillating neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike

from nengo_phasor import compat
from nengo_phasor.checks import check_array
from nengo_phasor.phases import STEP_TOLERANCE, to_complex, wrap
from nengo_phasor.plots.axes import REFERENCE, STYLES, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

StepPatch = compat.require("matplotlib.patches").StepPatch

CYCLE: dict[str, Any] = {"color": "0.5", "linestyle": "-", "linewidth": 1.0}

PHASE = "phase (units of π)"
PHASE_TICKS = (-1, -0.5, 0, 0.5, 1)


def spike_raster(
    raster: ArrayLike,
    dt: float,
    frequency: float | None = None,
    ax: Axes | None = None,
    resonance: ArrayLike | None = None,
) -> Axes:
    """Plot the spikes of one item against time.

    Parameters
    ----------
    raster : (n_steps, n) array_like
        The raster, in which every non-zero value is a spike. A spike is drawn in the middle of its
        step.
    dt : float
        The time step, in seconds.
    frequency : float, optional
        The frequency of the rhythm, in Hz. If given, the beginning of each cycle (solid lines) and
        its reference (dotted lines) are marked.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.
    resonance : (n,) array_like, optional
        The resonant frequencies of the neurons of a bank, in Hz. If given, neurons are sorted and
        labelled by them.

    Raises
    ------
    ValidationError
        If the raster is not two-dimensional, or if there is not one resonance for each neuron.
    """
    raster = _matrix(raster, "raster", "(n_steps, n)")
    if resonance is not None:
        resonance = check_array(resonance, "resonance", f"({raster.shape[1]})")
        order = np.argsort(resonance, kind="stable")
        raster, resonance = raster[:, order], resonance[order]
    ax = ax or new_axes()
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
    if resonance is not None:
        shown = np.unique(np.linspace(0, n - 1, min(n, 6)).round().astype(int))
        ax.set_yticks(shown, [f"{hertz:.3g}" for hertz in resonance[shown]])
        ax.set_ylabel("resonant frequency (Hz)")
    return ax


def phase_histogram(
    phases: ArrayLike, ax: Axes | None = None, label: str | None = None, bins: int = 40
) -> Axes:
    """Plot the distribution of phases around the circle.

    Further distributions can be plotted on the same axes: the first is filled, the others are
    outlines.

    Parameters
    ----------
    phases : array_like
        The phases, in units of pi. Those of missing spikes, NaN, are ignored.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.
    label : str, optional
        The name in the legend, which ``ax.legend()`` draws.
    bins : int
        The number of bins in [-1, 1).
    """
    present = wrap(_present(phases))
    counts, edges = np.histogram(present, bins, range=(-1, 1))
    ax = ax or new_axes()
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
    """Plot phases as points on the unit circle, with the reference on the right.

    Parameters
    ----------
    phases : array_like
        The phases, in units of pi. Missing spikes, NaN, are shown as a grey cross in the centre,
        with their number.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.
    """
    z = to_complex(_present(phases))
    n_missing = np.size(phases) - len(z)
    ax = ax or new_axes((4.0, 4.0))
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
    """Plot each neuron's phase at each cycle, as returned by `.phases.from_raster`.

    The reference is dark and the opposite phase is light; missing spikes are hatched. Phases before
    and after the reference differ only in hue, as they must in any cyclic colour map.

    Parameters
    ----------
    phases_per_cycle : (n_cycles, n) array_like
        The phases, in units of pi; NaN is a missing spike.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.

    Raises
    ------
    ValidationError
        If the phases are not two-dimensional.
    """
    values = _matrix(phases_per_cycle, "phases_per_cycle", "(n_cycles, n)")
    n_cycles, n = values.shape
    ax = ax or new_axes()
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


def oscillator(
    voltage: ArrayLike, current: ArrayLike, spikes: ArrayLike, dt: float, ax: Axes | None = None
) -> Axes:
    """Plot a resonate-and-fire neuron's states over time, with its spikes on its voltage.

    Parameters
    ----------
    voltage, current, spikes : (n_steps,) array_like
        The states and spikes of one neuron at each step, as seen by probes; a spike is a non-zero
        value.
    dt : float
        The time step, in seconds.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.
    """
    voltage, current = np.asarray(voltage), np.asarray(current)
    times = dt * np.arange(1, len(voltage) + 1)
    fired = np.flatnonzero(spikes)
    ax = ax or new_axes()
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


def _present(phases):
    """Return the phases of spikes that are not missing, as one row."""
    values = np.ravel(np.asarray(phases, dtype=float))
    return values[~np.isnan(values)]


def _matrix(values, name, shape):
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValidationError(
            f"has shape {values.shape}, but must be {shape}: select one item if there are several",
            attr=name,
        )
    return values

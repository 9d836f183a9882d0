"""Plots of adaptive neurons: their transfer function and their states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike

from nengo_phasor.plots.axes import new_axes, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def transfer_function(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    simulated: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot adaptive neurons' transfer functions as lines, and simulated values as points.

    Parameters
    ----------
    curves : {str: (activations, mean outputs)}
        The points of each named curve, in the order of the activations.
    simulated : {str: (activations, mean outputs)}, optional
        Points simulated with the neurons of the curve of the same name.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.

    Raises
    ------
    ValidationError
        If a name in ``simulated`` is not among the curves.
    """
    simulated = simulated or {}
    for name in simulated:
        if name not in curves:
            raise ValidationError(f"has {name!r}, which is not among the curves", attr="simulated")
    ax = ax or new_axes()
    for (name, (S, f)), style in zip(curves.items(), styles(), strict=False):
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
    """Plot an adaptive neuron's states over time, and its spikes below them.

    It spikes when the activation exceeds the refractory response by half the threshold.

    Parameters
    ----------
    activation, refraction, threshold, spikes : (n_steps,) array_like
        The states S, Shat and theta of one neuron at each step, which are the voltage, the
        refraction and theta_0 + adaptation of `.AdaptiveSpiking`, and its spikes, which are
        non-zero values.
    dt : float
        The time step, in seconds.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.
    """
    half = 0.5 * np.asarray(threshold)
    times = dt * np.arange(1, len(half) + 1)
    fired = np.flatnonzero(spikes)
    series: dict[str, tuple[Any, dict[str, Any]]] = {
        "refraction Ŝ": (refraction, {"color": "#56b4e9", "linewidth": 1.0}),
        "activation S": (activation, {"color": "black", "linewidth": 1.5}),
        "threshold θ/2": (half, {"color": "#d55e00", "linestyle": "--", "linewidth": 1.2}),
    }
    ax = ax or new_axes()
    ax.axhline(0, color="0.8", linewidth=0.8)
    for label, (values, look) in series.items():
        ax.plot(times, values, label=label, **look)
    lowest = min(0.0, np.min(activation))
    below = np.full(len(fired), lowest - 2 * np.mean(half))
    ax.plot(times[fired], below, "|", color="black", markersize=9, label="spike")
    ax.set(xlim=(0, times[-1]), xlabel="time (s)", ylabel="state (no unit)")
    ax.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    return ax

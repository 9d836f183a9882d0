"""Plots of a network's performance and cost: accuracy, spikes, energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from nengo_phasor.plots.axes import new_axes, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS = (("0.35", ""), ("#56b4e9", "//"), ("white", ".."))
"""The colour and hatch of the parts of a bar, one for each kind of operation."""


def accuracy_against_removed(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    ax: Axes | None = None,
    baseline: float | None = None,
) -> Axes:
    """Plot accuracy against spikes removed, as in Figure 4 of Olin-Ammentorp (2023).

    Parameters
    ----------
    curves : {str: (fractions removed, accuracies)}
        The points of each named curve, both values from 0 to 1. They are plotted in percent, in the
        order of the fraction removed.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.
    baseline : float, optional
        The accuracy with all spikes, from 0 to 1.
    """
    ax = ax or new_axes()
    if baseline is not None:
        ax.axhline(100 * baseline, color="0.4", linestyle=":", linewidth=1, label="all spikes")
    _accuracies({name: (100 * np.asarray(x), y) for name, (x, y) in curves.items()}, ax)
    ax.set(xlim=(-2, 102), ylim=(0, 100), xlabel="spikes removed (%)", ylabel="accuracy (%)")
    ax.legend(frameon=False, loc="lower left")
    return ax


def accuracy_against_spikes(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]], ax: Axes | None = None
) -> Axes:
    """Plot accuracy against the number of spikes, on a logarithmic axis.

    Parameters
    ----------
    curves : {str: (spikes of an inference, accuracies)}
        The points of each named curve, with accuracies from 0 to 1. Accuracies are plotted in
        percent, in the order of the number of spikes.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.
    """
    ax = ax or new_axes()
    _accuracies(curves, ax)
    ax.set(xscale="log", xlabel="spikes of an inference", ylabel="accuracy (%)")
    ax.legend(frameon=False)
    return ax


def accuracy_over_cycles(curves: Mapping[str, ArrayLike], ax: Axes | None = None) -> Axes:
    """Plot the accuracy at each cycle.

    Parameters
    ----------
    curves : {str: (n_cycles,) array_like}
        The accuracies of each named curve, from 0 to 1, which are plotted in percent. The first
        cycle is cycle 1.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.
    """
    ax = ax or new_axes()
    _accuracies({name: (np.arange(1, np.size(y) + 1), y) for name, y in curves.items()}, ax)
    ax.set(ylim=(0, 100), xlabel="cycle", ylabel="accuracy (%)")
    ax.locator_params(axis="x", integer=True)
    ax.legend(frameon=False, loc="lower right")
    return ax


def energy_bars(parts: Mapping[str, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """Plot the energy of an inference as a bar for each case, divided by kind of operation.

    Parameters
    ----------
    parts : {str: {str: float}}
        The energy of each kind of operation in joules for each named case, as in the ``parts`` of
        `.energy.Energy`.
    ax : Axes, optional
        The axes to draw on. By default new axes are created.
    """
    ax = ax or new_axes()
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


def _accuracies(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], ax: Axes) -> None:
    """Plot named accuracies in percent, each in the order of its x values."""
    for (name, (x, accuracy)), style in zip(curves.items(), styles(), strict=False):
        order = np.argsort(x)
        values = np.asarray(x)[order], 100 * np.asarray(accuracy)[order]
        ax.plot(*values, label=name, markersize=4, **style)

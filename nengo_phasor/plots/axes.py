"""The common parts of plots: new axes, and the styles of series."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nengo_phasor import compat

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Figure = compat.require("matplotlib.figure").Figure

STYLES: tuple[dict[str, Any], ...] = (
    {"color": "black", "linestyle": "-", "marker": "o"},
    {"color": "#0072b2", "linestyle": "--", "marker": "s"},
    {"color": "#d55e00", "linestyle": "-.", "marker": "^"},
    {"color": "#56b4e9", "linestyle": ":", "marker": "D"},
)
"""The styles of successive series, from dark to light; the hues are those of Okabe and Ito."""

REFERENCE: dict[str, Any] = {"color": "0.5", "linestyle": ":", "linewidth": 1.0}


def new_axes(size: tuple[float, float] = (6.4, 4.0)) -> Axes:
    """Return the axes of a new figure of the given size in inches."""
    return Figure(figsize=size, layout="constrained").add_subplot()


def styles() -> Iterable[dict]:
    """Yield the styles of series, repeatedly."""
    while True:
        yield from STYLES

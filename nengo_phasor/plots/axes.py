"""What pictures have in common: their own axes, and how one series differs from the next."""

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
"""Of one series after the other, dark to light; the hues are Okabe and Ito's."""

REFERENCE: dict[str, Any] = {"color": "0.5", "linestyle": ":", "linewidth": 1.0}


def new_axes(size: tuple[float, float] = (6.4, 4.0)) -> Axes:
    """Return axes of a figure of their own, of so many inches."""
    return Figure(figsize=size, layout="constrained").add_subplot()


def styles() -> Iterable[dict]:
    """Yield the styles of series, over and over."""
    while True:
        yield from STYLES

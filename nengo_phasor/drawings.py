"""Drawings of phases, images, classes and precision as SVG, for `.displays`."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

COLORS = ("#1c73b3", "#039f74", "#d65e00", "#cd79a7", "#f0e542", "#56b4ea")
"""The colours of successive hands, which are those of Nengo GUI's plots (Okabe and Ito)."""

FADED = 0.25
"""The opacity of hands whose spike is missing, relative to that of the others."""

UNIT = "#d62728"
"""The colour of a rhythm unit's hand, as that of its spikes in rasters."""

INK, PALE, LINE, NEEDLE = "#0072b2", "#9ecae1", "#666666", "#d55e00"

MANY = 12
"""The number of hands above which all look alike."""


def _svg(width: float, height: float, *parts: str) -> str:
    """Return a drawing that fills the available space, keeping its proportions."""
    return (
        f'<svg width="100%" height="100%" viewBox="0 0 {width:g} {height:g}" '
        f'font-family="sans-serif" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, size: float = 6, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" {more}>{escape(text)}</text>'


MIDDLE = 'text-anchor="middle"'


def clock_svg(phase: ArrayLike, sent: ArrayLike, unit: float = np.nan) -> str:
    """Draw phases as hands on the unit circle.

    Parameters
    ----------
    phase : (n,) array_like
        The phases, in units of pi; NaN has no hand. 0, the reference, is on the right, 1/2 at the
        top.
    sent : (n,) array_like of bool
        Whether the spike of each hand is sent; hands of missing spikes are faded.
    unit : float
        The phase of the layer's rhythm unit, whose hand is red; NaN has no hand.
    """
    phase, sent = np.asarray(phase, dtype=float), np.asarray(sent, dtype=bool)
    shown = ~np.isnan(phase)
    parts = [
        '<circle cx="50" cy="48" r="36" fill="white" stroke="#999999" stroke-width="0.6"/>',
        '<path class="reference" d="M87 48l7 -3v6z" fill="black"/>',
        '<path d="M50 12v-3M14 48h-3M50 84v3" stroke="#999999" stroke-width="0.6"/>',
        _text(95, 50, "0"),
        _text(50, 7, "½", more=MIDDLE),
        _text(1, 50, "±1"),
        _text(56, 90, "−½", more=MIDDLE),
    ]
    many = len(phase) > MANY
    for k in _in_groups(len(phase), shown & ~sent) + _in_groups(len(phase), shown & sent):
        color = INK if many else COLORS[k[0] % len(COLORS)]
        parts.append(_hands(phase[k], color, many, sent[k[0]]))
    if not np.isnan(unit):
        x, y = (41 * f(np.pi * unit) for f in (np.cos, np.sin))
        parts.append(
            f'<path class="unit" d="M50 48L{50 + x:.1f} {48 - y:.1f}" stroke="{UNIT}" '
            'stroke-width="2.2"/>'
        )
    parts.append(_text(2, 98, f"{np.sum(shown & sent)} of {len(phase)} spikes sent", 5))
    return _svg(100, 100, *parts)


def _in_groups(n: int, chosen: NDArray[np.bool_]) -> list[NDArray[np.int_]]:
    """Return the chosen hands, individually or, if there are many, together."""
    (hands,) = np.nonzero(chosen)
    return [hands] * bool(len(hands)) if n > MANY else list(hands[:, None])


def _hands(phase: NDArray, color: str, many: bool, sent: bool) -> str:
    x, y = 50 + 36 * np.cos(np.pi * phase), 48 - 36 * np.sin(np.pi * phase)
    lines = "".join(f"M50 48L{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
    width, opacity = (0.5, 0.6) if many else (1.6, 1)
    parts = [
        f'<path class="{"spike" if sent else "missing"}" d="{lines}" stroke="{color}" '
        f'stroke-width="{width}"/>'
    ]
    if not many:
        parts.append(f'<circle cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="2.4" fill="{color}"/>')
    return f'<g opacity="{opacity if sent else opacity * FADED:g}">{"".join(parts)}</g>'


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return the PNG file of an image of bytes: (height, width) grey, (height, width, 3) colour."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    filtered = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()  # filter 0: none
    header = struct.pack(">2I5B", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(filtered))
        + chunk(b"IEND", b"")
    )


CAPTION = 0.1
"""The size of an image's caption, relative to the height of the image."""


def image_svg(
    values: ArrayLike, low: float = 0.0, high: float = 1.0, caption: str | None = None
) -> str:
    """Draw an image, (height, width) or (height, width, 3): black at ``low``, white at ``high``.

    A caption stands below it.
    """
    scaled = (np.asarray(values, dtype=float) - low) / (high - low)
    pixels = np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    height, width = pixels.shape[:2]
    data = base64.b64encode(png(pixels)).decode()
    image = (
        f'<image width="{width}" height="{height}" style="image-rendering: pixelated" '
        f'href="data:image/png;base64,{data}"/>'
    )
    if caption is None:
        return _svg(width, height, image)
    size = CAPTION * height
    text = _text(width / 2, height + size, caption, size, f'class="caption" {MIDDLE}')
    return _svg(width, height + 1.4 * size, image, text)


def classes_svg(
    names: Sequence[str],
    values: ArrayLike,
    low: float = 0.0,
    high: float = 1.0,
    winner: int | None = None,
) -> str:
    """Draw a bar for each class, from ``low`` to ``high``, with the winner highlighted if any.

    Parameters
    ----------
    names : sequence of str
        The names of the classes.
    values : (n,) array_like
        The values of the classes.
    low, high : float
        The values of an empty and of a full bar.
    winner : int, optional
        The index of the class that is highlighted and named on top.
    """
    values = np.asarray(values, dtype=float)
    lengths = 56 * np.clip((values - low) / (high - low), 0, 1)
    row = max(5.0, 80 / len(names))
    size = min(6.0, 0.75 * row)
    parts = [
        _text(50, 11, "–" if winner is None else names[winner], 11, f'class="winner" {MIDDLE}')
    ]
    for k, (name, length) in enumerate(zip(names, lengths, strict=True)):
        y, bold = 17 + row * k, ' font-weight="bold"' if k == winner else ""
        parts += [
            _text(38, y + 0.5 * row + 0.35 * size, name, size, f'text-anchor="end"{bold}'),
            f'<rect x="41" y="{y + 0.1 * row:.4g}" width="{length:.1f}" height="{0.8 * row:.4g}" '
            f'fill="{INK if k == winner else PALE}"/>',
        ]
    bottom = 17 + row * len(names)
    parts.append(f'<path d="M41 16V{bottom:g}" stroke="{LINE}" stroke-width="0.5"/>')
    return _svg(100, bottom + 2, *parts)


def dial_svg(m_f: float, low: float, high: float) -> str:
    """Draw a dial whose needle points to a precision, from coarse on the left to fine.

    Parameters
    ----------
    m_f : float
        The precision.
    low, high : float
        The precisions at the ends of the dial, which is logarithmic because firing rates are
        proportional to 1/m_f.
    """
    position = np.log(m_f / low) / np.log(high / low)
    angle = np.pi * (1 - np.clip(position, -0.03, 1.03))
    x, y = 50 + 34 * np.cos(angle), 50 - 34 * np.sin(angle)
    return _svg(
        100,
        76,
        '<path d="M12 50a38 38 0 0 1 76 0" fill="none" stroke="#cccccc" stroke-width="5"/>',
        f'<path class="needle" d="M50 50L{x:.1f} {y:.1f}" stroke="{NEEDLE}" stroke-width="2.5"/>',
        '<circle cx="50" cy="50" r="4"/>',
        _text(12, 61, "coarse", 6, MIDDLE),
        _text(88, 61, "precise", 6, MIDDLE),
        _text(12, 68, f"{low:g}", 6, MIDDLE),
        _text(88, 68, f"{high:g}", 6, MIDDLE),
        _text(50, 72, f"m_f = {m_f:.3g}", 9, MIDDLE),
    )

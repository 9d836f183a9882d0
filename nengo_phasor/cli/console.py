"""What the commands share: where the repository is, and tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nengo_phasor import compat

click = compat.require("click")

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where the committed results are: they are in the repository, not in the installed package."""


def echo_table(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows in columns, the last one as long as it likes."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for *cells, last in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        click.echo("  " + "  ".join([*padded, last]))

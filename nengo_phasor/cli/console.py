"""Shared parts of the commands: the location of the repository and its files, and tables."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

from nengo_phasor import compat

click = compat.require("click")

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder above the package: the repository, if this is a clone of it."""

SHARED = ("networks", "notebooks", "results")
"""Folders of the repository that an installation stores beside the package."""


def in_checkout() -> bool:
    """Return whether this package belongs to a checkout."""
    return (CHECKOUT / "setup.cfg").exists()


def shared_files(folder: str) -> list[Path]:
    """Return the files of one of the `SHARED` folders, of the checkout or of the installation."""
    if in_checkout():
        return [path for path in sorted((CHECKOUT / folder).glob("*")) if path.is_file()]
    files = importlib.metadata.files("nengo-phasor") or []
    return [Path(str(f.locate())) for f in files if f.parts[-3:-1] == ("nengo-phasor", folder)]


def echo_table(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows in aligned columns; the last column is not limited in width."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for *cells, last in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        click.echo("  " + "  ".join([*padded, last]))

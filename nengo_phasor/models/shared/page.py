"""The page of a run: one HTML file that contains its pictures."""

from __future__ import annotations

import base64
import mimetypes
import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from nengo_phasor import atomic, compat, results

TEMPLATE = Path(__file__).with_name("page.html")
PACKAGES = ("nengo-phasor", "nengo", "nengo-dl", "tensorflow", "nengo-loihi", "numpy")
"""The packages whose versions the page lists, if they are installed."""


class Section(NamedTuple):
    """A part of a page; everything in it is optional.

    Attributes
    ----------
    heading, text : str
        The heading and a paragraph below it.
    pictures : {str: str}
        The captions of files in the page's folder, which are copied into the page.
    columns : sequence of str
        The header of the table.
    rows : sequence of sequence
        The lines of the table, the first cell of each being its name.
    """

    heading: str = ""
    text: str = ""
    pictures: Mapping[str, str] = {}
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def percentages(fractions: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return rows of a table that shows named fractions in percent."""
    return [(name, f"{value:.2%}") for name, value in fractions.items()]


def write(
    folder: str | os.PathLike,
    title: str,
    lead: str,
    sections: Sequence[Section],
    facts: Mapping[str, object] | None = None,
    links: Mapping[str, str] | None = None,
) -> Path:
    """Write ``index.html`` into a folder and return its path.

    The page states the command, the date and the versions with which it was made.

    Parameters
    ----------
    folder : path
        The folder, which contains the pictures.
    title, lead : str
        The heading of the page and the paragraph below it.
    sections : sequence of Section
        The parts of the page, in order.
    facts : {str: object}, optional
        Facts about the run, such as the recipe and the seed, which are shown next to the date.
    links : {str: str}, optional
        Next steps: descriptions, with the address or command for each.
    """
    folder = Path(folder)
    versions = [f"{name} {version}" for name, version in results.versions(PACKAGES).items()]
    template = compat.require("jinja2").Template(
        TEMPLATE.read_text(encoding="utf-8"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    text = template.render(
        title=title,
        lead=lead,
        sections=sections,
        facts={**(facts or {}), "date": date.today().isoformat()},
        links=links or {},
        command=results.command(),
        versions=", ".join(versions),
        embedded=lambda name: _data_address(folder / name),
    )
    path = folder / "index.html"
    with atomic.replacing(path) as place:
        place.write_text(text, encoding="utf-8")
    return path


def _data_address(path: Path) -> str:
    """Return a data URL with the content of a file."""
    kind, _ = mimetypes.guess_type(path.name)
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"

"""Pages that are made when the documentation is built: from the library's tables and from results.

A page of every neuron type and synapse, the API reference, the tables of results and of versions,
and the pictures that pages' own examples draw.
"""

from __future__ import annotations

import configparser
import doctest
import importlib
import inspect
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

import render_results
from catalogue import PAGES, Page, check_complete, substrates
from matplotlib.figure import Figure

from nengo_phasor import atomic, compat, results

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER.parent / "results"
NOTEBOOKS = FOLDER.parent / "notebooks"


# ------------------------------------------------------------------------------- neurons, synapses


def type_page(page: Page) -> str:
    """Return the page of a neuron type or synapse."""
    name = page.type.__name__
    rows = "".join(f"| {where} | {how} |\n" for where, how in substrates(page.type).items())
    limits = "".join(f"- {limit}\n" for limit in page.limits)
    more = "".join(f"- {{doc}}`/{target}`\n" for target in page.more)
    return f"""# {name}

![{name}]({name}.png)

{page.caption}

```{{eval-rst}}
.. autoclass:: nengo_phasor.{name}
```

## Substrates

| where | how it runs |
|---|---|
{rows}
## Limits

{limits}
## Read on

{more}"""


def draw(page: Page, path: Path) -> None:
    """Draw the picture of a type's page."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    page.draw(figure, page.type)
    figure.savefig(path, dpi=120)


# ---------------------------------------------------------------------------------- API reference

API = {
    "Neurons, synapses, phases": ("neurons", "synapses", "phases", "vsa", "spa"),
    "Networks and conversions": ("networks", "convert", "pooling", "arousal"),
    "Training": ("surrogates", "schedules", "dl.losses", "dl.callbacks", "dl.activations"),
    "Running": ("layerwise", "loihi.emulator", "loihi.readout", "loihi.fixed_point", "compat"),
    "Measuring and showing": ("metrics", "energy", "plots", "displays", "datasets", "results"),
    "Inside": ("dynamics", "builders"),
}


def public_names(module: ModuleType) -> list[str]:
    """Return what a module offers: its ``__all__``, or the classes and functions defined in it."""
    elsewhere = {page.type for page in PAGES}
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    ]
    return [n for n in names if not n.startswith("_") and getattr(module, n) not in elsewhere]


def api_page(name: str) -> str:
    """Return the reference of a module: a table of its names, then each of them."""
    module = importlib.import_module(f"nengo_phasor.{name}")
    names = public_names(module)
    table = "".join(f"   {n}\n" for n in names)
    entries = "\n".join(
        f".. autoclass:: {n}\n   :members:\n"
        if inspect.isclass(getattr(module, n))
        else f".. autofunction:: {n}\n"
        for n in names
    )
    return f"""# {name}

```{{eval-rst}}
.. automodule:: {module.__name__}

.. autosummary::

{table}
.. currentmodule:: {module.__name__}

{entries}
```
"""


# ------------------------------------------------------------------------------ results, versions


def result_files() -> dict[str, dict]:
    """Return the content of every committed result file by its name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def results_text() -> str:
    """Return every result file's claims, with how it was made."""
    parts = []
    for name, content in result_files().items():
        rows = [
            (*render_results.cells(c), "yes" if results.Claim(**c).holds else "**no**")
            for c in content["claims"]
        ]
        table = markdown_table(("measured", "value", "promised", "paper", "holds"), rows)
        parts.append(
            f"## {name}\n\n`{content['command']}`, {content['date']}\n\n"
            + (table if rows else "Nothing was promised of it: the file has what was measured.\n")
        )
    return "\n".join(parts)


def versions_text() -> str:
    """Return the sets of versions that results were made with, and what the backends' tests say."""
    made_with: dict[tuple, list[str]] = {}
    for name, content in result_files().items():
        made_with.setdefault(tuple(content["versions"].items()), []).append(name)
    parts = []
    for versions, names in made_with.items():
        parts.append(markdown_table(("package", "version"), versions))
        parts.append(f"Made with these: {', '.join(names)}.\n")
    tests = result_files()["backend_tests"]
    rows = [
        (f"`{file}`", run["passed"], run["failed"], run["skipped"])
        for file, run in tests["figures"].items()
        if isinstance(run, dict) and "passed" in run
    ]
    failures = [
        f"- `{test}`: {message}\n"
        for run in tests["figures"].values()
        if isinstance(run, dict)
        for test, message in run.get("failures", {}).items()
    ]
    parts.append(f"## The backends' own tests\n\n`{tests['command']}`, {tests['date']}:\n")
    parts.append(markdown_table(("tests", "passed", "failed", "skipped"), rows))
    parts.append("Those that fail:\n\n" + "".join(failures) if failures else "None fails.\n")
    return "\n".join(parts)


def patches_text() -> str:
    """Return what is mended in which releases of the backends."""
    rows = [
        (f"`{p.module}`", f"up to {_dotted(p.last)}", f"{p.library} from {_dotted(p.since)}")
        for p in compat.PATCHES
    ]
    return markdown_table(("module", "releases", "with"), rows)


def extras_text() -> str:
    """Return the ranges of versions that each extra asks for."""
    setup = configparser.ConfigParser()
    setup.read(FOLDER.parent / "setup.cfg")
    needed = {"core": setup["options"]["install_requires"], **setup["options.extras_require"]}
    rows = [
        (f"`{name}`", ", ".join(f"`{line}`" for line in text.split()))
        for name, text in needed.items()
        if name not in ("test", "docs", "all")
    ]
    return markdown_table(("extra", "asks for"), rows)


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def more_text() -> str:
    """Return a table of contents of the pages that the start page does not list itself."""
    listed = (FOLDER / "index.md").read_text().split()
    pages = sorted(path.stem for path in FOLDER.glob("*.md"))
    rest = "\n".join(page for page in pages if page not in (*listed, "index"))
    return f"```{{toctree}}\n:caption: Substrates and systems\n:hidden:\n\n{rest}\n```\n"


TEXTS = {
    "more.txt": more_text,
    "results.txt": results_text,
    "versions.txt": versions_text,
    "patches.txt": patches_text,
    "extras.txt": extras_text,
}
"""Files that pages include."""


# ----------------------------------------------------------------------------- examples of pages


def examples(page: Path) -> str:
    """Return the doctests of a page, one after the other."""
    blocks = re.findall(r"^```\{doctest\}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return "\n".join(blocks)


def run_examples(page: Path, folder: Path) -> None:
    """Run a page's examples where they are to leave the pictures that they save."""
    names, here = {}, Path.cwd()
    os.chdir(folder)
    try:
        for example in doctest.DocTestParser().get_examples(examples(page)):
            exec(compile(example.source, page.name, "exec"), names)
    finally:
        os.chdir(here)


# ------------------------------------------------------------------------------------------ write


def write(folder: Path) -> None:
    """Write all pages and pictures."""
    check_complete()
    for name in ("api", "notebooks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        write_text(folder / f"{page.type.__name__}.md", type_page(page))
        draw(page, folder / f"{page.type.__name__}.png")
    for name, text in TEXTS.items():
        write_text(folder / name, text())
    sections = []
    for title, names in API.items():
        for name in names:
            write_text(folder / "api" / f"{name}.md", api_page(name))
        entries = "\n".join(f"api/{name}" for name in names)
        sections.append(f"```{{toctree}}\n:caption: {title}\n:maxdepth: 1\n\n{entries}\n```\n")
    write_text(folder / "api.md", "# API reference\n\n" + "\n".join(sections))
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        write_text(folder / "notebooks" / notebook.name, notebook.read_text())
    for page in FOLDER.glob("*.md"):
        if "savefig" in examples(page):
            run_examples(page, folder)


def write_text(path: Path, text: str) -> None:
    """Write a file, unless it is that already: Sphinx reads again what has changed."""
    if path.exists() and path.read_text() == text:
        return
    with atomic.replacing(path) as place:
        place.write_text(text)

"""Make the pages that are generated from the library's tables and from results.

These are a page for every neuron type and synapse, the gallery, the API reference and the tables of
versions, together with the pictures that the examples of other pages draw.
"""

from __future__ import annotations

import base64
import configparser
import contextlib
import importlib
import inspect
import io
import json
import os
import re
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import render_results
from catalogue import PAGES, Page, check_complete, substrates
from matplotlib.figure import Figure

from nengo_phasor import atomic, compat

FOLDER = Path(__file__).resolve().parent
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
    "Networks and conversions": ("networks", "convert", "saving", "pooling", "arousal", "models"),
    "Training": ("surrogates", "schedules", "dl", "dl.losses", "dl.callbacks", "dl.activations"),
    "Running": (
        "layerwise",
        "loihi",
        "loihi.emulator",
        "loihi.readout",
        "loihi.resources",
        "loihi.fixed_point",
        "compat",
    ),
    "Measuring and showing": ("metrics", "energy", "plots", "displays", "datasets", "results"),
    "Inside": ("dynamics", "gradients", "builders"),
}

HELPERS = {"synapses": {"Tick", "RhythmicSynapse", "mean_over_neurons"}}
"""Names for authors of new types, by module: on the module's page, but not in the index."""


def public_names(module: ModuleType) -> list[str]:
    """Return the classes and functions that `dir` shows for a module."""
    return [
        name
        for name in dir(module)
        if inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name))
    ]


def owner(module: ModuleType, name: str) -> str:
    """Return the module under which a name is documented: the package, for types with a page."""
    paged = {page.type for page in PAGES}
    return "nengo_phasor" if getattr(module, name) in paged else module.__name__


def api_page(name: str) -> str:
    """Return the reference page of a module: a table of its names, then an entry for each."""
    module = importlib.import_module(f"nengo_phasor.{name}")
    names = public_names(module)
    own = [n for n in names if owner(module, n) == module.__name__]
    entries = "\n".join(
        f".. autoclass:: {n}\n   :members:\n"
        if inspect.isclass(getattr(module, n))
        else f".. autofunction:: {n}\n"
        for n in own
    )
    return f"""# {name}

```{{eval-rst}}
.. automodule:: {module.__name__}

{summary(module, names)}
.. currentmodule:: {module.__name__}

{entries}
```
"""


def summary(module: ModuleType, names: Sequence[str]) -> str:
    """Return a table of names, with a line about each."""
    parts = []
    for place, group in groupby(names, partial(owner, module)):
        lines = "".join(f"   {name}\n" for name in group)
        parts.append(
            f".. currentmodule:: {place}\n\n.. autosummary::\n   :nosignatures:\n\n{lines}\n"
        )
    return "".join(parts)


def api_index() -> str:
    """Return the page that lists the public names with a line about each, module by module."""
    parts = ["# API reference\n\nThe public names, by module. The search finds them as well.\n"]
    for title, names in API.items():
        parts.append(f"## {title}\n")
        for name in names:
            module = importlib.import_module(f"nengo_phasor.{name}")
            hidden = HELPERS.get(name, ())
            table = summary(module, [n for n in public_names(module) if n not in hidden])
            parts.append(f"### [{name}](api/{name}.md)\n\n```{{eval-rst}}\n{table}```\n")
        entries = "\n".join(f"api/{name}" for name in names)
        parts.append(f"```{{toctree}}\n:hidden:\n\n{entries}\n```\n")
    return "\n".join(parts)


# ---------------------------------------------------------------------------------------- gallery


class Card(NamedTuple):
    """A picture in the gallery: its title, its file, the page it links to, and a line of text."""

    title: str
    picture: str
    target: str
    text: str


def notebook_cards(folder: Path) -> list[Card]:
    """Write the last picture of each notebook, and return a card for each notebook."""
    lines = dict(
        re.findall(r"^- \[(\w+)\]\(.*?\): (.*)$", (FOLDER / "notebooks.md").read_text(), re.M)
    )
    cards = []
    for name, text in lines.items():
        cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]
        title = "".join(cells[0]["source"]).splitlines()[0].lstrip("# ")
        pictures = [
            output["data"]["image/png"]
            for cell in cells
            for output in cell.get("outputs", ())
            if "image/png" in output.get("data", {})
        ]
        picture = folder / "notebooks" / f"{name}.png"
        picture.write_bytes(base64.b64decode("".join(pictures[-1])))
        cards.append(Card(title, f"notebooks/{name}.png", f"notebooks/{name}.ipynb", text))
    return cards


def gui_cards() -> list[Card]:
    """Return a card for each picture on the page about Nengo GUI, titled with its caption."""
    text = (FOLDER / "gui.md").read_text()
    return [
        Card(title, f"../{path}", "../gui.md", f"`nengo networks/{Path(path).stem}.py`")
        for title, path in re.findall(r"!\[([^]]+)\]\((figures/gui/\w+\.png)\)", text)
    ]


def type_cards() -> list[Card]:
    """Return a card for each neuron type and synapse."""
    names = [page.type.__name__ for page in PAGES]
    lines = [inspect.getdoc(page.type).splitlines()[0] for page in PAGES]
    return [Card(n, f"{n}.png", f"{n}.md", line) for n, line in zip(names, lines, strict=True)]


def gallery(folder: Path) -> str:
    """Return the gallery: notebooks, systems and types, each with a picture and a title."""
    parts = ["# Gallery\n"]
    for title, cards in (
        ("Notebooks", notebook_cards(folder)),
        ("In Nengo GUI", gui_cards()),
        ("Neurons and synapses", type_cards()),
    ):
        shown = "\n".join(
            f":::{{container}} card\n[![]({card.picture})]({card.target})\n\n"
            f"[**{card.title}**]({card.target})\n\n{card.text}\n:::\n"
            for card in cards
        )
        parts.append(f"## {title}\n\n::::{{container}} gallery\n{shown}\n::::\n")
    return "\n".join(parts)


# --------------------------------------------------------------------------------------- versions


def versions_text() -> str:
    """Return the versions that results were made with, and the outcome of the backends' tests."""
    made_with: dict[tuple, list[str]] = {}
    for name, content in render_results.result_files().items():
        made_with.setdefault(tuple(content["versions"].items()), []).append(name)
    parts = []
    for versions, names in made_with.items():
        parts.append(render_results.markdown_table(("package", "version"), versions))
        parts.append(f"These results were made with them: {', '.join(names)}.\n")
    tests = render_results.result_files()["backend_tests"]
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
    parts.append(render_results.markdown_table(("tests", "passed", "failed", "skipped"), rows))
    parts.append("These fail:\n\n" + "".join(failures) if failures else "None fails.\n")
    return "\n".join(parts)


def patches_text() -> str:
    """Return a table of the modules that are patched in the backends, with their releases."""
    rows = [
        (f"`{p.module}`", f"up to {_dotted(p.last)}", f"{p.library} from {_dotted(p.since)}")
        for p in compat.PATCHES
    ]
    return render_results.markdown_table(("module", "releases", "with"), rows)


def extras_text() -> str:
    """Return a table of the version ranges that each extra requires."""
    setup = configparser.ConfigParser()
    setup.read(FOLDER.parent / "setup.cfg")
    needed = {"core": setup["options"]["install_requires"], **setup["options.extras_require"]}
    rows = [
        (f"`{name}`", ", ".join(f"`{line}`" for line in text.strip().splitlines()))
        for name, text in needed.items()
        if name not in ("test", "docs", "all")
    ]
    return render_results.markdown_table(("extra", "requires"), rows)


def install_text() -> str:
    """Return a table of the installations that were tried, by Python, extra and tool."""
    content = render_results.result_files()["install"]
    tried = content["figures"]["cells"]
    parts: dict[tuple, dict[str, str]] = {}
    for name, verdict in tried.items():
        python, *extra, tool = name.split()
        parts.setdefault((python, " ".join(extra)), {})[tool] = verdict
    rows = [(*key, found.get("pip", "-"), found.get("uv", "-")) for key, found in parts.items()]
    of = f"{len(tried)} of {content['figures']['of']} were tried"
    return f"`{content['command']}`, {content['date']}; {of}:\n\n" + render_results.markdown_table(
        ("Python", "extra", "pip", "uv"), rows
    )


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def more_text() -> str:
    """Return a table of contents with the pages that the start page does not list."""
    listed = (FOLDER / "index.md").read_text().split()
    pages = sorted(path.stem for path in FOLDER.glob("*.md"))
    rest = "\n".join(page for page in pages if page not in (*listed, "index"))
    return f"```{{toctree}}\n:caption: More\n:hidden:\n\n{rest}\n```\n" if rest else ""


TEXTS = {
    "more.txt": more_text,
    "versions.txt": versions_text,
    "patches.txt": patches_text,
    "extras.txt": extras_text,
    "install.txt": install_text,
}
"""The files that pages include, by name, with the functions that make their text."""


# ----------------------------------------------------------------------------- examples of pages


class Example(NamedTuple):
    """A block of code on a page, and the output that the next block expects, or ""."""

    source: str
    output: str


def examples(page: Path) -> list[Example]:
    """Return the examples of a page, in order. They build on one another."""
    block = r"^```\{testcode\}\n(.*?)^```\n(?:\n```\{testoutput\}\n(.*?)^```\n)?"
    found = re.findall(block, page.read_text(), re.DOTALL | re.MULTILINE)
    return [Example(*groups) for groups in found]


def source(page: Path) -> str:
    """Return the code of all examples on a page."""
    return "\n".join(example.source for example in examples(page))


def run_examples(page: Path, folder: Path) -> list[str]:
    """Run a page's examples in a folder, where they save their pictures; return their output."""
    names, here, printed = {"__name__": page.stem}, Path.cwd(), []
    os.chdir(folder)
    try:
        for example in examples(page):
            with contextlib.redirect_stdout(io.StringIO()) as stream:
                exec(compile(example.source, page.name, "exec"), names)
            printed.append(stream.getvalue())
    finally:
        os.chdir(here)
    return printed


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
    for names in API.values():
        for name in names:
            write_text(folder / "api" / f"{name}.md", api_page(name))
    write_text(folder / "api.md", api_index())
    write_text(folder / "gallery.md", gallery(folder))
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        write_text(folder / "notebooks" / notebook.name, notebook.read_text())
    for page in FOLDER.glob("*.md"):
        if "savefig" in source(page):
            run_examples(page, folder)


def write_text(path: Path, text: str) -> None:
    """Write a file if its text has changed, since Sphinx reads every changed file again."""
    if path.exists() and path.read_text() == text:
        return
    with atomic.replacing(path) as place:
        place.write_text(text)

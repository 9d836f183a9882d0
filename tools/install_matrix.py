"""Install the package into new environments: each Python, each extra, with pip and with uv.

    \b
    python tools/install_matrix.py                       everything that has not been tried yet
    python tools/install_matrix.py --python 3.13 --extra dl
    python tools/install_matrix.py --minutes 30          start no further one after half an hour
    python tools/install_matrix.py --output results/install.json

A wheel is built from a copy of the checkout and installed in an empty environment; then a small
program uses the extra. If it ends with a message that names a command, the command is
run, and then the program again. Results are kept below runs/install for the same package.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import click

from nengo_phasor import atomic, results

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
TOOLS = ("pip", "uv")
TIMEOUT = 1800
"""The time limit of one installation, in seconds."""

SIMULATION = """
import nengo, nengo_phasor as nph
with nengo.Network(seed=0) as net:
    probe = nengo.Probe(nengo.Ensemble(5, 1, neuron_type=nph.ResonateAndFire()).neurons)
with {simulator}(net) as sim:
    sim.run_steps(10)
"""

CORE = (
    SIMULATION.format(simulator="nengo.Simulator")
    + """
from nengo_phasor import extras
for module, extra in extras.EXTRAS.items():
    try:
        extras.require(module)
    except ImportError as error:
        message = str(error)
        assert error.__cause__ is None and "\\n" not in message, message
        assert message.endswith("Run: " + extras.install_command(extra)), message
    else:
        assert module in ("jinja2", "tqdm"), f"{module} came with the core"
"""
)

PROGRAMS = {
    "core": CORE,
    "layerwise": SIMULATION.format(simulator="nph.layerwise.Simulator"),
    "factorize": """
import numpy as np, nengo_phasor as nph
nph.convert.factorize(np.random.default_rng(0).random((6, 4)), "nmf")
""",
    "search": "import dask.distributed",
    "dl": "import nengo_phasor, nengo_dl\n" + SIMULATION.format(simulator="nengo_dl.Simulator"),
    "loihi": "import nengo_loihi\n" + SIMULATION.format(simulator="nengo_loihi.Simulator"),
    "gui": "import nengo_gui.gui",
    "plot": "import nengo_phasor as nph; nph.plots",
    "cli": """
import subprocess
shown = subprocess.run(["nengo-phasor", "list"], check=True, capture_output=True, text=True).stdout
assert "local_rhythms" in shown, shown
""",
    "spa": "import nengo_phasor as nph; nph.spa.FhrrAlgebra",
}
"""Programs that use each extra; "core" stands for no extra."""

PROGRAMS["all"] = "\n".join(p for extra, p in PROGRAMS.items() if extra not in ("core", "spa"))
PROGRAMS["one command"] = PROGRAMS["dl"]


DECISIVE = re.compile(
    r"/(METADATA|entry_points\.txt|extras\.py|compat\.py|cli/setup\.py|data/nengo-dl/.*)$"
)
"""The files of a wheel that `fingerprint` is of; of the metadata, without the description."""


class Cell(NamedTuple):
    """A cell of the matrix: a Python, an extra and an installation tool."""

    python: str
    extra: str
    tool: str

    def target(self, wheel: Path, source: Path) -> list[str]:
        """Return the requirements to install, from the copy of the checkout."""
        if self.extra == "one command":
            return [f"{source}[dl]", str(source / "nengo_phasor" / "data" / "nengo-dl")]
        return [str(wheel) if self.extra == "core" else f"{wheel}[{self.extra}]"]


CELLS = [Cell(*c) for c in ((p, e, t) for p in PYTHONS for e in PROGRAMS for t in TOOLS)]


def interpreter(version: str) -> str | None:
    """Return a Python of a version: pyenv's (its shims may not run) or the one on the path."""
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    return str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")


def build(folder: Path) -> tuple[Path, Path]:
    """Return a wheel, and the copy of the checkout that it was built from."""
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", ".*", "runs", "results", "build", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=ignored)
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder)
    subprocess.run([*command, source], check=True)
    shutil.rmtree(source / "build", ignore_errors=True)
    (wheel,) = folder.glob("nengo_phasor-*.whl")
    return wheel, source


def fingerprint(wheel: Path) -> str:
    """Return a fingerprint of what determines a wheel's installation and its error messages."""
    with zipfile.ZipFile(wheel) as content:
        texts = [content.read(name) for name in sorted(content.namelist()) if DECISIVE.search(name)]
    texts = [text.partition(b"\n\n")[0] if b"Metadata-Version" in text else text for text in texts]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]


def environment(folder: Path, cell: Cell, uv: Path) -> dict[str, str]:
    """Return the environment variables of a new shell with the cell's environment activated."""
    kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "UV_", "SSL_"))}
    caches = folder.parent / f"cache-{cell.python}"  # apart: pip keeps what another Python built
    return kept | {
        "HOME": str(folder),
        "PATH": os.pathsep.join([str(folder / "venv" / "bin"), str(uv.parent), *DEFAULT_PATH]),
        "VIRTUAL_ENV": str(folder / "venv"),
        "PIP_CACHE_DIR": str(caches / "pip"),
        "UV_CACHE_DIR": str(caches / "uv"),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


DEFAULT_PATH = ("/usr/local/bin", "/usr/bin", "/bin")


def attempt(cell: Cell, wheel: Path, source: Path, uv: Path, folder: Path) -> str:
    """Return "works", the command that had to be run first, or the failure."""
    python = interpreter(cell.python)
    if python is None:
        return "no such Python here"
    variables = environment(folder, cell, uv)

    def run(command: list[str] | str) -> subprocess.CompletedProcess:
        return subprocess.run(
            command,
            shell=isinstance(command, str),
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )

    make = {"pip": [python, "-m", "venv"], "uv": [str(uv), "venv", "--quiet", "--python", python]}
    install = {"pip": ["pip", "install", "--quiet"], "uv": [str(uv), "pip", "install", "--quiet"]}
    program = ["python", "-c", PROGRAMS[cell.extra]]
    for command in (
        [*make[cell.tool], str(folder / "venv")],
        [*install[cell.tool], *cell.target(wheel, source)],
    ):
        done = run(command)
        if done.returncode:
            return f"FAILS to install: {last_line(done)}"
    done = run(program)
    if done.returncode == 0:
        return "works"
    told = re.search(r"^\S*: \S+ is not installed\. Run: (.*)$", done.stderr, re.MULTILINE)
    if told is None:
        return f"FAILS: {last_line(done)}"
    remedy = run(told[1])
    if remedy.returncode:
        return f"FAILS in {told[1]}: {last_line(remedy)}"
    done = run(program)
    shown = told[1].replace(str(folder), "~")
    return f"FAILS after {shown}: {last_line(done)}" if done.returncode else f"works after {shown}"


def last_line(done: subprocess.CompletedProcess) -> str:
    """Return the last line of a command's output."""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"status {done.returncode}"


def table(verdicts: dict[Cell, str]) -> str:
    """Return the verdicts as a table with a row per Python and extra, and a column per tool."""
    rows = dict.fromkeys((cell.python, cell.extra) for cell in verdicts)
    lines = [f"{'Python':8s}{'extra':13s}" + "".join(f"{tool:36s}" for tool in TOOLS)]
    for python, extra in rows:
        cells = (verdicts.get(Cell(python, extra, tool), "-") for tool in TOOLS)
        lines.append(f"{python:8s}{extra:13s}" + "".join(f"{text:36s}" for text in cells).rstrip())
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--python", "pythons", multiple=True, type=click.Choice(PYTHONS), default=PYTHONS)
@click.option("--extra", "names", multiple=True, type=click.Choice(list(PROGRAMS)))
@click.option("--tool", "tools", multiple=True, type=click.Choice(TOOLS), default=TOOLS)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("runs/install"))
@click.option("--minutes", type=click.FloatRange(0), default=float("inf"))
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path))
def main(pythons, names, tools, folder, minutes, output):
    """Try the cells that were not yet tried with this package, and show all of them."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    wheel, source = build(folder)
    kept = folder / f"{fingerprint(wheel)}.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    uv = folder / "tools" / "bin" / "uv"
    if not uv.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "tools"], check=True)
        subprocess.run([uv.with_name("pip"), "install", "--quiet", "uv"], check=True)
    cells = [
        c
        for c in CELLS
        if c.python in pythons and c.extra in (names or PROGRAMS) and c.tool in tools
    ]
    end = time.monotonic() + 60 * minutes
    for cell in cells:
        name, start = " ".join(cell), time.monotonic()
        if start < end and not found.get(name, "").startswith("works"):
            with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as place:
                found[name] = attempt(cell, wheel, source, uv, Path(place))
            with atomic.replacing(kept) as path:
                path.write_text(json.dumps(found, indent=1))
            click.echo(f"{name}: {found[name]} ({time.monotonic() - start:.0f} s)")
    verdicts = {cell: found[name] for cell in cells if (name := " ".join(cell)) in found}
    failed = [cell for cell, verdict in verdicts.items() if not verdict.startswith("works")]
    click.echo(f"\n{table(verdicts)}\n{len(verdicts)} of {len(cells)} tried, {len(failed)} fail")
    if output:
        claim = results.Claim("installations that fail", len(failed), "of those tried", "<= 0")
        settings = {"pythons": pythons, "extras": list(names or PROGRAMS), "tools": tools}
        figures = {" ".join(cell): verdict for cell, verdict in verdicts.items()}
        content = results.report(settings, [], {"of": len(cells), "cells": figures}, [claim])
        results.write(output, content)
    sys.exit(len(verdicts) < len(cells) or bool(failed))


if __name__ == "__main__":
    main()

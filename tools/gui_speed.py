"""Measure the speed of each model in Nengo GUI: simulated seconds per second of one core.

    python tools/gui_speed.py                    every model, now and before the change
    python tools/gui_speed.py local_rhythms      one model
    python tools/gui_speed.py --before ""        only now

Each model is opened as in Nengo GUI, with the plots and displays of its layout, and runs with
everything that the server does, except for sending data to a browser. The time is the processor
time of the whole process, including threads of the linear algebra library. These wait actively, so
other work on the machine makes them wait longer. Every run has a new process, and the two
revisions take turns. The work of Nengo GUI's server counts; that of the browser does not.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import click

from nengo_phasor import models, results

ROOT = Path(__file__).resolve().parents[1]
BEFORE = "bdf6fee"
"""The last commit before the models became faster."""

REAL_TIME = 0.8
CLAIMED = (
    "local_rhythms",
    "phase_sparsity",
    "three_oscillators",
    "adaptive_iris",
    "adaptive_digits",
    "sparse_lenet",
)
WARM_UP = 0.1
SECONDS, CPU_SECONDS = 2.0, 8.0
"""The simulated time or the processor time, in seconds, after which a run ends."""

TICK = 0.01
"""The interval in seconds at which Nengo GUI's server polls a component."""


class Sink:
    """A component's connection to a browser that accepts everything immediately."""

    def write_text(self, text):
        """Take in a text."""

    write_binary = write_frame = write_text


def measured(path: str) -> float:
    """Return the speed of the model in a file: simulated seconds per second of processor time."""
    page = opened(path)
    control = page.components[0]
    control.target_rate, control.paused = None, False  # as fast as possible
    page.rebuild = True
    start = None
    while start is None or not done(control.time - start[0], time.process_time() - start[1]):
        time.sleep(TICK)
        for component in page.components:
            component.update_client(Sink())
        if page.error:
            sys.exit(page.error["trace"])
        if start is None and control.time >= WARM_UP:
            start = control.time, time.process_time()
    now = control.time, time.process_time()
    page.finished = True
    return (now[0] - start[0]) / (now[1] - start[1])


def opened(path: str):
    """Return Nengo GUI's page of a model, which runs in its own thread."""
    from nengo_gui.page import Page, PageSettings

    context = SimpleNamespace(filename=None, model=None, locals=None, writeable=True)
    page = Page(SimpleNamespace(model_context=context, component_uids={}), path, PageSettings())
    if page.error:
        sys.exit(page.error["trace"])
    return page


def done(simulated: float, processor: float) -> bool:
    """Return whether a run was long enough."""
    return simulated >= SECONDS or processor >= CPU_SECONDS


def speed(name: str, checkout: Path) -> float:
    """Return the speed of a checkout's model, measured in a separate process."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-W", "ignore", str(Path(__file__).resolve()), "--measure", name]
    output = subprocess.run(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return float(output.split()[-1])


@contextlib.contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Check out a revision temporarily."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "before"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), revision], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def claims(speeds: dict[str, dict[str, float]]) -> list[results.Claim]:
    """Return the claims about the models that should run in real time."""
    return [
        results.Claim(
            f"Nengo GUI: {name}, simulated seconds per second", speeds[name]["now"], "", bound
        )
        for name in CLAIMED
        if name in speeds
        for bound in [f">= {REAL_TIME}"]
    ]


def shown_models() -> list[str]:
    """Return the names of the models for Nengo GUI."""
    return [name for name, model in models.MODELS.items() if model.network]


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(shown_models()))
@click.option("--before", default=BEFORE, show_default=True, help="revision to compare with")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1))
@click.option(
    "--output",
    default=ROOT / "results" / "gui_speed.json",
    show_default="results/gui_speed.json",
    type=click.Path(path_type=Path, dir_okay=False),
)
@click.option("--measure", hidden=True, help="measure this model in this process")
def main(names, before, repeats, output, measure):
    """Measure, write the results, print them; the exit status is 1 if a claim does not hold."""
    if measure:
        print(measured(f"networks/{measure}.py"))
        return
    names = names or shown_models()
    runs = {name: {"before": [], "now": []} for name in names}
    with contextlib.ExitStack() as stack:
        checkouts = {"now": ROOT}
        if before:
            checkouts = {"before": stack.enter_context(checked_out(before)), **checkouts}
        for name in names:
            for _ in range(repeats):
                for when, checkout in checkouts.items():
                    runs[name][when].append(speed(name, checkout))
            print(name, json.dumps(runs[name]))
    speeds = {
        name: {when: median(values) for when, values in of_model.items() if values}
        for name, of_model in runs.items()
    }
    settings = {"before": before, "repeats": repeats, "cpu_seconds": CPU_SECONDS}
    figures = {"speed": speeds, "runs": runs}
    kept = claims(speeds)
    results.write(output, results.report(settings, [], figures, kept))
    for claim in kept:
        print(claim.verdict)
    sys.exit(not all(claim.holds for claim in kept))


if __name__ == "__main__":
    main()

"""Training with a cost of spikes: the paper's LeNet, its five schedules and its two tables.

A spiking LeNet learns CIFAR-10 or FashionMNIST through time, with the number of its spikes in the
loss. For each schedule, the cost of a spike is searched for on validation images (Allred et al.
2020).

    \b
    python networks/sparse_lenet.py train               one run, with checkpoints
    python networks/sparse_lenet.py results --resume    the search and the committed figures
    nengo networks/sparse_lenet.py                      Nengo GUI, from committed weights

The search runs on this machine or on any Dask cluster, given by its address. The workers must see
the same folders and have nengo_phasor installed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nengo_phasor import compat, results
from nengo_phasor.models.lenet.data import load
from nengo_phasor.models.lenet.search import REPEATED, SETS, Study
from nengo_phasor.models.lenet.start import CONTRAST
from nengo_phasor.models.lenet.training import SCHEDULES, Run, train
from nengo_phasor.models.shared.commands import COUNT, SEED, Commands, Seeds
from nengo_phasor.models.shared.run_folder import open_run

click = compat.require("click")


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the paper's experiment."""


def options(command):
    """Add the options that the commands share."""
    for option in (
        click.option("--data", type=click.Path(), help="Folder with the data set."),
        click.option(
            "--images",
            default=5_000,
            type=click.IntRange(100),
            show_default=True,
            help="Training images used.",
        ),
        click.option(
            "--steps", default=16, type=COUNT, show_default=True, help="Time steps an image."
        ),
        click.option("--epochs", default=24, type=COUNT, show_default=True, help="Of a run."),
        click.option("--runs", default="runs/sparse_lenet", type=Path, show_default=True),
        click.option("--resume", is_flag=True, help="Continue from where an earlier run stopped."),
    ):
        command = option(command)
    return command


@main.command("train")
@click.option("--set", "name", default=SETS[0], type=click.Choice(SETS), show_default=True)
@click.option("--schedule", default="constant", type=click.Choice(SCHEDULES), show_default=True)
@click.option("--sigma", "sigma_0", default=0.0, show_default=True, help="sigma_0")
@click.option("--seed", default=0, type=SEED, show_default=True)
@options
def train_one(name, schedule, sigma_0, seed, data, runs, resume, **size):
    """Train one network; print its accuracy and spikes on validation images after each epoch."""
    run = Run(name, **size, schedule=schedule, sigma_0=sigma_0, seed=seed)
    open_run(runs / run.name, asdict(run), resume)
    for k, epoch in enumerate(train(run, load(name, data, run.images), runs / run.name)):
        click.echo(f"{k + 1:3d}  {epoch['accuracy']:.2%}  {epoch['spikes']:9.1f} spikes")


class Factors(click.ParamType):
    """Positive numbers separated by commas, such as 0.5,1,2."""

    name = "factors"

    def convert(self, value, param, ctx):
        """Return the list."""
        if isinstance(value, list):
            return value
        try:
            factors = [float(part) for part in value.split(",")]
        except ValueError:
            factors = [math.nan]
        if not all(0 < factor < math.inf for factor in factors):
            self.fail(f"{value!r} is not a list of positive numbers such as 0.5,1,2", param, ctx)
        return factors


@main.command("results")
@click.option(
    "--set", "names", multiple=True, default=SETS, type=click.Choice(SETS), show_default=True
)
@click.option(
    "--seeds",
    default="0,1,2",
    type=Seeds(),
    show_default=True,
    help="Seeds; the first one is searched with all schedules.",
)
@click.option(
    "--schedule",
    "schedules",
    multiple=True,
    default=list(SCHEDULES),
    type=click.Choice(SCHEDULES),
    show_default=True,
)
@click.option(
    "--repeat",
    multiple=True,
    default=REPEATED,
    type=click.Choice(SCHEDULES),
    show_default=True,
    help="Schedules to search with the other seeds as well.",
)
@click.option(
    "--factors",
    default="1",
    type=Factors(),
    show_default=True,
    help="Factors by which each sigma_0 is multiplied.",
)
@click.option("--test-images", type=COUNT, help="Number of test images to show; all by default.")
@click.option("--cluster", help="Address of a Dask scheduler; by default, one on this machine.")
@click.option(
    "--workers",
    default=2,
    type=COUNT,
    show_default=True,
    help="Number of processes on this machine.",
)
@click.option("--output", default="results/sparse_lenet.json", type=Path, show_default=True)
@options
def make_results(names, output, **settings):
    """Search, make the tables, draw; write the quoted figures beside their targets."""
    from nengo_phasor.models.lenet import report
    from nengo_phasor.models.lenet.claims import claims
    from nengo_phasor.models.lenet.tables import experiment

    study, found, made = Study(**settings), {}, []
    for name in names:
        found[name] = experiment(study, name)
        made += claims(found[name], name)
        page = report.write(found[name], name, study.runs / f"{name}-report")
        click.echo(f"See {page}")
    results.write(output, results.report(described(study, names), study.seeds, found, made))
    for claim in made:
        click.echo(claim.verdict)


def described(study: Study, names: Sequence[str]) -> dict[str, Any]:
    """Return the settings on which the figures depend, as in the results file."""
    run = study.baseline(names[0])
    tried = {name: study.tried(name)[run.seed][1:] for name in names}
    return {
        "training_images": run.images,
        "validation": "a fifth of them, and as many others as the rest",
        "steps": run.steps,
        "spikes_a_step_at_start": run.rate,
        "contrast_at_start": CONTRAST,
        "epochs": run.epochs,
        "batch_size": run.batch_size,
        "learning_rate": run.learning_rate,
        "averaging": run.averaging,
        "sigma_0": {name: [(r.schedule, r.sigma_0) for r in runs] for name, runs in tried.items()},
        "repeated": study.repeat,
    }


@main.command("export")
@click.option("--run", "folder", required=True, type=Path, help="A run's folder.")
@click.option("--epoch", required=True, type=COUNT)
@click.option("--data", type=click.Path(), help="Folder with the data set.")
def export_weights(folder, epoch, data):
    """Commit a run's weights as those that Nengo GUI opens, with a test image of each class."""
    from nengo_phasor.models.lenet.export import export

    click.echo(f"wrote {export(folder, epoch, data)}")

"""The commands of the systems that are trained with a cost of spikes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from nengo_phasor import compat, results
from nengo_phasor.models.lenet.designs import run_of
from nengo_phasor.models.lenet.runs import SCHEDULES, Run
from nengo_phasor.models.lenet.search import SETS, Study
from nengo_phasor.models.lenet.training import parts_of, train
from nengo_phasor.models.shared.commands import COUNT, SEED, Commands, Seeds
from nengo_phasor.models.shared.run_folder import open_run

click = compat.require("click")

Option = Callable[[Callable], Callable]


class Defaults(NamedTuple):
    """The values that a system's options have by default.

    ``name`` is that of the system; see `.search.Study` for the others.
    """

    name: str
    steps: int
    epochs: int
    schedules: Sequence[str]
    repeat: Sequence[str]
    twin_epochs: int = 0
    level_epochs: int = 0


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


def command_line(text: str, design: str, defaults: Defaults, claims: Callable) -> click.Group:
    """Return a system's commands ``train`` and ``results``.

    Parameters
    ----------
    text : str
        The description of the system.
    design : str
        The name of its network in `.designs.DESIGNS`.
    defaults : Defaults
        What its options are by default.
    claims : callable
        ``claims(found, name)`` returns the claims about a data set, of `.tables.experiment`.
    """
    main = Commands(help=text)
    shared = _shared(defaults)
    main.add_command(_train(design, shared))
    main.add_command(_results(design, defaults, claims, shared))
    return main


def _shared(defaults: Defaults) -> list[Option]:
    """Return the options of both commands."""
    twin = [
        click.option(
            "--twin-epochs",
            default=defaults.twin_epochs,
            type=COUNT,
            show_default=True,
            help="Epochs of the twin without spikes, with whose weights training starts.",
        ),
        click.option(
            "--level-epochs",
            default=defaults.level_epochs,
            type=click.IntRange(0),
            show_default=True,
            help="Further epochs of the twin, with outputs rounded to a level for each step.",
        ),
    ]
    return [
        click.option("--data", type=click.Path(), help="Folder with the data set."),
        click.option(
            "--images",
            default=60_000,
            type=click.IntRange(100),
            show_default=True,
            help="Training images used, at most as many as there are.",
        ),
        click.option(
            "--steps",
            default=defaults.steps,
            type=COUNT,
            show_default=True,
            help="Time steps an image.",
        ),
        click.option(
            "--epochs", default=defaults.epochs, type=COUNT, show_default=True, help="Of a run."
        ),
        *(twin if defaults.twin_epochs else []),
        click.option("--runs", default=f"runs/{defaults.name}", type=Path, show_default=True),
        click.option("--resume", is_flag=True, help="Continue from where an earlier run stopped."),
    ]


def _with(options: Sequence[Option], command: Callable) -> Callable:
    """Return the function with options."""
    for option in options:
        command = option(command)
    return command


def _train(design: str, shared: Sequence[Option]) -> click.Command:
    """Return the command that trains one network."""

    def train_one(name, schedule, sigma_0, seed, data, runs, resume, **size):
        """Train one network; print accuracy and spikes on validation images after each epoch."""
        run = run_of(design, data=name, **size, schedule=schedule, sigma_0=sigma_0, seed=seed)
        open_run(runs / run.name, asdict(run), resume)
        for k, epoch in enumerate(train(run, parts_of(run, data), runs / run.name)):
            click.echo(f"{k + 1:3d}  {epoch['accuracy']:.2%}  {epoch['spikes']:9.1f} spikes")

    options = [
        click.option("--set", "name", default=SETS[0], type=click.Choice(SETS), show_default=True),
        click.option(
            "--schedule", default="constant", type=click.Choice(list(SCHEDULES)), show_default=True
        ),
        click.option("--sigma", "sigma_0", default=0.0, show_default=True, help="sigma_0"),
        click.option("--seed", default=0, type=SEED, show_default=True),
    ]
    return click.command("train")(_with([*options, *shared], train_one))


def _results(
    design: str, defaults: Defaults, claims: Callable, shared: Sequence[Option]
) -> click.Command:
    """Return the command that makes the committed figures."""

    def make_results(names, output, **settings):
        """Search, make the tables, draw; write the quoted figures beside their targets."""
        from nengo_phasor.models.lenet import report
        from nengo_phasor.models.lenet.tables import experiment

        study, found, made = Study(design, **settings), {}, []
        for name in names:
            found[name] = experiment(study, name)
            made += claims(found[name], name)
            page = report.write(found[name], name, study.runs / f"{name}-report")
            click.echo(f"See {page}")
        results.write(output, results.report(described(study, names), study.seeds, found, made))
        for claim in made:
            click.echo(claim.verdict)

    several = {"multiple": True, "show_default": True}
    options = [
        click.option("--set", "names", default=SETS, type=click.Choice(SETS), **several),
        click.option(
            "--seeds",
            default="0,1,2",
            type=Seeds(),
            show_default=True,
            help="Seeds; the first one is searched with all schedules.",
        ),
        click.option(
            "--schedule",
            "schedules",
            default=defaults.schedules,
            type=click.Choice(list(SCHEDULES)),
            **several,
        ),
        click.option(
            "--repeat",
            default=defaults.repeat,
            type=click.Choice(list(SCHEDULES)),
            help="Schedules to search with the other seeds as well.",
            **several,
        ),
        click.option(
            "--factors",
            default="1",
            type=Factors(),
            show_default=True,
            help="Factors by which each sigma_0 is multiplied.",
        ),
        click.option(
            "--test-images", type=COUNT, help="Number of test images to show; all by default."
        ),
        click.option(
            "--cluster", help="Address of a Dask scheduler; by default, one on this machine."
        ),
        click.option(
            "--workers",
            default=2,
            type=COUNT,
            show_default=True,
            help="Number of processes on this machine.",
        ),
        click.option(
            "--output", default=f"results/{defaults.name}.json", type=Path, show_default=True
        ),
    ]
    return click.command("results")(_with([*options, *shared], make_results))


def described(study: Study, names: Sequence[str]) -> dict[str, Any]:
    """Return the settings on which the figures depend, as in the results file."""
    run = study.baseline(names[0])
    tried: Mapping[str, list[Run]] = {name: study.tried(name)[run.seed][1:] for name in names}
    special = ("data", "seed", "schedule", "sigma_0")
    return {
        **{key: value for key, value in asdict(run).items() if key not in special},
        "validation": "a fifth of the images, and as many others as the rest",
        "sigma_0": {name: [(r.schedule, r.sigma_0) for r in runs] for name, runs in tried.items()},
        "repeated": study.repeat,
    }

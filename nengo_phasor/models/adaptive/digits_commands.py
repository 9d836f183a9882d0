"""Adaptive spiking neurons read digits: the paper's network for MNIST, and a small one.

An analog network is trained with the neurons' transfer function, converted to adaptive spiking
neurons, and run at several coding precisions (Zambrano et al. 2017). FashionMNIST works likewise.

    \b
    python networks/adaptive_digits.py train               train a network, with checkpoints
    python networks/adaptive_digits.py evaluate --resume   convert it to spikes, measure it, draw
    python networks/adaptive_digits.py results --resume    the committed figures
    python networks/adaptive_digits.py export              commit the weights of a run
    nengo networks/adaptive_digits.py                      Nengo GUI, from committed weights

"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
import numpy as np

from nengo_phasor import results
from nengo_phasor.models.adaptive import digits, digits_runs, options, runs
from nengo_phasor.models.adaptive.claims import claims
from nengo_phasor.models.adaptive.measure import MATCH
from nengo_phasor.models.adaptive.spiking import DT, WINDOW
from nengo_phasor.models.shared import run_folder
from nengo_phasor.models.shared.commands import Commands


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the networks for digits."""


of_runs = partial(options.of_runs, sets=digits.DATA_SETS, runs="runs/adaptive_digits")
LAYOUT = partial(
    click.option,
    "--model",
    show_default=True,
    type=click.Choice(list(digits.LAYOUTS)),
)
MODEL = LAYOUT("layout", default="small", help="The paper's network or a small one.")
MODELS = LAYOUT(
    "layouts",
    multiple=True,
    default=["small"],
    help="The paper's network or a small one; can be given twice.",
)
SHOWN = options.shown(None, None)


@main.command()
@of_runs(MODEL)
def train(resume, **chosen):
    """Train the analog network; a checkpoint is written after every epoch."""
    options.echo_trained(digits_runs.trained(digits_runs.Choice(**chosen), resume))


@main.command()
@of_runs(MODEL, *SHOWN)
def evaluate(resume, images, trials, **chosen):
    """Convert a network to spikes, measure it, draw figures.

    With --resume, use the network that was trained; otherwise train one first.
    """
    found = digits_runs.evaluated(digits_runs.Choice(**chosen), images, trials, resume)
    options.echo_accuracies(found)


@main.command("results")
@of_runs(
    *SHOWN,
    MODELS,
    click.option("--output", type=Path, help="By default results/adaptive_SET.json."),
)
def make_results(layouts, resume, images, trials, output, name, **chosen):
    """Train and measure; write the quoted figures beside their targets."""
    found, claimed = {}, []
    for layout in layouts:
        choice = digits_runs.Choice(name=name, layout=layout, **chosen)
        found[layout] = digits_runs.evaluated(choice, images, trials, resume)
        claimed += claims(found[layout], f"{name}, {layout} network", digits.BOUNDS[name])
    recipes = {layout: digits.recipe(name, layout, chosen["epochs"]) for layout in layouts}
    settings = {
        "recipes": {layout: asdict(recipe) for layout, recipe in recipes.items()},
        "layouts": {layout: asdict(digits.LAYOUTS[layout]) for layout in layouts},
        "test_images": {layout: found[layout]["n_test"] for layout in layouts},
        "window": WINDOW * DT,
        "match": MATCH,
        "precisions": digits.PRECISIONS[name],
    }
    path = output or Path(f"results/adaptive_{name}.json")
    results.write(path, results.report(settings, [chosen["seed"]], found, claimed))
    options.echo_claims(claimed)


@main.command()
@of_runs()
@click.option(
    "--dtype",
    default="float16",
    type=click.Choice(["float16", "float32"]),
    show_default=True,
    help="Of the weights.",
)
def export(resume, dtype, **chosen):
    """Commit the weights of a measured run, with a test image of each class."""
    choice = digits_runs.Choice(layout="small", **chosen)
    measured = choice.folder / runs.METRICS
    if not measured.exists():
        raise click.ClickException(
            f"{measured}, with the arousal that the network needs, is missing: "
            "run `evaluate` with the same options first"
        )
    how = digits.fitted(run_folder.read(measured, "low", "precise", "aroused"))
    run = digits_runs.trained(choice, resume=True)
    first = [int(np.flatnonzero(run.data.y_test == label)[0]) for label in range(10)]
    runs.export(run, digits.PARAMS[choice.name], dtype, images=run.data.x_test[first], arousal=how)

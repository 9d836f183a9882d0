"""Sparsifying spiking networks through local rhythms: the paper's system.

A phasor network is trained on FashionMNIST, converted to resonate-and-fire neurons, and sparsified
in three ways: by arc, by the layer's own field, and at random (Olin-Ammentorp 2023).

    \b
    python networks/local_rhythms.py demo       the whole story in a few minutes
    python networks/local_rhythms.py results    the committed figures
    nengo networks/local_rhythms.py             Nengo GUI, from committed weights

"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from nengo_phasor import datasets, results
from nengo_phasor.models.rhythms import data as data_of
from nengo_phasor.models.rhythms.network import PARAMS
from nengo_phasor.models.rhythms.options import data_option, echo, options
from nengo_phasor.models.rhythms.training import RECIPES, shortened
from nengo_phasor.models.shared.commands import SEED, Commands, Seeds


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the paper's system."""


@main.command()
@click.option("--output", default="runs/demo", type=Path, show_default=True)
@click.option("--recipe", default="long", type=click.Choice(list(RECIPES)), show_default=True)
@click.option("--seed", default=0, type=SEED, show_default=True)
@options
def demo(output, recipe, seed, data, images, batches, resume):
    """Train, convert to spikes, sparsify; write metrics.json, figures and index.html."""
    from nengo_phasor.models.rhythms import claims, report, runs, sweep

    loaded, used = data_of.garments(data, images), shortened(RECIPES[recipe], batches)
    scores = runs.evaluate(used, seed, output, loaded, sweep.STRENGTHS, resume)
    params = datasets.load_params(output / "params.npz")
    numbers = claims.summary(scores)
    results.write(output / "metrics.json", {**numbers, "scores": scores})
    facts = {
        "data": datasets.DATASETS[loaded.name].title,
        "images trained on": f"{len(loaded.x_train):,}",
        "images scored": f"{len(loaded.x_test):,}",
        "recipe": f"{recipe}, {used.batches:,} batches of {used.batch_size}",
        "seed": seed,
    }
    page = report.page(output, scores, params, loaded, facts)
    echo(numbers, page)


@main.command()
@click.option("--run", default="runs/local_rhythms/long-0", type=Path, show_default=True)
@data_option
def export(run, data):
    """Commit a run's weights as those that Nengo GUI opens, with a test image of each class."""
    trained = datasets.load_params(run / "params.npz")
    images = data_of.one_of_each(data_of.garments(data))
    datasets.save_params(PARAMS, **trained, images=images)
    click.echo(f"wrote {PARAMS}")


@main.command("results")
@click.option("--output", default="results/local_rhythms.json", type=Path, show_default=True)
@click.option("--runs", "folder", default="runs/local_rhythms", type=Path, show_default=True)
@click.option("--seeds", default="0,1,2", type=Seeds(), show_default=True)
@options
def make_results(output, folder, seeds, data, images, batches, resume):
    """Train and score both recipes with several seeds; write the quoted figures."""
    from nengo_phasor.models.rhythms import claims, runs, sweep

    loaded = data_of.garments(data, images)
    used = {name: shortened(recipe, batches) for name, recipe in RECIPES.items()}
    more = {"data": loaded, "strengths": sweep.STRENGTHS, "resume": resume}
    runs_of = runs.of_all(used, seeds, folder, partial(runs.evaluate, **more))
    made = claims.claims(runs_of)
    lost = {name: claims.drops(scores) for name, scores in runs_of.items()}
    figures = {**runs_of, "lost_at_60_percent_removed": lost}
    settings = runs.settings_of(used, loaded)
    results.write(output, results.report(settings, seeds, figures, made))
    for claim in made:
        click.echo(claim.verdict)

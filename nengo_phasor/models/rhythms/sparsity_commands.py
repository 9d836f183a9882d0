"""Phase sparsity, trained: a network that learns which of its spikes to drop.

This is the network of `local_rhythms`, with a cost of each hidden spike outside an arc around the
reference. (Allred et al. 2020 include a cost of every spike; here only spikes that a sparsifier
would not drop have a cost.) In training, each layer receives the input that it has in the spiking
network: the reference instead of a spike within the arc, and inputs weighted as in some cycle after
their onset.

    \b
    python networks/phase_sparsity.py demo       one network in a few minutes
    python networks/phase_sparsity.py results    the committed figures
    nengo networks/phase_sparsity.py             Nengo GUI, from committed weights

"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
import numpy as np

from nengo_phasor import datasets, results
from nengo_phasor.models.rhythms import data as data_of
from nengo_phasor.models.rhythms.options import data_option, echo, options
from nengo_phasor.models.rhythms.sparsity import PARAMS, RECIPES
from nengo_phasor.models.rhythms.training import shortened
from nengo_phasor.models.shared import page
from nengo_phasor.models.shared.commands import SEED, Commands, Seeds

against_option = click.option(
    "--against",
    default="results/local_rhythms.json",
    type=Path,
    show_default=True,
    help="Results of local_rhythms, whose dense networks serve for comparison.",
)


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the networks."""


@main.command()
@click.option("--output", default="runs/phase_sparsity/demo", type=Path, show_default=True)
@click.option("--recipe", default="sparse", type=click.Choice(list(RECIPES)), show_default=True)
@click.option("--seed", default=0, type=SEED, show_default=True)
@click.option("--validate", is_flag=True, help="Hold out training images and score on them.")
@against_option
@options
def demo(output, recipe, seed, validate, against, data, images, batches, resume):
    """Train, convert to spikes, sparsify; write metrics.json, figures and index.html."""
    from nengo_phasor.models.rhythms import sparsity_claims as claims
    from nengo_phasor.models.rhythms import sparsity_report as report
    from nengo_phasor.models.rhythms import sparsity_runs as runs

    dense = claims.long_accuracy(against) if against.exists() else None
    loaded = data_of.garments(data, images, validate)
    used = shortened(RECIPES[recipe], batches)
    scores = runs.evaluate(used, seed, output, loaded, runs.STRENGTHS, resume)
    numbers = claims.summary(scores)
    results.write(output / "metrics.json", {**numbers, "scores": scores})
    trained = report.Trained(scores, datasets.load_params(output / "params.npz"))
    report.draw({recipe: trained}, loaded.x_test[:1000], output, dense)
    section = page.Section(rows=page.percentages(numbers), pictures=report.CAPTIONS)
    facts = {"recipe": recipe, "seed": seed, "images scored": len(loaded.x_test)}
    written = page.write(output, report.TITLE, report.STORY, [section], facts)
    echo(numbers, written)


@main.command()
@click.option("--run", default="runs/phase_sparsity/sparse-0", type=Path, show_default=True)
@data_option
def export(run, data):
    """Commit a run's weights, in half precision, as those that Nengo GUI opens."""
    trained = datasets.load_params(run / "params.npz", ("seed", "spread"))
    layers = {k: v.astype(np.float16) for k, v in trained.items() if v.ndim == 2}
    about = {name: trained[name] for name in ("seed", "spread")}
    images = data_of.one_of_each(data_of.garments(data))
    datasets.save_params(PARAMS, **layers, **about, images=images)
    click.echo(f"wrote {PARAMS}")


@main.command("results")
@click.option("--output", default="results/phase_sparsity.json", type=Path, show_default=True)
@click.option("--runs", "folder", default="runs/phase_sparsity", type=Path, show_default=True)
@click.option("--figures", "drawn", default="docs/figures", type=Path, show_default=True)
@click.option("--seeds", default="0,1,2", type=Seeds(), show_default=True)
@against_option
@options
def make_results(output, folder, drawn, seeds, against, data, images, batches, resume):
    """Train and score both recipes with several seeds; write the quoted figures."""
    from nengo_phasor.models.rhythms import runs, sparsity_runs
    from nengo_phasor.models.rhythms import sparsity_claims as claims
    from nengo_phasor.models.rhythms import sparsity_report as report

    dense = claims.long_accuracy(against)
    loaded = data_of.garments(data, images)
    used = {name: shortened(recipe, batches) for name, recipe in RECIPES.items()}
    more = {"data": loaded, "strengths": sparsity_runs.STRENGTHS, "resume": resume}
    runs_of = runs.of_all(used, seeds, folder, partial(sparsity_runs.evaluate, **more))
    networks = {
        name: report.Trained(
            scores[0], datasets.load_params(folder / f"{name}-{seeds[0]}" / "params.npz")
        )
        for name, scores in runs_of.items()
    }
    made = claims.claims(runs_of, dense)
    means = {name: claims.means(scores) for name, scores in runs_of.items()}
    content = {"means": means, "best_dense": claims.best_dense(means, dense), **runs_of}
    settings = runs.settings_of(used, loaded)
    results.write(output, results.report(settings, seeds, content, made))
    report.draw(networks, loaded.x_test[:1000], drawn, dense)
    for claim in made:
        click.echo(claim.verdict)

"""Deep networks in spikes without a clock: convolutions, residual blocks, attention.

Networks are trained in the phase domain on FashionMNIST and CIFAR-10, converted to
resonate-and-fire neurons, and sparsified by a clock's arc, by the rhythm of each layer, by the
difference from its mean field, by reactive inhibition and at random.

    \b
    python networks/deep_rhythms.py train --design convolutional    one network
    python networks/deep_rhythms.py results                         the committed figures
    python networks/deep_rhythms.py results --resume                from where it stopped
    nengo networks/deep_rhythms.py                                  Nengo GUI, a trained network

"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from nengo_phasor import results
from nengo_phasor.models.deep_rhythms.designs import DESIGNS, settings
from nengo_phasor.models.shared.commands import COUNT, SEED, Commands

names_option = click.option(
    "--design",
    "names",
    multiple=True,
    default=list(DESIGNS),
    type=click.Choice(list(DESIGNS)),
    help="A network, may be repeated; all by default.",
)


def options(command):
    """Add the options of both commands."""
    for option in (
        names_option,
        click.option("--data", type=click.Path(), help="Folder with the data sets."),
        click.option("--runs", default="runs/deep_rhythms", type=Path, show_default=True),
        click.option("--seed", default=0, type=SEED, show_default=True),
        click.option("--images", type=COUNT, help="Number of images to score; all by default."),
        click.option(
            "--batches", type=COUNT, help="Batches to train for; the recipe's by default."
        ),
        click.option("--resume", is_flag=True, help="Continue from where an earlier run stopped."),
    ):
        command = option(command)
    return command


def chosen(names, batches):
    """Return the designs of these names, with another number of batches unless it is None."""
    found = {name: DESIGNS[name] for name in names}
    if batches is None:
        return found
    return {k: replace(d, recipe=replace(d.recipe, batches=batches)) for k, d in found.items()}


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the networks."""


@main.command()
@options
@click.option(
    "--held-out",
    is_flag=True,
    help="Train without the last 10,000 training images and score these, to choose settings.",
)
def train(names, data, runs, seed, images, batches, resume, held_out):
    """Train networks, with a checkpoint after each epoch; print accuracy in the phase domain."""
    from nengo_phasor.models.deep_rhythms import data as data_of
    from nengo_phasor.models.deep_rhythms import spikes
    from nengo_phasor.models.deep_rhythms.runs import trained

    for name, design in chosen(names, batches).items():
        loaded = data_of.images(design.data, data, images, held_out)
        net = trained(design, seed, runs / f"{name}-{seed}", loaded, resume)
        right = spikes.phase_classes(net, loaded.x_test) == loaded.y_test
        click.echo(f"{name}: {right.mean():.2%}")


@main.command()
@click.option("--run", default="runs/deep_rhythms/convolutional-0", type=Path, show_default=True)
@click.option("--data", type=click.Path(), help="Folder with the data sets.")
def export(run, data):
    """Commit a run's network as that which Nengo GUI opens, with a test image of each class."""
    import nengo_phasor
    from nengo_phasor.models.deep_rhythms import data as data_of
    from nengo_phasor.models.deep_rhythms.gui import PARAMS
    from nengo_phasor.models.rhythms.data import one_of_each

    net = nengo_phasor.load(run / "network.npz")
    net.images = one_of_each(data_of.images("fashion_mnist", data))
    nengo_phasor.save(PARAMS, net)
    click.echo(f"wrote {PARAMS}")


@main.command("results")
@options
@click.option("--output", default="results/deep_rhythms.json", type=Path, show_default=True)
@click.option("--figures", "drawn", default="docs/figures", type=Path, show_default=True)
@click.option(
    "--compared",
    default=1000,
    type=COUNT,
    show_default=True,
    help="Number of test images on which rules are compared.",
)
def make_results(names, data, runs, seed, images, batches, resume, output, drawn, compared):
    """Score networks, training those that are missing; write the quoted figures."""
    from nengo_phasor.models.deep_rhythms import claims, report
    from nengo_phasor.models.deep_rhythms import data as data_of
    from nengo_phasor.models.deep_rhythms.runs import evaluated, trained

    used, found, shown = chosen(names, batches), {}, {}
    for name, design in used.items():
        loaded = data_of.images(design.data, data, images)
        net = trained(design, seed, runs / f"{name}-{seed}", loaded, resume)
        folder = runs / f"{name}-{seed}-scores"
        found[name] = evaluated(design, net, folder, loaded, compared, resume)
        shown[name] = (net, loaded.x_test[:1])
    made = claims.claims(used, found)
    tables = {
        name: {"summary": claims.summary(scores), "rules": claims.by_rule(scores)}
        for name, scores in found.items()
    }
    described = {"compared": compared, **{name: settings(design) for name, design in used.items()}}
    results.write(
        output, results.report(described, [seed], {"tables": tables, "networks": found}, made)
    )
    report.draw(found, *shown[names[0]], drawn)
    for claim in made:
        click.echo(claim.verdict)

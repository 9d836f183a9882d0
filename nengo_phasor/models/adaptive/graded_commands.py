"""Graded spikes: ordinary networks of rectifiers, converted to adaptive spikes without retraining.

Three networks are trained without any thought of spikes: two dense layers for MNIST, six
convolutions for CIFAR-10, separable convolutions for FashionMNIST. Their conversions send graded
spikes; beside them are twins of half-sigmoids with plain spikes, and NengoDL's conversions of the
same networks. Zambrano et al. (2017) mention graded spikes in their discussion.

    \b
    python networks/adaptive_graded.py train              train a network, with checkpoints
    python networks/adaptive_graded.py results --resume   all networks, and the committed figures

"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from nengo_phasor import results
from nengo_phasor.models.adaptive import (
    graded_measure,
    graded_runs,
    options,
    rectified,
)
from nengo_phasor.models.adaptive.spiking import DT
from nengo_phasor.models.adaptive.units import UNITS
from nengo_phasor.models.shared.commands import COUNT, Commands


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the networks of rectifiers."""


@main.command()
@options.of_runs(
    click.option(
        "--units",
        default=graded_runs.UNITS_OF["graded"],
        type=click.Choice(UNITS),
        show_default=True,
        help="The network's own units, or those of its twin.",
    ),
    sets=rectified.NETWORKS,
    runs="runs/adaptive_graded",
)
def train(resume, **chosen):
    """Train a network; a checkpoint is written after every epoch."""
    options.echo_trained(graded_runs.trained(graded_runs.Choice(**chosen), resume))


@main.command("results")
@options.of_runs(
    *options.shown(None, 1000),
    click.option(
        "--beside",
        default=100,
        type=COUNT,
        show_default=True,
        help="Number of images that NengoDL's conversions are run with.",
    ),
    click.option("--output", default="results/graded.json", type=Path, show_default=True),
    sets=rectified.NETWORKS,
    runs="runs/adaptive_graded",
    several=True,
)
def make_results(names, images, trials, beside, output, resume, **chosen):
    """Train, convert and measure; write the quoted figures beside their targets, and draw them."""
    from nengo_phasor.models.adaptive import graded_report

    found = {}
    for name in names:
        choice = graded_runs.Choice(name=name, units=graded_runs.UNITS_OF["graded"], **chosen)
        found[name] = graded_runs.evaluated(choice, images, trials, beside, resume)
    settings = {
        "recipes": {name: asdict(rectified.NETWORKS[name].recipe) for name in names},
        "epochs": chosen["epochs"],
        "window": graded_measure.WINDOW * DT,
        "tolerance": graded_measure.TOLERANCE,
        "device": graded_measure.DEVICE,
    }
    made = [
        claim
        for name in names
        for claim in graded_report.claims(found[name], rectified.NETWORKS[name].title)
    ]
    results.write(output, results.report(settings, [chosen["seed"]], found, made))
    click.echo(f"See {graded_report.write(found, chosen['folders'] / 'report')}")
    options.echo_claims(made)

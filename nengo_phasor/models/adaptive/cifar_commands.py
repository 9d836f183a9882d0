"""Adaptive spiking neurons classify small photographs: the paper's networks for CIFAR.

An analog network of 14 layers, at a fraction of the paper's width, is trained with the neurons'
transfer function and converted to adaptive spiking neurons (Zambrano et al. 2017).

    \b
    python networks/adaptive_cifar.py train      train a network, with checkpoints
    python networks/adaptive_cifar.py evaluate   convert a trained network to spikes and measure it
    python networks/adaptive_cifar.py results    both, and the committed figures
    python networks/adaptive_cifar.py export     commit the weights of a run
    nengo networks/adaptive_cifar.py             Nengo GUI, from committed weights

"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
import numpy as np

from nengo_phasor import datasets, results
from nengo_phasor.models.adaptive import cifar, cifar_runs, options, runs
from nengo_phasor.models.adaptive.claims import claims
from nengo_phasor.models.adaptive.spiking import DT, WINDOW
from nengo_phasor.models.shared.commands import Commands


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the networks for CIFAR."""


of_runs = partial(
    options.of_runs,
    click.option(
        "--width",
        default=0.125,
        show_default=True,
        type=click.FloatRange(0, min_open=True),
        help="Width as a fraction of the paper's numbers of maps and units.",
    ),
    sets=cifar.STACKS,
    runs="runs/adaptive_cifar",
    epochs=10,
)
SHOWN = options.shown(None, 1000)


@main.command()
@of_runs()
def train(resume, **chosen):
    """Train the analog network; a checkpoint is written after every epoch."""
    options.echo_trained(cifar_runs.trained(cifar_runs.Choice(**chosen), resume))


@main.command()
@of_runs(*SHOWN, *options.PROCESSES)
def evaluate(resume, images, trials, workers, cluster, **chosen):
    """Convert a network to spikes (train it first if necessary), measure it, draw figures."""
    choice = cifar_runs.Choice(**chosen)
    found = cifar_runs.evaluated(choice, images, trials, resume, workers, cluster)
    options.echo_accuracies(found)


@main.command("results")
@of_runs(
    *SHOWN,
    *options.PROCESSES,
    click.option("--output", default="results/adaptive_cifar.json", type=Path, show_default=True),
    several=True,
)
def make_results(names, resume, images, trials, workers, cluster, output, **chosen):
    """Train and measure; write the quoted figures beside their targets."""
    found, claimed, width = {}, [], chosen["width"]
    for name in names:
        choice = cifar_runs.Choice(name=name, **chosen)
        found[name] = cifar_runs.evaluated(choice, images, trials, resume, workers, cluster)
        title = f"{name} at {width} of the paper's width"
        claimed += claims(found[name], title, cifar.BOUNDS[name])
    settings = {
        "recipe": asdict(cifar.recipe(chosen["epochs"])),
        "layouts": {name: asdict(cifar.layout(name, width)) for name in names},
        "width": width,
        "test_images": {name: one["n_test"] for name, one in found.items()},
        "window": WINDOW * DT,
        "precisions": cifar.PRECISIONS,
        "dropout": {"maps": width * cifar.MAP_DROPOUT, "dense": width * cifar.DROPOUT},
    }
    results.write(output, results.report(settings, [chosen["seed"]], found, claimed))
    options.echo_claims(claimed)


@main.command()
@of_runs()
def export(resume, **chosen):
    """Commit a run's weights, with the mean image of each class."""
    choice = cifar_runs.Choice(**chosen)
    if choice.name != "cifar10":
        raise click.UsageError(f"--set {choice.name}: only a network for cifar10 is committed")
    run = cifar_runs.trained(choice, resume=True)
    published = datasets.load(choice.name, choice.data)
    means = [published.x_train[published.y_train == k].mean(axis=0) for k in range(10)]
    images = np.stack(means).astype(np.uint8)
    runs.export(run, cifar.PARAMS, "float16", images=images, width=choice.width)

"""Adaptive spiking neurons in an identity-mapping ResNet-18: the paper's network for ImageNet.

It can be built for any image size, width and number of classes, and is converted as a whole. Here
it is trained on small data; at full size, images run in it with random weights, which shows its
time, memory, spikes and energy (Zambrano et al. 2017).

    \b
    python networks/adaptive_resnet.py measure   an image in the large network
    python networks/adaptive_resnet.py results   train on small data, measure both networks

"""

from __future__ import annotations

from pathlib import Path

import click

from nengo_phasor import datasets, results
from nengo_phasor.models.adaptive import options, resnet, resnet_runs
from nengo_phasor.models.adaptive.spiking import DT, WINDOW
from nengo_phasor.models.adaptive.units import UNITS
from nengo_phasor.models.shared.commands import COUNT, Commands


@click.group(cls=Commands, help=__doc__)
def main():
    """Train the network, or measure its cost at full size."""


SIZES = (
    click.option(
        "--size", default=224, type=COUNT, show_default=True, help="Height and width of the image."
    ),
    click.option("--classes", default=1000, type=COUNT, show_default=True),
    click.option(
        "--large",
        default=1.0,
        type=click.FloatRange(0, min_open=True),
        show_default=True,
        help="Width of the large network, as a fraction of ResNet-18's maps.",
    ),
)


def with_sizes(command):
    """Add the options of the large network to a command."""
    for option in SIZES:
        command = option(command)
    return command


@main.command()
@with_sizes
@click.option("--units", default=UNITS[0], type=click.Choice(UNITS), show_default=True)
@click.option("--set", "name", default="cifar10", type=click.Choice(resnet.SETS), show_default=True)
@click.option("--data", type=click.Path(path_type=Path), help="Folder with the data set.")
def measure(units, name, data, **sizes):
    """Run an image in a large network with random weights; print its time, memory and spikes."""
    found = resnet_runs.large(datasets.load(name, data), units, **sizes)
    for key in ("parameters", "neurons", "synapses", "spikes", "synaptic_operations"):
        click.echo(f"{key:24s} {found[key]:18,.0f}")
    click.echo(f"{'firing rate':24s} {found['firing_rate']:18.1f} Hz")
    click.echo(f"{'time':24s} {found['seconds']:18.1f} s")
    click.echo(f"{'peak memory':24s} {found['peak_memory'] / 2**30:18.2f} GiB")
    for device, joules in found["energy"].items():
        click.echo(f"{'energy, ' + device:24s} {1e3 * joules:18.2f} mJ")


@main.command("results")
@options.of_runs(
    *options.shown(500, 200),
    *options.PROCESSES,
    click.option(
        "--width", default=0.125, show_default=True, help="Width as a fraction of ResNet-18's maps."
    ),
    click.option(
        "--training", default=10000, type=COUNT, show_default=True, help="Images, at random."
    ),
    click.option("--output", default="results/adaptive_resnet.json", type=Path, show_default=True),
    sets=resnet.SETS,
    runs="runs/adaptive_resnet",
    epochs=5,
)
@with_sizes
def make_results(resume, images, trials, workers, cluster, output, size, classes, large, **chosen):
    """Train on small data and measure; run images in the large network; write the figures."""
    choice = resnet_runs.Choice(**chosen)
    found = resnet_runs.evaluated(choice, images, trials, resume, workers, cluster)
    settings = {
        "set": choice.name,
        "width": choice.width,
        "training_images": choice.training,
        "test_images": found["n_test"],
        "epochs": choice.epochs,
        "window": WINDOW * DT,
        "precisions": resnet.PRECISIONS,
    }
    figures, claimed = {choice.name: found}, []
    loaded = datasets.load(choice.name, choice.data)
    for units in UNITS:
        figures[f"imagenet, {units}"] = one = resnet_runs.large(loaded, units, size, classes, large)
        claimed += resnet_runs.claims(one, units)
    results.write(output, results.report(settings, [choice.seed], figures, claimed))
    options.echo_accuracies(found)
    options.echo_claims(claimed)

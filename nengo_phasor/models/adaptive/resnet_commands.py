"""Adaptive spiking neurons in an identity-mapping ResNet-18: the paper's network for ImageNet.

It can be built for any image size, width and number of classes, and is converted as a whole. Here
it is only trained on small data; its cost at full size is computed without building the spiking
network (Zambrano et al. 2017).

    \b
    python networks/adaptive_resnet.py estimate   neurons, synapses, spikes, memory at any size
    python networks/adaptive_resnet.py results    train on small data, measure, and estimate

"""

from __future__ import annotations

from pathlib import Path

import click

from nengo_phasor import results
from nengo_phasor.models.adaptive import options, resnet, resnet_runs
from nengo_phasor.models.adaptive.estimate import estimate
from nengo_phasor.models.adaptive.spiking import DT, WINDOW
from nengo_phasor.models.shared.commands import COUNT, Commands


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the network, or estimate its cost."""


@main.command("estimate")
@click.option(
    "--size", default=224, type=COUNT, show_default=True, help="Height and width of the image."
)
@click.option("--channels", default=3, type=COUNT, show_default=True, help="Of the image.")
@click.option("--classes", default=1000, type=COUNT, show_default=True)
@click.option(
    "--width", default=1.0, show_default=True, help="Width as a fraction of ResNet-18's maps."
)
def show_estimate(size, channels, classes, width):
    """Print the cost of the network in spikes, without building it."""
    found = estimate(resnet.keras_model((size, size, channels), classes, width))
    for key in ("parameters", "neurons", "synapses"):
        click.echo(f"{key:28s} {found[key]:16,d}")
    for key, value in found["memory"].items():
        click.echo(f"{'memory, ' + key:28s} {value / 2**20:16,.1f} MiB")
    for name, point in found["at"].items():
        click.echo(f"{name}, {point['firing_rate']:g} Hz for {found['window']:g} s")
        for key in ("spikes", "synaptic_operations"):
            click.echo(f"  {key:26s} {point[key]:16,.0f}")
        for device, joules in point["energy"].items():
            click.echo(f"  {'energy, ' + device:26s} {1e3 * joules:16,.2f} mJ")


@main.command("results")
@options.of_runs(
    *options.shown(500, 200),
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
def make_results(resume, images, trials, output, **chosen):
    """Train on small data and measure; estimate the cost for ImageNet; write the quoted figures."""
    choice = resnet_runs.Choice(**chosen)
    found = resnet_runs.evaluated(choice, images, trials, resume)
    settings = {
        "set": choice.name,
        "width": choice.width,
        "training_images": choice.training,
        "test_images": found["n_test"],
        "epochs": choice.epochs,
        "window": WINDOW * DT,
        "precisions": resnet.PRECISIONS,
    }
    large = estimate(resnet.keras_model((224, 224, 3), 1000))
    figures = {choice.name: found, "imagenet_estimate": large}
    results.write(output, results.report(settings, [choice.seed], figures, []))
    options.echo_accuracies(found)

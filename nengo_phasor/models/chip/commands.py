"""Trained networks on the nengo-loihi emulator, in fixed point, compared with floating point.

The local-rhythms classifier runs with all its spikes, and with more and more hidden spikes dropped;
a small adaptive classifier reads digits. Each image is shown to the emulator and to the network in
double precision.

    \b
    python networks/on_chip.py results --resume    the committed figures
    python networks/on_chip.py train               train the adaptive classifier
    nengo networks/on_chip.py -b nengo_loihi       Nengo GUI, from committed weights
"""

from __future__ import annotations

from pathlib import Path

import click

from nengo_phasor import results
from nengo_phasor.models.chip.pairs import LAYOUT, M_F, PARAMS, SETS
from nengo_phasor.models.shared.commands import COUNT, SEED, Commands

data_option = click.option("--data", type=click.Path(), help="Folder with the data sets.")


@click.group(cls=Commands, help=__doc__)
def main():
    """Run networks on the emulator."""


@main.command("train")
@click.option("--folder", default="runs/on_chip_adaptive", type=Path, show_default=True)
@click.option("--epochs", default=20, type=COUNT, show_default=True)
@click.option("--seed", default=0, type=SEED, show_default=True)
@click.option("--resume", is_flag=True, help="Continue from where an earlier run stopped.")
@data_option
def train(folder, epochs, seed, resume, data):
    """Train the adaptive classifier and commit its weights."""
    from nengo_phasor.models.adaptive import digits, runs
    from nengo_phasor.models.adaptive.stack import keras_model

    trained = runs.trained(
        *digits.load_parts("mnist", data, seed),
        lambda dropout: keras_model(LAYOUT),
        digits.recipe("mnist", "small", epochs),
        seed,
        folder,
        resume,
        layout="on chip",
    )
    runs.export(trained, PARAMS, "float16")


@main.command("results")
@click.option(
    "--images",
    default=1000,
    type=COUNT,
    show_default=True,
    help="Number of test images for each network.",
)
@click.option("--runs", "folder", default="runs/on_chip", type=Path, show_default=True)
@click.option("--output", default="results/on_chip.json", type=Path, show_default=True)
@click.option(
    "--only", "sets", multiple=True, default=SETS, type=click.Choice(SETS), show_default=True
)
@click.option("--resume", is_flag=True, help="Continue from where an earlier run stopped.")
@data_option
def make_results(images, folder, output, sets, resume, data):
    """Run both networks, draw; write the quoted figures beside their targets."""
    from nengo_phasor.models.chip import claims, measure, report, runs

    found = runs.evaluate(images, data, folder, resume, sets)
    made = claims.claims(found)
    settings = {
        "images": images,
        "m_f": M_F,
        "removed": list(runs.REMOVED),
        "device": measure.DEVICE,
    }
    results.write(output, results.report(settings, [0], found, made))
    click.echo(f"See {report.write(found, folder)}")
    for claim in made:
        click.echo(claim.verdict)

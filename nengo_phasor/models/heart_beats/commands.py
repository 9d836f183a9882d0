"""Heart beats: a recurrent network of balanced resonate-and-fire neurons names each wave.

The network of Higuchi, Kairat, Bohte and Otte (2024) learns ECG-QTDB through time: weights, and the
frequency and damping of each neuron. It is compared with a wider one that pays for its spikes, and
with leaky and adaptive neurons in the same place, and it runs on the emulated chip.

    \b
    python networks/heart_beats.py train --design published    one network, with checkpoints
    python networks/heart_beats.py results --resume            the committed figures
    nengo networks/heart_beats.py                              Nengo GUI, a running heart beat

"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from nengo_phasor import results
from nengo_phasor.models.heart_beats.designs import DESIGNS, settings
from nengo_phasor.models.shared.commands import COUNT, SEED, Commands, Seeds

SHOWN = "published"
"""The design whose spikes are drawn and that Nengo GUI opens."""

SEQUENCES = 8
"""The number of test sequences that Nengo GUI shows."""


def options(command):
    """Add the options of both commands."""
    for option in (
        click.option(
            "--design",
            "names",
            multiple=True,
            default=list(DESIGNS),
            type=click.Choice(list(DESIGNS)),
            help="A network, may be repeated; all by default.",
        ),
        click.option("--data", type=click.Path(), help="Folder with the data set."),
        click.option("--runs", default="runs/heart_beats", type=Path, show_default=True),
        click.option("--epochs", type=COUNT, help="Number of epochs; the design's by default."),
        click.option("--resume", is_flag=True, help="Continue from where an earlier run stopped."),
    ):
        command = option(command)
    return command


def chosen(names, epochs):
    """Return the designs of these names, with another number of epochs unless it is None."""
    found = {name: DESIGNS[name] for name in names}
    return found if epochs is None else {k: replace(d, epochs=epochs) for k, d in found.items()}


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the networks."""


@main.command()
@options
@click.option("--seed", default=0, type=SEED, show_default=True)
def train(names, data, runs, epochs, resume, seed):
    """Train networks, with a checkpoint after each epoch; print their test scores."""
    from nengo_phasor.models.heart_beats.data import load
    from nengo_phasor.models.heart_beats.runs import scored, trained

    parts = load(data)
    for name, design in chosen(names, epochs).items():
        folder = trained(name, design, seed, runs, parts, resume)
        test = scored(design, folder, parts, on_chip=False)["test"]
        click.echo(f"{name}: {test['accuracy']:.2%}, {test['spikes']:.0f} spikes")


@main.command("results")
@options
@click.option("--seeds", default="0,1,2,3,4", type=Seeds(), show_default=True)
@click.option("--output", default="results/heart_beats.json", type=Path, show_default=True)
@click.option("--figures", "drawn", default="docs/figures", type=Path, show_default=True)
def make_results(names, data, runs, epochs, resume, seeds, output, drawn):
    """Score networks, training those that are missing; write the quoted figures."""
    from nengo_phasor import datasets
    from nengo_phasor.models.heart_beats import claims, report
    from nengo_phasor.models.heart_beats.data import load
    from nengo_phasor.models.heart_beats.runs import scored, trained
    from nengo_phasor.models.heart_beats.training import BEST

    parts, used, found = load(data), chosen(names, epochs), {name: [] for name in names}
    for seed in seeds:
        for name, design in used.items():
            folder = trained(name, design, seed, runs, parts, resume)
            found[name].append(scored(design, folder, parts, on_chip=name == SHOWN))
    made = claims.claims(found)
    described = {name: settings(design) for name, design in used.items()}
    results.write(output, results.report(described, seeds, found, made))
    first = SHOWN if SHOWN in used else names[0]
    params = datasets.load_params(runs / f"{first}-{seeds[0]}" / BEST)
    report.draw(found, used[first], params, parts.test.x[0], drawn)
    for claim in made:
        click.echo(claim.verdict)


@main.command()
@click.option("--run", default=f"runs/heart_beats/{SHOWN}-0", type=Path, show_default=True)
@click.option("--data", type=click.Path(), help="Folder with the data set.")
def export(run, data):
    """Commit a run's network as that which Nengo GUI opens, with some test sequences."""
    from nengo_phasor import datasets
    from nengo_phasor.models.heart_beats.data import load
    from nengo_phasor.models.heart_beats.gui import PARAMS
    from nengo_phasor.models.heart_beats.training import BEST

    test = load(data).test
    params = {k: v.astype("float32") for k, v in datasets.load_params(run / BEST).items()}
    kept = {
        "events": test.x[:SEQUENCES].astype("int8"),
        "labels": test.y[:SEQUENCES].astype("uint8"),
    }
    datasets.save_params(PARAMS, **params, **kept)
    click.echo(f"wrote {PARAMS}")

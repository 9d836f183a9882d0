"""Focus: adaptive spiking neurons code precisely where in an image the object is.

Garments lie anywhere in images of four times their size, among fragments of others. Coarse spikes
tell where the object is; then the neurons of that place code precisely, and those around it
coarsely, as the outlook of Zambrano et al. (2017) says.

    \b
    python networks/adaptive_focus.py train              train the analog network
    python networks/adaptive_focus.py results --resume   measure it, and the committed figures

"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import click

from nengo_phasor import results
from nengo_phasor.models.adaptive import focus_measure, off_centre, options, runs
from nengo_phasor.models.adaptive.spiking import DT
from nengo_phasor.models.shared.commands import Commands


@dataclass(frozen=True, kw_only=True)
class Choice(runs.Choice):
    """The choice of a run by the size of its images."""

    variant: ClassVar = "size"
    size: int = off_centre.SIZE


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the network for garments off the centre."""


of_runs = partial(
    options.of_runs, sets=["fashion_mnist"], runs="runs/adaptive_focus", epochs=off_centre.EPOCHS
)


def trained(choice: Choice, resume: bool) -> runs.Trained:
    """Train, unless the result is in the folder."""
    return runs.trained(
        choice,
        *off_centre.load_parts(choice.data, choice.seed),
        lambda noisy: off_centre.model(choice.seed),
        off_centre.recipe(choice.epochs),
        resume,
    )


@main.command()
@of_runs()
def train(resume, **chosen):
    """Train the analog network; a checkpoint is written after every epoch."""
    options.echo_trained(trained(Choice(**chosen), resume))


@main.command("results")
@of_runs(
    *options.shown(2000, 500),
    click.option("--output", default="results/adaptive_focus.json", type=Path, show_default=True),
)
def make_results(resume, images, trials, output, **chosen):
    """Train and measure; write the quoted figures beside their targets."""
    choice = Choice(**chosen)
    found = focus_measure.compare(trained(choice, resume), images, trials, choice.seed)
    claimed = focus_measure.claims(found)
    settings = {
        "recipe": asdict(off_centre.recipe(choice.epochs)),
        "image": [off_centre.SIZE, off_centre.SIZE],
        "look": focus_measure.LOOK * DT,
        "window": focus_measure.WINDOW * DT,
        "size": focus_measure.SIZE,
        "pairs": focus_measure.PAIRS,
        "test_images": images,
    }
    results.write(output, results.report(settings, [choice.seed], found, claimed))
    options.echo_claims(claimed)

"""A rhythm without a clock: each layer follows a unit that resonates as its mean.

The networks of `local_rhythms` and `phase_sparsity`, trained with a clock, run in spikes without
it: a rhythm unit for each layer silences the spikes that say little more than its own, carries the
next layer's bias, and stands for missing spikes. This is compared with a clock, with a rule without
a window, and with chance, and under detuning, jitter and loss of spikes.

    \b
    python networks/organic_rhythm.py results             the committed figures
    python networks/organic_rhythm.py results --resume    the same, from where it stopped

"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from nengo_phasor import datasets, results
from nengo_phasor.models.rhythms import data as data_of
from nengo_phasor.models.rhythms.options import options
from nengo_phasor.models.rhythms.training import RECIPES, shortened
from nengo_phasor.models.shared.commands import COUNT, Commands, Seeds


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the networks."""


@main.command("results")
@click.option("--output", default="results/local_rhythm.json", type=Path, show_default=True)
@click.option("--runs", "folder", default="runs/local_rhythm", type=Path, show_default=True)
@click.option("--plain", default="runs/local_rhythms", type=Path, show_default=True)
@click.option("--paying", default="runs/local_rhythm", type=Path, show_default=True)
@click.option("--figures", "drawn", default="docs/figures", type=Path, show_default=True)
@click.option("--seeds", default="0,1,2", type=Seeds(), show_default=True)
@click.option(
    "--disturbed",
    default=1000,
    type=COUNT,
    show_default=True,
    help="Number of test images to score under disturbances, with the first seed.",
)
@options
def make_results(
    output, folder, plain, paying, drawn, seeds, disturbed, data, images, batches, resume
):
    """Score networks with several seeds, training those that are missing; write the figures."""
    from nengo_phasor.models.rhythms import (
        organic,
        organic_report,
        organic_runs,
        runs,
        sparsity,
        sparsity_runs,
    )
    from nengo_phasor.models.rhythms import organic_claims as claims

    loaded = data_of.garments(data, images)
    ways = {
        "plain": (partial(runs.trained, shortened(RECIPES["long"], batches)), plain, "long"),
        "paying": (
            partial(sparsity_runs.trained, shortened(sparsity.RHYTHMIC, batches)),
            paying,
            "trained",
        ),
    }
    found: dict[str, list[dict]] = {name: [] for name in ways}
    for name, (trained, place, kind) in ways.items():
        for seed in seeds:
            click.echo(f"recipe {name}, seed {seed}")
            params = trained(seed, place / f"{kind}-{seed}", loaded)
            more = disturbed if (name, seed) == ("plain", seeds[0]) else 0
            found[name].append(
                organic_runs.evaluate(
                    params, folder / f"{name}-{seed}", loaded, organic.STRENGTHS, more, resume
                )
            )
    made = claims.claims(found)
    means = {name: claims.means(networks) for name, networks in found.items()}
    settings = {
        "test_images": len(loaded.x_test),
        "disturbed_images": disturbed,
        "strengths": organic.STRENGTHS,
    }
    results.write(output, results.report(settings, seeds, {"means": means, **found}, made))
    params = datasets.load_params(plain / f"long-{seeds[0]}" / "params.npz")
    organic_report.draw(found, params, loaded, drawn)
    for claim in made:
        click.echo(claim.verdict)

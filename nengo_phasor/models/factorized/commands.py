"""A single-layer spiking network made deep by factorising its weights: the paper's network.

Four sines drive integrate-and-fire neurons X, which drive a layer A through random weights, and A
drives an output neuron Y. The weights from X to A become a product, with a layer of neurons between
its factors (Bury, Filali and Essien 2020).

    \b
    python networks/factorized_if.py demo       the paper's figures and tables, in a minute
    python networks/factorized_if.py results    the committed figures
    nengo networks/factorized_if.py             Nengo GUI: both networks, side by side
"""

from __future__ import annotations

from pathlib import Path

from nengo_phasor import compat, results
from nengo_phasor.models.factorized.network import DT, PERIOD, SECONDS, TAU, VARIANTS, K, N
from nengo_phasor.models.shared.commands import COUNT, SEED, Commands

click = compat.require("click")


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the network."""


@main.command()
@click.option("--output", default="runs/factorized_if", type=Path, show_default=True)
@click.option("--seed", default=0, type=SEED, show_default=True, help="Seed of the weights.")
def demo(output: Path, seed: int):
    """Run one seed; write the paper's figures and tables, and index.html."""
    from nengo_phasor.models.factorized import report

    click.echo(f"See {report.write(output, seed)}")


@main.command("figures")
@click.option("--output", default="docs/figures", type=Path, show_default=True, help="the folder")
@click.option("--seed", default=0, type=SEED, show_default=True, help="Seed of the weights.")
def make_figures(output: Path, seed: int):
    """Draw the pictures of the documentation."""
    from nengo_phasor.models.factorized import report

    for path in report.draw(output, seed):
        click.echo(f"written: {path}")


@main.command("results")
@click.option("--output", default="results/factorized_if.json", type=Path, show_default=True)
@click.option("--runs", default="runs/factorized_training", type=Path, show_default=True)
@click.option(
    "--seeds",
    default=20,
    type=COUNT,
    show_default=True,
    help="Number of random weights, from seed 0 on.",
)
@click.option(
    "--training-seeds",
    default=5,
    type=COUNT,
    show_default=True,
    help="Number of networks to train.",
)
@click.option("--resume", is_flag=True, help="Continue from where an earlier run stopped.")
def make_results(output: Path, runs: Path, seeds: int, training_seeds: int, resume: bool):
    """Compare the pathways and train the deepened network; write the quoted figures."""
    from nengo_phasor.models.factorized import training
    from nengo_phasor.models.factorized.claims import claims
    from nengo_phasor.models.factorized.measure import PERCENTILES, compare, sizes

    trained = training.measure(list(range(training_seeds)), runs, resume)
    resets = {name: compare(list(range(seeds)), variant) for name, variant in VARIANTS.items()}
    figures = {"sizes": sizes(), "resets": resets, "training": trained}
    settings = {
        "neurons": N,
        "k_hz": K,
        "dt_s": DT,
        "seconds": SECONDS,
        "tau_s": TAU,
        "window_s": PERIOD,
        "percentiles": PERCENTILES,
        "training": training.settings(),
    }
    found = claims(resets, trained)
    results.write(output, results.report(settings, list(range(seeds)), figures, found))
    for claim in found:
        click.echo(claim.verdict)

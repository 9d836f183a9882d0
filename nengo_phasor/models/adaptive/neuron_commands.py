"""One adaptive spiking neuron: its response to an input, and its transfer function.

    \b
    python networks/adaptive_neuron.py results    compare the transfer function with simulation
    python networks/adaptive_neuron.py figures    the pictures of docs/adaptive.md
    nengo networks/adaptive_neuron.py             Nengo GUI: its states, and a slider for precision

The equations are those of Zambrano et al. 2017.
"""

from __future__ import annotations

from pathlib import Path

import click

from nengo_phasor import results
from nengo_phasor.models.adaptive import neuron_measure, options
from nengo_phasor.models.shared.commands import Commands


@click.group(cls=Commands, help=__doc__)
def main():
    """Measure and draw."""


@main.command("results")
@click.option("--output", default="results/adaptive_transfer.json", type=Path, show_default=True)
def make_results(output: Path):
    """Compare the transfer function with simulations; write the quoted figures."""
    figures = neuron_measure.measure()
    claimed = neuron_measure.claims(figures)
    settings = {
        "wait_s": neuron_measure.WAIT,
        "duration_s": neuron_measure.DURATION,
        "S": "401 from 0 to 20 theta_0",
    }
    results.write(output, results.report(settings, [], figures, claimed))
    options.echo_claims(claimed)


@main.command("figures")
@click.option("--output", default="docs/figures", type=Path, show_default=True, help="the folder")
def make_figures(output: Path):
    """Draw the pictures of the documentation."""
    from nengo_phasor.models.adaptive import neuron_report

    for path in neuron_report.draw(output):
        click.echo(f"written: {path}")

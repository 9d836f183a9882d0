"""The commands of networks for rows of features."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import click

from nengo_phasor import datasets, results
from nengo_phasor.models.adaptive import cross_validation, options
from nengo_phasor.models.adaptive.claims import claims
from nengo_phasor.models.adaptive.spiking import DT, WINDOW
from nengo_phasor.models.adaptive.tables import TABLES, VALIDATION, Table
from nengo_phasor.models.shared.commands import COUNT, Commands, Seeds

BOUNDS = {
    "accuracy difference between spiking and analog network": ("<= 0.5", "0, Table 1"),
    "firing rate": ("<= 68", "all between 24 and 68 Hz"),
}


def make_results(
    table: Table, runs: Path, folds: int, seeds: list[int], resume: bool, output: Path
) -> None:
    """Cross-validate; write the quoted figures beside their targets."""
    found = cross_validation.cross_validate(table, folds, seeds, runs, resume)
    claimed = claims(found, f"{table.name}, {folds}-fold cross-validation", BOUNDS)
    settings = {
        "table": asdict(table),
        "folds": folds,
        "validation": VALIDATION,
        "window": WINDOW * DT,
        "precisions": cross_validation.PRECISIONS,
    }
    results.write(output, results.report(settings, seeds, found, claimed))
    options.echo_accuracies(found)
    options.echo_claims(claimed)
    click.echo(f"See {cross_validation.draw(table, found, runs, seeds[0])}")


def export(table: Table, runs: Path) -> None:
    """Commit those weights of a run that have the lowest validation loss."""
    files = {path.stem: path for path in sorted(runs.glob("seed*-fold*.npz"))}
    if not files:
        raise click.ClickException(f"{runs} has no trained networks: run `results` first")
    trained = {name: datasets.load_params(path, ["history"]) for name, path in files.items()}
    name = min(trained, key=lambda name: trained[name]["history"][:, 1].min())
    saved = trained[name]
    weights = {key: array for key, array in saved.items() if ":" in key}
    datasets.save_params(table.params, **weights, held_out=saved["held_out"], trained_as=name)
    click.echo(f"wrote {table.params}: {name}")


def command_line(name: str, about: str) -> click.Group:
    """Return the commands of a network."""
    table = TABLES[name]
    folder = click.option("--runs", default=f"runs/adaptive_{name}", type=Path, show_default=True)

    @click.group(cls=Commands, help=about)
    def main():
        """Run the network."""

    @main.command("results", help=make_results.__doc__)
    @folder
    @click.option(
        "--folds",
        default=10,
        type=click.IntRange(2),
        show_default=True,
        help="Of the cross-validation.",
    )
    @click.option(
        "--seeds", default="0,1,2", type=Seeds(), show_default=True, help="Of folds and weights."
    )
    @click.option(
        "--epochs", default=table.epochs, type=COUNT, show_default=True, help="Train for so many."
    )
    @click.option("--resume", is_flag=True, help="Continue from where an earlier run stopped.")
    @click.option("--output", default=f"results/adaptive_{name}.json", type=Path, show_default=True)
    def _(epochs, **chosen):
        make_results(replace(table, epochs=epochs), **chosen)

    @main.command("export", help=export.__doc__)
    @folder
    def _(runs):
        export(table, runs)

    return main

"""``nengo-phasor list``: list models, data sets, results."""

from __future__ import annotations

import json
from collections.abc import Iterator

from nengo_phasor import compat, datasets, results
from nengo_phasor.cli.console import echo_table, shared_files
from nengo_phasor.cli.systems import systems

click = compat.require("click")


def model_lines() -> Iterator[tuple[str, ...]]:
    """Yield what can be run."""
    for name, system in systems().items():
        gui = ["Nengo GUI"] if system.gui else []
        yield name, ", ".join((*system.commands, *gui)), system.text.partition("\n")[0]


def data_lines() -> Iterator[tuple[str, ...]]:
    """Yield the data sets and their locations."""
    for name, source in datasets.DATASETS.items():
        folder = datasets.locate(name)
        yield (
            name,
            source.title,
            f"in {folder}" if folder else f"missing. {source.remedy()}",
        )


def result_lines() -> Iterator[tuple[str, ...]]:
    """Yield the committed results, with the number of targets that are met."""
    files = [path for path in shared_files("results") if path.suffix == ".json"]
    if not files:
        yield ("none here: this installation lacks them",)
    for path in sorted(files):
        content = json.loads(path.read_text())
        claims = [results.Claim(**claim) for claim in content["claims"]]
        kept = f"{sum(claim.holds for claim in claims)} of {len(claims)} targets met"
        yield path.stem, content["date"], kept if claims else "no targets", content["command"]


LISTS = {"models": model_lines, "data": data_lines, "results": result_lines}


@click.command("list")
@click.argument("what", nargs=-1, type=click.Choice(list(LISTS)))
def list_(what):
    """Show models, data sets, and results.

    \b
    nengo-phasor list           all three
    nengo-phasor list models    one of them
    """
    for name in what or LISTS:
        click.secho(name, bold=True)
        echo_table(LISTS[name]())

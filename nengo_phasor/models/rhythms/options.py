"""Options that the commands of this room share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from nengo_phasor.models.shared.commands import COUNT

data_option = click.option("--data", type=click.Path(), help="Folder with FashionMNIST.")


def options(command):
    """Add the options of a command that trains and scores."""
    for option in (
        data_option,
        click.option(
            "--images",
            default=None,
            type=COUNT,
            help="Number of test images to score; all by default.",
        ),
        click.option(
            "--batches",
            default=None,
            type=COUNT,
            help="Number of batches to train for; the recipe's by default.",
        ),
        click.option("--resume", is_flag=True, help="Continue from where an earlier run stopped."),
    ):
        command = option(command)
    return command


def echo(numbers: Mapping[str, float], page: Path) -> None:
    """Print the measurements, and the location of the page with the figures."""
    for name, value in numbers.items():
        click.echo(f"{name:58s} {value:.2%}")
    click.echo(f"See {page}")

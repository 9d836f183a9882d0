"""Options that the commands of this room share."""

from __future__ import annotations

import click

from nengo_phasor.models.shared.commands import COUNT

data_option = click.option("--data", type=click.Path(), help="Folder with FashionMNIST.")


def options(command):
    """Add the options of a command that trains and scores."""
    for option in (
        data_option,
        click.option("--images", default=None, type=COUNT, help="Score only so many test images."),
        click.option("--batches", default=None, type=COUNT, help="Train for so many batches."),
        click.option("--resume", is_flag=True, help="Go on from where an earlier run stopped."),
    ):
        command = option(command)
    return command

"""Options that the commands share, and the summaries that they print."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from nengo_phasor import results
from nengo_phasor.models.adaptive.measure import WAYS
from nengo_phasor.models.adaptive.runs import Trained
from nengo_phasor.models.shared.commands import COUNT, SEED


def of_runs(
    *more: Callable,
    sets: Iterable[str],
    runs: str,
    epochs: int | None = None,
    several: bool = False,
) -> Callable[[Callable], Callable]:
    """Return a decorator that adds the options shared by commands, and further ones.

    ``sets`` are the data sets to choose from: one, the first by default, or ``several``, all by
    default. ``runs`` is where their folders are, by default; ``epochs`` the usual number, None if
    it depends on the network.
    """
    names = list(sets)
    shared = (
        click.option("--data", type=click.Path(path_type=Path), help="Folder with the data set."),
        click.option(
            "--set",
            "names" if several else "name",
            default=names if several else names[0],
            multiple=several,
            show_default=True,
            type=click.Choice(names),
            help="Data set.",
        ),
        click.option(
            "--seed", default=0, type=SEED, show_default=True, help="Of weights and all else."
        ),
        click.option(
            "--epochs", default=epochs, type=COUNT, show_default=True, help="Train for so many."
        ),
        click.option("--runs", "folders", default=runs, type=Path, show_default=True),
        click.option(
            "--resume",
            is_flag=True,
            help="Continue from where an earlier run stopped, or use its results.",
        ),
    )

    def decorate(command):
        for option in (*more, *shared):
            command = option(command)
        return command

    return decorate


def shown(images: int | None, trials: int | None) -> tuple[Callable, Callable]:
    """Return options for the numbers of images in spikes; None stands for the network's default."""
    return (
        click.option(
            "--images",
            default=images,
            type=COUNT,
            show_default=True,
            help="Number of random test images to show.",
        ),
        click.option(
            "--trials",
            default=trials,
            type=COUNT,
            show_default=True,
            help="Number of validation images for choosing precision and arousal.",
        ),
    )


PROCESSES = (
    click.option(
        "--workers",
        default=2,
        type=COUNT,
        show_default=True,
        help="Number of processes on this machine in which images are shown.",
    ),
    click.option("--cluster", help="Address of a Dask scheduler; by default, one on this machine."),
)
"""Options that say in which processes images are shown in spikes."""


def echo_trained(run: Trained) -> None:
    """Print the accuracy of the best epoch."""
    click.echo(f"best validation accuracy {max(run.history['validation_accuracy']):.2%}")


def echo_claims(claims: Iterable[results.Claim]) -> None:
    """Print the targets and whether they are met."""
    for claim in claims:
        click.echo(claim.verdict)


def echo_accuracies(found: dict[str, Any]) -> None:
    """Print the accuracies of the analog and the spiking networks, and the firing rates."""
    for key in ("analog", *WAYS):
        if key in found:
            point = found[key]
            rate = f"{point['firing_rate']:8.2f} Hz" if "firing_rate" in point else ""
            click.echo(f"{key:10s} {point['accuracy']:.2%}{rate}")

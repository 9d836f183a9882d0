"""Runs of adaptive networks that read images: trained, measured and drawn; options of commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import adaptive_common as common
import click
import numpy as np
from adaptive_spiking import Spiking

from nengo_phasor import convert, datasets, metrics, results
from nengo_phasor.models.shared.commands import COUNT, SEED
from nengo_phasor.models.shared.run_folder import open_run


class Trained(NamedTuple):
    """An analog network with the data that it learned.

    ``parts`` are those of the training set, `adaptive_training.Parts`; ``history`` has a value for
    each epoch.
    """

    data: datasets.Dataset
    parts: Any
    model: Any
    history: dict[str, np.ndarray]


def trained(
    data: datasets.Dataset,
    parts: Any,
    model_function: Callable[[bool], Any],
    recipe: Any,
    seed: int,
    folder: Path,
    resume: bool,
    **about: Any,
) -> Trained:
    """Train, unless the folder has the result already.

    Parameters
    ----------
    data, parts
        See `Trained`.
    model_function : callable
        Takes whether the model is to be trained, with dropout, and returns it.
    recipe : `adaptive_training.Recipe`
        How.
    seed : int
        Of weights and all else.
    folder : path
        The run's.
    resume : bool
        Whether to go on from what is in it.
    **about
        What else tells this run from others.

    Raises
    ------
    click.ClickException
        If the folder is of another run: see `run_folder.open_run`.
    """
    import adaptive_training as training

    open_run(folder, {**asdict(recipe), **about, "seed": seed}, resume)
    weights = folder / "weights.npz"
    if not weights.exists():
        best, history = training.train(
            lambda seed: model_function(True), recipe, seed, parts, folder, resume
        )
        training.save_weights(weights, best, **history)
    model = model_function(False)
    return Trained(data, parts, model, training.load_weights(weights, model))


def evaluated(
    run: Trained,
    measure: Callable[..., dict[str, Any]],
    precisions: Sequence[float],
    images: int | None,
    trials: int,
    seed: int,
    folder: Path,
    title: str,
) -> dict[str, Any]:
    """Turn a trained network to spikes, measure and draw it; what the folder has is not run again.

    So a run that shows more images goes on from one that showed fewer.

    Parameters
    ----------
    run : `Trained`
        The network.
    measure : callable
        `adaptive_common.measure` or `adaptive_common.compare`.
    precisions : sequence of float
        The m_f to choose from.
    images, trials : int
        How many test and validation images are shown, in an order that the seed chooses; None is
        all.
    seed : int
        Of that choice.
    folder : path
        The run's.
    title : str
        Of the page that shows the figures.

    Returns
    -------
    dict
        What ``measure`` returns, with the analog network's history and accuracy on all test images.
    """
    import adaptive_report as report
    import adaptive_training as training

    tried = common.subset(run.parts.x_validation, run.parts.y_validation, trials, seed)
    shown = common.subset(run.data.x_test, run.data.y_test, images, seed)
    spiking = Spiking(convert.to_adaptive(run.model))
    found = measure(spiking, tried, shown, folder / "spiking", precisions)
    whole = run.data.x_test, run.data.y_test
    found["analog"] |= {
        "accuracy_on_whole_test_set": common.analog_accuracy(spiking, *whole),
        "history": {key: values.tolist() for key, values in run.history.items()},
    }
    results.write(folder / "metrics.json", found)
    image = training.pixels(shown[0][:1])
    page = report.write(found, spiking, image, found["precise"]["m_f"], folder, title)
    click.echo(f"Look at {page}")
    return found


def export(run: Trained, path: Path, dtype: str, **others: Any) -> None:
    """Write a network's weights to a file, with other arrays; say how good they are at that."""
    import adaptive_training as training

    training.save_weights(path, run.model, dtype, **others)
    training.load_weights(path, run.model)
    classes = np.argmax(training.logits(run.model, run.data.x_test), axis=1)
    right = metrics.accuracy(classes, run.data.y_test)
    click.echo(f"wrote {path}: {right:.2%} of the test images right")


# -------------------------------------------------------------------------------- command line


def options(
    *more: Callable, sets: Iterable[str], runs: str, epochs: int | None = None
) -> Callable[[Callable], Callable]:
    """Return a decorator that adds the options which commands share, and more.

    ``sets`` are the data sets to choose from, the first by default; ``runs`` is where their folders
    are, by default; ``epochs`` the usual number, None if it depends on the network.
    """
    names = list(sets)
    shared = (
        click.option("--data", type=click.Path(), help="Folder with the data set."),
        click.option(
            "--set",
            "name",
            default=names[0],
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
            help="Go on from where an earlier run stopped, or use what it made.",
        ),
    )

    def decorate(command):
        for option in (*more, *shared):
            command = option(command)
        return command

    return decorate


def shown(images: int | None, trials: int | None) -> tuple[Callable, Callable]:
    """Return options: how many images are run in spikes, None if the network has its own number."""
    return (
        click.option(
            "--images",
            default=images,
            type=COUNT,
            show_default=True,
            help="Show only so many test images, at random.",
        ),
        click.option(
            "--trials",
            default=trials,
            type=COUNT,
            show_default=True,
            help="Find precision and arousal with so many validation images.",
        ),
    )


def echo_claims(claims: Iterable[results.Claim]) -> None:
    """Say what was promised, and whether it holds."""
    for claim in claims:
        click.echo(claim.verdict)


def echo_accuracies(found: dict[str, Any]) -> None:
    """Say how accurate the analog network and the spiking ones are, and how fast they fire."""
    for key in ("analog", *common.WAYS):
        if key in found:
            point = found[key]
            rate = f"{point['firing_rate']:8.2f} Hz" if "firing_rate" in point else ""
            click.echo(f"{key:10s} {point['accuracy']:.2%}{rate}")

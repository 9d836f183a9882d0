"""Runs of adaptive networks that read images: train, measure, draw and export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import click
import numpy as np

from nengo_phasor import convert, datasets, metrics, results
from nengo_phasor.models.adaptive.data import Parts, pixels, subset
from nengo_phasor.models.adaptive.measure import analog_accuracy
from nengo_phasor.models.adaptive.recipe import Recipe
from nengo_phasor.models.adaptive.spiking import Spiking
from nengo_phasor.models.shared.distribution import Spread
from nengo_phasor.models.shared.run_folder import open_run

METRICS = "metrics.json"
"""The file with the measurements, in the folder of a run."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The choice of a run: its data set's name and folder, seed, and epochs (None: the recipe's).

    ``folders`` contains the folders of runs. A subclass adds further choices, and defines with
    ``variant`` how the folders of its runs are told apart.
    """

    variant: ClassVar[str]
    name: str
    seed: int
    epochs: int | None
    folders: Path
    data: Path | None

    @property
    def about(self) -> dict[str, Any]:
        """Return the part of the folder's name that identifies the network."""
        return {"set": self.name, self.variant: getattr(self, self.variant), "seed": self.seed}

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.folders / "-".join(map(str, self.about.values()))


class Trained(NamedTuple):
    """An analog network with its training data.

    ``parts`` are those of the training set; ``history`` has a value for each epoch.
    """

    data: datasets.Dataset
    parts: Parts
    model: Any
    history: dict[str, np.ndarray]


def trained(
    chosen: Choice,
    data: datasets.Dataset,
    parts: Parts,
    model_function: Callable[[bool], Any],
    recipe: Recipe,
    resume: bool,
    **about: Any,
) -> Trained:
    """Train, unless the result is in the folder.

    Parameters
    ----------
    chosen : `Choice`
        Which run.
    data, parts
        See `Trained`.
    model_function : callable
        A function that returns the model; if its argument is True, with what acts in training only.
    recipe : `Recipe`
        How.
    resume : bool
        Whether to go on from what is in the run's folder.
    **about
        Further settings that identify this run.

    Raises
    ------
    click.ClickException
        If the folder belongs to another run: see `run_folder.open_run`.
    """
    from nengo_phasor.models.adaptive import training

    open_run(chosen.folder, {**asdict(recipe), **about, **chosen.about}, resume)
    weights = chosen.folder / "weights.npz"
    if not weights.exists():
        best, history = training.train(
            lambda seed: model_function(True), recipe, chosen.seed, parts, chosen.folder, resume
        )
        training.save_weights(weights, best, **history)
    model = model_function(False)
    return Trained(data, parts, model, training.load_weights(weights, model))


def evaluated(
    chosen: Choice,
    run: Trained,
    measure: Callable[..., dict[str, Any]],
    precisions: Sequence[float],
    images: int | None,
    trials: int | None,
    title: str,
    spread: Spread | None = None,
) -> dict[str, Any]:
    """Convert a trained network to spikes, measure and draw it; finished parts are not repeated.

    So a run with more images continues from one with fewer.

    Parameters
    ----------
    chosen : `Choice`
        Which run.
    run : `Trained`
        The network.
    measure : callable
        `measure.measure` or `measure.compare`.
    precisions : sequence of float
        The values of m_f to choose from.
    images, trials : int
        The numbers of test and validation images to show, in an order that depends on the seed;
        None means all.
    title : str
        The name of the network on the page with the figures.
    spread : Spread, optional
        See `.spiking.Spiking`.

    Returns
    -------
    dict
        The result of ``measure``, with the analog network's history and accuracy on all test
        images.
    """
    from nengo_phasor.models.adaptive import report

    tried = subset(run.parts.x_validation, run.parts.y_validation, trials, chosen.seed)
    shown = subset(run.data.x_test, run.data.y_test, images, chosen.seed)
    spiking = Spiking(convert.to_adaptive(run.model), spread)
    found = measure(spiking, tried, shown, chosen.folder / "spiking", precisions)
    whole = run.data.x_test, run.data.y_test
    found["analog"] |= {
        "accuracy_on_whole_test_set": analog_accuracy(spiking, *whole),
        "history": {key: values.tolist() for key, values in run.history.items()},
    }
    results.write(chosen.folder / METRICS, found)
    image = pixels(shown[0][:1])
    title = f"Adaptive spiking neurons: {title}"
    page = report.write(found, spiking, image, found["precise"]["m_f"], chosen.folder, title)
    click.echo(f"See {page}")
    return found


def export(run: Trained, path: Path, dtype: str, **others: Any) -> None:
    """Write the weights of a network and other arrays to a file; print the accuracy."""
    from nengo_phasor.models.adaptive import training

    training.save_weights(path, run.model, dtype, **others)
    training.load_weights(path, run.model)
    classes = np.argmax(training.logits(run.model, run.data.x_test), axis=1)
    right = metrics.accuracy(classes, run.data.y_test)
    click.echo(f"wrote {path}: {right:.2%} of the test images right")

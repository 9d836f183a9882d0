"""Runs of adaptive networks that read images: trained, measured, drawn and exported."""

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
from nengo_phasor.models.shared.run_folder import open_run

METRICS = "metrics.json"
"""What was measured of a run, in its folder."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which run: its data set's name and folder, seed, and epochs (None: as usual).

    ``folders`` has the folders of runs. A subclass says what else is chosen, and by which of it,
    its ``variant``, the folders of runs differ.
    """

    variant: ClassVar[str]
    name: str
    seed: int
    epochs: int | None
    folders: Path
    data: Path | None

    @property
    def about(self) -> dict[str, Any]:
        """What tells the run's network from others."""
        return {"set": self.name, self.variant: getattr(self, self.variant), "seed": self.seed}

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.folders / "-".join(map(str, self.about.values()))


class Trained(NamedTuple):
    """An analog network with the data that it learned.

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
    """Train, unless the folder has the result already.

    Parameters
    ----------
    chosen : `Choice`
        Which run.
    data, parts
        See `Trained`.
    model_function : callable
        Takes whether the model is to be trained, with dropout, and returns it.
    recipe : `Recipe`
        How.
    resume : bool
        Whether to go on from what is in the run's folder.
    **about
        What else tells this run from others.

    Raises
    ------
    click.ClickException
        If the folder is of another run: see `run_folder.open_run`.
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
) -> dict[str, Any]:
    """Turn a trained network to spikes, measure and draw it; what the folder has is not run again.

    So a run that shows more images goes on from one that showed fewer.

    Parameters
    ----------
    chosen : `Choice`
        Which run.
    run : `Trained`
        The network.
    measure : callable
        `measure.measure` or `measure.compare`.
    precisions : sequence of float
        The m_f to choose from.
    images, trials : int
        How many test and validation images are shown, in an order that the seed chooses; None is
        all.
    title : str
        What the page with the figures says the network is.

    Returns
    -------
    dict
        What ``measure`` returns, with the analog network's history and accuracy on all test images.
    """
    from nengo_phasor.models.adaptive import report

    tried = subset(run.parts.x_validation, run.parts.y_validation, trials, chosen.seed)
    shown = subset(run.data.x_test, run.data.y_test, images, chosen.seed)
    spiking = Spiking(convert.to_adaptive(run.model))
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
    click.echo(f"Look at {page}")
    return found


def export(run: Trained, path: Path, dtype: str, **others: Any) -> None:
    """Write a network's weights to a file, with other arrays; say how good they are at that."""
    from nengo_phasor.models.adaptive import training

    training.save_weights(path, run.model, dtype, **others)
    training.load_weights(path, run.model)
    classes = np.argmax(training.logits(run.model, run.data.x_test), axis=1)
    right = metrics.accuracy(classes, run.data.y_test)
    click.echo(f"wrote {path}: {right:.2%} of the test images right")

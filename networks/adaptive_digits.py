"""Adaptive spiking neurons read digits: the paper's network for MNIST, and a small one.

An analog network is trained with the neurons' transfer function, turned into adaptive spiking
neurons, and run at several coding precisions (Zambrano et al. 2017). FashionMNIST works the same.

    \b
    python networks/adaptive_digits.py train               train a network, with checkpoints
    python networks/adaptive_digits.py evaluate --resume   turn it to spikes, measure it, draw
    python networks/adaptive_digits.py results --resume    the committed figures
    nengo networks/adaptive_digits.py                      Nengo GUI, from committed weights

"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import adaptive_common as common
import adaptive_runs as runs
import click
import nengo
import numpy as np
from adaptive_common import Layout, keras_model
from adaptive_spiking import DT, WINDOW

import nengo_phasor
from nengo_phasor import convert, datasets, displays, results
from nengo_phasor.models.shared.commands import Commands

DATA_SETS = {"mnist": datasets.mnist, "fashion": datasets.fashion_mnist}
CLASSES = {
    "mnist": datasets.DATASETS["mnist"].classes,
    "fashion": datasets.DATASETS["fashion_mnist"].classes,
}
VALIDATION = 1 / 6
"""The fraction of the training set that chooses the epoch: 10,000 images."""


FOLDER = Path(nengo_phasor.__file__).parent / "models" / "params"
PARAMS = {name: FOLDER / f"adaptive_digits_{name}.npz" for name in DATA_SETS}
"""Committed weights of the small network."""

SPIKING = {
    "accuracy lost to spikes": ("<= 0.1", "0, Table 1"),
    "firing rate": ("<= 67", "67 Hz, Table 1"),
    "matching time": ("<= 0.291", "291 ms, Table 1"),
    "low firing rate": ("<= 10", "10 Hz, Table 1"),
    "accuracy lost with arousal": ("<= 0.1", "0, Figure 3c"),
    "firing rate with arousal, of that without": ("<= 0.55", "about 0.5, Figure 3c"),
}
BOUNDS = {
    "mnist": {
        "analog accuracy": (">= 0.993", "0.9956, Table 1"),
        "accuracy at low firing rate": (">= 0.991", "0.9912, Table 1"),
        **SPIKING,
    },
    "fashion": {"accuracy lost at low firing rate": ("<= 0.44", "0.44, MNIST, Table 1"), **SPIKING},
}
"""What was promised of each data set, and the paper's numbers on MNIST."""

PRECISIONS = {"mnist": (0.1, 0.2, 0.3, 0.6, 0.8), "fashion": (0.04, 0.08, 0.125, 0.2, 0.3)}
"""The m_f that are tried: clothes are harder to tell apart, and take finer coding."""

LAYOUTS = {
    "small": Layout(((16,), (32, 32)), (64,)),
    "paper": Layout(((64,), (128, 128)), (256, 50)),
}
IMAGES = {"small": None, "paper": 2000}
TRIALS = {"small": 1000, "paper": 500}
"""How many test and validation images are shown, chosen at random; None is all. The large network
takes long."""


def recipes(epochs: int | None = None):
    """Return how each network is trained, by data set and layout; ``epochs`` if not as usual."""
    from adaptive_training import Augmentation, Recipe

    digits = Recipe(
        epochs=20,
        learning_rate=3e-3,
        smoothing=0.05,
        activity=0.3,
        augmentation=Augmentation(shift=2, angle=10, zoom=0.1),
    )
    clothes = replace(digits, activity=2.0, augmentation=Augmentation(shift=2, zoom=0.1, flip=True))
    usual = {
        ("mnist", "small"): digits,
        ("mnist", "paper"): replace(digits, epochs=8),
        ("fashion", "small"): clothes,
        ("fashion", "paper"): replace(clothes, epochs=8),
    }
    if epochs is None:
        return usual
    return {key: replace(recipe, epochs=epochs) for key, recipe in usual.items()}


def load_parts(name: str, data, seed: int):
    """Return the data set, and its training set divided."""
    from adaptive_training import Parts

    loaded = DATA_SETS[name](data)
    return loaded, Parts(*datasets.split(loaded.x_train, loaded.y_train, VALIDATION, seed))


def trained(name: str, layout: str, seed: int, folder: Path, data, epochs, resume: bool):
    """Train, unless the folder has the result already; return an `adaptive_runs.Trained`."""
    return runs.trained(
        *load_parts(name, data, seed),
        lambda dropout: keras_model(LAYOUTS[layout]),
        recipes(epochs)[name, layout],
        seed,
        folder,
        resume,
        set=name,
        layout=layout,
    )


def evaluated(name, layout, seed, folder, data, epochs, images, trials, resume) -> dict:
    """Train, turn to spikes, measure and draw; what the folder has already is not done again."""
    return runs.evaluated(
        trained(name, layout, seed, folder, data, epochs, resume),
        common.measure,
        PRECISIONS[name],
        images or IMAGES[layout],
        trials or TRIALS[layout],
        seed,
        folder,
        f"Adaptive spiking neurons: {name}, {layout} network",
    )


def gui_model(name: str = "mnist") -> nengo.Network:
    """Return the small network in spikes, from committed weights, shown a new image twice a second.

    Between images nothing is forgotten but what the neurons forget: the read-out follows. With
    arousal: each image begins at low precision, and goes on at high precision if it is uncertain
    (in `nengo.Simulator`, once ``precision.start`` was called with it).
    """
    import adaptive_training as training

    from nengo_phasor.models.shared import gui

    small = keras_model(LAYOUTS["small"])
    images = training.load_weights(PARAMS[name], small)["images"]
    how = gui.fitted_arousal(f"adaptive_{name}", "small")
    converted = convert.to_adaptive(small, nengo_phasor.AdaptiveSpiking(how.low))
    flat = training.pixels(images).reshape(len(images), -1)
    with converted.network as network:
        network.input.output = nengo.processes.PresentInput(flat, WINDOW * DT)
        network.readout, network.dense = network.output.target, network.layers["dense1"]
        network.probes.clear()  # a GUI runs for as long as one likes, and they keep everything
        network.precision = gui.Precision(how.low)
        network.arousal = nengo.Node(
            gui.Aroused(how, network.precision, WINDOW * DT, DT), 10, 1, label="arousal"
        )
        network.image = displays.image((28, 28), label="what is shown")
        network.decision = displays.classes(CLASSES[name], 0, 5, label="class")
        network.dial = displays.precision_dial(how.low, how.high, label="precision")
        for pre, post in (
            (network.input, network.image),
            (network.readout, network.decision),
            (network.readout, network.arousal),
            (network.arousal, network.dial),
        ):
            nengo.Connection(pre, post, synapse=None)
    return network


# -------------------------------------------------------------------------------- command line


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the networks for digits."""


options = partial(runs.options, sets=DATA_SETS, runs="runs/adaptive_digits")
MODEL = click.option(
    "--model",
    "layout",
    default="small",
    show_default=True,
    type=click.Choice(list(LAYOUTS)),
    help="The paper's network or a small one.",
)
SHOWN = runs.shown(None, None)


@main.command()
@options(MODEL)
def train(data, name, layout, seed, epochs, folders, resume):
    """Train the analog network; a checkpoint is written after every epoch."""
    run = trained(name, layout, seed, folders / f"{name}-{layout}-{seed}", data, epochs, resume)
    click.echo(f"best validation accuracy {max(run.history['validation_accuracy']):.2%}")


@main.command()
@options(MODEL, *SHOWN)
def evaluate(data, name, layout, seed, epochs, folders, resume, images, trials):
    """Turn a network to spikes, measure it, draw figures.

    With --resume it is the one that was trained; without, one is trained first.
    """
    folder = folders / f"{name}-{layout}-{seed}"
    found = evaluated(name, layout, seed, folder, data, epochs, images, trials, resume)
    runs.echo_accuracies(found)


@main.command("results")
@options(
    *SHOWN,
    click.option(
        "--model",
        "layouts",
        multiple=True,
        default=["small"],
        show_default=True,
        type=click.Choice(list(LAYOUTS)),
        help="The paper's network or a small one; may be given twice.",
    ),
    click.option("--output", type=Path, help="By default results/adaptive_SET.json."),
)
def make_results(data, name, layouts, seed, epochs, folders, resume, images, trials, output):
    """Train and measure; write the figures that are quoted, beside what was promised."""
    found, claims = {}, []
    for layout in layouts:
        folder = folders / f"{name}-{layout}-{seed}"
        found[layout] = evaluated(name, layout, seed, folder, data, epochs, images, trials, resume)
        claims += common.claims(found[layout], f"{name}, {layout} network", BOUNDS[name])
    settings = {
        "recipes": {layout: asdict(recipes(epochs)[name, layout]) for layout in layouts},
        "layouts": {layout: asdict(LAYOUTS[layout]) for layout in layouts},
        "test_images": {layout: found[layout]["n_test"] for layout in layouts},
        "window": WINDOW * DT,
        "match": common.MATCH,
        "precisions": PRECISIONS[name],
    }
    path = output or Path(f"results/adaptive_{name}.json")
    results.write(path, results.report(settings, [seed], found, claims))
    runs.echo_claims(claims)


@main.command()
@options()
@click.option(
    "--dtype",
    default="float16",
    type=click.Choice(["float16", "float32"]),
    show_default=True,
    help="Of the weights.",
)
def export(data, name, seed, epochs, folders, resume, dtype):
    """Make a run's weights those that are committed, with a test image of each class."""
    folder = folders / f"{name}-small-{seed}"
    run = trained(name, "small", seed, folder, data, epochs, resume=True)
    first = [int(np.flatnonzero(run.data.y_test == label)[0]) for label in range(10)]
    runs.export(run, PARAMS[name], dtype, images=run.data.x_test[first])


if __name__ == "__main__":
    main()
elif PARAMS["mnist"].exists():
    model = gui_model()
    on_start = model.precision.start

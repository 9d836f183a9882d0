"""Adaptive spiking neurons read digits: the paper's network for MNIST, and a small one.

An analog network is trained with the neurons' transfer function, turned into adaptive spiking
neurons, and run at several coding precisions (Zambrano et al. 2017). FashionMNIST works the same.

    python networks/adaptive_digits.py train               train a network, with checkpoints
    python networks/adaptive_digits.py evaluate --resume   turn it to spikes, measure it, draw
    python networks/adaptive_digits.py results --resume    the committed figures
    nengo networks/adaptive_digits.py                      Nengo GUI, from committed weights

"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import adaptive_common as common
import click
import nengo
import numpy as np
from adaptive_common import Layout, keras_model
from adaptive_spiking import DT, WINDOW, Spiking

import nengo_phasor
from nengo_phasor import convert, datasets, results

DATA_SETS = {"mnist": datasets.mnist, "fashion": datasets.fashion_mnist}
VALIDATION = 1 / 6
"""The fraction of the training set that chooses the epoch: 10,000 images."""


FOLDER = Path(__file__).resolve().parent / "params"
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

PRECISIONS = {"mnist": (0.1, 0.2, 0.3, 0.6, 0.8), "fashion": (0.04, 0.05, 0.1, 0.2, 0.3)}
"""The m_f that are tried: clothes are harder to tell apart, and take finer coding."""

LAYOUTS = {
    "small": Layout(((16,), (32, 32)), (64,)),
    "paper": Layout(((64,), (128, 128)), (256, 50)),
}


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
    clothes = replace(
        digits, epochs=14, smoothing=0.0, augmentation=Augmentation(shift=2, zoom=0.1, flip=True)
    )
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


def trained(name: str, layout: str, seed: int, folder: Path, parts, epochs, resume: bool):
    """Train, unless the folder has the result already; return the model and its history."""
    import adaptive_training as training

    recipe = recipes(epochs)[name, layout]
    settings = {**asdict(recipe), "set": name, "layout": layout, "seed": seed}
    common.open_run(folder, settings, resume)
    weights = folder / "weights.npz"
    model = keras_model(LAYOUTS[layout])
    if not weights.exists():
        best, history = training.train(
            lambda seed: keras_model(LAYOUTS[layout]), recipe, seed, parts, folder, resume
        )
        training.save_weights(weights, best, **history)
    return model, training.load_weights(weights, model)


def evaluated(name, layout, seed, folder, data, epochs, images, trials, resume) -> dict:
    """Train, turn to spikes, measure and draw; what the folder has already is not done again."""
    import adaptive_report as report
    import adaptive_training as training

    loaded, parts = load_parts(name, data, seed)
    model, history = trained(name, layout, seed, folder, parts, epochs, resume)
    tried = common.subset(parts.x_validation, parts.y_validation, trials, seed)
    shown = common.subset(loaded.x_test, loaded.y_test, images, seed)
    spiking = Spiking(convert.to_adaptive(model))
    kept = folder / f"spiking-{len(shown[0])}-{len(tried[0])}"
    found = common.measure(spiking, tried, shown, kept, PRECISIONS[name])
    right = np.argmax(training.logits(model, loaded.x_test), axis=1) == loaded.y_test
    found["analog"] |= {
        "accuracy_on_whole_test_set": float(right.mean()),
        "history": {key: values.tolist() for key, values in history.items()},
    }
    results.write(folder / "metrics.json", found)
    title = f"Adaptive spiking neurons: {name}, {layout} network"
    page = report.write(found, spiking, training.pixels(shown[0][:1]), folder, title)
    click.echo(f"Look at {page}")
    return found


def gui_model(name: str = "mnist", m_f: float = 0.3) -> nengo.Network:
    """Return the small network in spikes, from committed weights, shown a new image twice a second.

    Between images nothing is forgotten but what the neurons forget: the read-out follows.
    """
    import adaptive_training as training

    small = keras_model(LAYOUTS["small"])
    images = training.load_weights(PARAMS[name], small)["images"]
    converted = convert.to_adaptive(small, nengo_phasor.AdaptiveSpiking(m_f))
    flat = training.pixels(images).reshape(len(images), -1)
    with converted.network as network:
        network.input.output = nengo.processes.PresentInput(flat, 0.5)
    return network


# -------------------------------------------------------------------------------- command line


@click.group(help=__doc__)
def main():
    """Run the networks for digits."""


def options(*more):
    """Return a decorator that adds the options which all commands share, and more."""

    def decorate(command):
        for option in (
            *more,
            click.option("--data", type=click.Path(), help="Folder with the data set."),
            click.option(
                "--set",
                "name",
                default="mnist",
                show_default=True,
                type=click.Choice(list(DATA_SETS)),
                help="Data set.",
            ),
            click.option("--seed", default=0, show_default=True, help="Of weights and all else."),
            click.option("--epochs", type=int, help="Train for so many epochs."),
            click.option("--runs", default="runs/adaptive_digits", type=Path, show_default=True),
            click.option(
                "--resume",
                is_flag=True,
                help="Go on from where an earlier run stopped, or use what it made.",
            ),
        ):
            command = option(command)
        return command

    return decorate


MODEL = click.option(
    "--model",
    "layout",
    default="small",
    show_default=True,
    type=click.Choice(list(LAYOUTS)),
    help="The paper's network or a small one.",
)
IMAGES = click.option("--images", type=int, help="Show only so many test images, at random.")
TRIALS = click.option(
    "--trials",
    default=1000,
    show_default=True,
    help="Find precision and arousal with so many validation images.",
)


@main.command()
@options(MODEL)
def train(data, name, layout, seed, epochs, runs, resume):
    """Train the analog network; a checkpoint is written after every epoch."""
    _, parts = load_parts(name, data, seed)
    folder = runs / f"{name}-{layout}-{seed}"
    _, history = trained(name, layout, seed, folder, parts, epochs, resume)
    click.echo(f"best validation accuracy {max(history['validation_accuracy']):.2%}")


@main.command()
@options(MODEL, IMAGES, TRIALS)
def evaluate(data, name, layout, seed, epochs, runs, resume, images, trials):
    """Turn a network to spikes, measure it, draw figures.

    With --resume it is the one that was trained; without, one is trained first.
    """
    folder = runs / f"{name}-{layout}-{seed}"
    found = evaluated(name, layout, seed, folder, data, epochs, images, trials, resume)
    for key in ("analog", "precise", "sparse", "low", "aroused"):
        point = found[key]
        rate = f"{point['firing_rate']:8.2f} Hz" if "firing_rate" in point else ""
        click.echo(f"{key:10s} {point['accuracy']:.2%}{rate}")


@main.command("results")
@options(
    IMAGES,
    TRIALS,
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
def make_results(data, name, layouts, seed, epochs, runs, resume, images, trials, output):
    """Train and measure; write the figures that are quoted, beside what was promised."""
    found, claims = {}, []
    for layout in layouts:
        folder = runs / f"{name}-{layout}-{seed}"
        found[layout] = evaluated(name, layout, seed, folder, data, epochs, images, trials, resume)
        claims += common.claims(found[layout], f"{name}, {layout} network", BOUNDS[name])
    settings = {
        "recipes": {layout: asdict(recipes(epochs)[name, layout]) for layout in layouts},
        "layouts": {layout: asdict(LAYOUTS[layout]) for layout in layouts},
        "window": WINDOW * DT,
        "match": common.MATCH,
        "precisions": PRECISIONS[name],
    }
    path = output or Path(f"results/adaptive_{name}.json")
    results.write(path, results.report(settings, [seed], found, claims))
    for claim in claims:
        verdict = "holds" if claim.holds else "FAILS"
        click.echo(f"{verdict}  {claim.name}: {claim.value:.4f} {claim.unit} {claim.bound}")


@main.command()
@options()
@click.option("--dtype", default="float16", show_default=True, help="Of the weights.")
def export(data, name, seed, epochs, runs, resume, dtype):
    """Make a run's weights those that are committed, with a test image of each class."""
    import adaptive_training as training

    loaded, parts = load_parts(name, data, seed)
    folder = runs / f"{name}-small-{seed}"
    model, _ = trained(name, "small", seed, folder, parts, epochs, resume=True)
    first = [int(np.flatnonzero(loaded.y_test == label)[0]) for label in range(10)]
    training.save_weights(PARAMS[name], model, dtype, images=loaded.x_test[first])
    training.load_weights(PARAMS[name], model)
    right = np.argmax(training.logits(model, loaded.x_test), axis=1) == loaded.y_test
    click.echo(f"wrote {PARAMS[name]}: {right.mean():.2%} of the test images right")


if __name__ == "__main__":
    main()
elif PARAMS["mnist"].exists():
    model = gui_model()

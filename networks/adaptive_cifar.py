"""Adaptive spiking neurons tell what small photographs show: the paper's networks for CIFAR.

An analog network of 14 layers, at a fraction of the paper's width, is trained with the neurons'
transfer function and turned into adaptive spiking neurons (Zambrano et al. 2017).

    python networks/adaptive_cifar.py train      train a network, with checkpoints
    python networks/adaptive_cifar.py evaluate   turn a trained network to spikes and measure it
    python networks/adaptive_cifar.py results    both, and the committed figures
    nengo networks/adaptive_cifar.py             Nengo GUI, from committed weights

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

SHAPE = (32, 32, 3)
STACKS = {
    "cifar10": Layout(((64, 64), (128, 128), (256,) * 3, (512,) * 3), (512,)),
    "cifar100": Layout(((64, 64), (128, 128), (256,) * 3, (1024,) * 3), (1024,)),
}
"""The paper's networks, at full width."""

MAP_DROPOUT, DROPOUT = 0.2, 0.5
"""Rates at full width: of convolutions without pooling, and of what the dense layer gets. The
paper's own are lost. The narrower a network, the less it overfits: the rates go with its width."""

VALIDATION = 0.1
"""The fraction of the training set that chooses the epoch and the precision."""

PRECISIONS = (0.12, 0.2, 0.4)
"""The m_f to choose from."""

BOUNDS = {
    "difference between spikes and analog": ("<= 0.5", "0, Table 1"),
    "firing rate": ("<= 68", "68 Hz, Table 1"),
}

PARAMS = Path(__file__).resolve().parent / "params" / "adaptive_cifar10.npz"
"""Committed weights of a narrow network."""


def layout(name: str, width: float) -> Layout:
    """Return a data set's network at a fraction of its width, at least one map everywhere."""

    def narrowed(sizes):
        return tuple(max(1, round(width * size)) for size in sizes)

    stack = STACKS[name]
    return Layout(tuple(map(narrowed, stack.convolutions)), narrowed(stack.dense))


def ycbcr(images: np.ndarray) -> np.ndarray:
    """Return images of bytes as luminance and two colour differences, in [-1, 1].

    Grey has no colour difference: what augmentation puts beyond the border, zeros, is mid-grey. The
    weights are those of JPEG (ITU-R BT.601).
    """
    red, green, blue = np.array([0.299, 0.587, 0.114], np.float32)
    r, g, b = np.moveaxis(images.astype(np.float32) / 255, -1, 0)
    luminance = red * r + green * g + blue * b
    differences = (b - luminance) / (1 - blue), (r - luminance) / (1 - red)
    return np.stack([2 * luminance - 1, *differences], axis=-1)


def model_of(name: str, width: float, seed: int = 0, dropout: bool = False):
    """Return the analog network, with dropout if it is to be trained."""
    rate = width if dropout else 0.0
    layers = layout(name, width)
    classes = len(datasets.DATASETS[name].classes)
    return keras_model(layers, seed, rate * DROPOUT, rate * MAP_DROPOUT, SHAPE, classes)


def recipe(epochs: int):
    """Return how the networks are trained."""
    from adaptive_training import Augmentation, Recipe

    moved = Augmentation(shift=4, flip=True)
    return Recipe(epochs, learning_rate=4e-3, activity=0.3, augmentation=moved)


def load_parts(name: str, data, seed: int):
    """Return the data set, and its training set divided; in luminance and colour differences."""
    from adaptive_training import Parts

    loaded = datasets.load(name, data)
    loaded = replace(loaded, x_train=ycbcr(loaded.x_train), x_test=ycbcr(loaded.x_test))
    return loaded, Parts(*datasets.split(loaded.x_train, loaded.y_train, VALIDATION, seed))


def trained(name: str, width: float, seed: int, epochs: int, folder: Path, parts, resume: bool):
    """Train, unless the folder has the result already; return the model and its history."""
    import adaptive_training as training

    how = recipe(epochs)
    settings = {**asdict(how), "set": name, "width": width, "seed": seed, "n": len(parts.x_train)}
    common.open_run(folder, settings, resume)
    weights = folder / "weights.npz"
    if not weights.exists():
        best, history = training.train(
            lambda seed: model_of(name, width, seed, dropout=True),
            how,
            seed,
            parts,
            folder,
            resume,
        )
        training.save_weights(weights, best, **history)
    model = model_of(name, width)
    return model, training.load_weights(weights, model)


def evaluated(name, width, seed, epochs, folder, data, images, trials, resume) -> dict:
    """Train, turn to spikes and measure; what the folder has already is not done again."""
    import adaptive_training as training

    loaded, parts = load_parts(name, data, seed)
    model, history = trained(name, width, seed, epochs, folder, parts, resume)
    tried = common.subset(parts.x_validation, parts.y_validation, trials, seed)
    shown = common.subset(loaded.x_test, loaded.y_test, images, seed)
    spiking = Spiking(convert.to_adaptive(model))
    kept = folder / f"spiking-{len(shown[0])}-{len(tried[0])}"
    found = common.compare(spiking, tried, shown, kept, PRECISIONS)
    right = np.argmax(training.logits(model, loaded.x_test), axis=1) == loaded.y_test
    found["analog"] |= {
        "accuracy_on_whole_test_set": float(right.mean()),
        "history": {key: values.tolist() for key, values in history.items()},
    }
    results.write(folder / "metrics.json", found)
    return found


def gui_model(m_f: float = 0.1) -> nengo.Network:
    """Return the narrow network in spikes, from committed weights, shown a new image a second.

    They are the means of the training images of each class: the data set comes with no licence that
    would let its own images be passed on.
    """
    import adaptive_training as training

    saved = datasets.load_params(PARAMS, ["images", "width"])
    model = model_of("cifar10", float(saved["width"]))
    training.load_weights(PARAMS, model)
    converted = convert.to_adaptive(model, nengo_phasor.AdaptiveSpiking(m_f))
    images = ycbcr(saved["images"]).reshape(len(saved["images"]), -1)
    with converted.network as network:
        network.input.output = nengo.processes.PresentInput(images, 1.0)
    return network


# -------------------------------------------------------------------------------- command line


@click.group(help=__doc__)
def main():
    """Run the networks for CIFAR."""


def options(*more):
    """Return a decorator that adds the options which all commands share, and more."""

    def decorate(command):
        for option in (
            *more,
            click.option("--data", type=click.Path(), help="Folder with the data set."),
            click.option(
                "--set",
                "name",
                default="cifar10",
                show_default=True,
                type=click.Choice(list(STACKS)),
                help="Data set.",
            ),
            click.option(
                "--width",
                default=0.125,
                show_default=True,
                type=click.FloatRange(0, min_open=True),
                help="Fraction of the paper's maps and units.",
            ),
            click.option("--seed", default=0, show_default=True, help="Of weights and all else."),
            click.option("--epochs", default=10, show_default=True, help="Train for so many."),
            click.option("--runs", default="runs/adaptive_cifar", type=Path, show_default=True),
            click.option("--resume", is_flag=True, help="Go on from where an earlier run stopped."),
        ):
            command = option(command)
        return command

    return decorate


SHOWN = (
    click.option("--images", type=int, help="Show only so many test images, at random."),
    click.option(
        "--trials",
        default=200,
        show_default=True,
        help="Find the precision with so many validation images.",
    ),
)


@main.command()
@options()
def train(data, name, width, seed, epochs, runs, resume):
    """Train the analog network; a checkpoint is written after every epoch."""
    _, parts = load_parts(name, data, seed)
    _, history = trained(name, width, seed, epochs, runs / f"{name}-{width}-{seed}", parts, resume)
    click.echo(f"best validation accuracy {max(history['validation_accuracy']):.2%}")


@main.command()
@options(*SHOWN)
def evaluate(data, name, width, seed, epochs, runs, resume, images, trials):
    """Turn a network to spikes (train it first, if need be), measure it."""
    folder = runs / f"{name}-{width}-{seed}"
    found = evaluated(name, width, seed, epochs, folder, data, images, trials, resume)
    click.echo(f"analog  {found['analog']['accuracy']:.2%}")
    point = found["precise"]
    click.echo(f"spikes  {point['accuracy']:.2%} at {point['firing_rate']:.2f} Hz")


@main.command("results")
@options(
    *SHOWN, click.option("--output", type=Path, help="By default results/adaptive_cifar.json.")
)
def make_results(data, name, width, seed, epochs, runs, resume, images, trials, output):
    """Train and measure; write the figures that are quoted, beside what was promised."""
    folder = runs / f"{name}-{width}-{seed}"
    found = evaluated(name, width, seed, epochs, folder, data, images, trials, resume)
    claims = common.claims(found, f"{name} at {width} of the paper's width", BOUNDS)
    settings = {
        "recipe": asdict(recipe(epochs)),
        "layout": asdict(layout(name, width)),
        "width": width,
        "window": WINDOW * DT,
        "precisions": PRECISIONS,
        "dropout": {"maps": width * MAP_DROPOUT, "dense": width * DROPOUT},
    }
    path = output or Path("results/adaptive_cifar.json")
    results.write(path, results.report(settings, [seed], found, claims))
    for claim in claims:
        verdict = "holds" if claim.holds else "FAILS"
        click.echo(f"{verdict}  {claim.name}: {claim.value:.4f} {claim.unit} {claim.bound}")


@main.command()
@options()
def export(data, name, width, seed, epochs, runs, resume):
    """Make a run's weights those that are committed, with the mean image of each class."""
    import adaptive_training as training

    if name != "cifar10":
        raise click.UsageError(f"--set {name}: only a network for cifar10 is committed")
    loaded, parts = load_parts(name, data, seed)
    model, _ = trained(name, width, seed, epochs, runs / f"{name}-{width}-{seed}", parts, True)
    published = datasets.load(name, data)
    images = np.stack(
        [published.x_train[published.y_train == k].mean(axis=0) for k in range(10)]
    ).astype(np.uint8)
    training.save_weights(PARAMS, model, "float16", images=images, width=width)
    training.load_weights(PARAMS, model)
    right = np.argmax(training.logits(model, loaded.x_test), axis=1) == loaded.y_test
    click.echo(f"wrote {PARAMS}: {right.mean():.2%} of the test images right")


if __name__ == "__main__":
    main()
elif PARAMS.exists():
    model = gui_model()

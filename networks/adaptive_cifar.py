"""Adaptive spiking neurons tell what small photographs show: the paper's networks for CIFAR.

An analog network of 14 layers, at a fraction of the paper's width, is trained with the neurons'
transfer function and turned into adaptive spiking neurons (Zambrano et al. 2017).

    \b
    python networks/adaptive_cifar.py train      train a network, with checkpoints
    python networks/adaptive_cifar.py evaluate   turn a trained network to spikes and measure it
    python networks/adaptive_cifar.py results    both, and the committed figures
    nengo networks/adaptive_cifar.py             Nengo GUI, from committed weights

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

PARAMS = Path(nengo_phasor.__file__).parent / "models" / "params" / "adaptive_cifar10.npz"
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


def trained(name: str, width: float, seed: int, epochs: int, folder: Path, data, resume: bool):
    """Train, unless the folder has the result already; return an `adaptive_runs.Trained`."""
    loaded, parts = load_parts(name, data, seed)
    return runs.trained(
        loaded,
        parts,
        lambda dropout: model_of(name, width, seed, dropout),
        recipe(epochs),
        seed,
        folder,
        resume,
        set=name,
        width=width,
        n=len(parts.x_train),
    )


def evaluated(name, width, seed, epochs, folder, data, images, trials, resume) -> dict:
    """Train, turn to spikes, measure and draw; what the folder has already is not done again."""
    return runs.evaluated(
        trained(name, width, seed, epochs, folder, data, resume),
        common.compare,
        PRECISIONS,
        images,
        trials,
        seed,
        folder,
        f"Adaptive spiking neurons: {name} at {width} of the paper's width",
    )


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
    colours = saved["images"].reshape(images.shape) / 255
    with converted.network as network:
        network.input.output = nengo.processes.PresentInput(images, 1.0)
        network.readout, network.dense = network.output.target, network.layers["dense1"]
        network.probes.clear()  # a GUI runs for as long as one likes, and they keep everything
        network.colours = nengo.Node(nengo.processes.PresentInput(colours, 1.0), label="in colours")
        network.image = displays.image((32, 32, 3), label="what is shown: a class's mean image")
        network.decision = displays.classes(
            datasets.DATASETS["cifar10"].classes, 0, 5, label="class"
        )
        nengo.Connection(network.colours, network.image, synapse=None)
        nengo.Connection(network.readout, network.decision, synapse=None)
    return network


# -------------------------------------------------------------------------------- command line


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the networks for CIFAR."""


options = partial(
    runs.options,
    click.option(
        "--width",
        default=0.125,
        show_default=True,
        type=click.FloatRange(0, min_open=True),
        help="Fraction of the paper's maps and units.",
    ),
    sets=STACKS,
    runs="runs/adaptive_cifar",
    epochs=10,
)
SHOWN = runs.shown(None, 200)


@main.command()
@options()
def train(data, name, width, seed, epochs, folders, resume):
    """Train the analog network; a checkpoint is written after every epoch."""
    run = trained(name, width, seed, epochs, folders / f"{name}-{width}-{seed}", data, resume)
    click.echo(f"best validation accuracy {max(run.history['validation_accuracy']):.2%}")


@main.command()
@options(*SHOWN)
def evaluate(data, name, width, seed, epochs, folders, resume, images, trials):
    """Turn a network to spikes (train it first, if need be), measure it, draw figures."""
    folder = folders / f"{name}-{width}-{seed}"
    found = evaluated(name, width, seed, epochs, folder, data, images, trials, resume)
    runs.echo_accuracies(found)


@main.command("results")
@options(
    *SHOWN, click.option("--output", type=Path, help="By default results/adaptive_cifar.json.")
)
def make_results(data, name, width, seed, epochs, folders, resume, images, trials, output):
    """Train and measure; write the figures that are quoted, beside what was promised."""
    folder = folders / f"{name}-{width}-{seed}"
    found = evaluated(name, width, seed, epochs, folder, data, images, trials, resume)
    claims = common.claims(found, f"{name} at {width} of the paper's width", BOUNDS)
    settings = {
        "recipe": asdict(recipe(epochs)),
        "layout": asdict(layout(name, width)),
        "width": width,
        "test_images": found["n_test"],
        "window": WINDOW * DT,
        "precisions": PRECISIONS,
        "dropout": {"maps": width * MAP_DROPOUT, "dense": width * DROPOUT},
    }
    path = output or Path("results/adaptive_cifar.json")
    results.write(path, results.report(settings, [seed], found, claims))
    runs.echo_claims(claims)


@main.command()
@options()
def export(data, name, width, seed, epochs, folders, resume):
    """Make a run's weights those that are committed, with the mean image of each class."""
    if name != "cifar10":
        raise click.UsageError(f"--set {name}: only a network for cifar10 is committed")
    run = trained(name, width, seed, epochs, folders / f"{name}-{width}-{seed}", data, True)
    published = datasets.load(name, data)
    images = [published.x_train[published.y_train == k].mean(axis=0) for k in range(10)]
    runs.export(run, PARAMS, "float16", images=np.stack(images).astype(np.uint8), width=width)


if __name__ == "__main__":
    main()
elif PARAMS.exists():
    model = gui_model()

"""Adaptive spiking neurons read digits: the paper's network for MNIST, and a small one.

An analog network is trained with the neurons' transfer function, turned into adaptive spiking
neurons, and run at several coding precisions (Zambrano et al. 2017). FashionMNIST works the same.

    python networks/adaptive_digits.py train      train a network, with checkpoints
    python networks/adaptive_digits.py evaluate   turn a trained network to spikes and measure it
    python networks/adaptive_digits.py results    both, and the committed figures
    nengo networks/adaptive_digits.py             Nengo GUI, from committed weights

"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import adaptive_common as common
import click

from nengo_phasor import datasets

DATA_SETS = {"mnist": datasets.mnist, "fashion": datasets.fashion_mnist}
VALIDATION = 1 / 6
"""The fraction of the training set that chooses the epoch: 10,000 images."""


@dataclass(frozen=True)
class Layout:
    """A network's layers: maps of 3 x 3 convolutions, with a pooling after each group; units."""

    convolutions: tuple[tuple[int, ...], ...]
    dense: tuple[int, ...]


LAYOUTS = {
    "small": Layout(((16,), (32, 32)), (64,)),
    "paper": Layout(((64,), (128, 128)), (256, 50)),
}


def keras_model(layout: Layout, seed: int = 0, dropout: float = 0.0):
    """Return the analog network: 28 x 28 pixels in, logits of 10 classes out.

    Batch normalisation and the transfer function follow every layer and the pixels themselves.
    Normalisation has no gain, so that no activation shrinks to a size for which spikes are too
    coarse. Pooling comes before the activation, with which it commutes: that takes fewer neurons.
    """
    import tensorflow as tf
    from adaptive_training import Dropout

    from nengo_phasor.dl.activations import HalfSigmoid

    layers = tf.keras.layers

    def activate(x, name, pool=False):
        x = layers.BatchNormalization(scale=False, name=f"{name}_norm")(x)
        if pool:
            x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
        return HalfSigmoid(name=name)(x)

    image = layers.Input((28, 28, 1), name="image")
    x = activate(image, "pixels")
    for j, group in enumerate(layout.convolutions):
        for k, maps in enumerate(group):
            name = f"conv{j + 1}{'abc'[k]}"
            x = layers.Conv2D(maps, 3, padding="same", use_bias=False, name=f"{name}_weights")(x)
            x = activate(x, name, pool=k == len(group) - 1)
    x = layers.Flatten(name="flatten")(x)
    for k, units in enumerate(layout.dense):
        if dropout:
            x = Dropout(dropout, seed=seed + k, name=f"dropout{k + 1}")(x)
        x = layers.Dense(units, use_bias=False, name=f"dense{k + 1}_weights")(x)
        x = activate(x, f"dense{k + 1}")
    return tf.keras.Model(image, layers.Dense(10, name="classes")(x))


def recipes():
    """Return how each network is trained, by data set and layout."""
    from adaptive_training import Augmentation, Recipe

    digits = Recipe(
        epochs=20,
        learning_rate=3e-3,
        smoothing=0.05,
        activity=0.3,
        augmentation=Augmentation(shift=2, angle=10, zoom=0.1),
    )
    clothes = replace(
        digits, epochs=25, smoothing=0.0, augmentation=Augmentation(shift=2, zoom=0.1, flip=True)
    )
    return {
        ("mnist", "small"): digits,
        ("mnist", "paper"): replace(digits, epochs=10),
        ("fashion", "small"): clothes,
        ("fashion", "paper"): replace(clothes, epochs=10),
    }


def load_parts(name: str, data, seed: int, images: int | None):
    """Return the data set, and its training set divided; ``images`` cuts it to so many."""
    from adaptive_training import Parts

    loaded = DATA_SETS[name](data)
    x, y = loaded.x_train[:images], loaded.y_train[:images]
    return loaded, Parts(*datasets.split(x, y, VALIDATION, seed))


def trained(name, layout, seed, folder, data, images, epochs, resume):
    """Train, unless the folder has the result already; return the model with its history."""
    import adaptive_training as training

    recipe = recipes()[name, layout]
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    settings = {**asdict(recipe), "seed": seed, "images": images, "layout": layout, "set": name}
    common.open_run(folder, settings, resume)
    weights = folder / "weights.npz"
    model = keras_model(LAYOUTS[layout], seed)
    if not weights.exists():
        _, parts = load_parts(name, data, seed, images)
        model, history = training.train(
            lambda seed: keras_model(LAYOUTS[layout], seed), recipe, seed, parts, folder, resume
        )
        training.save_weights(weights, model, **history)
    return model, training.load_weights(weights, model)


# -------------------------------------------------------------------------------- command line


@click.group(help=__doc__)
def main():
    """Run the networks for digits."""


def options(command):
    """Add the options that all commands share."""
    for option in (
        click.option("--data", type=click.Path(), help="Folder with the data set."),
        click.option("--set", "name", default="mnist", type=click.Choice(list(DATA_SETS))),
        click.option("--model", "layout", default="small", type=click.Choice(list(LAYOUTS))),
        click.option("--seed", default=0, show_default=True),
        click.option("--images", default=None, type=int, help="Use only so many images."),
        click.option("--epochs", default=None, type=int, help="Train for so many epochs."),
        click.option("--output", type=Path, help="Folder of the run."),
        click.option("--resume", is_flag=True, help="Go on from where an earlier run stopped."),
    ):
        command = option(command)
    return command


@main.command()
@options
def train(data, name, layout, seed, images, epochs, output, resume):
    """Train the analog network."""

    folder = output or Path(f"runs/adaptive_digits/{name}-{layout}-{seed}")
    _, history = trained(name, layout, seed, folder, data, images, epochs, resume)
    click.echo(f"best validation accuracy {max(history['validation_accuracy']):.2%}")


if __name__ == "__main__":
    main()

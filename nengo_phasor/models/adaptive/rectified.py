"""Ordinary networks of rectifiers, trained without any thought of spikes, and their twins.

A twin has half-sigmoids where the network has rectifiers, and is otherwise the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from nengo_phasor import datasets
from nengo_phasor.models.adaptive.data import Augmentation, Parts
from nengo_phasor.models.adaptive.recipe import Recipe
from nengo_phasor.models.adaptive.units import unit_layer
from nengo_phasor.models.shared.policy import HALF

VALIDATION = 1 / 6
"""The fraction of the training set that chooses the epoch and the precision."""

Activate = Callable[[Any, str], Any]
"""``activate(x, name)`` appends a layer of units to a Keras tensor."""


class Rectified(NamedTuple):
    """A network: its data set, what it is, its hidden layers and its recipe.

    ``hidden(x, activate)`` appends the hidden layers to a Keras tensor.
    """

    data: str
    title: str
    hidden: Callable[[Any, Activate], Any]
    recipe: Recipe


def mlp(x: Any, activate: Activate) -> Any:
    """Append two dense layers, as in the first example of any textbook."""
    from tensorflow.keras import layers

    x = layers.Flatten(name="flatten")(x)
    for k, units in enumerate((256, 128)):
        x = activate(layers.Dense(units, name=f"dense{k + 1}_weights")(x), f"dense{k + 1}")
    return x


def vgg(x: Any, activate: Activate) -> Any:
    """Append three pairs of convolutions, each with normalisation, and pool after each pair."""
    from tensorflow.keras import layers

    for k, maps in enumerate((32, 32, 64, 64, 128, 128)):
        name = f"conv{k + 1}"
        x = layers.Conv2D(maps, 3, padding="same", use_bias=False, name=f"{name}_weights")(x)
        x = activate(layers.BatchNormalization(name=f"{name}_norm")(x), name)
        if k % 2:
            x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    return layers.GlobalAveragePooling2D(name="average")(x)


def mobile(x: Any, activate: Activate) -> Any:
    """Append a convolution and five separable ones, as two layers each, with normalisation."""
    from tensorflow.keras import layers

    def normalised(x, layer, name):
        x = layers.BatchNormalization(name=f"{name}_norm")(layer(x))
        return activate(x, name)

    first = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem_weights")
    x = normalised(x, first, "stem")
    for k, (maps, stride) in enumerate(((32, 2), (64, 1), (64, 2), (128, 1), (128, 2))):
        each, mixed = f"separable{k + 1}_each", f"separable{k + 1}_mixed"
        spread = layers.DepthwiseConv2D(3, stride, "same", use_bias=False, name=f"{each}_weights")
        x = normalised(x, spread, each)
        x = normalised(x, layers.Conv2D(maps, 1, use_bias=False, name=f"{mixed}_weights"), mixed)
    return layers.GlobalAveragePooling2D(name="average")(x)


_SHIFTED = Augmentation(shift=4, flip=True)
_RECIPE = Recipe(epochs=20, learning_rate=2e-3)
NETWORKS = {
    "mlp": Rectified("mnist", "two dense layers, MNIST", mlp, replace(_RECIPE, epochs=10)),
    "vgg": Rectified(
        "cifar10",
        "six convolutions, CIFAR-10",
        vgg,
        replace(_RECIPE, epochs=25, augmentation=_SHIFTED, policy=HALF),
    ),
    "mobile": Rectified(
        "fashion_mnist",
        "separable convolutions, FashionMNIST",
        mobile,
        replace(_RECIPE, augmentation=replace(_SHIFTED, shift=2)),
    ),
}
"""The networks, by the names that the commands take."""


def keras_model(name: str, units: str, shape: tuple[int, int, int]):
    """Return a network of the units: an image in, logits of ten classes out."""
    import tensorflow as tf

    layer = unit_layer(units)
    image = tf.keras.layers.Input(shape, name="image")
    x = NETWORKS[name].hidden(image, lambda x, label: layer(name=label)(x))
    logits = tf.keras.layers.Dense(10, dtype="float32", name="classes")(x)
    return tf.keras.Model(image, logits, name=name)


def load_parts(name: str, data: Path | None, seed: int) -> tuple[datasets.Dataset, Parts]:
    """Return a network's data set and the parts of its training set."""
    loaded = datasets.load(NETWORKS[name].data, data)
    return loaded, Parts(*datasets.split(loaded.x_train, loaded.y_train, VALIDATION, seed))

"""Training for the adaptive networks: Keras, with checkpoints that resume to the same result.

Importing this module imports TensorFlow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from nengo_phasor import datasets
from nengo_phasor.dl.activations import HalfSigmoid

VALIDATION_BATCH = 500


@dataclass(frozen=True)
class Augmentation:
    """How far images are moved at random: uniform, up to these limits either way.

    ``shift`` is in pixels, ``angle`` in degrees, ``zoom`` a fraction; ``flip`` mirrors half of the
    images left to right.
    """

    shift: float = 0.0
    angle: float = 0.0
    zoom: float = 0.0
    flip: bool = False


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    The learning rate falls to zero along a cosine. ``smoothing`` is that of the labels.
    ``activity`` weights the mean activation of all neurons in the loss: the less active, the fewer
    spikes. ``optimizer`` is a name in `tf.keras.optimizers`, ``options`` its further arguments.
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 1e-3
    smoothing: float = 0.0
    activity: float = 0.0
    augmentation: Augmentation | None = None
    optimizer: str = "Adam"
    options: tuple[tuple[str, Any], ...] = ()


class Parts(NamedTuple):
    """A training set, divided: what is learned, and what the epoch is chosen by."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray


# ---------------------------------------------------------------------------------------- layers


class Dropout(tf.keras.layers.Dropout):
    """Dropout whose choices follow from the seed and a counter among the model's variables.

    So a checkpoint of the variables is enough to go on with the same choices. Build the model
    without it for `nengo_phasor.convert.to_adaptive`.
    """

    def build(self, input_shape):
        """Create the counter."""
        self.calls = self.add_weight(
            name="calls", shape=(), dtype=tf.int32, initializer="zeros", trainable=False
        )
        super().build(input_shape)

    def call(self, inputs, training=None):
        """Leave out some inputs in training; Keras says through ``training`` whether it is."""
        if not training:
            return inputs
        seed = tf.stack([tf.constant(self.seed), self.calls.assign_add(1)])
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed)


# ----------------------------------------------------------------------------------------- data


def pixels(x: np.ndarray) -> np.ndarray:
    """Return a model's input, in single precision: bytes as values in [0, 1], with channels."""
    if x.dtype != np.uint8:
        return x.astype(np.float32)
    x = x.astype(np.float32) / 255
    return x if x.ndim == 4 else x[..., None]


def augment(images: np.ndarray, how: Augmentation, rng: np.random.RandomState) -> np.ndarray:
    """Return images, (n, height, width, channels), each moved in its own way.

    Values between pixels are interpolated linearly; beyond the border they are zero.
    """
    n, height, width, channels = images.shape
    angle = np.deg2rad(rng.uniform(-how.angle, how.angle, n))
    scale = 1 + rng.uniform(-how.zoom, how.zoom, n)
    shift = rng.uniform(-how.shift, how.shift, (2, n, 1, 1))
    mirror = np.where(how.flip & (rng.uniform(size=n) < 0.5), -1, 1)
    cos, sin = (np.reshape(f(angle) / scale, (n, 1, 1)) for f in (np.cos, np.sin))
    middle = (height - 1) / 2, (width - 1) / 2
    y, x = np.arange(height)[:, None] - middle[0], np.arange(width) - middle[1]
    rows = cos * y - sin * x + middle[0] + shift[0]
    columns = (sin * y + cos * x) * mirror[:, None, None] + middle[1] + shift[1]
    # A border of zeros: what is beyond it reads zeros too, once clipped.
    padded = np.zeros((n, height + 3, width + 3, channels), images.dtype)
    padded[:, 1:-2, 1:-2] = images
    rows, columns = np.clip(rows + 1, 0, height + 1), np.clip(columns + 1, 0, width + 1)
    top, left = rows.astype(int), columns.astype(int)
    down, right = ((rows - top)[..., None], (columns - left)[..., None])
    flat = padded.reshape(-1, channels)
    first = (np.arange(n)[:, None, None] * (height + 3) + top) * (width + 3) + left
    upper = flat[first] * (1 - right) + flat[first + 1] * right
    lower = flat[first + width + 3] * (1 - right) + flat[first + width + 4] * right
    return (upper * (1 - down) + lower * down).astype(images.dtype)


class Batches(tf.keras.utils.Sequence):
    """An epoch's batches: the same for the same seed and epoch, whatever ran before."""

    def __init__(self, x: np.ndarray, y: np.ndarray, recipe: Recipe, seed: int, epoch: int):
        self.x, self.y, self.recipe = x, y, recipe
        self.key = seed, epoch
        self.order = np.random.RandomState(self.key).permutation(len(x))

    def __len__(self) -> int:
        return n_batches(len(self.x), self.recipe)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = np.array_split(self.order, len(self))[index]
        x = pixels(self.x[chosen])
        if self.recipe.augmentation is not None:
            rng = np.random.RandomState((*self.key, index))
            x = augment(x, self.recipe.augmentation, rng)
        return x, self.y[chosen]


def n_batches(n: int, recipe: Recipe) -> int:
    """Return the number of batches in an epoch of ``n`` samples; they differ by one in size."""
    return -(-n // recipe.batch_size)


# ------------------------------------------------------------------------------------- training


def compiled(
    model_function: Callable[[int], tf.keras.Model], recipe: Recipe, seed: int, n_samples: int
) -> tf.keras.Model:
    """Return the model that training starts from: its output is logits, its targets one-hot."""
    tf.keras.utils.set_random_seed(seed)
    model = model_function(seed)
    if recipe.activity:
        active = [layer.output for layer in model.layers if isinstance(layer, HalfSigmoid)]
        neurons = sum(np.prod(output.shape[1:]) for output in active)
        sums = [tf.reduce_sum(tf.reduce_mean(output, axis=0)) for output in active]
        model.add_loss(recipe.activity * tf.add_n(sums) / float(neurons))
    steps = recipe.epochs * n_batches(n_samples, recipe)
    rate = tf.keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    optimizer = getattr(tf.keras.optimizers, recipe.optimizer)(rate, **dict(recipe.options))
    loss = tf.keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=recipe.smoothing
    )
    model.compile(optimizer, loss, metrics=["accuracy"])
    optimizer.build(model.trainable_variables)
    return model


def train(
    model_function: Callable[[int], tf.keras.Model],
    recipe: Recipe,
    seed: int,
    data: Parts,
    folder: Path,
    resume: bool = False,
) -> tuple[tf.keras.Model, dict[str, list[float]]]:
    """Train; return the model as it was after the epoch that was best on the validation data.

    After every epoch a checkpoint goes into the folder, from which ``resume`` goes on to the same
    result.

    Parameters
    ----------
    model_function : callable
        Takes the seed, for dropout, and returns a model whose output is logits.
    recipe : `Recipe`
        How.
    seed : int
        Of the initial weights, the batches, the augmentation and the dropout.
    data : `Parts`
        uint8 images or features of any number type; class indices.
    folder : path
        For ``checkpoint.npz``.
    resume : bool
        Whether to go on from a checkpoint, if there is one.

    Returns
    -------
    model : tf.keras.Model
    history : {str: list of float}
        A value for each epoch: "loss", "accuracy" and "validation_accuracy".
    """
    model = compiled(model_function, recipe, seed, len(data.x_train))
    classes = model.output_shape[-1]
    targets = np.eye(classes, dtype=np.float32)[data.y_train]
    variables = [*model.variables, *model.optimizer.variables]
    weights = [variable.numpy() for variable in model.variables]
    history: dict[str, list[float]] = {"loss": [], "accuracy": [], "validation_accuracy": []}
    checkpoint = folder / "checkpoint.npz"
    if resume and checkpoint.exists():
        saved = datasets.load_params(checkpoint)
        history = {name: list(saved[name]) for name in history}
        weights = [saved[f"best_{k}"] for k in range(len(weights))]
        for k, variable in enumerate(variables):
            variable.assign(saved[f"variable_{k}"])
        print(f"resumed after epoch {len(history['loss'])} of {recipe.epochs}")
    for epoch in range(len(history["loss"]), recipe.epochs):
        print(f"epoch {epoch + 1} of {recipe.epochs}", flush=True)
        fitted = model.fit(
            Batches(data.x_train, targets, recipe, seed, epoch),
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 0,
        )
        right = np.argmax(logits(model, data.x_validation), axis=1) == data.y_validation
        if right.mean() > max(history["validation_accuracy"], default=-1):
            weights = [variable.numpy() for variable in model.variables]
        history["loss"].append(fitted.history["loss"][0])
        history["accuracy"].append(fitted.history["accuracy"][0])
        history["validation_accuracy"].append(float(right.mean()))
        print("  " + ", ".join(f"{name} {series[-1]:.4f}" for name, series in history.items()))
        datasets.save_params(
            checkpoint,
            **{name: np.array(series) for name, series in history.items()},
            **{f"best_{k}": value for k, value in enumerate(weights)},
            **{f"variable_{k}": variable.numpy() for k, variable in enumerate(variables)},
        )
    for variable, value in zip(model.variables, weights, strict=True):
        variable.assign(value)
    return model, history


def logits(model: tf.keras.Model, x: np.ndarray) -> np.ndarray:
    """Return the model's outputs, computed in batches."""
    starts = range(0, len(x), VALIDATION_BATCH)
    batches = (pixels(x[start : start + VALIDATION_BATCH]) for start in starts)
    return np.concatenate([model.predict_on_batch(batch) for batch in batches])


def save_weights(path: Path, model: tf.keras.Model, dtype: str = "float32", **others) -> None:
    """Write a model's weights by their names, and other arrays, to an npz file.

    Give all layers names: those that Keras makes up depend on what was made before.
    """
    weights = {variable.name: variable.numpy().astype(dtype) for variable in model.variables}
    datasets.save_params(path, **weights, **others)


def load_weights(path: Path, model: tf.keras.Model) -> dict[str, np.ndarray]:
    """Set a model's weights from such a file; return the arrays that are no weights.

    The model may lack layers of that which was saved, such as dropout.

    Raises
    ------
    nengo_phasor.datasets.DatasetError
        If the file is damaged or lacks weights of this model.
    """
    saved = datasets.load_params(path, [variable.name for variable in model.variables])
    for variable in model.variables:
        variable.assign(saved[variable.name])
    return {name: array for name, array in saved.items() if ":" not in name}

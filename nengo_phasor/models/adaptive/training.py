"""Training for the adaptive networks: Keras, with checkpoints that resume to the same result.

Importing this module imports TensorFlow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from nengo_phasor import datasets
from nengo_phasor.dl.activations import HalfSigmoid
from nengo_phasor.models.adaptive.data import Parts, augment, pixels
from nengo_phasor.models.adaptive.recipe import Recipe
from nengo_phasor.models.shared.checkpoint import Checkpoint
from nengo_phasor.models.shared.policy import policy

VALIDATION_BATCH = 500
HISTORY = ("loss", "accuracy", "validation_accuracy")
"""The values that are recorded for each epoch."""


class Batches(tf.keras.utils.Sequence):
    """The batches of an epoch, which only depend on the seed and the epoch."""

    def __init__(self, x: np.ndarray, y: np.ndarray, recipe: Recipe, seed: int, epoch: int):
        self.x, self.y, self.recipe = x, y, recipe
        self.key = seed, epoch
        self.order = np.random.RandomState(self.key).permutation(len(x))

    def __len__(self) -> int:
        return self.recipe.n_batches(len(self.x))

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = np.array_split(self.order, len(self))[index]
        x = pixels(self.x[chosen])
        if self.recipe.augmentation is not None:
            rng = np.random.RandomState((*self.key, index))
            x = augment(x, self.recipe.augmentation, rng)
        return x, self.y[chosen]


def compiled(
    model_function: Callable[[int], tf.keras.Model], recipe: Recipe, seed: int, n_samples: int
) -> tf.keras.Model:
    """Return the compiled model before training. Its outputs are logits, its targets one-hot."""
    tf.keras.utils.set_random_seed(seed)
    with policy(recipe.policy):
        model = model_function(seed)
    if recipe.activity:
        active = [layer.output for layer in model.layers if isinstance(layer, HalfSigmoid)]
        neurons = sum(np.prod(output.shape[1:]) for output in active)
        sums = [tf.reduce_sum(tf.reduce_mean(output, axis=0)) for output in active]
        model.add_loss(recipe.activity * tf.add_n(sums) / float(neurons))
    steps = recipe.epochs * recipe.n_batches(n_samples)
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
    """Train; return the model after the epoch that was best on the validation data.

    After every epoch, a checkpoint is written to the folder. ``resume`` continues from it to the
    same result.

    Parameters
    ----------
    model_function : callable
        A function of the seed for dropout, which returns a model whose outputs are logits.
    recipe : `Recipe`
        How.
    seed : int
        The seed of the initial weights, the batches, the augmentation and the dropout.
    data : `Parts`
        The training data: uint8 images or features of any number type, and class indices.
    folder : path
        The folder of ``checkpoint.npz``.
    resume : bool
        Whether to continue from a checkpoint, if there is one.

    Returns
    -------
    model : tf.keras.Model
    history : {str: list of float}
        A list with a value for each epoch, by the names in `HISTORY`.
    """
    model = compiled(model_function, recipe, seed, len(data.x_train))
    targets = np.eye(model.output_shape[-1], dtype=np.float32)[data.y_train]
    checkpoint = Checkpoint(folder, [*model.variables, *model.optimizer.variables])
    history, best = {name: [] for name in HISTORY}, _values(model)
    if resume and checkpoint.exists:
        saved = checkpoint.restored(history=history)
        history, best = saved["history"], saved["arrays"]
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
            best = _values(model)
        seen = {**fitted.history, "validation_accuracy": [right.mean()]}
        for name, values in history.items():
            values.append(float(seen[name][0]))
        print("  " + ", ".join(f"{name} {values[-1]:.4f}" for name, values in history.items()))
        checkpoint.save(best, history=history)
    _set(model, best)
    return model, history


def _values(model: tf.keras.Model) -> dict[str, np.ndarray]:
    return {variable.name: variable.numpy() for variable in model.variables}


def _set(model: tf.keras.Model, values: Mapping[str, np.ndarray]) -> None:
    for variable in model.variables:
        variable.assign(values[variable.name])


def logits(model: tf.keras.Model, x: np.ndarray) -> np.ndarray:
    """Return the model's outputs, computed in batches."""
    starts = range(0, len(x), VALIDATION_BATCH)
    batches = (pixels(x[start : start + VALIDATION_BATCH]) for start in starts)
    return np.concatenate([model.predict_on_batch(batch) for batch in batches])


def save_weights(path: Path, model: tf.keras.Model, dtype: str = "float32", **others) -> None:
    """Write a model's weights by their names, and other arrays, to an npz file.

    Give names to all layers: those that Keras generates depend on earlier layers.
    """
    weights = {name: value.astype(dtype) for name, value in _values(model).items()}
    datasets.save_params(path, **weights, **others)


def load_weights(path: Path, model: tf.keras.Model) -> dict[str, np.ndarray]:
    """Set a model's weights from such a file; return the arrays that are not weights.

    The model may lack layers of the saved model, such as dropout.

    Raises
    ------
    nengo_phasor.datasets.DatasetError
        If the file is damaged or lacks weights of this model.
    """
    saved = datasets.load_params(path, [variable.name for variable in model.variables])
    _set(model, saved)
    return {name: array for name, array in saved.items() if ":" not in name}

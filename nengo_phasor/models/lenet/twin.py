"""The deep network's twin without spikes: its training in Keras, and its weights and accuracy.

An output from 0 to 1 stands for as many spikes as there are time steps, times the output. So a twin
can be trained with the cost of its spikes, too.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nengo_phasor import compat, datasets, energy
from nengo_phasor.models.lenet.batches import epoch_order
from nengo_phasor.models.lenet.data import Parts
from nengo_phasor.models.lenet.network import CLASSES
from nengo_phasor.models.lenet.runs import SCHEDULES, Run
from nengo_phasor.models.lenet.vgg import LAYERS, SIZE, vgg
from nengo_phasor.models.shared import checkpoint, run_folder
from nengo_phasor.models.shared.augmentation import mirrored_and_shifted
from nengo_phasor.models.shared.policy import HALF, policy

filelock = compat.require("filelock")


class Phase(NamedTuple):
    """A part of a twin's training.

    ``epochs`` is the field of a run that has their number. ``learning_rate`` is that of stochastic
    gradient descent with momentum at the start; it falls to 0 as a cosine. If the phase ``rounds``,
    outputs are rounded to as many levels as there are time steps, as spikes make them; their
    gradients are those of the outputs themselves. It begins where the phase ``after`` ended.
    """

    epochs: str
    learning_rate: float
    rounds: bool
    after: str | None


PHASES = {
    "analog": Phase("twin_epochs", 0.1, False, None),
    "rounded": Phase("level_epochs", 0.02, True, "analog"),
}
MOMENTUM = 0.9
DECAY = 1e-4
"""The weight of the squared weights in the loss."""

BATCH = 100
BITS = 8
SHIFT = 4
"""By how many pixels training images are moved at most."""

EPSILON = 1e-3
"""Added to the variance of a batch."""


def keras_model(shape: tuple[int, int, int], seed: int, steps: int | None = None):
    """Return the twin: each convolution's outputs are normalised, and clipped from 0 to 1.

    If ``steps`` are given, outputs are then rounded to this number of levels above 0.
    """
    compat.use_keras_2()  # the network in spikes trains after this, in the same process
    keras = compat.require("tensorflow").keras
    layers = keras.layers
    keras.utils.set_random_seed(seed)
    image = x = keras.Input(shape)
    for k, (maps, stride) in enumerate(LAYERS):
        x = layers.Conv2D(
            maps,
            SIZE,
            stride,
            "same",
            use_bias=False,
            kernel_regularizer=keras.regularizers.L2(DECAY),
            name=f"conv{k + 1}",
        )(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=EPSILON, name=f"norm{k + 1}")(x)
        x = layers.ReLU(max_value=1.0, name=f"active{k + 1}")(x)
        if steps:
            x = layers.Lambda(partial(rounded, steps=steps), name=f"rounded{k + 1}")(x)
    x = layers.GlobalAveragePooling2D()(x)
    decay = keras.regularizers.L2(DECAY)
    logits = layers.Dense(CLASSES, kernel_regularizer=decay, dtype="float32", name="logits")(x)
    return keras.Model(image, logits)


def rounded(x, steps: int):
    """Round outputs from 0 to 1 to levels, as neurons do that start half-way to the threshold."""
    tf = compat.require("tensorflow")
    return x + tf.stop_gradient(tf.floor(steps * x + 0.5) / steps - x)


class SpikeCost:
    """The cost of the spikes that a twin's outputs stand for, with a weight ``sigma`` each."""

    def __init__(self):
        self.sigma = compat.require("tensorflow").Variable(0.0)

    def __call__(self, y_true, spikes):
        """Return the cost of each image."""
        return self.sigma * spikes


def with_spikes(model, steps: int):
    """Return a Keras model that shares a twin's layers, and also counts its spikes in some steps.

    Its outputs are the "logits", and the "spikes" of each image, (n_items, 1).
    """
    tf = compat.require("tensorflow")
    names = {layer.name for layer in model.layers}
    kind = "rounded" if "rounded1" in names else "active"
    outputs = [model.get_layer(f"{kind}{k + 1}").output for k in range(len(LAYERS))]
    sums = [tf.reduce_sum(tf.cast(x, tf.float32), axis=(1, 2, 3)) for x in outputs]
    spikes = float(steps) * tf.add_n(sums)[:, None]
    return tf.keras.Model(model.input, {"logits": model.output, "spikes": spikes})


def trained(run: Run, parts: Parts, folder: Path, phase: str) -> dict[str, np.ndarray]:
    """Return the weights of a twin after a phase of its training, which are kept in the folder.

    It has the seed, the data, the epochs and the cost of spikes of the run; a killed training
    continues from its last epoch. If another process trains the same twin, this one waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{phase}.npz"
    with filelock.FileLock(folder / run_folder.LOCK):
        if not file.exists():
            datasets.save_params(file, **folded(fitted(run, parts, folder, phase)))
    return datasets.load_params(file)


def fitted(run: Run, parts: Parts, folder: Path, phase: str):
    """Return the Keras model after a phase of its training, and those before."""
    how = PHASES[phase]
    before = fitted(run, parts, folder, how.after) if how.after else None
    with policy(HALF):
        model = keras_model(parts.x_train.shape[1:], run.seed, run.steps if how.rounds else None)
    if before is not None:
        model.set_weights(before.get_weights())
    epochs, done = getattr(run, how.epochs), run.twin_epochs if how.after else 0
    batches = len(parts.x_train) // _batch_size(parts)
    counted, cost = _compiled(model, run, how.learning_rate, epochs * batches)
    variables = [*model.variables, *counted.optimizer.variables]
    state = checkpoint.Checkpoint(folder / phase, variables)
    history = state.restored(history=[])["history"]
    schedule = SCHEDULES[run.schedule](run.sigma_0, run.all_epochs)
    tqdm = compat.require("tqdm").tqdm
    left = range(len(history), epochs)
    for epoch in tqdm(left, desc=f"{phase} twin", unit="epoch", disable=None):
        cost.sigma.assign(schedule(done + epoch + 1))
        seen = counted.fit(_batches(run, parts, done + epoch), shuffle=False, verbose=0).history
        history.append({name: values[0] for name, values in seen.items()})
        state.save(history=history)
    return model


def _compiled(model, run: Run, learning_rate: float, updates: int):
    """Return a twin that also counts its spikes, compiled for training, and their cost."""
    keras = compat.require("tensorflow").keras
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, updates)
    optimizer = keras.optimizers.SGD(rate, momentum=MOMENTUM, nesterov=True)
    cost, counted = SpikeCost(), with_spikes(model, run.steps)
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    counted.compile(optimizer, {"logits": crossentropy, "spikes": cost.__call__})
    optimizer.build(model.trainable_variables)
    return counted, cost


def _batches(run: Run, parts: Parts, epoch: int):
    """Return an epoch's batches for Keras: the same for the same seed and epoch."""
    import tensorflow as tf

    order, size = epoch_order(len(parts.x_train), run.seed, epoch), _batch_size(parts)

    class Batches(tf.keras.utils.Sequence):
        def __len__(self):
            return len(order) // size

        def __getitem__(self, index):
            chosen = order[index * size : (index + 1) * size]
            rng = np.random.RandomState((run.seed, epoch, index))
            images = mirrored_and_shifted(parts.x_train[chosen], rng, SHIFT)
            nothing = np.zeros((size, 1), np.float32)
            return images, {"logits": parts.y_train[chosen], "spikes": nothing}

    return Batches()


def _batch_size(parts: Parts) -> int:
    return min(BATCH, len(parts.x_train))


def folded(model) -> dict[str, np.ndarray]:
    """Return the weights of a twin for `.vgg.vgg`, with the normalisation in them.

    Each map's kernel is multiplied by gamma/sqrt(variance + epsilon), and its bias is beta minus
    the mean times the same factor.
    """
    weights = {}
    for k in range(len(LAYERS)):
        gamma, beta, mean, variance = model.get_layer(f"norm{k + 1}").get_weights()
        scale = gamma / np.sqrt(variance + EPSILON)
        (kernel,) = model.get_layer(f"conv{k + 1}").get_weights()
        weights[f"conv{k + 1}"] = kernel * scale
        weights[f"bias{k + 1}"] = (beta - mean * scale).reshape(1, 1, 1, -1)
    kernel, bias = model.get_layer("logits").get_weights()
    return {**weights, "logits": kernel, "bias": bias[None]}


def accuracy(weights: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, bits: int | None):
    """Return the accuracy of the twin with folded weights, in floating point or quantised.

    With ``bits``, outputs have 2**bits - 1 steps from 0 to 1, and each map's weights as many from
    minus to plus the largest.
    """
    tf = compat.require("tensorflow")
    used = weights if bits is None else quantised(weights, bits)

    @tf.function
    def classes(images):
        for k, (_, stride) in enumerate(LAYERS):
            images = tf.nn.conv2d(images, used[f"conv{k + 1}"], stride, "SAME")
            images = tf.clip_by_value(images + used[f"bias{k + 1}"], 0.0, 1.0)
            if bits is not None:
                images = tf.round(images * (2**bits - 1)) / (2**bits - 1)
        return tf.argmax(tf.reduce_mean(images, axis=(1, 2)) @ used["logits"] + used["bias"], -1)

    found = [classes(x[k : k + 500]).numpy() for k in range(0, len(x), 500)]
    return float(np.mean(np.concatenate(found) == y))


def quantised(weights: dict[str, np.ndarray], bits: int) -> dict[str, np.ndarray]:
    """Return the weights, those of a map or class rounded to 2**bits - 1 values about 0."""
    most = 2 ** (bits - 1) - 1

    def rounded(values):
        step = np.abs(values).max(axis=tuple(range(values.ndim - 1))) / most
        return (np.round(values / np.where(step, step, 1)) * step).astype(np.float32)

    return {n: v if n.startswith("bias") else rounded(v) for n, v in weights.items()}


def compared(run: Run, parts: Parts, runs: Path) -> dict[str, Any]:
    """Return the accuracy of a run's twin on test images, and the operations of an inference."""
    weights = trained(run, parts, place(run, runs), "analog")
    file = place(run, runs) / f"test-{len(parts.x_test)}.json"

    def measured():
        x, y = parts.x_test, parts.y_test
        return {
            "accuracy": accuracy(weights, x, y, None),
            "quantised": accuracy(weights, x, y, BITS),
        }

    macs = energy.multiply_accumulates(vgg(parts.x_test.shape[1:], weights))
    return {**run_folder.kept(file, measured, "accuracy", "quantised"), "mac": macs}


def place(run: Run, runs: Path) -> Path:
    """Return the folder of a run's twin; runs without a cost have the same for all schedules."""
    return runs / f"twin-{run.name if run.sigma_0 else f'{run.data}-{run.seed}'}"


def start(run: Run, parts: Parts, folder: Path) -> dict[str, np.ndarray]:
    """Return the weights with which training of the deep network starts: those of its twin."""
    phase = "rounded" if run.level_epochs else "analog"
    return trained(run, parts, place(run, folder.parent), phase)

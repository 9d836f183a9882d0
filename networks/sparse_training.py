"""One training run of the spiking LeNet: cross-entropy plus what spikes cost, through time.

A run is told by its `Run`, keeps all it makes in a folder, and goes on from there after a kill.
Importing this module does not import TensorFlow.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import nengo
import numpy as np
from numpy.typing import ArrayLike

import nengo_phasor
from nengo_phasor import datasets, layerwise, pooling, results, schedules

DT = 0.001
TAU = 0.005
MAPS, UNITS, CLASSES = (6, 16), (120, 84), 10
SCHEDULES = {
    "constant": schedules.Constant,
    "linear": schedules.Linear,
    "quadratic": schedules.Quadratic,
    "alternating": schedules.Alternating,
    "alternating linear": schedules.AlternatingLinear,
}
"""The losses of the paper's tables by name; the baseline is constant, of weight 0."""

HISTORY = "history.json"
BIAS = 1.0
"""Every neuron's current besides its inputs: what takes it just to the threshold."""

BIAS_CHANNEL = 0.2
"""The value of the images' last channel, for biases.

25 weights from it change a bias, under gradient descent, as fast as one weight from an input of 1;
under Adam, five times as fast. From ones, 25 times as fast, they learn to silence whole maps.
"""

CONTRAST = 0.5
"""The standard deviation of a map's current at the start of training; the threshold is 1."""

MATCHED = 200
"""The number of training images that `rate_matched` measures with."""


@dataclass(frozen=True)
class Run:
    """What a run depends on: data, training and sparsity.

    ``images`` of the training set are used, a fifth of them for validation. An image is shown for
    ``steps`` time steps. ``schedule`` is a name in `SCHEDULES`, ``sigma_0`` its scale, for a spike
    of an image. ``rate`` is the mean number of spikes of a neuron in a step that training starts
    with, in every layer. Weights are a running average of those that Adam passes through, which
    keeps ``averaging`` of itself in a step.
    """

    data: str
    images: int
    steps: int
    epochs: int
    schedule: str = "constant"
    sigma_0: float = 0.0
    seed: int = 0
    rate: float = 0.2
    batch_size: int = 50
    learning_rate: float = 4e-3
    averaging: float = 0.99

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return f"{self.data}-{self.schedule.replace(' ', '-')}-{self.sigma_0:g}-{self.seed}"


class Parts(NamedTuple):
    """Images as currents, (n, height, width, channels), and their classes."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


# ----------------------------------------------------------------------------------------- data


def load(name: str, folder: str | os.PathLike | None, images: int) -> Parts:
    """Return a data set: a random part of the training images, a fifth of it for validation.

    Images that this leaves out validate as well, up to as many as there are to train with: a point
    of accuracy should be more than a few images. Which images these are depends on no run's seed.
    Channels are scaled to mean 0 and standard deviation 1; one more is `with_bias_channel`'s.
    """
    loaded = datasets.load(name, folder)
    order = np.random.RandomState(0).permutation(len(loaded.x_train))
    chosen = order[:images]
    x_train, y_train, x_validation, y_validation = datasets.split(
        loaded.x_train[chosen], loaded.y_train[chosen], 0.2, 0
    )
    others = order[images : images + len(x_train)]
    x_validation = np.concatenate([x_validation, loaded.x_train[others]])
    y_validation = np.concatenate([y_validation, loaded.y_train[others]])
    pixels = [
        np.reshape(x, (*x.shape[:3], -1)).astype(np.float32) / 255
        for x in (x_train, x_validation, loaded.x_test)
    ]
    mean, scale = (f(pixels[0], axis=(0, 1, 2)) for f in (np.mean, np.std))
    train, validation, test = (with_bias_channel((x - mean) / scale) for x in pixels)
    return Parts(train, y_train, validation, y_validation, test, loaded.y_test)


def with_bias_channel(images: np.ndarray) -> np.ndarray:
    """Return images with one more channel, which is `BIAS_CHANNEL`.

    The weights from it are what other frameworks call the biases of a convolution's maps: training
    finds out what it takes to spike.
    """
    return np.concatenate([images, np.full_like(images[..., :1], BIAS_CHANNEL)], axis=-1)


# -------------------------------------------------------------------------------------- network


def initial_weights(shape: tuple[int, int, int], seed: int) -> dict[str, np.ndarray]:
    """Return LeNet's random weights for images of a shape, (height, width, channels).

    A neuron's have a standard deviation of one over the root of their number; `rate_matched` scales
    them.
    """
    rng = np.random.RandomState(seed)
    height, width = (((size - 4) // 2 - 4) // 2 for size in shape[:2])
    shapes = {
        "conv1": (5, 5, shape[2], MAPS[0]),
        "conv2": (5, 5, *MAPS),
        "dense1": (height * width * MAPS[1], UNITS[0]),
        "dense2": UNITS,
        "logits": (UNITS[1], CLASSES),
    }
    return {
        name: rng.normal(0, 1 / np.sqrt(np.prod(size[:-1])), size).astype(np.float32)
        for name, size in shapes.items()
    }


def rate_matched(
    weights: dict[str, np.ndarray], images: np.ndarray, steps: int, rate: float
) -> dict[str, np.ndarray]:
    """Return the weights, changed layer by layer until neurons fire at a rate.

    Each map of the first convolution has a bias for that, and the rest of its weights is scaled
    until its current has the standard deviation `CONTRAST`. So all maps start alike and in use: of
    random biases, some leave a map silent, and a cost of spikes from the first epoch on would keep
    it so. Weights of later layers are scaled.

    Parameters
    ----------
    weights : {str: ndarray}
        As `initial_weights` are.
    images : (n, height, width, channels) array
        What the neurons see.
    steps : int
        For how many steps they see each.
    rate : float
        The mean number of spikes in a step of a neuron of a map, or of a later layer.

    Returns
    -------
    {str: ndarray}
        The logits' weights are scaled like those before them.
    """
    weights = dict(weights)
    first, *later, logits = weights

    def rates(name: str, values: np.ndarray) -> np.ndarray:
        return map_rates({**weights, name: values.astype(np.float32)}, images, steps, name)

    kernel = with_contrast(weights[first], images)
    none = np.zeros(kernel.shape[-1])
    bias = bisected(lambda bias: rates(first, with_bias(kernel, bias)), none - 5, none + 5, rate)
    weights[first] = with_bias(kernel, bias).astype(np.float32)
    for name in later:

        def scaled_rate(power: float, name: str = name) -> float:
            return rates(name, 10**power * weights[name]).mean()

        scale = np.float32(10 ** bisected(scaled_rate, -1, 2, rate))
        weights[name] = scale * weights[name]
    return {**weights, logits: scale * weights[logits]}


def bisected(rising: Callable, low: ArrayLike, high: ArrayLike, wanted: float) -> np.ndarray:
    """Return where a rising function of an array has a value, element by element."""
    for _ in range(14):
        middle = (np.asarray(low) + high) / 2
        less = rising(middle) < wanted
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return middle


def with_contrast(kernel: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return a convolution's weights, scaled map by map for currents that vary by `CONTRAST`.

    Those of the last channel, `with_bias_channel`, become 0.
    """
    kernel = with_bias(kernel, 0.0)
    windows = np.lib.stride_tricks.sliding_window_view(images, kernel.shape[:2], axis=(1, 2))
    currents = np.einsum("nyxcij,ijcm->nyxm", windows, kernel)
    return kernel * CONTRAST / currents.std(axis=(0, 1, 2))


def with_bias(kernel: np.ndarray, bias: ArrayLike) -> np.ndarray:
    """Return a convolution's weights, those of the last channel such that they make a bias."""
    others = kernel[:, :, :-1]
    each = np.divide(bias, BIAS_CHANNEL * np.prod(kernel.shape[:2]))
    return np.concatenate([others, np.full_like(kernel[:, :, -1:], each)], axis=2)


def map_rates(
    weights: dict[str, np.ndarray], images: np.ndarray, steps: int, name: str
) -> np.ndarray:
    """Return the spikes in a step of a layer's neurons, the mean of each map or dense unit."""
    net, maps = lenet(images.shape[1:], weights), weights[name].shape[-1]
    with layerwise.Simulator(net, dt=DT, dtype="float32") as sim:
        currents = images.reshape(len(images), 1, -1)
        seen = sim.predict({net.image: currents}, steps)[net.spikes[name]]
    return np.mean(seen.reshape(-1, maps) > 0, axis=0)


def lenet(shape: tuple[int, int, int], weights: dict[str, np.ndarray]) -> nengo.Network:
    """Return LeNet-5 of spiking neurons: two 5 x 5 convolutions, two dense layers, ten logits.

    The image is a constant current. Spikes are averaged over 2 x 2 places after each convolution.
    A neuron's spike raises the voltage of its targets by about the weight.

    Parameters
    ----------
    shape : (int, int, int)
        Height, width and channels of the image.
    weights : {str: ndarray}
        As `initial_weights` are: by layer, inputs before outputs.

    Returns
    -------
    nengo.Network
        With ``image``; ``links``, the weighted connections by layer; ``spikes``, probes by layer;
        and ``logits``, a probe whose mean over time are the classes' logits.
    """
    with nengo.Network(label="LeNet") as net:
        net.image = nengo.Node(np.zeros(int(np.prod(shape))), label="image")
        net.links, net.spikes = {}, {}
        x = net.image
        for name, values in weights.items():
            convolves = values.ndim == 4
            transform = (
                nengo.Convolution(values.shape[3], shape, kernel_size=(5, 5), init=values)
                if convolves
                else nengo.Dense(values.shape[::-1], init=values.T)
            )
            if name == "logits":
                target = nengo.Node(size_in=CLASSES, label=name)
                net.logits = nengo.Probe(target, label=name)
            else:
                target = neurons(name, transform.size_out)
                net.spikes[name] = nengo.Probe(target, label=name)
            net.links[name] = nengo.Connection(
                x, target, transform=transform, synapse=None, label=name
            )
            x = target
            if convolves:
                average = pooling.average_pool(transform.output_shape.shape)
                x = nengo.Node(size_in=average.size_out, label=f"{name} pooled")
                nengo.Connection(target, x, transform=average, synapse=None)
                height, width, maps = transform.output_shape.shape
                shape = height // 2, width // 2, maps
    return net


def neurons(label: str, n: int) -> nengo.ensemble.Neurons:
    """Return a layer's neurons, whose currents are their inputs and a bias."""
    neuron_type = nengo_phasor.SurrogateLIF(TAU, amplitude=TAU)
    return nengo.Ensemble(
        n, 1, neuron_type=neuron_type, gain=np.ones(n), bias=np.full(n, BIAS), label=label
    ).neurons


def measure(
    shape: tuple[int, int, int], weights: dict[str, np.ndarray], x: np.ndarray, y, steps: int
) -> dict:
    """Return the accuracy of a trained network and its layers' spikes in an image."""
    net = lenet(shape, weights)
    right, spikes, chunk = 0, dict.fromkeys(net.spikes, 0), 500
    with layerwise.Simulator(net, dt=DT, dtype="float32") as sim:
        for start in range(0, len(x), chunk):
            images = x[start : start + chunk].reshape(-1, 1, net.image.size_out)
            seen = sim.predict({net.image: images}, steps)
            classes = seen[net.logits].mean(axis=1).argmax(axis=-1)
            right += int(np.count_nonzero(classes == y[start : start + chunk]))
            for name, probe in net.spikes.items():
                spikes[name] += int(np.count_nonzero(seen[probe]))
    per_image = {name: count / len(x) for name, count in spikes.items()}
    return {
        "accuracy": right / len(x),
        "spikes": sum(per_image.values()),
        "spikes_by_layer": per_image,
    }


# ------------------------------------------------------------------------------------- training


def compiled(run: Run, net: nengo.Network):
    """Return NengoDL's simulator of a LeNet, compiled for training, and its costs of spikes.

    The targets of the logits are one-hot, (n, 1, 10); those of spikes don't matter.
    """
    import nengo_dl
    import tensorflow as tf

    from nengo_phasor.dl import losses

    def crossentropy(y_true, y_pred):
        logits = tf.reduce_mean(y_pred, axis=1)
        return tf.nn.softmax_cross_entropy_with_logits(y_true[:, 0], logits)

    tf.keras.utils.set_random_seed(run.seed)
    with net:
        nengo_dl.configure_settings(stateful=False, keep_history=True, trainable=None)
        net.config[nengo.Ensemble].trainable = False
        for connection in net.connections:
            net.config[connection].trainable = connection in net.links.values()
    costs = {probe: losses.SpikeCount(probe, DT) for probe in net.spikes.values()}
    sim = nengo_dl.Simulator(
        net, dt=DT, minibatch_size=run.batch_size, seed=run.seed, progress_bar=False
    )
    optimizer = tf.keras.optimizers.Adam(
        run.learning_rate, use_ema=True, ema_momentum=run.averaging
    )
    sim.compile(
        optimizer,
        loss={net.logits: crossentropy, **costs},
        metrics={probe: cost.spikes for probe, cost in costs.items()},
    )
    optimizer.build(sim.keras_model.trainable_variables)
    return sim, costs


def train(run: Run, parts: Parts, folder: Path) -> Iterator[dict]:
    """Train; yield, after each epoch, the loss's parts and the validation's `measure`.

    Its weights and a checkpoint are written to the folder. What is there already is not done again,
    but yielded first.
    """
    if (done := finished(folder)) is not None:
        yield from done
        return
    from nengo_phasor.dl import callbacks

    shape = parts.x_train.shape[1:]
    start = initial_weights(shape, run.seed)
    schedule = SCHEDULES[run.schedule](run.sigma_0, run.epochs)
    checkpoint, history = folder / "checkpoint.npz", []
    if not checkpoint.exists():
        start = rate_matched(start, parts.x_train[:MATCHED], run.steps, run.rate)
    net = lenet(shape, start)
    simulator, costs = compiled(run, net)
    with simulator as sim:
        optimizer = sim.keras_model.optimizer
        variables = [*sim.keras_model.trainable_variables, *optimizer.variables]
        if checkpoint.exists():
            saved = datasets.load_params(checkpoint)
            history = json.loads(str(saved["history"]))
            for k, variable in enumerate(variables):
                variable.assign(saved[f"variable_{k}"])
        yield from history
        names = [sim.get_name(probe) for probe in (net.logits, *costs)]
        for epoch in range(len(history), run.epochs):
            seen = sim.fit(
                batches(run, parts, epoch, sim.get_name(net.image), names),
                callbacks=[callbacks.SparsitySchedule(schedule, *costs.values())],
                initial_epoch=epoch,
                epochs=epoch + 1,
                shuffle=False,
                verbose=0,
            ).history
            weights = {
                name: saved_form(sim.data[link].weights, start[name])
                for name, link in net.links.items()
            }
            datasets.save_params(folder / f"weights-{epoch + 1}.npz", **weights)
            history.append(
                {
                    "loss": seen["loss"][0],
                    "crossentropy": seen[f"{names[0]}_loss"][0],
                    "sigma": seen["sigma"][0],
                    **measure(shape, weights, parts.x_validation, parts.y_validation, run.steps),
                }
            )
            datasets.save_params(
                checkpoint,
                history=np.array(json.dumps(history)),
                **{f"variable_{k}": variable.numpy() for k, variable in enumerate(variables)},
            )
            yield history[-1]
    results.write(folder / HISTORY, {"epochs": history})


def finished(folder: Path) -> list[dict] | None:
    """Return the history of a run if it has come to its end."""
    note = folder / HISTORY
    return json.loads(note.read_text())["epochs"] if note.exists() else None


def work(run: Run, folder: str, data: str | None) -> None:
    """Do a run, in whatever process, unless it is finished."""
    place = Path(folder) / run.name
    if finished(place) is None:
        for _ in train(run, load(run.data, data, run.images), place):
            pass


def saved_form(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return a connection's weights, dense ones transposed, in the form of `initial_weights`."""
    return values.T if like.ndim == 2 else values.reshape(like.shape)


def batches(run: Run, parts: Parts, epoch: int, image: str, probes: list[str]):
    """Return an epoch's batches for Keras: the same for the same seed and epoch.

    ``image`` and ``probes`` are NengoDL's names of the input and of the probes, the logits first.
    Images are repeated for all steps batch by batch, so that all of them need not fit into memory.
    """
    import tensorflow as tf

    order = np.random.RandomState((run.seed, epoch)).permutation(len(parts.x_train))
    targets = np.eye(CLASSES, dtype=np.float32)[parts.y_train]
    n_steps = np.full((run.batch_size, 1), run.steps, np.int32)
    nothing = np.zeros((run.batch_size, 1, 1), np.float32)

    class Batches(tf.keras.utils.Sequence):
        def __len__(self):
            return len(order) // run.batch_size

        def __getitem__(self, index):
            chosen = order[index * run.batch_size : (index + 1) * run.batch_size]
            currents = parts.x_train[chosen].reshape(run.batch_size, 1, -1)
            wanted = dict.fromkeys(probes, nothing)
            wanted[probes[0]] = targets[chosen][:, None]
            return {image: currents.repeat(run.steps, axis=1), "n_steps": n_steps}, wanted

    return Batches()

"""What `training_engine.py` trains: networks of Nengo, and the same written plainly in TensorFlow.

There TensorFlow folds time into the batch: products and convolutions take all steps at once, and
only what depends on the step before is in a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import nengo
import numpy as np
import tensorflow as tf

from nengo_phasor import ResonateAndFire, dynamics, networks, phases, pooling, surrogates
from nengo_phasor.dl import losses
from nengo_phasor.dl.builders import heaviside
from nengo_phasor.models.lenet.data import with_bias_channel
from nengo_phasor.models.lenet.network import BIAS, DT, TAU, initial_weights, lenet, neurons
from nengo_phasor.models.lenet.start import MATCHED, bisected, rate_matched

SEED = 0
FLOOR = 1e-6
KEEP = float(np.exp(-DT / TAU))
HEIGHT = TAU / DT
COST = 1e-4
"""What a spike of an image costs, beside the cross-entropy."""

Weights = dict[str, np.ndarray]


def crossentropy(y_true, y_pred):
    """Return the cross-entropy of each item's class, by the mean over time."""
    logits = tf.reduce_mean(y_pred, axis=1)
    return tf.nn.softmax_cross_entropy_with_logits(y_true[:, 0], logits)


def spike_cost(y_true, y_pred):
    """Return the cost of each item's spikes, as `losses.SpikeCount` has it."""
    return COST * tf.reduce_sum(y_pred, axis=(1, 2)) / HEIGHT


@dataclass(frozen=True)
class Problem:
    """A network, weights, data and losses. Weights are inputs before outputs.

    ``batches`` of ``batch`` items are what a turn trains with. ``unrolled`` is what NengoDL is to
    write out step by step.
    """

    n_steps: int
    batch: int
    batches: int
    unrolled: int
    settings: ClassVar[dict] = {}

    @property
    def n_items(self) -> int:
        """The number of items in a turn."""
        return self.batch * self.batches

    def classes(self, n: int) -> np.ndarray:
        """Return random targets, one-hot, (n_items, 1, n)."""
        rng = np.random.RandomState(SEED)
        return np.eye(n, dtype=np.float32)[rng.randint(n, size=(self.n_items, 1))]

    def costs(self, probes: dict[str, nengo.Probe]) -> dict[str, Callable]:
        """Return losses of Nengo's probes, by name."""
        return dict.fromkeys(probes, crossentropy)

    def plain_costs(self) -> dict[str, Callable]:
        """Return the same of `outputs`."""
        return {"logits": crossentropy}


@dataclass(frozen=True)
class LeNet(Problem):
    """The LeNet of `networks/sparse_lenet.py`; ``rate`` is how many neurons spike in a step."""

    rate: float
    with_cost: bool
    shape: tuple[int, int, int] = (32, 32, 4)

    def weights(self) -> Weights:
        """Return random weights with which every layer spikes at the rate."""
        rng = np.random.RandomState(SEED + 1)
        images = with_bias_channel(rng.normal(size=(MATCHED, *self.shape[:2], self.shape[2] - 1)))
        start = initial_weights(self.shape, SEED)
        return rate_matched(start, images.astype(np.float32), self.n_steps, self.rate)

    def data(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return random images, (n_items, 1, n), and targets by output."""
        rng = np.random.RandomState(SEED + 2)
        size = self.n_items, *self.shape[:2], self.shape[2] - 1
        images = with_bias_channel(rng.normal(size=size)).astype(np.float32)
        names = ["conv1", "conv2", "dense1", "dense2"] if self.with_cost else []
        nothing = dict.fromkeys(names, np.zeros((self.n_items, 1, 1), np.float32))
        return images.reshape(self.n_items, 1, -1), {"logits": self.classes(10), **nothing}

    def network(self, weights: Weights) -> nengo.Network:
        """Return the network, with ``source``, ``links`` and ``seen``, probes by name."""
        net = lenet(self.shape, weights)
        net.source, net.seen = net.image, {"logits": net.logits}
        if self.with_cost:
            net.seen.update(net.spikes)
        return net

    def costs(self, probes):
        """Return losses of Nengo's probes, by name."""
        return {
            name: crossentropy if name == "logits" else losses.SpikeCount(probe, DT, weight=COST)
            for name, probe in probes.items()
        }

    def plain_costs(self):
        """Return the same of `outputs`."""
        spiking = ["conv1", "conv2", "dense1", "dense2"] if self.with_cost else []
        return {"logits": crossentropy, **dict.fromkeys(spiking, spike_cost)}

    def outputs(self, weights: dict[str, tf.Variable], x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return what there is to see, (n_items, n_steps, n)."""
        n_items, seen = x.shape[0], {}
        y = tf.reshape(x, (n_items, *self.shape))
        for name in ("conv1", "conv2"):
            current = tf.nn.conv2d(y, weights[name], 1, "VALID") + BIAS
            spikes = leaky(unfolded(current, n_items), self.n_steps)
            seen[name] = by_item(spikes)
            y = tf.nn.avg_pool2d(folded(spikes), 2, 2, "VALID")
        y = tf.reshape(y, (self.n_steps * n_items, -1))
        for name in ("dense1", "dense2"):
            spikes = leaky(unfolded(y @ weights[name] + BIAS, n_items), self.n_steps)
            seen[name] = by_item(spikes)
            y = folded(spikes)
        seen["logits"] = by_item(unfolded(y @ weights["logits"], n_items))
        return seen


@dataclass(frozen=True)
class Convolutions(Problem):
    """3 x 3 convolutions in the manner of VGG; ``rate`` is how many neurons spike in a step."""

    rate: float
    maps: tuple[int, ...] = (32, 32, 64, 64, 128, 128)
    strides: tuple[int, ...] = (1, 1, 2, 1, 2, 1)
    shape: tuple[int, int, int] = (32, 32, 3)

    def weights(self) -> Weights:
        """Return random weights with which every layer spikes at the rate."""
        rng, n_in, weights = np.random.RandomState(SEED + 1), self.shape[2], {}
        x = rng.normal(size=(4, 1, int(np.prod(self.shape)))).astype(np.float32)
        for k, n_out in enumerate(self.maps):
            weights[f"conv{k}"] = rng.normal(0, 1 / np.sqrt(9 * n_in), (3, 3, n_in, n_out))
            n_in = n_out
        weights["logits"] = rng.normal(0, 1 / np.sqrt(n_in), (n_in, 10))
        weights = {name: values.astype(np.float32) for name, values in weights.items()}
        for name in list(weights)[:-1]:

            def rate(power: float, name: str = name) -> float:
                scaled = {**weights, name: np.float32(10**power) * weights[name]}
                return np.mean(self.outputs(scaled, x)[name].numpy() != 0)

            weights[name] *= np.float32(10 ** bisected(rate, -1, 2, self.rate))
        return weights

    def data(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return random images, (n_items, 1, n), and targets by output."""
        rng = np.random.RandomState(SEED + 2)
        images = rng.normal(size=(self.n_items, 1, int(np.prod(self.shape))))
        return images.astype(np.float32), {"logits": self.classes(10)}

    def network(self, weights: Weights) -> nengo.Network:
        """Return the network, with ``source``, ``links`` and ``seen``, probes by name."""
        with nengo.Network(seed=SEED) as net:
            x = net.source = nengo.Node(np.zeros(int(np.prod(self.shape))))
            shape, net.links = self.shape, {}
            for (name, values), stride in zip(weights.items(), self.strides, strict=False):
                transform = nengo.Convolution(
                    values.shape[3], shape, strides=(stride, stride), padding="same", init=values
                )
                layer = neurons(name, transform.size_out)
                net.links[name] = nengo.Connection(x, layer, transform=transform, synapse=None)
                x, shape = layer, transform.output_shape.shape
            mean = nengo.Node(size_in=shape[2])
            average = pooling.average_pool(shape, shape[:2])
            nengo.Connection(x, mean, transform=average, synapse=None)
            out = nengo.Node(size_in=10)
            link = nengo.Connection(mean, out, transform=weights["logits"].T, synapse=None)
            net.links["logits"], net.seen = link, {"logits": nengo.Probe(out)}
        return net

    def outputs(self, weights, x):
        """Return what there is to see, (n_items, n_steps, n)."""
        n_items, seen = x.shape[0], {}
        y = tf.reshape(x, (n_items, *self.shape))
        for (name, values), stride in zip(weights.items(), self.strides, strict=False):
            current = tf.nn.conv2d(y, values, stride, "SAME") + BIAS
            spikes = leaky(unfolded(current, n_items), self.n_steps)
            seen[name] = by_item(spikes)
            y = folded(spikes)
        logits = tf.reduce_mean(y, axis=(1, 2)) @ weights["logits"]
        seen["logits"] = by_item(unfolded(logits, n_items))
        return seen


@dataclass(frozen=True)
class Perceptron(Problem):
    """Two dense layers of `SurrogateLIF`, that see a still image."""

    sizes: tuple[int, int, int] = (784, 256, 10)

    def weights(self) -> Weights:
        """Return random weights with which about a tenth of the neurons spike."""
        rng = np.random.RandomState(SEED)
        return {
            name: rng.normal(0, 0.5 / np.sqrt(shape[0]), shape).astype(np.float32)
            for name, shape in zip(("hidden", "logits"), pairwise(self.sizes), strict=True)
        }

    def data(self):
        """Return random images, (n_items, 1, n), and targets by output."""
        rng = np.random.RandomState(SEED + 2)
        x = rng.normal(size=(self.n_items, 1, self.sizes[0])).astype(np.float32)
        return x, {"logits": self.classes(self.sizes[-1])}

    def network(self, weights: Weights) -> nengo.Network:
        """Return the network, with ``source``, ``links`` and ``seen``, probes by name."""
        with nengo.Network(seed=SEED) as net:
            x = net.source = nengo.Node(np.zeros(self.sizes[0]))
            net.links = {}
            for name, values in weights.items():
                layer = neurons(name, values.shape[1])
                net.links[name] = nengo.Connection(x, layer, transform=values.T, synapse=None)
                x = layer
            net.seen = {"logits": nengo.Probe(x)}
        return net

    def outputs(self, weights, x):
        """Return what there is to see, (n_items, n_steps, n)."""
        seen, y = {}, x[:, 0]
        for name, values in weights.items():
            spikes = leaky(unfolded(y @ values + BIAS, x.shape[0]), self.n_steps)
            seen[name] = by_item(spikes)
            y = folded(spikes)
        return seen


@dataclass(frozen=True)
class Phasors(Problem):
    """The classifier of the local rhythms."""

    sizes: tuple[int, ...] = (1024, 128, 10)

    def weights(self) -> Weights:
        """Return random weights, and biases of 1, layer by layer."""
        rng, found = np.random.RandomState(SEED), {}
        for k, (n_in, n_out) in enumerate(pairwise(self.sizes)):
            found[f"weights {k}"] = rng.normal(0, n_in**-0.5, (n_in, n_out)).astype(np.float32)
            found[f"bias {k}"] = np.ones((1, n_out), np.float32)
        return found

    def data(self):
        """Return random phasors, (n_items, 1, 2 n), and those of random classes."""
        rng = np.random.RandomState(SEED + 2)
        x = rng.uniform(-1, 1, (self.n_items, self.sizes[0]))
        rows = phases.to_rows(x).astype(np.float32)[:, None]
        targets = phases.to_rows(0.5 * self.classes(self.sizes[-1])[:, 0])
        return rows, {"logits": targets.astype(np.float32)[:, None]}

    def network(self, weights: Weights) -> nengo.Network:
        """Return the network, with ``source``, ``links`` and ``seen``, probes by name."""
        given = list(weights.values())
        with nengo.Network(seed=SEED) as net:
            net.source = nengo.Node(np.zeros(2 * self.sizes[0]))
            x, links = net.source, []
            for values, bias in zip(given[::2], given[1::2], strict=True):
                layer = networks.PhasorDense(*values.shape, values, bias)
                nengo.Connection(x, layer.input, synapse=None)
                links += [layer.weights, layer.bias]
                x = layer.output
            net.links = dict(zip(weights, links, strict=True))
            net.seen = {"logits": nengo.Probe(x)}
        return net

    def costs(self, probes):
        """Return losses of Nengo's probes, by name."""
        return dict.fromkeys(probes, losses.PhaseCosine())

    def plain_costs(self):
        """Return the same of `outputs`."""

        def cosines(y_true, y_pred):
            return 1.0 - tf.reduce_sum(y_true * y_pred, axis=(1, 2)) / self.sizes[-1]

        return {"logits": cosines}

    def outputs(self, weights, x):
        """Return what there is to see, (n_items, 1, n)."""
        given = list(weights.values())
        real, imag = tf.split(x[:, 0], 2, axis=-1)
        for values, bias in zip(given[::2], given[1::2], strict=True):
            real, imag = real @ values + bias, imag @ values
            power = real**2 + imag**2
            heard = power > FLOOR**2
            scale = tf.where(heard, tf.math.rsqrt(tf.where(heard, power, 1.0)), 0.0)
            real, imag = real * scale, imag * scale
        return {"logits": tf.concat([real, imag], axis=-1)[:, None]}


@dataclass(frozen=True)
class Recurrent(Problem):
    """Resonate-and-fire neurons that hear each other, and what they say of a long sequence."""

    sizes: tuple[int, int, int] = (4, 36, 6)

    type: ClassVar = ResonateAndFire(
        50, threshold=0.1, surrogate=surrogates.PiecewiseLinear(width=0.1)
    )
    tau: ClassVar[float] = 0.005

    def weights(self) -> Weights:
        """Return random weights with which neurons spike in about every other cycle."""
        rng, (n_in, n, n_out) = np.random.RandomState(SEED), self.sizes
        scales = {"given": (10, (n_in, n)), "within": (0.02, (n, n)), "logits": (0.02, (n, n_out))}
        return {
            name: rng.normal(0, scale, size).astype(np.float32)
            for name, (scale, size) in scales.items()
        }

    def data(self):
        """Return noise, (n_items, n_steps, n), and targets by output."""
        rng = np.random.RandomState(SEED + 2)
        x = rng.normal(size=(self.n_items, self.n_steps, self.sizes[0]))
        return x.astype(np.float32), {"logits": self.classes(self.sizes[-1])}

    def network(self, weights: Weights) -> nengo.Network:
        """Return the network, with ``source``, ``links`` and ``seen``, probes by name."""
        n_in, n, n_out = self.sizes
        with nengo.Network(seed=SEED) as net:
            net.source = nengo.Node(np.zeros(n_in))
            cells = nengo.Ensemble(n, 1, neuron_type=self.type).neurons
            out = nengo.Node(size_in=n_out)
            ends = {
                "given": (net.source, cells, None),
                "within": (cells, cells, self.tau),
                "logits": (cells, out, None),
            }
            net.links = {
                name: nengo.Connection(pre, post, transform=weights[name].T, synapse=synapse)
                for name, (pre, post, synapse) in ends.items()
            }
            net.seen = {"logits": nengo.Probe(out)}
        return net

    def outputs(self, weights, x):
        """Return what there is to see, (n_items, n_steps, n)."""
        constants, step = self.type.constants(DT), heaviside(self.type.surrogate)
        keep = float(np.exp(-DT / self.tau))
        zeros = tf.zeros((x.shape[0], self.sizes[1]))

        def advance(state, given):
            voltage, current, heard, _ = state
            spikes, voltage, current = dynamics.resonate_and_fire(
                given + heard, voltage, current, constants, step
            )
            heard = keep * heard + (1.0 - keep) * (spikes @ weights["within"])
            return voltage, current, heard, spikes

        given = tf.transpose(x @ weights["given"], (1, 0, 2))
        *_, spikes = tf.scan(advance, given, (zeros, zeros, zeros, zeros))
        return {"spikes": by_item(spikes), "logits": by_item(spikes @ weights["logits"])}


# ------------------------------------------------------------------- plain TensorFlow, time folded


@tf.custom_gradient
def spike(x):
    """Return 1.0 where x >= 0, with the derivative of a triangle of width 1."""
    return tf.cast(x >= 0.0, x.dtype), lambda up: up * tf.maximum(1.0 - tf.abs(x), 0.0)


def leaky(currents: tf.Tensor, n_steps: int) -> tf.Tensor:
    """Return the output of `SurrogateLIF` neurons, (n_steps, ...); a single current is for all."""
    steps = tf.unstack(currents)
    voltage, found = tf.zeros_like(steps[0]), []
    for k in range(n_steps):
        voltage = KEEP * voltage + (1.0 - KEEP) * steps[k % len(steps)]
        spikes = spike(voltage - 1.0)
        voltage -= tf.stop_gradient(spikes)
        found.append(spikes)
    return HEIGHT * tf.stack(found)


def folded(x: tf.Tensor) -> tf.Tensor:
    """Return (n_steps, n_items, ...) as (n_steps n_items, ...)."""
    return tf.reshape(x, (-1, *x.shape[2:]))


def unfolded(x: tf.Tensor, n_items: int) -> tf.Tensor:
    """Return (n_steps n_items, ...) as (n_steps, n_items, ...)."""
    return tf.reshape(x, (-1, n_items, *x.shape[1:]))


def by_item(x: tf.Tensor) -> tf.Tensor:
    """Return (n_steps, n_items, ...) as (n_items, n_steps, n)."""
    flat = tf.reshape(x, (*x.shape[:2], -1))
    return tf.transpose(flat, (1, 0, 2))

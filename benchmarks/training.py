"""Compare training of a phasor network in NengoDL with the same mathematics in TensorFlow.

    python benchmarks/training.py

Both start from the same weights, use Keras' RMSprop, and read the same arrays in random
order, one batch at a time. The losses of the first batches, in the same order, are compared to
check that both learn the same. Whole epochs are timed: for NengoDL a call of ``fit``, with its
work before and after the batches. TensorFlow compiles beforehand.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import measure
import nengo
import nengo_dl
import numpy as np
import tensorflow as tf
from nengo_dl.graph_optimizer import noop_planner

from nengo_phasor import networks, phases
from nengo_phasor.dl import losses
from nengo_phasor.results import Claim

SEED = 0
LEARNING_RATE = 0.001
FLOOR = 1e-6

CONFIGURATIONS = {
    # A step is a whole forward pass, so no loop is needed. Operators that are not
    # merged avoid gathering and scattering their signals, which costs more than merging saves.
    "nengo_dl": {"use_loop": False, "planner": noop_planner},
    "nengo_dl, default settings": {},
}


@dataclass(frozen=True)
class Problem:
    """What is trained."""

    sizes: tuple[int, ...] = (1024, 128, 10)
    batch: int = 128
    batches: int = 100
    epochs: int = 3

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return random phasors and the target phasors of random classes."""
        rng = np.random.RandomState(SEED)
        n_items, n_classes = self.batch * self.batches, self.sizes[-1]
        classes = rng.randint(n_classes, size=(n_items, 1))
        targets = np.where(np.arange(n_classes) == classes, 0.5, 0.0)
        x = rng.uniform(-1, 1, (n_items, self.sizes[0]))
        return tuple(phases.to_rows(p).astype(np.float32) for p in (x, targets))


class InNengoDL:
    """The network in NengoDL."""

    def __init__(self, problem: Problem, configuration: dict, stack: ExitStack):
        self.epochs = problem.epochs
        self.x, self.y = (rows[:, None] for rows in problem.data())
        with nengo.Network(seed=SEED) as net:
            nengo_dl.configure_settings(trainable=None, stateful=False, **configuration)
            net.config[nengo.Ensemble].trainable = False
            self.source = nengo.Node(np.zeros(2 * problem.sizes[0]))
            self.classifier = networks.PhasorClassifier(problem.sizes)
            nengo.Connection(self.source, self.classifier.input, synapse=None)
            nengo.Probe(self.classifier.output)
        self.simulator = stack.enter_context(
            nengo_dl.Simulator(net, minibatch_size=problem.batch, seed=SEED, progress_bar=False)
        )
        self.simulator.compile(
            tf.keras.optimizers.RMSprop(LEARNING_RATE), loss=losses.PhaseCosine()
        )

    def weights(self) -> list[np.ndarray]:
        """Return each layer's weights, (n_in, n_out), and bias, (1, n_out), in turn."""
        layers = self.classifier.layers
        connections = [c for layer in layers for c in (layer.weights, layer.bias)]
        return [self.simulator.data[c].weights[0] for c in connections]

    def first_batches(self, n_items: int) -> float:
        """Train on the first items in order; return their mean loss."""
        x, y = {self.source: self.x[:n_items]}, self.y[:n_items]
        return self.simulator.fit(x, y, shuffle=False, verbose=0).history["loss"][0]

    def train(self) -> None:
        """Train for some epochs."""
        self.simulator.fit({self.source: self.x}, self.y, epochs=self.epochs, verbose=0)


class InTensorFlow:
    """The network in TensorFlow."""

    def __init__(self, problem: Problem, weights: list[np.ndarray]):
        self.problem = problem
        self.x, self.y = problem.data()
        self.variables = [tf.Variable(w) for w in weights]
        self.optimizer = tf.keras.optimizers.RMSprop(LEARNING_RATE)
        self.rng = np.random.RandomState(SEED)
        self.step = tf.function(self._step)

    def _step(self, x, targets):
        with tf.GradientTape() as tape:
            real, imag = tf.split(x, 2, axis=-1)
            for weights, bias in zip(self.variables[::2], self.variables[1::2], strict=True):
                real, imag = real @ weights + bias, imag @ weights
                power = real**2 + imag**2
                above = power > FLOOR**2
                scale = tf.where(above, tf.math.rsqrt(tf.where(above, power, 1.0)), 0.0)
                real, imag = real * scale, imag * scale
            cosines = tf.reduce_sum(tf.concat([real, imag], axis=-1) * targets, axis=-1)
            loss = tf.reduce_mean(1.0 - cosines / self.problem.sizes[-1])
        gradients = tape.gradient(loss, self.variables)
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        return loss

    def run(self, order: np.ndarray) -> float:
        """Train on items in an order; return the batches' mean loss."""
        total = tf.constant(0.0)
        for items in order.reshape(-1, self.problem.batch):
            total += self.step(tf.constant(self.x[items]), tf.constant(self.y[items]))
        return float(total) * self.problem.batch / len(order)

    def first_batches(self, n_items: int) -> float:
        """Train on the first items in order; return their mean loss."""
        return self.run(np.arange(n_items))

    def train(self) -> None:
        """Train for some epochs."""
        for _ in range(self.problem.epochs):
            self.run(self.rng.permutation(len(self.x)))


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    arguments = measure.parser(__doc__, "training").parse_args(argv)
    problem = Problem((64, 16, 4), 8, 10, 1) if arguments.tiny else Problem()
    with ExitStack() as stack:
        contenders = {
            name: InNengoDL(problem, settings, stack) for name, settings in CONFIGURATIONS.items()
        }
        contenders["tensorflow"] = InTensorFlow(problem, contenders["nengo_dl"].weights())
        first = problem.batch * problem.batches // 2
        loss = {name: c.first_batches(first) for name, c in contenders.items()}
        seconds = measure.interleaved(
            {name: c.train for name, c in contenders.items()}, arguments.repeats
        )
    figures = {
        "training": measure.timing(
            seconds, problem.batch * problem.batches * problem.epochs, reference="tensorflow"
        ),
        "mean_loss_of_the_first_batches": loss,
    }
    claims = [
        Claim(
            "speed of NengoDL relative to TensorFlow",
            measure.times_as_fast(seconds, "nengo_dl", than="tensorflow"),
            "",
            ">= 0.6",
        ),
        Claim(
            "relative difference of the losses from TensorFlow's",
            max(abs(value / loss["tensorflow"] - 1) for value in loss.values()),
            "",
            "<= 0.0001",
        ),
    ]
    return measure.finish(arguments, asdict(problem), [SEED], figures, claims)


if __name__ == "__main__":
    sys.exit(main())

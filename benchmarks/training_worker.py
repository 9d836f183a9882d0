"""One engine of `training_engine.py` and one problem, in a process of its own.

    python training_worker.py ENGINE PROBLEM WEIGHTS GRADIENTS

PROBLEM is a pickled `training_problems.Problem`, WEIGHTS a file of arrays by name, and GRADIENTS
the file that is written. It prints a line of JSON with the loss of the first batch, and one for
each line that it reads: what a turn of training took. When there are no more, its peak memory.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from pathlib import Path

import measure
import nengo
import nengo_dl
import numpy as np
import tensorflow as tf
from nengo_dl.graph_optimizer import noop_planner
from training_problems import SEED, Problem, Weights

from nengo_phasor import layerwise
from nengo_phasor.models.lenet.network import DT

THREADS = 2

RATE = 2.0**20
"""Of learning, for the gradients: what is left of the weights in their sum with a step is rounding.

What is timed learns at a rate of 0, so that spikes stay as many as they are.
"""


class InNengo:
    """A problem in `layerwise` or NengoDL."""

    def __init__(self, problem: Problem, weights: Weights):
        self.problem, self.start = problem, weights
        self.net = net = problem.network(weights)
        with net:
            nengo_dl.configure_settings(trainable=False, **self.settings())
        for link in net.links.values():
            net.config[link].trainable = True
        self.simulator = self.made(net)
        costs, get_name = problem.costs(net.seen), self.simulator.get_name
        x, y = problem.data()
        length = np.full((len(x), 1), problem.n_steps, np.int32)
        self.x = {get_name(net.source): self.as_taken(x), "n_steps": length}
        for node in self.to_be_given(net):
            self.x[get_name(node)] = self.as_taken(np.tile(node.output, (len(x), 1, 1)))
        self.y = {get_name(probe): y[name] for name, probe in net.seen.items()}
        self.optimizer = tf.keras.optimizers.SGD(RATE)
        self.simulator.compile(
            self.optimizer, loss={probe: costs[name] for name, probe in net.seen.items()}
        )
        self.step = self.compiled(self.simulator.keras_model.train_step)

    def first(self) -> tuple[float, Weights, None]:
        """Return the loss of the first batch, the gradients by the weights, and no rate."""
        model = self.simulator.keras_model
        before = [v.numpy() for v in model.trainable_variables]
        loss = float(self.step(self.batch(0))["loss"])
        gradients = {
            name: (self.start[name].astype(float) - self.values(name)) / RATE for name in self.start
        }
        for variable, value in zip(model.trainable_variables, before, strict=True):
            variable.assign(value)
        self.optimizer.learning_rate.assign(0.0)
        return loss, gradients, None

    def values(self, name: str) -> np.ndarray:
        """Return weights as they are, inputs before outputs."""
        link = self.net.links[name]
        found = np.asarray(self.simulator.data[link].weights)
        dense = isinstance(link.transform, nengo.Dense)
        return found.T if dense else found.reshape(self.start[name].shape)

    def batch(self, k: int) -> tuple[dict, dict]:
        """Return a batch as TensorFlow takes it."""
        return tuple(_of_batch(given, k, self.problem.batch) for given in (self.x, self.y))

    def turn(self) -> None:
        """Train with all items."""
        for k in range(self.problem.batches):
            logs = self.step(self.batch(k))
        float(logs["loss"])


class InLayerwise(InNengo):
    """A problem in `layerwise`."""

    def settings(self):
        """Return what NengoDL calls settings of the network."""
        return {}

    def made(self, net):
        """Return the simulator."""
        return layerwise.Simulator(
            net,
            DT,
            seed=SEED,
            minibatch_size=self.problem.batch,
            dtype="float32",
            threads=THREADS,
            progress_bar=False,
        )

    def as_taken(self, x):
        """Return data as the simulator takes them: constants as one step."""
        return x.astype(np.float32)

    def to_be_given(self, net):
        """Return the nodes besides the source that data are to be given for."""
        return []

    def compiled(self, train_step):
        """Return Keras' step as it is: what it calls is compiled."""
        return train_step


class InNengoDL(InNengo):
    """A problem in NengoDL, step by step."""

    def settings(self):
        """Return NengoDL's settings: those with which it is fastest."""
        found = {"stateful": False}
        if self.problem.unrolled == self.problem.n_steps:
            found["use_loop"] = False
        return found | ({"planner": noop_planner} if self.problem.n_steps == 1 else {})

    @property
    def unrolled(self) -> int:
        """How many steps are written out one by one."""
        return self.problem.unrolled

    def made(self, net):
        """Return the simulator."""
        return nengo_dl.Simulator(
            net,
            DT,
            seed=SEED,
            minibatch_size=self.problem.batch,
            unroll_simulation=self.unrolled,
            progress_bar=False,
        )

    def as_taken(self, x):
        """Return data as the simulator takes them: every step of constants."""
        return np.repeat(x, self.problem.n_steps // x.shape[1], axis=1).astype(np.float32)

    def to_be_given(self, net):
        """Return the nodes besides the source that data are to be given for."""
        return [n for n in net.all_nodes if n.size_in == 0 and n is not net.source]

    def compiled(self, train_step):
        """Return Keras' step, compiled."""
        return tf.function(train_step)


class InDefault(InNengoDL):
    """A problem in NengoDL as it comes."""

    unrolled = 1

    def settings(self):
        """Return NengoDL's settings: none."""
        return {}


class InTensorFlow:
    """A problem in TensorFlow."""

    def __init__(self, problem: Problem, weights: Weights):
        self.problem = problem
        self.x, self.y = problem.data()
        self.variables = {name: tf.Variable(w) for name, w in weights.items()}
        self.optimizer = tf.keras.optimizers.SGD(0.0)
        self.step = tf.function(self._step)

    def _step(self, x, y):
        variables = list(self.variables.values())
        with tf.GradientTape() as tape:
            seen = self.problem.outputs(self.variables, x)
            costs = self.problem.plain_costs()
            loss = tf.add_n([tf.reduce_mean(f(y[name], seen[name])) for name, f in costs.items()])
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss, gradients

    def _batch(self, k: int):
        x = _of_batch({"x": self.x}, k, self.problem.batch)["x"]
        return x, _of_batch(self.y, k, self.problem.batch)

    def first(self) -> tuple[float, Weights, dict[str, float]]:
        """Return the loss of the first batch, the gradients by the weights, and the rates.

        These are the parts of the neurons that spike in a step, by layer.
        """
        loss, gradients = self.step(*self._batch(0))
        arrays = {n: g.numpy() for n, g in zip(self.variables, gradients, strict=True)}
        seen = tf.function(self.problem.outputs)(self.variables, self._batch(0)[0])
        rates = {name: float(np.mean(y.numpy() != 0)) for name, y in seen.items()}
        return float(loss), arrays, rates

    def turn(self) -> None:
        """Train with all items."""
        for k in range(self.problem.batches):
            loss, _ = self.step(*self._batch(k))
        float(loss)


ENGINES = {
    "nengo_dl": InNengoDL,
    "nengo_dl, default settings": InDefault,
    "tensorflow": InTensorFlow,
    "layerwise": InLayerwise,
}


def main(engine: str, problem: str, weights: str, gradients: str) -> None:
    """Do as the module says."""
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    with np.load(weights) as file:
        start = {name: file[name] for name in file.files}
    contender = ENGINES[engine](pickle.loads(Path(problem).read_bytes()), start)
    loss, found, rates = contender.first()
    np.savez(gradients, **found)
    _say({"loss": loss, "rates": rates})
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        contender.turn()
        _say({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall})
    _say({"peak_memory_gb": measure.peak_memory()})


def _of_batch(given: dict[str, np.ndarray], k: int, size: int) -> dict[str, tf.Tensor]:
    return {name: tf.constant(a[k * size : (k + 1) * size]) for name, a in given.items()}


def _say(content: dict) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

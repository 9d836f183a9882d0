"""The Keras model that trains a network of `.layerwise`. Importing this imports TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_phasor.checks import check_positive_integer
from nengo_phasor.layerwise import parameters
from nengo_phasor.layerwise.adjoint import Parameter
from nengo_phasor.layerwise.engine import Engine


class Learner:
    """Trains a simulator's network: between Nengo's objects and a Keras model's names.

    Parameters
    ----------
    simulator : `.Simulator`
        The simulator.
    optimizer
        Keras' optimiser, or its name.
    loss, metrics, loss_weights : {nengo.Probe: ...}
        As of `tf.keras.Model.compile`.
    """

    def __init__(self, simulator, optimizer, loss, metrics, loss_weights):
        self.simulator = simulator
        self.names = parameters.names(simulator.network)
        self.objects = {name: obj for obj, name in self.names.items()}
        probes = [p for p in simulator.network.all_probes if p in loss or p in metrics]
        trains = parameters.trainable(simulator.network, simulator.parts.maps)
        summed = {p for p in probes if _sum_over_time(loss.get(p), metrics.get(p))}
        self.engine = Engine(simulator, trains, probes, summed)
        self.parameters = [p for p in trains if self._leads(p)]
        if not self.parameters:
            raise ValidationError(
                "has nothing that trains and that a loss depends on", "network", simulator
            )
        self.engine.parameters = self.parameters
        self.model = Model(self)
        self.model.compile(
            optimizer=optimizer,
            loss=self._named(loss),
            metrics=self._named(metrics),
            loss_weights=self._named(loss_weights) or None,
            run_eagerly=True,
        )
        self.model.optimizer.build(self.model.trainable_variables)

    def _leads(self, parameter: Parameter) -> bool:
        """Return whether a loss depends on what trains."""
        obj, name = parameter
        target = obj if name != "weights" else obj.post_obj
        return getattr(target, "ensemble", target) in self.engine.reached

    def _named(self, by_object: Any) -> Any:
        """Return Nengo's objects' names in their place; what has names or is none as it is."""
        if not isinstance(by_object, Mapping):
            return by_object
        return {self.names.get(obj, obj): value for obj, value in by_object.items()}

    @property
    def values(self) -> dict[Parameter, np.ndarray]:
        """What was trained."""
        return dict(
            zip(self.parameters, (v.numpy() for v in self.model.trainable_variables), strict=True)
        )

    def load(self, values: list[np.ndarray], path) -> None:
        """Set what trains."""
        variables = self.model.trainable_variables
        shapes, own = [v.shape for v in values], [tuple(v.shape) for v in variables]
        if shapes != own:
            raise SimulationError(
                f"{path} is of another network: it has arrays of the shapes {shapes}, and what "
                f"trains has {own}"
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def fit(self, x, y, n_steps, truncation, checkpoint, **kwargs):
        """Train; see `.Simulator.fit`."""
        for attr, value in (("truncation", truncation), ("checkpoint", checkpoint)):
            check_steps(value, attr, self.simulator)
        self.model.blocks = truncation, checkpoint
        if isinstance(kwargs.get("validation_data"), tuple):
            x_validation, y_validation, *rest = kwargs["validation_data"]
            self._check(x_validation, y_validation)
            kwargs["validation_data"] = (
                self._named(x_validation),
                self._named(y_validation),
                *rest,
            )
        return self.model.fit(**self._arguments(x, y, n_steps, kwargs))

    def evaluate(self, x, y, n_steps, **kwargs) -> dict[str, float]:
        """Return the losses and metrics; see `.Simulator.evaluate`."""
        arguments = self._arguments(x, y, n_steps, kwargs)
        return self.model.evaluate(**arguments, return_dict=True)

    def _arguments(self, x, y, n_steps, kwargs):
        check_steps(n_steps, "n_steps", self.simulator)
        self.model.n_steps = n_steps
        if isinstance(x, np.ndarray):
            x = {next(iter(self.names)): x}
        if isinstance(y, np.ndarray):
            y = {self.engine.probes[0]: y}
        if isinstance(x, Mapping):
            self._check(x, y)
            kwargs = {"batch_size": self.simulator.minibatch_size, **kwargs}
        return {"x": self._named(x), "y": self._named(y), **kwargs}

    def _check(self, x, y) -> None:
        """Refuse data and targets that don't fit, before any is used."""
        _, n_items = self.simulator._feeding.batch(
            {self.objects.get(k, k): v for k, v in x.items() if k != "n_steps"}
        )
        if not isinstance(y, Mapping):
            raise ValidationError(f"must be {{probe: array}}, got {y!r}", "y", self.simulator)
        for key, target in y.items():
            obj = self.objects.get(key, key)
            if obj not in self.engine.probes:
                raise ValidationError(
                    f"is for {obj}, for which compile(...) got no loss or metric",
                    "y",
                    self.simulator,
                )
            shape = np.shape(target)
            if len(shape) < 2 or shape[0] != n_items:
                raise ValidationError(
                    f"for {obj} is of shape {shape}; needs (n_items, n_steps, n), of as many items "
                    f"as the data: {n_items}",
                    attr="y",
                    obj=self.simulator,
                )
            if np.issubdtype(np.asarray(target).dtype, np.floating) and np.isnan(target).any():
                raise ValidationError(f"for {obj} has NaN", "y", self.simulator)


def check_steps(n_steps, attr, obj) -> None:
    """Refuse a number of steps that is none."""
    if n_steps is not None:
        check_positive_integer(n_steps, attr, obj)


def _sum_over_time(*functions) -> bool:
    """Return whether losses and metrics of a probe only need the sum of what it sees over time."""
    own = [f for f in tf.nest.flatten(functions) if f is not None]
    return all(getattr(getattr(f, "__self__", f), "sums_over_time", False) for f in own)


class Model(tf.keras.Model):
    """A Keras model whose forward and backward pass are the engine's, by names of objects."""

    def __init__(self, learner: Learner):
        super().__init__()
        self._learner = learner
        self.n_steps: int | None = None
        self.compiled_gradient = tf.function(self._by_outputs, reduce_retracing=True)
        self.compiled_update = tf.function(self._apply, reduce_retracing=True)
        self.blocks: tuple[int | None, int | None] = None, None
        parts = learner.simulator.parts
        self.values = [
            tf.Variable(
                parameters.value_of(parts, p),
                name=f"{p.obj.label or type(p.obj).__name__}_{p.name}",
            )
            for p in learner.parameters
        ]

    def call(self, inputs, training=False):
        """Return what probes see, by name."""
        learner = self._learner
        data, n_steps = self._data(inputs)
        simulator = learner.simulator
        n_items = len(next(iter(data.values())))
        seen = simulator._predict(data, n_steps, n_items)[0]
        return {learner.names[p]: tf.constant(seen[p]) for p in learner.engine.probes}

    def train_step(self, data):
        """Train with a batch: in one piece, or truncated."""
        x, y, weights = tf.keras.utils.unpack_x_y_sample_weight(data)
        arrays, n_steps = self._data(x)
        truncation, checkpoint = self.blocks
        size, state, result = truncation or n_steps, None, {}
        for first in range(0, n_steps, size):
            last = min(first + size, n_steps)
            block = {n: a if a.shape[1] == 1 else a[:, first:last] for n, a in arrays.items()}
            targets = {
                k: t if t.shape[1] in (1, None) or size == n_steps else t[:, first:last]
                for k, t in y.items()
            }
            result, state = self._update(block, last - first, targets, weights, checkpoint, state)
        return result

    def _update(self, data, n_steps, targets, weights, checkpoint, state):
        """Make one step of the optimiser; return the metrics and where the network stands."""
        learner = self._learner
        seen = learner.engine.run(data, n_steps, learner.simulator.parts, checkpoint, state)
        outputs = {learner.names[p]: tf.constant(a) for p, a in seen.outputs.items()}
        by_outputs, result = self.compiled_gradient(outputs, targets, weights)
        by_probes = {p: by_outputs[learner.names[p]].numpy() for p in seen.outputs}
        gradients = seen.back(by_probes)
        self.compiled_update(
            [tf.constant(self._finite(gradients[p], p)) for p in learner.parameters]
        )
        return result, seen.state

    def _by_outputs(self, outputs, targets, weights):
        """Return the gradient of the loss by what probes saw, and the metrics."""
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            loss = self.compute_loss(None, targets, outputs, weights)
        gradients = tape.gradient(loss, outputs, unconnected_gradients="zero")
        return gradients, self.compute_metrics(None, targets, outputs, weights)

    def _apply(self, gradients):
        """Make one step of the optimiser."""
        self.optimizer.apply_gradients(zip(gradients, self.values, strict=True))

    def _finite(self, gradient: np.ndarray, parameter: Parameter) -> np.ndarray:
        """Return a gradient, refusing NaN and infinity before they reach what trains."""
        if not np.isfinite(gradient.sum()):
            raise SimulationError(
                f"{parameter.obj}: the gradient by its {parameter.name} is no finite number in "
                f"batch {int(self.optimizer.iterations)} (the first is 0) since it was compiled; "
                "the weights are those before. Try a smaller learning rate, or clip gradients"
            )
        return gradient

    def _data(self, inputs) -> tuple[dict, int]:
        """Return the nodes' outputs as checked arrays, and the number of steps."""
        learner = self._learner
        inputs = dict(inputs)
        given = inputs.pop("n_steps", None)
        unknown = set(inputs) - set(learner.objects)
        if unknown:
            raise ValidationError(
                f"has {', '.join(sorted(unknown))}, which no node is named; see get_name",
                attr="x",
                obj=learner.simulator,
            )
        arrays = {learner.objects[name]: np.asarray(a) for name, a in inputs.items()}
        arrays, n_items = learner.simulator._feeding.batch(arrays)
        steps = self.n_steps
        if steps is None:
            longest = max(a.shape[1] for a in arrays.values())
            steps = longest if given is None else int(np.max(given))
        learner.simulator._feeding.check_window(arrays, steps, n_items)
        return {n: a.astype(learner.simulator.dtype, copy=False) for n, a in arrays.items()}, steps

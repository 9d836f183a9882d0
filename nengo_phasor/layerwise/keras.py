"""The Keras model that trains a network of `.layerwise`. Importing this imports TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

from nengo_phasor.checks import check_positive_integer
from nengo_phasor.layerwise import given, parameters
from nengo_phasor.layerwise.adjoint import Parameter
from nengo_phasor.layerwise.engine import Engine
from nengo_phasor.layerwise.sampling import n_samples
from nengo_phasor.settings import neuron_parameters


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
        self.losses = loss
        optimizer = given.optimizer_of(optimizer, simulator)
        for probe, function in loss.items():
            given.check_loss(function, probe, simulator)
        for probe, functions in metrics.items():
            given.check_metrics(functions, probe, simulator)
        given.check_weights(loss_weights, loss, simulator)
        self.names = parameters.names(simulator.network)
        self.objects = {name: obj for obj, name in self.names.items()}
        probes = [p for p in simulator.network.all_probes if p in loss or p in metrics]
        trains = parameters.trainable(simulator.network, simulator.parts.maps)
        self.units = neuron_parameters(simulator.network)
        summed = {p for p in probes if _sum_over_time(loss.get(p), metrics.get(p))}
        self.engine = Engine(simulator, trains, probes, summed)
        self.parameters = [p for p in trains if self._leads(p)]
        if not self.parameters:
            raise ValidationError(
                "has nothing that trains and that a loss depends on", "network", simulator
            )
        self.engine.parameters = self.parameters
        with self._precision():
            self.model = Model(self)
            self.model.compile(
                optimizer=optimizer,
                loss=self._named(loss),
                metrics=self._named(metrics),
                loss_weights=self._named(loss_weights) or None,
                run_eagerly=True,
            )
            self.model.optimizer.build(self.model.trainable_variables)

    @contextmanager
    def _precision(self) -> Iterator[None]:
        """Let Keras take data in the simulator's precision, not rounded to its own."""
        before = tf.keras.backend.floatx()
        tf.keras.backend.set_floatx(self.simulator.dtype.name)
        try:
            yield
        finally:
            tf.keras.backend.set_floatx(before)

    def _leads(self, parameter: Parameter) -> bool:
        """Return whether a loss depends on what trains."""
        obj, name = parameter
        target = obj if name != "weights" else obj.post_obj
        return getattr(target, "ensemble", target) in self.engine.reached

    def _named(self, by_object: Any) -> Any:
        """Return the names of Nengo's objects in their place; anything else stays as it is."""
        if not isinstance(by_object, Mapping):
            return by_object
        return {self.names.get(obj, obj): value for obj, value in by_object.items()}

    @property
    def values(self) -> dict[Parameter, np.ndarray]:
        """What was trained."""
        values = zip(self.parameters, self.model.values, strict=True)
        return {p: v.numpy() * self.unit(p) for p, v in values}

    def unit(self, parameter: Parameter) -> float:
        """Return the unit in which a parameter trains."""
        return self.units.get(parameter.obj, {}).get(parameter.name, 1.0)

    def variable(self, parameter: Parameter) -> tf.Variable:
        """Return a variable that trains a parameter, and that stays within its limits."""
        obj, name = parameter
        simulator, constraint = self.simulator, None
        if parameter.name in self.units.get(obj, {}):
            limits = simulator.data[obj.neurons].limits(simulator.dt)[name]
            low, high = np.divide(limits, self.unit(parameter))
            constraint = partial(tf.clip_by_value, clip_value_min=low, clip_value_max=high)
        value = parameters.value_of(simulator.parts, parameter) / self.unit(parameter)
        label = f"{obj.label or type(obj).__name__}_{name}"
        return tf.Variable(value, name=label, dtype=simulator.dtype, constraint=constraint)

    def load(self, values: list[np.ndarray], path) -> None:
        """Set what trains."""
        variables = self.model.trainable_variables
        shapes, own = [v.shape for v in values], [tuple(v.shape) for v in variables]
        if shapes != own:
            raise SimulationError(
                f"{path} is of another network: it has arrays of the shapes {shapes}, and what "
                f"trains has {own}"
            )
        for variable, value, parameter in zip(variables, values, self.parameters, strict=True):
            variable.assign(value / self.unit(parameter))

    def fit(self, x, y, n_steps, truncation, checkpoint, **kwargs):
        """Train; see `.Simulator.fit`."""
        for attr, value in (("truncation", truncation), ("checkpoint", checkpoint)):
            check_steps(value, attr, self.simulator)
        self.model.blocks = truncation, checkpoint
        arguments = self._arguments(x, y, n_steps, kwargs)
        if isinstance(validation := kwargs.get("validation_data"), tuple | list):
            x_validation, y_validation, *rest = validation
            self._check(x_validation, y_validation)
            arguments["validation_data"] = (
                self._named(x_validation),
                self._named(y_validation),
                *rest,
            )
        with self._precision():
            return self.model.fit(**arguments)

    def evaluate(self, x, y, n_steps, **kwargs) -> dict[str, float]:
        """Return the losses and metrics; see `.Simulator.evaluate`."""
        arguments = self._arguments(x, y, n_steps, kwargs)
        with self._precision():
            return self.model.evaluate(**arguments, return_dict=True)

    def _arguments(self, x, y, n_steps, kwargs):
        check_steps(n_steps, "n_steps", self.simulator)
        given.check_arguments(kwargs)
        self.model.n_steps = n_steps
        if isinstance(x, np.ndarray):
            x = {next(iter(self.names)): x}
        if isinstance(y, np.ndarray):
            y = {self.engine.probes[0]: y}
        given.check_source(x, self.simulator)
        if isinstance(x, Mapping):
            self._check(x, y)
            kwargs = {"batch_size": self.simulator.minibatch_size, **kwargs}
        return {"x": self._named(x), "y": self._named(y), **kwargs}

    def _check(self, x, y) -> None:
        """Refuse data and targets that don't fit, before any is used."""
        if not isinstance(x, Mapping):
            raise ValidationError(f"must be {{node: array}}, got {x!r}", "x", self.simulator)
        arrays, n_steps = self.data(x, self.model.n_steps)
        n_items = len(next(iter(arrays.values())))
        if not n_items:
            raise ValidationError("has no items to train with", "x", self.simulator)
        self.check_targets(y, n_items, n_steps)

    def data(self, x: Mapping, n_steps: int | None) -> tuple[dict[nengo.Node, np.ndarray], int]:
        """Return the nodes' outputs as checked arrays, and the number of steps.

        ``x`` has them by node or name, and may have the number of steps, for which ``n_steps``
        stands if there is one.
        """
        x = dict(x)
        own = x.pop("n_steps", None)
        unknown = {key for key in x if isinstance(key, str)} - set(self.objects)
        if unknown:
            raise ValidationError(
                f"has {', '.join(sorted(unknown))}, which no node is named; see get_name",
                attr="x",
                obj=self.simulator,
            )
        feeding = self.simulator._feeding
        arrays, n_items = feeding.batch(
            {self.objects.get(k, k): np.asarray(a) for k, a in x.items()}
        )
        if n_steps is None:
            longest = max(a.shape[1] for a in arrays.values())
            n_steps = longest if own is None else int(np.max(own))
        feeding.check_window(arrays, n_steps, n_items)
        dtype = self.simulator.dtype
        return {node: a.astype(dtype, copy=False) for node, a in arrays.items()}, n_steps

    def check_targets(self, y: Any, n_items: int, n_steps: int) -> None:
        """Refuse targets, by probe or name, that don't fit what the probes see."""
        if not isinstance(y, Mapping):
            raise ValidationError(f"must be {{probe: array}}, got {y!r}", "y", self.simulator)
        targets = {self.objects.get(key, key): target for key, target in y.items()}
        for obj in targets:
            if obj not in self.engine.probes:
                raise ValidationError(
                    f"is for {obj}, for which compile(...) got no loss or metric",
                    "y",
                    self.simulator,
                )
        for probe in self.engine.probes:
            if probe not in targets:
                raise ValidationError(
                    f"has nothing for {probe}, which has a loss or metric: give targets, or zeros "
                    "to one that looks at none",
                    attr="y",
                    obj=self.simulator,
                )
            length = n_samples(probe.sample_every, self.simulator.dt, 0, n_steps)
            loss = self.losses.get(probe)
            given.check_target(targets[probe], probe, loss, n_items, length, self.simulator)


def check_steps(n_steps, attr, obj) -> None:
    """Refuse a number of steps that is not a positive integer."""
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
        self.values = [learner.variable(p) for p in learner.parameters]

    def call(self, inputs, training=False):
        """Return what probes see, by name."""
        learner = self._learner
        data, n_steps = learner.data(inputs, self.n_steps)
        simulator = learner.simulator
        n_items = len(next(iter(data.values())))
        seen = simulator._predict(data, n_steps, n_items)[0]
        return {learner.names[p]: tf.constant(seen[p]) for p in learner.engine.probes}

    def train_step(self, data):
        """Train with a batch: in one piece, or truncated."""
        x, y, weights = tf.keras.utils.unpack_x_y_sample_weight(data)
        arrays, n_steps = self._checked(x, y)
        truncation, checkpoint = self.blocks
        size, state, result = truncation or n_steps, None, {}
        for first in range(0, n_steps, size):
            last = min(first + size, n_steps)
            block = {n: a if a.shape[1] == 1 else a[:, first:last] for n, a in arrays.items()}
            targets = {name: self._between(name, t, first, last) for name, t in y.items()}
            result, state = self._update(block, last - first, targets, weights, checkpoint, state)
        return result

    def test_step(self, data):
        """Evaluate a batch."""
        x, y, _ = tf.keras.utils.unpack_x_y_sample_weight(data)
        self._checked(x, y)
        return super().test_step(data)

    def _checked(self, x, y) -> tuple[dict[nengo.Node, np.ndarray], int]:
        """Return a batch's data as arrays, and its number of steps; refuse what doesn't fit."""
        arrays, n_steps = self._learner.data(x, self.n_steps)
        self._learner.check_targets(y, len(next(iter(arrays.values()))), n_steps)
        return arrays, n_steps

    def _between(self, name, target, first, last):
        """Return a probe's targets of some steps; a single one is a constant."""
        learner = self._learner
        probe, dt = learner.objects[name], learner.simulator.dt
        before, until = (n_samples(probe.sample_every, dt, 0, k) for k in (first, last))
        if before == until:
            raise ValidationError(
                f"leaves {probe}, which has sample_every, without a sample in steps {first} to "
                f"{last}; take more steps",
                attr="truncation",
                obj=learner.simulator,
            )
        return target if target.shape[1] == 1 else target[:, before:until]

    def _update(self, data, n_steps, targets, weights, checkpoint, state):
        """Make one step of the optimiser; return the metrics and where the network stands."""
        learner = self._learner
        seen = learner.engine.run(data, n_steps, learner.simulator.parts, checkpoint, state)
        outputs = {learner.names[p]: tf.constant(a) for p, a in seen.outputs.items()}
        try:
            by_outputs, result = self.compiled_gradient(outputs, targets, weights)
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            shapes = {k: (tuple(t.shape), tuple(outputs[k].shape)) for k, t in targets.items()}
            raise ValidationError(
                f"has targets that a loss or metric can't compare with what its probe sees; the "
                f"shapes are {shapes}",
                attr="y",
                obj=learner.simulator,
            ) from error
        by_probes = {p: by_outputs[learner.names[p]].numpy() for p in seen.outputs}
        for probe, gradient in by_probes.items():
            self._check_finite(gradient, probe, "its losses")
        gradients = seen.back(by_probes)
        for obj, name in learner.parameters:
            self._check_finite(gradients[obj, name], obj, f"its {name}")
        own = [tf.constant(gradients[p] * learner.unit(p)) for p in learner.parameters]
        self.compiled_update(own)
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

    def _check_finite(self, gradient: np.ndarray, obj, what: str) -> None:
        """Refuse NaN and infinity before they reach what trains."""
        # a sum is cheaper than a look at each value, and only finite if these are
        with np.errstate(over="ignore", invalid="ignore"):
            total = gradient.sum()
        if not np.isfinite(total) and not np.isfinite(gradient).all():
            raise SimulationError(
                f"{obj}: the gradient of {what} is not finite in batch "
                f"{int(self.optimizer.iterations)} (the first is 0) since it was compiled; the "
                "weights are those before. Try a smaller learning rate, or clip gradients"
            )

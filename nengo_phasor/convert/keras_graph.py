"""The graph of a Keras model as `.to_adaptive` reads it."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from nengo_phasor.convert import keras_calls
from nengo_phasor.convert.keras_layers import (
    ACTIVATED,
    MAX_POOLS,
    NEURONS,
    activation,
    check,
    is_absent,
    is_softmax,
    like_layer,
    neurons_of,
    refuse,
)


class Step(NamedTuple):
    """A layer or a `.Rectifier`, and the names of the steps that provide its input."""

    layer: Any
    inputs: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__


class Graph(NamedTuple):
    """Steps by their names, each after its inputs, and the name of the last step."""

    steps: dict[str, Step]
    output: str

    def uses(self) -> Counter:
        """Return the number of steps that each step provides input to."""
        return Counter(name for step in self.steps.values() for name in step.inputs)

    def neurons(self) -> dict[str, Any]:
        """Return the steps that become neurons, each a `.HalfSigmoid` or a `.Rectifier`."""
        return {name: step.layer for name, step in self.steps.items() if step.kind in NEURONS}


def read(model: Any) -> Graph:
    """Return the model's graph without a final softmax and layers that act only in training.

    Raises
    ------
    nengo.exceptions.ValidationError
        If it is not a Keras model made of layers, with one input of known shape and one output.
    nengo.exceptions.BuildError
        If a layer can't be converted.
    """
    keras_calls.check(model)
    calls = keras_calls.calls(model)
    steps: dict[str, Step] = {}
    same_as: dict[str, str] = {}
    for call in calls:
        name, layer = call.name, call.layer
        inputs = tuple(same_as.get(n, n) for n in call.inputs)
        ends_here = call is calls[-1]
        if is_absent(layer) or (ends_here and is_softmax(layer)):
            (same_as[name],) = inputs
            continue
        neurons = neurons_of(layer, name)
        if neurons is None and ends_here and activation(layer) == "softmax":
            layer = like_layer(layer, call.shape, activation="linear")
        elif neurons is not None and type(layer).__name__ in ACTIVATED - {"Activation"}:
            layer = like_layer(layer, call.shape, activation="linear")
            check(layer)
            before = f"{name} before its activation"
            steps[before] = Step(layer, inputs)
            inputs = (before,)
        layer = layer if neurons is None else neurons
        check(layer)
        steps[name] = Step(layer, inputs)
    last = calls[-1].name
    return Graph(steps, same_as.get(last, last))


def rounding(model: Any) -> str:
    """Return a remark on the policies of layers that compute at less than single precision."""
    policies = {
        layer.dtype_policy.name
        for layer in model.layers
        if layer.compute_dtype in ("float16", "bfloat16")
    }
    if not policies:
        return ""
    return (
        f". The model's policy is {', '.join(sorted(policies))}: it rounds to about three digits, "
        "which the network does not: increase the tolerance accordingly, or load the weights into "
        "a model with the policy float32"
    )


def logits(model: Any, x: np.ndarray) -> np.ndarray:
    """Return the predictions of the model, before its final softmax if it has one."""
    return _before_softmax(model).predict(x, verbose=0)


def _before_softmax(model):
    """Return the model without its final softmax, which may be in a nested model."""
    node = keras_calls.last_node(model)
    layer, before = keras_calls.layer_of(node), keras_calls.inputs_of(node)
    if is_softmax(layer):
        output = before[0]
    elif activation(layer) == "softmax":
        output = like_layer(layer, tuple(before[0].shape), activation="linear")(before[0])
    elif getattr(layer, "outputs", None) and _before_softmax(layer) is not layer:
        output = _before_softmax(layer)(before[0])
    else:
        return model
    kind = next(base for base in type(model).__mro__ if base.__name__ == "Model")
    return kind(model.inputs, output)


def pools_first(graph: Graph) -> Graph:
    """Return the graph with each activation moved after the max pooling that follows it.

    They commute because the activation is monotonic. Fewer neurons are needed, and the pooling acts
    on filtered activations instead of spikes.

    Raises
    ------
    nengo.exceptions.BuildError
        If the activation also feeds another layer.
    """
    for pool in [name for name, step in graph.steps.items() if step.kind in MAX_POOLS]:
        (activation,) = graph.steps[pool].inputs
        if graph.steps[activation].kind not in NEURONS:
            continue
        if graph.uses()[activation] > 1:
            refuse(
                graph.steps[pool].layer,
                f"the activation {activation!r} that it pools also feeds other layers, but the "
                "neurons must come after the pooling",
                "give those layers a separate activation",
            )
        graph = _swapped(graph, activation, pool)
    return graph


def _swapped(graph, first, second):
    """Return the graph with two consecutive steps, of one input each, exchanged."""
    other = {first: second, second: first}
    steps = {}
    for name, step in graph.steps.items():
        if name in other:
            name = other[name]
            inputs = graph.steps[first].inputs if name == second else (second,)
            steps[name] = Step(graph.steps[name].layer, inputs)
        else:
            steps[name] = step._replace(
                inputs=tuple(first if n == second else n for n in step.inputs)
            )
    return Graph(steps, first if graph.output == second else graph.output)

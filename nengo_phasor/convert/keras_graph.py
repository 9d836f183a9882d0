"""The graph of a Keras model as `.to_adaptive` reads it, with checks of its layers.

Layers are recognised by the names of their classes, so that this module does not import TensorFlow.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from nengo.exceptions import BuildError, ValidationError

from nengo_phasor import compat

HOMES = ("keras", "tf_keras", "nengo_phasor")
"""The packages whose layers are known; a layer of the same name elsewhere may differ."""

ABSENT = {
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout2D",
}
"""Layers that act only in training."""

ACTIVATED = {"Activation", "Conv2D", "Dense"}
"""Layers whose activation may be a HalfSigmoid, which becomes a separate layer of their name."""

MAX_POOLS = {"MaxPooling2D", "GlobalMaxPooling2D"}

KNOWN = MAX_POOLS | {
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Conv2D",
    "Dense",
    "Flatten",
    "GlobalAveragePooling2D",
    "HalfSigmoid",
    "InputLayer",
    "Reshape",
    "ZeroPadding2D",
}

USE_HALF_SIGMOID = "train with a nengo_phasor.dl.activations.HalfSigmoid layer instead"
USE_ADD = "write it as the layers Add, Conv2D, Dense or BatchNormalization"
USE_ONE_MODEL = "put its layers into the model itself"
ADVICE = {
    "Activation": USE_HALF_SIGMOID,
    "ELU": USE_HALF_SIGMOID,
    "LeakyReLU": USE_HALF_SIGMOID,
    "PReLU": USE_HALF_SIGMOID,
    "ReLU": USE_HALF_SIGMOID,
    "Softmax": "softmax can only be the last layer",
    "Concatenate": "add the branches with Add, after a separate Conv2D or Dense for each",
    "Lambda": USE_ADD,
    "TFOpLambda": USE_ADD,
    "Functional": USE_ONE_MODEL,
    "Sequential": USE_ONE_MODEL,
}


class Step(NamedTuple):
    """A layer, and the names of the layers that provide its input."""

    layer: Any
    inputs: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__


class Graph(NamedTuple):
    """Steps by the names of their layers, each after its inputs, and the name of the last layer."""

    steps: dict[str, Step]
    output: str

    def uses(self) -> Counter:
        """Return the number of layers that each layer provides input to."""
        return Counter(name for step in self.steps.values() for name in step.inputs)


def refuse(layer: Any, why: str, remedy: str) -> None:
    """Raise the error for a layer that can't be converted."""
    raise BuildError(f"layer {layer.name!r} ({type(layer).__name__}): {why}; {remedy}")


def read(model: Any) -> Graph:
    """Return the model's graph without a final softmax and layers that act only in training.

    Raises
    ------
    nengo.exceptions.ValidationError
        If it is not a Keras model made of layers, with one input of known shape and one output.
    nengo.exceptions.BuildError
        If a layer can't be converted.
    """
    nodes = _nodes(model)
    steps: dict[Any, Any] = {}
    same_as: dict[Any, Any] = {}
    for node in nodes:
        layer, kind = node.layer, type(node.layer).__name__
        if layer.name in steps or layer.name in same_as:
            refuse(layer, "it is used more than once", "use a separate layer each time")
        inputs = tuple(same_as.get(n.layer.name, n.layer.name) for n in node.parent_nodes)
        ends_here = node is nodes[-1]
        if kind in ABSENT or _is_activation(layer, "linear") or (ends_here and _is_softmax(layer)):
            (same_as[layer.name],) = inputs
            continue
        neurons: Any = getattr(layer, "activation", None)
        if type(neurons).__name__ == "HalfSigmoid" and kind in ACTIVATED:
            if kind != "Activation":
                before = _without_activation(node)
                _check(before)
                steps[f"{layer.name} before its activation"] = Step(before, inputs)
                inputs = (f"{layer.name} before its activation",)
            layer = type(neurons)(neurons.neurons, name=layer.name)
        elif ends_here and _activation(layer) == "softmax":
            layer = _without_activation(node)
        _check(layer)
        steps[layer.name] = Step(layer, inputs)
    last = nodes[-1].layer.name
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
    node = _nodes(model)[-1]
    if not _is_softmax(node.layer) and _activation(node.layer) != "softmax":
        return model.predict(x, verbose=0)
    body = compat.require("tensorflow").keras.Model(model.inputs, node.keras_inputs[0])
    before = body.predict(x, verbose=0)
    if _is_softmax(node.layer):
        return before
    return np.asarray(_without_activation(node)(before))


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
        if graph.steps[activation].kind != "HalfSigmoid":
            continue
        if graph.uses()[activation] > 1:
            refuse(
                graph.steps[pool].layer,
                f"the activation {activation!r} that it pools also feeds other layers, but the "
                "neurons must come after the pooling",
                "give those layers a separate HalfSigmoid",
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


def _nodes(model):
    """Return the nodes of a model's graph, each after those that provide its input."""
    by_depth = getattr(model, "_nodes_by_depth", {})
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
    if any(base.__module__.startswith("keras.") for base in type(model).__mro__):
        raise ValidationError(
            f"must be a Keras 2 model, got {model!r} of Keras 3: import nengo_phasor and nengo_dl "
            "before the first use of tf.keras, and create the model with tf.keras",
            attr="model",
        )
    if isinstance(model, str | os.PathLike):
        raise ValidationError(
            f"must be a Keras model, got the path {model!r}: load it first, with "
            "tf.keras.models.load_model",
            attr="model",
        )
    if not nodes or not hasattr(nodes[0], "keras_inputs"):
        raise ValidationError(
            "must be a Keras model made of layers, sequential or functional, whose input's shape "
            f"is known, got {model!r}; begin the model with an Input",
            attr="model",
        )
    for what, tensors in (("input", model.inputs), ("output", model.outputs)):
        if len(tensors) != 1:
            raise ValidationError(
                f"{model.name!r} has {len(tensors)} {what}s; only models with one can be converted",
                attr="model",
            )
    shape = tuple(model.inputs[0].shape)
    if None in shape[1:]:
        raise ValidationError(
            f"{model.name!r} has an input of shape {shape}: specify every size except the first",
            attr="model",
        )
    return nodes


def _check(layer):
    kind = type(layer).__name__
    if kind not in KNOWN or type(layer).__module__.partition(".")[0] not in HOMES:
        known = f"supported layers are {', '.join(sorted(KNOWN | ABSENT))}"
        refuse(layer, "such layers can't be converted", ADVICE.get(kind, known))
    if _activation(layer) not in (None, "linear"):
        remedy = f"give it activation=None and {USE_HALF_SIGMOID}"
        refuse(layer, f"it has the activation {_activation(layer)!r}", remedy)
    if getattr(layer, "data_format", None) == "channels_first":
        refuse(layer, "its channels come first", "use data_format='channels_last'")
    if max(getattr(layer, "dilation_rate", (1,))) > 1:
        refuse(layer, f"its kernel is dilated by {layer.dilation_rate}", "use dilation_rate=1")


def _activation(layer):
    """Return the name of the activation function of a layer, if it has one."""
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", activation and type(activation).__name__)


def _is_activation(layer, name):
    return type(layer).__name__ == "Activation" and _activation(layer) == name


def _is_softmax(layer):
    return type(layer).__name__ == "Softmax" or _is_activation(layer, "softmax")


def _without_activation(node):
    """Return a copy of a node's layer without activation."""
    return like_layer(node.layer, node.input_shapes, activation="linear")


def like_layer(layer: Any, input_shape: tuple, **changes: Any) -> Any:
    """Return a copy of a Keras layer with its weights and the given changes, built for an input."""
    copy = type(layer).from_config({**layer.get_config(), **changes})
    copy.build(input_shape)
    copy.set_weights(layer.get_weights())
    return copy

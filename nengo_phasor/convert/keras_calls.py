"""The calls of layers in a Keras model, of Keras 2 or Keras 3: nested models and files included."""

from __future__ import annotations

import json
import os
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nengo.exceptions import ValidationError

from nengo_phasor import compat
from nengo_phasor.convert.keras_layers import refuse


class Call(NamedTuple):
    """A layer, the names of the calls that it takes input from, and the shape of its first input.

    The name is that of the layer, after those of the models that it is in, as in "model/layer". If
    the layer is used more than once, a number follows from the second time on.
    """

    name: str
    layer: Any
    inputs: tuple[str, ...]
    shape: tuple[int | None, ...]


def load(path: str | os.PathLike) -> Any:
    """Return the model of a file, which Keras 2 or Keras 3 has written.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there is no such file, or Keras cannot load it.
    """
    path = Path(path)
    if not path.exists():
        raise ValidationError(f"there is no file {str(path)!r}", attr="model")
    version = _version(path)
    try:
        return _keras(version).models.load_model(path, compile=False)
    except Exception as error:  # Keras raises any error of its parts
        raise ValidationError(
            f"{str(path)!r} is not a model that Keras can load: save it with model.save, as a "
            f".keras file: {error}",
            attr="model",
        ) from error


def _version(path):
    """Return which Keras has written a file: 2, or 3."""
    if not zipfile.is_zipfile(path):
        return 2
    with zipfile.ZipFile(path) as file:
        if "metadata.json" not in file.namelist():
            return 2
        return int(json.loads(file.read("metadata.json"))["keras_version"].partition(".")[0])


def _keras(version):
    if version > 2:
        return compat.require("keras")
    compat.require("nengo_dl")  # makes tf.keras Keras 2
    import nengo_phasor.dl.activations  # noqa: F401  (registers HalfSigmoid)

    return compat.require("tensorflow").keras


def check(model: Any) -> None:
    """Check that it is a Keras model made of layers, with one input of known shape and one output.

    Raises
    ------
    nengo.exceptions.ValidationError
        If it is not.
    """
    if not hasattr(_graph(model), "_nodes_by_depth"):
        raise ValidationError(
            "must be a Keras model made of layers, sequential or functional, whose input's shape "
            f"is known, or the path of one, got {model!r}; begin the model with an Input",
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


def calls(model: Any) -> list[Call]:
    """Return all calls of layers in a model, each after its inputs; the last gives the output.

    Raises
    ------
    nengo.exceptions.BuildError
        If a nested model has several inputs or outputs.
    """
    found: list[Call] = []
    output = _follow(model, "", (), found, Counter())
    return sorted(found, key=lambda call: call.name == output)


def _follow(model, prefix, inputs, found, used):
    """Append the calls of a model with the given inputs; return the name of its output."""
    names = dict(zip(map(_key, model.inputs), inputs, strict=False))
    nodes = _graph(model)._nodes_by_depth
    for node in (node for depth in sorted(nodes, reverse=True) for node in nodes[depth]):
        layer, tensors = layer_of(node), inputs_of(node)
        key = id(layer), layer._inbound_nodes.index(node)
        if key in names:  # the input of a nested model
            continue
        name = prefix + layer.name
        used[name] += 1
        if used[name] > 1:
            name = f"{name} ({used[name]})"
        before = tuple(names[_key(tensor)] for tensor in tensors)
        if hasattr(_graph(layer), "_nodes_by_depth"):
            if (len(layer.inputs), len(layer.outputs)) != (1, 1):
                refuse(
                    layer,
                    f"it has {len(layer.inputs)} inputs and {len(layer.outputs)} outputs",
                    "use nested models with one of each",
                )
            names[key] = _follow(layer, f"{name}/", before, found, used)
        else:
            shape = tuple(tensors[0].shape) if tensors else ()
            found.append(Call(name, layer, before, shape))
            names[key] = name
    return names[_key(model.outputs[0])]


def _graph(model):
    """Return what has the nodes: Keras 3 keeps those of a sequential model apart."""
    return getattr(model, "_functional", None) or model


def _key(tensor):
    """Return which call of which layer has made a tensor."""
    layer, call, _ = tensor._keras_history
    return id(layer), call


def layer_of(node: Any) -> Any:
    """Return the layer of a node of Keras 2, or the layer or operation of one of Keras 3."""
    return node.layer if hasattr(node, "layer") else node.operation


def inputs_of(node: Any) -> Sequence[Any]:
    """Return the tensors that a node of Keras 2 or Keras 3 takes."""
    return node.keras_inputs if hasattr(node, "keras_inputs") else node.input_tensors


def last_node(model: Any) -> Any:
    """Return the node that gives a model's output."""
    layer, call, _ = model.outputs[0]._keras_history
    return layer._inbound_nodes[call]

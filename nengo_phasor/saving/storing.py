"""Conversion of a network to plain values for JSON and to arrays, for `.save`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import nengo
import numpy as np
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError
from nengo.params import FrozenObject
from nengo.transforms import ChannelShape, SparseMatrix

PARAMETERS: dict[type, tuple[str, ...]] = {
    nengo.Ensemble: (
        *("n_neurons", "dimensions", "radius", "encoders", "intercepts", "max_rates"),
        *("eval_points", "n_eval_points", "neuron_type", "gain", "bias", "noise"),
        *("normalize_encoders", "label", "seed"),
    ),
    nengo.Node: ("output", "size_in", "size_out", "label", "seed"),
    nengo.Connection: (
        *("pre", "post", "synapse", "function", "transform", "solver", "learning_rule_type"),
        *("eval_points", "scale_eval_points", "label", "seed"),
    ),
    nengo.Probe: (*("target", "attr", "sample_every", "synapse", "solver", "label", "seed"),),
}
"""The arguments that create each kind of object, which are also its attributes."""

KINDS = ("ensembles", "nodes", "connections", "probes")
"""A network's lists of objects, in the order in which they can be created."""


class Storing:
    """The values of one network, and the arrays that they refer to by name.

    Attributes
    ----------
    arrays : {str: ndarray}
        The arrays by name.
    """

    def __init__(self):
        self.arrays: dict[str, np.ndarray] = {}
        self._numbers: dict[Any, int] = {}

    def network(self, network: nengo.Network) -> dict[str, Any]:
        """Return a network's objects by number, its structure, and its attributes."""
        objects = [obj for kind in KINDS for obj in getattr(network, f"all_{kind}")]
        self._numbers = {obj: k for k, obj in enumerate(objects)}
        return {
            "objects": [self._object(obj) for obj in objects],
            "structure": self._structure(network),
        }

    def _structure(self, network):
        own = {k: v for k, v in vars(network).items() if not k.startswith("_")}
        own = {k: v for k, v in own.items() if k not in ("label", "seed") and self._is_known(v)}
        return {
            "label": network.label,
            "seed": self.value(network.seed, network),
            "objects": [self._numbers[obj] for kind in KINDS for obj in getattr(network, kind)],
            "networks": [self._structure(part) for part in network.networks],
            "attributes": {k: self.value(v, network) for k, v in own.items()},
        }

    def _is_known(self, value):
        """Return whether a network's attribute can be saved."""
        if isinstance(value, Mapping):
            return all(self._is_known(x) for x in (*value, *value.values()))
        if isinstance(value, list | tuple):
            return all(map(self._is_known, value))
        if isinstance(value, Neurons):
            return value.ensemble in self._numbers
        if isinstance(value, nengo.Network) or callable(value):
            return False
        plain = isinstance(value, None | bool | int | float | str | np.ndarray | np.generic)
        return plain or (isinstance(value, nengo.base.NengoObject) and value in self._numbers)

    def _object(self, obj):
        kind = next(kind for kind in PARAMETERS if isinstance(obj, kind))
        return {
            "kind": kind.__name__,
            "parameters": {k: self.value(getattr(obj, k), obj) for k in PARAMETERS[kind]},
        }

    def value(self, value: Any, owner: Any) -> Any:
        """Return a value in a form for JSON; errors name its ``owner``."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        for kind, form in FORMS.items():
            if isinstance(value, kind):
                return form(self, value, owner)
        is_code = callable(value)
        what = "a function, which is code" if is_code else f"a {type(value).__name__}"
        raise ValidationError(
            f"{owner} has {what}, which can't be saved: {value!r}. Use an array or a "
            "nengo.Process instead, or save the network without it",
            attr="network",
        )

    def _array(self, array, owner):
        if array.dtype.hasobject:
            raise ValidationError(f"{owner} has an array of objects", "network")
        name = f"array_{len(self.arrays)}"
        self.arrays[name] = array
        return {"array": name}

    def _frozen(self, obj, owner):
        arguments = [*inspect.signature(type(obj).__init__).parameters.values()][1:]
        names = [p.name for p in arguments if p.kind is not p.VAR_KEYWORD]
        lacking = [name for name in names if not hasattr(obj, name)]
        if lacking:
            raise ValidationError(
                f"{owner} has {obj!r}, which does not keep its argument {lacking[0]!r} as an "
                "attribute: change its class to do so",
                attr="network",
            )
        values = {name: self.value(getattr(obj, name), owner) for name in names}
        if hasattr(obj, "seed") and "seed" not in values and obj.seed is not None:
            values["seed"] = obj.seed
        kind = type(obj)
        return {"type": f"{kind.__module__}.{kind.__qualname__}", "arguments": values}

    def _sparse(self, transform, owner):
        matrix = transform.init
        if not isinstance(matrix, SparseMatrix):
            raise ValidationError(
                f"{owner} has a SciPy matrix: give nengo.Sparse indices and values instead",
                attr="network",
            )
        arguments = {"shape": transform.shape, "indices": matrix.indices, "init": matrix.data}
        values = {name: self.value(x, owner) for name, x in arguments.items()}
        return {"type": "nengo.transforms.Sparse", "arguments": values}

    def _view(self, view, owner):
        places = view.slice
        if isinstance(places, slice):
            places = {"slice": [places.start, places.stop, places.step]}
        else:
            places = self.value(places if isinstance(places, list) else np.asarray(places), owner)
        return {"view": self.value(view.obj, owner), "places": places}

    def _reference(self, obj, owner):
        if obj not in self._numbers:
            raise ValidationError(
                f"{owner} refers to {obj}, which is not in the network", "network"
            )
        return {"object": self._numbers[obj]}

    def _neurons(self, neurons, owner):
        return {"neurons": self.value(neurons.ensemble, owner)}

    def _mapping(self, mapping, owner):
        return {"dict": [[self.value(x, owner) for x in pair] for pair in mapping.items()]}

    def _sequence(self, values, owner):
        return {type(values).__name__: [self.value(x, owner) for x in values]}

    def _shape(self, shape, owner):
        return {"tuple": [int(size) for size in shape.shape]}


FORMS = {
    np.ndarray: Storing._array,
    ChannelShape: Storing._shape,
    nengo.Sparse: Storing._sparse,
    FrozenObject: Storing._frozen,
    ObjView: Storing._view,
    Neurons: Storing._neurons,
    nengo.base.NengoObject: Storing._reference,
    Mapping: Storing._mapping,
    list: Storing._sequence,
    tuple: Storing._sequence,
}
"""The functions that write values of each type; the first that fits is used."""

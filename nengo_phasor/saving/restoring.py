"""Restoring of a network from the values that `.storing` wrote, for `.load`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError
from nengo.params import FrozenObject

from nengo_phasor.saving.storing import PARAMETERS

HOMES = ("nengo", "nengo_phasor")
"""The packages whose parameter objects any file may create."""

MAKERS = {kind.__name__: kind for kind in PARAMETERS}


class Restoring:
    """The arrays of one file, and the objects that were created so far.

    Parameters
    ----------
    arrays : {str: ndarray}
        The arrays by the names that values refer to.
    types : sequence of type
        The classes that may be created, in addition to those of Nengo and nengo_phasor.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], types: Sequence[type]):
        self.arrays = arrays
        self.types = {f"{t.__module__}.{t.__qualname__}": t for t in types}
        self.made: dict[int, Any] = {}

    def network(self, content: Mapping) -> nengo.Network:
        """Return the network."""
        with nengo.Network(add_to_container=False) as network:
            homes = dict(self._homes(content["structure"], network))
        for number, entry in enumerate(content["objects"]):
            with homes[number]:
                self.made[number] = self._object(entry)
        self._attributes(content["structure"], network)
        return network

    def _homes(self, structure, network):
        """Create the subnetworks; yield the number of each object and its network."""
        network.label, network.seed = structure["label"], structure["seed"]
        for number in structure["objects"]:
            yield number, network
        for part in structure["networks"]:
            with network:
                inner = nengo.Network()
            yield from self._homes(part, inner)

    def _attributes(self, structure, network):
        for name, value in structure["attributes"].items():
            setattr(network, name, self.value(value))
        for part, inner in zip(structure["networks"], network.networks, strict=True):
            self._attributes(part, inner)

    def _object(self, entry):
        values = {name: self.value(x) for name, x in entry["parameters"].items()}
        if entry["kind"] == "Node" and values["output"] is None:
            del values["size_out"]  # that of a relay is its size_in
        return MAKERS[entry["kind"]](**values)

    def value(self, value: Any) -> Any:
        """Return the object that a stored value represents."""
        if not isinstance(value, dict):
            return value
        for form, read in FORMS.items():
            if form in value:
                return read(self, value)
        raise ValueError(f"unknown value {value}")

    def _frozen(self, value):
        arguments = {name: self.value(x) for name, x in value["arguments"].items()}
        return self._class(value["type"])(**arguments)

    def _class(self, path):
        if path in self.types:
            return self.types[path]
        module, _, name = path.rpartition(".")
        if module.partition(".")[0] not in HOMES:
            raise ValidationError(
                f"it uses the class {path}, but only classes of Nengo, nengo_phasor and types "
                f"are loaded: if you trust the file, import the class and pass types=[{name}]",
                attr="types",
            )
        found = getattr(import_module(module), name)
        if not issubclass(found, FrozenObject):
            raise ValueError(f"{path} is not a parameter object")
        return found

    def _view(self, value):
        places = value["places"]
        is_slice = isinstance(places, dict) and "slice" in places
        return self.value(value["view"])[
            slice(*places["slice"]) if is_slice else self.value(places)
        ]

    def _items(self, values):
        return [self.value(x) for x in values]


FORMS = {
    "array": lambda self, value: self.arrays[value["array"]],
    "type": Restoring._frozen,
    "view": Restoring._view,
    "neurons": lambda self, value: self.value(value["neurons"]).neurons,
    "object": lambda self, value: self.made[value["object"]],
    "dict": lambda self, value: dict(map(self._items, value["dict"])),
    "list": lambda self, value: self._items(value["list"]),
    "tuple": lambda self, value: tuple(self._items(value["tuple"])),
}
"""The functions that read values, by the key of their form."""

"""What Python shows of the package: public names by `dir`, the arguments of a type by `repr`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import FunctionType

import numpy as np
from nengo.params import FrozenObject


def public_names(module: str) -> list[str]:
    """Return the classes, functions and constants of an imported module that are for its users."""

    def is_public(name, value):
        if name.startswith("_") or isinstance(value, FunctionType | type):
            return getattr(value, "__module__", None) == module and not name.startswith("_")
        return name.isupper()

    return [name for name, value in vars(sys.modules[module]).items() if is_public(name, value)]


def shows_public_names(module: str, *others: str) -> Callable[[], list[str]]:
    """Return a module's ``__dir__``: its `public_names` when it is called, and others."""
    return lambda: [*public_names(module), *others]


class Described(FrozenObject):
    """A Nengo neuron type or synapse whose repr shows what matters.

    As Nengo's, it shows the arguments that differ from their defaults. Those of ``always_shown``
    are always shown, and those of ``found_anew`` are omitted.
    """

    always_shown: tuple[str, ...] = ()

    @property
    def found_anew(self) -> set[str]:
        """The arguments whose values follow from the others, as they do if they are not given."""
        return set()

    def __repr__(self) -> str:
        """Return the call that makes an equal object."""
        differ = self._argreprs  # Nengo's, which is a text where it doesn't know the arguments
        if isinstance(differ, str):
            return super().__repr__()
        shown = {text.partition("=")[0]: text for text in differ}
        names = inspect.signature(type(self)).parameters
        shown |= {n: f"{n}={_short(getattr(self, n))}" for n in self.always_shown if n in names}
        arguments = (shown[n] for n in names if n in shown.keys() - self.found_anew)
        return f"{type(self).__name__}({', '.join(arguments)})"


def _short(value):
    is_number = isinstance(value, int | float | np.number)
    return repr(float(value)).removesuffix(".0") if is_number else repr(value)

"""Lookup of classes in tables by inheritance."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any


def nearest(cls: type, known: Container[Any]) -> Any:
    """Return the first class of a class's method resolution order that is known, or None."""
    return next((parent for parent in cls.__mro__ if parent in known), None)


def keeps(cls: type, parent: type, *methods: str) -> bool:
    """Return whether a class overrides none of these methods of its parent."""
    return all(getattr(cls, method) is getattr(parent, method) for method in methods)


def rewritten(cls: type, parent: type) -> set[str]:
    """Return the names of a parent's methods and properties that a class overrides.

    Special methods don't count: an ``__init__`` only sets parameters.
    """
    above = cls.__mro__[: cls.__mro__.index(parent)]
    return {
        name
        for derived in above
        for name, value in vars(derived).items()
        if not name.startswith("__")
        and hasattr(parent, name)
        and (callable(value) or hasattr(value, "__get__"))
    }


def entry(table: Mapping[Any, Any], cls: type) -> Any:
    """Return the entry of a table for a class's nearest parent, or None if it has none.

    The result is also None if the class overrides a method or a property of that parent, because
    the entry may then not apply.
    """
    parent = nearest(cls, table)
    return None if parent is None or rewritten(cls, parent) else table[parent]

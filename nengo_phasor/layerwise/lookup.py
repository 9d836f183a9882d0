"""Which of a class's fast ways also holds for a class derived from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def rewritten(obj: Any, cls: type) -> set[str]:
    """Return the names of a class's methods and properties that a subclass has anew.

    ``obj`` is an instance of the subclass. Special methods don't count: an ``__init__`` only sets
    parameters.
    """
    above = type(obj).__mro__[: type(obj).__mro__.index(cls)]
    return {
        name
        for derived in above
        for name, value in vars(derived).items()
        if not name.startswith("__")
        and hasattr(cls, name)
        and (callable(value) or hasattr(value, "__get__"))
    }


def nearest(table: Mapping[Any, Any], obj: Any) -> Any:
    """Return the entry of the nearest of an object's classes, or None if there is none.

    Nor is there one where the object's class has any method of that class anew: what is known of
    the one is not known of the other.
    """
    cls = next((c for c in type(obj).__mro__ if c in table), None)
    return None if cls is None or rewritten(obj, cls) else table[cls]

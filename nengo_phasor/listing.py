"""What `dir` shows of a module: its public names, and not what it imports for itself."""

from __future__ import annotations

import sys
from types import FunctionType


def public_names(module: str) -> list[str]:
    """Return the classes, functions and constants of an imported module that are for its users."""

    def is_public(name, value):
        if name.startswith("_") or isinstance(value, FunctionType | type):
            return getattr(value, "__module__", None) == module and not name.startswith("_")
        return name.isupper()

    return [name for name, value in vars(sys.modules[module]).items() if is_public(name, value)]

"""What users give, checked at once: parameters of objects, arguments of functions.

Each ``check_...`` takes what was given and the argument's name, and raises a
`nengo.exceptions.ValidationError` with name, value and remedy unless it is what it should be. A
boolean is no number, and neither is infinity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from nengo.exceptions import ValidationError
from nengo.params import IntParam, NumberParam, ShapeParam


class Typed:
    """Tells type checkers what Nengo, which has no types, doesn't: a parameter takes any value."""

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any = None) -> Any: ...

        def __set__(self, instance: Any, value: Any) -> None: ...


class Number(Typed, NumberParam):
    """A `nengo.params.NumberParam` that refuses NaN, infinity and booleans."""

    def coerce(self, instance, num):
        """Return the number, if it is one in the range."""
        if _kind(num) == "b" or (_kind(num) == "f" and not np.isfinite(num)):
            raise ValidationError(
                f"must be a finite number, got {_shown(num)}", attr=self.name, obj=instance
            )
        return super().coerce(instance, num)


class Integer(Typed, IntParam):
    """A `nengo.params.IntParam` that refuses booleans."""

    def coerce(self, instance, num):
        """Return the number, if it is one in the range."""
        if _kind(num) == "b":
            raise ValidationError(f"must be an integer, got {num}", attr=self.name, obj=instance)
        return super().coerce(instance, num)


class Shape(Typed, ShapeParam):
    """A `nengo.params.ShapeParam` that refuses booleans."""

    def coerce(self, instance, shape):
        """Return the shape as a tuple, if it is one."""
        if np.iterable(shape) and any(_kind(size) == "b" for size in shape):
            raise ValidationError(f"must be integers, got {shape}", attr=self.name, obj=instance)
        return super().coerce(instance, shape)


def check_positive(value: Any, attr: str, obj: Any = None) -> None:
    """Raise a `nengo.exceptions.ValidationError` unless it is one finite number above 0."""
    is_real = np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"
    if not is_real or not 0 < value < np.inf:
        raise ValidationError(f"must be positive and finite, got {_shown(value)}", attr, obj)


def check_positive_integer(value: Any, attr: str, obj: Any = None) -> None:
    """Raise a `nengo.exceptions.ValidationError` unless it is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValidationError(f"must be a positive integer, got {_shown(value)}", attr, obj)


def _kind(value):
    """Return NumPy's letter for a single value's kind; none for several values."""
    return np.asarray(value).dtype.kind if np.ndim(value) == 0 else ""


def _shown(value):
    return repr(value.tolist() if isinstance(value, np.generic | np.ndarray) else value)

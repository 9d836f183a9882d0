"""Numbers that users give, checked: parameters of objects, arguments of functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from nengo.exceptions import ValidationError
from nengo.params import NumberParam


class Number(NumberParam):
    """A `nengo.params.NumberParam` that refuses NaN, with which no comparison is true."""

    def coerce(self, instance, num):
        """Return the number, if it is one in the range."""
        if np.ndim(num) == 0 and num != num:
            raise ValidationError(f"Must be a number; got {num}", attr=self.name, obj=instance)
        return super().coerce(instance, num)


def check_positive(value: Any, attr: str, obj: Any = None) -> None:
    """Raise a `nengo.exceptions.ValidationError` unless it is one finite number above 0."""
    is_real = np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"
    if not is_real or not 0 < value < np.inf:
        raise ValidationError(f"must be positive and finite, got {_shown(value)}", attr, obj)


def check_positive_integer(value: Any, attr: str, obj: Any = None) -> None:
    """Raise a `nengo.exceptions.ValidationError` unless it is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValidationError(f"must be a positive integer, got {_shown(value)}", attr, obj)


def _shown(value):
    return repr(value.tolist() if isinstance(value, np.generic | np.ndarray) else value)

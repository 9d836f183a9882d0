"""Validation of what users pass: parameters of objects and arguments of functions.

Each ``check_...`` takes a value and the argument's name, and raises a
`nengo.exceptions.ValidationError` with the name, the value and a remedy if the value is not valid.
Booleans and infinity do not count as numbers.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from nengo.dists import Distribution
from nengo.exceptions import ValidationError
from nengo.params import IntParam, NumberParam, Parameter, ShapeParam
from nengo.utils.numpy import array_hash
from numpy.typing import ArrayLike, NDArray

ROUNDING = 1e-6
"""The distance by which rounding in single precision may move a phase outside [-1, 1]."""


class Typed:
    """Tells type checkers that a parameter takes any value, since Nengo has no type hints."""

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any = None) -> Any: ...

        def __set__(self, instance: Any, value: Any) -> None: ...


class Number(Typed, NumberParam):
    """A `nengo.params.NumberParam` that rejects NaN, infinity and booleans."""

    def coerce(self, instance, num):
        """Return the number, if it is one in the range."""
        if _kind(num) == "b" or (_kind(num) == "f" and not np.isfinite(num)):
            raise ValidationError(
                f"must be a finite number, got {_shown(num)}", attr=self.name, obj=instance
            )
        return super().coerce(instance, num)


class PerNeuron(Typed, Parameter):
    """A parameter of neurons: a number for all, an array of one number each, or a distribution.

    Parameters
    ----------
    name : str
        The parameter's name.
    low : float
        The lower end of the range.
    low_open : bool
        Whether ``low`` itself is excluded.
    optional : bool
        Whether None is allowed.
    """

    equatable = True

    def __init__(self, name: str, *, low: float = 0, low_open: bool = True, optional: bool = False):
        super().__init__(name, optional=optional)
        self.low, self.low_open = low, low_open

    def coerce(self, instance, value):
        """Return the number, the distribution, or the array as one that is read-only."""
        if value is None or isinstance(value, Distribution):
            return super().coerce(instance, value)
        if np.ndim(value):
            value = np.array(check_array(value, self.name, "(n_neurons)", instance), float)
            value.setflags(write=False)
        for number in np.ravel(value)[:1] if np.ndim(value) == 0 else value.tolist():
            check_number(number, self.name, instance, low=self.low, low_open=self.low_open)
        return super().coerce(instance, value)

    def hashvalue(self, instance):
        """Return a hash, which arrays do not have."""
        value = self.__get__(instance, None)
        return array_hash(value) if isinstance(value, np.ndarray) else hash(value)


class Integer(Typed, IntParam):
    """A `nengo.params.IntParam` that rejects booleans."""

    def coerce(self, instance, num):
        """Return the number, if it is one in the range."""
        if _kind(num) == "b":
            raise ValidationError(f"must be an integer, got {num}", attr=self.name, obj=instance)
        return super().coerce(instance, num)


class Shape(Typed, ShapeParam):
    """A `nengo.params.ShapeParam` that rejects booleans."""

    def coerce(self, instance, shape):
        """Return the shape as a tuple, if it is valid."""
        if np.iterable(shape) and any(_kind(size) == "b" for size in shape):
            raise ValidationError(f"must be integers, got {shape}", attr=self.name, obj=instance)
        return super().coerce(instance, shape)


def check_number(
    value: Any,
    attr: str,
    obj: Any = None,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    low_open: bool = False,
) -> None:
    """Check that a value is one finite real number from ``low`` to ``high``.

    Parameters
    ----------
    value : object
        What was given.
    attr : str
        The argument's name.
    obj : object, optional
        The object that the argument belongs to.
    low, high : float
        The ends of the range.
    low_open : bool
        Whether ``low`` itself is excluded.
    """
    is_real = _kind(value) in _REAL and np.isfinite(value)
    if not is_real or not low <= value <= high or (low_open and value == low):
        raise ValidationError(f"{_range(low, high, low_open)}, got {_shown(value)}", attr, obj)


def check_positive(value: Any, attr: str, obj: Any = None) -> None:
    """Check that a value is one finite number greater than 0."""
    check_number(value, attr, obj, low=0, low_open=True)


def check_integer(
    value: Any, attr: str, obj: Any = None, *, low: int = 1, high: float = np.inf
) -> None:
    """Check that a value is one integer from ``low`` to ``high`` that fits NumPy's integers."""
    if _kind(value) not in _WHOLE or not low <= value <= high:
        only = (
            f"an integer of {low} or more" if high == np.inf else f"an integer in [{low}, {high}]"
        )
        wanted = "a positive integer" if (low, high) == (1, np.inf) else only
        raise ValidationError(f"must be {wanted}, got {_shown(value)}", attr, obj)


def check_positive_integer(value: Any, attr: str, obj: Any = None) -> None:
    """Check that a value is one integer of 1 or more."""
    check_integer(value, attr, obj)


def check_array(
    value: Any,
    attr: str,
    shape: str = "(...)",
    obj: Any = None,
    *,
    kinds: str = "iuf",
    low: float = -np.inf,
    missing: bool = False,
    remedy: str = "",
) -> NDArray:
    """Return the value as an array, after checking its shape, its kind and its range.

    Parameters
    ----------
    value : array_like
        What was given.
    attr : str
        The argument's name.
    shape : str
        The shape as written in docstrings: a name or a number for each axis, and ``...`` for any
        others. An axis whose name begins with ``n_`` must not be empty; one that begins with ``2``
        must be even.
    obj : object, optional
        The object that the argument belongs to.
    kinds : str
        NumPy's letters for the kinds of values that are allowed.
    low : float
        The least value that is allowed.
    missing : bool
        Whether NaN, a missing spike, is allowed.
    remedy : str
        The remedy for a wrong shape, which ends the error message.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValidationError(
            "must be a single array, got rows of different shapes", attr, obj
        ) from None
    if array.dtype.kind not in kinds and array.size:
        raise ValidationError(f"must be {_kinds(kinds)}, got {array.dtype}", attr, obj)
    if shape != "(...)" and not _fits(array.shape, shape):
        raise ValidationError(
            f"needs shape {shape}, got {array.shape}{remedy and ': '}{remedy}", attr, obj
        )
    if array.dtype.kind in "fc":
        wrong = np.isinf(array) if missing else ~np.isfinite(array)
        if wrong.any():
            raise ValidationError(
                f"must be finite{', or NaN where a spike is missing' if missing else ''}, got "
                f"{array[wrong][0]}: find its source, such as a network that diverged",
                attr,
                obj,
            )
    if low > -np.inf and array.size and array.min() < low:
        raise ValidationError(f"must be {low} or more, got {array.min()}", attr, obj)
    return array


def check_spikes(value: Any, attr: str, obj: Any = None) -> NDArray:
    """Return spikes of shape (..., n_steps, n), which may be booleans, after rejecting NaN."""
    remedy = "give those of a single neuron as (n_steps, 1)"
    return check_array(value, attr, "(..., n_steps, n)", obj, kinds="biuf", remedy=remedy)


def check_classes(
    value: Any, attr: str, n_items: int, n_classes: int | None = None, obj: Any = None
) -> NDArray[np.int_]:
    """Return the class of each item as one row, after checking that each item has one."""
    classes = np.asarray(value)
    if classes.size != n_items or classes.shape[:1] != (n_items,):
        raise ValidationError(
            f"must be one class number (not a one-hot vector) for each of {n_items} items, got "
            f"shape {classes.shape}",
            attr,
            obj,
        )
    check_array(classes, attr, obj=obj, kinds="iu", low=0)
    if n_classes is not None and classes.size and classes.max() >= n_classes:
        raise ValidationError(
            f"must be less than {n_classes}, the number of classes, got {classes.max()}", attr, obj
        )
    return classes.ravel()


def check_together(attr: str, *arrays: NDArray) -> None:
    """Check that the shape of the last array broadcasts with those of the others."""
    try:
        np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        *others, shape = (array.shape for array in arrays)
        raise ValidationError(
            f"has shape {shape}, which doesn't broadcast with {', '.join(map(str, others))}", attr
        ) from None


def warn_outside(phase: ArrayLike, what: str = "phase") -> None:
    """Warn about phases outside [-1, 1], which are probably degrees or radians.

    Parameters
    ----------
    phase : array_like
        Phases in units of pi; NaN is a missing spike.
    what : str
        A name for the phases, with which the warning begins.
    """
    phase = np.asarray(phase)
    outside = phase[np.abs(phase) > 1 + ROUNDING]
    if outside.size:
        warnings.warn(
            f"{what}: {outside.flat[0]:g} is outside [-1, 1): phases are in units of pi. Divide "
            "degrees by 180 and radians by pi; if whole turns are intended, pass "
            "nengo_phasor.phases.wrap(...)",
            stacklevel=3,
        )


def check_items(attr: str, arrays: Iterable[NDArray]) -> None:
    """Check that all arrays have the same number of items, which is their first axis."""
    if len(sizes := {len(array) for array in arrays}) > 1:
        raise ValidationError(
            f"have different numbers of items, {sorted(sizes)}: give the same number for all", attr
        )


def check_is(value: Any, attr: str, kind: type | tuple[type, ...], obj: Any = None) -> None:
    """Check that a value is an instance of the type, or of one of the types."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds):
        names = " or ".join(k.__name__ for k in kinds)
        raise ValidationError(f"must be a {names}, got {_shown(value)}", attr, obj)


def check_subclass(value: Any, attr: str, *bases: type, remedy: str = "give the class") -> None:
    """Check that a value is a class derived from one of the bases."""
    if not (isinstance(value, type) and issubclass(value, bases)):
        names = " or ".join(f"{base.__module__}.{base.__qualname__}" for base in bases)
        raise ValidationError(f"must be a subclass of {names}, got {value!r}: {remedy}", attr)


def check_memory(n_values: int, attr: str, obj: Any = None) -> None:
    """Check that an array of so many values, of 8 bytes each, fits into this machine's memory."""
    needed, there = 8 * n_values / 2**30, machine_memory() / 2**30
    if needed > there:
        raise ValidationError(
            f"requires an array of {needed:.3g} GB, but this machine has {there:.3g} GB of "
            "memory: make it smaller, or proceed in parts",
            attr,
            obj,
        )


def machine_memory() -> int:
    """Return this machine's memory in bytes, or a very large number if it is unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # os.sysconf is POSIX's
        return 2**42


_WHOLE, _REAL = ("i", "u"), ("i", "u", "f")


def _fits(shape: tuple[int, ...], wanted: str) -> bool:
    head, dots, tail = wanted.strip("()").replace(" ", "").partition("...")
    first, last = ([name for name in part.split(",") if name] for part in (head, tail))
    if dots and len(shape) >= len(first) + len(last):
        shape = shape[: len(first)] + shape[len(shape) - len(last) :]
    return len(shape) == len(first) + len(last) and all(map(_fits_axis, shape, first + last))


def _fits_axis(size: int, name: str) -> bool:
    if name.isdigit():
        return size == int(name)
    return size % 2 == 0 if name.startswith("2") else size > 0 or not name.startswith("n_")


def _kinds(letters: str) -> str:
    words = {"b": "booleans", "iu": "integers", "f": "real numbers", "c": "complex numbers"}
    return " or ".join(words[k] for k in words if k in letters)


def _range(low: float, high: float, low_open: bool) -> str:
    if low == 0 and low_open and high == np.inf:
        return "must be positive and finite"
    if high < np.inf:
        return f"must be in {'(' if low_open else '['}{low}, {high}]"
    bounds = f", {'greater than ' if low_open else ''}{low}{'' if low_open else ' or more'}"
    return f"must be a finite number{bounds if low > -np.inf else ''}"


def _kind(value):
    """Return NumPy's letter for the kind of a single value, or "" for several values."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows that differ in shape
        return ""
    return array.dtype.kind if array.ndim == 0 else ""


def _shown(value):
    return repr(value.tolist() if isinstance(value, np.generic | np.ndarray) else value)

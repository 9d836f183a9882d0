"""Fourier holographic reduced representations (FHRR): vector-symbolic algebra on phases.

A symbol is a vector of n phases (see :mod:`nengo_phasor.phases`), and thus of n phasors. Binding
rotates each phasor by the other symbol's, bundling adds phasors, and similarity is the mean cosine
of the phase differences (Plate, "Holographic Reduced Representation", CSLI 2003, chapter 4). All
functions act on the last axis or elementwise, and broadcast. A missing spike (NaN) is the phasor 0.
Values that are not phases, or have the wrong shape, raise a `nengo.exceptions.ValidationError`.

:mod:`nengo_phasor.spa` provides the same algebra for NengoSPA.
"""

from __future__ import annotations

import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike, NDArray

from nengo_phasor.checks import (
    check_array,
    check_integer,
    check_memory,
    check_positive_integer,
    check_together,
)
from nengo_phasor.listing import shows_public_names
from nengo_phasor.phases import (
    circular_mean,
    difference,
    from_complex,
    from_rows,
    to_rows,
    wrap,
)

__dir__ = shows_public_names(__name__)


def random(n: int, dimensions: int, seed: int | np.random.Generator | None = None) -> NDArray:
    """Draw n independent symbols, their phases uniform on the circle.

    The similarity of two of them has mean 0 and variance 1 / (2 dimensions).

    Parameters
    ----------
    n : int
        The number of symbols.
    dimensions : int
        The number of phases in each symbol.
    seed : int or numpy.random.Generator, optional
        The seed, or the generator to draw from.

    Returns
    -------
    (n, dimensions) ndarray

    Raises
    ------
    ValidationError
        If n or dimensions is not a positive integer, if the symbols do not fit into memory, or if
        seed is not valid.
    """
    check_positive_integer(n, "n")
    check_positive_integer(dimensions, "dimensions")
    check_memory(int(n) * int(dimensions), "dimensions")
    if seed is not None and not isinstance(seed, np.random.Generator):
        check_integer(seed, "seed", low=0)
    return np.random.default_rng(seed).uniform(-1, 1, size=(n, dimensions))


def identity(dimensions: int) -> NDArray:
    """Return the symbol that leaves any symbol bound to it unchanged: phase 0 throughout."""
    check_positive_integer(dimensions, "dimensions")
    check_memory(int(dimensions), "dimensions")
    return np.zeros(dimensions)


def inverse(a: ArrayLike) -> NDArray:
    """Return the symbol whose binding with ``a`` gives the identity."""
    return wrap(-check_array(a, "a", missing=True))


def bind(a: ArrayLike, b: ArrayLike) -> NDArray:
    """Bind two symbols by adding their phases. The result is similar to neither."""
    a, b = _both(a, b)
    return wrap(a + b)


def unbind(c: ArrayLike, a: ArrayLike) -> NDArray:
    """Recover b from ``c = bind(a, b)``."""
    c, a = _both(c, a, ("c", "a"))
    return difference(c, a)


def power(a: ArrayLike, exponent: ArrayLike) -> NDArray:
    """Bind a symbol to itself ``exponent`` times, which may be fractional or negative.

    A fractional power uses the phase in [-1, 1). It therefore inverts an integer power only up to
    whole turns.
    """
    a, exponent = check_array(a, "a", missing=True), check_array(exponent, "exponent")
    check_together("exponent", a, exponent)
    return wrap(a * exponent)


def bundle(symbols: ArrayLike, axis: int = 0, weights: ArrayLike | None = None) -> NDArray:
    """Superpose symbols by adding their phasors. The result is similar to each of them.

    Parameters
    ----------
    symbols : array_like
        The symbols, stacked along ``axis``.
    axis : int, optional
        The axis to superpose along.
    weights : array_like, optional
        Real weights that broadcast against ``symbols``.

    Returns
    -------
    ndarray
        The phases, in units of pi; NaN where phasors cancel out or all spikes are missing.
    """
    symbols = check_array(symbols, "symbols", missing=True)
    return circular_mean(symbols, axis=axis, weights=weights)


def similarity(a: ArrayLike, b: ArrayLike) -> NDArray:
    """Return the similarity of symbols: the mean of ``cos(pi (a - b))`` over the last axis.

    It is in [-1, 1]. A missing spike adds nothing to the sum, so a copy of ``a`` with half of the
    spikes missing has a similarity of 0.5 to ``a``.
    """
    a, b = _both(a, b, shape="(..., n)")
    cosines = np.cos(np.pi * (a - b))
    return np.where(np.isnan(cosines), 0, cosines).mean(axis=-1)


def to_vector(phase: ArrayLike) -> NDArray:
    """Return a real vector of unit length for a symbol, such that similarity is the dot product.

    Parameters
    ----------
    phase : (..., n) array_like
        The phases, in units of pi.

    Returns
    -------
    (..., 2 n) ndarray
        All real parts of the phasors, then all imaginary parts, divided by sqrt(n).
    """
    rows = to_rows(check_array(phase, "phase", "(..., n_phases)", missing=True))
    return rows / np.sqrt(rows.shape[-1] // 2)


def from_vector(vector: ArrayLike) -> NDArray:
    """Return the phases of a real vector of real parts, then imaginary parts, of any norm.

    Parameters
    ----------
    vector : (..., 2 n) array_like
        The vector, for example :func:`to_vector` of a symbol or a sum of such vectors.

    Returns
    -------
    (..., n) ndarray
        The phases, in units of pi; NaN where both parts are 0.

    Raises
    ------
    ValidationError
        If the number of dimensions is odd.
    """
    remedy = "give n real parts, then n imaginary parts, as to_vector does"
    return from_complex(from_rows(check_array(vector, "vector", "(..., 2n)", remedy=remedy)))


def _both(a, b, names=("a", "b"), shape="(...)"):
    """Return two symbols as arrays, after checking that they are phases and broadcast."""
    a, b = (
        check_array(x, name, shape, missing=True) for x, name in zip((a, b), names, strict=True)
    )
    if a.ndim and b.ndim and a.shape[-1] != b.shape[-1]:
        raise ValidationError(
            f"has {b.shape[-1]} phases, but {names[0]} has {a.shape[-1]}: give symbols of the same "
            "number of phases",
            names[1],
        )
    check_together(names[1], a, b)
    return a, b

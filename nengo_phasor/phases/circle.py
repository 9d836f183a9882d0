"""Phases on the circle: differences, phasors, means."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nengo_phasor.checks import check_array, check_integer, check_together, warn_outside


def wrap(phase: ArrayLike) -> NDArray:
    """Bring phases into [-1, 1).

    Parameters
    ----------
    phase : array_like
        Any angles, in units of pi.

    Returns
    -------
    ndarray
        The angles of the same directions in [-1, 1), exactly: an angle in this range is unchanged.
    """
    return wrapped(check_array(phase, "phase", missing=True))


def wrapped(phase):
    """Return `wrap` of an array that has been checked."""
    nearest = phase - 2 * np.rint(phase / 2)  # in [-1, 1]
    return np.where(nearest == 1, -1, nearest)[()]


def difference(a: ArrayLike, b: ArrayLike) -> NDArray:
    """Return the signed distance from phase b to phase a around the circle, in [-1, 1)."""
    a, b = check_array(a, "a", missing=True), check_array(b, "b", missing=True)
    check_together("b", a, b)
    return wrapped(a - b)


def to_complex(phase: ArrayLike) -> NDArray:
    """Return the phasor of each phase: ``exp(i pi phase)``, or 0 if the spike is missing (NaN)."""
    phase = check_array(phase, "phase", missing=True)
    warn_outside(phase)
    return _phasors(phase)


def _phasors(phase):
    missing = np.isnan(phase)
    return np.where(missing, 0, np.exp(1j * np.pi * np.where(missing, 0, phase)))[()]


def from_complex(z: ArrayLike) -> NDArray:
    """Return the phase of each complex number, ``angle(z) / pi`` in [-1, 1), or NaN for 0."""
    z = check_array(z, "z", kinds="iufc")
    return np.where(z == 0, np.nan, wrapped(np.angle(z) / np.pi))[()]


def to_rows(phase: ArrayLike) -> NDArray:
    """Convert phases, (..., n), to real then imaginary parts of their phasors, (..., 2n)."""
    phase = check_array(phase, "phase", "(..., n)", missing=True)
    warn_outside(phase)
    z = _phasors(phase)
    return np.concatenate([z.real, z.imag], axis=-1)


def from_rows(rows: ArrayLike) -> NDArray:
    """Convert real then imaginary parts, (..., 2n), to complex numbers, (..., n).

    Raises
    ------
    ValidationError
        If the last dimension is odd, or a value is not a finite number.
    """
    remedy = "give n real parts, then n imaginary parts, as to_rows does"
    real, imag = np.split(check_array(rows, "rows", "(..., 2n)", remedy=remedy), 2, axis=-1)
    return real + 1j * imag


def circular_mean(
    phases: ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    weights: ArrayLike | None = None,
) -> NDArray:
    """Return the phase of the (weighted) sum of phasors, ignoring missing spikes.

    Parameters
    ----------
    phases : array_like
        The phases, in units of pi; NaN is a missing spike.
    axis : int or tuple of int, optional
        The axis or axes to average over. By default all.
    weights : array_like, optional
        Real weights that broadcast against ``phases``. By default all are 1.

    Returns
    -------
    ndarray
        ``angle(sum_k w_k exp(i pi p_k)) / pi``; NaN where all spikes are missing or the phasors
        cancel out (opposite phases have no mean).

    Raises
    ------
    ValidationError
        If an axis does not exist, or the weights are not finite or do not broadcast.
    """
    phasors = _phasors(check_array(phases, "phases", missing=True))
    if weights is not None:
        weights = check_array(weights, "weights")
        check_together("weights", phasors, weights)
        phasors = phasors * weights
    for one in () if axis is None else np.atleast_1d(axis):
        check_integer(one, "axis", low=-phasors.ndim, high=phasors.ndim - 1)
    total = phasors.sum(axis=axis)
    rounding = 4 * np.finfo(total.dtype).eps * np.abs(phasors).sum(axis=axis)
    return from_complex(np.where(np.abs(total) > rounding, total, 0))

"""Phases, and what they stand for: phasors, spike times, spike rasters.

A phase is a real number in units of pi, in [-1, 1). Its complex value is ``exp(i pi phase)``. In
a cycle of period T that begins at t0 it is a spike at ``t0 + T (phase + 1) / 2``: phase 0, the
reference, is mid-cycle.

A missing spike is phase NaN and the complex value 0. Functions act elementwise and carry any
leading (batch) dimensions along.

Notes
-----
*Steps.* Nengo's step number k = 1, 2, ... ends at time k dt and is row k - 1 of a raster. Cycle c
owns the steps with ``c T < k dt - t0 <= (c + 1) T``, so the step on a border closes a cycle; a
cycle's first instant (phase -1) has no step of its own. Phases being circular, that instant is also
the cycle's end, and there the spike goes. So every phase has exactly one spike in each cycle,
inside the steps which that cycle owns, and :func:`from_raster` finds it in the same cycle.

*Accuracy.* The spike takes the step of its cycle that is nearest on the circle. If the steps per
cycle are a whole number, it is at most dt/2 off, so the decoded phase differs from the encoded one
by at most dt/T (wrapped). Otherwise the same holds except at the border, where the circle closes
with a gap of up to two steps: there the spike is less than dt off, the phase less than 2 dt/T.
Borders are found from the start, cycle by cycle, so nothing drifts.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike, NDArray

MIN_STEPS_PER_CYCLE = 4

# In steps. What is this close to a step is on it: 0.3 / 0.001 is 299.99999999999994, and single
# precision, on other backends, is coarser still.
STEP_TOLERANCE = 1e-4


def wrap(phase: ArrayLike) -> NDArray:
    """Bring phases into [-1, 1).

    Parameters
    ----------
    phase : array_like
        Any angle, in units of pi.

    Returns
    -------
    ndarray
        The angle of the same direction in [-1, 1), exact: one in range stays as it is.
    """
    phase = np.asarray(phase)
    nearest = phase - 2 * np.rint(phase / 2)  # in [-1, 1]
    return np.where(nearest == 1, -1, nearest)[()]


def difference(a: ArrayLike, b: ArrayLike) -> NDArray:
    """Signed distance from phase b to phase a around the circle, in [-1, 1)."""
    return wrap(np.subtract(a, b))


def to_complex(phase: ArrayLike) -> NDArray:
    """Phasor of each phase: ``exp(i pi phase)``, or 0 where the spike is missing (NaN)."""
    phase = np.asarray(phase)
    missing = np.isnan(phase)
    return np.where(missing, 0, np.exp(1j * np.pi * np.where(missing, 0, phase)))[()]


def from_complex(z: ArrayLike) -> NDArray:
    """Phase of each complex number, in [-1, 1): ``angle(z) / pi``; 0 has none and gives NaN."""
    z = np.asarray(z)
    return np.where(z == 0, np.nan, wrap(np.angle(z) / np.pi))[()]


def circular_mean(
    phases: ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    weights: ArrayLike | None = None,
) -> NDArray:
    """Phase of the (weighted) sum of phasors, leaving out missing spikes.

    Parameters
    ----------
    phases : array_like
        Phases; NaN is a missing spike.
    axis : int or tuple of int, optional
        Axis or axes to average over. By default all.
    weights : array_like, optional
        Real weights that broadcast against ``phases``. By default all 1.

    Returns
    -------
    ndarray
        ``angle(sum_k w_k exp(i pi p_k)) / pi``; NaN where all spikes are missing, and where the
        phasors cancel out (opposite phases have no mean).
    """
    phasors = to_complex(phases)
    if weights is not None:
        phasors = phasors * np.asarray(weights)
    total = phasors.sum(axis=axis)
    rounding = 4 * np.finfo(total.dtype).eps * np.abs(phasors).sum(axis=axis)
    return from_complex(np.where(np.abs(total) > rounding, total, 0))


def steps_per_cycle(frequency: float, dt: float) -> float:
    """Simulation steps in a cycle, not necessarily a whole number: ``1 / (frequency dt)``.

    Parameters
    ----------
    frequency : float
        Cycles per second, in Hz.
    dt : float
        Length of a simulation step, in seconds.

    Raises
    ------
    ValidationError
        If frequency or dt is not positive, or if there are fewer than 4 steps in a cycle: too few
        to tell phases apart.
    """
    _check_positive(frequency, "frequency")
    _check_positive(dt, "dt")
    steps = 1 / (frequency * dt)
    if steps < MIN_STEPS_PER_CYCLE - STEP_TOLERANCE:
        raise ValidationError(
            f"{frequency:g} Hz at dt = {dt:g} s has {steps:.3g} steps in a cycle and needs "
            f"{MIN_STEPS_PER_CYCLE}: use a frequency of at most {1 / MIN_STEPS_PER_CYCLE / dt:g} "
            f"Hz, or a dt of at most {1 / MIN_STEPS_PER_CYCLE / frequency:g} s",
            attr="frequency",
        )
    return steps


def to_times(phase: ArrayLike, frequency: float, n_cycles: int, t0: float = 0.0) -> NDArray:
    """Spike times of phases that repeat every cycle.

    Parameters
    ----------
    phase : (..., n) array_like
        Phases, wrapped if need be. NaN is a missing spike.
    frequency : float
        Cycles per second, in Hz.
    n_cycles : int
        Number of cycles.
    t0 : float, optional
        Beginning of the first cycle, in seconds.

    Returns
    -------
    (..., n, n_cycles) ndarray
        ``t0 + (c + (phase + 1) / 2) / frequency`` in seconds, for cycles c = 0, 1, ...; NaN for a
        missing spike.

    Raises
    ------
    ValidationError
        If frequency is not positive, or n_cycles not a positive integer.
    """
    _check_positive(frequency, "frequency")
    _check_n_cycles(n_cycles)
    return t0 + (np.arange(n_cycles) + (wrap(phase)[..., None] + 1) / 2) / frequency


def from_times(times: ArrayLike, frequency: float, t0: float = 0.0) -> NDArray:
    """Phase of each spike time, whichever cycle it is in.

    Parameters
    ----------
    times : array_like
        Spike times, in seconds. NaN is a missing spike.
    frequency : float
        Cycles per second, in Hz.
    t0 : float, optional
        Beginning of any one cycle, in seconds.

    Returns
    -------
    ndarray
        Phases, of the shape of ``times``; NaN for a missing spike.

    Raises
    ------
    ValidationError
        If frequency is not positive.
    """
    _check_positive(frequency, "frequency")
    return wrap(2 * frequency * (np.asarray(times) - t0) - 1)


def to_raster(phase: ArrayLike, frequency: float, n_cycles: int, dt: float) -> NDArray[np.bool_]:
    """Spike raster of phases that repeat every cycle, beginning at time 0.

    The module's notes say which step a phase takes, and how accurately.

    Parameters
    ----------
    phase : (..., n) array_like
        Phases, wrapped if need be. NaN is a missing spike.
    frequency : float
        Cycles per second, in Hz.
    n_cycles : int
        Number of cycles.
    dt : float
        Length of a simulation step, in seconds.

    Returns
    -------
    (..., n_steps, n) ndarray of bool
        True in the steps with a spike: one per cycle and phase, none where missing. Row k is
        Nengo's output at time (k + 1) dt.

    Raises
    ------
    ValidationError
        If frequency or dt is not positive, if a cycle has fewer than 4 steps, or if n_cycles is not
        a positive integer.
    """
    _check_n_cycles(n_cycles)
    period = steps_per_cycle(frequency, dt)
    borders = _borders(period, n_cycles)
    first, last = borders[:-1, None] + 1, borders[1:, None]

    phase = wrap(phase)[..., None, :]
    present = ~np.isnan(phase)
    position = period * (np.arange(n_cycles)[:, None] + (np.where(present, phase, 0) + 1) / 2)
    # The circle opened before the cycle's first step: positions in [first, first + period).
    position = np.where(position < first, position + period, position)
    closing = (last + first + period) / 2
    step = np.where(position <= closing, np.minimum(np.rint(position), last), first).astype(int)

    raster = np.zeros((*step.shape[:-2], borders[-1], step.shape[-1]), dtype=bool)
    np.put_along_axis(raster, step - 1, np.broadcast_to(present, step.shape), axis=-2)
    return raster


def from_raster(
    raster: ArrayLike,
    frequency: float,
    dt: float,
    n_cycles: int | None = None,
    t0: float = 0.0,
    missing: float = np.nan,
) -> NDArray:
    """Phases of the spikes in a raster, cycle by cycle.

    A spike counts for the cycle that owns its step (see the module's notes). Of several spikes in a
    cycle the first is taken.

    Parameters
    ----------
    raster : (..., n_steps, n) array_like
        Spikes: anything other than 0, such as the amplitude/dt of a probed Nengo neuron. Row k is
        the output at time (k + 1) dt.
    frequency : float
        Cycles per second, in Hz.
    dt : float
        Length of a simulation step, in seconds.
    n_cycles : int, optional
        Number of cycles to decode. By default all complete ones.
    t0 : float, optional
        Beginning of the first cycle, in seconds; steps up to there are left out.
    missing : float, optional
        What stands for the phase of a missing spike.

    Returns
    -------
    (..., n_cycles, n) ndarray
        Phases in [-1, 1): of step k in cycle c, ``2 ((k dt - t0) / T - c) - 1``, wrapped.

    Raises
    ------
    ValidationError
        If frequency or dt is not positive, if a cycle has fewer than 4 steps, if n_cycles is not a
        positive integer, if t0 is negative, or if the raster ends before its last cycle.
    """
    if not t0 >= 0:
        raise ValidationError(f"must not be negative, got {t0}: give a later cycle", attr="t0")
    raster = np.asarray(raster)
    n_steps, n = raster.shape[-2:]
    period = steps_per_cycle(frequency, dt)
    start = t0 / dt
    if n_cycles is None:
        n_cycles = max(1, int(np.ceil((n_steps + 1 - STEP_TOLERANCE - start) / period)) - 1)
    _check_n_cycles(n_cycles)
    borders = _borders(period, n_cycles, start)
    if borders[-1] > n_steps:
        raise ValidationError(
            f"has {n_steps} steps, but {n_cycles} cycle(s) of {period:g} steps from t0 = {t0:g} s "
            f"on end at step {borders[-1]}: run for longer, or decode fewer cycles",
            attr="raster",
        )

    phases = np.empty((*raster.shape[:-2], n_cycles, n))
    for cycle, (begin, end) in enumerate(pairwise(borders)):
        spikes = raster[..., begin:end, :] != 0
        first = spikes.argmax(axis=-2)
        found = np.take_along_axis(spikes, first[..., None, :], axis=-2)[..., 0, :]
        step_phases = wrap(2 * ((np.arange(begin, end) + 1 - start) / period - cycle) - 1)
        phases[..., cycle, :] = np.where(found, step_phases[first], missing)
    return phases


def _borders(period: float, n_cycles: int, start: float = 0.0) -> NDArray[np.int_]:
    """Last step number up to each cycle's beginning, and up to the last one's end."""
    return np.floor(start + period * np.arange(n_cycles + 1) + STEP_TOLERANCE).astype(int)


def _check_positive(value: float, attr: str) -> None:
    if not 0 < value < np.inf:
        raise ValidationError(f"must be positive and finite, got {value}", attr=attr)


def _check_n_cycles(n_cycles: int) -> None:
    if not isinstance(n_cycles, int | np.integer) or n_cycles < 1:
        raise ValidationError(f"must be a positive integer, got {n_cycles}", attr="n_cycles")

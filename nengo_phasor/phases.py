"""Phases, and what they stand for: phasors, spike times, spike rasters.

A phase is a real number in units of pi, in [-1, 1). Its complex value is ``exp(i pi phase)``. In
a cycle of period T that begins at t0 it is a spike at ``t0 + T (phase + 1) / 2``: phase 0, the
reference, is mid-cycle.

A missing spike is phase NaN and the complex value 0. Functions act elementwise and carry any
leading (batch) dimensions along. Phases outside [-1, 1] stand for the same direction, with a
warning, because most are degrees or radians; `wrap` brings them into the range without one. Phases
that are no numbers, or infinite, are refused with a `nengo.exceptions.ValidationError`, as are
complex numbers that are NaN: a network that diverged has no missing spikes.

Notes
-----
*Steps.* Row k = 0, 1, ... of a raster is Nengo's output at time (k + 1) dt and stands for the time
from k dt to (k + 1) dt. A spike is in the step that contains its time, as a neuron's is in the step
in which it crosses its threshold, and is decoded as the middle of that step. So a phase is decoded
at most dt/2 off, dt/T in phase, and nothing drifts.

*Cycles.* A step belongs to the cycle that its middle is in. Unless a cycle is a whole number of
steps, one step is on each border, so a phase less than 2 dt/T from the border can be decoded in the
cycle next to its own.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike, NDArray

from nengo_phasor.checks import (
    check_array,
    check_integer,
    check_memory,
    check_number,
    check_positive,
    check_positive_integer,
    check_spikes,
    check_together,
    warn_outside,
)
from nengo_phasor.listing import public_names

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
    return _wrapped(check_array(phase, "phase", missing=True))


def _wrapped(phase):
    nearest = phase - 2 * np.rint(phase / 2)  # in [-1, 1]
    return np.where(nearest == 1, -1, nearest)[()]


def difference(a: ArrayLike, b: ArrayLike) -> NDArray:
    """Signed distance from phase b to phase a around the circle, in [-1, 1)."""
    a, b = check_array(a, "a", missing=True), check_array(b, "b", missing=True)
    check_together("b", a, b)
    return _wrapped(a - b)


def to_complex(phase: ArrayLike) -> NDArray:
    """Phasor of each phase: ``exp(i pi phase)``, or 0 where the spike is missing (NaN)."""
    phase = check_array(phase, "phase", missing=True)
    warn_outside(phase)
    return _phasors(phase)


def _phasors(phase):
    missing = np.isnan(phase)
    return np.where(missing, 0, np.exp(1j * np.pi * np.where(missing, 0, phase)))[()]


def from_complex(z: ArrayLike) -> NDArray:
    """Phase of each complex number, in [-1, 1): ``angle(z) / pi``; 0 has none and gives NaN."""
    z = check_array(z, "z", kinds="iufc")
    return np.where(z == 0, np.nan, _wrapped(np.angle(z) / np.pi))[()]


def to_rows(phase: ArrayLike) -> NDArray:
    """Phasors of phases as real numbers, (..., n) to (..., 2n): real parts, imaginary parts."""
    phase = check_array(phase, "phase", "(..., n)", missing=True)
    warn_outside(phase)
    z = _phasors(phase)
    return np.concatenate([z.real, z.imag], axis=-1)


def from_rows(rows: ArrayLike) -> NDArray:
    """Complex numbers of `to_rows`' form: (..., 2n) to (..., n).

    Raises
    ------
    ValidationError
        If the last dimension is odd, or something no finite number.
    """
    remedy = "give n real and then n imaginary parts, as to_rows does"
    real, imag = np.split(check_array(rows, "rows", "(..., 2n)", remedy=remedy), 2, axis=-1)
    return real + 1j * imag


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

    Raises
    ------
    ValidationError
        If there is no such axis, or the weights are not finite or don't broadcast.
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
    check_positive(frequency, "frequency")
    check_positive(dt, "dt")
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
        If frequency is not positive, n_cycles not a positive integer, or so great that the times
        don't fit into memory.
    """
    check_positive(frequency, "frequency")
    check_number(t0, "t0")
    phase = _repeated(phase, n_cycles)
    warn_outside(phase)
    return t0 + (np.arange(n_cycles) + (_wrapped(phase)[..., None] + 1) / 2) / frequency


def _repeated(phase, n_cycles):
    """Return phases, once there are known to be few enough to be repeated so often."""
    phase = check_array(phase, "phase", missing=True)
    check_positive_integer(n_cycles, "n_cycles")
    check_memory(phase.size * int(n_cycles), "n_cycles")
    return phase


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
    check_positive(frequency, "frequency")
    check_number(t0, "t0")
    return _wrapped(2 * frequency * (check_array(times, "times", missing=True) - t0) - 1)


def to_steps(phase: ArrayLike, frequency: float, n_cycles: int, dt: float) -> NDArray[np.int_]:
    """Time steps, the first being 0, of phases that repeat every cycle from time 0 on.

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
    (..., n, n_cycles) ndarray of int
        ``floor((c + (phase + 1) / 2) / (frequency dt))`` for cycles c = 0, 1, ...; -1 for a missing
        spike.

    Raises
    ------
    ValidationError
        If frequency or dt is not positive, if a cycle has fewer than 4 steps, or if n_cycles is not
        a positive integer, or so great that the steps don't fit into memory.
    """
    phase = _repeated(phase, n_cycles)
    period = steps_per_cycle(frequency, dt)
    late = _wrapped(phase + 2 * STEP_TOLERANCE / period)
    steps = np.floor((np.arange(n_cycles) + (late[..., None] + 1) / 2) * period)
    return np.where(np.isnan(steps), -1, steps).astype(int)


def to_raster(phase: ArrayLike, frequency: float, n_cycles: int, dt: float) -> NDArray[np.bool_]:
    """Spike raster of phases that repeat every cycle, beginning at time 0.

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
        Nengo's output at time (k + 1) dt. The last cycle's last step is whole.

    Raises
    ------
    ValidationError
        As `to_steps`, or if phase is a single number.
    """
    remedy = "give a single number as a list of one"
    phase = check_array(phase, "phase", "(..., n)", missing=True, remedy=remedy)
    warn_outside(phase)
    check_positive_integer(n_cycles, "n_cycles")
    n_steps = int(np.ceil(n_cycles * steps_per_cycle(frequency, dt) - STEP_TOLERANCE))
    check_memory(phase.size * n_steps // 8, "n_cycles")
    steps = np.moveaxis(to_steps(phase, frequency, n_cycles, dt), -1, -2)
    raster = np.zeros((*steps.shape[:-2], n_steps, steps.shape[-1]), dtype=bool)
    np.put_along_axis(raster, np.clip(steps, 0, n_steps - 1), steps >= 0, axis=-2)
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

    Of several spikes in a cycle the first is taken.

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
        Beginning of the first cycle, in seconds.
    missing : float, optional
        What stands for the phase of a missing spike.

    Returns
    -------
    (..., n_cycles, n) ndarray
        Phases in [-1, 1): of row k in cycle c, ``2 (((k + 1/2) dt - t0) / T - c) - 1``.

    Raises
    ------
    ValidationError
        If frequency or dt is not positive, if a cycle has fewer than 4 steps, if n_cycles is not a
        positive integer, if t0 is negative, if missing is no number, if the raster has fewer than
        two dimensions or ends before its last cycle, or if it is of no spikes: NaN, or other than 0
        all through a cycle.
    """
    check_number(t0, "t0", low=0)
    check_array(missing, "missing", "()", missing=True)
    raster = check_spikes(raster, "raster")
    n_steps, n = raster.shape[-2:]
    period = steps_per_cycle(frequency, dt)
    start = t0 / dt
    if n_cycles is None:
        n_cycles = max(1, int((n_steps - start + STEP_TOLERANCE) / period))
    check_positive_integer(n_cycles, "n_cycles")

    def first_step(cycle):
        """Return the first step whose middle is in the cycle."""
        return np.ceil(start + period * cycle - 0.5 - STEP_TOLERANCE).astype(int)

    if first_step(n_cycles) > n_steps:
        raise ValidationError(
            f"has {n_steps} steps, but {n_cycles} cycle(s) of {period:g} steps from t0 = {t0:g} s "
            f"on end at step {first_step(n_cycles)}: run for longer, or decode fewer cycles",
            attr="raster",
        )

    phases = np.empty((*raster.shape[:-2], n_cycles, n))
    for cycle, (begin, end) in enumerate(pairwise(first_step(np.arange(n_cycles + 1)))):
        spikes = raster[..., begin:end, :] != 0
        if spikes.all(axis=-2).any():
            raise ValidationError(
                f"is of no spikes: all {end - begin} values of cycle {cycle} are other than 0, of "
                "one neuron at least. Probe `ensemble.neurons` without a synapse",
                attr="raster",
            )
        first = spikes.argmax(axis=-2)
        found = np.take_along_axis(spikes, first[..., None, :], axis=-2)[..., 0, :]
        step_phases = _wrapped(2 * ((np.arange(begin, end) + 0.5 - start) / period - cycle) - 1)
        phases[..., cycle, :] = np.where(found, step_phases[first], missing)
    return phases


def __dir__():
    return public_names(__name__)

"""Phases in time: cycles, spike times, steps and rasters."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike, NDArray

from nengo_phasor.checks import (
    check_array,
    check_memory,
    check_number,
    check_positive,
    check_positive_integer,
    check_spikes,
    warn_outside,
)
from nengo_phasor.phases.circle import wrapped

MIN_STEPS_PER_CYCLE = 4

# In steps. A time this close to a step boundary counts as on it: 0.3 / 0.001 is
# 299.99999999999994, and single precision, on other backends, is coarser still.
STEP_TOLERANCE = 1e-4


def steps_per_cycle(frequency: float, dt: float) -> float:
    """Return the number of time steps in a cycle, ``1 / (frequency dt)``, which may be fractional.

    Parameters
    ----------
    frequency : float
        The frequency of the rhythm, in Hz.
    dt : float
        The time step, in seconds.

    Raises
    ------
    ValidationError
        If frequency or dt is not positive, or if a cycle has fewer than 4 steps, which are too few
        to tell phases apart.
    """
    check_positive(frequency, "frequency")
    check_positive(dt, "dt")
    steps = 1 / (frequency * dt)
    if steps < MIN_STEPS_PER_CYCLE - STEP_TOLERANCE:
        raise ValidationError(
            f"{frequency:g} Hz at dt = {dt:g} s has {steps:.3g} steps in a cycle but needs "
            f"{MIN_STEPS_PER_CYCLE}: use a frequency of at most {1 / MIN_STEPS_PER_CYCLE / dt:g} "
            f"Hz, or a dt of at most {1 / MIN_STEPS_PER_CYCLE / frequency:g} s",
            attr="frequency",
        )
    return steps


def to_times(phase: ArrayLike, frequency: float, n_cycles: int, t0: float = 0.0) -> NDArray:
    """Return the spike times of phases that repeat every cycle.

    Parameters
    ----------
    phase : (..., n) array_like
        The phases, in units of pi, which are wrapped if necessary. NaN is a missing spike.
    frequency : float
        The frequency of the rhythm, in Hz.
    n_cycles : int
        The number of cycles.
    t0 : float, optional
        The beginning of the first cycle, in seconds.

    Returns
    -------
    (..., n, n_cycles) ndarray
        ``t0 + (c + (phase + 1) / 2) / frequency`` in seconds, for cycles c = 0, 1, ...; NaN for a
        missing spike.

    Raises
    ------
    ValidationError
        If frequency is not positive, if n_cycles is not a positive integer, or if the times do not
        fit into memory.
    """
    check_positive(frequency, "frequency")
    check_number(t0, "t0")
    phase = _repeated(phase, n_cycles)
    warn_outside(phase)
    return t0 + (np.arange(n_cycles) + (wrapped(phase)[..., None] + 1) / 2) / frequency


def _repeated(phase, n_cycles):
    """Return the phases as an array, after checking that their repetitions fit into memory."""
    phase = check_array(phase, "phase", missing=True)
    check_positive_integer(n_cycles, "n_cycles")
    check_memory(phase.size * int(n_cycles), "n_cycles")
    return phase


def from_times(times: ArrayLike, frequency: float, t0: float = 0.0) -> NDArray:
    """Return the phase of each spike time, whichever cycle it is in.

    Parameters
    ----------
    times : array_like
        The spike times, in seconds. NaN is a missing spike.
    frequency : float
        The frequency of the rhythm, in Hz.
    t0 : float, optional
        The beginning of any one of the cycles, in seconds.

    Returns
    -------
    ndarray
        The phases, in units of pi, in the shape of ``times``; NaN for a missing spike.

    Raises
    ------
    ValidationError
        If frequency is not positive.
    """
    check_positive(frequency, "frequency")
    check_number(t0, "t0")
    return wrapped(2 * frequency * (check_array(times, "times", missing=True) - t0) - 1)


def to_steps(phase: ArrayLike, frequency: float, n_cycles: int, dt: float) -> NDArray[np.int_]:
    """Return the time steps, from 0, of phases that repeat every cycle beginning at time 0.

    Parameters
    ----------
    phase : (..., n) array_like
        The phases, in units of pi, which are wrapped if necessary. NaN is a missing spike.
    frequency : float
        The frequency of the rhythm, in Hz.
    n_cycles : int
        The number of cycles.
    dt : float
        The time step, in seconds.

    Returns
    -------
    (..., n, n_cycles) ndarray of int
        ``floor((c + (phase + 1) / 2) / (frequency dt))`` for cycles c = 0, 1, ...; -1 for a missing
        spike.

    Raises
    ------
    ValidationError
        If frequency or dt is not positive, if a cycle has fewer than 4 steps, or if n_cycles is not
        a positive integer or the steps do not fit into memory.
    """
    phase = _repeated(phase, n_cycles)
    period = steps_per_cycle(frequency, dt)
    late = wrapped(phase + 2 * STEP_TOLERANCE / period)
    steps = np.floor((np.arange(n_cycles) + (late[..., None] + 1) / 2) * period)
    return np.where(np.isnan(steps), -1, steps).astype(int)


def to_raster(phase: ArrayLike, frequency: float, n_cycles: int, dt: float) -> NDArray[np.bool_]:
    """Return the spike raster of phases that repeat every cycle, beginning at time 0.

    Parameters
    ----------
    phase : (..., n) array_like
        The phases, in units of pi, which are wrapped if necessary. NaN is a missing spike.
    frequency : float
        The frequency of the rhythm, in Hz.
    n_cycles : int
        The number of cycles.
    dt : float
        The time step, in seconds.

    Returns
    -------
    (..., n_steps, n) ndarray of bool
        True in the steps with a spike, of which each phase has one per cycle unless it is missing.
        Row k is Nengo's output at time (k + 1) dt. The number of steps is rounded up, so that the
        last cycle is complete.

    Raises
    ------
    ValidationError
        For the reasons given in `to_steps`, or if phase is a single number.
    """
    remedy = "give a single number as a list of length one"
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
    """Return the phases of the spikes in a raster, cycle by cycle.

    If a cycle has several spikes, the first is taken.

    Parameters
    ----------
    raster : (..., n_steps, n) array_like
        The raster, in which every non-zero value is a spike, such as the amplitude/dt of a probed
        Nengo neuron. Row k is the output at time (k + 1) dt.
    frequency : float
        The frequency of the rhythm, in Hz.
    dt : float
        The time step, in seconds.
    n_cycles : int, optional
        The number of cycles to decode. By default all complete cycles.
    t0 : float, optional
        The beginning of the first cycle, in seconds.
    missing : float, optional
        The value that represents the phase of a missing spike.

    Returns
    -------
    (..., n_cycles, n) ndarray
        The phases in [-1, 1), in units of pi. The phase of row k in cycle c is
        ``2 (((k + 1/2) dt - t0) / T - c) - 1``.

    Raises
    ------
    ValidationError
        If frequency or dt is not positive, if a cycle has fewer than 4 steps, if n_cycles is not a
        positive integer, if t0 is negative, if missing is not a number, if the raster has fewer
        than two dimensions or ends before its last cycle, or if it is not a spike raster because it
        contains NaN or a neuron is non-zero throughout a cycle.
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
                "is not a spike raster: at least one neuron is non-zero at every step of cycle "
                f"{cycle}. Probe `ensemble.neurons` without a synapse",
                attr="raster",
            )
        first = spikes.argmax(axis=-2)
        found = np.take_along_axis(spikes, first[..., None, :], axis=-2)[..., 0, :]
        step_phases = wrapped(2 * ((np.arange(begin, end) + 0.5 - start) / period - cycle) - 1)
        phases[..., cycle, :] = np.where(found, step_phases[first], missing)
    return phases


def from_reference(
    raster: ArrayLike,
    reference: ArrayLike,
    frequency: float,
    dt: float,
    n_cycles: int,
    missing: float = np.nan,
) -> NDArray:
    """Return the phases of the spikes in a raster relative to the spikes of a reference neuron.

    No clock is needed: a cycle is the period centred on a spike of the reference neuron, such as
    the unit of a `.LocalRhythm`. If a neuron has several spikes in a cycle, the first is taken.

    Parameters
    ----------
    raster : (..., n_steps, n) array_like
        The raster, as in `from_raster`.
    reference : (..., n_steps, 1) array_like
        The spikes of the reference neuron.
    frequency : float
        The frequency of the rhythm, in Hz.
    dt : float
        The time step, in seconds.
    n_cycles : int
        The number of cycles: those of the first n_cycles spikes of the reference neuron.
    missing : float, optional
        The value that represents the phase of a missing spike. Phases in a cycle that the reference
        neuron did not begin, or that the raster does not contain as a whole, are missing.

    Returns
    -------
    (..., n_cycles, n) ndarray
        The phases in [-1, 1), in units of pi: 2 (t - t_reference) / T.

    Raises
    ------
    ValidationError
        If frequency or dt is not positive, if a cycle has fewer than 4 steps, if n_cycles is not a
        positive integer, if missing is not a number, or if raster or reference has the wrong shape
        or is not a spike raster.
    """
    raster, reference = check_spikes(raster, "raster"), check_spikes(reference, "reference")
    period = steps_per_cycle(frequency, dt)
    check_positive_integer(n_cycles, "n_cycles")
    check_array(missing, "missing", "()", missing=True)
    if reference.shape != (*raster.shape[:-1], 1):
        raise ValidationError(
            f"has shape {reference.shape}, but the raster needs {(*raster.shape[:-1], 1)}: one "
            "neuron, in the same steps",
            attr="reference",
        )
    n_steps, n = raster.shape[-2:]
    spikes = raster.reshape(-1, n_steps, n) != 0
    given = reference.reshape(-1, n_steps) != 0
    offsets = np.arange(np.ceil(-period / 2), np.ceil(period / 2)).astype(int)
    phases = np.full((len(spikes), n_cycles, n), float(missing))
    order = np.cumsum(given, axis=1)
    for cycle in range(n_cycles):
        (item, step) = np.nonzero(given & (order == cycle + 1))
        whole = (step + offsets[0] >= 0) & (step + offsets[-1] < n_steps)
        item, step = item[whole], step[whole]
        near = spikes[item[:, None], step[:, None] + offsets]
        first = wrapped(2 * offsets / period)[near.argmax(axis=1)]
        phases[item, cycle] = np.where(near.any(axis=1), first, missing)
    return phases.reshape(*raster.shape[:-2], n_cycles, n)

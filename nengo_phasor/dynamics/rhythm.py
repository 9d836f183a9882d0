"""The equations of synapses: the phase of the rhythm, and which spikes pass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nengo_phasor.dynamics.resonance import Rotation, resonate, rotation
from nengo_phasor.listing import shows_public_names
from nengo_phasor.phases import STEP_TOLERANCE

__dir__ = shows_public_names(__name__)

Array = Any


def cycle_phase(xp, step: Array, steps_per_cycle: float):
    """Return the phase of the rhythm in the middle of time step number ``step`` (the first is 1).

    The phase is in units of pi, in [-1, 1): 0, the reference, is the middle of the cycle. A middle
    of a step that falls on the boundary of a cycle (within rounding) belongs to the later cycle
    (see `.phases`).
    """
    cycles = (step - 0.5 + STEP_TOLERANCE) / steps_per_cycle
    return 2.0 * (cycles - xp.floor(cycles)) - 1.0


def spikes_at_phase(xp, phase: Array, step: Array, steps_per_cycle: float):
    """Return whether the spike that represents ``phase`` falls into time step number ``step``.

    In every cycle the spike is due at the fraction (phase + 1)/2 of the period (see `.phases`).
    """
    start = (step - 1.0 - STEP_TOLERANCE) / steps_per_cycle
    wait = 0.5 * (phase + 1.0) - start
    return wait - xp.floor(wait) < 1.0 / steps_per_cycle


def outside_arc(xp, step: Array, arc: float, steps_per_cycle: float):
    """Return whether this time step's phase is outside the arc [-arc, arc)."""
    phase = cycle_phase(xp, step, steps_per_cycle)
    return (phase < -arc) | (phase >= arc)


# Makes ties at the window's boundary, caused by single spikes, silent regardless of rounding.
FIELD_TOLERANCE = 1e-6


class FieldConstants(NamedTuple):
    """The constants of `rhythm_silences`."""

    rotation: Rotation
    dt: float
    border: float
    bar: float


def field_constants(window: float, frequency: float, memory: float, dt: float) -> FieldConstants:
    """Return the constants of a field whose time constant is ``memory`` seconds.

    A window of 1 is the whole period and silences spikes even before there is a rhythm. A window of
    0 is empty, even when the rhythm has faded so far that its squares are no longer exact.
    """
    bar = {0.0: np.inf, 1.0: -1.0}.get(window, 0.0)
    border = np.cos(np.pi * window) - FIELD_TOLERANCE
    return FieldConstants(rotation(frequency, memory, dt), dt, border, bar)


def rhythm_silences(xp, activity: Array, voltage: Array, current: Array, c: FieldConstants):
    """Predict from the rhythm so far whether this time step is silent, and advance the rhythm.

    The layer's activity (its mean number of spikes a second, for each item of a batch) drives a
    resonator, which represents the local field, band-passed at the rhythm's frequency. The field
    rises most steeply when most spikes arrive, which is when the resonator's phase is zero. A step
    is silent if this phase, predicted from earlier steps only, is close to zero (`field_rises`).

    Returns
    -------
    silent, voltage, current
    """
    ahead = resonate(xp.zeros_like(activity), voltage, current, c.rotation, c.dt)
    drive = field_drive(xp, activity) * c.dt
    return field_rises(xp, *ahead, c), ahead[0] + drive, ahead[1]


def field_drive(xp, activity: Array):
    """Return the drive of the field: the activity, or 0 if that is not finite."""
    return xp.where(xp.abs(activity) < np.inf, activity, xp.zeros_like(activity))


def field_rises(xp, voltage: Array, current: Array, c: FieldConstants):
    """Return whether the phase is within half a window of zero: ``Re z > |z| cos(pi window)``."""
    size = xp.sqrt(voltage * voltage + current * current)
    return voltage - c.border * size > c.bar


def around_spikes(xp, since: Array, window: float, steps_per_cycle: float):
    """Return whether a step is within a window around the spikes of a neuron that spikes regularly.

    ``since`` is the number of steps since the neuron's latest spike. The next ones are expected a
    period later each. The window is the fraction of the period, from half of it before each spike
    to half of it after.
    """
    cycles = (since + STEP_TOLERANCE) / steps_per_cycle + 0.5 * window
    return cycles - xp.floor(cycles) < window


def steps_since(xp, spiked: Array, since: Array):
    """Count steps since the latest spike, from 1 in the step of the spike; 0 before the first."""
    return xp.where(spiked, xp.ones_like(since), xp.where(since > 0, since + 1.0, since))


def excite(inhibition: Array, sent: Array, keep: Array):
    """Advance an inhibitory neuron: its potential decays, and the spikes just sent excite it.

    ``sent`` is the fraction of the layer that sent a spike in this step.
    """
    return keep * inhibition + sent


def assume_reference(xp, spikes: Array, heard: Array, at_reference: Array):
    """Assume, once per cycle, a spike at the reference phase from each neuron that was silent.

    ``spikes`` is the number of spikes in this step, and ``heard`` the number of spikes received in
    the earlier steps since the last reference. ``at_reference`` is true in the step of the
    reference phase.

    Returns
    -------
    spikes, heard
    """
    heard = heard + spikes
    return (
        xp.where(at_reference, spikes + 1.0 - heard, spikes),
        xp.where(at_reference, xp.zeros_like(heard), heard),
    )


def mixed(x: Array):
    """Return a one-to-one hash of unsigned 32-bit integers."""
    # 'lowbias32' (C. Wellons, public domain), its right shifts written as divisions
    x = (x ^ (x // 2**16)) * 0x7FEB352D
    x = (x ^ (x // 2**15)) * 0x846CA68B
    return x ^ (x // 2**16)


def random_key(seed: Array, item: Array):
    """Return the key that `dropped_at_random` takes for a seed and an item of the batch.

    Both are unsigned 32-bit arrays. If they were added, item 1 of a seed would equal item 0 of the
    next seed.
    """
    return mixed(mixed(seed) ^ item)


def dropped_at_random(key: Array, step: Array, index: Array, limit: Array):
    """Return whether to drop the spike of neuron ``index`` in time step ``step``.

    This is a counter-based generator: unlike a stream, it makes the same choice on every substrate,
    in whatever order the choices are made. All arguments are unsigned 32-bit arrays; a spike is
    dropped with probability limit / 2**31.
    """
    return mixed(mixed(mixed(key) ^ step) ^ index) // 2 < limit

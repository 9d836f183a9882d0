"""The equations of neurons that resonate and of phasors; see `nengo_phasor.dynamics`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

Array = Any


class Rotation(NamedTuple):
    """One step of a damped rotation, exp((-1/tau + 2 pi i f) dt), as real and imaginary part."""

    cos: Array
    sin: Array


def rotation(frequency: Array, tau: Array, dt: float) -> Rotation:
    """Return the real and imaginary parts of exp((-1/tau + 2 pi i frequency) dt).

    Parameters
    ----------
    frequency : float or array
        The frequency, in Hz.
    tau : float or array
        The time constant of the decay, in seconds.
    dt : float
        The time step, in seconds.
    """
    factor = np.exp((-1.0 / np.asarray(tau) + 2j * np.pi * np.asarray(frequency)) * dt)
    return Rotation(factor.real, factor.imag)


def resonate(
    J: Array, voltage: Array, current: Array, step: Rotation, dt: float
) -> tuple[Array, Array]:
    """Advance a damped oscillator: z <- exp((-1/tau + 2 pi i f) dt) z + J dt.

    This integrates dz/dt = (-1/tau + 2 pi i f) z + J exactly for an input that arrives at the end
    of the step. The voltage is Re z, the current Im z (Izhikevich 2001, equation 1).

    Returns
    -------
    voltage, current
    """
    return (
        step.cos * voltage - step.sin * current + J * dt,
        step.sin * voltage + step.cos * current,
    )


class ResonateAndFireConstants(NamedTuple):
    """The constants of `resonate_and_fire`.

    ``height`` is the height of a spike, amplitude/dt. ``lean`` is the tangent of the angle by which
    a crossing is detected early, which corresponds to `STEP_TOLERANCE` (half a step in neurons that
    bind).
    """

    cos: Array
    sin: Array
    dt: Array
    threshold: Array
    height: Array
    lean: Array


def resonate_and_fire(
    J: Array, voltage: Array, current: Array, c: ResonateAndFireConstants, heaviside: Callable
):
    """Advance a resonator; spike when the current crosses zero upwards at a high enough voltage.

    At the crossing Re z is at its maximum, and the neuron's phase is zero. ``heaviside`` is the
    step function, H(x) = 1 for x >= 0, with whatever derivative training needs. A crossing that
    falls on a step boundary (within rounding) counts as happening in the earlier step. This occurs
    when all input is at the reference phase.

    Returns
    -------
    output, voltage, current
    """
    new_voltage, new_current = resonate(J, voltage, current, Rotation(c.cos, c.sin), c.dt)
    spike = peaked(voltage, current, new_voltage, new_current, c, heaviside)
    return spike * c.height, new_voltage, new_current


def peaked(
    voltage: Array,
    current: Array,
    new_voltage: Array,
    new_current: Array,
    c: ResonateAndFireConstants,
    heaviside: Callable,
):
    """Return 1 if a resonator went through a peak between two states that reaches the threshold."""
    is_up = heaviside(new_current + c.lean * new_voltage)
    crossing = is_up - is_up * heaviside(current + c.lean * voltage)
    return crossing * heaviside(above_threshold(new_voltage, new_current, c.threshold))


def above_threshold(voltage: Array, current: Array, threshold: Array):
    """Return how far the most recent peak of the voltage, abs(z), is above a threshold.

    The peak is where the current crossed zero, which is somewhere between two steps. The fewer
    steps a cycle has, the lower the voltage at the step after the peak. For a positive voltage, as
    at every peak, the sign is exactly that of abs(z) - threshold; the magnitude agrees to second
    order.
    """
    power = voltage * abs(voltage) + current * current
    return (power - threshold * threshold) / (abs(voltage) + threshold)


def unit_phasor(xp, real: Array, imag: Array, floor: float) -> tuple[Array, Array]:
    """Return ``z / |z|``, or 0 if ``|z| <= floor``, where there is no phase.

    Such small values are replaced by 1 in the square root and the quotient, because the gradient
    through either would be infinite there even though its result is not used.
    """
    power = real * real + imag * imag
    heard = power > floor * floor
    safe = xp.where(heard, power, xp.ones_like(power))
    scale = xp.where(heard, 1.0 / xp.sqrt(safe), xp.zeros_like(power))
    return real * scale, imag * scale


def turned(real: Array, imag: Array, by_real: Array, by_imag: Array):
    """Return the product of two complex numbers; that with a phasor of length 1 is a rotation."""
    return real * by_real - imag * by_imag, real * by_imag + imag * by_real


def bind_phasors(xp, real: Array, imag: Array, floor: float):
    """Return ``x y conj(r)`` for unit phasors x, y and r, which adds phases: x + y - r.

    Parameters
    ----------
    real, imag : (..., 3, n) array
        The real and imaginary parts of x, y and r, each of which is normalised first (see
        `unit_phasor`). Where one of them has no phase, the result is 0.

    Returns
    -------
    (..., 2, 3, n) array
        The real and imaginary parts of the product in the place of x; 0 in those of y and r.
    """
    x, y, (cos_r, sin_r) = (
        unit_phasor(xp, real[..., k, :], imag[..., k, :], floor) for k in range(3)
    )
    cos, sin = turned(*y, cos_r, -sin_r)
    parts = turned(*x, cos, sin)
    return xp.stack([xp.stack([z, xp.zeros_like(z), xp.zeros_like(z)], -2) for z in parts], -3)


def demodulated(xp, voltage: tuple, current: tuple, floor: float):
    """Return ``y conj(r)`` for the states of resonators y and r, normalised by `unit_phasor`.

    In a steady rhythm it changes slowly. Its phase is that of y relative to r.
    """
    cos_y, sin_y = unit_phasor(xp, voltage[0], current[0], floor)
    cos_r, sin_r = unit_phasor(xp, voltage[1], current[1], floor)
    return turned(cos_y, sin_y, cos_r, -sin_r)


def driven(
    drive: tuple, voltage: Array, current: Array, c: ResonateAndFireConstants, heaviside: Callable
):
    """Advance a resonator as `resonate_and_fire` does, by a real and an imaginary input.

    Returns
    -------
    output, voltage, current
    """
    step = Rotation(c.cos, c.sin)
    new_voltage, new_current = resonate(drive[0], voltage, current, step, c.dt)
    new_current = new_current + drive[1] * c.dt
    spike = peaked(voltage, current, new_voltage, new_current, c, heaviside)
    return spike * c.height, new_voltage, new_current


def bind_spikes(
    xp, J: Array, voltage: Array, current: Array, c: ResonateAndFireConstants, heaviside: Callable
):
    """Advance resonators y and r, and resonators x whose input they rotate; return x's spikes.

    ``z_x <- exp((-1/tau + 2 pi i f) dt) z_x + J_x dt y conj(r)``, where y and r are the resonators'
    states of this step, `demodulated`; a state at or below the threshold has no phase, so nothing
    passes. Each spike in J_x samples this slow signal. In a steady rhythm the phase of z_x is thus
    that of its input plus that of y minus that of r.

    If there is one neuron more, it is the unit of a rhythm. It has the mean state of the resonators
    x, because its input is the mean of their rotated inputs:
    ``z_I <- exp((-1/tau + 2 pi i f) dt) z_I + dt mean(J_x y conj(r))``. An input of its own is
    added.

    Parameters
    ----------
    J, voltage, current : (..., 3n) or (..., 3n + 1) array
        The inputs and states of all x, then those of all y and of all r, then those of the unit.

    Returns
    -------
    output, voltage, current
        The outputs of y and r are 0.
    """
    n = J.shape[-1] // 3
    x, slow, unit = slice(n), slice(n, 3 * n), slice(3 * n, None)
    new = resonate(
        J[..., slow], voltage[..., slow], current[..., slow], Rotation(c.cos, c.sin), c.dt
    )
    voltages, currents = ((part[..., :n], part[..., n:]) for part in new)
    cos, sin = demodulated(xp, voltages, currents, c.threshold)
    drive = (J[..., x] * cos, J[..., x] * sin)
    bound = driven(drive, voltage[..., x], current[..., x], c, heaviside)
    rows = [bound, (xp.zeros_like(new[0]), *new)]
    if J.shape[-1] > 3 * n:
        real, imag = (mean_over_neurons(xp, part) for part in drive)
        mean = (real + J[..., unit], imag)
        rows.append(driven(mean, voltage[..., unit], current[..., unit], c, heaviside))
    concatenate = getattr(xp, "concat", None) or xp.concatenate
    return tuple(concatenate(parts, -1) for parts in zip(*rows, strict=True))


def mean_over_neurons(xp, x: Array) -> Array:
    """Return the mean over the last axis, which is kept with size 1."""
    mean = getattr(xp, "reduce_mean", None) or xp.mean
    return mean(x, -1, keepdims=True)

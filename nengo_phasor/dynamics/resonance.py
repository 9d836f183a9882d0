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


def bind_spikes(
    xp, J: Array, voltage: Array, current: Array, c: ResonateAndFireConstants, heaviside: Callable
):
    """Advance resonators y and r, and resonators x whose input they rotate; return x's spikes.

    ``z_x <- exp((-1/tau + 2 pi i f) dt) z_x + J_x dt y conj(r)``, where y and r are the resonators'
    states of this step, normalised; a state at or below the threshold has no phase, so nothing
    passes. y conj(r) is the demodulated signal of y: it is slow, and each spike in J_x samples it.
    In a steady rhythm the phase of z_x is thus that of its input plus that of y minus that of r.

    Parameters
    ----------
    J, voltage, current : (..., 3, n) array
        The inputs and states of x, y and r.

    Returns
    -------
    output, voltage, current
        Only x has an output; that of y and r is 0.
    """
    step = Rotation(c.cos, c.sin)
    y, r = (
        resonate(J[..., k, :], voltage[..., k, :], current[..., k, :], step, c.dt) for k in (1, 2)
    )
    cos_r, sin_r = unit_phasor(xp, *r, c.threshold)
    cos, sin = turned(*unit_phasor(xp, *y, c.threshold), cos_r, -sin_r)
    J_x, old_voltage, old_current = J[..., 0, :], voltage[..., 0, :], current[..., 0, :]
    new_voltage, new_current = resonate(J_x * cos, old_voltage, old_current, step, c.dt)
    new_current = new_current + J_x * sin * c.dt
    spike = peaked(old_voltage, old_current, new_voltage, new_current, c, heaviside)
    silent = xp.zeros_like(J_x)
    rows = (
        (spike * c.height, silent, silent),
        (new_voltage, y[0], r[0]),
        (new_current, y[1], r[1]),
    )
    return tuple(xp.stack(row, -2) for row in rows)

"""The equations of the models, each defined once as a pure function of one time step.

Each function takes the step's input, the state and precomputed constants, and returns the new
values without changing its arguments. The functions use arithmetic and, where that is not enough,
an array library ``xp`` that is passed to them (``numpy`` or ``tensorflow``), so that the NumPy
neurons, the NengoDL builders and the layerwise simulator all run the same code.

Arrays have any shape whose last axis is that of the neurons; leading axes are those of a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nengo_phasor.listing import shows_public_names
from nengo_phasor.phases import STEP_TOLERANCE

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


class LeakyConstants(NamedTuple):
    """The constants of `leaky_spike`.

    ``keep`` and ``take`` are the factors of the voltage and of the input in a step. ``to_zero`` is
    1 if a spike resets the voltage to zero, and 0 if it subtracts the threshold. ``height`` is the
    height of a spike, amplitude/dt.
    """

    keep: Array
    take: Array
    to_zero: Array
    height: Array


def leaky_constants(
    tau: float | None, to_zero: bool, amplitude: float, dt: float
) -> LeakyConstants:
    """Return the constants of a step of tau dv/dt = J - v, or of dv/dt = J if tau is None."""
    keep = 1.0 if tau is None else np.exp(-dt / tau)
    return LeakyConstants(keep, dt if tau is None else 1.0 - keep, float(to_zero), amplitude / dt)


def leaky_spike(J: Array, voltage: Array, c: LeakyConstants, heaviside: Callable, reset: Callable):
    """Advance an integrate-and-fire neuron, leaky or not; spike if v >= 1, then reset.

    ``heaviside`` is the step function with whatever derivative training needs. ``reset`` is the
    step function without a derivative, since no gradient flows through the reset (Zenke and Vogels
    2021).

    Returns
    -------
    output, voltage
    """
    voltage = c.keep * voltage + c.take * J
    over = voltage - 1.0
    return heaviside(over) * c.height, voltage - reset(over) * (1.0 + c.to_zero * over)


def leaky_rate(xp, J: Array, tau: float | None):
    """Return the rate (Hz) of `leaky_spike` at a constant input, for short steps.

    It is 1 / (tau log(1 + 1/(J - 1))) for J > 1. If tau is None, it is J for J > 0.
    """
    if tau is None:
        return xp.maximum(J, 0.0)
    over = xp.maximum(J - 1.0, 1e-30)
    return xp.where(J > 1.0, 1.0 / (tau * xp.log1p(1.0 / over)), 0.0)


def leaky_rate_inverse(xp, rate: Array, tau: float | None):
    """Return the input J for which `leaky_rate` equals the given rate > 0."""
    return rate if tau is None else 1.0 + 1.0 / xp.expm1(1.0 / (tau * rate))


class AdaptiveConstants(NamedTuple):
    """The constants of `adaptive_spike`: decay factors per step, m_f, theta_0, and amplitude/dt."""

    keep_phi: Array
    keep_eta: Array
    keep_gamma: Array
    m_f: Array
    theta_0: Array
    height: Array


def adaptive_spike(
    J: Array,
    voltage: Array,
    refraction: Array,
    adaptation: Array,
    c: AdaptiveConstants,
    above: Callable,
):
    """Advance an adaptive spiking neuron: spike where S - Shat > theta/2.

    The voltage is the activation S, which is the input smoothed by the membrane's filter phi.
    ``refraction`` is Shat, the sum of the refractory responses to the spikes; the height of each is
    the threshold theta at the time of its spike. ``adaptation`` is theta - theta_0, which each
    spike raises by m_f theta (Zambrano et al. 2017, equations 1 to 7). In each step S is filtered
    and Shat decays before they are compared; the threshold decays after its jump. ``above`` is the
    step function that is 0 at 0 and 1 for x > 0, with whatever derivative training needs.

    Returns
    -------
    output, voltage, refraction, adaptation
    """
    voltage = c.keep_phi * voltage + (1.0 - c.keep_phi) * J
    refraction = c.keep_eta * refraction
    threshold = c.theta_0 + adaptation
    spike = above(voltage - refraction - 0.5 * threshold)
    jump = spike * threshold
    return (
        spike * c.height,
        voltage,
        refraction + jump,
        c.keep_gamma * (adaptation + c.m_f * jump),
    )


class TransferConstants(NamedTuple):
    """The constants of `adaptive_transfer`.

    ``height`` is the height h of a spike's post-synaptic current; ``offset`` is c_0.
    """

    c_1: float
    c_2: float
    c_3: float
    c_4: float
    offset: float
    height: float
    ratio: float


def transfer_constants(
    m_f: float,
    theta_0: float,
    tau_gamma: float,
    tau_eta: float,
    tau_beta: float,
    height: float | None = None,
) -> TransferConstants:
    """Return the constants of equation (11), with f(theta_0/2) = h/2.

    By default the height h of a spike's post-synaptic current is chosen such that f(1) = 1.
    """
    c = TransferConstants(
        c_1=2 * m_f * tau_gamma**2,
        c_2=2 * theta_0 * tau_eta * tau_gamma,
        c_3=tau_gamma * (m_f * tau_gamma + 2 * (m_f + 1) * tau_eta),
        c_4=theta_0 * tau_eta * (tau_gamma + tau_eta),
        offset=0.5,
        height=1.0,
        ratio=tau_eta / tau_beta,
    )
    c = c._replace(offset=adaptive_transfer(np, 0.5 * theta_0, c))
    if height is None:
        height = 1.0 / adaptive_transfer(np, 1.0, c)
    return c._replace(offset=c.offset * height, height=height)


def adaptive_transfer(xp, S: Array, c: TransferConstants):
    """Return an adaptive spiking neuron's mean post-synaptic current at a constant activation S.

    f(S) = max(0, h / (exp((c1 S + c2)/(c3 S + c4)) - 1) - c0 + h/2), the half-sigmoid of Zambrano
    et al. 2017, equation (11), and 0 for S <= 0, where the neuron is silent and the quotient has
    its pole.
    """
    silent = xp.zeros_like(S)
    positive = xp.where(
        S <= 0, silent, S
    )  # keeps NaN, because a network that diverged has no rates
    exponent = c.ratio * (c.c_1 * positive + c.c_2) / (c.c_3 * positive + c.c_4)
    current = c.height / (xp.exp(exponent) - 1.0) - c.offset + 0.5 * c.height
    return xp.where((S <= 0) | (current <= 0), silent, current)


def adaptive_transfer_inverse(xp, f: Array, c: TransferConstants):
    """Return the activation S for which `adaptive_transfer` equals the given f > 0."""
    exponent = xp.log(1.0 + c.height / (f + c.offset - 0.5 * c.height)) / c.ratio
    return (c.c_2 - c.c_4 * exponent) / (c.c_3 * exponent - c.c_1)


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

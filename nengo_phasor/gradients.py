"""The derivatives of the equations of `.dynamics`, once: what a step does to a gradient.

Each function is the transpose of the function of `.dynamics` of the same name. It takes the step's
input and the state before the step, the gradients of a loss by the output and by the new state, and
the constants; it returns the gradients by the input and by the state before. ``slope`` is the
derivative that stands in for that of the step function (`.surrogates`).

Training through time (`nengo_phasor.layerwise`) runs them from the last step to the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nengo_phasor import dynamics
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

Array = Any


def leaky_spike(J: Array, voltage: Array, by_output: Array, by_voltage: Array, c, slope: Callable):
    """Return the gradients by the input and the voltage of `.dynamics.leaky_spike`.

    The reset is a constant here: no gradient passes through it (Zenke and Vogels 2021).
    """
    over = c.keep * voltage + c.take * J - 1.0
    fired = over >= 0
    by_over = by_voltage * (1.0 - fired * c.to_zero) + by_output * c.height * slope(over)
    return c.take * by_over, c.keep * by_over


def resonate_and_fire(
    J: Array,
    voltage: Array,
    current: Array,
    by_output: Array,
    by_voltage: Array,
    by_current: Array,
    c,
    slope: Callable,
):
    """Return the gradients by the input, voltage and current of `.dynamics.resonate_and_fire`.

    The rotation's transpose turns backwards.
    """
    by_voltage, by_current, by_was_up = resonated(
        J, voltage, current, by_output, by_voltage, by_current, c, slope
    )
    return (
        by_voltage * c.dt,
        c.cos * by_voltage + c.sin * by_current + c.lean * by_was_up,
        c.cos * by_current - c.sin * by_voltage + by_was_up,
    )


def resonated(
    J: Array,
    voltage: Array,
    current: Array,
    by_output: Array,
    by_voltage: Array,
    by_current: Array,
    c,
    slope: Callable,
):
    """Return the gradients by a resonator's new voltage and current, and by its crossing before.

    The spike is a product of step functions, of which each has the surrogate's derivative.
    """
    new_voltage = c.cos * voltage - c.sin * current + J * c.dt
    new_current = c.sin * voltage + c.cos * current
    up, was_up = new_current + c.lean * new_voltage, current + c.lean * voltage
    size = abs(new_voltage)
    rest = size + c.threshold
    over = (new_voltage * size + new_current * new_current - c.threshold * c.threshold) / rest
    is_up, is_over, was_not = up >= 0, over >= 0, was_up < 0

    by_spike = by_output * c.height
    by_up = by_spike * was_not * is_over * slope(up)
    by_over = by_spike * is_up * was_not * slope(over)
    side = (new_voltage > 0) * 1.0 - (new_voltage < 0)
    return (
        by_voltage + c.lean * by_up + by_over * (2.0 * size - side * over) / rest,
        by_current + by_up + by_over * 2.0 * new_current / rest,
        -by_spike * is_up * is_over * slope(was_up),
    )


def rotation(frequency: Array, tau: Array, dt: float, by_cos: Array, by_sin: Array):
    """Return the gradients by the frequency and by tau of `.dynamics.rotation`."""
    cos, sin = dynamics.rotation(frequency, tau, dt)
    return (
        2.0 * math.pi * dt * (cos * by_sin - sin * by_cos),
        dt / (tau * tau) * (cos * by_cos + sin * by_sin),
    )


def balanced_resonate_and_fire(
    J: Array,
    voltage: Array,
    current: Array,
    refraction: Array,
    by_output: Array,
    by_voltage: Array,
    by_current: Array,
    by_refraction: Array,
    c,
    slope: Callable,
):
    """Return the gradients of `.dynamics.balanced_resonate_and_fire`.

    They are those by the input, voltage, current and refraction, and by the constants ``turn`` and
    ``growth``. Gradients also pass through the refraction, which stands for a reset.
    """
    keep = 1.0 + c.growth - c.damping * refraction
    over = keep * voltage - c.turn * current + J * c.dt - c.threshold - refraction
    by_over = (by_output * c.height + by_refraction) * slope(over)
    by_voltage = by_voltage + by_over
    by_keep = by_voltage * voltage + by_current * current
    return (
        c.dt * by_voltage,
        keep * by_voltage + c.turn * by_current,
        keep * by_current - c.turn * by_voltage,
        c.keep * by_refraction - by_over - c.damping * by_keep,
        by_current * voltage - by_voltage * current,
        by_keep,
    )


def balance(frequency: Array, dt: float, by_turn: Array, by_growth: Array):
    """Return the gradients by the frequency and the damping of a balanced neuron's constants."""
    turn = 2.0 * math.pi * dt * frequency
    by_turn = by_turn - by_growth * turn / (1.0 - turn * turn) ** 0.5
    return 2.0 * math.pi * dt * by_turn, -dt * by_growth


def adaptive_spike(
    J: Array,
    voltage: Array,
    refraction: Array,
    adaptation: Array,
    by_output: Array,
    by_voltage: Array,
    by_refraction: Array,
    by_adaptation: Array,
    c,
    slope: Callable,
):
    """Return the gradients by the input and the three states of `.dynamics.adaptive_spike`."""
    threshold = c.theta_0 + adaptation
    over = c.keep_phi * voltage + (1.0 - c.keep_phi) * J - c.keep_eta * refraction - 0.5 * threshold
    fired = over > 0

    by_jump = by_refraction + c.keep_gamma * c.m_f * by_adaptation
    by_jump = by_jump + by_output * c.graded
    by_spike = by_output * (c.height - c.graded)
    by_over = (by_spike + by_jump * threshold) * slope(over)
    by_voltage = by_voltage + by_over
    return (
        (1.0 - c.keep_phi) * by_voltage,
        c.keep_phi * by_voltage,
        c.keep_eta * (by_refraction - by_over),
        c.keep_gamma * by_adaptation + by_jump * fired - 0.5 * by_over,
    )


def adaptive_transfer(xp, S: Array, by_output: Array, c):
    """Return the gradient by the activation of `.dynamics.adaptive_transfer`."""
    if c.graded:
        return xp.where(S > 0, by_output * (c.height / c.ratio), 0.0 * by_output)
    positive = xp.where(S <= 0, 0.0 * S, S)
    below = c.c_3 * positive + c.c_4
    growth = xp.exp(c.ratio * (c.c_1 * positive + c.c_2) / below) - 1.0
    slope = c.ratio * (c.c_2 * c.c_3 - c.c_1 * c.c_4) / (below * below)
    silent = (S <= 0) | (c.height / growth - c.offset + 0.5 * c.height <= 0)
    by_S = by_output * c.height * slope * (growth + 1.0) / (growth * growth)
    return xp.where(silent, 0.0 * S, by_S)


def unit_phasor(xp, real: Array, imag: Array, by_real: Array, by_imag: Array, floor: float):
    """Return the gradients by the real and imaginary part of `.dynamics.unit_phasor`.

    Only what is perpendicular to a phasor turns it.
    """
    power = real * real + imag * imag
    heard = power > floor * floor
    safe = xp.where(heard, power, xp.ones_like(power))
    turn = (by_imag * real - by_real * imag) / (safe * xp.sqrt(safe))
    turn = xp.where(heard, turn, xp.zeros_like(power))
    return -imag * turn, real * turn


def bind_phasors(xp, real: Array, imag: Array, output: Array, by_output: Array, floor: float):
    """Return the gradients by the real and imaginary parts of `.dynamics.bind_phasors`.

    A turn of x or y turns the product by the same angle, and a turn of r turns it back.

    Parameters
    ----------
    real, imag : (..., 3, n) array
        The inputs.
    output, by_output : (..., 2, 3, n) array
        The output and the gradient by it.
    """
    cos, sin = output[..., 0, 0, :], output[..., 1, 0, :]
    turn = by_output[..., 1, 0, :] * cos - by_output[..., 0, 0, :] * sin
    power = real * real + imag * imag
    heard = power > floor * floor
    turns = xp.stack([turn, turn, -turn], -2) / xp.where(heard, power, xp.ones_like(power))
    turns = xp.where(heard, turns, xp.zeros_like(power))
    return -imag * turns, real * turns


def attend_phasors(
    xp, real: Array, imag: Array, by_real: Array, by_imag: Array, n_queries: int, beta, floor: float
):
    """Return the gradients by the real and imaginary parts of `.dynamics.attend_phasors`.

    Parameters
    ----------
    real, imag : (..., n + 2 m, d) array
        The inputs.
    by_real, by_imag : (..., n, d) array
        The gradients by the parts of the weighted sums after they were normalised.
    """
    attended = dynamics.attend_phasors(xp, real, imag, n_queries, beta, floor)
    queries, keys, values, weights, sums = attended
    by_sums = unit_phasor(xp, *sums, by_real, by_imag, floor)
    by_similarity = sum(
        xp.matmul(by_sum, dynamics.transposed(xp, value))
        for by_sum, value in zip(by_sums, values, strict=True)
    )
    by_similarity = by_similarity * (1 if beta is None else beta * weights) / real.shape[-1]
    to_keys, to_values = (dynamics.transposed(xp, x) for x in (by_similarity, weights))
    by_real, by_imag = (
        dynamics.joined(
            xp,
            [xp.matmul(by_similarity, key), xp.matmul(to_keys, query), xp.matmul(to_values, by)],
        )
        for query, key, by in zip(queries, keys, by_sums, strict=True)
    )
    return unit_phasor(xp, real, imag, by_real, by_imag, floor)


def lif_rate(xp, J: Array, tau_rc: float, tau_ref: float):
    """Return the derivative of the rate of ``nengo.LIFRate``, of an amplitude of 1."""
    over = xp.where(J > 1.0, J - 1.0, xp.ones_like(J))
    wait = tau_ref + tau_rc * xp.log1p(1.0 / over)
    return xp.where(J > 1.0, tau_rc / (over * (over + 1.0) * wait * wait), xp.zeros_like(J))


def soft_lif_rate(xp, J: Array, sigma: float, tau_rc: float, tau_ref: float):
    """Return the derivative of ``nengo_dl.SoftLIFRate``: its J - 1 is smoothed by a softplus.

    Far below the threshold the logarithm is linear, as there.
    """
    x = (J - 1.0) / sigma
    safe = xp.maximum(x, -20.0)
    over = sigma * (xp.maximum(safe, 0.0) + xp.log1p(xp.exp(-xp.abs(safe))))
    wait = tau_ref + tau_rc * xp.where(x > -20.0, xp.log1p(1.0 / over), -x - math.log(sigma))
    near = 1.0 / ((1.0 + xp.exp(-safe)) * over * (over + 1.0))
    return tau_rc * xp.where(x > -20.0, near, xp.ones_like(J) / sigma) / (wait * wait)

"""The equations of neurons that integrate their input; see `nengo_phasor.dynamics`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

Array = Any


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
    """The constants of `adaptive_spike`: decay factors per step, m_f, theta_0, and amplitude/dt.

    ``height`` is the output of every spike, or if spikes are graded, that of a spike at a threshold
    of 1; ``graded`` is then the same, and otherwise 0.
    """

    keep_phi: Array
    keep_eta: Array
    keep_gamma: Array
    m_f: Array
    theta_0: Array
    height: Array
    graded: Array = 0.0


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
    step function that is 0 at 0 and 1 for x > 0, with whatever derivative training needs. All
    spikes have the same output, or if they are graded, one in proportion to their threshold.

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
        spike * (c.height - c.graded) + jump * c.graded,
        voltage,
        refraction + jump,
        c.keep_gamma * (adaptation + c.m_f * jump),
    )


class TransferConstants(NamedTuple):
    """The constants of `adaptive_transfer`.

    ``height`` is the height h of a spike's post-synaptic current, or if spikes are ``graded``, of
    one at a threshold of 1; ``offset`` is c_0.
    """

    c_1: float
    c_2: float
    c_3: float
    c_4: float
    offset: float
    height: float
    ratio: float
    graded: bool = False


def transfer_constants(
    m_f: float,
    theta_0: float,
    tau_gamma: float,
    tau_eta: float,
    tau_beta: float,
    height: float | None = None,
    graded: bool = False,
) -> TransferConstants:
    """Return the constants of equation (11), with f(theta_0/2) = h/2.

    By default the height h of a spike's post-synaptic current is chosen such that f(1) = 1. For
    graded spikes that is tau_eta/tau_beta.
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
        height = c.ratio if graded else 1.0 / adaptive_transfer(np, 1.0, c)
    return c._replace(offset=c.offset * height, height=height, graded=graded)


def adaptive_transfer(xp, S: Array, c: TransferConstants):
    """Return an adaptive spiking neuron's mean post-synaptic current at a constant activation S.

    f(S) = max(0, h / (exp((c1 S + c2)/(c3 S + c4)) - 1) - c0 + h/2), the half-sigmoid of Zambrano
    et al. 2017, equation (11), and 0 for S <= 0, where the neuron is silent and the quotient has
    its pole.

    The mean current of graded spikes is h tau_beta/tau_eta times that of Shat, since both sum the
    thresholds at the spikes. Since Shat follows S, f(S) = h tau_beta/tau_eta max(0, S): a rectified
    linear unit, up to half a spike.
    """
    silent = xp.zeros_like(S)
    positive = xp.where(
        S <= 0, silent, S
    )  # keeps NaN, because a network that diverged has no rates
    if c.graded:
        return c.height / c.ratio * positive
    exponent = c.ratio * (c.c_1 * positive + c.c_2) / (c.c_3 * positive + c.c_4)
    current = c.height / (xp.exp(exponent) - 1.0) - c.offset + 0.5 * c.height
    return xp.where((S <= 0) | (current <= 0), silent, current)


def adaptive_transfer_inverse(xp, f: Array, c: TransferConstants):
    """Return the activation S for which `adaptive_transfer` equals the given f > 0."""
    if c.graded:
        return f * c.ratio / c.height
    exponent = xp.log(1.0 + c.height / (f + c.offset - 0.5 * c.height)) / c.ratio
    return (c.c_2 - c.c_4 * exponent) / (c.c_3 * exponent - c.c_1)

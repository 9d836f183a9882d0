"""The neurons' equations in the fixed-point arithmetic of the chip.

States have 24 bits, factors 12 bits after the binary point. Each product is shifted back and
rounded towards zero before sums are taken; values that a state can't hold are clipped. The rotation
and the threshold of a resonate-and-fire neuron are also rounded towards zero, so that its states
and spikes are those of the fixed-point model of Lava's resonate-and-fire process, bit for bit. Each
function corresponds to the function of the same name in `.dynamics`; ``docs/loihi.md`` gives the
error that each format adds.

States are arrays of int32. Factors are doubles, which represent them exactly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nengo_phasor import dynamics
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

Array = Any

STATE_BITS = 24
HIGHEST = 2 ** (STATE_BITS - 1) - 1
LOWEST = -HIGHEST
FACTOR_BITS = 12


def factor(x: Array) -> Array:
    """Return numbers as factors, rounded to the nearest multiple of 1 / 2**12."""
    return np.round(np.multiply(x, 2.0**FACTOR_BITS)) / 2.0**FACTOR_BITS


def truncated_factor(x: Array) -> Array:
    """Return numbers as factors, rounded towards zero to a multiple of 1 / 2**12."""
    return np.trunc(np.multiply(x, 2.0**FACTOR_BITS)) / 2.0**FACTOR_BITS


def times(state: Array, factor: Array) -> Array:
    """Return the product of a state and a factor, rounded towards zero."""
    # exact, because the product has at most 37 bits and a double has 53; the conversion truncates
    return (state * factor).astype(np.int32)


def clip(state: Array) -> tuple[Array, Array]:
    """Return the state clipped to its 24 bits, and whether it was clipped."""
    clipped = np.minimum(np.maximum(state, LOWEST), HIGHEST)
    return clipped, clipped != state


class ResonateAndFireConstants(NamedTuple):
    """Constants of `resonate_and_fire`.

    ``turn``, (2, 1, n), contains the rotation's cosine and sine as factors; ``threshold`` is a
    state.
    """

    turn: Array
    threshold: Array


def resonate_and_fire(arrived: Array, z: Array, c: ResonateAndFireConstants):
    """Advance a resonate-and-fire neuron; see `.dynamics.resonate_and_fire`.

    The neuron spikes if the voltage is at least the threshold and the current has crossed from
    below zero to zero or above. The voltage is that of the step, as on the chip, not that of the
    peak between two steps; ``docs/loihi.md`` describes the effect.

    Parameters
    ----------
    arrived : array
        The input J dt that spikes add to the voltage.
    z : (2, ...) array
        The voltage Re z and the current Im z.

    Returns
    -------
    spiked, z, outside
        ``outside`` tells whether each part of z was clipped.
    """
    new, across = times(z, c.turn)
    new[0] += arrived - across[1]
    new[1] += across[0]
    new, outside = clip(new)
    return (new[0] >= c.threshold) & (z[1] < 0) & (new[1] >= 0), new, outside


class AdaptiveConstants(NamedTuple):
    """Constants of `adaptive_spike`.

    ``keep`` and ``keep_phi``, ``keep_eta``, ``keep_gamma`` are factors; ``m_f`` is a factor times
    2**m_f_shift; ``theta_0`` and ``bias`` are states.
    """

    keep: Array
    bias: Array
    keep_phi: Array
    keep_eta: Array
    keep_gamma: Array
    m_f: Array
    m_f_shift: int
    theta_0: Array


def adaptive_spike(
    arrived: Array,
    synapse: Array,
    voltage: Array,
    refraction: Array,
    adaptation: Array,
    c: AdaptiveConstants,
):
    """Advance an adaptive spiking neuron and its lowpass synapse; see `.dynamics.adaptive_spike`.

    Parameters
    ----------
    arrived : array
        The input that spikes add to the synapse.
    synapse : array
        The output of the synapse, which together with the bias is the current J.
    voltage, refraction, adaptation : array
        The states, as in `.dynamics.adaptive_spike`.

    Returns
    -------
    spiked, synapse, voltage, refraction, adaptation, outside
        ``outside``, of shape (4, ...), tells whether synapse, J, refraction or adaptation was
        clipped.
    """
    synapse, *outside = clip(times(synapse, c.keep) + arrived)
    J, is_outside = clip(synapse + c.bias)
    outside.append(is_outside)
    voltage = times(voltage, c.keep_phi) + times(J, 1.0 - c.keep_phi)
    refraction = times(refraction, c.keep_eta)
    threshold = c.theta_0 + adaptation
    spiked = 2 * (voltage - refraction) > threshold
    jump = np.where(spiked, threshold, 0)
    refraction, is_outside = clip(refraction + jump)
    outside.append(is_outside)
    raised, is_outside = clip(adaptation + times(jump, c.m_f) // 2**c.m_f_shift)
    outside.append(is_outside)
    adaptation = times(raised, c.keep_gamma)
    return spiked, synapse, voltage, refraction, adaptation, np.stack(outside)


class BalancedConstants(NamedTuple):
    """Constants of `balanced_resonate_and_fire`.

    ``turn``, ``growth`` and ``damping`` are factors times 2**turn_shift or 2**growth_shift, so that
    small ones are as precise as large ones; ``keep`` is a factor, and ``threshold`` and ``one``, of
    a refraction of 1, are states.
    """

    turn: Array
    turn_shift: Array
    growth: Array
    damping: Array
    growth_shift: Array
    keep: Array
    threshold: Array
    one: Array


def balanced_resonate_and_fire(arrived: Array, states: Array, c: BalancedConstants):
    """Advance a balanced neuron; see `.dynamics.balanced_resonate_and_fire`.

    What the refraction takes from the growth is a factor, rounded towards zero.

    Parameters
    ----------
    arrived : array
        The input J dt that spikes add to the voltage.
    states : (3, ...) array
        The voltage, the current and the refraction.

    Returns
    -------
    spiked, states, outside
        ``outside`` tells whether each state was clipped.
    """
    voltage, current, refraction = states
    growth = c.growth - truncated_factor(refraction * (c.damping / c.one))
    turned = shifted(times(current, -c.turn), c.turn_shift)
    new_voltage = voltage + shifted(times(voltage, growth), c.growth_shift) + turned + arrived
    turned = shifted(times(voltage, c.turn), c.turn_shift)
    new_current = current + shifted(times(current, growth), c.growth_shift) + turned
    spiked = new_voltage >= c.threshold + refraction
    raised = times(refraction, c.keep) + np.where(spiked, c.one, 0)
    new = np.stack([new_voltage, new_current, raised])
    new, outside = clip(new)
    return spiked, new.astype(np.int32), outside


def shifted(state: Array, shift: Array) -> Array:
    """Return a state over 2**shift, rounded towards zero."""
    return (state / 2.0**shift).astype(np.int32)


def balanced_constants(c: dynamics.BalancedConstants, scale: float) -> BalancedConstants:
    """Return a neuron's constants if a voltage of 1 is represented by ``scale``."""
    turn, growth, damping = map(np.atleast_1d, (c.turn, c.growth, c.damping))
    turn_shift = _shift(turn)
    growth_shift = _shift(np.maximum(np.abs(growth), damping))
    return BalancedConstants(
        factor(turn * 2.0**turn_shift),
        turn_shift,
        factor(growth * 2.0**growth_shift),
        factor(damping * 2.0**growth_shift),
        growth_shift,
        np.atleast_1d(factor(c.keep)),
        np.atleast_1d(np.int32(round(c.threshold * scale))),
        np.atleast_1d(np.int32(round(scale))),
    )


def _shift(x: Array) -> Array:
    """Return the shifts by which positive factors below 1 fill their bits."""
    least = np.maximum(x, 2.0**-STATE_BITS)
    return np.maximum(0.0, -np.floor(np.log2(least)) - 1.0)


def resonate_and_fire_constants(
    c: dynamics.ResonateAndFireConstants, scale: float
) -> ResonateAndFireConstants:
    """Return a neuron's constants if a voltage of 1 is represented by ``scale``."""
    turn = truncated_factor([c.cos, c.sin]).reshape(2, 1, -1)
    threshold = np.atleast_1d(np.multiply(c.threshold, scale)).astype(np.int32)
    return ResonateAndFireConstants(turn, threshold)


def adaptive_constants(
    c: dynamics.AdaptiveConstants, keep: Array, bias: Array, scale: float
) -> AdaptiveConstants:
    """Return a neuron's constants if an activation of 1 is represented by ``scale``.

    ``keep`` is the fraction that the synapse keeps in a step, as factors. m_f is shifted up until
    it fills the factor's bits, so that a small m_f is as precise as a large one.
    """
    m_f_shift = 0 if c.m_f == 0 else max(0, -int(np.floor(np.log2(c.m_f))) - 1)
    return AdaptiveConstants(
        keep,
        np.round(np.multiply(bias, scale)).astype(np.int32),
        factor(c.keep_phi),
        factor(c.keep_eta),
        factor(c.keep_gamma),
        factor(c.m_f * 2**m_f_shift),
        m_f_shift,
        np.int32(round(c.theta_0 * scale)),
    )

"""The equation of balanced resonate-and-fire neurons; see `nengo_phasor.dynamics`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

Array = Any


class BalancedConstants(NamedTuple):
    """The constants of `balanced_resonate_and_fire`.

    ``turn`` is the angle of a step, and ``growth`` what a step without refraction adds to each
    state, relative to it, so that the damped oscillation neither grows nor rings for ever.
    ``damping`` is what a refraction of 1 takes from ``growth``; ``keep`` is the refraction's decay
    in a step. ``height`` is the height of a spike, amplitude/dt.
    """

    turn: Array
    growth: Array
    dt: Array
    damping: Array
    keep: Array
    threshold: Array
    height: Array


def divergence_boundary(turn: Array) -> Array:
    """Return the growth of an Euler step of an oscillation at which its amplitude stays the same.

    ``(1 + p)^2 + turn^2 = 1``, so p = sqrt(1 - turn^2) - 1 (Higuchi et al. 2024, equation 9).
    Above it the states diverge.
    """
    return np.sqrt(1.0 - turn * turn) - 1.0


def balanced_resonate_and_fire(
    J: Array,
    voltage: Array,
    current: Array,
    refraction: Array,
    c: BalancedConstants,
    heaviside: Callable,
):
    """Advance a balanced resonate-and-fire neuron by an Euler step (Higuchi et al. 2024).

    The neuron spikes where the voltage reaches the threshold, which a spike raises by 1 through the
    refraction. A spike also damps the oscillation through the refraction, in place of a reset.
    ``heaviside`` is the step function with whatever derivative training needs.

    Returns
    -------
    output, voltage, current, refraction
    """
    keep = 1.0 + c.growth - c.damping * refraction
    new_voltage = keep * voltage - c.turn * current + J * c.dt
    new_current = c.turn * voltage + keep * current
    spike = heaviside(new_voltage - c.threshold - refraction)
    return spike * c.height, new_voltage, new_current, c.keep * refraction + spike

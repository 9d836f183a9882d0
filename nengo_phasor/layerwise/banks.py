"""The compiled loops of neurons that have constants of their own, forward and back.

A bank's constants are as those of its type, but those of `.rows.Row.each` are arrays with a number
for each neuron of an item.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, NamedTuple

import numpy as np

from nengo_phasor import compat, dynamics, gradients
from nengo_phasor.dynamics import balance
from nengo_phasor.layerwise import compiled
from nengo_phasor.layerwise.compiled import compile_equation, heaviside

numba = compat.require("numba")

N_CONSTANTS = 2
"""The number of constants of each neuron through which its parameters train."""

for _equation in (
    dynamics.balanced_resonate_and_fire,
    gradients.resonated,
    gradients.balanced_resonate_and_fire,
):
    compile_equation(_equation)


class Backward(NamedTuple):
    """What a bank's loop back takes in place of the constants.

    ``by_constants``, (n_constants, n_neurons), receives the gradients by the constants that train.
    """

    constants: Any
    by_constants: np.ndarray


@numba.njit
def resonator(c, i):
    """Return the constants of one of a bank of resonators."""
    return dynamics.ResonateAndFireConstants(
        c.cos[i], c.sin[i], c.dt, c.threshold[i], c.height, c.lean[i]
    )


@numba.njit
def balanced(c, i):
    """Return the constants of one of a bank of balanced resonate-and-fire neurons."""
    return dynamics.BalancedConstants(
        c.turn[i], c.growth[i], c.dt, c.damping, c.keep, c.threshold, c.height
    )


def resonators_row(J, states, fired, c):
    """Advance banks of resonators, one for each item."""
    voltage, current, n = states[0], states[1], len(c.cos)
    for first in range(0, len(J), n):
        for i in range(n):
            j = first + i
            spike, voltage[j], current[j] = dynamics.resonate_and_fire(
                J[j], voltage[j], current[j], resonator(c, i), heaviside
            )
            fired[j] = spike != 0


def balanced_row(J, states, fired, c):
    """Advance banks of balanced resonate-and-fire neurons, one for each item."""
    voltage, current, refraction, n = states[0], states[1], states[2], len(c.turn)
    for first in range(0, len(J), n):
        for i in range(n):
            j = first + i
            spike, voltage[j], current[j], refraction[j] = dynamics.balanced_resonate_and_fire(
                J[j], voltage[j], current[j], refraction[j], balanced(c, i), heaviside
            )
            fired[j] = spike != 0


def resonators_back(J, states, by_output, by_states, by_J, c, slope):
    """Take gradients back through banks of resonators; add those by their rotations."""
    (u, v), (by_u, by_v) = (states[0], states[1]), (by_states[0], by_states[1])
    own_c, by_c = c.constants, c.by_constants
    n = len(own_c.cos)
    for first in range(0, len(by_J), n):
        for i in range(n):
            j, own = first + i, resonator(own_c, i)
            by_x, by_y, by_was_up = gradients.resonated(
                J[j], u[j], v[j], by_output[j], by_u[j], by_v[j], own, slope
            )
            by_c[0, i] += by_x * u[j] + by_y * v[j]
            by_c[1, i] += by_y * u[j] - by_x * v[j]
            by_J[j] += by_x * own.dt
            by_u[j] = own.cos * by_x + own.sin * by_y + own.lean * by_was_up
            by_v[j] = own.cos * by_y - own.sin * by_x + by_was_up


def balanced_back(J, states, by_output, by_states, by_J, c, slope):
    """Take gradients back through banks of balanced neurons; add those by turn and growth."""
    u, v, w = states[0], states[1], states[2]
    by_u, by_v, by_w = by_states[0], by_states[1], by_states[2]
    own_c, by_c = c.constants, c.by_constants
    n = len(own_c.turn)
    for first in range(0, len(by_J), n):
        for i in range(n):
            j = first + i
            by_current, by_u[j], by_v[j], by_w[j], by_turn, by_growth = (
                gradients.balanced_resonate_and_fire(
                    J[j], u[j], v[j], w[j], by_output[j], by_u[j], by_v[j], by_w[j],
                    balanced(own_c, i), slope,
                )
            )  # fmt: skip
            by_J[j] += by_current
            by_c[0, i] += by_turn
            by_c[1, i] += by_growth


def by_rotation(neurons, dt, by_constants):
    """Return the gradients by the parameters of resonators, given those by their rotations."""
    by_each = gradients.rotation(neurons.frequency, neurons.tau, dt, *by_constants)
    return dict(zip(("frequency", "tau"), by_each, strict=True))


def by_balance(neurons, dt, by_constants):
    """Return the gradients by the parameters of balanced neurons, given those by constants."""
    by_each = gradients.balance(neurons.frequency, dt, *by_constants)
    return dict(zip(("frequency", "damping"), by_each, strict=True))


SOURCES = "".join(
    (compiled.SOURCES, *map(inspect.getsource, (balance, gradients, sys.modules[__name__])))
)
"""The source of all that these rows call; see `.compiled.SOURCES`."""

"""The loop over a window of `.AttendingResonator` neurons, compiled by Numba.

It does what `.dynamics.attend_spikes` does, event by event: only spikes of queries and of values
cost as many operations as there are keys or queries.
"""

from __future__ import annotations

import inspect
import sys

import numpy as np

from nengo_phasor import compat, dynamics
from nengo_phasor.layerwise import compiled
from nengo_phasor.layerwise.vectors import bits_of_64, lowest_bit
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

numba = compat.require("numba")


def _advance_keys(J, states, c):
    """Advance the resonators of the keys of an item, (2, m d)."""
    voltage, current = states[0], states[1]
    for j in range(len(J)):
        voltage[j], current[j] = dynamics.resonate(J[j], voltage[j], current[j], c, c.dt)


def _meet(spikes, keys, held, similarity, changed, threshold):
    """Let the spikes of an item's queries meet its keys; note which similarities change."""
    n, size, m = held.shape
    voltage, current = keys[0], keys[1]
    floor = threshold * threshold
    for i in range(n):
        changed[i] = 0
        for k in range(size):
            if spikes[i * size + k] > 0:
                changed[i] = 1
                for j in range(m):
                    x, y = voltage[j * size + k], current[j * size + k]
                    power = x * x + y * y
                    met = x / np.sqrt(power) if power > floor else x - x
                    similarity[i, j] += (met - held[i, k, j]) / size
                    held[i, k, j] = met


def _weigh(similarity, weights, changed, beta):
    """Write the weights of the changed similarities; a beta of 0 stands for none."""
    n, m = similarity.shape
    for i in range(n):
        if changed[i]:
            for j in range(m):
                s = similarity[i, j]
                weights[i, j] = np.exp(beta * s) / m if beta > 0 else s


def _drive(spikes, weights, current):
    """Add the weighted spikes of an item's values to the currents of its sums, (n d)."""
    n, m = weights.shape
    size = len(spikes) // m
    current[:] = 0
    for j in range(m):
        for k in range(size):
            spike = spikes[j * size + k]
            if spike != 0:
                for i in range(n):
                    current[i * size + k] += weights[i, j] * spike


def _run(J, n_steps, sums, keys, held, beta, c):
    """Return the sparse spikes: their columns, and where those of each step and item begin.

    The sums, (n_items, 2, n d) or one more with the unit of a rhythm, the keys and what is held are
    advanced in place.
    """
    n_items, n, size, m = held.shape
    first, last, end = n * size, (n + m) * size, (n + 2 * m) * size
    width = sums.shape[2]
    similarity = np.zeros((n_items, n, m), J.dtype)
    for k in range(size):
        similarity += held[:, :, k] / J.dtype.type(size)
    weights, changed = np.empty_like(similarity), np.ones(n, np.uint8)
    for item in range(n_items):
        weigh(similarity[item], weights[item], changed, beta)  # noqa: F821 - given below
    current, fired = np.empty(width, J.dtype), np.zeros(width + 64, np.uint8)
    columns = np.empty(n_items * width * (1 + n_steps // 50), np.int32)
    starts = np.zeros(n_steps * n_items + 1, np.int64)
    count = 0
    for row in range(n_steps * n_items):
        item = row % n_items
        x = J[(row // n_items) % len(J), item]
        advance_keys(x[first:last], keys[item], c)  # noqa: F821
        meet(  # noqa: F821
            x[:first], keys[item], held[item], similarity[item], changed, c.threshold
        )
        weigh(similarity[item], weights[item], changed, beta)  # noqa: F821
        drive(x[last:end], weights[item], current[:first])  # noqa: F821
        if width > first:
            current[first] = current[:first].sum() / J.dtype.type(first) + x[end]
        advance_sums(current, sums[item], fired[:width], c)  # noqa: F821
        if count + width > len(columns):
            longer = np.empty(2 * len(columns) + width, np.int32)
            longer[:count] = columns[:count]
            columns = longer
        for begin in range(0, width, 64):
            bits = bits_of_64(fired, begin)
            while bits:
                place = begin + lowest_bit(bits)
                columns[count] = place if place < first else end
                count += 1
                bits &= bits - np.uint64(1)
        starts[row + 1] = count
    return columns[:count].copy(), starts


run = compiled.compiled_of(
    _run,
    compiled.SOURCES
    + inspect.getsource(dynamics.attention)
    + inspect.getsource(sys.modules[__name__]),
    advance_keys=numba.njit(_advance_keys),
    meet=numba.njit(_meet),
    weigh=numba.njit(_weigh),
    drive=numba.njit(_drive),
    advance_sums=numba.njit(compiled.resonate_and_fire_row),
)


def attend(neurons, J: np.ndarray, n_steps: int, states: np.ndarray, c):
    """Return the spikes of `.AttendingResonator` neurons over a window; see `.rows.Row`."""
    n, m = neurons.n_queries, neurons.n_keys
    n_items, n_neurons = J.shape[1:]
    size = neurons.units(n_neurons)
    ends = np.cumsum([n * size, m * size, m * size])
    both = states[:, : 2 * n_neurons].reshape(n_items, 2, n_neurons)
    queries, keys, _, unit = np.split(both, ends, axis=2)
    sums, keys = np.concatenate([queries, unit], axis=2), keys.copy()
    held = np.ascontiguousarray(states[:, 2 * n_neurons :]).reshape(n_items, n, size, m)
    beta = J.dtype.type(neurons.beta or 0)
    found = run(np.ascontiguousarray(J), n_steps, sums, keys, held, beta, c)
    silent = np.zeros((n_items, 2, m * size), J.dtype)
    both = np.concatenate([sums[..., : n * size], keys, silent, sums[..., n * size :]], axis=2)
    states[...] = np.concatenate([both.reshape(n_items, -1), held.reshape(n_items, -1)], axis=1)
    return found

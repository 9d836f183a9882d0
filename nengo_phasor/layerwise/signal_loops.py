"""The compiled loops over signals: linear maps, pools, filters and spikes by their steps.

Signals are flat here. A dense signal has a row for each time step and a column for each neuron of
each item of a batch. A sparse signal has a row for each step and item. Compiled functions release
Python's global interpreter lock, so chunks of items run in parallel.
"""

from __future__ import annotations

import numpy as np

from nengo_phasor.layerwise.vectors import cached
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)


@cached
def ordered_spikes(steps, n_steps):
    """Return where the spikes of each step and item begin, and the columns of the spikes.

    ``steps``, of shape (n_cycles, n_items, n), are the steps of the spikes. A step out of range
    stands for a missing spike.
    """
    n_cycles, n_items, n = steps.shape
    starts = np.zeros(n_steps * n_items + 1, np.int64)
    for cycle in range(n_cycles):
        for item in range(n_items):
            for j in range(n):
                step = steps[cycle, item, j]
                if 0 <= step < n_steps:
                    starts[step * n_items + item + 1] += 1
    starts = np.cumsum(starts)
    columns, free = np.empty(starts[-1], np.int32), starts.copy()
    for cycle in range(n_cycles):
        for item in range(n_items):
            for j in range(n):
                step = steps[cycle, item, j]
                if 0 <= step < n_steps:
                    row = step * n_items + item
                    columns[free[row]] = j
                    free[row] += 1
    return starts, columns


# ---------------------------------------------------------------------------------- linear maps


@cached
def add_sparse(result, starts, columns, values):
    """Add a sparse signal to a dense one, which has as many rows or repeats."""
    for row in range(len(starts) - 1):
        target = result[row % len(result)]
        for k in range(starts[row], starts[row + 1]):
            target[columns[k]] += values[k]


@cached
def max_pool(x, output, rows, columns, n_columns):
    """Write the maxima of windows of images, channels last, given the windows' rows and columns."""
    channels = output.shape[1] // (len(rows) * len(columns))
    for k in range(len(x)):
        image = x[k].reshape((-1, n_columns, channels))
        pooled = output[k].reshape((len(rows), len(columns), channels))
        for y in range(len(rows)):
            for z in range(len(columns)):
                top, left = rows[y, 0], columns[z, 0]
                for j in range(channels):
                    pooled[y, z, j] = image[top, left, j]
                for row in rows[y]:
                    for column in columns[z]:
                        for j in range(channels):
                            value = image[row, column, j]
                            pooled[y, z, j] = value if value > pooled[y, z, j] else pooled[y, z, j]


# -------------------------------------------------------------------------------------- filters


@cached
def filter_steps(x, output, state, A, B, C, D):
    """Filter ``x``, which repeats, by X <- A X + B u, and write the output one step later.

    The last row of the state is the next output. The form is Nengo's: if D is zero, the output is
    C times the new state; otherwise it is C times the old state plus D u.
    """
    order = len(A)
    X, due = state[:order], state[order]
    old = np.empty(order, x.dtype)
    for k in range(len(output)):
        u = x[k % len(x)]
        for j in range(len(u)):
            output[k, j] = due[j]
            old[:] = X[:, j]
            due[j] = D * u[j]
            for i in range(order):
                X[i, j] = B[i] * u[j]
                for m in range(order):
                    X[i, j] += A[i, m] * old[m]
                due[j] += C[i] * (old[i] if D != 0 else X[i, j])


@cached
def filter_steps_of_two(x, output, state, A, B, C):
    """Do the same for filters with two states and without D, in a form that compilers optimise."""
    a, b, c, d = A[0, 0], A[0, 1], A[1, 0], A[1, 1]
    e, f, g, h = B[0], B[1], C[0], C[1]
    X, Y, due = state[0], state[1], state[2]
    for k in range(len(output)):
        u, y = x[k % len(x)], output[k]
        for j in range(len(u)):
            y[j] = due[j]
            old_X, old_Y = X[j], Y[j]
            new_X = a * old_X + b * old_Y + e * u[j]
            new_Y = c * old_X + d * old_Y + f * u[j]
            due[j] = g * new_X + h * new_Y
            X[j], Y[j] = new_X, new_Y

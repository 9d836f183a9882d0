"""The inner loops of training in `.layerwise`, compiled by Numba: those of `.compiled`, backwards.

Signals are as there. Gradients are dense: rows are time steps, or a row for each step and item.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from functools import cache

import numpy as np
from nengo.exceptions import BuildError

from nengo_phasor import compat, gradients
from nengo_phasor.layerwise.compiled import compile_equation, compiled_of, in_single
from nengo_phasor.layerwise.vectors import add_scaled, cached
from nengo_phasor.surrogates import Surrogate

numba = compat.require("numba")

for _equation in (gradients.leaky_spike, gradients.resonate_and_fire, gradients.adaptive_spike):
    compile_equation(_equation)

# ---------------------------------------------------------------------------------- linear maps


@cached
def add_entries(result, x, gradient, starts, columns):
    """Add, for each entry of a sparse matrix (n_in, n_out), what it brought to a gradient."""
    for row in range(len(x)):
        for i in range(len(starts) - 1):
            value = x[row, i]
            if value != 0:
                for k in range(starts[i], starts[i + 1]):
                    result[k] += value * gradient[row, columns[k]]


@cached
def through_transposed(result, gradient, starts, columns, values):
    """Write a gradient times the transpose of a sparse matrix (n_in, n_out)."""
    n_in = len(starts) - 1
    if len(columns) == n_in and np.all(starts == np.arange(n_in + 1)):
        for row in range(len(gradient)):
            source, target = gradient[row], result[row]
            for i in range(n_in):
                target[i] = values[i] * source[columns[i]]
        return
    for row in range(len(gradient)):
        source, target = gradient[row], result[row]
        for i in range(len(starts) - 1):
            total = target.dtype.type(0)
            for k in range(starts[i], starts[i + 1]):
                total += values[k] * source[columns[k]]
            target[i] = total


@cached
def unfold(x, windows, shape_in, stride, padding):
    """Lay out the windows of images' rows; see `.convolution.Convolution`.

    Places outside of an image are zero.
    """
    height, width, channels = shape_in
    n_remainders, n_rows, n_images, n_places, stretch = windows.shape
    for remainder in range(n_remainders):
        for k in range(n_rows):
            row = k * n_remainders + remainder - padding[0]
            inside = 0 <= row < height
            for n in range(n_images):
                for z in range(n_places):
                    left = (z * stride - padding[1]) * channels
                    first = max(0, -left) if inside else stretch
                    last = max(first, min(stretch, width * channels - left))
                    source, target = x[n], windows[remainder, k, n, z]
                    start = row * width * channels + left
                    target[:first] = 0
                    for j in range(first, last):
                        target[j] = source[start + j]
                    target[last:] = 0


@cached
def fold(x, windows, shape_in, stride, padding):
    """Add windows to the images that `unfold` has them from."""
    height, width, channels = shape_in
    n_remainders, n_rows, n_images, n_places, stretch = windows.shape
    one = x.dtype.type(1)
    for remainder in range(n_remainders):
        for k in range(n_rows):
            row = k * n_remainders + remainder - padding[0]
            if not 0 <= row < height:
                continue
            for n in range(n_images):
                for z in range(n_places):
                    left = (z * stride - padding[1]) * channels
                    start = row * width * channels + left
                    first, last = max(0, -left), min(stretch, width * channels - left)
                    source = windows[remainder, k, n, z]
                    add_scaled(x[n], start + first, source, first, last - first, one)


@cached
def to_maxima(x, by_x, gradient, rows, columns, n_columns):
    """Add to each window's first maximum the gradient by it; see `.signal_loops.max_pool`."""
    channels = gradient.shape[1] // (len(rows) * len(columns))
    for k in range(len(x)):
        image = x[k].reshape((-1, n_columns, channels))
        target = by_x[k].reshape((-1, n_columns, channels))
        source = gradient[k].reshape((len(rows), len(columns), channels))
        for y in range(len(rows)):
            for z in range(len(columns)):
                for j in range(channels):
                    top, left = rows[y, 0], columns[z, 0]
                    for row in rows[y]:
                        for column in columns[z]:
                            if image[row, column, j] > image[top, left, j]:
                                top, left = row, column
                    target[top, left, j] += source[y, z, j]


# -------------------------------------------------------------------------------------- filters


@cached
def filter_back(gradient, by_x, by_state, A, B, C, D):
    """Take a gradient back through `.signal_loops.filter_steps`; change ``by_state`` in place."""
    order = len(A)
    by_X, by_due = by_state[:order], by_state[order]
    new = np.empty(order, gradient.dtype)
    for k in range(len(gradient) - 1, -1, -1):
        g, target = gradient[k], by_x[k % len(by_x)]
        for j in range(len(g)):
            due = by_due[j]
            for i in range(order):
                new[i] = by_X[i, j] + (C[i] * due if D == 0 else 0)
                target[j] += B[i] * new[i]
            target[j] += D * due
            for i in range(order):
                total = C[i] * due if D != 0 else 0 * due
                for m in range(order):
                    total += A[m, i] * new[m]
                by_X[i, j] = total
            by_due[j] = g[j]


# -------------------------------------------------------------------------------------- neurons


@numba.njit
def _maximum(a, b):
    return a if a > b else b


@numba.njit
def _minimum(a, b):
    return a if a < b else b


@numba.njit
def _abs(x):
    return abs(x)


@numba.njit
def _exp(x):
    return np.exp(x)


@numba.njit
def _where(condition, a, b):
    return a if condition else b


Functions = namedtuple("Functions", "maximum minimum abs exp where")

FUNCTIONS = Functions(_maximum, _minimum, _abs, _exp, _where)
"""What a surrogate's ``derivative`` finds in its argument xp, for single numbers."""


def leaky_spike_back(J, states, by_output, by_states, by_J, c, slope):
    """Take gradients back through a row of leaky integrate-and-fire neurons."""
    voltage, by_voltage = states[0], by_states[0]
    for j in range(len(by_J)):
        by_current, by_voltage[j] = gradients.leaky_spike(
            J[j], voltage[j], by_output[j], by_voltage[j], c, slope
        )
        by_J[j] += by_current


def resonate_and_fire_back(J, states, by_output, by_states, by_J, c, slope):
    """Take gradients back through a row of resonate-and-fire neurons."""
    (u, v), (by_u, by_v) = (states[0], states[1]), (by_states[0], by_states[1])
    for j in range(len(by_J)):
        by_current, by_u[j], by_v[j] = gradients.resonate_and_fire(
            J[j], u[j], v[j], by_output[j], by_u[j], by_v[j], c, slope
        )
        by_J[j] += by_current


def adaptive_spike_back(J, states, by_output, by_states, by_J, c, slope):
    """Take gradients back through a row of adaptive spiking neurons."""
    u, v, w = states[0], states[1], states[2]
    by_u, by_v, by_w = by_states[0], by_states[1], by_states[2]
    for j in range(len(by_J)):
        by_current, by_u[j], by_v[j], by_w[j] = gradients.adaptive_spike(
            J[j], u[j], v[j], w[j], by_output[j], by_u[j], by_v[j], by_w[j], c, slope
        )
        by_J[j] += by_current


def _run_back(J, trace, by_output, by_states, by_J, c):
    """Take gradients back through a window, from its last step to its first."""
    for k in range(len(trace) - 1, -1, -1):
        back_row(  # noqa: F821 - given by window_back_of
            J[k % len(J)],
            trace[k],
            by_output[k % len(by_output)],
            by_states,
            by_J[k % len(by_J)],
            c,
            slope,  # noqa: F821
        )


@cache
def window_back_of(back_row: Callable, surrogate: Surrogate | None, dtype: np.dtype) -> Callable:
    """Return the compiled loop back through a window, given that through a row of neurons.

    Parameters
    ----------
    back_row : callable
        ``back_row(J, states, by_output, by_states, by_J, c, slope)`` takes gradients back through
        one step of a row of neurons, given their currents, the states before the step, of shape
        (n_states, n), and the constants. It adds the gradient by the currents to ``by_J``, and
        writes that by the states before the step over ``by_states``, that by the states after it.
        ``slope`` is the surrogate's derivative of a number. It is compiled.
    surrogate : `.Surrogate`, optional
        The neurons', if they have one.
    dtype : numpy.dtype
        The precision.

    Raises
    ------
    nengo.exceptions.BuildError
        If the surrogate's ``derivative`` can't be compiled.
    """
    known = {"back_row": numba.njit(back_row), "slope": _slope_of(surrogate, dtype)}
    loop = compiled_of(_run_back, None, **known)
    vars(loop).update(known)  # for loops of other kinds
    return loop


def _slope_of(surrogate: Surrogate | None, dtype: np.dtype):
    """Return the compiled derivative of a surrogate, its parameters being constants."""
    if surrogate is None:

        def none(x):
            return x - x

        return numba.njit(none)
    config = surrogate.get_config()
    derivative = type(surrogate).derivative
    if dtype == np.float32:
        config = {k: np.float32(v) if isinstance(v, float) else v for k, v in config.items()}
        derivative = in_single(derivative)
    parameters = namedtuple("Parameters", config)(**config)
    derivative = numba.njit(error_model="numpy")(derivative)

    def slope(x):
        return derivative(parameters, FUNCTIONS, x)

    slope.__name__ = "_".join([type(surrogate).__name__, *map(str, config.values())])
    slope = numba.njit(slope)
    try:
        slope(dtype.type(0.5))
    except numba.core.errors.NumbaError as error:
        raise BuildError(
            f"{surrogate}: its derivative can't be compiled. Let it use arithmetic, and from its "
            f"argument xp only {', '.join(Functions._fields)}"
        ) from error
    return slope

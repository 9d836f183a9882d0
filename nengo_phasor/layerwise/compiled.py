"""The compiled loops over neurons, which run the equations of `.dynamics`.

See `.signal_loops` for how signals are laid out.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections import namedtuple
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from nengo_phasor import compat, dynamics, surrogates
from nengo_phasor.layerwise import vectors
from nengo_phasor.layerwise.vectors import bits_of_64, lowest_bit
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

numba = compat.require("numba")
overload = compat.require("numba.extending").overload


def in_single(function: Callable) -> Callable:
    """Return a function whose literal numbers are of single precision.

    NumPy computes with these in the precision of arrays, Numba in double.
    """
    code = function.__code__
    literals = (np.float32(k) if isinstance(k, float) else k for k in code.co_consts)
    return FunctionType(code.replace(co_consts=tuple(literals)), function.__globals__)


def compile_equation(equation: Callable) -> None:
    """Let compiled loops call an equation, in the precision of its arguments."""
    single = in_single(equation)

    def choose(*arguments):
        kinds = [getattr(argument, "dtype", argument) for argument in arguments]
        return single if numba.float32 in kinds else equation

    overload(equation, jit_options={"error_model": "numpy"}, strict=False)(choose)


for _equation in (
    dynamics.resonate,
    dynamics.above_threshold,
    dynamics.peaked,
    dynamics.resonate_and_fire,
    dynamics.unit_phasor,
    dynamics.turned,
    dynamics.driven,
    dynamics.demodulated,
    dynamics.leaky_spike,
    dynamics.adaptive_spike,
):
    compile_equation(_equation)


# -------------------------------------------------------------------------------------- neurons


def _zero_and_one(x):
    """Return the numbers 0 and 1 in the precision of a number, given its Numba type."""
    number = np.float32 if x == numba.float32 else np.float64
    return number(0), number(1)


@overload(surrogates.heaviside)
def _heaviside(x):
    """Compile it for a single number, in the number's precision."""
    zero, one = _zero_and_one(x)
    return lambda x: one if x >= zero else zero


@overload(surrogates.above)
def _above(x):
    """Compile it for a single number, in the number's precision."""
    zero, one = _zero_and_one(x)
    return lambda x: one if x > zero else zero


def _alike(value):
    """Return a compiled function of a number that returns 0 or 1 in the number's precision."""

    def alike(x):
        raise NotImplementedError

    @overload(alike)
    def _typed(x):
        constant = _zero_and_one(x)[value]
        return lambda x: constant

    return numba.njit(lambda x: alike(x))


@numba.njit
def _sqrt(x):
    return np.sqrt(x)


@numba.njit
def _where(condition, a, b):
    return a if condition else b


Numbers = namedtuple("Numbers", "where sqrt zeros_like ones_like")

NUMBERS = Numbers(_where, _sqrt, _alike(0), _alike(1))
"""What equations find in their argument xp, for single numbers."""


@numba.njit
def heaviside(x):
    """Return 1 if x >= 0, and 0 otherwise."""
    return surrogates.heaviside(x)


@numba.njit
def above(x):
    """Return 1 if x > 0, and 0 otherwise."""
    return surrogates.above(x)


def _rhythm(activity, rotation, dt):
    """Return the field of each item in each step, as it is before that step's activity."""
    ahead = np.empty((2, *activity.shape))
    for item in range(activity.shape[1]):
        voltage, current = 0.0, 0.0
        for k in range(len(activity)):
            voltage, current = dynamics.resonate(0.0, voltage, current, rotation, dt)
            ahead[0, k, item], ahead[1, k, item] = voltage, current
            voltage += activity[k, item] * dt
    return ahead


def resonate_and_fire_row(J, states, fired, c):
    """Advance a row of resonate-and-fire neurons."""
    voltage, current = states[0], states[1]
    for j in range(len(J)):
        spike, voltage[j], current[j] = dynamics.resonate_and_fire(
            J[j], voltage[j], current[j], c, heaviside
        )
        fired[j] = spike != 0


def leaky_spike_row(J, states, fired, c):
    """Advance a row of leaky integrate-and-fire neurons."""
    voltage = states[0]
    for j in range(len(J)):
        spike, voltage[j] = dynamics.leaky_spike(J[j], voltage[j], c, heaviside, heaviside)
        fired[j] = spike != 0


def adaptive_spike_row(J, states, fired, c):
    """Advance a row of adaptive spiking neurons."""
    voltage, refraction, adaptation = states[0], states[1], states[2]
    for j in range(len(J)):
        spike, voltage[j], refraction[j], adaptation[j] = dynamics.adaptive_spike(
            J[j], voltage[j], refraction[j], adaptation[j], c, above
        )
        fired[j] = spike != 0


def bind_spikes_row(J, states, fired, c):
    """Advance the neurons of a layer that binds, and the unit of its rhythm if there is one.

    The signal that rotates a spike is computed only where there is one: it takes longest.
    """
    n, step = len(J) // 3, dynamics.Rotation(c.cos, c.sin)
    voltage, current = states[0], states[1]
    x, slow, unit = J[:n], slice(n, 3 * n), slice(3 * n, len(J))
    slow_voltage, slow_current = voltage[slow], current[slow]
    resonate_row(J[slow], slow_voltage, slow_current, step, c.dt)
    real, imag = np.zeros_like(x), np.zeros_like(x)
    for j in range(n):
        if x[j] != 0:
            voltages = (slow_voltage[j], slow_voltage[n + j])
            currents = (slow_current[j], slow_current[n + j])
            cos, sin = dynamics.demodulated(NUMBERS, voltages, currents, c.threshold)
            real[j], imag[j] = x[j] * cos, x[j] * sin
    driven_row(real, imag, voltage[:n], current[:n], fired[:n], c)
    if len(J) > 3 * n:
        real[0], imag[0] = J[3 * n] + real.sum() / x.dtype.type(n), imag.sum() / x.dtype.type(n)
        driven_row(real[:1], imag[:1], voltage[unit], current[unit], fired[unit], c)


@numba.njit
def resonate_row(J, voltage, current, step, dt):
    """Advance a row of resonators."""
    for j in range(len(J)):
        voltage[j], current[j] = dynamics.resonate(J[j], voltage[j], current[j], step, dt)


@numba.njit
def driven_row(real, imag, voltage, current, fired, c):
    """Advance a row of resonators whose inputs have a real and an imaginary part."""
    for j in range(len(real)):
        spike, voltage[j], current[j] = dynamics.driven(
            (real[j], imag[j]), voltage[j], current[j], c, heaviside
        )
        fired[j] = spike != 0


def _of_all(J, states, fired, n_neurons, c):
    """Advance the neurons of all items of a batch at once."""
    advance_row(J, states, fired, c)  # noqa: F821 - given by window_of


def _of_each(J, states, fired, n_neurons, c):
    """Advance the neurons of one item after the other, for layers whose neurons are not alike."""
    for first in range(0, len(J), n_neurons):
        item = slice(first, first + n_neurons)
        advance_row(J[item], states[:, item], fired[item], c)  # noqa: F821


def graded_spike_row(J, states, output, c):
    """Advance a row of adaptive spiking neurons whose spikes are graded."""
    voltage, refraction, adaptation = states[0], states[1], states[2]
    for j in range(len(J)):
        output[j], voltage[j], refraction[j], adaptation[j] = dynamics.adaptive_spike(
            J[j], voltage[j], refraction[j], adaptation[j], c, above
        )


def _run(J, n_steps, n_neurons, states, trace, c):
    """Return the sparse spikes: their columns, and where those of each step and item begin.

    ``trace``, of shape (n_steps, n_states, n), receives the states before each step, or is empty.
    """
    width = J.shape[1]
    n_items = width // n_neurons
    fired = np.zeros(width + 64, np.uint8)
    columns = np.empty(width + n_steps * width // 8, np.int32)
    starts = np.zeros(n_steps * n_items + 1, np.int64)
    count, row = 0, 0
    for k in range(n_steps):
        if len(trace):
            trace[k] = states
        advance(J[k % len(J)], states, fired[:width], n_neurons, c)  # noqa: F821
        if count + width > len(columns):
            longer = np.empty(2 * len(columns) + width, np.int32)
            longer[:count] = columns[:count]
            columns = longer
        for item in range(n_items):
            for first in range(0, n_neurons, 64):
                bits = bits_of_64(fired, item * n_neurons + first)
                if first + 64 > n_neurons:
                    bits &= (np.uint64(1) << np.uint64(n_neurons - first)) - np.uint64(1)
                while bits:
                    columns[count] = first + lowest_bit(bits)
                    count += 1
                    bits &= bits - np.uint64(1)
            row += 1
            starts[row] = count
    return columns[:count].copy(), starts


def _run_graded(J, n_steps, n_neurons, states, trace, c):
    """Return the sparse spikes, as `_run` does, and the output of each."""
    width = J.shape[1]
    output = np.zeros((n_steps, width), states.dtype)
    for k in range(n_steps):
        if len(trace):
            trace[k] = states
        advance(J[k % len(J)], states, output[k], n_neurons, c)  # noqa: F821 - given by window_of
    flat = output.reshape((-1, n_neurons))
    starts = np.zeros(len(flat) + 1, np.int64)
    for row in range(len(flat)):
        starts[row + 1] = starts[row] + np.count_nonzero(flat[row])
    columns, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], states.dtype)
    for row in range(len(flat)):
        count = starts[row]
        for j in range(n_neurons):
            if flat[row, j] != 0:
                columns[count], values[count] = j, flat[row, j]
                count += 1
    return columns, starts, values


EQUATIONS = dynamics.integration, dynamics.resonance

SOURCES = "".join(map(inspect.getsource, (*EQUATIONS, surrogates, vectors, sys.modules[__name__])))
"""The source of all that our rows of neurons call: Numba's cache checks only a function's file."""


def compiled_of(function: Callable, sources: str | None, **known) -> Callable:
    """Return a compiled function, given the names that it uses but does not define.

    If ``sources``, the source code of everything that it calls, is given, the compiled code is
    kept on disk for the next process until these sources change.
    """
    function = FunctionType(function.__code__, {**globals(), **known})
    names = "_".join([function.__name__, *(known[name].__name__ for name in known)])
    digest = hashlib.sha256((sources or "").encode()).hexdigest()[:16]
    function.__qualname__ = f"{names}_{digest}"
    return numba.njit(nogil=True, cache=sources is not None)(function)


def window_of(
    advance_row: Callable,
    sources: str | None = None,
    whole_layers: bool = False,
    graded: bool = False,
) -> Callable:
    """Return the compiled loop over a window of time, given the loop over a row of neurons.

    Parameters
    ----------
    advance_row : callable
        ``advance_row(J, states, fired, c)`` takes the currents of a row of neurons and the
        constants. It writes the new states, of shape (n_states, n), and whether each neuron
        fired. It is compiled.
    sources : str, optional
        The source code of everything that ``advance_row`` calls. If given, the compiled code is
        kept on disk for the next process until these sources change.
    whole_layers : bool
        Whether a row has to be the layer of a single item, because its neurons depend on each
        other. By default a row may have those of many items.
    graded : bool
        Whether spikes differ in height. ``advance_row`` then writes each neuron's output in place
        of whether it fired.
    """
    row = numba.njit(advance_row)
    kind = _of_each if whole_layers else _of_all
    advance = numba.njit(FunctionType(kind.__code__, {**globals(), "advance_row": row}))
    advance.__name__ = row.__name__
    window: Any = compiled_of(_run_graded if graded else _run, sources, advance=advance)
    window.advance, window.graded = advance, graded  # other kinds of loops use them
    return window


rhythm = compiled_of(_rhythm, SOURCES)

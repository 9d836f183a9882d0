"""The objects that `.layerwise` runs step by step: processes, synapses and functions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from nengo.base import Process
from nengo.exceptions import SimulationError

from nengo_phasor.layerwise import signal_loops
from nengo_phasor.layerwise.signal import Signal
from nengo_phasor.layerwise.span import Span
from nengo_phasor.pooling import MaxPool


class BuiltProcess(NamedTuple):
    """The process of a node or a synapse, as built by Nengo.

    ``is_late`` tells whether its output takes effect in the next step. A process without its own
    seed uses the simulator's seed and ``seed``, which depends on its place in the network.
    """

    process: Process
    is_late: bool
    seed: int


def by_own_step(built: BuiltProcess, x: Signal | None, size_out: int, span: Span) -> Signal:
    """Return the output of any process, which runs by its own steps for each item.

    Without an input all items are equal.
    """
    n_items = 1 if x is None else x.n_items
    inputs: Any = None if x is None else x.dense()
    output = np.zeros((span.n_steps, n_items, size_out), span.dtype)
    due = output[1:] if built.is_late else output
    for item in range(n_items):
        step = _step(built, (0,) if x is None else (x.size,), (size_out,), span)
        with np.errstate(invalid="raise", divide="ignore"):
            for k in range(len(due)):
                span.check()
                given = () if x is None else (inputs[k % len(inputs), item].copy(),)
                due[k, item] = step(span.time(k), *given)
    return Signal.of(output if x is not None else np.repeat(output, span.n_items, axis=1))


def _step(built, shape_in, shape_out, span):
    """Return the function of a step of one item, made as Nengo's builder makes it."""
    process = built.process
    state = process.make_state(shape_in, shape_out, span.dt, dtype=span.dtype)
    state = {name: np.array(value) for name, value in state.items()}
    rng = process.get_rng(np.random.RandomState([span.seed, built.seed]))
    return process.make_step(shape_in, shape_out, span.dt, rng, state)


def pooled(pool: MaxPool, x: Signal) -> Signal:
    """Return the pooled signal, as `.MaxPool.pool` does."""
    x = x.dense()
    output = np.empty((*x.shape[:-1], pool.default_size_out), x.dtype)
    flat = (np.ascontiguousarray(x).reshape(-1, x.shape[-1]), output.reshape(-1, output.shape[-1]))
    signal_loops.max_pool(*flat, *pool.places, pool.input_shape[1])
    return Signal.of(output)


def of_function(node, x: Signal | None, span: Span) -> Signal:
    """Return the output of a node's function for each step and item.

    Without an input it is called once for all items.
    """
    n_items = 1 if x is None else x.n_items
    inputs: Any = None if x is None else x.dense()
    output = np.empty((span.n_steps, n_items, node.size_out), span.dtype)
    for item in range(n_items):
        for k in range(span.n_steps):
            span.check()
            given = () if x is None else (inputs[k % len(inputs), item].copy(),)
            call(node, span.time(k), given, output[k, item])
    return Signal.of(output if x is not None else np.repeat(output, span.n_items, axis=1))


def call(node, time: float, given: tuple, place: np.ndarray) -> None:
    """Write the output of a node's function at a time, given its input if it has one."""
    value = node.output(time, *given)
    if node.size_out:
        _write(place, value, node, time)


def _write(place, value, node, time):
    """Write the value returned by a function, rejecting the values that Nengo rejects."""
    try:
        finite = value is not None and np.all(np.isfinite(value))
        if finite:
            place[...] = value
    except (TypeError, ValueError) as error:
        raise SimulationError(
            f"{node}: its function returned {value!r} at t = {time:g} s; needs {place.size} numbers"
        ) from error
    if not finite:
        raise SimulationError(
            f"{node}: its function returned {value} at t = {time:g} s; needs finite numbers"
        )


def check_finite(node, x: Signal, span: Span) -> None:
    """Check that the output of a process is finite, since NaN would persist in what it reaches."""
    wrong = np.argwhere(~np.isfinite(x.values))
    if len(wrong):
        k = wrong[0, 0]
        raise SimulationError(
            f"{node}: its {type(node.output).__name__} gave {x.values[tuple(wrong[0])]} at "
            f"t = {span.time(k):g} s; needs finite numbers"
        )

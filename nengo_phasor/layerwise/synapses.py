"""How `.layerwise` takes a signal through a synapse: any by its own step, known ones faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from nengo.synapses import LinearFilter

from nengo_phasor import compat, dynamics, phases
from nengo_phasor.inheritance import entry, keeps, rewritten
from nengo_phasor.layerwise import compiled
from nengo_phasor.layerwise.processes import BuiltProcess, by_own_step
from nengo_phasor.layerwise.signal import Signal
from nengo_phasor.layerwise.span import Span
from nengo_phasor.synapses import (
    AssumeReference,
    FieldSparsifier,
    PhaseEncoder,
    SpikeSynapse,
    Tick,
)

sparse = compat.require("scipy.sparse")


def through(built: BuiltProcess, x: Signal, key, span: Span) -> Signal:
    """Return a signal after a synapse, by the fastest way there is.

    ``key`` is that of the synapse's state in ``span``.
    """
    synapse = built.process
    if is_kept(built):
        return filtered(Filter.of(synapse, span.dt, span.dtype), x, key, span)
    if built.is_late or not is_stepless(synapse):
        return by_own_step(built, x, x.size, span)
    return fastest(synapse, x)(synapse, x, span)


def is_kept(built: BuiltProcess) -> bool:
    """Return whether a synapse is one of Nengo's linear filters, whose state a span keeps."""
    synapse = built.process
    plain = isinstance(synapse, LinearFilter) and not rewritten(type(synapse), LinearFilter)
    return plain and built.is_late


def is_stepless(synapse) -> bool:
    """Return whether a synapse is what its ``constants`` and ``advance`` say."""
    return isinstance(synapse, SpikeSynapse) and keeps(
        type(synapse), SpikeSynapse, "make_state", "make_step"
    )


def fastest(synapse: SpikeSynapse, x: Signal) -> Callable:
    """Return the fastest way of a signal through a spike synapse."""
    known = entry(EVENT_WAYS if x.is_sparse else CONSTANT_WAYS, type(synapse))
    if known and (x.is_sparse or x.n_steps == 1):
        return known
    if x.is_sparse and synapse.silent_at_zero and not synapse.state_shapes:
        return through_events
    return through_steps


# ------------------------------------------------------------------------------- spike synapses


def through_steps(synapse: SpikeSynapse, x: Signal, span: Span) -> Signal:
    """Return a signal after any spike synapse, step by step."""
    given, n_items, n = x.dense(), x.n_items, x.size
    constants = synapse.constants(span.dt, np.arange(n), span.items[:, None])
    sizes = {"neuron": n, "all": 1}
    shapes = [(n_items, sizes[kind]) for kind in synapse.state_shapes.values()]
    states = [np.zeros(shape, given.dtype) for shape in shapes]
    output = np.empty((span.n_steps, n_items, n), given.dtype)
    for k in range(span.n_steps):
        span.check()
        tick = Tick(np.float64(k + 1), np.array([k + 1], np.uint32))
        output[k], *states = synapse.advanced(np, tick, given[k % len(given)], constants, *states)
    return Signal.of(output).events()


def through_events(synapse: SpikeSynapse, x: Signal, span: Span) -> Signal:
    """Return events after a synapse that is silent at zero: each stands by itself."""
    x = x.repeated(span.n_steps)
    step, item = np.divmod(x.rows, x.n_items)
    tick = Tick(step + 1.0, (step + 1).astype(np.uint32))
    constants = synapse.constants(span.dt, x.values.indices, span.items[item])
    (values,) = synapse.advanced(np, tick, x.values.data, constants)
    return x.kept(values != 0, values)


def through_field(synapse: FieldSparsifier, x: Signal, span: Span) -> Signal:
    """Return events after a field sparsifier, which only sees how many there are.

    The rhythm of `.dynamics.rhythm_silences` depends on the activity alone.
    """
    x = x.repeated(span.n_steps)
    c = synapse.constants(span.dt, np.arange(x.size), span.items)
    activity = np.asarray(x.values.mean(axis=1), float).reshape(-1, x.n_items)
    activity = dynamics.field_drive(np, activity)
    voltage, current = compiled.rhythm(activity, c.rotation, c.dt)
    silent = dynamics.field_rises(np, voltage, current, c)
    return x.kept(~silent.ravel()[x.rows])


def through_assumption(synapse: AssumeReference, x: Signal, span: Span) -> Signal:
    """Return events and the assumed ones, which are few: all in the reference's steps."""
    x = x.repeated(span.n_steps)
    events, n_items, n = x.values, x.n_items, x.size
    period, height = synapse.constants(span.dt, np.arange(n), span.items)
    steps = np.arange(1.0, span.n_steps + 1)
    references = np.flatnonzero(dynamics.spikes_at_phase(np, np.zeros_like(steps), steps, period))
    step, item = np.divmod(x.rows, n_items)
    place = (np.searchsorted(references, step) * n_items + item) * n + events.indices
    shape = (len(references) + 1, n_items, n)
    heard = np.bincount(place, events.data / height, minlength=np.prod(shape)).reshape(shape)[:-1]
    cycle, item, neuron = np.nonzero(heard != 1)
    missed = (1.0 - heard[cycle, item, neuron]) * height
    rows = references[cycle] * n_items + item
    missed = sparse.csr_matrix((missed.astype(events.dtype), (rows, neuron)), events.shape)
    return Signal(events + missed, n_items)


def encode_constant(encoder: PhaseEncoder, x: Signal, span: Span) -> Signal:
    """Return the spikes of phases that do not change over the window.

    Where a cycle is a whole number of steps, these are the steps of one cycle: it repeats.
    """
    n_steps, (phase,) = span.n_steps, x.values
    period = phases.steps_per_cycle(encoder.frequency, span.dt)
    if abs(period - round(period)) < phases.STEP_TOLERANCE:
        n_steps = min(n_steps, round(period))
    cycles = int(np.ceil(n_steps / period))
    steps = np.moveaxis(phases.to_steps(phase, encoder.frequency, cycles, span.dt), -1, 0)
    starts, columns = compiled.ordered_spikes(np.ascontiguousarray(steps), n_steps)
    values = np.full(len(columns), encoder.amplitude / span.dt, span.dtype)
    return Signal.of_rows(starts, columns, values, *phase.shape)


EVENT_WAYS = {FieldSparsifier: through_field, AssumeReference: through_assumption}
"""Synapses with a state that need not look at every neuron in every step."""

CONSTANT_WAYS = {PhaseEncoder: encode_constant}
"""Synapses that know at once what they make of a constant."""


# -------------------------------------------------------------------------------------- filters


class Filter(NamedTuple):
    """One of Nengo's filters in discrete time."""

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: float

    @classmethod
    def of(cls, synapse: LinearFilter, dt: float, dtype) -> Filter:
        """Return the filter of a synapse; one of a single state gets another that is idle."""
        A, B, C, D = synapse._get_ss(dt)
        order, D = len(B), D.item()
        A, B, C = A.reshape(order, order), B.ravel(), C.ravel()
        if order == 1 and not D:
            A, B, C = (
                np.diag([A.item(), 0]),
                np.append(B * C, 0),
                np.array([1, 0]),
            )  # as Nengo rounds
        return cls(A.astype(dtype), B.astype(dtype), C.astype(dtype), dtype.type(D))

    @property
    def n_states(self) -> int:
        """Number of values that go on from one step to the next: the states and the output."""
        return len(self.A) + 1


def filtered(constants: Filter, x: Signal, key, span: Span) -> Signal:
    """Return a signal after one of Nengo's filters, which act a step later."""
    state = span.arrays(key, np.zeros((constants.n_states, x.size)))
    x = np.ascontiguousarray(x.dense())
    output = np.empty((span.n_steps, *x.shape[1:]), x.dtype)
    flat = [signal.reshape(len(signal), -1) for signal in (x, output, state)]
    if len(constants.A) == 2 and not constants.D:
        compiled.filter_steps_of_two(*flat, *constants[:3])
    else:
        compiled.filter_steps(*flat, *constants)
    return Signal.of(output)

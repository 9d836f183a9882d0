"""Synapses in `.layerwise`: any synapse runs by its own step, and known ones run faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from nengo.synapses import LinearFilter

from nengo_phasor import compat, dynamics, phases
from nengo_phasor.inheritance import entry, keeps, rewritten
from nengo_phasor.layerwise import backward, compiled, signal_loops
from nengo_phasor.layerwise.processes import BuiltProcess, by_own_step
from nengo_phasor.layerwise.signal import Signal
from nengo_phasor.layerwise.span import Span
from nengo_phasor.synapses import (
    ArcSparsifier,
    AssumeReference,
    AssumeRhythm,
    DifferenceSparsifier,
    FieldSparsifier,
    PhaseEncoder,
    RandomSparsifier,
    RhythmSparsifier,
    SpikeSynapse,
    Tick,
)

sparse = compat.require("scipy.sparse")


def through(built: BuiltProcess, x: Signal, key, span: Span) -> Signal:
    """Return a signal after a synapse, computed in the fastest way.

    ``key`` is the key of the synapse's state in ``span``.
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
    """Return whether ``constants`` and ``advance`` fully define a synapse."""
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
    """Return events after a synapse that is silent at zero, in which events are independent."""
    x = x.repeated(span.n_steps)
    step, item = np.divmod(x.rows, x.n_items)
    tick = Tick(step + 1.0, (step + 1).astype(np.uint32))
    constants = synapse.constants(span.dt, x.values.indices, span.items[item])
    (values,) = synapse.advanced(np, tick, x.values.data, constants)
    return x.kept(values != 0, values)


def through_field(synapse: FieldSparsifier, x: Signal, span: Span) -> Signal:
    """Return events after a field sparsifier, which depends only on their number.

    The rhythm of `.dynamics.rhythm_silences` depends only on the activity.
    """
    x = x.repeated(span.n_steps)
    return x.kept(~field_silences(synapse, x, span).ravel()[x.rows])


def field_silences(synapse: FieldSparsifier, x: Signal, span: Span) -> np.ndarray:
    """Return whether the rhythm silences each step and item of events, (n_steps, n_items)."""
    c = synapse.constants(span.dt, np.arange(x.size), span.items)
    activity = np.asarray(x.values.mean(axis=1), float).reshape(-1, x.n_items)
    activity = dynamics.field_drive(np, activity)
    voltage, current = compiled.rhythm(activity, c.rotation, c.dt)
    return dynamics.field_rises(np, voltage, current, c)


def through_difference(synapse: DifferenceSparsifier, x: Signal, span: Span) -> Signal:
    """Return events after a sparsifier that follows the last input, the layer's mean."""
    x = x.repeated(span.n_steps)
    c, _ = synapse.constants(span.dt, np.arange(x.size), span.items)
    mean = x.values[:, [x.size - 1]].toarray().reshape(-1, x.n_items).astype(float)
    drive = dynamics.field_drive(np, mean)
    voltage, current = compiled.rhythm(drive, c.rotation, c.dt)  # before each step's drive
    return _outside(x, dynamics.field_rises(np, voltage + drive * c.dt, current, c))


def _outside(x: Signal, silent: np.ndarray) -> Signal:
    """Return events outside the silence, (n_steps, n_items), and those of the last input."""
    return x.kept(~silent.ravel()[x.rows] | (x.values.indices == x.size - 1))


def through_window(synapse: RhythmSparsifier, x: Signal, span: Span) -> Signal:
    """Return events after a sparsifier that follows a unit: these depend on its spikes only."""
    x = x.repeated(span.n_steps)
    return _outside(x, window_silences(synapse, x, span))


def window_silences(synapse: RhythmSparsifier, x: Signal, span: Span) -> np.ndarray:
    """Return whether a unit silences its layer in each step and item of events."""
    steps = np.arange(span.n_steps)[:, None]
    latest = np.maximum.accumulate(np.where(unit_spikes(x), steps, -1))
    since = np.where(latest < 0, 0.0, 1.0 + steps - latest)
    c = synapse.constants(span.dt, np.arange(x.size), span.items)
    return synapse.silences(np, since, c)


def unit_spikes(x: Signal) -> np.ndarray:
    """Return where the last neuron of events spikes, (n_steps, n_items)."""
    spiked = np.zeros(x.values.shape[0], bool)
    spiked[x.rows[(x.values.indices == x.size - 1) & (x.values.data > 0)]] = True
    return spiked.reshape(-1, x.n_items)


def through_assumption(synapse: AssumeReference, x: Signal, span: Span) -> Signal:
    """Return events and assumed events; these are few, and all in the steps of the reference."""
    x = x.repeated(span.n_steps)
    period, height = synapse.constants(span.dt, np.arange(x.size), span.items)
    steps = np.arange(1.0, span.n_steps + 1)
    references = dynamics.spikes_at_phase(np, np.zeros_like(steps), steps, period)
    references = np.broadcast_to(references[:, None], (span.n_steps, x.n_items))
    return assumed(x, references, x.size, height)


def through_assumed_rhythm(synapse: AssumeRhythm, x: Signal, span: Span) -> Signal:
    """Return the same with the spikes of a unit, the last neuron, in place of the reference."""
    x = x.repeated(span.n_steps)
    height, _ = synapse.constants(span.dt, np.arange(x.size), span.items)
    return assumed(x, unit_spikes(x), x.size - 1, height)


def assumed(x: Signal, references: np.ndarray, n: int, height: float) -> Signal:
    """Return events with those that `.dynamics.assume_reference` assumes of the first n neurons.

    ``references`` is true in the steps of each item's reference, (n_steps, n_items).
    """
    events, n_items = x.values, x.n_items
    cycles = (np.cumsum(references, axis=0) - references).ravel()  # so far, for each row
    n_cycles = references.sum(axis=0)
    layer = events.indices < n
    rows, column = x.rows[layer], events.indices[layer]
    place = (cycles[rows] * n_items + rows % n_items) * n + column
    shape = (n_cycles.max(initial=0) + 1, n_items, n)
    received = np.bincount(place, events.data[layer] / height, minlength=np.prod(shape))
    received = received.reshape(shape)
    received[np.arange(len(received))[:, None] >= n_cycles] = 1  # there is no reference to come
    cycle, item, neuron = np.nonzero(received != 1)
    at_reference = np.zeros(shape[:2], int)
    where = np.flatnonzero(references)
    at_reference[cycles[where], where % n_items] = where
    missed = ((1.0 - received[cycle, item, neuron]) * height).astype(events.dtype)
    added = sparse.csr_matrix((missed, (at_reference[cycle, item], neuron)), events.shape)
    return Signal(events + added, n_items)


def encode_constant(encoder: PhaseEncoder, x: Signal, span: Span) -> Signal:
    """Return the spikes of phases that do not change over the window.

    If a cycle has an integer number of steps, only the first cycle is returned: it repeats.
    """
    n_steps, (phase,) = span.n_steps, x.values
    period = phases.steps_per_cycle(encoder.frequency, span.dt)
    if abs(period - round(period)) < phases.STEP_TOLERANCE:
        n_steps = min(n_steps, round(period))
    cycles = int(np.ceil(n_steps / period))
    steps = np.moveaxis(phases.to_steps(phase, encoder.frequency, cycles, span.dt), -1, 0)
    starts, columns = signal_loops.ordered_spikes(np.ascontiguousarray(steps), n_steps)
    values = np.full(len(columns), encoder.amplitude / span.dt, span.dtype)
    return Signal.of_rows(starts, columns, values, *phase.shape)


EVENT_WAYS = {
    FieldSparsifier: through_field,
    RhythmSparsifier: through_window,
    DifferenceSparsifier: through_difference,
    AssumeReference: through_assumption,
    AssumeRhythm: through_assumed_rhythm,
}
"""Synapses with a state that need not look at every neuron in every step."""

CONSTANT_WAYS = {PhaseEncoder: encode_constant}
"""Synapses whose output for a constant input can be computed at once."""


# -------------------------------------------------------------------------------------- filters


class Filter(NamedTuple):
    """One of Nengo's filters in discrete time."""

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: float

    @classmethod
    def of(cls, synapse: LinearFilter, dt: float, dtype) -> Filter:
        """Return the filter of a synapse; a filter with a single state gets a second, idle one."""
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
        """The number of values kept from one step to the next: the states and the output."""
        return len(self.A) + 1


def filtered(constants: Filter, x: Signal, key, span: Span) -> Signal:
    """Return a signal after one of Nengo's filters, which delay by one step."""
    state = span.arrays(key, np.zeros((constants.n_states, x.size)))
    x = np.ascontiguousarray(x.dense())
    output = np.empty((span.n_steps, *x.shape[1:]), x.dtype)
    flat = [signal.reshape(len(signal), -1) for signal in (x, output, state)]
    if len(constants.A) == 2 and not constants.D:
        signal_loops.filter_steps_of_two(*flat, *constants[:3])
    else:
        signal_loops.filter_steps(*flat, *constants)
    return Signal.of(output)


# ------------------------------------------------------------------------------- backward pass


def back(built: BuiltProcess, x: Signal, by_output: np.ndarray, key, span: Span) -> np.ndarray:
    """Return the gradient of a synapse's input, given the gradient of its output.

    ``span`` has the states of the backward pass. A sparsifier passes the gradient where it passes
    spikes; the choice of these spikes has no gradient, as in NengoDL.
    """
    if not is_kept(built):
        return folded(
            entry(BACK_WAYS, type(built.process))(built.process, x, by_output, span), x.n_steps
        )
    constants = Filter.of(built.process, span.dt, span.dtype)
    state = span.arrays(key, np.zeros((constants.n_states, x.size)))
    by_x = np.zeros((x.n_steps, *by_output.shape[1:]), by_output.dtype)
    by_output = np.ascontiguousarray(by_output)
    flat = [signal.reshape(len(signal), -1) for signal in (by_output, by_x, state)]
    backward.filter_back(*flat, *constants)
    return by_x


def goes_back(built: BuiltProcess) -> bool:
    """Return whether gradients can pass through a synapse."""
    return is_kept(built) or (
        not built.is_late
        and is_stepless(built.process)
        and entry(BACK_WAYS, type(built.process)) is not None
    )


def folded(gradient: np.ndarray, n_steps: int) -> np.ndarray:
    """Return the gradient of a signal that repeats ``n_steps``, given the gradient of all steps.

    A gradient with fewer steps repeats as well.
    """
    if len(gradient) <= n_steps:
        return gradient
    result = np.zeros((n_steps, *gradient.shape[1:]), gradient.dtype)
    for first in range(0, len(gradient), n_steps):
        part = gradient[first : first + n_steps]
        result[: len(part)] += part
    return result


def _back_where_passed(synapse: SpikeSynapse, x: Signal, by_output, span):
    """Return the gradient where a synapse passes spikes, if this does not depend on the spikes."""
    ones = np.ones((1, x.n_items, x.size), by_output.dtype)
    return by_output * through_steps(synapse, Signal.of(ones), span).dense()


def _back_through_field(synapse: FieldSparsifier, x: Signal, by_output, span):
    """Return the gradient where the rhythm passes spikes."""
    silent = field_silences(synapse, x.events().repeated(span.n_steps), span)
    return np.where(silent[..., None], 0, by_output)


def _back_through_window(synapse: RhythmSparsifier, x: Signal, by_output, span):
    """Return the gradient where a unit lets spikes pass, and that of the unit itself."""
    silent = window_silences(synapse, x.events().repeated(span.n_steps), span)
    is_unit = np.arange(x.size) == x.size - 1
    return np.where(silent[..., None] & ~is_unit, 0, by_output)


def _back_through_assumption(synapse: AssumeReference, x: Signal, by_output, span):
    """Return the gradient of spikes: each spike cancels one assumed at the next reference."""
    period, _ = synapse.constants(span.dt, np.arange(x.size), span.items)
    steps = np.arange(1.0, span.n_steps + 1)
    references = dynamics.spikes_at_phase(np, np.zeros_like(steps), steps, period)
    result, due = np.array(by_output), np.zeros_like(by_output[0])
    for k in range(span.n_steps - 1, -1, -1):
        if references[k]:
            due = by_output[k]
        result[k] -= due
    return result


def _back_to_nothing(synapse: PhaseEncoder, x: Signal, by_output, span):
    """Return zeros: the time of a spike results from a comparison, which has no derivative."""
    return np.zeros_like(by_output)


BACK_WAYS = {
    ArcSparsifier: _back_where_passed,
    RandomSparsifier: _back_where_passed,
    FieldSparsifier: _back_through_field,
    RhythmSparsifier: _back_through_window,
    AssumeReference: _back_through_assumption,
    PhaseEncoder: _back_to_nothing,
}
"""Spike synapses through which gradients can pass."""

"""What `.layerwise` computes over a whole window at once.

Signals are dense, of shape (n_steps, n_items, n), or sparse matrices of n_steps n_items rows, an
item's neighbour being the next row.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import nengo
import numpy as np
from nengo.synapses import LinearFilter

from nengo_phasor import compat, dynamics, phases
from nengo_phasor.layerwise import compiled
from nengo_phasor.pooling import MaxPool
from nengo_phasor.synapses import (
    AssumeReference,
    FieldSparsifier,
    PhaseEncoder,
    SpikeSynapse,
    Tick,
)

sparse = compat.require("scipy.sparse")


def spikes(dense: np.ndarray):
    """Return the sparse matrix of a dense signal."""
    flat = dense.reshape(-1, dense.shape[-1])
    rows, columns = np.divmod(np.flatnonzero(flat), flat.shape[1])
    return spike_matrix(rows, columns, flat[rows, columns], flat.shape)


def spike_matrix(rows, columns, values, shape):
    """Return a sparse matrix from entries in order of their rows."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    return sparse.csr_matrix((values, columns, starts), shape=shape)


def encode_constant(encoder: PhaseEncoder, phase: np.ndarray, dt: float, n_steps: int, dtype):
    """Return the spikes of phases, of shape (n_items, n), that do not change over the window.

    Where a cycle is a whole number of steps, these are the steps of one cycle: it repeats.
    """
    n_items, n = phase.shape
    period = phases.steps_per_cycle(encoder.frequency, dt)
    if abs(period - round(period)) < phases.STEP_TOLERANCE:
        n_steps = min(n_steps, round(period))
    cycles = int(np.ceil(n_steps / period))
    steps = np.moveaxis(phases.to_steps(phase, encoder.frequency, cycles, dt), -1, 0)
    starts, columns = compiled.ordered_spikes(np.ascontiguousarray(steps), n_steps)
    values = np.full(len(columns), encoder.amplitude / dt, dtype)
    return sparse.csr_matrix((values, columns, starts), (n_steps * n_items, n))


def through_spikes(synapse: SpikeSynapse, x, dt: float, items: np.ndarray):
    """Return sparse spikes ``x`` after a synapse that has no state: each entry stands by itself."""
    rows = _rows(x)
    step, item = np.divmod(rows, len(items))
    tick = Tick(step + 1.0, (step + 1).astype(np.uint32))
    constants = synapse.constants(dt, x.indices, items[item])
    (values,) = synapse.advance(np, tick, x.data, constants)
    return _kept(x, rows, values != 0)


def through_steps(synapse: SpikeSynapse, x: np.ndarray, dt: float, items: np.ndarray, n_steps: int):
    """Return a dense signal after a synapse with a state, step by step."""
    _, n_items, n = x.shape
    constants = synapse.constants(dt, np.arange(n), items[:, None])
    sizes = {"neuron": n, "all": 1}
    states = [np.zeros((n_items, sizes[kind]), x.dtype) for kind in synapse.state_shapes.values()]
    output = np.empty((n_steps, n_items, n), x.dtype)
    for k in range(n_steps):
        tick = Tick(np.float64(k + 1), np.uint32([k + 1]))
        output[k], *states = synapse.advance(np, tick, x[k % len(x)], constants, *states)
    return output


def through_field(synapse: FieldSparsifier, x, dt: float, items: np.ndarray):
    """Return sparse spikes after a field sparsifier, which only sees how many there are.

    The rhythm of `.dynamics.rhythm_silences` depends on the activity alone.
    """
    c = synapse.constants(dt, np.arange(x.shape[1]), items)
    activity = np.asarray(x.mean(axis=1), float).reshape(-1, len(items))
    activity = dynamics.field_drive(np, activity)
    silent = dynamics.field_rises(np, *compiled.rhythm(activity, c.rotation, c.dt), c)
    rows = _rows(x)
    return _kept(x, rows, ~silent.ravel()[rows])


def through_assumption(synapse: AssumeReference, x, dt: float, items: np.ndarray):
    """Return sparse spikes and the assumed ones, which are few: all in the reference's steps."""
    period, height = synapse.constants(dt, np.arange(x.shape[1]), items)
    n_items, n = len(items), x.shape[1]
    steps = np.arange(1.0, x.shape[0] // n_items + 1)
    references = np.flatnonzero(dynamics.spikes_at_phase(np, np.zeros_like(steps), steps, period))
    row = _rows(x)
    cycle = np.searchsorted(references, row // n_items)
    place = (cycle * n_items + row % n_items) * n + x.indices
    shape = (len(references) + 1, n_items, n)
    heard = np.bincount(place, x.data / height, minlength=np.prod(shape)).reshape(shape)[:-1]
    cycle, item, neuron = np.nonzero(heard != 1)
    missed = (1.0 - heard[cycle, item, neuron]) * height
    rows = references[cycle] * n_items + item
    return x + sparse.csr_matrix((missed.astype(x.dtype), (rows, neuron)), x.shape)


def _rows(x):
    """Return the row of each entry of a sparse matrix."""
    return np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))


def _kept(x, rows, keep):
    """Return those entries of a sparse matrix that are to be kept."""
    return spike_matrix(rows[keep], x.indices[keep], x.data[keep], x.shape)


def through(synapse: SpikeSynapse, x, dt: float, items: np.ndarray, n_steps: int):
    """Return sparse spikes after any spike synapse, by the fastest way there is."""
    if type(synapse) in SPARSE_WAYS:
        return SPARSE_WAYS[type(synapse)](synapse, x, dt, items)
    if not synapse.state_shapes and not isinstance(synapse, PhaseEncoder):
        return through_spikes(synapse, x, dt, items)
    dense = x.toarray().reshape(-1, len(items), x.shape[1])
    return spikes(through_steps(synapse, dense, dt, items, n_steps))


SPARSE_WAYS = {FieldSparsifier: through_field, AssumeReference: through_assumption}
"""Synapses with a state that need not look at every neuron in every step."""


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


def filtered(constants: Filter, x: np.ndarray, n_steps: int, state: np.ndarray) -> np.ndarray:
    """Return a dense signal after one of Nengo's filters, which act a step later.

    The state, of shape (n_states, n_items, n), is advanced in place.
    """
    output = np.empty((n_steps, *x.shape[1:]), x.dtype)
    signals = np.ascontiguousarray(x), output, state
    flat = [signal.reshape(len(signal), -1) for signal in signals]
    if len(constants.A) == 2 and not constants.D:
        compiled.filter_steps_of_two(*flat, *constants[:3])
    else:
        compiled.filter_steps(*flat, *constants)
    return output


def max_pooled(pool: MaxPool, x: np.ndarray) -> np.ndarray:
    """Return a dense signal pooled, as `.MaxPool.pool` does."""
    output = np.empty((*x.shape[:-1], pool.default_size_out), x.dtype)
    flat = (np.ascontiguousarray(x).reshape(-1, x.shape[-1]), output.reshape(-1, output.shape[-1]))
    compiled.max_pool(*flat, *pool.places, pool.input_shape[1])
    return output


def spiking_window(neurons, dt: float, J: np.ndarray, n_steps: int, states: np.ndarray):
    """Return the spikes of a compiled neuron type, advancing its states in place.

    ``states`` are of shape (n_states, n_items, n).
    """
    c, dtype = neurons.constants(dt), J.dtype.type
    height = c.height
    c = type(c)(*map(dtype, c))
    run = compiled.WINDOWS[type(neurons)]
    _, n_items, n = J.shape
    flat = np.ascontiguousarray(J).reshape(len(J), -1)
    columns, starts = run(flat, n_steps, n, states.reshape(len(states), -1), c)
    values = np.full(len(columns), height, dtype)
    return sparse.csr_matrix((values, columns, starts), (n_steps * n_items, n))


class ConvolvedWith(NamedTuple):
    """A convolution over two dimensions, channels last, as a map of `add`."""

    kernel: np.ndarray
    shape_in: tuple[int, int, int]
    shape_out: tuple[int, int, int]
    strides: tuple[int, int]
    padding: tuple[int, int]

    @property
    def size_out(self) -> int:
        """Number of outputs."""
        return int(np.prod(self.shape_out))


def size_out(linear_map, size_in: int) -> int:
    """Return the number of outputs of a linear map."""
    if linear_map is None:
        return size_in
    return linear_map.size_out if isinstance(linear_map, ConvolvedWith) else linear_map.shape[1]


def add(result: np.ndarray, x, linear_map) -> None:
    """Add a signal, dense or sparse, through a linear map to a dense signal of as many steps.

    The map is a matrix of shape (n_in, n_out), dense or sparse, a `ConvolvedWith`, or None, the
    identity.
    """
    flat = result.reshape(-1, result.shape[-1])
    if isinstance(linear_map, ConvolvedWith) and not sparse.issparse(x):
        x = spikes(x)
    if sparse.issparse(x) and sparse.issparse(linear_map):
        x, linear_map = x @ linear_map, None
    if not sparse.issparse(x):
        x = x.reshape(-1, x.shape[-1])
        flat += x if linear_map is None else x @ linear_map
        return
    parts = (x.indptr, x.indices, x.data)
    if linear_map is None:
        compiled.add_sparse(flat, *parts)
    elif isinstance(linear_map, ConvolvedWith):
        compiled.add_convolved(flat, *parts, *linear_map)
    else:
        compiled.add_dense(flat, *parts, linear_map)


def convolution(transform: nengo.Convolution, kernel: np.ndarray, dtype):
    """Return the map of a convolution transform: event by event, or else a sparse matrix."""
    if transform.dimensions != 2 or not transform.channels_last:
        return convolution_matrix(transform, kernel).T.tocsr().astype(dtype)
    kernel = _ungrouped(kernel, transform.input_shape.n_channels)
    return ConvolvedWith(
        np.ascontiguousarray(kernel, dtype),
        transform.input_shape.shape,
        transform.output_shape.shape,
        tuple(transform.strides),
        tuple(_padding(transform, transform.input_shape.shape, transform.output_shape.shape)),
    )


def _padding(transform, space_in, space_out):
    """Return how far the kernel sticks out before the first place, as TensorFlow has it."""
    return [
        max((out - 1) * stride + size - before, 0) // 2 if transform.padding == "same" else 0
        for out, stride, size, before in zip(
            space_out, transform.strides, transform.kernel_size, space_in, strict=False
        )
    ]


def convolution_matrix(transform: nengo.Convolution, kernel: np.ndarray):
    """Return the sparse matrix, (size_out, size_in), of a convolution transform."""
    places_in = _channels_last(np.arange(transform.size_in), transform.input_shape)
    places_out = _channels_last(np.arange(transform.size_out), transform.output_shape)
    space_in, space_out = places_in.shape[:-1], places_out.shape[:-1]
    padding = _padding(transform, space_in, space_out)
    kernel = _ungrouped(kernel, transform.input_shape.n_channels)
    parts = []
    for offset in product(*map(range, transform.kernel_size)):
        axes = [
            np.arange(out) * stride + shift - pad
            for out, stride, shift, pad in zip(
                space_out, transform.strides, offset, padding, strict=True
            )
        ]
        inside = [(a >= 0) & (a < size) for a, size in zip(axes, space_in, strict=True)]
        sources = places_in[np.ix_(*(a[i] for a, i in zip(axes, inside, strict=True)))]
        targets = places_out[np.ix_(*inside)]
        rows, columns, values = np.broadcast_arrays(
            targets[..., None, :], sources[..., :, None], kernel[offset]
        )
        parts.append((values.ravel(), rows.ravel(), columns.ravel()))
    values, rows, columns = map(np.concatenate, zip(*parts, strict=True))
    return sparse.csr_matrix((values, (rows, columns)), (transform.size_out, transform.size_in))


def _channels_last(flat, shape):
    array = flat.reshape(shape.shape)
    return array if shape.channels_last else np.moveaxis(array, 0, -1)


def _ungrouped(kernel, n_channels):
    """Return the kernel from all channels to all filters, which is zero between groups."""
    *size, n_in, n_filters = kernel.shape
    full = np.zeros((*size, n_channels, n_filters), kernel.dtype)
    n_groups = n_channels // n_in
    for group in range(n_groups):
        filters = group * n_filters // n_groups + np.arange(n_filters // n_groups)
        full[..., group * n_in : (group + 1) * n_in, filters] = kernel[..., filters]
    return full

"""What `.layerwise` computes over a whole window at once.

Signals are dense, of shape (n_steps, n_items, n), or sparse matrices of n_steps n_items rows, an
item's neighbour being the next row.
"""

from __future__ import annotations

from itertools import product

import nengo
import numpy as np

from nengo_phasor import compat, dynamics, phases
from nengo_phasor.neurons import ResonateAndFire
from nengo_phasor.synapses import (
    AssumeReference,
    FieldSparsifier,
    PhaseEncoder,
    SpikeSynapse,
    Tick,
)

sparse = compat.require("scipy.sparse")
lfilter = compat.require("scipy.signal").lfilter


BLOCK = 50
"""Number of steps that `resonate_and_fire_blocks` takes at once."""


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
    cycle, item, neuron = np.nonzero((steps >= 0) & (steps < n_steps))
    rows = steps[cycle, item, neuron] * n_items + item
    values = np.full(len(rows), encoder.amplitude / dt, dtype)
    return sparse.csr_matrix((values, (rows, neuron)), (n_steps * n_items, n))


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

    The rhythm of `.dynamics.rhythm_silences` is a linear filter of the activity.
    """
    c = synapse.constants(dt, np.arange(x.shape[1]), items)
    activity = np.asarray(x.mean(axis=1), float).reshape(-1, len(items))
    turn = complex(*c.rotation)
    ahead = lfilter([0, turn * c.dt], [1, -turn], activity, axis=0)
    silent = dynamics.field_rises(np, ahead.real, ahead.imag, c)
    rows = _rows(x)
    return _kept(x, rows, ~silent.ravel()[rows])


def through_assumption(synapse: AssumeReference, x, dt: float, items: np.ndarray):
    """Return sparse spikes and the assumed ones, which are few: all in the reference's steps."""
    period, height = synapse.constants(dt, np.arange(x.shape[1]), items)
    n_items, n = len(items), x.shape[1]
    steps = np.arange(1.0, x.shape[0] // n_items + 1)
    references = np.flatnonzero(dynamics.spikes_at_phase(np, 0.0 * steps, steps, period))
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


def filtered(synapse, x: np.ndarray, dt: float, n_steps: int) -> np.ndarray:
    """Return a dense signal after one of Nengo's filters, which act a step later."""
    shape = x.shape[1:]
    state = synapse.make_state(shape, shape, dt, dtype=x.dtype)
    step = synapse.make_step(shape, shape, dt, None, state)
    output = np.zeros((n_steps, *shape), x.dtype)
    for k in range(n_steps - 1):
        output[k + 1] = step(None, x[k % len(x)])
    return output


def resonate_and_fire_window(
    neurons: ResonateAndFire, dt: float, J: np.ndarray, n_steps: int, states: dict
):
    """Return the spikes of resonate-and-fire neurons.

    This is `.dynamics.resonate_and_fire` in place, comparing where that multiplies.
    """
    c = neurons.constants(dt)
    dtype, shape = J.dtype, J.shape[1:]
    cos, sin, threshold = (dtype.type(v) for v in (c.cos, c.sin, c.threshold))
    turn = np.array([-sin, sin]).reshape(2, 1, 1)
    impulse = J * dtype.type(dt)
    z = np.array([np.tile(states[s], (shape[0], 1)) for s in ("voltage", "current")])
    turned, was_up, is_up, high = np.empty_like(z), z[1] >= 0, *np.empty((2, *shape), bool)
    raster = np.empty((n_steps, *shape), bool)
    for k in range(n_steps):
        np.multiply(z[::-1], turn, out=turned)
        z *= cos
        z += turned
        z[0] += impulse[k % len(impulse)]
        np.greater_equal(z[1], 0, out=is_up)
        np.greater_equal(z[0], threshold, out=high)
        np.greater(is_up, was_up, out=raster[k])
        raster[k] &= high
        was_up, is_up = is_up, was_up
    rows, columns = np.divmod(np.flatnonzero(raster), shape[1])
    values = np.full(len(rows), c.height, dtype)
    return spike_matrix(rows, columns, values, (n_steps * shape[0], shape[1]))


def resonate_and_fire_blocks(
    neurons: ResonateAndFire, dt: float, J: np.ndarray, n_steps: int, states: dict
):
    """Return the spikes of resonate-and-fire neurons, rounded in another order: for float32.

    Over a block of steps the current is a linear function of the inputs and of the state before the
    block, so it is two matrix products; the first is the same in every period of a repeating
    input. The voltage is only worked out where the current crosses zero:
    v_k = (i_{k+1} - cos i_k) / sin, from the rotation of the current.
    """
    c = neurons.constants(dt)
    period, n_items, n = J.shape
    size = max(b for b in range(1, BLOCK + 1) if period % b == 0 or period >= n_steps)
    dtype = J.dtype.type
    cos, sin, dt = dtype(c.cos), dtype(c.sin), dtype(dt)
    powers = complex(c.cos, c.sin) ** np.arange(size + 1)
    lag = np.arange(size)[:, None] - np.arange(size)
    response = np.where(lag >= 0, powers[np.maximum(lag, 0)], 0) * dt
    driven = np.vstack([response.imag, response.real[-1]]).astype(dtype)
    free = np.column_stack([powers.imag, powers.real])[1:]
    free = np.vstack([free, [powers[-1].real, -powers[-1].imag]]).astype(dtype)
    J = J.reshape(period, n_items * n)
    z = np.array([np.tile(states[s], n_items) for s in ("voltage", "current")])
    up = np.empty((size + 1, n_items * n), bool)
    up[0] = z[1] >= 0
    forced, rows, columns = {}, [], []
    for start in range(0, n_steps, size):
        first, length = start % period, min(size, n_steps - start)
        if first not in forced:
            inputs = J[first : first + size]
            forced = forced if period < n_steps else {}
            forced[first] = driven[:, : len(inputs)] @ inputs
        currents = free @ z
        currents += forced[first]
        np.greater_equal(currents[:length], 0, out=up[1 : length + 1])
        k, place = np.divmod(np.flatnonzero(up[1 : length + 1] > up[:length]), n_items * n)
        before = np.where(k > 0, currents[k - 1, place], z[1, place])
        voltage = (currents[k, place] - cos * before) / sin
        voltage = cos * voltage - sin * before + J[(first + k) % period, place] * dt
        high = voltage >= neurons.threshold
        item, neuron = np.divmod(place[high], n)
        rows.append((start + k[high]) * n_items + item)
        columns.append(neuron)
        up[0] = up[size]
        z = currents[[size, size - 1]]
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    values = np.full(len(rows), c.height, dtype)
    return spike_matrix(rows, columns, values, (n_steps * n_items, n))


def convolution_matrix(transform: nengo.Convolution, kernel: np.ndarray):
    """Return the sparse matrix, (size_out, size_in), of a convolution transform."""
    places_in = _channels_last(np.arange(transform.size_in), transform.input_shape)
    places_out = _channels_last(np.arange(transform.size_out), transform.output_shape)
    space_in, space_out = places_in.shape[:-1], places_out.shape[:-1]
    padding = [
        max((out - 1) * stride + size - before, 0) // 2 if transform.padding == "same" else 0
        for out, stride, size, before in zip(
            space_out, transform.strides, transform.kernel_size, space_in, strict=True
        )
    ]
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

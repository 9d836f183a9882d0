"""Events through matrices and convolutions in `.layerwise`, and the gradients they cause.

Signals are as in `.compiled`. What an event costs is what it adds to.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from nengo_phasor.layerwise.vectors import add_scaled, aligned_empty, bits_of_64, cached, lowest_bit


@cached
def add_dense(result, starts, columns, values, weights):
    """Add a sparse signal times weights, of shape (n_in, n_out)."""
    n = weights.shape[1]
    for row in range(len(starts) - 1):
        target = result[row]
        for k in range(starts[row], starts[row + 1]):
            add_scaled(target, 0, weights[columns[k]], 0, n, values[k])


@cached
def add_dense_products(result, starts, columns, values, gradient):
    """Add the transpose of a sparse signal times a gradient, of as many rows: (n_in, n_out)."""
    n = result.shape[1]
    for row in range(len(starts) - 1):
        source = gradient[row]
        for k in range(starts[row], starts[row + 1]):
            add_scaled(result[columns[k]], 0, source, 0, n, values[k])


@cached
def moved(starts, columns, values, targets, weights, n_out):
    """Return a sparse signal each of whose inputs goes to one output, times a weight.

    What comes to the same output of a step and item becomes one event.
    """
    new_starts = np.zeros(len(starts), np.int32)
    new_columns = np.empty(len(columns), np.int32)
    new_values = np.empty(len(columns), values.dtype)
    total, there = np.zeros(n_out, values.dtype), np.zeros(n_out + 64, np.uint8)
    count = 0
    for row in range(len(starts) - 1):
        for k in range(starts[row], starts[row + 1]):
            target = targets[columns[k]]
            total[target] += values[k] * weights[columns[k]]
            there[target] = 1
        for first in range(0, n_out, 64):
            bits = bits_of_64(there, first)
            while bits:
                column = first + lowest_bit(bits)
                new_columns[count], new_values[count] = column, total[column]
                total[column], there[column] = 0, 0
                count += 1
                bits &= bits - np.uint64(1)
        new_starts[row + 1] = count
    return new_starts, new_columns[:count], new_values[:count]


@cached
def add_moved(result, x, targets, weights):
    """Add a dense signal each of whose inputs goes to one output, times a weight."""
    for row in range(len(x)):
        source, target = x[row], result[row]
        for i in range(len(targets)):
            target[targets[i]] += weights[i] * source[i]


class Reach(NamedTuple):
    """Where the events of a convolution's inputs go.

    In a kernel, (height, n_in, width * n_out), the columns are laid out in the order of ``taps``:
    then all that an event reaches in a row of the output is one stretch of a row of the kernel.

    ``of_inputs`` has for each input where its first stretch begins in the kernel and in the output,
    as flat arrays, and the number of stretches, and of values in each. ``steps`` are how far the
    next one is in both.
    """

    taps: np.ndarray
    of_inputs: np.ndarray
    steps: tuple[int, int]


@cache
def reach(
    shape_in: tuple[int, int, int],
    shape_out: tuple[int, int, int],
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: tuple[int, int],
) -> Reach:
    """Return where the events of a convolution go, channels last."""
    (height, width, n_in), n_out = shape_in, shape_out[2]
    taps = [_taps(length, stride) for length, stride in zip(size, strides, strict=True)]
    (down, tap_y, rows), (across, tap_x, columns) = (
        _stretch(np.arange(n), length, stride, before, n_after)
        for n, length, stride, before, n_after in zip(
            (height, width), size, strides, padding, shape_out[:2], strict=True
        )
    )
    # rows of the kernel are in their own order, from the last of a stretch to the first
    last = taps[0][np.minimum(tap_y, size[0] - 1)][:, None, None]
    row = last * n_in + np.arange(n_in)
    parts = (
        (row * size[1] + tap_x[:, None]) * n_out,
        (down[:, None, None] * shape_out[1] + across[:, None]) * n_out,
        rows[:, None, None],
        columns[:, None] * n_out,
    )
    table = np.stack(np.broadcast_arrays(*parts), axis=-1).astype(np.int32)
    steps = -strides[0] * n_in * size[1] * n_out, shape_out[1] * n_out
    return Reach(taps[1], table.reshape(-1, len(parts)), steps)


def _taps(size: int, stride: int) -> np.ndarray:
    """Return a kernel's places along an axis: those that an event reaches, from last to first."""
    return np.concatenate([np.arange(size)[r::stride][::-1] for r in range(stride)])


def _stretch(x, size, stride, padding, n_after):
    """Return where an event reaches first, by which place in `_taps`, and in how many places."""
    farthest, remainder = np.divmod(x + padding, stride)
    counts = np.array([len(range(r, size, stride)) for r in range(stride)])
    begin = np.cumsum(counts) - counts
    left = farthest - counts[remainder] + 1
    first, last = np.maximum(left, 0), np.minimum(farthest + 1, n_after)
    return first, begin[remainder] + first - left, np.maximum(last - first, 0)


def laid_out(kernel: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Return a kernel, (height, width, n_in, n_out), in the layout of `Reach`, flat."""
    result = aligned_empty(kernel.size, kernel.dtype)
    result.reshape(kernel.shape[0], kernel.shape[2], -1, kernel.shape[3])[...] = kernel[
        :, taps
    ].transpose(0, 2, 1, 3)
    return result


def restored(flat: np.ndarray, taps: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a kernel of a shape that was `laid_out`."""
    height, width, n_in, n_out = shape
    kernel = np.empty(shape, flat.dtype)
    kernel[:, taps] = flat.reshape(height, n_in, width, n_out).transpose(0, 2, 1, 3)
    return kernel


@cached
def add_convolved(result, starts, columns, values, kernel, of_inputs, steps):
    """Add a sparse signal convolved with a kernel that is `laid_out`."""
    for row in range(len(starts) - 1):
        target = result[row]
        for k in range(starts[row], starts[row + 1]):
            own, value = of_inputs[columns[k]], values[k]
            j, i, n = np.intp(own[0]), np.intp(own[1]), np.intp(own[3])
            for _ in range(own[2]):
                add_scaled(target, i, kernel, j, n, value)
                i, j = i + steps[1], j + steps[0]


@cached
def add_convolved_products(result, starts, columns, values, gradient, of_inputs, steps):
    """Add the gradient by a kernel that is `laid_out`, given that by the convolved signal."""
    for row in range(len(starts) - 1):
        source = gradient[row]
        for k in range(starts[row], starts[row + 1]):
            own, value = of_inputs[columns[k]], values[k]
            j, i, n = np.intp(own[0]), np.intp(own[1]), np.intp(own[3])
            for _ in range(own[2]):
                add_scaled(result, j, source, i, n, value)
                i, j = i + steps[1], j + steps[0]

"""The linear maps of `.layerwise`: what a connection's transform does to a whole signal.

Each adds the image of a signal to an array of shape (n_steps, n_items, n_out), of as many steps;
``image`` returns it by itself where that is cheaper, and else None.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import nengo
import numpy as np

from nengo_phasor import compat, convolutions
from nengo_phasor.layerwise import compiled
from nengo_phasor.layerwise.signal import Signal

sparse = compat.require("scipy.sparse")


def _flat(x):
    return x.reshape(-1, x.shape[-1])


def _parts(x):
    return x.values.indptr, x.values.indices, x.values.data


class Identity(NamedTuple):
    """The map that changes nothing."""

    size_out: int

    def image(self, x: Signal) -> Signal:
        """Return the signal."""
        return x

    def add(self, result: np.ndarray, x: Signal) -> None:
        """Add the signal."""
        if x.is_sparse:
            compiled.add_sparse(_flat(result), *_parts(x))
        else:
            result += x.values


class Dense(NamedTuple):
    """A matrix of shape (n_in, n_out)."""

    weights: np.ndarray

    @property
    def size_out(self) -> int:
        """Number of outputs."""
        return self.weights.shape[1]

    def image(self, x: Signal) -> None:
        """Return None: what comes out is dense."""

    def add(self, result: np.ndarray, x: Signal) -> None:
        """Add the signal's image."""
        if x.is_sparse:
            compiled.add_dense(_flat(result), *_parts(x), self.weights)
        else:
            flat = _flat(result)
            flat += _flat(x.values) @ self.weights


class Sparse(NamedTuple):
    """A sparse matrix of shape (n_in, n_out)."""

    weights: Any

    @property
    def size_out(self) -> int:
        """Number of outputs."""
        return self.weights.shape[1]

    def image(self, x: Signal) -> Signal | None:
        """Return the image of events, which are events."""
        return Signal(x.values @ self.weights, x.n_items) if x.is_sparse else None

    def add(self, result: np.ndarray, x: Signal) -> None:
        """Add the signal's image."""
        if x.is_sparse:
            Identity(self.size_out).add(result, Signal(x.values @ self.weights, x.n_items))
        else:
            flat = _flat(result)
            flat += _flat(x.values) @ self.weights


class Convolution(NamedTuple):
    """A convolution over two dimensions, channels last, event by event."""

    kernel: np.ndarray
    shape_in: tuple[int, int, int]
    shape_out: tuple[int, int, int]
    strides: tuple[int, int]
    padding: tuple[int, ...]

    @property
    def size_out(self) -> int:
        """Number of outputs."""
        return int(np.prod(self.shape_out))

    def image(self, x: Signal) -> None:
        """Return None: what comes out is dense."""

    def add(self, result: np.ndarray, x: Signal) -> None:
        """Add the signal's image."""
        compiled.add_convolved(_flat(result), *_parts(x.events()), *self)


LinearMap = Identity | Dense | Sparse | Convolution


def of_transform(transform, weights, size_out: int, dtype) -> LinearMap:
    """Return the map of a connection's transform and weights, as built."""
    if weights is None:
        return Identity(size_out)
    if isinstance(transform, nengo.Convolution):
        return convolution(transform, weights, dtype)
    if isinstance(transform, nengo.Sparse):
        weights = weights if sparse.issparse(weights) else weights.allocate()
        return Sparse(sparse.csr_matrix(weights.T, dtype=dtype))
    if np.ndim(weights) < 2:
        diagonal = np.broadcast_to(weights, size_out)
        return Sparse(sparse.diags(diagonal, dtype=dtype).tocsr())
    return Dense(np.ascontiguousarray(weights.T, dtype=dtype))


def convolution(transform: nengo.Convolution, kernel: np.ndarray, dtype) -> LinearMap:
    """Return the map of a convolution transform: event by event, or else a sparse matrix."""
    if transform.dimensions != 2 or not transform.channels_last:
        return Sparse(convolution_matrix(transform, kernel).T.tocsr().astype(dtype))
    kernel = _ungrouped(kernel, transform.input_shape.n_channels)
    return Convolution(
        np.ascontiguousarray(kernel, dtype),
        transform.input_shape.shape,
        transform.output_shape.shape,
        tuple(transform.strides),
        convolutions.padding(transform),
    )


def convolution_matrix(transform: nengo.Convolution, kernel: np.ndarray):
    """Return the sparse matrix, (size_out, size_in), of a convolution transform."""
    places_in = convolutions.channels_last(np.arange(transform.size_in), transform.input_shape)
    places_out = convolutions.channels_last(np.arange(transform.size_out), transform.output_shape)
    kernel = _ungrouped(kernel, transform.input_shape.n_channels)
    parts = []
    for offset, inputs, outputs in convolutions.links(transform):
        sources, targets = places_in[inputs], places_out[outputs]
        rows, columns, values = np.broadcast_arrays(
            targets[..., None, :], sources[..., :, None], kernel[offset]
        )
        parts.append((values.ravel(), rows.ravel(), columns.ravel()))
    values, rows, columns = map(np.concatenate, zip(*parts, strict=True))
    return sparse.csr_matrix((values, (rows, columns)), (transform.size_out, transform.size_in))


def _ungrouped(kernel, n_channels):
    """Return the kernel from all channels to all filters, which is zero between groups."""
    *size, n_in, n_filters = kernel.shape
    full = np.zeros((*size, n_channels, n_filters), kernel.dtype)
    n_groups = n_channels // n_in
    for group in range(n_groups):
        filters = group * n_filters // n_groups + np.arange(n_filters // n_groups)
        full[..., group * n_in : (group + 1) * n_in, filters] = kernel[..., filters]
    return full

"""The linear maps of `.layerwise`: what a connection's transform does to a whole signal, and back.

Each adds the image of a signal to an array of shape (n_steps, n_items, n_out), of as many steps;
``image`` returns it by itself where that is cheaper, and else None. For training, ``pull`` takes a
gradient of that shape back through the map, to (n_steps, n_items, n_in), and ``gradient`` returns
that by the map's own numbers, ``values``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import nengo
import numpy as np

from nengo_phasor import compat, convolutions
from nengo_phasor.layerwise import backward, events, signal_loops
from nengo_phasor.layerwise.convolution import Convolution, ungrouped
from nengo_phasor.layerwise.signal import Signal

sparse = compat.require("scipy.sparse")

THIN = 0.3
"""Share of values that are not zero up to which events are faster than a product of matrices."""


def _flat(x):
    return x.reshape(-1, x.shape[-1])


class Identity(NamedTuple):
    """The map that changes nothing."""

    size_out: int

    def image(self, x: Signal) -> Signal:
        """Return the signal."""
        return x

    def add(self, result: np.ndarray, x: Signal) -> None:
        """Add the signal."""
        if x.is_sparse:
            signal_loops.add_sparse(_flat(result), *x.parts)
        else:
            result += x.values

    def pull(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient."""
        return gradient


class Dense(NamedTuple):
    """A matrix of shape (n_in, n_out)."""

    weights: np.ndarray

    @property
    def size_out(self) -> int:
        """Number of outputs."""
        return self.weights.shape[1]

    @property
    def values(self) -> np.ndarray:
        """The weights."""
        return self.weights

    def with_values(self, values: np.ndarray) -> Dense:
        """Return the map with other weights."""
        return Dense(values)

    def image(self, x: Signal) -> None:
        """Return None: what comes out is dense."""

    def add(self, result: np.ndarray, x: Signal) -> None:
        """Add the signal's image."""
        if x.is_thin(THIN):
            events.add_dense(_flat(result), *x.parts, self.weights)
        else:
            flat = _flat(result)
            flat += _flat(x.dense()) @ self.weights

    def pull(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient by the signal."""
        return (_flat(gradient) @ self.weights.T).reshape(*gradient.shape[:-1], -1)

    def gradient(self, x: Signal, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient by the weights."""
        if not x.is_thin(THIN):
            return _flat(x.dense()).T @ _flat(gradient)
        result = np.zeros_like(self.weights)
        events.add_dense_products(result, *x.parts, _flat(gradient))
        return result


class Sparse(NamedTuple):
    """A sparse matrix of shape (n_in, n_out).

    Its entries are those of an array of any shape: ``ties`` are their places in the flat array.
    """

    weights: Any
    ties: np.ndarray
    shape: tuple[int, ...]

    @classmethod
    def of(cls, matrix, values) -> Sparse:
        """Return the map of a sparse matrix that has places in an array, and the array.

        ``matrix`` has the shape (n_in, n_out). Its entries are one more than the places.
        """
        weights, values = sparse.csr_matrix(matrix), np.asarray(values)
        weights.eliminate_zeros()
        ties = np.round(weights.data).astype(np.int64) - 1
        weights.data = values.ravel()[ties]
        return cls(weights, ties, values.shape)

    @property
    def size_out(self) -> int:
        """Number of outputs."""
        return self.weights.shape[1]

    @property
    def values(self) -> np.ndarray:
        """The array that the entries are of; what no entry is of is zero."""
        values = np.zeros(self.shape, self.weights.dtype)
        values.ravel()[self.ties] = self.weights.data
        return values

    def with_values(self, values: np.ndarray) -> Sparse:
        """Return the map with entries of another array."""
        weights = self.weights.copy()
        weights.data = values.ravel()[self.ties]
        return self._replace(weights=weights)

    def image(self, x: Signal) -> Signal | None:
        """Return the image of events, which are events.

        Where each input goes to one place, as in pooling, so does each event.
        """
        if not x.is_sparse:
            return None
        w = self.weights
        if not self._moves():
            return Signal(x.values @ w, x.n_items)
        starts, *rest = events.moved(*x.parts, w.indices, w.data, self.size_out)
        return Signal.of_rows(starts, rest[0], rest[1], x.n_items, self.size_out)

    def add(self, result: np.ndarray, x: Signal) -> None:
        """Add the signal's image."""
        if (image := self.image(x)) is not None:
            Identity(self.size_out).add(result, image)
        elif self._moves():
            moved = np.ascontiguousarray(_flat(x.values))
            events.add_moved(_flat(result), moved, self.weights.indices, self.weights.data)
        else:
            flat = _flat(result)
            flat += _flat(x.values) @ self.weights

    def _moves(self) -> bool:
        """Return whether each input goes to one output."""
        w = self.weights
        return w.nnz == w.shape[0] and bool(np.all(np.diff(w.indptr) == 1))

    def pull(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient by the signal."""
        w, flat = self.weights, np.ascontiguousarray(_flat(gradient))
        result = np.empty((len(flat), w.shape[0]), flat.dtype)
        backward.through_transposed(result, flat, w.indptr, w.indices, w.data)
        return result.reshape(*gradient.shape[:-1], -1)

    def gradient(self, x: Signal, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient by the array that the entries are of."""
        w, flat = self.weights, np.ascontiguousarray(_flat(x.dense()))
        by_entry = np.zeros_like(w.data)
        backward.add_entries(by_entry, flat, _flat(gradient), w.indptr, w.indices)
        result = np.zeros(int(np.prod(self.shape)), w.dtype)
        np.add.at(result, self.ties, by_entry)
        return result.reshape(self.shape)


class Rowwise(NamedTuple):
    """A convolution of several images by one kernel, which are like so many more items."""

    of_image: Convolution
    n_images: int

    @property
    def size_out(self) -> int:
        """Number of outputs."""
        return self.n_images * self.of_image.size_out

    @property
    def values(self) -> np.ndarray:
        """The kernel as Nengo has it, with a first axis of 1."""
        return self.of_image.values[None]

    def with_values(self, values: np.ndarray) -> Rowwise:
        """Return the map with another kernel."""
        return self._replace(of_image=self.of_image.with_values(values[0]))

    def image(self, x: Signal) -> None:
        """Return None: what comes out is dense."""

    def add(self, result: np.ndarray, x: Signal) -> None:
        """Add the signal's image."""
        self.of_image.add(self._each(result), Signal.of(self._each(x.dense())))

    def pull(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient by the signal."""
        by_images = self.of_image.pull(self._each(gradient))
        return by_images.reshape(*gradient.shape[:-1], -1)

    def gradient(self, x: Signal, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient by the kernel."""
        images = Signal.of(self._each(x.dense()))
        return self.of_image.gradient(images, self._each(gradient))[None]

    def _each(self, flat):
        """Return images as items of their own, (n_steps, n_items * n_images, n)."""
        return flat.reshape(len(flat), -1, flat.shape[-1] // self.n_images)


LinearMap = Identity | Dense | Sparse | Convolution | Rowwise


def of_transform(transform, weights, size_out: int, dtype) -> LinearMap:
    """Return the map of a connection's transform and weights, as built."""
    if weights is None:
        return Identity(size_out)
    if isinstance(transform, nengo.Convolution):
        return convolution(transform, weights, dtype)
    if isinstance(transform, nengo.Sparse):
        weights = weights if sparse.issparse(weights) else weights.allocate()
        return with_own_entries(sparse.csr_matrix(weights.T, dtype=dtype))
    if np.ndim(weights) < 2:
        values = np.asarray(weights, dtype)
        places = np.broadcast_to(np.arange(1.0, values.size + 1).reshape(values.shape), size_out)
        return Sparse.of(sparse.diags(places), values)
    return Dense(np.ascontiguousarray(weights.T, dtype=dtype))


def with_own_entries(matrix) -> Sparse:
    """Return the map of a sparse matrix, each of whose entries is a number of its own."""
    return Sparse(matrix, np.arange(matrix.nnz), (matrix.nnz,))


def convolution(transform: nengo.Convolution, kernel: np.ndarray, dtype) -> LinearMap:
    """Return the map of a convolution transform: event by event, or else a sparse matrix."""
    if (of_row := convolutions.of_one_row(transform)) is not None:
        return Rowwise(_of_images(of_row, kernel[0], dtype), transform.input_shape.shape[0])
    if transform.dimensions > 2 or not transform.channels_last:
        places = np.arange(1.0, kernel.size + 1).reshape(kernel.shape)
        return Sparse.of(convolution_matrix(transform, places).T, kernel.astype(dtype))
    return _of_images(transform, kernel, dtype)


def _of_images(transform, kernel, dtype) -> Convolution:
    """Return the map of a convolution over one or two dimensions, channels last."""
    kernel = ungrouped(kernel, transform.input_shape.n_channels)
    one, none = ((number,) * (2 - transform.dimensions) for number in (1, 0))
    return Convolution(
        np.ascontiguousarray(kernel.reshape(one + kernel.shape), dtype),
        one + transform.input_shape.shape,
        one + transform.output_shape.shape,
        one + tuple(transform.strides),
        none + convolutions.padding(transform),
        transform.groups,
        transform.dimensions,
    )


def convolution_matrix(transform: nengo.Convolution, kernel: np.ndarray):
    """Return the sparse matrix, (size_out, size_in), of a convolution transform."""
    places_in = convolutions.channels_last(np.arange(transform.size_in), transform.input_shape)
    places_out = convolutions.channels_last(np.arange(transform.size_out), transform.output_shape)
    kernel = ungrouped(kernel, transform.input_shape.n_channels)
    parts = []
    for offset, inputs, outputs in convolutions.links(transform):
        sources, targets = places_in[inputs], places_out[outputs]
        rows, columns, values = np.broadcast_arrays(
            targets[..., None, :], sources[..., :, None], kernel[offset]
        )
        parts.append((values.ravel(), rows.ravel(), columns.ravel()))
    values, rows, columns = map(np.concatenate, zip(*parts, strict=True))
    return sparse.csr_matrix((values, (rows, columns)), (transform.size_out, transform.size_in))

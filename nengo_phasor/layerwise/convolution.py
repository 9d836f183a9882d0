"""The convolutions of `.layerwise` over images, channels last: event by event or as products.

For the products, the windows of the images' rows are laid out once, (rows, n_images, places,
columns * channels): then each row of the kernel is one product of matrices, forward and back.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from nengo_phasor import compat
from nengo_phasor.layerwise import backward, events
from nengo_phasor.layerwise.signal import Signal
from nengo_phasor.layerwise.vectors import aligned_empty

blas = compat.require("scipy.linalg.blas")

THIN = 0.45
"""Share of values that are not zero up to which events are faster, forward and back."""

WIDE = 24
"""The least number of columns with which products of matrices are fast."""

WINDOW_BYTES = 2**20
"""Size aimed at for windows that are laid out at once: what a core's cache holds."""


class Convolution(NamedTuple):
    """A convolution over one or two dimensions, channels last.

    ``kernel`` is of shape (height, width, n_in, n_out), zero between the groups of channels. Over
    one dimension, images, kernel and output have one row.
    """

    kernel: np.ndarray
    shape_in: tuple[int, int, int]
    shape_out: tuple[int, int, int]
    strides: tuple[int, int]
    padding: tuple[int, ...]
    n_groups: int = 1
    dimensions: int = 2

    @property
    def size_out(self) -> int:
        """Number of outputs."""
        return int(np.prod(self.shape_out))

    @property
    def values(self) -> np.ndarray:
        """The kernel as Nengo has it: of the channels of a group."""
        return self._as_in_nengo(self.kernel)

    def with_values(self, values: np.ndarray) -> Convolution:
        """Return the map with another kernel."""
        kernel = ungrouped(values, self.shape_in[2])
        return self._replace(kernel=kernel.reshape(self.kernel.shape))

    def image(self, x: Signal) -> None:
        """Return None: what comes out is dense."""

    def add(self, result: np.ndarray, x: Signal) -> None:
        """Add the signal's image."""
        flat = result.reshape(-1, self.size_out)
        if x.is_thin(THIN):
            taps, *rest = self._reach
            events.add_convolved(flat, *x.parts, events.laid_out(self.kernel, taps), *rest)
            return
        for images, windows in self._windows(x):
            total = np.zeros_like(self._by_rows(flat[images]))
            for a, kernel in enumerate(self._rows):
                _add_product(total, self._reached(windows, a), kernel)
            rows = total.reshape(self.shape_out[0], len(flat[images]), -1)
            flat[images] += rows.transpose(1, 0, 2).reshape(len(flat[images]), -1)

    def pull(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient by the signal."""
        flat = gradient.reshape(-1, self.size_out)
        result = np.zeros((len(flat), int(np.prod(self.shape_in))), flat.dtype)
        for images in self._blocks(len(flat)):
            by_output = self._by_rows(flat[images])
            by_windows = np.zeros(self._layout(len(flat[images])), flat.dtype)
            for a, kernel in enumerate(self._rows):
                _add_product(self._reached(by_windows, a), by_output, kernel.T)
            backward.fold(result[images], by_windows, *self._folding)
        return result.reshape(*gradient.shape[:-1], -1)

    def gradient(self, x: Signal, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient by the kernel."""
        flat = np.ascontiguousarray(gradient).reshape(-1, self.size_out)
        if x.is_thin(THIN):
            taps, *rest = self._reach
            by_kernel = aligned_empty(self.kernel.size, self.kernel.dtype)
            by_kernel[...] = 0
            events.add_convolved_products(by_kernel, *x.parts, flat, *rest)
            return self._as_in_nengo(events.restored(by_kernel, taps, self.kernel.shape))
        by_rows = np.zeros_like(self._rows)
        for images, windows in self._windows(x):
            by_output = self._by_rows(flat[images])
            for a, by_row in enumerate(by_rows):
                _add_product(by_row, self._reached(windows, a).T, by_output)
        (height, _, n_in, n_out), n = self.kernel.shape, self._side_by_side
        places = self._places(by_rows.reshape(height, -1, n_in, n, n_out))
        return self._as_in_nengo(sum(columns[:, :, :, place] for columns, place in places))

    def _as_in_nengo(self, kernel):
        """Return a kernel of the channels of a group, and of the transform's dimensions."""
        own = grouped(kernel, self.n_groups)
        return own.reshape(own.shape[2 - self.dimensions :])

    @property
    def _reach(self):
        return events.reach(
            self.shape_in, self.shape_out, self.kernel.shape[:2], self.strides, self.padding
        )

    @property
    def _folding(self):
        return self.shape_in, self.strides[1] * self._side_by_side, self.padding

    @property
    def _side_by_side(self) -> int:
        """How many places of the output are one row of a product: few outputs make it slow."""
        return _divisor(self.shape_out[1], -(-WIDE // self.shape_out[2]))

    @property
    def _rows(self):
        """The kernel's rows, (rows, columns * n_in, places * n_out), of places side by side."""
        (height, width, n_in, n_out), n = self.kernel.shape, self._side_by_side
        rows = np.zeros(
            (height, width + (n - 1) * self.strides[1], n_in, n, n_out), self.kernel.dtype
        )
        for columns, place in self._places(rows):
            columns[:, :, :, place] = self.kernel
        return rows.reshape(height, -1, n * n_out)

    def _places(self, rows):
        """Yield of rows, (rows, columns, n_in, places, n_out), what each place sees, and which."""
        for place in range(rows.shape[3]):
            first = place * self.strides[1]
            yield rows[:, first : first + self.kernel.shape[1]], place

    def _layout(self, n_images):
        """The shape of windows: (strides, rows, n_images, places, columns * n_in).

        Row r of the padded images is the row r // stride of its remainder by the stride. So all
        that a row of the kernel reaches is one stretch.
        """
        n_rows = self.shape_out[0] + (len(self.kernel) - 1) // self.strides[0]
        columns = self.kernel.shape[1] + (self._side_by_side - 1) * self.strides[1]
        n_places = self.shape_out[1] // self._side_by_side
        return self.strides[0], n_rows, n_images, n_places, columns * self.shape_in[2]

    def _reached(self, windows, a):
        """Return, of windows, what row ``a`` of the kernel reaches, (n, columns * n_in)."""
        first, remainder = divmod(a, self.strides[0])
        reached = windows[remainder, first : first + self.shape_out[0]]
        return reached.reshape(-1, windows.shape[-1])

    def _blocks(self, n_images):
        """Return slices of images, as many at once as have windows for a cache."""
        size = max(1, WINDOW_BYTES // (self.kernel.itemsize * int(np.prod(self._layout(1)))))
        return [slice(first, first + size) for first in range(0, n_images, size)]

    def _windows(self, x: Signal):
        """Yield some images at a time, and their windows."""
        flat = np.ascontiguousarray(x.dense()).reshape(-1, x.size)
        for images in self._blocks(len(flat)):
            windows = np.empty(self._layout(len(flat[images])), flat.dtype)
            backward.unfold(flat[images], windows, *self._folding)
            yield images, windows

    def _by_rows(self, flat):
        """Return images' outputs with their rows first, (n, places * n_out)."""
        rows = flat.reshape(len(flat), self.shape_out[0], -1).transpose(1, 0, 2)
        n_columns = self._side_by_side * self.shape_out[2]
        return np.ascontiguousarray(rows).reshape(-1, n_columns)


@cache
def _divisor(n: int, most: int) -> int:
    """Return the largest divisor of n up to a number."""
    return next(k for k in range(most, 0, -1) if n % k == 0)


def _add_product(result: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Add the product of two matrices, each contiguous or the transpose of one that is."""
    gemm = blas.sgemm if result.dtype == np.float32 else blas.dgemm
    (b, trans_b), (a, trans_a) = (
        (m.T, False) if m.flags.c_contiguous else (m, True) for m in (b, a)
    )
    gemm(1.0, b, a, 1.0, result.T, trans_b, trans_a, overwrite_c=True)


def ungrouped(kernel, n_channels):
    """Return the kernel from all channels to all filters, which is zero between groups."""
    *size, n_in, n_filters = kernel.shape
    if n_in == n_channels:
        return kernel
    full = np.zeros((*size, n_channels, n_filters), kernel.dtype)
    n_groups = n_channels // n_in
    for group in range(n_groups):
        filters = group * n_filters // n_groups + np.arange(n_filters // n_groups)
        full[..., group * n_in : (group + 1) * n_in, filters] = kernel[..., filters]
    return full


def grouped(kernel, n_groups):
    """Return a kernel of groups of channels from one of all channels."""
    if n_groups == 1:
        return kernel
    n_in, n_filters = kernel.shape[-2] // n_groups, kernel.shape[-1] // n_groups
    parts = [
        kernel[..., g * n_in : (g + 1) * n_in, g * n_filters : (g + 1) * n_filters]
        for g in range(n_groups)
    ]
    return np.concatenate(parts, axis=-1)

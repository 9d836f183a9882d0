"""Pooling of images: maximum pooling as a process, average pooling as a transform.

Images are flattened with their channels last, as in `nengo.Convolution`.
"""

from __future__ import annotations

from functools import reduce
from math import prod

import nengo
import numpy as np
from nengo.exceptions import ValidationError
from nengo.params import EnumParam
from numpy.typing import ArrayLike, NDArray

from nengo_phasor.checks import Shape, check_array, check_memory
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)


class MaxPool(nengo.Process):
    """Outputs the maximum of each window of an image, separately for each channel.

    Give it to a Node, where it acts within the step. It pools analog values, so filter spikes on
    the connection to the node.

    Parameters
    ----------
    input_shape : (int, int, int)
        The height, width and number of channels of the image.
    pool_size : (int, int)
        The height and width of a window.
    strides : (int, int), optional
        The steps from one window to the next. By default they are the size of the window.
    padding : "valid" or "same"
        Whether windows stay inside the image ("valid"), or extend beyond its borders ("same"),
        evenly or with one more place at the end, so that there is a window for every stride.

    Raises
    ------
    nengo.exceptions.ValidationError
        If a size is less than 1, the padding is unknown, a window that must stay inside the image
        is larger than it, or the image does not fit into memory. When it is built: if the node has
        the wrong size.
    """

    input_shape = Shape("input_shape", length=3, low=1)
    pool_size = Shape("pool_size", length=2, low=1)
    strides = Shape("strides", length=2, low=1)
    padding = EnumParam("padding", values=("valid", "same"))

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        pool_size: tuple[int, int] = (2, 2),
        strides: tuple[int, int] | None = None,
        padding: str = "valid",
    ):
        super(
            nengo.Process, self
        ).__init__()  # the constructor of Process needs the sizes, which need the shapes
        self.input_shape = input_shape
        self.pool_size = pool_size
        self.strides = pool_size if strides is None else strides
        self.padding = padding
        check_memory(prod(self.input_shape), "input_shape", self)
        super().__init__(prod(self.input_shape), prod(self.output_shape))

    @property
    def places(self) -> list[NDArray]:
        """The rows and the columns in each window, (n_windows, size).

        A place outside the image is replaced by the nearest inside, which changes no maximum.
        """
        return [
            np.clip(places, 0, size - 1)
            for places, size in zip(self.unclipped_places, self.input_shape[:2], strict=True)
        ]

    @property
    def unclipped_places(self) -> list[NDArray]:
        """The rows and the columns in each window, some of which may be outside the image."""
        return [
            self._places(*sizes)
            for sizes in zip(self.input_shape[:2], self.pool_size, self.strides, strict=True)
        ]

    def _places(self, size, window, stride):
        same = self.padding == "same"
        n_windows = -(-size // stride) if same else (size - window) // stride + 1
        if n_windows < 1:
            raise ValidationError(
                f"is {self.pool_size}, which does not fit into an image of {self.input_shape[:2]}: "
                "use a smaller window or padding 'same'",
                attr="pool_size",
                obj=self,
            )
        hanging = max((n_windows - 1) * stride + window - size, 0) if same else 0
        return np.arange(n_windows)[:, None] * stride - hanging // 2 + np.arange(window)

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """The height, width and number of channels of the pooled image."""
        return (*(len(places) for places in self.places), self.input_shape[2])

    def pool(self, x: ArrayLike) -> NDArray:
        """Return the pooled images, (..., n_out), of flat images, (..., n_in).

        Raises
        ------
        nengo.exceptions.ValidationError
            If the images have the wrong size, or are not finite.
        """
        return self._pooled(check_array(x, "x", f"(..., {self.default_size_in})", self))

    def _pooled(self, x):
        x = x.reshape(*x.shape[:-1], *self.input_shape)
        for axis, places in zip((-3, -2), self.places, strict=True):
            x = reduce(np.maximum, (np.take(x, index, axis) for index in places.T))
        return x.reshape(*x.shape[:-3], -1)

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """Return the function of a step, after checking the sizes."""
        sizes = (self.default_size_in,), (self.default_size_out,)
        if (shape_in, shape_out) != sizes:
            raise ValidationError(
                f"pools {self.default_size_in} values to {self.default_size_out}, but the node has "
                f"{shape_in[0]} and {shape_out[0]}: do not set the node's sizes",
                attr="input_shape",
                obj=self,
            )
        return lambda t, x: self._pooled(x)


def average_pool(
    input_shape: tuple[int, int, int],
    pool_size: tuple[int, int] = (2, 2),
    strides: tuple[int, int] | None = None,
    padding: str = "valid",
) -> nengo.Sparse:
    """Return the transform that averages each window of an image, separately for each channel.

    Places outside the image do not count. The parameters and errors are those of `MaxPool`.
    """
    pool = MaxPool(input_shape, pool_size, strides, padding)
    check_memory(2 * pool.default_size_out * prod(pool.pool_size), "input_shape", pool)
    rows, columns, weights = zip(
        *map(_average, pool.unclipped_places, pool.input_shape[:2]),
        (np.arange(input_shape[2]), np.arange(input_shape[2]), np.ones(input_shape[2])),
        strict=True,
    )
    rows = np.ravel_multi_index(np.ix_(*rows), pool.output_shape).ravel()
    columns = np.ravel_multi_index(np.ix_(*columns), pool.input_shape).ravel()
    return nengo.Sparse(
        (pool.default_size_out, pool.default_size_in),
        indices=np.column_stack([rows, columns]),
        init=reduce(np.multiply, np.ix_(*weights)).ravel(),
    )


def _average(places, size):
    """Return rows, columns and values of the sparse matrix that averages along one axis."""
    inside = (places >= 0) & (places < size)
    windows, k = np.nonzero(inside)
    return windows, places[windows, k], 1.0 / inside.sum(axis=1)[windows]

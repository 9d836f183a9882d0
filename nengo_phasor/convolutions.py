"""Convolutions of images that share a kernel, and the links through a convolution's kernel.

An image of phasors is a real and an imaginary image, and real kernels act alike on both. So their
convolution is over three dimensions, (2, height, width), with a kernel of 1 along the first: one
set of weights, which NengoDL trains as it is. Nengo's own simulator runs at most two dimensions, so
`RowwiseConvolution` has an operator of its own there, and layerwise treats the images as items.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import nengo
import numpy as np
from nengo.dists import Distribution, Uniform
from nengo.exceptions import ValidationError
from nengo.transforms import ChannelShape


class RowwiseConvolution(nengo.Convolution):
    """A two-dimensional convolution of several images, each a row of the signal, by one kernel.

    Parameters
    ----------
    n_filters : int
        The number of maps.
    input_shape : (int, int, int, int)
        The number of images, and their height, width and number of channels.
    kernel_size : (1, int, int)
        1, and the height and width of the kernel.
    strides : (1, int, int)
        1, and the steps from one place of the kernel to the next.
    padding : "valid" or "same"
        As in `nengo.Convolution`.
    init : (1, height, width, channels, n_filters) ndarray or Distribution
        The kernel.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the shape does not have four sizes, the first size or stride of the kernel is not 1, or
        an argument is not valid for `nengo.Convolution`.
    """

    def __init__(
        self,
        n_filters: int,
        input_shape: tuple[int, int, int, int],
        kernel_size: tuple[int, int, int] = (1, 3, 3),
        strides: tuple[int, int, int] = (1, 1, 1),
        padding: str = "valid",
        init: np.ndarray | Distribution = Uniform(-1, 1),  # noqa: B008 - Nengo's, which is frozen
    ):
        super().__init__(n_filters, input_shape, kernel_size, strides, padding, init=init)
        if of_one_row(self) is None:
            raise ValidationError(
                f"needs images of shape (n_images, height, width, channels) and a kernel and "
                f"strides that are 1 along the first axis, got {self}: use nengo.Convolution for "
                "other convolutions",
                attr="kernel_size",
                obj=self,
            )


def of_one_row(transform: nengo.Convolution) -> nengo.Convolution | None:
    """Return the two-dimensional convolution that a transform applies to each row of its input.

    Its kernel is not set, because that of a built transform is elsewhere. None is returned for a
    transform that does anything else.
    """
    steps = (transform.kernel_size[0], transform.strides[0])
    if transform.dimensions != 3 or not transform.channels_last or steps != (1, 1):
        return None
    return nengo.Convolution(
        transform.n_filters,
        transform.input_shape.shape[1:],
        transform.kernel_size[1:],
        transform.strides[1:],
        transform.padding,
        groups=transform.groups,
    )


def channels_last(flat: np.ndarray, shape: ChannelShape) -> np.ndarray:
    """Return a flat signal in its spatial shape, followed by an axis of channels."""
    array = flat.reshape(shape.shape)
    return array if shape.channels_last else np.moveaxis(array, 0, -1)


def padding(transform: nengo.Convolution) -> tuple[int, ...]:
    """Return how far the kernel extends before the first place along each axis."""
    if transform.padding != "same":
        return (0,) * transform.dimensions
    sizes = zip(
        transform.input_shape.spatial_shape,
        transform.output_shape.spatial_shape,
        transform.strides,
        transform.kernel_size,
        strict=True,
    )
    return tuple(
        max((n_out - 1) * stride + width - n_in, 0) // 2 for n_in, n_out, stride, width in sizes
    )


def links(transform: nengo.Convolution) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
    """Yield each element of the kernel with the places of the inputs and outputs that it links.

    The places are indices of arrays as `channels_last` returns them.
    """
    before = padding(transform)
    for offset in product(*map(range, transform.kernel_size)):
        linked = [
            _linked(transform, axis, place - before[axis]) for axis, place in enumerate(offset)
        ]
        inputs, outputs = (np.ix_(*places) for places in zip(*linked, strict=True))
        yield offset, inputs, outputs


def _linked(transform, axis, shift):
    """Return the linked inputs and outputs along one axis."""
    n_in, n_out = (
        shape.spatial_shape[axis] for shape in (transform.input_shape, transform.output_shape)
    )
    inputs = np.arange(n_out) * transform.strides[axis] + shift
    inside = (inputs >= 0) & (inputs < n_in)
    return inputs[inside], np.flatnonzero(inside)

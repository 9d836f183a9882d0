"""The links between inputs and outputs through a convolution's kernel, as in TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import nengo
import numpy as np
from nengo.transforms import ChannelShape


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

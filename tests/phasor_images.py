"""Convolution and pooling of images by loops, for comparison, and networks of their layers."""

from itertools import product

import nengo
import numpy as np

from nengo_phasor import networks


def convolved(x, kernel, strides, padding):
    """The convolution of an image, (height, width, channels), by its definition.

    With padding "same" there is a place of the kernel for every stride, and what hangs over is
    shared between both sides, with one more at the end.
    """
    starts = []
    for size, width, stride in zip(x.shape[:2], kernel.shape[:2], strides, strict=True):
        if padding == "same":
            n = -(-size // stride)
            before = max((n - 1) * stride + width - size, 0) // 2
        else:
            n, before = len(range(0, size - width + 1, stride)), 0
        starts.append([k * stride - before for k in range(n)])
    result = np.zeros((len(starts[0]), len(starts[1]), kernel.shape[3]), x.dtype)
    for (r, top), (c, left) in product(*map(enumerate, starts)):
        for i, j in np.ndindex(*kernel.shape[:2]):
            if 0 <= top + i < x.shape[0] and 0 <= left + j < x.shape[1]:
                for channel, n in np.ndindex(*kernel.shape[2:]):
                    result[r, c, n] += kernel[i, j, channel, n] * x[top + i, left + j, channel]
    return result


def pooled(x, window):
    """The sums of the windows of an image, (height, width, channels), by their definition."""
    n_rows, n_columns = x.shape[0] // window[0], x.shape[1] // window[1]
    result = np.zeros((n_rows, n_columns, x.shape[2]), x.dtype)
    for r, c, i, j in np.ndindex(n_rows, n_columns, *window):
        result[r, c] += x[r * window[0] + i, c * window[1] + j]
    return result


def matrix(function, shape):
    """The matrix, (n_out, n_in), of a linear function of images of a shape."""
    n = int(np.prod(shape))
    return np.stack([function(row.reshape(shape)).ravel() for row in np.eye(n)], axis=1)


SHAPE, WINDOW = (7, 6, 2), (2, 2)
KERNEL, STRIDES, PADDING = (3, 2, 2, 3), (1, 2), "same"


def small_network(pooled=True):
    """A convolution, a pool or another one, and a dense layer, whose phases bunch around 0."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        net.config[nengo.Connection].synapse = None
        net.image = nengo.Node(np.zeros(2 * 7 * 6 * 2), label="image")
        net.conv = networks.PhasorConv(
            SHAPE,
            KERNEL[3],
            KERNEL[:2],
            STRIDES,
            PADDING,
            rng.normal(0, 0.15, KERNEL),
            [1.0, 0.7, -1.2],
        )
        net.pool = (
            networks.PhasorPool(net.conv.output_shape, WINDOW)
            if pooled
            else networks.PhasorConv(
                net.conv.output_shape, 3, WINDOW, (2, 3), "valid", rng.normal(0, 0.2, (2, 2, 3, 3))
            )
        )
        net.dense = networks.PhasorDense(9, 4, rng.normal(0, 0.15, (9, 4)))
        for pre, post in [
            (net.image, net.conv.input),
            (net.conv.output, net.pool.input),
            (net.pool.output, net.dense.input),
        ]:
            nengo.Connection(pre, post)
        net.seen = [nengo.Probe(part.output) for part in (net.conv, net.pool, net.dense)]
    return net

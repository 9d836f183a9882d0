"""Classifiers of phasors as chains of blocks, in the phase domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import nengo
import numpy as np

from nengo_phasor.networks import PhasorAttention, PhasorConv, PhasorDense, PhasorResidual

CLASSES = 10

Shape = Sequence[int]
Block = Callable[[Shape], nengo.Network]
"""Makes a part of a chain for an input of a shape; the part has ``input`` and ``output``."""


def conv(maps: int, kernel: int, stride: int) -> Block:
    """Return the block of a convolution."""
    return lambda shape: PhasorConv(shape, maps, kernel, stride)


def dense(size: int) -> Block:
    """Return the block of a fully connected layer."""
    return lambda shape: PhasorDense(prod(shape), size)


def residual(hidden: int, join: str | None) -> Block:
    """Return a residual block, or one without a skip connection if ``join`` is None."""
    return lambda shape: PhasorResidual(prod(shape), hidden, join)


def attention(size: int, beta: float) -> Block:
    """Return a block of attention between the rows of an image."""
    return lambda shape: PhasorAttention(shape[0], prod(shape[1:]), size, beta)


def classifier(shape: Shape, blocks: Sequence[Block], seed: int = 0) -> nengo.Network:
    """Return a chain of blocks with an output layer, a phasor for each class.

    Parameters
    ----------
    shape : (int, int, int)
        The height, width and number of channels of the images.
    blocks : sequence of callable
        The blocks, from input to output.
    seed : int
        The seed of the weights.

    Returns
    -------
    nengo.Network
        ``input`` takes the images' phasors. ``output`` is a probe. ``hidden`` is a list of probes,
        one for each ensemble before the output layer. ``bias`` is the connection from the output
        layer's reference.
    """
    with nengo.Network(label="deep rhythms", seed=seed) as net:
        net.input = nengo.Node(np.zeros(2 * prod(shape)), label="phasors")
        before = net.input
        for block in (*blocks, dense(CLASSES)):
            part = block(shape)
            nengo.Connection(before, part.input, synapse=None)
            before = part.output
            shape = getattr(part, "output_shape", (before.size_out // 2,))
        *hidden, _ = net.all_ensembles
        net.hidden = [nengo.Probe(ensemble.neurons) for ensemble in hidden]
        net.output, net.bias = nengo.Probe(part.output, label="output"), part.bias
    return net

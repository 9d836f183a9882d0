"""LeNet-5 of spiking neurons: its weights and the network."""

from __future__ import annotations

import nengo
import numpy as np

import nengo_phasor
from nengo_phasor import pooling

DT = 0.001
TAU = 0.005
MAPS, UNITS, CLASSES = (6, 16), (120, 84), 10
BIAS = 1.0
"""The current of every neuron besides its inputs, which brings it just to the threshold."""


def initial_weights(shape: tuple[int, int, int], seed: int) -> dict[str, np.ndarray]:
    """Return LeNet's random weights for images of a shape, (height, width, channels).

    The n weights of a neuron have a standard deviation of one over the root of n;
    `.start.rate_matched` scales them.
    """
    rng = np.random.RandomState(seed)
    height, width = (((size - 4) // 2 - 4) // 2 for size in shape[:2])
    shapes = {
        "conv1": (5, 5, shape[2], MAPS[0]),
        "conv2": (5, 5, *MAPS),
        "dense1": (height * width * MAPS[1], UNITS[0]),
        "dense2": UNITS,
        "logits": (UNITS[1], CLASSES),
    }
    return {
        name: rng.normal(0, 1 / np.sqrt(np.prod(size[:-1])), size).astype(np.float32)
        for name, size in shapes.items()
    }


def lenet(shape: tuple[int, int, int], weights: dict[str, np.ndarray]) -> nengo.Network:
    """Return LeNet-5 of spiking neurons: two 5 x 5 convolutions, two dense layers, ten logits.

    The image is a constant current. Spikes are averaged over 2 x 2 places after each convolution.
    A neuron's spike raises the voltage of its targets by about the weight.

    Parameters
    ----------
    shape : (int, int, int)
        Height, width and channels of the image.
    weights : {str: ndarray}
        The weights by layer, inputs before outputs, as those of `initial_weights`.

    Returns
    -------
    nengo.Network
        The network, with ``image``; ``links``, the weighted connections by layer; ``spikes``,
        probes by layer; and ``logits``, a probe whose mean over time are the logits of the classes.
    """
    with nengo.Network(label="LeNet") as net:
        net.image = nengo.Node(np.zeros(int(np.prod(shape))), label="image")
        net.links, net.spikes = {}, {}
        x = net.image
        for name, values in weights.items():
            convolves = values.ndim == 4
            transform = (
                nengo.Convolution(values.shape[3], shape, kernel_size=(5, 5), init=values)
                if convolves
                else nengo.Dense(values.shape[::-1], init=values.T)
            )
            if name == "logits":
                target = nengo.Node(size_in=CLASSES, label=name)
                net.logits = nengo.Probe(target, label=name)
            else:
                target = neurons(name, transform.size_out)
                net.spikes[name] = nengo.Probe(target, label=name)
            net.links[name] = nengo.Connection(
                x, target, transform=transform, synapse=None, label=name
            )
            x = target
            if convolves:
                average = pooling.average_pool(transform.output_shape.shape)
                x = nengo.Node(size_in=average.size_out, label=f"{name} pooled")
                nengo.Connection(target, x, transform=average, synapse=None)
                height, width, maps = transform.output_shape.shape
                shape = height // 2, width // 2, maps
    return net


def neurons(label: str, n: int) -> nengo.ensemble.Neurons:
    """Return a layer's neurons, whose currents are their inputs and a bias."""
    neuron_type = nengo_phasor.SurrogateLIF(TAU, amplitude=TAU)
    return nengo.Ensemble(
        n, 1, neuron_type=neuron_type, gain=np.ones(n), bias=np.full(n, BIAS), label=label
    ).neurons

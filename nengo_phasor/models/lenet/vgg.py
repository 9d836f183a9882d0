"""A deep network of spiking neurons for few time steps, in the manner of VGG."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.dists import Choice

import nengo_phasor
from nengo_phasor import pooling
from nengo_phasor.models.lenet.network import CLASSES, DT

LAYERS = ((24, 1), (48, 2), (48, 1), (96, 2), (96, 1), (128, 2))
"""The maps of each convolution and its stride."""

SIZE = 3
"""The width and height of a kernel."""


def vgg(shape: tuple[int, int, int], weights: dict[str, np.ndarray]) -> nengo.Network:
    """Return six 3 x 3 convolutions of spiking neurons, an average over places, and ten logits.

    The neurons integrate without a leak and start half-way to the threshold. So the number of
    spikes of a neuron with a constant current is nearest to what the current makes, like the
    output of a unit that is quantised to as many levels as there are steps. The image is a
    constant current. A spike raises the voltage of its targets by the weight.

    A map's bias is the kernel of a 1 x 1 convolution of an image of ones, so training learns one
    number for a map.

    Parameters
    ----------
    shape : (int, int, int)
        Height, width and channels of the image.
    weights : {str: ndarray}
        The weights by layer, inputs before outputs, as those of `.twin.folded`.

    Returns
    -------
    nengo.Network
        The network, with ``image``; ``links``, the connections with weights by name; ``spikes``,
        probes by layer; and ``logits``, a probe whose mean over time are the logits of the classes.
    """
    with nengo.Network(label="VGG") as net:
        net.image = nengo.Node(np.zeros(int(np.prod(shape))), label="image")
        net.links, net.spikes = {}, {}
        x = net.image
        for k, (maps, stride) in enumerate(LAYERS):
            name = f"conv{k + 1}"
            convolution = nengo.Convolution(
                maps,
                shape,
                kernel_size=(SIZE, SIZE),
                strides=(stride, stride),
                padding="same",
                init=weights[name],
            )
            shape = convolution.output_shape.shape
            layer = neurons(name, convolution.size_out)
            net.links[name] = nengo.Connection(x, layer, transform=convolution, synapse=None)
            net.links[f"bias{k + 1}"] = _bias(layer, shape, weights[f"bias{k + 1}"])
            net.spikes[name] = nengo.Probe(layer, label=name)
            x = layer
        average = pooling.average_pool(shape, shape[:2])
        pooled = nengo.Node(size_in=average.size_out, label="average")
        nengo.Connection(x, pooled, transform=average, synapse=None)
        logits = nengo.Node(size_in=CLASSES, label="logits")
        one = nengo.Node([1.0], label="one")
        for name, source in (("logits", pooled), ("bias", one)):
            transform = nengo.Dense(weights[name].shape[::-1], init=weights[name].T)
            net.links[name] = nengo.Connection(source, logits, transform=transform, synapse=None)
        net.logits = nengo.Probe(logits, label="logits")
    return net


def neurons(label: str, n: int) -> nengo.ensemble.Neurons:
    """Return a layer's neurons, whose voltages are the sums of their inputs, step by step."""
    neuron_type = nengo_phasor.SurrogateLIF(
        None, amplitude=DT, initial_state={"voltage": Choice([0.5])}
    )
    return nengo.Ensemble(
        n, 1, neuron_type=neuron_type, gain=np.full(n, 1 / DT), bias=np.zeros(n), label=label
    ).neurons


def _bias(layer: nengo.ensemble.Neurons, shape: tuple, values: np.ndarray) -> nengo.Connection:
    """Return the connection that gives the neurons of each map a current of its own."""
    ones = nengo.Node(np.ones(shape[0] * shape[1]), label="ones")
    each = nengo.Convolution(shape[2], (*shape[:2], 1), kernel_size=(1, 1), init=values)
    return nengo.Connection(ones, layer, transform=each, synapse=None)

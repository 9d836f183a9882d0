"""Nengo GUI's model of small photographs: the narrow network in spikes."""

from __future__ import annotations

import nengo

from nengo_phasor import AdaptiveSpiking, convert, datasets, displays
from nengo_phasor.models.adaptive import cifar


def gui_model(m_f: float = 0.1) -> nengo.Network:
    """Return the narrow network in spikes, from committed weights, shown a new image a second.

    They are the means of the training images of each class: the data set comes with no licence that
    would let its own images be passed on.
    """
    from nengo_phasor.models.adaptive import training

    saved = datasets.load_params(cifar.PARAMS, ["images", "width"])
    model = cifar.model_of("cifar10", float(saved["width"]))
    training.load_weights(cifar.PARAMS, model)
    converted = convert.to_adaptive(model, AdaptiveSpiking(m_f))
    images = cifar.ycbcr(saved["images"]).reshape(len(saved["images"]), -1)
    colours = saved["images"].reshape(images.shape) / 255
    with converted.network as network:
        network.input.output = nengo.processes.PresentInput(images, 1.0)
        network.readout, network.dense = network.output.target, network.layers["dense1"]
        network.probes.clear()  # a GUI runs for as long as one likes, and they keep everything
        network.colours = nengo.Node(nengo.processes.PresentInput(colours, 1.0), label="in colours")
        network.image = displays.image(cifar.SHAPE, label="what is shown: a class's mean image")
        network.decision = displays.classes(
            datasets.DATASETS["cifar10"].classes, 0, 5, label="class"
        )
        nengo.Connection(network.colours, network.image, synapse=None)
        nengo.Connection(network.readout, network.decision, synapse=None)
    return network

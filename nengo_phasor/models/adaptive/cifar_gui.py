"""Nengo GUI's model of small photographs: the narrow network in spikes."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor import AdaptiveSpiking, convert, datasets, displays
from nengo_phasor.models.adaptive import cifar
from nengo_phasor.models.shared import gui

SECONDS = 1.0
"""For how long an image is shown."""

FIRST = 4
"""The class whose mean image comes first, the others in turn: one that the network names right."""


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
    labels = np.roll(np.arange(len(images)), -FIRST)
    images, colours = images[labels], colours[labels]
    with converted.network as network:
        network.input.output = nengo.processes.PresentInput(images, SECONDS)
        network.readout, network.dense = network.output.target, network.layers["dense1"]
        network.probes.clear()  # a GUI runs for as long as one likes, and they keep everything
        network.colours = nengo.Node(
            nengo.processes.PresentInput(colours, SECONDS), label="in colours"
        )
        names, n_pixels = datasets.DATASETS["cifar10"].classes, colours.shape[1]
        network.truth = gui.classes_in_turn(labels, len(names), SECONDS)
        network.image = displays.image(
            cifar.SHAPE, label="what is shown: a class's mean image", names=names
        )
        network.decision = displays.classes(names, 0, 5, label="class", lead=gui.LEAD)
        nengo.Connection(network.colours, network.image[:n_pixels], synapse=None)
        nengo.Connection(network.truth, network.image[n_pixels:], synapse=None)
        nengo.Connection(network.readout, network.decision, synapse=None)
    gui.last_layer(network)
    return network

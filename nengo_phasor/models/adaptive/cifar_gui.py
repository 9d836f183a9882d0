"""Nengo GUI's model of small photographs: the narrow spiking network."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor import AdaptiveSpiking, convert, datasets, displays
from nengo_phasor.models.adaptive import cifar
from nengo_phasor.models.shared import gui

SECONDS = 1.0
"""The time for which an image is shown, in seconds."""

FIRST = 4
"""The class whose mean image is shown first, one that the network classifies correctly."""


def gui_model(m_f: float = 0.1) -> nengo.Network:
    """Return the narrow spiking network with committed weights, with a new image every second.

    The images are the means of the training images of each class, because the data set does not
    have a licence that would allow passing on its own images.
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
        network.probes.clear()  # probes keep all data, and a GUI may run for hours
        network.colours = nengo.Node(
            nengo.processes.PresentInput(colours, SECONDS), label="in colour"
        )
        names, n_pixels = datasets.DATASETS["cifar10"].classes, colours.shape[1]
        network.truth = gui.classes_in_turn(labels, len(names), SECONDS)
        network.image = displays.image(cifar.SHAPE, label="mean image of a class", names=names)
        network.decision = displays.classes(names, 0, 5, label="class", lead=gui.LEAD)
        nengo.Connection(network.colours, network.image[:n_pixels], synapse=None)
        nengo.Connection(network.truth, network.image[n_pixels:], synapse=None)
        nengo.Connection(network.readout, network.decision, synapse=None)
    gui.last_layer(network)
    return network

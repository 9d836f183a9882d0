"""Nengo GUI's model: the LeNet that uses few spikes, shown images in turn."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor import datasets, displays
from nengo_phasor.models import PARAMS
from nengo_phasor.models.lenet.network import DT, TAU, lenet
from nengo_phasor.models.shared.gui import classes_in_turn, spikes

WEIGHTS = PARAMS / "sparse_lenet.npz"
SECONDS = 0.2
"""The time for which an image is shown, in seconds."""

LEAD = 1.0
"""The margin by which the highest logit must exceed the others for its class to be displayed."""


def gui_model() -> nengo.Network:
    """Return the network with committed weights, with a new image five times per second.

    Unlike in training, the network does not start from rest at each image, and images are shown for
    longer. The class is that of filtered logits.
    """
    params = datasets.load_params(WEIGHTS)
    images, names = params.pop("images"), params.pop("classes")
    weights = {name: values.astype(np.float32) for name, values in params.items()}
    net = lenet(images.shape[1:], weights)
    net.image.output = nengo.processes.PresentInput(images.reshape(len(images), -1), SECONDS)
    net.layers = {name: probe.target for name, probe in net.spikes.items()}
    net.last, net.sums = net.layers["dense2"].ensemble, net.logits.target
    net.probes.clear()  # probes keep all data, and a GUI may run for hours
    with net:
        pixels = images[..., :-1]  # the last channel is for biases
        shape = images.shape[1:3] + (() if pixels.shape[-1] == 1 else pixels.shape[-1:])
        net.shown = displays.image(shape, pixels.min(), pixels.max(), "what is shown", names)
        net.truth = classes_in_turn(range(len(names)), len(names), SECONDS)
        net.decision = displays.classes(names, 0, 10, label="class", lead=LEAD)
        net.count = nengo.Node(size_in=len(net.layers), label="spikes per step")
        places = np.arange(net.image.size_out).reshape(images.shape[1:])[..., :-1]
        n_pixels = places.size
        nengo.Connection(net.image[places.ravel().tolist()], net.shown[:n_pixels], synapse=None)
        nengo.Connection(net.truth, net.shown[n_pixels:], synapse=None)
        nengo.Connection(net.sums, net.decision, synapse=0.03)
        for k, layer in enumerate(net.layers.values()):
            each = np.full((1, layer.size_out), DT / TAU)
            nengo.Connection(layer, net.count[k], transform=each, synapse=None)
    net.last.label = "dense2: voltages"
    net.last_spikes = spikes(net, net.last.neurons, "dense2: spikes")
    return net

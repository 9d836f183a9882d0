"""What Nengo GUI opens: the LeNet that spends few spikes, shown images in turn."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor import datasets, displays
from nengo_phasor.models import PARAMS
from nengo_phasor.models.lenet.network import DT, TAU, lenet

WEIGHTS = PARAMS / "sparse_lenet.npz"


def gui_model() -> nengo.Network:
    """Return the network with committed weights, shown a new image five times a second.

    Unlike in training, an image follows on the last one, and is shown for longer: the class is that
    of filtered logits.
    """
    params = datasets.load_params(WEIGHTS)
    images, names = params.pop("images"), params.pop("classes")
    weights = {name: values.astype(np.float32) for name, values in params.items()}
    net = lenet(images.shape[1:], weights)
    net.image.output = nengo.processes.PresentInput(images.reshape(len(images), -1), 0.2)
    net.layers = {name: probe.target for name, probe in net.spikes.items()}
    net.last, net.sums = net.layers["dense2"].ensemble, net.logits.target
    net.probes.clear()  # a GUI runs for as long as one likes, and they keep everything
    with net:
        pixels = images[..., :-1]  # the last channel is for biases
        shape = images.shape[1:3] + (() if pixels.shape[-1] == 1 else pixels.shape[-1:])
        net.shown = displays.image(shape, pixels.min(), pixels.max(), label="what is shown")
        net.decision = displays.classes(names, 0, 10, label="class")
        net.count = nengo.Node(size_in=len(net.layers), label="spikes in a step, by layer")
        places = np.arange(net.image.size_out).reshape(images.shape[1:])[..., :-1]
        nengo.Connection(net.image[places.ravel().tolist()], net.shown, synapse=None)
        nengo.Connection(net.sums, net.decision, synapse=0.03)
        for k, layer in enumerate(net.layers.values()):
            each = np.full((1, layer.size_out), DT / TAU)
            nengo.Connection(layer, net.count[k], transform=each, synapse=None)
    return net

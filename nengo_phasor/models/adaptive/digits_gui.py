"""Nengo GUI's model of digits or garments: the small spiking network, with arousal."""

from __future__ import annotations

import nengo

from nengo_phasor import AdaptiveSpiking, convert, displays
from nengo_phasor.models.adaptive import digits
from nengo_phasor.models.adaptive.data import pixels
from nengo_phasor.models.adaptive.spiking import DT, WINDOW
from nengo_phasor.models.shared import gui


def gui_model(name: str = "mnist") -> nengo.Network:
    """Return the small spiking network with committed weights, with two new images per second.

    The network is not reset between images. With arousal, each image begins at low precision, and
    continues at high precision if it is uncertain
    (in a `nengo.Simulator` for which ``precision.start`` was called).
    """
    model, images, how = digits.committed(name)
    converted = convert.to_adaptive(model, AdaptiveSpiking(how.low))
    flat = pixels(images).reshape(len(images), -1)
    with converted.network as network:
        seconds = WINDOW * DT
        network.input.output = nengo.processes.PresentInput(flat, seconds)
        network.readout, network.dense = network.output.target, network.layers["dense1"]
        network.probes.clear()  # probes keep all data, and a GUI may run for hours
        network.precision = gui.Precision(how.low)
        network.arousal = nengo.Node(
            gui.Aroused(how, network.precision, seconds, DT), 10, 1, label="arousal"
        )
        names, n_pixels = digits.CLASSES[name], flat.shape[1]
        network.truth = gui.classes_in_turn(range(len(names)), len(names), seconds)
        network.image = displays.image((28, 28), label="what is shown", names=names)
        network.decision = displays.classes(names, 0, 5, label="class", lead=gui.LEAD)
        network.dial = displays.precision_dial(how.low, how.high, label="precision")
        for pre, post in (
            (network.input, network.image[:n_pixels]),
            (network.truth, network.image[n_pixels:]),
            (network.readout, network.decision),
            (network.readout, network.arousal),
            (network.arousal, network.dial),
        ):
            nengo.Connection(pre, post, synapse=None)
    gui.last_layer(network)
    return network

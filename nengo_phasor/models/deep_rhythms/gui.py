"""Nengo GUI's model: the convolutional classifier in spikes, each layer with its rhythm unit."""

from __future__ import annotations

import nengo
import numpy as np

import nengo_phasor
from nengo_phasor import RhythmSparsifier, convert, datasets, displays
from nengo_phasor.models import PARAMS as COMMITTED
from nengo_phasor.models.deep_rhythms.data import encode
from nengo_phasor.models.rhythms.network import FREQUENCY
from nengo_phasor.models.shared.gui import classes_in_turn

PARAMS = COMMITTED / "deep_rhythms.npz"
"""The trained network, with an image of each class as its attribute ``images``."""

SECONDS = 2.0
"""The time for which a garment is shown, in seconds."""

SHOWN = 40
"""The number of neurons of a hidden layer whose hands are drawn."""


def gui_model() -> nengo.Network:
    """Return the network with the committed weights."""
    return shown(nengo_phasor.load(PARAMS))


def shown(net: nengo.Network, window: float = 0.1) -> nengo.Network:
    """Return a trained network in spikes, with a new image every two seconds.

    Displays show the image with its true class below it, the phases of neurons of each layer with
    the red hand of its rhythm unit, faded hands for spikes that are dropped, and the class.
    """
    model, new = convert.to_spiking(
        net,
        nengo_phasor.ResonateAndFire(FREQUENCY),
        rhythm=RhythmSparsifier(window, FREQUENCY),
        assume_reference=True,
    )
    model.probes.clear()  # probes keep all data, and a GUI may run for hours
    images, names = net.images, datasets.DATASETS["fashion_mnist"].classes
    model.phases = new[net.input]
    model.phases.output = nengo.processes.PresentInput(encode(images), SECONDS)
    model.clocks = [clock(model, new[probe.obj]) for probe in (*net.hidden, net.output)]
    model.layers = list(model.networks)
    (model.encoder,) = (c.post for c in model.connections if c.pre is model.phases)
    with model:
        pixels = images.reshape(len(images), -1) / 255
        model.garment = nengo.Node(nengo.processes.PresentInput(pixels, SECONDS), label="garment")
        model.truth = classes_in_turn(range(len(names)), len(names), SECONDS)
        model.image = displays.image(images.shape[1:], label="what is shown", names=names)
        nengo.Connection(model.garment, model.image[: pixels.shape[1]], synapse=None)
        nengo.Connection(model.truth, model.image[pixels.shape[1] :], synapse=None)
        model.decision = displays.phase_classes(names, FREQUENCY, label="similarity to phase 1/2")
        nengo.Connection(new[net.output.obj].sent, model.decision, synapse=None)
    return model


def clock(model: nengo.Network, rhythm: nengo_phasor.networks.LocalRhythm) -> nengo.Node:
    """Add the display of some of a layer's phases, and of its unit's; return it."""
    size = rhythm.layer.size_out
    n = min(size, SHOWN)
    places = np.sort(np.random.RandomState(0).choice(size, n, replace=False))
    with model:
        display = displays.phase_clock(n, FREQUENCY, True, label=f"{n} of {size} phases", unit=True)
        for source, target in (
            (rhythm.layer[places], display[:n]),
            (rhythm.sent.obj[places], display[n : 2 * n]),
            (rhythm.reference, display[-1]),
        ):
            nengo.Connection(source, target, synapse=None)
    return display

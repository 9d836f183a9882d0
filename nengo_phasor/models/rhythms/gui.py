"""Nengo GUI's model: the spiking classifier behind its projection, with displays."""

from __future__ import annotations

from collections.abc import Mapping

import nengo
import numpy as np

import nengo_phasor
from nengo_phasor import convert, datasets, displays
from nengo_phasor.models.rhythms.network import (
    FREQUENCY,
    PARAMS,
    PIXELS,
    SIZES,
    classifier,
    projection,
)
from nengo_phasor.models.shared.gui import classes_in_turn, spikes

SECONDS = 1.0
"""The time for which a garment is shown, in seconds."""


def gui_model() -> nengo.Network:
    """Return the network with the committed weights."""
    return shown(datasets.load_params(PARAMS))


def shown(params: Mapping[str, np.ndarray], arc: float = 0.1) -> nengo.Network:
    """Return the spiking network behind its random projection, with a new garment every second.

    Displays show the garment with its true class below it, the phases of both layers, with faded
    hands for spikes that the sparsifier drops, and the network's class.
    """
    model, sent = _spiking(params, arc)
    with model:
        names = datasets.DATASETS["fashion_mnist"].classes
        model.truth = classes_in_turn(range(len(names)), len(names), SECONDS)
        model.image = displays.image((28, 28), label="what is shown", names=names)
        nengo.Connection(model.garment, model.image[:PIXELS], synapse=None)
        nengo.Connection(model.truth, model.image[PIXELS:], synapse=None)
        model.hidden_clock = displays.phase_clock(SIZES[1], FREQUENCY, True, label="hidden phases")
        model.clock = displays.phase_clock(SIZES[2], FREQUENCY, True, label="output phases")
        for ensemble, relay, clock in zip(
            (model.hidden, model.output), sent, (model.hidden_clock, model.clock), strict=True
        ):
            n = ensemble.n_neurons
            nengo.Connection(ensemble.neurons, clock[:n], synapse=None)
            nengo.Connection(relay, clock[n:], synapse=None)
        model.decision = displays.phase_classes(names, FREQUENCY, label="similarity to phase 1/2")
        nengo.Connection(sent[-1], model.decision, synapse=None)
    model.sent = spikes(model, sent[0], "hidden spikes sent")
    return model


def _spiking(params: Mapping[str, np.ndarray], arc: float) -> tuple[nengo.Network, list]:
    """Return the network without displays, and the relay of each layer's sparsified spikes."""
    pixels = params["images"].reshape(-1, PIXELS) / 255
    with nengo.Network(label="local rhythms") as net:
        garment = nengo.Node(nengo.processes.PresentInput(pixels, SECONDS), label="garment")
        project = projection(int(params["seed"]), float(params["spread"]))
        nengo.Connection(garment, project.input, synapse=None)
        layers = classifier(params)
        nengo.Connection(project.output, layers.input, synapse=None)
        probes = [nengo.Probe(layer.output) for layer in layers.layers]
    model, new = convert.to_spiking(
        net,
        nengo_phasor.ResonateAndFire(FREQUENCY),
        nengo_phasor.ArcSparsifier(arc, FREQUENCY),
        assume_reference=True,
    )
    model.garment, model.projection, model.classifier = map(new.get, (garment, project, layers))
    model.hidden, model.output = (new[layer.units] for layer in layers.layers)
    model.hidden.label, model.output.label = "hidden neurons", "outputs"
    sent = [new[probe].target for probe in probes]
    model.probes.clear()  # probes keep all data, and a GUI may run for hours
    return model, sent

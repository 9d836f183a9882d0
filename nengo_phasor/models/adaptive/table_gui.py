"""Nengo GUI's model of rows of features: the spiking network."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor import AdaptiveSpiking, convert, datasets, displays
from nengo_phasor.models.adaptive.spiking import DT, WINDOW
from nengo_phasor.models.adaptive.tables import TABLES, keras_model
from nengo_phasor.models.shared import gui


def gui_model(name: str, m_f: float = 0.1) -> nengo.Network:
    """Return the spiking network with committed weights, with two new samples per second.

    The samples were held out in training. The classes take turns, and within each
    class the samples come first of which the analog network is surest, right or wrong.
    """
    from nengo_phasor.models.adaptive.training import load_weights, logits

    table = TABLES[name]
    data = datasets.load(table.name)
    model = keras_model(table, data.x_train.shape[1])
    held_out = load_weights(table.params, model)["held_out"]
    second, first = np.sort(logits(model, data.x_train[held_out]), axis=1).T[-2:]
    surest = held_out[np.argsort(second - first, kind="stable")]
    labels = data.y_train[surest]
    in_turn = surest[np.lexsort([labels, _places_in_class(labels)])]
    converted = convert.to_adaptive(model, AdaptiveSpiking(m_f))
    with converted.network as network:
        network.input.output = nengo.processes.PresentInput(data.x_train[in_turn], WINDOW * DT)
        network.readout, network.dense = network.output.target, network.layers["dense1"]
        network.probes.clear()  # probes keep all data, and a GUI may run for hours
        gui.keep_on_host(network, network.layers["features"])
        network.truth = gui.classes_in_turn(data.y_train[in_turn], table.classes, WINDOW * DT)
        network.right = displays.classes(data.classes, label="the true class")
        network.decision = displays.classes(
            data.classes, -5, 5, label="the network's class", lead=gui.LEAD
        )
        nengo.Connection(network.truth, network.right, synapse=None)
        nengo.Connection(network.readout, network.decision, synapse=None)
    gui.last_layer(network)
    return network


def _places_in_class(labels):
    """Return, for each sample, how many samples of its class come before it."""
    return [np.sum(labels[:k] == label) for k, label in enumerate(labels)]

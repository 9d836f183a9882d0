"""Nengo GUI's model: a running heart beat, the spikes of the network, and the wave now."""

from __future__ import annotations

from collections.abc import Mapping

import nengo
import numpy as np

from nengo_phasor import datasets, displays
from nengo_phasor.models import PARAMS as COMMITTED
from nengo_phasor.models.heart_beats.data import UNMARKED
from nengo_phasor.models.heart_beats.designs import DESIGNS
from nengo_phasor.models.heart_beats.network import CLASSES, DT, network
from nengo_phasor.models.shared.gui import spikes

PARAMS = COMMITTED / "heart_beats.npz"
"""The parameters of a trained network, and some test sequences, ``events`` and ``labels``."""


def gui_model() -> nengo.Network:
    """Return the network with the committed parameters."""
    return shown(datasets.load_params(PARAMS))


def shown(params: Mapping[str, np.ndarray]) -> nengo.Network:
    """Return the network that hears sequences in turn, with displays, neurons by frequency."""
    order = np.argsort(params["frequency"])
    net = network(DESIGNS["published"], sorted_by(params, order), amplitude=1.0)
    net.probes.clear()  # probes keep all data, and a GUI may run for hours
    events = np.concatenate(params["events"]).astype(float)
    labels = np.concatenate(params["labels"]).astype(int)
    truth = np.eye(CLASSES + 1)[np.where(labels == UNMARKED, CLASSES, labels)]
    net.events.output = nengo.processes.PresentInput(events, DT)
    names = datasets.DATASETS["qtdb"].classes
    with net:
        leads = nengo.processes.PresentInput(levels(params["events"]), DT)
        net.leads = nengo.Node(leads, label="two leads (levels)")
        marked = nengo.processes.PresentInput(truth[:, :CLASSES], DT)
        net.truth = nengo.Node(marked, label="true wave")
        net.now = displays.classes(names, -5.0, 5.0, label="wave now")
        nengo.Connection(net.waves, net.now, synapse=None)
    frequencies = np.sort(params["frequency"])
    label = f"spikes, from {frequencies[0]:.1f} to {frequencies[-1]:.1f} Hz"
    net.raster = spikes(net, net.hidden.neurons, label)
    return net


def sorted_by(params: Mapping[str, np.ndarray], order: np.ndarray) -> dict[str, np.ndarray]:
    """Return the parameters with neurons in another order."""
    found = {name: params[name][order] for name in ("input", "frequency", "damping")}
    recurrent, output = params["recurrent"][np.ix_(order, order)], params["output"][:, order]
    return {**found, "recurrent": recurrent, "output": output}


def levels(events: np.ndarray) -> np.ndarray:
    """Return the level of each lead, (n * n_steps, 2), which events raise and lower."""
    steps = events[..., 0::2].astype(float) - events[..., 1::2]
    total = np.cumsum(steps, axis=1)
    return np.concatenate(total - total.mean(axis=1, keepdims=True))

"""Nengo GUI's model of one neuron: its states, and a slider for its precision."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor import AdaptiveSpiking, displays
from nengo_phasor.models.adaptive.neuron import network
from nengo_phasor.models.shared import gui

GUI_RANGE = 0.6, 0.03
"""The range of the precision m_f that can be set in Nengo GUI."""


def gui_model() -> nengo.Network:
    """Return the network with a slider for the neuron's precision, m_f, and a dial that shows it.

    The slider acts in a `nengo.Simulator` for which ``precision.start`` was called.
    """
    neuron = AdaptiveSpiking()
    low, high = GUI_RANGE
    net = network(neuron)
    net.precision = gui.Precision(neuron.m_f)

    def control(t, x):
        before = net.precision.m_f
        net.precision.set(float(np.clip(x[0], high, low)))
        if net.precision.m_f != before:
            net.states.output.neuron = neuron.at_precision(net.precision.m_f)
        return net.precision.m_f

    with net:
        net.m_f = nengo.Node([neuron.m_f], label="m_f: less is finer")
        net.control = nengo.Node(control, size_in=1, label="sets m_f")
        net.dial = displays.precision_dial(low, high, label="precision")
        nengo.Connection(net.m_f, net.control, synapse=None)
        nengo.Connection(net.control, net.dial, synapse=None)
    net.spikes = gui.spikes(net, net.neuron.neurons, "spikes")
    return net

"""Nengo GUI's model: the three neurons, with sliders and a phase clock."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor import ResonateAndFire, displays
from nengo_phasor.models.oscillators.network import (
    DT,
    FREQUENCY,
    PHASES,
    SIZES,
    STRENGTH,
    THRESHOLD,
    Drive,
    N,
    Sparsifier,
)
from nengo_phasor.models.shared.gui import spikes


def gui_model() -> nengo.Network:
    """Return the three oscillators, with nodes for sliders and a phase clock."""
    with nengo.Network(label="three oscillators") as net:
        net.phase = nengo.Node(PHASES, label="phase (units of pi)")
        net.frequency = nengo.Node([FREQUENCY] * N, label="frequency of the drive (Hz)")
        net.threshold = nengo.Node([THRESHOLD], label="threshold (spikes of the drive)")
        net.strength = nengo.Node([STRENGTH], label="sparsifier's strength")
        net.drive = nengo.Node(Drive(), Drive.size_in, Drive.size_out, label="drive")
        net.neurons = nengo.Ensemble(
            N,
            1,
            neuron_type=ResonateAndFire(FREQUENCY, threshold=1.0),
            label="oscillators: voltages",
        )
        net.sparsifier = nengo.Node(Sparsifier(), Sparsifier.size_in, N, label="sparsifier")
        net.clock = displays.phase_clock(N, FREQUENCY, True, DT)
        for pre, post in (
            (net.phase, net.drive[:N]),
            (net.frequency, net.drive[N:-1]),
            (net.threshold, net.drive[-1]),
            (net.neurons.neurons, net.sparsifier[:N]),
            (net.strength, net.sparsifier[-1]),
            (net.neurons.neurons, net.clock[:N]),
            (net.sparsifier, net.clock[N:]),
        ):
            nengo.Connection(pre, post, synapse=None)
        weights = np.kron(np.eye(N), SIZES)
        nengo.Connection(net.drive, net.neurons.neurons, transform=weights, synapse=None)
    net.sent = spikes(net, net.sparsifier, "spikes that are sent")
    return net

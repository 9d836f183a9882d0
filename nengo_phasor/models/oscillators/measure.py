"""Measure when the three neurons spike."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor import phases
from nengo_phasor.models.oscillators.gui import gui_model
from nengo_phasor.models.oscillators.network import DT, FREQUENCY


def last_phases(seconds: float) -> np.ndarray:
    """Return the phase of each neuron in the last cycle of a simulation, (n_neurons,)."""
    net = gui_model()
    with net:
        probe = nengo.Probe(net.neurons.neurons)
    with nengo.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.run(seconds)
    return phases.from_raster(sim.data[probe], FREQUENCY, DT)[-1]

"""Networks that the tests of the emulator share."""

import warnings

import nengo
import nengo_loihi
import numpy as np
from nengo.processes import PresentInput

DT = 0.001


def spiking(raster, amplitude=1.0):
    """Return neurons that stay off the chip and whose spikes are the raster, (n_steps, n)."""
    n = raster.shape[1]
    network = nengo.Network.context[0]
    nengo_loihi.add_params(network)
    ensemble = nengo.Ensemble(
        n,
        1,
        neuron_type=nengo.SpikingRectifiedLinear(amplitude=amplitude),
        gain=np.ones(n),
        bias=np.zeros(n),
    )
    network.config[ensemble].on_chip = False
    node = nengo.Node(PresentInput(np.where(raster, 1.0, 0.0) / DT, DT))
    nengo.Connection(node, ensemble.neurons, synapse=None)
    return ensemble.neurons


def loihi(net, n_steps, target="sim", **kwargs):
    """Run on the emulator; give the closed simulator its compartments' states, and warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with nengo_loihi.Simulator(net, target=target, **kwargs) as sim:
            sim.compartments = sim.sims["emulator"].compartment
            sim.run_steps(n_steps)
    sim.warned = [str(warning.message) for warning in caught]
    return sim


def numpy(net, n_steps, **kwargs):
    """Run on Nengo's own simulator."""
    with nengo.Simulator(net, progress_bar=False, **kwargs) as sim:
        sim.run_steps(n_steps)
    return sim


def rhythmic(rng, n_steps, n, frequency=10.0, every=0.9):
    """Spikes, mostly one a cycle at a phase of its own, and some others."""
    period = 1 / frequency / DT
    steps = np.arange(n_steps)[:, None] - rng.uniform(0, period, n)
    raster = np.floor((steps + 1) / period) > np.floor(steps / period)
    raster &= rng.rand(n_steps, n) < every
    return raster | (rng.rand(n_steps, n) < 0.1 / period)

"""One adaptive spiking neuron with a stepped input, and probes of its states."""

from __future__ import annotations

import math

import nengo
import numpy as np

from nengo_phasor import AdaptiveSpiking

DT = 0.001
LEVELS = (0.0, 0.6, 2.0, 0.3, 1.0)
"""The levels of the stepped input, in units of f(1) = 1."""
LEVEL_SECONDS = 0.2


def stimulus(t: float) -> float:
    """Return the input at time t: steps for one second, then a 1 Hz sine around 1."""
    if t > len(LEVELS) * LEVEL_SECONDS:
        return 1.0 - math.cos(2.0 * math.pi * t)
    return LEVELS[min(int(t / LEVEL_SECONDS), len(LEVELS) - 1)]


class States(nengo.Process):
    """A node with the states of the neuron, since Nengo GUI only plots the voltage of neurons.

    Its output is S, Shat and theta/2 after each step.
    """

    def __init__(self, neuron: AdaptiveSpiking):
        super().__init__(default_size_in=1, default_size_out=3)
        self.neuron = neuron

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return self.neuron.make_state(1, rng=np.random.RandomState(0), dtype=float)

    def make_step(self, shape_in, shape_out, dt, rng, state):
        output = np.zeros(1)

        def step(t, x):
            self.neuron.step(dt, x, output, **state)
            theta = self.neuron.theta_0 + state["adaptation"]
            return np.concatenate([state["voltage"], state["refraction"], 0.5 * theta])

        return step


def network(neuron: AdaptiveSpiking) -> nengo.Network:
    """Return a network of one neuron, with probes of its states.

    ``stimulus``, ``neuron`` and ``output``, the post-synaptic current, can be connected;
    ``seen`` has probes of "stimulus", "spikes", the states, and "current".
    """
    with nengo.Network(label="adaptive neuron") as net:
        net.stimulus = nengo.Node(stimulus, label="stimulus")
        net.neuron = nengo.Ensemble(
            1, 1, neuron_type=neuron, encoders=[[1]], gain=[1], bias=[0], label="neuron"
        )
        net.output = nengo.Node(size_in=1, label="current")
        net.states = nengo.Node(States(neuron), label="S, Shat, theta/2")
        nengo.Connection(net.stimulus, net.neuron.neurons, synapse=None)
        nengo.Connection(net.stimulus, net.states, synapse=None)
        nengo.Connection(net.neuron.neurons, net.output, synapse=neuron.tau_beta)
        net.seen = {state: nengo.Probe(net.neuron.neurons, state) for state in neuron.state}
        net.seen["stimulus"] = nengo.Probe(net.stimulus)
        net.seen["spikes"] = nengo.Probe(net.neuron.neurons)
        net.seen["current"] = nengo.Probe(net.output)
    return net


def trace(neuron: AdaptiveSpiking, seconds: float) -> dict[str, np.ndarray]:
    """Return the data of the network's probes, (n_steps,) each."""
    net = network(neuron)
    with nengo.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.run(seconds)
    return {name: sim.data[probe][:, 0] for name, probe in net.seen.items()}

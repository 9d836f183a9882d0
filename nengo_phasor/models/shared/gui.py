"""Shared parts of Nengo GUI's models: their start, precision that changes, plots."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons

from nengo_phasor import AdaptiveSpiking, extras
from nengo_phasor.arousal import Arousal

LEAD = 0.25
"""The margin by which the highest output must exceed the others for its class to be displayed."""


def starter(network: nengo.Network) -> Callable:
    """Return the ``on_start`` that Nengo GUI calls with each new simulator of a network.

    It limits the linear algebra library to a single thread. Products as small as those of one step
    gain little from more threads. These wait for each other actively, while the other processor
    draws in the browser; with them, the digits ran at less than a tenth of real time.
    """
    threads = extras.require("threadpoolctl")

    def on_start(simulator):
        threads.threadpool_limits(1, "blas")
        if hasattr(network, "precision"):
            network.precision.start(simulator)

    return on_start


def keep_on_host(network: nengo.Network, ensemble: nengo.Ensemble) -> None:
    """Keep a layer whose inputs are currents off the chip, if nengo-loihi is installed.

    The layer sends spikes to the chip. nengo-loihi would send currents as spikes of its own
    neurons, which are too few for the precision that a trained network needs.
    """
    if importlib.util.find_spec("nengo_loihi"):
        import nengo_loihi

        nengo_loihi.add_params(network)
        network.config[ensemble].on_chip = False


class Passing(nengo.neurons.NeuronType):
    """Neurons that pass on their input, usually spikes, in the same time step."""

    spiking = True

    def step(self, dt, J, output):
        """Copy the input to the output."""
        output[...] = J


def spikes(network: nengo.Network, source, label: str) -> nengo.Ensemble:
    """Add an ensemble to a network for which Nengo GUI can draw a raster of a source's spikes.

    Nengo GUI only draws the spikes of an ensemble, titled with its name. The source may be a relay
    behind a sparsifier, and the plot has its own title.

    Parameters
    ----------
    network : nengo.Network
    source : nengo.Node or nengo.ensemble.Neurons
    label : str
        The title of the plot.

    Returns
    -------
    nengo.Ensemble
        An ensemble of as many neurons, which send the same spikes, on the host.
    """
    n = source.size_out
    with network:
        ensemble = nengo.Ensemble(
            n, 1, neuron_type=Passing(), gain=np.ones(n), bias=np.zeros(n), label=label
        )
        nengo.Connection(source, ensemble.neurons, synapse=None)
    keep_on_host(network, ensemble)
    return ensemble


def last_layer(network: nengo.Network) -> None:
    """Label the last hidden layer, ``dense``, and add ``spikes`` for its raster."""
    network.dense.label = "dense1: voltages"
    network.spikes = spikes(network, network.dense.neurons, "dense1: spikes")


def classes_in_turn(labels, n_classes: int, seconds: float) -> nengo.Node:
    """Make a node in the current network that outputs the class of each input in turn, one-hot."""
    shown = nengo.processes.PresentInput(np.eye(n_classes)[np.asarray(labels)], seconds)
    return nengo.Node(shown, label="true classes")


class Precision:
    """The precision of all adaptive neurons of a running `nengo.Simulator`.

    m_f, theta_0 and the height of spikes change together, as in `convert.adaptive.Converted`; the
    states of the neurons are kept. Other simulators keep the precision that they were built with.

    Attributes
    ----------
    m_f : float
        The precision in use.
    """

    def __init__(self, m_f: float):
        self.m_f = m_f
        self.operators: list[tuple[SimNeurons, AdaptiveSpiking]] = []

    def start(self, sim) -> None:
        """Find the neurons of a simulator. Nengo GUI's ``on_start`` calls it."""
        found = [op for op in getattr(sim.model, "operators", ()) if isinstance(op, SimNeurons)]
        self.operators = [
            (op, op.neurons) for op in found if isinstance(op.neurons, AdaptiveSpiking)
        ]

    def set(self, m_f: float) -> None:
        """Change the precision of the simulator's neurons, if there are any."""
        if self.operators and m_f != self.m_f:
            for operator, neurons in self.operators:
                operator.neurons = neurons.at_precision(m_f)
            self.m_f = m_f


class Aroused:
    """A node's function that makes neurons precise for inputs that are hard to classify.

    Its input is the readout, and its output the precision m_f in use.

    Parameters
    ----------
    how : nengo_phasor.arousal.Arousal
        The fitted arousal.
    precision : Precision
    seconds : float
        The time for which an input is shown, in seconds.
    dt : float
        The time step, in seconds.
    """

    def __init__(self, how: Arousal, precision: Precision, seconds: float, dt: float):
        self.how, self.precision, self.dt = how, precision, dt
        self.n_steps = round(seconds / dt)
        self.outputs: list[np.ndarray] = []

    def __call__(self, t, x):
        step = (round(t / self.dt) - 1) % self.n_steps
        if step == 0:
            self.outputs = []
            self.precision.set(self.how.low)
        self.outputs.append(np.array(x))
        decides = len(self.outputs) == self.how.steps(self.dt)[1] == step + 1
        if decides and self.how.uncertain([self.outputs], self.dt)[0]:
            self.precision.set(self.how.high)
        return self.precision.m_f

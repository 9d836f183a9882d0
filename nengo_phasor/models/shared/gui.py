"""What models share that only Nengo GUI needs: their start, precision that changes, plots."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons

from nengo_phasor import AdaptiveSpiking, extras
from nengo_phasor.arousal import Arousal

LEAD = 0.25
"""By how much a network's highest output must exceed the others for its class to be named."""


def starter(network: nengo.Network) -> Callable:
    """Return a door's ``on_start``, which Nengo GUI calls with each new simulator of a network.

    It has the linear algebra library use a single thread. Products as small as those of one step
    gain little from more, which wait for each other actively, while the other processor draws in
    the browser: with them the digits ran at less than a tenth of real time.
    """
    threads = extras.require("threadpoolctl")

    def on_start(simulator):
        threads.threadpool_limits(1, "blas")
        if hasattr(network, "precision"):
            network.precision.start(simulator)

    return on_start


def keep_on_host(network: nengo.Network, ensemble: nengo.Ensemble) -> None:
    """Keep a layer whose inputs are currents off the chip, where nengo-loihi is installed.

    It sends spikes to the chip. nengo-loihi sends currents there as spikes of neurons of its own,
    which are too few to tell what a trained network has to know.
    """
    if importlib.util.find_spec("nengo_loihi"):
        import nengo_loihi

        nengo_loihi.add_params(network)
        network.config[ensemble].on_chip = False


class Passing(nengo.neurons.NeuronType):
    """Neurons that send what they receive, spikes as a rule, in the same time step."""

    spiking = True

    def step(self, dt, J, output):
        """Send it."""
        output[...] = J


def spikes(network: nengo.Network, source, label: str) -> nengo.Ensemble:
    """Add to a network what Nengo GUI can draw as a raster: of the spikes that come from a source.

    Nengo GUI draws those of an ensemble alone, by its name. These may be of a relay behind a
    sparsifier, and the plot has a name of its own.

    Parameters
    ----------
    network : nengo.Network
    source : nengo.Node or nengo.ensemble.Neurons
    label : str
        The plot's title.

    Returns
    -------
    nengo.Ensemble
        As many neurons, which send the same, on the host.
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
    """Name the last hidden layer, ``dense``, and add ``spikes`` for its raster."""
    network.dense.label = "dense1: voltages"
    network.spikes = spikes(network, network.dense.neurons, "dense1: spikes")


def classes_in_turn(labels, n_classes: int, seconds: float) -> nengo.Node:
    """Make a node in the current network that gives the class of each input in turn, one-hot."""
    shown = nengo.processes.PresentInput(np.eye(n_classes)[np.asarray(labels)], seconds)
    return nengo.Node(shown, label="true classes")


class Precision:
    """The precision of all adaptive neurons of a running `nengo.Simulator`.

    m_f, theta_0 and the spikes' height change together, as in `convert.adaptive.Converted`; the
    neurons' states are kept. Other simulators keep the precision that they were built with.

    Attributes
    ----------
    m_f : float
        The one in use.
    """

    def __init__(self, m_f: float):
        self.m_f = m_f
        self.operators: list[tuple[SimNeurons, AdaptiveSpiking]] = []

    def start(self, sim) -> None:
        """Take hold of a simulator's neurons: Nengo GUI's ``on_start`` of a model's file."""
        found = [op for op in getattr(sim.model, "operators", ()) if isinstance(op, SimNeurons)]
        self.operators = [
            (op, op.neurons) for op in found if isinstance(op.neurons, AdaptiveSpiking)
        ]

    def set(self, m_f: float) -> None:
        """Change the precision, if there are neurons to be changed."""
        if self.operators and m_f != self.m_f:
            for operator, neurons in self.operators:
                operator.neurons = neurons.at_precision(m_f)
            self.m_f = m_f


class Aroused:
    """A node's function: makes neurons precise for those inputs that are hard to tell apart.

    It takes the read-out, and gives the precision m_f in use.

    Parameters
    ----------
    how : nengo_phasor.arousal.Arousal
        Fitted.
    precision : Precision
    seconds : float
        For how long an input is shown.
    dt : float
        The time step.
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

"""The paper's single-layer network, and the deep networks made from it."""

from __future__ import annotations

from typing import NamedTuple

import nengo
import numpy as np

import nengo_phasor
from nengo_phasor import SurrogateLIF, convert

N_IN, N = 4, 32
K = 100.0
"""The highest firing rate of X, in Hz."""

DT, SECONDS = 0.0001, 2.0
TAU = 0.02
"""The time constant of the alpha filter at the output, in seconds."""

PERIOD = np.pi / 2
"""The period of the input, in seconds."""


class Variant(NamedTuple):
    """A variant of the network: how neurons are reset, and the synapses between them."""

    reset: str
    synapse: nengo.synapses.Synapse | None
    title: str

    @property
    def neurons(self) -> SurrogateLIF:
        """Return integrate-and-fire neurons with this reset."""
        return SurrogateLIF(tau_rc=None, reset=self.reset)


VARIANTS = {
    "zero": Variant("zero", None, "reset to zero"),
    "subtract": Variant("subtract", None, "reset by subtraction"),
    "alpha": Variant("zero", nengo.Alpha(0.005), "reset to zero, spikes spread by 5 ms"),
}

PATHWAYS = {
    "plu, biases": {"method": "plu", "negatives": "biases"},
    "plu, pairs": {"method": "plu", "negatives": "pairs"},
    "qr, biases": {"method": "qr", "negatives": "biases"},
    "svd, biases": {"method": "svd", "negatives": "biases"},
    "nmf": {"method": "nmf"},
}
"""Options of `convert.deepen`, by name. The claims are about `CLAIMED`."""

CLAIMED = "plu, biases"


def signal(t: float) -> np.ndarray:
    """Return the input at time t, equation (13)."""
    return (1 + np.sin(4 * t - np.arange(N_IN))) / 2


def network(seed: int, variant: Variant) -> nengo.Network:
    """Return the single-layer network.

    ``signal`` is the input, and ``weights`` is the connection to factorise. ``inputs`` and
    ``output`` are probes of X and Y behind an alpha filter; ``spikes`` probes X itself. ``whole``
    is the product of all weights.
    """
    rng = np.random.RandomState(seed)
    w_a, w_b = rng.uniform(size=(N, N_IN)), rng.uniform(size=(1, N))

    def population(n, label):
        return nengo.Ensemble(
            n, 1, neuron_type=variant.neurons, gain=np.ones(n), bias=np.zeros(n), label=label
        )

    with nengo.Network(label="single layer", seed=seed) as net:
        net.signal = nengo.Node(signal, label="signal")
        x, a, y = (population(n, name) for n, name in ((N_IN, "X"), (N, "A"), (1, "Y")))
        nengo.Connection(net.signal, x.neurons, transform=K, synapse=None)
        net.weights = nengo.Connection(
            x.neurons, a.neurons, transform=w_a, synapse=variant.synapse, label="W_A"
        )
        nengo.Connection(a.neurons, y.neurons, transform=w_b, synapse=variant.synapse, label="W_B")
        net.whole = K * w_b @ w_a
        net.spikes = nengo.Probe(x.neurons)
        net.inputs = nengo.Probe(x.neurons, synapse=nengo.Alpha(TAU))
        net.output = nengo.Probe(y.neurons, synapse=nengo.Alpha(TAU))
    return net


def deepened(net: nengo.Network, variant: Variant, pathway: str):
    """Deepen the network; return the result of `convert.deepen`."""
    return convert.deepen(
        net,
        net.weights,
        max_input=K,
        neuron_type=variant.neurons,
        synapse=variant.synapse,
        **PATHWAYS[pathway],
    )


def run(net: nengo.Network, *probes: nengo.Probe) -> list[np.ndarray]:
    """Run the network; return the data of the probes, (n_steps, n) each."""
    with nengo_phasor.layerwise.Simulator(
        net, dt=DT, minibatch_size=None, progress_bar=False
    ) as sim:
        sim.run(SECONDS)
        return [sim.data[probe] for probe in probes]

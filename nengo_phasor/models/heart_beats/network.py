"""The recurrent network: events, hidden spiking neurons, and leaky outputs of six waves."""

from __future__ import annotations

from collections.abc import Mapping

import nengo
import numpy as np

from nengo_phasor import layerwise
from nengo_phasor.models.heart_beats.designs import AMPLITUDE, Design

DT = 0.001
CHANNELS, CLASSES = 4, 6
TAU = 0.02
"""The time constant of the outputs, in seconds."""


def start(design: Design, seed: int) -> dict[str, np.ndarray]:
    """Return the first weights, uniform as published (Glorot and Bengio 2010)."""
    rng, n = np.random.RandomState(seed), design.hidden
    inside = np.sqrt(6.0 / (CHANNELS + 2 * n))
    outside = np.sqrt(6.0 / (n + CLASSES))
    return {
        "input": rng.uniform(-inside, inside, (n, CHANNELS)),
        "recurrent": rng.uniform(-inside, inside, (n, n)),
        "output": rng.uniform(-outside, outside, (CLASSES, n)),
    }


def network(
    design: Design,
    params: Mapping[str, np.ndarray],
    seed: int = 0,
    amplitude: float = AMPLITUDE,
) -> nengo.Network:
    """Return a network of a design, which trains its weights and the design's parameters.

    Parameters
    ----------
    design : Design
        The design.
    params : mapping
        The weights "input" (n, 4), "recurrent" (n, n) and "output" (6, n), and the values of
        neuron parameters that were trained, by name.
    seed : int
        The seed of the neuron parameters that are not in ``params``.
    amplitude : float
        The amplitude of spikes. Weights are scaled such that it changes no spike's effect.

    Returns
    -------
    nengo.Network
        With the node ``events``, the ensemble ``hidden``, the node ``waves``, the probes ``spikes``
        and ``logits``, and ``links``, the connections whose weights train, by name.
    """
    neurons, n = design.neurons(amplitude), design.hidden
    own = {name: params[name] for name in design.units if name in params}
    if own:
        neurons = neurons.with_values(**own)
    scale = AMPLITUDE / amplitude
    with nengo.Network(label="heart beats", seed=seed) as net:
        net.events = nengo.Node(np.zeros(CHANNELS), label="events")
        net.sent = nengo.Node(size_in=CHANNELS, label="spikes of events")
        net.hidden = nengo.Ensemble(
            n, 1, neuron_type=neurons, gain=np.ones(n), bias=np.zeros(n), label="hidden"
        )
        net.received = nengo.Node(size_in=CLASSES, label="weighted spikes")
        net.waves = nengo.Node(size_in=CLASSES, label="waves")
        nengo.Connection(net.events, net.sent, transform=amplitude / DT, synapse=None)
        hidden = net.hidden.neurons
        net.links = {
            "input": nengo.Connection(
                net.sent, hidden, transform=scale * params["input"], synapse=None
            ),
            "recurrent": nengo.Connection(
                hidden, hidden, transform=scale * params["recurrent"], synapse=nengo.Lowpass(0)
            ),
            "output": nengo.Connection(
                hidden, net.received, transform=params["output"], synapse=None
            ),
        }
        nengo.Connection(
            net.received, net.waves, transform=DT / amplitude, synapse=nengo.Lowpass(TAU)
        )
        net.spikes, net.logits = nengo.Probe(hidden), nengo.Probe(net.waves)
        layerwise.configure_settings(trainable=False)
        for link in net.links.values():
            net.config[link].trainable = True
        net.config[net.hidden].neuron_parameters = design.units
    return net


def trained(sim, net: nengo.Network, design: Design) -> dict[str, np.ndarray]:
    """Return the parameters of a network in a simulator, in the form that `network` takes."""
    weights = {name: sim.data[link].weights for name, link in net.links.items()}
    neurons = sim.data[net.hidden.neurons] if design.units else None
    return {**weights, **{name: getattr(neurons, name) for name in design.units}}


def size(params: Mapping[str, np.ndarray]) -> int:
    """Return the number of trained parameters."""
    return sum(np.size(array) for array in params.values())

"""Networks whose neurons code precisely at one place of the image: `.Converted.focused`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import nengo
import numpy as np
from numpy.typing import NDArray

INSIDE, AROUND = "inside", "around"
"""The parts of a layer, which are named after it and these."""


def split(network: nengo.Network, name: str, inside: NDArray, neurons: Sequence) -> None:
    """Put the neurons of a layer into two ensembles, without changing what they send.

    Relays, which delay nothing, take the place of the layer in its connections.

    Parameters
    ----------
    network : nengo.Network
        The network, whose ``layers`` have the ensembles by name.
    name : str
        The name of the layer.
    inside : (n_neurons,) ndarray of bool
        Which neurons are in the first ensemble.
    neurons : (nengo.neurons.NeuronType, nengo.neurons.NeuronType)
        The neurons of the first and of the second ensemble.
    """
    layer = network.layers[name]
    with network:
        before, after = (
            nengo.Node(size_in=layer.n_neurons, label=f"{name}, {way}") for way in ("in", "out")
        )
        parts = {
            f"{name}, {part}": _part(layer, np.flatnonzero(chosen), kind, f"{name}, {part}")
            for part, chosen, kind in zip((INSIDE, AROUND), (inside, ~inside), neurons, strict=True)
        }
        for ensemble, places in parts.values():
            nengo.Connection(before[places], ensemble.neurons, synapse=None)
            nengo.Connection(ensemble.neurons, after[places], synapse=None)
        for connection in [c for c in network.connections if layer.neurons in _ends(c)]:
            _rewire(connection, layer.neurons, before, after)
            network.connections.remove(connection)
    network.ensembles.remove(layer)
    network.layers = _replaced(network.layers, name, {k: e for k, (e, _) in parts.items()})


def _part(layer, chosen, neurons, label):
    """Return an ensemble of some of a layer's neurons, and their numbers in the layer."""
    ensemble = nengo.Ensemble(
        len(chosen),
        1,
        gain=layer.gain[chosen],
        bias=layer.bias[chosen],
        neuron_type=neurons,
        label=label,
    )
    return ensemble, chosen.tolist()


def _ends(connection):
    """Return the objects that a connection connects."""
    return connection.pre_obj, connection.post_obj


def _rewire(connection, neurons, before, after):
    """Create a connection like another one, from and to the relays instead of the neurons."""
    pre, post = connection.pre, connection.post
    if connection.pre_obj == neurons:
        pre = after[connection.pre_slice]
    if connection.post_obj == neurons:
        post = before[connection.post_slice]
    nengo.Connection(
        pre,
        post,
        transform=connection.transform,
        synapse=connection.synapse,
        label=connection.label,
    )


def _replaced(layers: Mapping, name: str, parts: Mapping) -> dict:
    """Return the layers with others in the place of one."""
    return {
        key: ensemble
        for old, e in layers.items()
        for key, ensemble in (parts.items() if old == name else ((old, e),))
    }

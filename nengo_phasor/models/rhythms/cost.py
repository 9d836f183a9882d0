"""The cost of an answer of the classifier: synaptic operations, and their energy on a chip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import nengo

from nengo_phasor import convert, energy
from nengo_phasor.models.rhythms.network import CYCLES, DT, FREQUENCY, phase_network

DEVICE = "loihi"
REMOVED = 0.6
"""The fraction of spikes at which sparsifiers are compared."""


class Cost(NamedTuple):
    """The cost of one image.

    Attributes
    ----------
    output : float
        The number of synaptic operations that the hidden layer's spikes cause.
    rest : float
        The number of all other synaptic operations, caused by the input, which is not sparsified.
    updates : float
        The number of neuron updates.
    """

    output: float
    rest: float
    updates: float

    @property
    def output_joules(self) -> float:
        """Return the energy of the operations that the hidden layer's spikes cause, in joules."""
        return float(energy.energy({"synapse": self.output}, DEVICE).total)

    @property
    def joules(self) -> float:
        """Return the energy of the whole image, in joules."""
        operations = {"synapse": self.output + self.rest, "update": self.updates}
        return float(energy.energy(operations, DEVICE).total)


def nearest(curve: list[Mapping], removed: float = REMOVED) -> Mapping:
    """Return the point of a curve whose fraction of removed spikes is closest to ``removed``."""
    return min(curve, key=lambda point: abs(point["removed"] - removed))


def cost(point: Mapping, assumed: bool) -> Cost:
    """Return the cost of an image at a point of a curve.

    Parameters
    ----------
    point : dict
        The point, as returned by `.sweep.sweep`.
    assumed : bool
        Whether the receiver assumes missing spikes at the reference. In each cycle it then adds one
        spike through the sums of all weights, and cancels it for each spike that does arrive: two
        operations per weight instead of one.
    """
    net = phase_network()
    twin, new = convert.to_spiking(net)
    fan_out = energy.fan_out(twin)
    hidden = fan_out[new[net.classifier.layers[0].units]]
    output = point["hidden_spikes"] * hidden.mean()
    if assumed:
        output = 2 * output + CYCLES * hidden.max()
    references = [ens for ens in fan_out if isinstance(ens, nengo.Node) and ens.size_in == 0]
    rest = CYCLES * sum(fan_out[node].sum() for node in references)
    updates = energy.neuron_updates(twin, round(CYCLES / (FREQUENCY * DT)))
    return Cost(float(output), float(rest), updates)

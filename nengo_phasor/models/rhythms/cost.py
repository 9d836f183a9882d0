"""What an answer of the classifier costs: synaptic operations, and their energy on a chip."""

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
    """What one image costs.

    Attributes
    ----------
    output : float
        Synaptic operations that the hidden layer's spikes cause.
    rest : float
        All other synaptic operations: of the input, which is not sparsified.
    updates : float
        Neuron updates.
    """

    output: float
    rest: float
    updates: float

    @property
    def output_joules(self) -> float:
        """Energy of the operations that the hidden layer's spikes cause."""
        return float(energy.energy({"synapse": self.output}, DEVICE).total)

    @property
    def joules(self) -> float:
        """Energy of the whole image."""
        operations = {"synapse": self.output + self.rest, "update": self.updates}
        return float(energy.energy(operations, DEVICE).total)


def nearest(curve: list[Mapping], removed: float = REMOVED) -> Mapping:
    """Return the point of a curve that removes most nearly a given fraction of the spikes."""
    return min(curve, key=lambda point: abs(point["removed"] - removed))


def cost(point: Mapping, assumed: bool) -> Cost:
    """Return what an image costs at a point of a curve.

    Parameters
    ----------
    point : dict
        As `.sweep.sweep` returns it.
    assumed : bool
        Whether the receiver assumes missing spikes at the reference. It then adds one spike
        through the sums of all weights in each cycle, and takes it back for each spike that does
        arrive: two operations a weight in place of one.
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

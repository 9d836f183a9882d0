"""What a network takes of the chip, and what running it costs there.

Cores, axons and synapse memory are nengo-loihi's own account; operations are counted by our
emulator while it runs, in the terms of `.energy`.
"""

from __future__ import annotations

from typing import NamedTuple

from nengo.exceptions import ValidationError
from nengo_loihi import Simulator

from nengo_phasor.loihi.emulator import EmulatorInterface


class Resources(NamedTuple):
    """What a network takes of the chip.

    Attributes
    ----------
    cores : int
        Neuron cores: one for each block.
    compartments, in_axons, out_axons : int
        Their numbers, in all cores.
    synapse_bits : int
        Memory of all synapses.
    """

    cores: int
    compartments: int
    in_axons: int
    out_axons: int
    synapse_bits: int


def resources(sim: Simulator) -> Resources:
    """Return what a simulator's network takes of the chip."""
    used = [block.utilization() for block in sim.model.blocks]
    kinds = ("compartments", "in-axons", "out-axons", "synapses")
    return Resources(len(used), *(int(sum(u[kind][0] for u in used)) for kind in kinds))


class Operations(NamedTuple):
    """What was done on the chip since the simulator's start or last reset.

    Attributes
    ----------
    spikes : int
        Spikes of the neurons on the chip.
    received : int
        Spikes that came from the host.
    synapse : int
        Spikes that reached a neuron through a weight.
    update : int
        Neurons advanced by a time step.
    """

    spikes: int
    received: int
    synapse: int
    update: int


def operations(sim: Simulator) -> Operations:
    """Return what our emulator has counted.

    Raises
    ------
    nengo.exceptions.ValidationError
        If another emulator ran.
    """
    emulator = sim.sims.get("emulator")
    if not isinstance(emulator, EmulatorInterface):
        raise ValidationError(
            "runs on nengo-loihi's own emulator, which counts no operations: make it with "
            "nengo_phasor.loihi.emulator.Simulator",
            "sim",
        )
    return Operations(
        int(emulator.compartment.spike_count.sum(dtype=int)),
        emulator.synapses.received,
        emulator.synapses.operations,
        emulator.compartment.n_compartments * emulator.t,
    )

"""The resources of the chip that a network needs, and the operations of running it.

The numbers of cores and axons and the synapse memory are those reported by nengo-loihi. Operations
are counted by our emulator while it runs, in the terms of `nengo_phasor.energy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from nengo.exceptions import ValidationError
from nengo_loihi import Simulator
from nengo_loihi.block import LoihiBlock

from nengo_phasor.listing import shows_public_names
from nengo_phasor.loihi.emulator import EmulatorInterface

__dir__ = shows_public_names(__name__)


class Resources(NamedTuple):
    """The resources of the chip that a network needs.

    Attributes
    ----------
    cores : int
        The number of neuron cores, of which each block needs one.
    compartments, in_axons, out_axons : int
        The numbers of compartments and of input and output axons in all cores.
    synapse_bits : int
        The memory of all synapses, in bits.
    """

    cores: int
    compartments: int
    in_axons: int
    out_axons: int
    synapse_bits: int


def resources(sim: Simulator) -> Resources:
    """Return the resources of the chip that a simulator's network needs."""
    used = [block.utilization() for block in sim.model.blocks]
    kinds = ("compartments", "in-axons", "out-axons", "synapses")
    return Resources(len(used), *(int(sum(u[kind][0] for u in used)) for kind in kinds))


class Operations(NamedTuple):
    """The operations of the chip since the simulator's start or last reset.

    Attributes
    ----------
    spikes : int
        The number of spikes of the neurons on the chip.
    received : int
        The number of spikes received from the host.
    synapse : int
        The number of times that a spike reached a neuron through a weight.
    update : int
        The number of times that a neuron was advanced by a time step.
    synapse_by_block : dict of {nengo_loihi.block.LoihiBlock: int}
        The part of ``synapse`` for each block, by the neurons that were reached.
    """

    spikes: int
    received: int
    synapse: int
    update: int
    synapse_by_block: Mapping[LoihiBlock, int]


def operations(sim: Simulator) -> Operations:
    """Return the operations that our emulator has counted.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the simulator uses another emulator.
    """
    emulator = sim.sims.get("emulator")
    if not isinstance(emulator, EmulatorInterface):
        raise ValidationError(
            "runs on nengo-loihi's own emulator, which does not count operations: create it with "
            "nengo_phasor.loihi.emulator.Simulator",
            "sim",
        )
    by_block = dict.fromkeys(sim.model.blocks, 0)
    for synapse, number in emulator.synapses.operations.items():
        by_block[emulator.synapses.block_map[synapse]] += number
    return Operations(
        int(emulator.compartment.spike_count.sum(dtype=int)),
        emulator.synapses.received,
        sum(by_block.values()),
        emulator.compartment.n_compartments * emulator.t,
        by_block,
    )

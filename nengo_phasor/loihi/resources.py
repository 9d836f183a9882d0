"""What a network takes of the chip, and what running it costs there.

Cores, axons and synapse memory are nengo-loihi's own account; operations are counted by our
emulator while it runs, in the terms of `nengo_phasor.energy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from nengo.exceptions import ValidationError
from nengo_loihi import Simulator
from nengo_loihi.block import LoihiBlock

from nengo_phasor.listing import public_names
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
    synapse_by_block : dict of {nengo_loihi.block.LoihiBlock: int}
        ``synapse``, by the block of the neurons that were reached.
    """

    spikes: int
    received: int
    synapse: int
    update: int
    synapse_by_block: Mapping[LoihiBlock, int]


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


def __dir__():
    return public_names(__name__)

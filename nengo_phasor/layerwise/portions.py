"""How many items and steps `.layerwise` runs at once, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Mapping

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_phasor.checks import machine_memory
from nengo_phasor.synapses import SpikeSynapse

CHUNK_BYTES = 2**26
"""Size aimed at for the largest array of a chunk of items; each thread has a few of these."""

BLOCK_BYTES = 12 * 2**20
"""The same where a window can be cut into blocks of time: what allocators still use again."""

MIN_SHARE = 16
"""Fewest items worth a thread: with smaller arrays, threads wait for each other's Python."""


def portions(
    step_bytes: int, n_steps: int, n_items: int, threads: int, in_blocks: bool
) -> tuple[int, int]:
    """Return how many items run at once, and how many steps of them.

    ``step_bytes`` is the size of one item's largest array in one step; ``in_blocks`` says whether a
    window can be cut into blocks of time.
    """
    share = max(MIN_SHARE, -(-n_items // threads))
    most = BLOCK_BYTES if in_blocks else CHUNK_BYTES
    size = max(1, min(most // (n_steps * step_bytes), share))
    block = max(1, min(most // (size * step_bytes), n_steps)) if in_blocks else n_steps
    return size, block


def width(network: nengo.Network, incoming: Mapping, data: Mapping) -> int:
    """Return the width of the widest signal that is dense over the whole window."""
    changing = (n for n in network.all_nodes if not isinstance(n.output, np.ndarray | type(None)))
    sums = (n for n in network.all_nodes if len(incoming[n]) > 1)
    filters = (
        c
        for c in network.all_connections
        if c.synapse is not None and not isinstance(c.synapse, SpikeSynapse)
    )
    widths = [
        1,
        *(e.n_neurons for e in network.all_ensembles),
        *(max(x.size_in, x.size_out) for x in (*changing, *sums, *filters)),
        *(x.shape[2] for x in data.values() if x.shape[1] > 1),
    ]
    return max(widths)


def check_memory(n_bytes: int, n_steps: int) -> None:
    """Refuse a window that can't be held, before memory is taken."""
    there = machine_memory()
    if n_bytes > there:
        raise ValidationError(
            f"is too much: {n_steps} steps need {n_bytes / 2**30:.3g} GB, and there are "
            f"{there / 2**30:.3g}. Run fewer steps or items at a time, or let probes sample",
            attr="n_steps",
        )

"""The numbers of items and steps that `.layerwise` runs at once, which bound its memory."""

from __future__ import annotations

from collections.abc import Mapping

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_phasor.checks import machine_memory
from nengo_phasor.synapses import SpikeSynapse

CHUNK_BYTES = 2**26
"""The target size of the largest array of a chunk of items, of which each thread has a few."""

BLOCK_BYTES = 12 * 2**20
"""The same where a window can be cut into blocks of time: what allocators still use again."""

MIN_SHARE = 16
"""The least number of items for a thread: with fewer, threads wait for each other's Python code."""


def portions(
    step_bytes: int, n_steps: int, n_items: int, threads: int, in_blocks: bool
) -> tuple[int, int]:
    """Return the number of items that run at once, and the number of steps in a block.

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
    """Check that a window fits into memory, before it is allocated."""
    there = machine_memory()
    if n_bytes > there:
        raise ValidationError(
            f"is too large: {n_steps} steps need {n_bytes / 2**30:.3g} GB, but this machine has "
            f"{there / 2**30:.3g} GB. Run fewer steps or items at a time, or set sample_every of "
            "probes",
            attr="n_steps",
        )

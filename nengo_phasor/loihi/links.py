"""Delivery of spikes through tables of weights, for several cores at once.

nengo-loihi splits a layer over cores, each with its own axon and weights. If the weights are dense
tables of integers, which may be added in any order, the tables of neighbouring cores are merged
here, and so are neighbouring cores whose spikes use the same table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from nengo_loihi.block import Axon, Synapse


class Link:
    """The weights from a source to neighbouring compartments.

    Parameters
    ----------
    rows : (n_source,) ndarray of int
        The row of the table for each of the source's neurons.
    table : (n_rows, n_compartments) ndarray of int
        The input that one spike adds.
    where : slice
        The places of the compartments among all compartments.
    synapses : tuple of nengo_loihi.block.Synapse
        The synapses whose weights are in the table.

    Attributes
    ----------
    n_spikes : int
        The number of spikes so far.
    """

    def __init__(self, rows, table, where, synapses):
        self.rows, self.table, self.where, self.synapses = rows, table, where, synapses
        self.in_order = np.array_equal(rows, np.arange(len(rows)))
        self.n_spikes = 0

    def add(self, now: np.ndarray, fired: np.ndarray) -> None:
        """Add the weights of the neurons that fired to the compartments' input, in place."""
        self.n_spikes += len(fired)
        brought = self.table.take(fired if self.in_order else self.rows[fired], axis=0)
        now[self.where] += np.add.reduce(brought, axis=0, dtype=now.dtype)

    def beside(self, other: Link) -> Link:
        """Return one link to the compartments of both links."""
        return Link(
            self.rows,
            np.hstack([self.table, other.table]),
            slice(self.where.start, other.where.stop),
            (*self.synapses, *other.synapses),
        )

    def goes_on_in(self, other: Link) -> bool:
        """Return whether another link of the source reaches the next compartments by equal rows."""
        return self.where.stop == other.where.start and np.array_equal(self.rows, other.rows)

    def shares_with(self, other: Link) -> bool:
        """Return whether another source has the same table and compartments."""
        return self.table is other.table and self.where == other.where


def links(
    axons: Iterable[Axon], fans: Mapping[Synapse, Any], slices: Mapping[Synapse, slice], n: int
) -> list[Link]:
    """Return the links that replace the axons of a source with n neurons.

    ``fans`` has a `.delivery.Fan` with a dense table for each synapse that the axons lead to, and
    ``slices`` has the compartments of its core.
    """
    found: list[Link] = []
    for axon in sorted(axons, key=lambda axon: slices[axon.target].start):
        fan, start = fans[axon.target], slices[axon.target].start
        atoms = 0 if axon.compartment_atoms is None else axon.compartment_atoms
        rows = fan.first_rows[axon.map_axon(np.arange(n))] + atoms
        where = slice(start, start + fan.table.shape[1])
        new = Link(rows, fan.table, where, (axon.target,))
        if found and found[-1].goes_on_in(new):
            found[-1] = found[-1].beside(new)
        else:
            found.append(new)
    return found


def joined(sources: Iterable[tuple[slice, list[Link]]]) -> list[tuple[slice, list[Link]]]:
    """Return the sources with their places and links; neighbours that share links are merged."""
    found: list[tuple[slice, list[Link]]] = []
    for where, own in sources:
        before, others = found[-1] if found else (slice(0, -1), [])
        if before.stop == where.start and len(own) == len(others) == 1:
            (a,), (b,) = others, own
            if a.shares_with(b):
                rows = np.concatenate([a.rows, b.rows])
                both = Link(rows, a.table, a.where, a.synapses)
                found[-1] = slice(before.start, where.stop), [both]
                continue
        found.append((where, own))
    return found

"""Spikes through tables of weights: of all cores at once that spikes of one source reach alike.

nengo-loihi splits a layer over cores, each with an axon and weights of its own. Where these are
dense tables of whole numbers, which may be added in any order, the tables of neighbouring cores are
one here, and so are neighbouring cores whose spikes go through one table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from nengo_loihi.block import Axon, Synapse


class Link:
    """What the spikes of a source bring to neighbouring compartments.

    Parameters
    ----------
    rows : (n_source,) ndarray of int
        Of the table, for each of the source's neurons.
    table : (n_rows, n_compartments) ndarray of int
        What one spike brings.
    where : slice
        Of the compartments, among all.
    synapses : tuple of nengo_loihi.block.Synapse
        Whose weights the table has.

    Attributes
    ----------
    n_spikes : int
        How many spikes have come.
    """

    def __init__(self, rows, table, where, synapses):
        self.rows, self.table, self.where, self.synapses = rows, table, where, synapses
        self.in_order = np.array_equal(rows, np.arange(len(rows)))
        self.n_spikes = 0

    def add(self, now: np.ndarray, fired: np.ndarray) -> None:
        """Add to the compartments' input, in place, what the source's neurons that fired bring."""
        self.n_spikes += len(fired)
        brought = self.table.take(fired if self.in_order else self.rows[fired], axis=0)
        now[self.where] += np.add.reduce(brought, axis=0, dtype=now.dtype)

    def beside(self, other: Link) -> Link:
        """Return the link to this one's compartments and those of the next."""
        return Link(
            self.rows,
            np.hstack([self.table, other.table]),
            slice(self.where.start, other.where.stop),
            (*self.synapses, *other.synapses),
        )

    def goes_on_in(self, other: Link) -> bool:
        """Return whether another link of the same source reaches the next compartments alike."""
        return self.where.stop == other.where.start and np.array_equal(self.rows, other.rows)

    def shares_with(self, other: Link) -> bool:
        """Return whether the spikes of another source bring what these bring."""
        return self.table is other.table and self.where == other.where


def links(
    axons: Iterable[Axon], fans: Mapping[Synapse, Any], slices: Mapping[Synapse, slice], n: int
) -> list[Link]:
    """Return the links that do what the axons of a source with n neurons do.

    ``fans`` has a `.delivery.Fan` with a dense table for each synapse that they lead to, ``slices``
    the compartments of its core.
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
    """Return the sources, each with its place and its links; neighbours that share them are one."""
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

"""Checks of the data that users give `.layerwise` as outputs of nodes."""

from __future__ import annotations

from collections.abc import Mapping

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_phasor.checks import warn_outside
from nengo_phasor.wiring import (
    takers_of_phases,
    takers_of_phasors,
    takers_of_spikes,
    warn_unencoded,
)


class Feeding:
    """The nodes of a network that take data, and the requirements on these data.

    Parameters
    ----------
    network : nengo.Network
        The network.
    dtype : numpy.dtype
        The type to which the data are converted.
    may_be_missing : set of nengo.Node
        The nodes whose data may contain NaN.
    """

    def __init__(self, network: nengo.Network, dtype: np.dtype, may_be_missing: set):
        self.nodes = {node for node in network.all_nodes if not node.size_in}
        self.dtype = dtype
        self.may_be_missing = may_be_missing
        self.phases = takers_of_phases(network)
        self.spikes = takers_of_spikes(network)
        self.phasors = takers_of_phasors(network)

    def arrays(self, data: Mapping, one_item: bool = False) -> dict[nengo.Node, np.ndarray]:
        """Return the data as arrays, after checking that the network can take them.

        The data of one item may lack the axis of items.
        """
        if not isinstance(data, Mapping):
            raise _error(f"must be {{node: array}}, got a {type(data).__name__}")
        arrays = {node: np.asarray(x) for node, x in data.items()}
        if one_item:
            arrays = {node: x[None] if x.ndim == 2 else x for node, x in arrays.items()}
        for node, x in arrays.items():
            self._check(node, x)
        return arrays

    def batch(self, data: Mapping) -> tuple[dict[nengo.Node, np.ndarray], int]:
        """Return the data as arrays, and their number of items."""
        arrays = self.arrays(data)
        if not arrays:
            raise _error("is empty: use run for a network without data")
        return arrays, len(next(iter(arrays.values())))

    def check_window(self, arrays: dict[nengo.Node, np.ndarray], n_steps: int, n_items: int):
        """Check the numbers of steps and items of the data."""
        for node, x in arrays.items():
            if len(x) != n_items or x.shape[1] not in (1, n_steps):
                raise _error(
                    f"for {node} have {len(x)} items of {x.shape[1]} steps; needs {n_items} "
                    f"(minibatch_size, in a run) of {n_steps}, or of 1 for a constant"
                )

    def _check(self, node, x):
        if node not in self.nodes:
            raise _error(f"{node} takes no data: give data to a node without input")
        if x.ndim != 3 or x.shape[2] != node.size_out:
            is_half = node in self.phasors and x.shape[-1:] == (node.size_out // 2,)
            remedy = ": give phasors, nengo_phasor.phases.to_rows(phases)" if is_half else ""
            raise _error(
                f"for {node} have shape {x.shape}, but need (n_items, n_steps or 1, "
                f"{node.size_out}){remedy}"
            )
        if not np.can_cast(x.dtype, self.dtype, "same_kind"):
            raise _error(f"for {node} have type {x.dtype}; needs real numbers")
        wrong = np.isinf(x) if node in self.may_be_missing else ~np.isfinite(x)
        if wrong.any():
            item, step, place = np.argwhere(wrong)[0]
            raise _error(
                f"for {node} have {x[item, step, place]} in item {item}, step {step}, place "
                f"{place}; needs finite numbers"
            )
        if node in self.phases:
            warn_outside(x, f"data for {node}")
        if node in self.spikes and x.shape[1] == 1:
            warn_unencoded(x, f"the data for {node}", self.spikes[node])


def _error(message):
    return ValidationError(message, attr="data")

"""The cost of an inference: synaptic operations, neuron updates, and their energy on devices.

A spike costs one synaptic operation for every non-zero weight that it passes on its way to other
neurons. A non-spiking network with the same weights costs one multiply-accumulate for each of them.
``docs/energy.md`` gives the counting rules, the sources of the devices' figures, and what is not
counted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.dists import Distribution
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError, ValidationError
from nengo.transforms import NoTransform, SparseMatrix
from numpy.typing import ArrayLike, NDArray

from nengo_phasor import convolutions
from nengo_phasor.checks import (
    check_array,
    check_is,
    check_items,
    check_number,
    check_positive_integer,
)
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

KINDS = ("synapse", "update", "mac")
"""The kinds of operations."""


class Device(NamedTuple):
    """The energy of one operation of each kind, in joules; None if no figure is published.

    Attributes
    ----------
    synapse : float
        The energy of a synaptic operation, in which a spike reaches a neuron through one weight, in
        joules.
    update : float
        The energy of advancing one neuron by one time step, in joules.
    mac : float
        The energy of a multiply-accumulate of a non-spiking network, in joules.
    source : str
        The source of the figures.
    """

    synapse: float | None
    update: float | None
    mac: float | None
    source: str


DEVICES = {
    "cmos_45nm_float32": Device(0.9e-12, None, 4.6e-12, "Horowitz 2014"),
    "cmos_45nm_int8": Device(0.1e-12, None, 0.3e-12, "Horowitz 2014"),
    "loihi": Device(23.6e-12, 81e-12, None, "Davies et al. 2018, table 2"),
    "truenorth": Device(26e-12, 0.0, None, "Merolla et al. 2014; updates are in the synapses'"),
}


class Energy(NamedTuple):
    """The energy of an inference.

    Attributes
    ----------
    parts : {str: float or ndarray}
        The energy of each kind of operation, in joules.
    unpriced : tuple of str
        The kinds of operations for which the device has no figure; they are not in the parts.
    """

    parts: dict[str, float | NDArray]
    unpriced: tuple[str, ...]

    @property
    def total(self) -> float | NDArray:
        """The sum of the parts, in joules."""
        return sum(self.parts.values())


def energy(operations: Mapping[str, ArrayLike], device: str | Device) -> Energy:
    """Return the energy of operations on a device, in joules.

    Parameters
    ----------
    operations : {str: number or array_like}
        The number of operations of each kind that an inference takes: "synapse"
        (`synaptic_operations`), "update" (`neuron_updates`), "mac" (`multiply_accumulates`). An
        array has one number per item.
    device : str or `Device`
        A key of `DEVICES`, or a device with your own figures.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there is no such device or kind of operation, if the device has no figure for any of the
        kinds, or if a number of operations or a figure of your own device is negative or not
        finite.
    """
    name = device
    check_is(operations, "operations", Mapping)
    device = _device(device)
    if unknown := set(operations) - set(KINDS):
        raise ValidationError(
            f"contain {sorted(map(str, unknown))}, but must be of kinds {', '.join(KINDS)}",
            "operations",
        )
    prices = {kind: getattr(device, kind) for kind in operations}
    unpriced = tuple(kind for kind, price in prices.items() if price is None)
    if len(unpriced) == len(prices):
        raise ValidationError(
            f"of kinds {list(prices)} have no energy figure on {name}: give other kinds or "
            "another device",
            "operations",
        )
    parts = {
        kind: check_array(operations[kind], "operations", low=0) * price
        for kind, price in prices.items()
        if price is not None
    }
    return Energy(parts, unpriced)


def _device(device: str | Device) -> Device:
    """Return a device by its name, or check and return the user's own device."""
    if not isinstance(device, Device):
        if not isinstance(device, str) or device not in DEVICES:
            raise ValidationError(f"must be one of {', '.join(DEVICES)}, got {device!r}", "device")
        return DEVICES[device]
    for price in (device.synapse, device.update, device.mac):
        if price is not None:
            check_number(price, "device", low=0)
    return device


def fan_out(network: nengo.Network, senders: Iterable[nengo.Node] = ()) -> dict:
    """Return how many synaptic operations one spike of each neuron costs.

    A relay (a node without output) costs nothing itself: a spike that passes it costs what it costs
    beyond the relay. Operations are counted where spikes end: at neurons, at nodes that compute,
    such as pooling, and at relays without outgoing connections, such as a read-out.

    Parameters
    ----------
    network : nengo.Network
        The network, whose connections must be from and to neurons and nodes. It need not be built:
        weights given as distributions count as non-zero.
    senders : iterable of nengo.Node
        Relays whose own spikes are counted, such as those after a sparsifier. A spike that reaches
        them costs nothing; a spike that they send does.

    Returns
    -------
    {nengo.Ensemble or nengo.Node: (n,) ndarray of float}
        The number of operations, which is a whole number, for each output of every ensemble and
        node.

    Raises
    ------
    nengo.exceptions.ValidationError
        If a sender is not a node of the network.
    nengo.exceptions.BuildError
        If a connection decodes or encodes values, has a function or a transform that can't be
        counted, or relays are connected in a loop.
    """
    check_is(network, "network", nengo.Network)
    outgoing: dict[Any, list] = {obj: [] for obj in (*network.all_ensembles, *network.all_nodes)}
    senders, found = _senders(senders, network), {}
    for connection in network.all_connections:
        _check_connection(connection)
        outgoing[_vertex(connection.pre_obj)].append(connection)

    def arriving(obj, path):
        """Return the cost of a spike that reaches each input of the object through the path."""
        if not _is_relay(obj) or not outgoing[obj]:
            return np.ones(obj.n_neurons if isinstance(obj, nengo.Ensemble) else obj.size_in)
        return np.zeros(obj.size_in) if obj in senders else leaving(obj, path)

    def leaving(obj, path=()):
        """Return the cost of a spike that leaves each output of the object."""
        if obj in path:
            raise BuildError(
                f"relays in a loop, {' -> '.join(map(str, (*path, obj)))}, have no fan-out: spikes "
                "would circulate for ever"
            )
        if obj not in found:
            size = obj.n_neurons if isinstance(obj, nengo.Ensemble) else obj.size_out
            total = np.zeros(size)
            for connection in outgoing[obj]:
                ends = arriving(_vertex(connection.post_obj), (*path, obj))
                cost = _backwards(connection.transform, ends[connection.post_slice])
                np.add.at(total, connection.pre_slice, cost)
            found[obj] = total
        return found[obj]

    return {obj: leaving(obj) for obj in outgoing}


def synaptic_operations(network: nengo.Network, counts: Mapping[Hashable, ArrayLike]) -> NDArray:
    """Return the number of synaptic operations that spikes cause, for each item.

    Parameters
    ----------
    network : nengo.Network
        The network; see `fan_out` for its requirements.
    counts : {nengo.Ensemble or nengo.Node: (n_items, n) array_like}
        The spike counts of the neurons of every ensemble; see `.metrics.spike_counts`. Nodes that
        send spikes may be included: inputs, and relays after a sparsifier (the ``senders`` of
        `fan_out`).

    Returns
    -------
    (n_items,) ndarray of float

    Raises
    ------
    nengo.exceptions.ValidationError
        If an ensemble is missing, or if counts have the wrong shape, belong to an object outside
        the network, or are negative or not finite.
    nengo.exceptions.BuildError
        For the reasons given in `fan_out`.
    """
    check_is(network, "network", nengo.Network)
    check_is(counts, "counts", Mapping)
    known = {*network.all_ensembles, *network.all_nodes}
    for obj in counts:
        if obj not in known:
            raise ValidationError(
                f"contain {obj}, which is not an ensemble or node of the network", "counts"
            )
    costs = fan_out(network, (obj for obj in counts if isinstance(obj, nengo.Node)))
    for obj in network.all_ensembles:
        if obj not in counts:
            raise ValidationError(
                f"lack {obj}: give its spike counts, or zeros if it has no spikes", "counts"
            )
    layers = {
        obj: check_array(count, f"counts[{obj}]", f"(n_items, {len(costs[obj])})", low=0)
        for obj, count in counts.items()
    }
    check_items("counts", layers.values())
    return np.asarray(sum((layer @ costs[obj] for obj, layer in layers.items()), 0.0))


def neuron_updates(network: nengo.Network, n_steps: int) -> int:
    """Return the number of neuron updates in an inference of ``n_steps`` time steps.

    The inputs of a node that computes, such as pooling, count as neurons, since each holds a value
    that changes in every step.

    Raises
    ------
    nengo.exceptions.ValidationError
        If n_steps is not a positive integer.
    """
    check_is(network, "network", nengo.Network)
    check_positive_integer(n_steps, "n_steps")
    neurons = sum(ensemble.n_neurons for ensemble in network.all_ensembles)
    inputs = sum(node.size_in for node in network.all_nodes if not _is_relay(node))
    return (neurons + inputs) * n_steps


def multiply_accumulates(network: nengo.Network) -> int:
    """Return the number of multiply-accumulates in an inference of the non-spiking network.

    This is the number of non-zero weights of all connections; those of a convolution count at every
    place.

    Raises
    ------
    nengo.exceptions.BuildError
        For the reasons given in `fan_out`.
    """
    check_is(network, "network", nengo.Network)
    total = 0
    for connection in network.all_connections:
        _check_connection(connection)
        if not isinstance(connection.transform, NoTransform):
            total += int(np.sum(_backwards(connection.transform, np.ones(connection.size_out))))
    return total


# ------------------------------------------------------------------------------------- connections


def _senders(senders, network):
    """Return the nodes that send spikes, after checking that they belong to the network."""
    check_is(senders, "senders", Iterable)
    nodes = set(senders)
    for stranger in nodes.difference(network.all_nodes):
        raise ValidationError(f"contain {stranger}, which is not a node of {network}", "senders")
    return nodes


def _vertex(obj):
    return obj.ensemble if isinstance(obj, Neurons) else obj


def _is_relay(obj):
    return isinstance(obj, nengo.Node) and obj.output is None


def _check_connection(connection):
    ends = (connection.pre_obj, connection.post_obj)
    transform = type(connection.transform)
    for wrong, what in (
        (not all(isinstance(x, nengo.Node | Neurons) for x in ends), "decodes, encodes or learns"),
        (connection.function is not None, "has a function"),
        (transform not in _BACKWARDS, f"has a transform of type {transform.__name__}"),
    ):
        if wrong:
            raise BuildError(
                f"{connection} {what}: operations are only counted for weights between neurons and "
                "nodes. Connect `ensemble.neurons` with a Dense, Sparse or Convolution transform"
            )


def _backwards(transform, ends):
    """Return, for each input, the sum of the costs at the ends of its non-zero weights."""
    return _BACKWARDS[type(transform)](transform, ends)


def _no_transform(transform, ends):
    return ends


def _dense(transform, ends):
    present = _present(transform.init, transform.init_shape)
    return present.T @ ends if present.ndim == 2 else present * ends


def _sparse(transform, ends):
    init = transform.init
    if isinstance(init, SparseMatrix):
        (rows, columns), weights = init.indices.T, init.data
    else:
        init = init.tocoo()
        rows, columns, weights = init.row, init.col, init.data
    passed = _present(weights, rows.shape) * ends[rows]
    return np.bincount(columns, passed, minlength=transform.size_in)


def _convolution(transform, ends):
    shape_in = transform.input_shape
    present = _present(transform.init, transform.kernel_shape)
    ends = convolutions.channels_last(ends, transform.output_shape)
    result = np.zeros((*shape_in.spatial_shape, shape_in.n_channels))
    for offset, inputs, outputs in convolutions.links(transform):
        groups = zip(
            np.split(ends[outputs], transform.groups, axis=-1),
            np.split(present[offset], transform.groups, axis=-1),
            strict=True,
        )
        result[inputs] += np.concatenate([end @ kernel.T for end, kernel in groups], axis=-1)
    return (result if shape_in.channels_last else np.moveaxis(result, -1, 0)).ravel()


def _present(weights, shape):
    """Return 1 where a weight is not zero; weights given as distributions count as non-zero."""
    return np.ones(shape) if isinstance(weights, Distribution) else (np.asarray(weights) != 0) * 1.0


_BACKWARDS = {
    NoTransform: _no_transform,
    nengo.Dense: _dense,
    nengo.Sparse: _sparse,
    nengo.Convolution: _convolution,
}

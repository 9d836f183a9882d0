"""Placement of ensembles on host or chip, and merging of relays between neurons.

Relays that only weight the spikes of neurons (pooling, padding, averaging) are merged with the
following weights into one matrix. Nodes that send values instead of spikes stay on the host, with
the neurons that they drive: a chip would have to encode the values, and would clip large ones.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator

import nengo
import numpy as np
import scipy.sparse
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError
from nengo.transforms import NoTransform, SparseMatrix
from nengo_loihi.passthrough import base_obj

from nengo_phasor.loihi.relays import is_plain
from nengo_phasor.loihi.tables import OFF_CHIP, compartments_of, is_gate, is_on_host
from nengo_phasor.neurons.rateless import Rateless
from nengo_phasor.synapses import PhaseEncoder, SpikeSynapse

TABLES = (NoTransform, nengo.Dense)
"""The transforms that nengo-loihi merges; others are merged here."""


# -------------------------------------------------------------------------------------- ensembles


def place_ensembles(stock, split, network):
    """Place ensembles; those that should run on the host do so, unless on_chip is set."""
    stock(split, network)
    incoming = defaultdict(list)
    for connection in network.all_connections:
        incoming[connection.post_obj].append(connection)
    moved = []
    for ensemble in [e for e in network.all_ensembles if e in split.chip_objs]:
        values = next(_analog(ensemble, incoming), None)
        if network.config[ensemble].on_chip is None:
            if is_on_host(ensemble.neuron_type) or values is not None:
                split.chip_objs.remove(ensemble)
                split.host_objs.add(ensemble)
            moved += [] if values is None else [(values, ensemble)]
        elif values is not None:
            warnings.warn(
                f"{values}: its values reach {ensemble.neurons} on the chip encoded as spikes, at "
                "most one per step, so that values near 1 are too small and larger values are "
                "clipped. Leave on_chip at None to run these neurons on the host",
                stacklevel=2,
            )
    if moved and not any(ensemble in split.chip_objs for ensemble in network.all_ensembles):
        values, ensemble = moved[0]
        raise BuildError(
            f"{values}: {ensemble.neurons} take the values of a node, and thus run on the host: no "
            "others are left for the chip. Add a layer after them; or put these on the chip, where "
            "values above 1 are clipped: nengo_loihi.add_params(network) and "
            "network.config[ensemble].on_chip = True"
        )


def _analog(ensemble, incoming) -> Iterator[nengo.Connection]:
    """Yield the connections that transmit values of nodes to an ensemble of our neurons."""
    neuron_type = ensemble.neuron_type
    if compartments_of(neuron_type) is None or isinstance(neuron_type, Rateless):
        return
    reached = [ensemble.neurons]
    for obj in reached:  # grows in the loop
        for connection in incoming[obj]:
            source = connection.pre_obj
            if not isinstance(source, nengo.Node) or isinstance(connection.synapse, PhaseEncoder):
                continue
            if source.output is not None:
                yield connection
            elif source not in reached:
                reached.append(source)


# ----------------------------------------------------------------------------------------- relays


def split_cluster(stock, split, cluster):
    """Remove a cluster of relays, but leave sparsifiers that no neuron can apply on the host."""
    connections = cluster.conns_in | cluster.conns_mid | cluster.conns_out
    sparsified = any(isinstance(c.synapse, SpikeSynapse) for c in connections)
    if sparsified and not _neurons_can(split, cluster):
        split._already_split.add(cluster)
    elif _is_folded(split, cluster):
        split._already_split.add(cluster)
        split.to_add.update(cluster.generate_conns())
        split.to_remove.update(cluster.objs - cluster.probed_objs, connections)
    else:
        stock(split, cluster)


def _neurons_can(split, cluster):
    gated = all(
        isinstance(c.pre, Neurons)
        and split.hostchip.on_chip(base_obj(c.pre))
        and is_plain(c)
        and (c.synapse is None or is_gate(c.synapse))
        for c in cluster.conns_in
    )
    weighted = all(
        isinstance(c.post, Neurons)
        and split.hostchip.on_chip(base_obj(c.post))
        and c.synapse is None
        for c in cluster.conns_out
    )
    return gated and weighted and not cluster.conns_mid


def _is_folded(split, cluster):
    """Return whether a cluster sends spikes of neurons to the chip, not only through tables."""
    connections = cluster.conns_in | cluster.conns_mid | cluster.conns_out
    return (
        not all(isinstance(c.transform, TABLES) for c in connections)
        and bool(cluster.conns_in)
        and all(isinstance(c.pre_obj, Neurons) for c in cluster.conns_in)
        and any(_on_chip(split, c.post) for c in cluster.conns_out)
    )


def _on_chip(split, obj):
    obj = base_obj(obj)
    is_rule = isinstance(obj, nengo.connection.LearningRule)
    return not is_rule and split.hostchip.on_chip(obj)


def generate_conns(stock, cluster):
    """Yield the connections that replace a cluster, each with one matrix if needed."""
    connections = cluster.conns_in | cluster.conns_mid | cluster.conns_out
    if all(isinstance(c.transform, TABLES) for c in connections):
        yield from stock(cluster)
        return
    outputs = defaultdict(set)
    for connection in connections:
        outputs[connection.pre_obj].add(connection)
    for first in cluster.conns_in:
        for place, transform, synapse, post in cluster.generate_from(first.post_obj, outputs):
            sizes = [first.size_mid, post.size_in]
            slices = [first.post_slice, place]
            yield nengo.Connection(
                first.pre,
                post,
                function=first.function,
                synapse=cluster.merge_synapses(first.synapse, synapse),
                transform=cluster.merge_transforms(
                    first.post_obj, sizes, [first.transform, transform], slices
                ),
                label=first.label,
                add_to_container=False,
            )


def merge_transforms(stock, cluster, node, sizes, transforms, slices):
    """Return the product of the transforms to and from a node, as a sparse matrix."""
    if all(isinstance(transform, TABLES) for transform in transforms):
        return stock(cluster, node, sizes, transforms, slices)
    first, second = (matrix(node, t, n) for t, n in zip(transforms, sizes, strict=True))
    between = scipy.sparse.eye(node.size_in, format="csr")[slices[1]][:, slices[0]]
    product = scipy.sparse.csr_matrix(second @ between @ first)
    return nengo.Sparse(product.shape, init=product)


def matrix(node: nengo.Node, transform, size: int) -> scipy.sparse.csr_matrix:
    """Return a transform as a sparse matrix; ``size`` is the size of a NoTransform.

    Raises
    ------
    nengo.exceptions.BuildError
        If its weights are a distribution, or it is of another kind.
    """
    if isinstance(transform, NoTransform):
        return scipy.sparse.eye(size, format="csr")
    name = type(transform).__name__
    drawn = isinstance(getattr(transform, "init", None), nengo.dists.Distribution)
    if drawn or not isinstance(transform, (nengo.Dense, nengo.Sparse, nengo.Convolution)):
        remedy = "Give them as arrays" if drawn else "Use a Dense, Sparse or Convolution transform"
        raise BuildError(
            f"{node}: the weights of its {name} transform can't be merged with the next ones for "
            f"the chip. {remedy}, or {OFF_CHIP}"
        )
    weights = transform.sample()
    if isinstance(transform, nengo.Convolution):
        from nengo_phasor.layerwise.maps import convolution_matrix  # which imports Numba

        return convolution_matrix(transform, weights)
    if isinstance(weights, SparseMatrix):
        return scipy.sparse.csr_matrix((weights.data, weights.indices.T), weights.shape)
    if isinstance(transform, nengo.Sparse):
        return scipy.sparse.csr_matrix(weights)
    return scipy.sparse.csr_matrix(weights if np.ndim(weights) else weights * np.eye(size))

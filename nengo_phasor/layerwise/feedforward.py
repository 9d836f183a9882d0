"""What `.layerwise` makes of a network: what it can run, in which order, through which weights."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import nengo
import numpy as np
from nengo.builder import Model
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError
from nengo.synapses import LinearFilter
from nengo.transforms import NoTransform

from nengo_phasor import compat
from nengo_phasor.layerwise.kernels import convolution
from nengo_phasor.neurons import NEURON_TYPES
from nengo_phasor.synapses import SpikeSynapse

sparse = compat.require("scipy.sparse")

ELEMENTWISE_NEURONS = (
    *NEURON_TYPES,
    nengo.LIF,
    nengo.LIFRate,
    nengo.RectifiedLinear,
    nengo.SpikingRectifiedLinear,
)
"""Neuron types whose step treats each item of a batch by itself."""

SYNAPSES = (type(None), LinearFilter, SpikeSynapse)
TRANSFORMS = (nengo.Dense, nengo.Sparse, nengo.Convolution, NoTransform)


def vertex(obj):
    """Return the ensemble of neurons, and other objects as they are."""
    return obj.ensemble if isinstance(obj, Neurons) else obj


def incoming(network: nengo.Network) -> dict:
    """Return the connections to each node and ensemble.

    Raises
    ------
    nengo.exceptions.BuildError
        If there is an object that can't be run a layer at a time.
    """
    for ensemble in network.all_ensembles:
        _check_ensemble(ensemble)
    for connection in network.all_connections:
        _check_connection(connection)
    for probe in network.all_probes:
        _check_probe(probe)
    found = {obj: [] for obj in (*network.all_nodes, *network.all_ensembles)}
    for connection in network.all_connections:
        found[vertex(connection.post_obj)].append(connection)
    return found


def layer_order(incoming: dict) -> list:
    """Return nodes and ensembles, each after all it gets input from.

    Raises
    ------
    nengo.exceptions.BuildError
        If there is a loop.
    """
    graph = {obj: {vertex(c.pre_obj) for c in connections} for obj, connections in incoming.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise BuildError(
            f"layerwise can't run recurrence: {' -> '.join(map(str, error.args[1]))}; "
            "use nengo.Simulator or nengo_dl.Simulator"
        ) from None


def weights(model: Model, connection: nengo.Connection, dtype):
    """Return a built connection's weights as a linear map of `.kernels.add`."""
    weights, transform = model.params[connection].weights, connection.transform
    if weights is None:
        return None
    if isinstance(transform, nengo.Convolution):
        return convolution(transform, weights, dtype)
    if isinstance(transform, nengo.Sparse):
        weights = weights if sparse.issparse(weights) else weights.allocate()
        return sparse.csr_matrix(weights.T, dtype=dtype)
    if np.ndim(weights) < 2:
        size = connection.size_out
        return sparse.diags(np.broadcast_to(weights, size), dtype=dtype).tocsr()
    return np.ascontiguousarray(weights.T, dtype=dtype)


def places(model: Model, connection: nengo.Connection, dtype):
    """Return the linear map that brings a connection's signal to its places in the post object.

    Neurons multiply it by their gains. None is the identity.
    """
    post, places = connection.post_obj, connection.post_slice
    gain = np.ones(post.size_in)
    if isinstance(post, Neurons):
        gain = np.broadcast_to(model.params[post.ensemble].gain, post.size_in)
    if places == slice(None) and np.all(gain == 1):
        return None
    columns = np.arange(post.size_in)[places]
    shape = (connection.size_out, post.size_in)
    return sparse.csr_matrix((gain[columns], (np.arange(shape[0]), columns)), shape, dtype)


def synapse(model: Model, obj: nengo.Connection | nengo.Probe, output: str):
    """Return the synapse, whose output has this name, as built: a random one has its seed."""
    if obj.synapse is None:
        return None
    signal = model.sig[obj][output]
    return next(op.process for op in model.operators if getattr(op, "output", None) is signal)


def _check_ensemble(ensemble):
    neurons = ensemble.neuron_type
    _refuse(not isinstance(neurons, ELEMENTWISE_NEURONS), ensemble, f"{neurons}")
    _refuse(ensemble.noise is not None, ensemble, "noise")


def _check_connection(connection):
    pre, post = connection.pre_obj, connection.post_obj
    _refuse(connection.learning_rule_type is not None, connection, "learning rules")
    _refuse(
        not isinstance(vertex(post), nengo.Node | nengo.Ensemble), connection, f"{post} as a target"
    )
    _refuse(not isinstance(connection.synapse, SYNAPSES), connection, f"{connection.synapse}")
    _refuse(not isinstance(connection.transform, TRANSFORMS), connection, f"{connection.transform}")
    _refuse(
        isinstance(pre, nengo.Node) and connection.function is not None,
        connection,
        "functions on connections from nodes",
    )
    _refuse(
        isinstance(pre, nengo.Ensemble) and connection.solver.weights,
        connection,
        "solvers for whole weight matrices",
    )


def _check_probe(probe):
    _refuse(
        not isinstance(probe.obj, nengo.Node | Neurons),
        probe,
        f"probes of a {type(probe.obj).__name__}",
    )
    _refuse(probe.attr != "output", probe, f"probes of {probe.attr!r}")
    _refuse(not isinstance(probe.synapse, SYNAPSES), probe, f"{probe.synapse}")


def _refuse(unable, obj, what):
    if unable:
        raise BuildError(
            f"{obj}: layerwise can't run {what}; use nengo.Simulator or nengo_dl.Simulator"
        )

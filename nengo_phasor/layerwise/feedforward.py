"""Analyses a network for `.layerwise`: what can be run, in which order, and how."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.neurons import SimNeurons
from nengo.builder.processes import SimProcess
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError
from nengo.transforms import NoTransform

from nengo_phasor import compat
from nengo_phasor.inheritance import rewritten
from nengo_phasor.layerwise import loops, maps, synapses
from nengo_phasor.layerwise.neurons import Layer
from nengo_phasor.layerwise.processes import BuiltProcess
from nengo_phasor.pooling import MaxPool
from nengo_phasor.synapses import SpikeSynapse

csgraph = compat.require("scipy.sparse.csgraph")
sparse = compat.require("scipy.sparse")

TRANSFORMS = (nengo.Dense, nengo.Sparse, nengo.Convolution, NoTransform)


def vertex(obj):
    """Return the ensemble of neurons, and other objects as they are."""
    return obj.ensemble if isinstance(obj, Neurons) else obj


def incoming(network: nengo.Network) -> dict:
    """Return the connections to each node and ensemble.

    Raises
    ------
    nengo.exceptions.BuildError
        If an object cannot be run one layer at a time.
    """
    for ensemble in network.all_ensembles:
        _refuse(ensemble.noise is not None, ensemble, "noise")
    for connection in network.all_connections:
        _check_connection(connection)
    for probe in network.all_probes:
        _check_probe(probe)
    found: dict[Any, list] = {obj: [] for obj in (*network.all_nodes, *network.all_ensembles)}
    for connection in network.all_connections:
        found[vertex(connection.post_obj)].append(connection)
    return found


def layer_order(incoming: dict) -> list:
    """Return nodes, ensembles and each `.Loop` of them, each after everything it has input from.

    Raises
    ------
    nengo.exceptions.BuildError
        If a circle of connections has no delay of a step, or cannot be stepped.
    """
    graph = {obj: {vertex(c.pre_obj) for c in connections} for obj, connections in incoming.items()}
    objs = list(graph)
    place = {obj: i for i, obj in enumerate(objs)}
    edges = [(place[source], place[obj]) for obj in objs for source in graph[obj]]
    ones = np.ones(len(edges))
    matrix = sparse.csr_matrix((ones, tuple(zip(*edges, strict=True)) or ((), ())), [len(objs)] * 2)
    _, parts = csgraph.connected_components(matrix, connection="strong")
    groups: dict[int, list] = {}
    for obj, part in zip(objs, parts, strict=True):
        groups.setdefault(part, []).append(obj)
    between = {
        part: {parts[place[s]] for obj in group for s in graph[obj]} - {part}
        for part, group in groups.items()
    }
    return [
        loops.loop_of(set(group), incoming) if _is_loop(group := groups[part], graph) else group[0]
        for part in TopologicalSorter(between).static_order()
    ]


def _is_loop(group, graph) -> bool:
    return len(group) > 1 or group[0] in graph[group[0]]


class Parts(NamedTuple):
    """Holds what runs each object of a built network.

    ``maps`` has two linear maps for each connection: its weights, and the map from their output to
    its places in the post object. ``synapses`` has the synapse of each connection and probe, or
    None. ``biases`` has the biases of each ensemble's neurons. ``encoders`` are scaled by gain and
    radius, as in Nengo's builder.
    """

    layers: dict[nengo.Ensemble, Layer]
    maps: dict[nengo.Connection, tuple[maps.LinearMap, maps.LinearMap]]
    synapses: dict[nengo.Connection | nengo.Probe, BuiltProcess | None]
    processes: dict[nengo.Node, BuiltProcess]
    biases: dict[nengo.Ensemble, np.ndarray]
    encoders: dict[nengo.Ensemble, maps.Dense]

    def with_values(self, values: dict) -> Parts:
        """Return the parts with new values for some parameters (see `.Parameter`)."""
        linear, biases, encoders = dict(self.maps), dict(self.biases), dict(self.encoders)
        layers = dict(self.layers)
        for (obj, name), value in values.items():
            if name == "bias":
                biases[obj] = value
            elif name == "encoders":
                encoders[obj] = maps.Dense(value)
            elif name == "weights":
                weights, places = linear[obj]
                linear[obj] = weights.with_values(value), places
            else:
                layers[obj] = layers[obj].with_values({name: value})
        return self._replace(layers=layers, maps=linear, biases=biases, encoders=encoders)

    def not_kept(self) -> tuple | None:
        """Return the first object whose process does not keep its state, and the process."""
        for obj, built in (*self.synapses.items(), *self.processes.items()):
            if built and not (synapses.is_kept(built) or is_pool(built.process)):
                return obj, built.process
        return None

    def with_state(self) -> set:
        """Return the objects that have a state."""
        filtered = {obj for obj, built in self.synapses.items() if built}
        return {*self.layers, *filtered}


def parts(network: nengo.Network, model: Model, dtype: np.dtype) -> Parts:
    """Return what runs each object of a network that was built into the model.

    Raises
    ------
    nengo.exceptions.BuildError
        If neurons, a synapse or a process were built into operators other than Nengo's own.
    """
    stage = {op.J: op for op in model.operators if isinstance(op, SimNeurons)}
    process = {op.output: op for op in model.operators if isinstance(op, SimProcess)}

    def synapse(obj, output):
        if obj.synapse is None:
            return None
        return _built_process(model, obj, obj.synapse, process.get(model.sig[obj][output]))

    return Parts(
        {e: Layer(_stages(model, e, stage), dtype) for e in network.all_ensembles},
        {
            c: (
                maps.of_transform(c.transform, model.params[c].weights, c.size_out, dtype),
                places(model, c, dtype),
            )
            for c in network.all_connections
        },
        {
            **{c: synapse(c, "weighted") for c in network.all_connections},
            **{p: synapse(p, "filtered") for p in network.all_probes},
        },
        {
            n: _built_process(model, n, n.output, process.get(model.sig[n]["out"]))
            for n in network.all_nodes
            if isinstance(n.output, nengo.Process)
        },
        {e: np.asarray(model.params[e].bias, dtype) for e in network.all_ensembles},
        {
            e: maps.Dense(np.ascontiguousarray(model.params[e].scaled_encoders.T, dtype))
            for e in network.all_ensembles
        },
    )


def places(model: Model, connection: nengo.Connection, dtype) -> maps.LinearMap:
    """Return the linear map that brings a connection's signal to its places in the post object.

    Neurons multiply it by their gains.
    """
    post, places = connection.post_obj, connection.post_slice
    gain = np.ones(post.size_in)
    if isinstance(post, Neurons):
        gain = np.broadcast_to(model.params[post.ensemble].gain, post.size_in)
    columns = np.arange(post.size_in)[places]
    if np.array_equal(columns, np.arange(post.size_in)) and np.all(gain == 1):
        return maps.Identity(post.size_in)
    shape = (connection.size_out, post.size_in)
    rows = np.arange(shape[0])
    matrix = sparse.csr_matrix((gain[columns], (rows, columns)), shape, dtype)
    return maps.with_own_entries(matrix)


def may_be_missing(network: nengo.Network) -> set[nengo.Node]:
    """Return the nodes whose outputs may be NaN: all their synapses treat NaN as no spike."""
    silent_at_nan: dict[nengo.Node, list[bool]] = {}
    for connection in network.all_connections:
        silent = isinstance(connection.synapse, SpikeSynapse) and connection.synapse.nan_is_silent
        silent_at_nan.setdefault(connection.pre_obj, []).append(silent)
    return {node for node, silent in silent_at_nan.items() if all(silent)}


def is_pool(process) -> bool:
    """Return whether a process is a `.MaxPool` that computes what `.MaxPool` defines."""
    return isinstance(process, MaxPool) and not rewritten(type(process), MaxPool)


def _stages(model, ensemble, stage_of: dict):
    """Return the operators between an ensemble's input current and its output, in order."""
    signals = model.sig[ensemble.neurons]
    stages: list[Any] = []
    signal = signals["in"]
    while not stages or signal is not signals["out"]:
        _refuse(signal not in stage_of, ensemble, f"{ensemble.neuron_type}")
        stages.append(stage_of[signal])
        signal = stages[-1].output
    return stages


def _built_process(model, obj, process, operator):
    _refuse(operator is None, obj, f"{process}")
    return BuiltProcess(operator.process, operator.mode == "update", model.seeds[obj])


def _check_connection(connection):
    pre, post = connection.pre_obj, connection.post_obj
    _refuse(connection.learning_rule_type is not None, connection, "learning rules")
    _refuse(
        not isinstance(vertex(post), nengo.Node | nengo.Ensemble), connection, f"{post} as a target"
    )
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


def _refuse(unable, obj, what):
    if unable:
        raise BuildError(
            f"{obj}: layerwise can't run {what}; use nengo.Simulator or nengo_dl.Simulator"
        )

"""The parameters that `.layerwise` trains, and their values in Nengo's form."""

from __future__ import annotations

import copy
import re

import nengo
import numpy as np
from nengo.exceptions import ValidationError
from nengo.solvers import NoSolver
from nengo.transforms import SparseMatrix

from nengo_phasor.layerwise import maps
from nengo_phasor.layerwise.adjoint import Parameter
from nengo_phasor.settings import neuron_parameters, setting


def trainable(network: nengo.Network, built: dict) -> list[Parameter]:
    """Return the trained parameters of a network, in order: all that are not configured otherwise.

    ``built`` has the maps of each connection (`.feedforward.Parts.maps`).
    """
    found: list[Parameter] = []
    _collect(found, [], network, built)
    for ensemble, names in neuron_parameters(network).items():
        found.extend(Parameter(ensemble, name) for name in names)
    return found


def _collect(found, above, network, built):
    configs = [*above, network.config]
    for subnet in network.networks:
        _collect(found, configs, subnet, built)
    for ensemble in network.ensembles:
        whole = setting(configs, ensemble, "trainable")
        if whole is not False and any(c.post_obj is ensemble for c in built):
            found.append(Parameter(ensemble, "encoders"))
        own = setting(configs, ensemble.neurons, "trainable")
        if (whole if own is None else own) is not False:
            found.append(Parameter(ensemble, "bias"))
    for connection in network.connections:
        has_weights = not isinstance(built[connection][0], maps.Identity)
        if has_weights and setting(configs, connection, "trainable") is not False:
            found.append(Parameter(connection, "weights"))


def value_of(parts, parameter: Parameter) -> np.ndarray:
    """Return the array of a parameter, in layerwise's form."""
    obj, name = parameter
    if name == "bias":
        return parts.biases[obj]
    if name == "weights":
        return parts.maps[obj][0].values
    if name == "encoders":
        return parts.encoders[obj].weights
    return getattr(parts.layers[obj].neurons[0], name).astype(parts.biases[obj].dtype)


def as_built(parts, obj, built):
    """Return Nengo's built form of an object with its present parameters, given the original."""
    if isinstance(obj, nengo.Connection):
        linear = parts.maps[obj][0]
        if isinstance(linear, maps.Identity):
            return built
        plain = isinstance(linear, maps.Convolution) or not isinstance(obj.transform, nengo.Sparse)
        values = linear.values if plain else linear.weights.T
        return built._replace(weights=values.T if isinstance(linear, maps.Dense) else values)
    if isinstance(obj, nengo.Ensemble):
        scaled = parts.encoders[obj].weights.T
        encoders = scaled * obj.radius / built.gain[:, None]
        return built._replace(bias=parts.biases[obj], scaled_encoders=scaled, encoders=encoders)
    if isinstance(obj, nengo.ensemble.Neurons):
        return parts.layers[obj.ensemble].neurons[0]
    return built


def nengo_params(parts, model, obj) -> dict:
    """Return the arguments with which Nengo builds an object that has the present parameters.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the object is neither a connection nor an ensemble, or belongs to another network.
    nengo.exceptions.BuildError
        If a sparse transform has several entries at the same place.
    """
    if isinstance(obj, nengo.ensemble.Neurons):
        obj = obj.ensemble
    if not isinstance(obj, nengo.Ensemble | nengo.Connection) or obj not in model.params:
        raise ValidationError(
            f"must be connections or ensembles of the network, got {obj!r}", attr="nengo_objs"
        )
    if isinstance(obj, nengo.Ensemble):
        return _of_ensemble(parts, model.params[obj].gain, obj)
    return _of_connection(parts, obj)


def _of_ensemble(parts, gain, ensemble):
    encoders = parts.encoders[ensemble].weights.T * ensemble.radius / gain[:, None]
    neurons = parts.layers[ensemble].neurons[0]
    own = {"neuron_type": neurons} if getattr(neurons, "is_mixed", False) else {}
    return {
        **own,
        "encoders": encoders,
        "normalize_encoders": False,
        "gain": gain,
        "bias": parts.biases[ensemble],
        "max_rates": nengo.Ensemble.max_rates.default,
        "intercepts": nengo.Ensemble.intercepts.default,
    }


def _of_connection(parts, connection):
    weights, transform = parts.maps[connection][0], connection.transform
    if isinstance(weights, maps.Identity):
        return {"transform": None}
    if isinstance(connection.pre_obj, nengo.Ensemble):
        decoders = weights.weights
        return {
            "solver": NoSolver(decoders, weights=False),
            "function": lambda x: np.zeros(decoders.shape[1]),
            "transform": None,
        }
    if isinstance(transform, nengo.Convolution):
        return {"transform": _with_init(transform, weights.values)}
    if isinstance(transform, nengo.Sparse):
        return {"transform": _with_init(transform, _sparse(connection, weights))}
    values = weights.weights.T if isinstance(weights, maps.Dense) else weights.values
    return {"transform": np.squeeze(values) if values.size == 1 else values}


def _with_init(transform, init):
    """Return a copy of a transform with another init, which Nengo makes read-only."""
    other = copy.copy(transform)
    type(transform).init.data[other] = init
    return other


def _sparse(connection, weights: maps.Sparse) -> SparseMatrix:
    """Return a sparse matrix, (n_out, n_in), with the entries of a map."""
    entries = weights.weights.T.tocoo()
    indices = np.stack([entries.row, entries.col], axis=1)
    return SparseMatrix(indices, entries.data, connection.transform.shape)


def names(network: nengo.Network) -> dict:
    """Return names for nodes without input and for probes like NengoDL's: unique, no spaces."""
    found: dict = {}
    count: dict[str, int] = {}
    nodes = [node for node in network.all_nodes if not node.size_in]
    for obj in (*nodes, *network.all_probes):
        name = type(obj).__name__.lower() if obj.label is None else _sanitised(obj.label)
        n = count.get(name.lower(), 0)
        count[name.lower()] = n + 1
        found[obj] = f"{name}_{n}" if n else name
    return found


def _sanitised(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.\-/]", "", re.sub("[ :]", "_", label))

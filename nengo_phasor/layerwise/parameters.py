"""What of a network trains in `.layerwise`, and its values as Nengo has them."""

from __future__ import annotations

import copy
import re

import nengo
import numpy as np
from nengo.config import Config
from nengo.exceptions import ConfigError, ValidationError
from nengo.params import BoolParam
from nengo.solvers import NoSolver
from nengo.transforms import SparseMatrix

from nengo_phasor.layerwise import maps
from nengo_phasor.layerwise.adjoint import Parameter


def configure_settings(trainable: bool | None = None) -> None:
    """Say, within a network, whether its objects train, as ``nengo_dl.configure_settings`` does.

    After it, ``net.config[obj].trainable = False`` (or True) says so of an object or of a class of
    objects: a connection's weights, an ensemble's encoders and biases, and its ``neurons``' biases.
    By default everything trains.

    Parameters
    ----------
    trainable : bool, optional
        The default for all objects of the network and of those in it.

    Raises
    ------
    nengo.exceptions.ConfigError
        If there is no network: call it within ``with net:``.
    """
    config = Config.context[-1] if Config.context else None
    if config is None:
        raise ConfigError(
            "layerwise.configure_settings has no network to configure: call it in a `with net:`"
        )
    for cls in (nengo.Ensemble, nengo.Connection, nengo.ensemble.Neurons):
        if cls not in config.params:
            config.configures(cls)
        parameter = BoolParam("trainable", trainable, optional=True)
        config[cls].set_param("trainable", parameter)


def trainable(network: nengo.Network, built: dict) -> list[Parameter]:
    """Return what trains of a network, in order: all that could, but for what it says itself.

    ``built`` are a connection's maps (`.feedforward.Parts.maps`).
    """
    found: list[Parameter] = []
    _collect(found, [], network, built)
    return found


def _collect(found, above, network, built):
    configs = [*above, network.config]
    for subnet in network.networks:
        _collect(found, configs, subnet, built)
    for ensemble in network.ensembles:
        whole = _setting(configs, ensemble)
        if whole is not False and any(c.post_obj is ensemble for c in built):
            found.append(Parameter(ensemble, "encoders"))
        own = _setting(configs, ensemble.neurons)
        if (whole if own is None else own) is not False:
            found.append(Parameter(ensemble, "bias"))
    for connection in network.connections:
        has_weights = not isinstance(built[connection][0], maps.Identity)
        if has_weights and _setting(configs, connection) is not False:
            found.append(Parameter(connection, "weights"))


def _setting(configs, obj):
    """Return what the innermost network that says anything of it says of an object."""
    setting = None
    for config in configs:
        try:
            own = getattr(config[obj], "trainable", None)
        except ConfigError:  # the network says nothing of such objects
            continue
        setting = setting if own is None else own
    return setting


def value_of(parts, parameter: Parameter) -> np.ndarray:
    """Return the array of a parameter, in the form that layerwise has it."""
    obj, name = parameter
    if name == "bias":
        return parts.biases[obj]
    return parts.encoders[obj].weights if name == "encoders" else parts.maps[obj][0].values


def as_built(parts, obj, built):
    """Return how Nengo would have built an object as it is now, given how it was built."""
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
    return built


def nengo_params(parts, model, obj) -> dict:
    """Return the arguments with which Nengo builds an object as it is now.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the object is neither a connection nor an ensemble, or of another network.
    nengo.exceptions.BuildError
        If a sparse transform has several entries in one place.
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
    return {
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
    """Return a copy of a transform with another init, which Nengo lets nobody set."""
    other = copy.copy(transform)
    type(transform).init.data[other] = init
    return other


def _sparse(connection, weights: maps.Sparse) -> SparseMatrix:
    """Return a sparse matrix, (n_out, n_in), with the entries of a map."""
    entries = weights.weights.T.tocoo()
    indices = np.stack([entries.row, entries.col], axis=1)
    return SparseMatrix(indices, entries.data, connection.transform.shape)


def names(network: nengo.Network) -> dict:
    """Return names of nodes without input and of probes, as NengoDL has them: unique, no spaces."""
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

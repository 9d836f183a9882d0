"""Depth by factorisation: `deepen` replaces a connection of a network by a chain of layers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError
from nengo.utils.numpy import is_number
from numpy.typing import NDArray

from nengo_phasor.convert.built import built
from nengo_phasor.convert.factorize import TOLERANCE, factorize, matrix_rank, product

# ---------------------------------------------------------------------------- signs, gains, biases


class _Layer(NamedTuple):
    """The neurons of a hidden layer.

    For the values u of the layer's units, a neuron's current is ``gain * (signs @ u + bias)``, and
    the mean of ``signs.T @ (output / gain - bias)`` is u.
    """

    signs: NDArray
    bias: NDArray
    gain: NDArray


NEGATIVES = {
    "pairs": "opponent pairs of neurons, one for either sign",
    "biases": "biases, which are subtracted again after the layer; they need max_input",
}
"""The ways in which hidden layers can represent negative values."""


def _layers(factors, low, high, negatives, max_input, max_rate):
    """Return the hidden layers; the first one follows the factor that is applied first.

    ``low`` and ``high`` are the bounds of the inputs; the bounds of a unit follow from the product
    of the preceding factors.
    """
    layers = []
    for k in range(len(factors) - 1, 0, -1):
        weights = product(factors[k:])
        rise, fall = np.maximum(weights, 0), np.minimum(weights, 0)
        top, bottom = rise @ high + fall @ low, rise @ low + fall @ high
        size = np.maximum(top, -bottom)
        positive, negative = top > TOLERANCE * size, bottom < -TOLERANCE * size
        if negatives == "refuse" and negative.any():
            ways = "; ".join(f"{name!r} are {what}" for name, what in NEGATIVES.items())
            raise ValidationError(
                f"is 'refuse', but {negative.sum()} of {len(top)} units of hidden layer "
                f"{len(layers) + 1} can be negative, but firing rates cannot (values of nodes "
                f"are assumed to have either sign). {ways}; and the method 'nmf' has no negative "
                "factors",
                attr="negatives",
            )
        if negatives == "pairs":
            one = np.eye(len(top))
            signs = np.concatenate([one[positive | ~negative], -one[negative]])
            bias = np.zeros(len(signs))
            peak = np.concatenate([top[positive | ~negative], -bottom[negative]])
        else:
            signs, bias = np.eye(len(top)), np.where(negative, -bottom, 0.0)
            peak = top + bias
        unused = peak <= TOLERANCE * peak.max()
        gain = np.ones(len(peak))
        if max_rate is not None:
            gain = max_rate / np.where(unused, max_rate, peak)
        layers.append(_Layer(signs, bias, gain))
    return layers


class Link(NamedTuple):
    """The weights into a layer, and the constant that is added to the input of each neuron."""

    weights: NDArray
    constant: NDArray


def chain_links(
    factors: Sequence[NDArray], layers: Sequence[_Layer], amplitude: float
) -> list[Link]:
    """Return the links of a chain, ordered from the input to the output."""
    found = []
    read, offset = np.eye(factors[-1].shape[1]), np.zeros(factors[-1].shape[1])
    n_out = len(factors[0])
    last = _Layer(np.eye(n_out), np.zeros(n_out), np.ones(n_out))
    for factor, layer in zip(factors[::-1], [*layers, last], strict=True):
        weights = layer.gain[:, None] * (layer.signs @ factor)
        found.append(Link(weights @ read, layer.gain * layer.bias - weights @ offset))
        read, offset = layer.signs.T / (amplitude * layer.gain), layer.signs.T @ layer.bias
    return found


# --------------------------------------------------------------------------------------- networks


@dataclass(frozen=True)
class Size:
    """The size of a network.

    Attributes
    ----------
    neurons : int
        The number of neurons of all ensembles.
    synapses, nonzero_synapses : int
        The number of weights of all connections that end at neurons, and the number of those that
        are not 0. A scalar weight counts as one synapse per neuron; the weights of a convolution
        count at every place.
    parameters : int
        The number of parameters that NengoDL can train: the weights of all connections from or to
        neurons, where the weights of a convolution count once, and a bias for every neuron.
    rank : int
        The rank of the matrix of the connection, or of the chain that replaces it.
    """

    neurons: int
    synapses: int
    nonzero_synapses: int
    parameters: int
    rank: int


@dataclass(frozen=True)
class Report:
    """The changes made by `deepen`.

    Attributes
    ----------
    before, after : Size
        The size of the network before and after.
    error : float
        The relative error of the factorisation, in the Frobenius norm.
    """

    before: Size
    after: Size
    error: float


def size(network: nengo.Network, rank: int, params: Any = None) -> Size:
    """Return the size of a network, with a given rank; ``params`` are those of its built model."""
    params = built(network).params if params is None else params
    synapses = nonzero = parameters = 0
    neurons = sum(ensemble.n_neurons for ensemble in network.all_ensembles)
    for connection in network.all_connections:
        values, uses = _weights_and_uses(connection, params[connection].weights)
        ends = (connection.pre_obj, connection.post_obj)
        if isinstance(connection.post_obj, Neurons):
            synapses += values.size * uses
            nonzero += np.count_nonzero(values) * uses
        if any(isinstance(end, Neurons | nengo.Ensemble) for end in ends):
            parameters += values.size * (params[connection].weights is not None)
    return Size(neurons, int(synapses), int(nonzero), int(parameters) + neurons, rank)


def _weights_and_uses(connection, weights):
    """Return a connection's weights and the number of synapses that each weight counts as."""
    if weights is None:
        return np.ones(1), connection.size_out
    if isinstance(connection.transform, nengo.Sparse):
        return np.asarray(weights.data), 1
    values = np.asarray(weights)
    return values, 1 if values.ndim == 2 else connection.size_out // np.atleast_1d(values).shape[-1]


def deepen(
    network: nengo.Network,
    connection: nengo.Connection,
    method: str = "plu",
    rank: int | None = None,
    depth: int = 2,
    negatives: str = "refuse",
    max_input: float | None = None,
    max_rate: float | None = None,
    neuron_type: nengo.neurons.NeuronType | None = None,
    synapse: Any = None,
    seed: int = 0,
) -> tuple[nengo.Network, dict[Any, Any], Report]:
    """Replace a connection by the factors of its weights, with integrate-and-fire layers between.

    The neurons at the end of the connection receive the same mean current as before. The chain is a
    subnetwork that replaces the connection. It has lists ``layers`` of ensembles and ``links`` of
    connections, in the order in which a signal passes them.

    Parameters
    ----------
    network : nengo.Network
        The network, which is not changed.
    connection : nengo.Connection
        A connection from neurons or a node to neurons, with a dense weight matrix.
    method, rank, depth, seed
        The arguments of `factorize`. Between ``depth`` factors there are ``depth - 1`` hidden
        layers.
    negatives : "refuse", "pairs" or "biases"
        The treatment of units that can be negative, which firing rates cannot represent: an error
        is raised, the units become opponent pairs of neurons, or a bias keeps them positive. A pair
        is exact if its current keeps its sign for long, or if the neurons rectify it, as
        nengo.SpikingRectifiedLinear does. Otherwise the voltage of one neuron falls while the other
        fires, and must recover first.
    max_input : float, optional
        The largest absolute output of a presynaptic neuron (amplitude times rate) or node. It is
        required by "biases" and ``max_rate``.
    max_rate : float, optional
        The rate of the hidden neurons at the largest inputs, in Hz, from which their gains are
        computed. By default their gains are 1 and their rates are the products of factors and
        inputs.
    neuron_type : nengo.neurons.NeuronType, optional
        The neuron type of the hidden layers. By default ``nengo.SpikingRectifiedLinear()``.
    synapse : nengo.synapses.Synapse or float, optional
        The synapse of the links into the hidden layers. The last link has the synapse of the
        replaced connection.

    Returns
    -------
    network : nengo.Network
        The deep network, in which all other objects keep their seeds.
    mapping : dict
        The new network, ensemble, node, connection or probe for each old one, and the chain for
        the connection.
    report : Report
        The sizes before and after, and the error of the factorisation.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the connection is not in the network, has no dense weights between such objects, computes
        a function, learns or is probed; if `factorize` rejects its matrix; if units can be negative
        and negatives is "refuse"; if neuron_type is not integrate-and-fire; or if a number is
        missing or not greater than 0.

    References
    ----------
    Bury, Filali and Essien (2020), section 5.
    """
    neuron_type = nengo.SpikingRectifiedLinear() if neuron_type is None else neuron_type
    amplitude = _amplitude(neuron_type)
    _check_options(negatives, max_input, max_rate)
    _check_connection(network, connection)
    model = built(network)
    matrix = _weights(connection, model.params[connection].weights)
    factors = factorize(matrix, method, rank, depth, seed)
    high = np.full(matrix.shape[1], 1.0 if max_input is None else max_input)
    low = -high if _is_signed(connection.pre_obj) else np.zeros_like(high)
    layers = _layers(factors, low, high, negatives, max_input, max_rate)

    with warnings.catch_warnings():  # about nodes without output, which are unchanged
        warnings.filterwarnings("ignore", "'Node.size_out' is being overwritten")
        deep = network.copy(add_to_container=False)
    mapping = _mapping(network, deep)
    for old, new in mapping.items():
        new.seed = model.seeds[old]
    place = _take_out(deep, mapping[connection])
    with place:
        mapping[connection] = _chain(
            chain_links(factors, layers, amplitude),
            mapping[connection],
            neuron_type,
            synapse,
        )
    whole = product(factors)
    report = Report(
        size(network, matrix_rank(matrix), model.params),
        size(deep, matrix_rank(whole)),
        float(np.linalg.norm(whole - matrix) / np.linalg.norm(matrix)),
    )
    return deep, mapping, report


def _chain(links, connection, neuron_type, synapse):
    """Return the network of hidden layers that replaces a connection."""
    label = f"{connection.label or 'factorised weights'}"
    *inner, last = links
    with nengo.Network(label=label) as chain:
        chain.layers, chain.links, source = [], [], connection.pre
        for weights, constant in inner:
            n = len(weights)
            layer = nengo.Ensemble(
                n,
                1,
                neuron_type=neuron_type,
                gain=np.ones(n),
                bias=constant,
                label=f"hidden layer {len(chain.layers) + 1}",
            )
            chain.layers.append(layer)
            chain.links.append(
                nengo.Connection(source, layer.neurons, transform=weights, synapse=synapse)
            )
            source = layer.neurons
        chain.links.append(
            nengo.Connection(
                source, connection.post, transform=last.weights, synapse=connection.synapse
            )
        )
        if np.any(last.constant):
            one = nengo.Node([1.0], label="subtracts the biases")
            nengo.Connection(
                one,
                connection.post,
                transform=last.constant[:, None],
                synapse=connection.synapse,
            )
    return chain


def _mapping(old, new):
    """Return the mapping from the objects of a network to those of its copy."""
    mapping = {old: new}
    for kind in ("networks", "ensembles", "nodes", "connections", "probes"):
        pairs = zip(getattr(old, f"all_{kind}"), getattr(new, f"all_{kind}"), strict=True)
        mapping.update(pairs)
    return mapping


def _take_out(network, connection):
    """Remove a connection; return the subnetwork that it was in."""
    for place in (network, *network.all_networks):
        if connection in place.connections:
            place.connections.remove(connection)
            return place
    raise AssertionError("the connection was found before")


def _is_signed(obj):
    return not isinstance(obj, Neurons) or obj.ensemble.neuron_type.negative


def _amplitude(neuron_type):
    """Return the mean output for a current of 1; check that it is proportional to current."""
    if not isinstance(neuron_type, nengo.neurons.NeuronType):
        raise ValidationError(
            f"must be neurons, such as nengo.SpikingRectifiedLinear(), got {neuron_type!r}",
            attr="neuron_type",
        )
    current = np.array([-10.0, 0.5, 1.0, 100.0])
    output = neuron_type.rates(current, np.ones(1), np.zeros(1)).ravel()
    if output[2] <= 0 or not np.allclose(output, output[2] * np.maximum(current, 0)):
        raise ValidationError(
            f"{neuron_type} is not integrate-and-fire: its mean output is not proportional to "
            "positive currents. Use nengo.SpikingRectifiedLinear or "
            "nengo_phasor.SurrogateLIF(tau_rc=None)",
            attr="neuron_type",
        )
    return float(output[2])


def _check_options(negatives, max_input, max_rate):
    choices = ("refuse", *NEGATIVES)
    if negatives not in choices:
        raise ValidationError(f"is {negatives!r}; choose from {', '.join(choices)}", "negatives")
    for name, value in (("max_input", max_input), ("max_rate", max_rate)):
        if value is not None and not (is_number(value) and 0 < value < np.inf):
            raise ValidationError(f"must be a number greater than 0, got {value!r}", name)
    needed_by = {"negatives='biases'": negatives == "biases", "max_rate": max_rate is not None}
    for name in (name for name, needs in needed_by.items() if needs and max_input is None):
        raise ValidationError(
            f"is needed by {name}: give the largest output of the presynaptic neurons or node",
            attr="max_input",
        )


def _check_connection(network, connection):
    if not isinstance(connection, nengo.Connection):
        raise ValidationError(f"must be a nengo.Connection, got {connection!r}", "connection")
    obstacles = {
        f"is not in {network}": connection not in network.all_connections,
        "must come from neurons or a node": isinstance(connection.pre_obj, nengo.Ensemble),
        "must end at neurons": not isinstance(connection.post_obj, Neurons),
        "computes a function": connection.function is not None,
        "learns": connection.learning_rule_type is not None,
        "is probed": any(probe.target is connection for probe in network.all_probes),
    }
    for obstacle in (what for what, is_there in obstacles.items() if is_there):
        raise ValidationError(
            f"{connection} {obstacle}: choose another connection, or change this one", "connection"
        )


def _weights(connection, weights):
    if not isinstance(connection.transform, nengo.Dense) or np.ndim(weights) != 2:
        raise ValidationError(
            f"{connection} needs a dense weight matrix, but has {connection.transform}",
            attr="connection",
        )
    return weights

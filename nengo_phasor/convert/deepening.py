"""Depth by factorisation: one connection of a network as a chain of layers, by `deepen`."""

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

    A neuron's current is ``gain * (signs @ u + bias)`` for the values u of the layer's units, and
    ``signs.T @ (output / gain - bias)``, in the mean, is u again.
    """

    signs: NDArray
    bias: NDArray
    gain: NDArray


NEGATIVES = {
    "pairs": "opponent pairs of neurons, one for either sign",
    "biases": "biases, which are taken off again behind the layer; they need max_input",
}
"""How hidden layers can stand for negative values."""


def _layers(factors, low, high, negatives, max_input, max_rate):
    """Return the hidden layers, the first one behind the factor that is applied first.

    ``low`` and ``high`` are the bounds of the inputs; those of a unit follow from the product of
    the factors before it.
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
                f"{len(layers) + 1} can be negative, which no neuron's rate can (a node's values "
                f"are taken to be of either sign). {ways}; and the method 'nmf' has no negative "
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
    """Weights into a layer, and the constant that goes with them into each of its neurons."""

    weights: NDArray
    constant: NDArray


def chain_links(
    factors: Sequence[NDArray], layers: Sequence[_Layer], amplitude: float
) -> list[Link]:
    """Return the links of a chain, the first one from the input, the last one to the output."""
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
    """How large a network is.

    Attributes
    ----------
    neurons : int
        Of all ensembles.
    synapses, nonzero_synapses : int
        Weights of all connections that end at neurons, and those of them that are not 0. Weights of
        one value for all are as many synapses as there are neurons; a convolution's count at
        every place.
    parameters : int
        What NengoDL can train: the weights of all connections from or to neurons, a convolution's
        once, and a bias for every neuron.
    rank : int
        Of the matrix that one connection, or the chain in its place, multiplies with.
    """

    neurons: int
    synapses: int
    nonzero_synapses: int
    parameters: int
    rank: int


@dataclass(frozen=True)
class Report:
    """What `deepen` has changed.

    Attributes
    ----------
    before, after : Size
        Of the network.
    error : float
        What the product of the factors is off the matrix, relative: Frobenius norms.
    """

    before: Size
    after: Size
    error: float


def size(network: nengo.Network, rank: int, params: Any = None) -> Size:
    """Return how large a network is; the rank is passed on, ``params`` are Nengo's builder's."""
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
    """Return a connection's weights and how many synapses each of them is."""
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
    """Replace a connection's weights by their factors, with integrate-and-fire layers between.

    The neurons that the connection ends at get the same current as before, in the mean. The chain
    is a subnetwork in that connection's place, with lists ``layers`` of ensembles and ``links`` of
    connections, in the order in which a signal passes them.

    Parameters
    ----------
    network : nengo.Network
        It is not changed.
    connection : nengo.Connection
        From neurons or a node to neurons, through a dense weight matrix.
    method, rank, depth, seed
        See `factorize`. ``depth`` factors have ``depth - 1`` hidden layers between them.
    negatives : "refuse", "pairs" or "biases"
        What is done about units that can be negative, as no neuron's rate can: an error is raised,
        they become opponent pairs of neurons, or a bias keeps them positive. A pair is exact where
        its current keeps its sign for long, or the neurons rectify it (nengo.SpikingRectifiedLinear
        does): a neuron whose voltage goes on falling while the other one fires has to make up for
        that first.
    max_input : float, optional
        The largest output of a presynaptic neuron (amplitude times its rate) or node, of either
        sign if it can have both. "biases" and ``max_rate`` need it.
    max_rate : float, optional
        In Hz: what the hidden neurons' gains are to make of the largest inputs. By default their
        gains are 1 and their rates the products of factors and inputs.
    neuron_type : nengo.neurons.NeuronType, optional
        Of the hidden layers. By default ``nengo.SpikingRectifiedLinear()``.
    synapse : nengo.synapses.Synapse or float, optional
        On the links into the hidden layers. The connection's own synapse stays on the last link,
        to the neurons that it was for.

    Returns
    -------
    network : nengo.Network
        The deep network. Everything else has the seed that it had.
    mapping : dict
        From the old networks, ensembles, nodes, connections and probes to the new ones; from the
        connection to the chain.
    report : Report

    Raises
    ------
    nengo.exceptions.ValidationError
        If the connection is not in the network, has no dense weights between such objects, computes
        a function, learns or is probed; if `factorize` refuses its matrix; if units can be negative
        and that is refused; if neuron_type is not integrate-and-fire, or a number is not
        greater than 0 or is missing.

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

    with warnings.catch_warnings():  # of nodes without output, to which nothing has happened
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
    """Return the network of hidden layers that takes the place of a connection."""
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
            one = nengo.Node([1.0], label="takes the biases off")
            nengo.Connection(
                one,
                connection.post,
                transform=last.constant[:, None],
                synapse=connection.synapse,
            )
    return chain


def _mapping(old, new):
    """Return the objects of a network's copy by those of the network."""
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
    """Return the mean output for a current of 1, refusing what isn't proportional to currents."""
    if not isinstance(neuron_type, nengo.neurons.NeuronType):
        raise ValidationError(
            f"must be neurons, such as nengo.SpikingRectifiedLinear(), got {neuron_type!r}",
            attr="neuron_type",
        )
    current = np.array([-10.0, 0.5, 1.0, 100.0])
    output = neuron_type.rates(current, np.ones(1), np.zeros(1)).ravel()
    if output[2] <= 0 or not np.allclose(output, output[2] * np.maximum(current, 0)):
        raise ValidationError(
            f"{neuron_type} is not integrate-and-fire: its mean output is not in proportion to a "
            "positive current. Use nengo.SpikingRectifiedLinear or "
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
        "has to come from neurons or a node": isinstance(connection.pre_obj, nengo.Ensemble),
        "has to end at neurons": not isinstance(connection.post_obj, Neurons),
        "computes a function": connection.function is not None,
        "learns": connection.learning_rule_type is not None,
        "is probed": any(probe.target is connection for probe in network.all_probes),
    }
    for obstacle in (what for what, is_there in obstacles.items() if is_there):
        raise ValidationError(f"{connection} {obstacle}; choose or change one", "connection")


def _weights(connection, weights):
    if not isinstance(connection.transform, nengo.Dense) or np.ndim(weights) != 2:
        raise ValidationError(
            f"{connection} has no dense weight matrix but {connection.transform}; give it one",
            attr="connection",
        )
    return weights

"""The construction of a network from a Keras model's graph, for `.to_adaptive`.

Between spikes and the threshold of the next neurons a signal passes two filters: that of the
post-synaptic current, then that of the membrane. Its stage tells how many filters it has passed: 0
for spikes, 1 for currents (such as the model's input), and 2 for activations. Linear layers act at
any stage. Max pooling needs activations, so the neurons after it have no membrane filter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import nengo
import numpy as np

from nengo_phasor.convert.keras_graph import like_layer, refuse
from nengo_phasor.pooling import MaxPool, average_pool

SPIKES, CURRENT, ACTIVATION = range(3)


@dataclass(frozen=True)
class _Signal:
    """The counterpart of a Keras tensor: the weighted output of a Nengo object, plus a constant.

    ``weights`` returns the transform for a given scale of each output channel; None is the
    identity. The constant has the tensor's shape. It is never sent as a signal, but becomes part of
    the biases.
    """

    source: Any
    stage: int
    constant: np.ndarray
    weights: Callable[[np.ndarray], Any] | None = None
    scale: np.ndarray | None = None

    @property
    def is_plain(self):
        return self.weights is None and self.scale is None

    def transform(self):
        """Return the transform of a connection that carries the signal."""
        if self.is_plain:
            return None
        scale = np.ones(self.constant.shape[-1]) if self.scale is None else self.scale
        size = self.constant.size
        return self.weights(scale) if self.weights else _diagonal(np.resize(scale, size))


class Construction:
    """The construction of one network.

    ``taus`` are the time constants of the filters of the post-synaptic current, the membrane, and
    the read-out, in seconds.
    """

    def __init__(self, label, neurons, taus):
        self.neurons = neurons
        self.taus = taus
        self.network = nengo.Network(label=label)
        self.network.layers = {}

    def build(self, graph):
        """Return the network."""
        signals, uses = {}, graph.uses()
        with self.network:
            for name, (layer, inputs) in graph.steps.items():
                rule = RULES[type(layer).__name__]
                signals[name] = rule(self, layer, *(signals[i] for i in inputs))
                if uses[name] > 1:
                    signals[name] = self.settled(signals[name], name)
            self.readout(signals[graph.output])
        return self.network

    def connect(self, signal, target, stage, *taus):
        """Connect a signal, filtered up to the given stage, then by filters with further taus."""
        nengo.Connection(
            signal.source,
            target,
            transform=signal.transform(),
            synapse=_lowpasses(*self.taus[signal.stage : stage], *taus),
        )

    def relay(self, signals, label):
        """Return the sum of signals as the output of a node, at the latest of their stages."""
        stage = max(signal.stage for signal in signals)
        constant = sum(signal.constant for signal in signals)
        node = nengo.Node(size_in=constant.size, label=label)
        for signal in signals:
            self.connect(signal, node, stage)
        return _Signal(node, stage, constant)

    def settled(self, signal, label):
        """Return the signal after applying its pending weights, if there are any."""
        return signal if signal.is_plain else self.relay([signal], label)

    def input(self, layer):
        """Create the model's input."""
        shape = tuple(layer.output_shape[0][1:])
        self.network.input = nengo.Node(np.zeros(np.prod(shape)), label=layer.name)
        return _Signal(self.network.input, CURRENT, np.zeros(shape))

    def linear(self, weights, layer, signal):
        """Apply a layer with weights, after the pending weights of the signal."""
        signal = self.settled(signal, f"before {layer.name}")
        constant = _applied(layer, signal.constant)
        return replace(signal, constant=constant, weights=weights(layer, signal.constant.shape))

    def batch_normalization(self, layer, signal):
        """Fold the layer's scale into the weights."""
        if list(layer.axis) != [signal.constant.ndim]:
            refuse(layer, f"it normalises axis {list(layer.axis)}", "use axis=-1")
        scale = np.asarray(layer.moving_variance, float) + layer.epsilon
        scale = (1.0 if layer.gamma is None else np.asarray(layer.gamma, float)) / np.sqrt(scale)
        scale = scale if signal.scale is None else scale * signal.scale
        return replace(signal, constant=_applied(layer, signal.constant), scale=scale)

    def reshape(self, layer, signal):
        """Change the shape, keeping the order of the elements."""
        signal = self.settled(signal, f"before {layer.name}")
        return replace(signal, constant=_applied(layer, signal.constant))

    def add(self, layer, *signals):
        """Add the signals in a relay."""
        shapes = {signal.constant.shape for signal in signals}
        if len(shapes) > 1:
            refuse(layer, f"its inputs have shapes {shapes}", "add tensors of one shape")
        return self.relay(signals, layer.name)

    def max_pool(self, layer, signal):
        """Pool activations, together with their constant if it varies within the image."""
        constant, shape = signal.constant, signal.constant.shape
        node = nengo.Node(MaxPool(*_pooling(layer, shape)), label=layer.name)
        self.connect(signal, node, ACTIVATION)
        if not np.allclose(constant, constant[:1, :1], rtol=1e-6, atol=1e-6):  # Keras rounds
            nengo.Connection(nengo.Node(constant.ravel()), node, synapse=None)
            constant = np.zeros(shape)
        return _Signal(node, ACTIVATION, _applied(layer, constant))

    def half_sigmoid(self, layer, signal):
        """Create the neurons, which filter the signal if it is not yet an activation."""
        neurons = self.neurons[layer.name]
        if signal.stage == ACTIVATION:
            neurons = like(type(neurons), neurons, tau_phi=None)
        bias = signal.constant.ravel()
        ensemble = nengo.Ensemble(
            bias.size, 1, gain=np.ones(bias.size), bias=bias, neuron_type=neurons, label=layer.name
        )
        self.connect(signal, ensemble.neurons, max(signal.stage, CURRENT))
        self.network.layers[layer.name] = ensemble
        return _Signal(ensemble.neurons, SPIKES, np.zeros(signal.constant.shape))

    def readout(self, signal):
        """Create the smoothed output."""
        bias = signal.constant.ravel()
        node = nengo.Node(size_in=bias.size, label="read-out")
        self.connect(signal, node, CURRENT, self.taus[-1])
        nengo.Connection(nengo.Node(bias, label="read-out bias"), node, synapse=None)
        self.network.output = nengo.Probe(node, label="output")


def _applied(layer, constant):
    """Return the output of a Keras layer, padding and bias included, for a constant image.

    It is computed in double precision, because half precision would lose sums of small weights.
    """
    exact = like_layer(layer, (1, *constant.shape), dtype="float64")
    return np.asarray(exact(constant[None]))[0]


def _diagonal(values):
    return nengo.Dense((values.size, values.size), init=values)


def _dense(layer, shape):
    if len(shape) != 1:
        refuse(
            layer,
            f"its input has shape {shape} and it acts on the last axis only",
            "put a Flatten before it, or use a Conv2D with a kernel of 1",
        )
    kernel = np.asarray(layer.kernel, float)
    return lambda scale: nengo.Dense(kernel.T.shape, init=(kernel * scale).T)


def _convolution(layer, shape):
    kernel = np.asarray(layer.kernel, float)
    return lambda scale: nengo.Convolution(
        layer.filters,
        shape,
        kernel_size=layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        init=kernel * scale,
        groups=layer.groups,
    )


def _pooling(layer, shape):
    """Return the arguments of `.MaxPool`."""
    if type(layer).__name__.startswith("Global"):
        return shape, shape[:2]
    return shape, layer.pool_size, layer.strides, layer.padding


def _average(layer, shape):
    return _sparse(average_pool(*_pooling(layer, shape)))


def _zero_padding(layer, shape):
    (top, bottom), (left, right) = layer.padding
    places = np.arange(np.prod(shape)).reshape(shape)
    padded = np.pad(places, ((top, bottom), (left, right), (0, 0)), constant_values=-1).ravel()
    rows = np.flatnonzero(padded >= 0)
    indices = np.column_stack([rows, padded[rows]])
    return _sparse(nengo.Sparse((padded.size, places.size), indices=indices))


def _sparse(transform):
    matrix = transform.init

    def scaled(scale):
        values = matrix.data * np.resize(scale, matrix.shape[0])[matrix.indices[:, 0]]
        return nengo.Sparse(matrix.shape, indices=matrix.indices, init=values)

    return scaled


def _linear(weights):
    return lambda construction, layer, signal: construction.linear(weights, layer, signal)


RULES = {
    "Add": Construction.add,
    "AveragePooling2D": _linear(_average),
    "BatchNormalization": Construction.batch_normalization,
    "Conv2D": _linear(_convolution),
    "Dense": _linear(_dense),
    "Flatten": Construction.reshape,
    "GlobalAveragePooling2D": _linear(_average),
    "GlobalMaxPooling2D": Construction.max_pool,
    "HalfSigmoid": Construction.half_sigmoid,
    "InputLayer": Construction.input,
    "MaxPooling2D": Construction.max_pool,
    "Reshape": Construction.reshape,
    "ZeroPadding2D": _linear(_zero_padding),
}


def _lowpasses(*taus):
    """Return one filter that is the product of lowpass filters; a tau of None means no filter.

    Filters on two connections would delay the signal by two steps.
    """
    taus = [tau for tau in taus if tau is not None]
    if len(taus) < 2:
        return nengo.Lowpass(taus[0]) if taus else None
    return nengo.LinearFilter([1.0], np.polymul(*([tau, 1.0] for tau in taus)))


def like(kind, neurons, **changes):
    """Return neurons of another type with the same parameters, except for the given changes."""
    parameters = neurons.parameters
    if kind.spiking:
        parameters["initial_state"] = neurons.initial_state
    return kind(**{**parameters, **changes})

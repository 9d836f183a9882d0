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

from nengo_phasor.convert.keras_layers import like_layer, refuse
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
        self.network.layers, self.network.shapes = {}, {}

    def build(self, graph):
        """Return the network."""
        signals, uses = {}, graph.uses()
        with self.network:
            for name, (layer, inputs) in graph.steps.items():
                rule = RULES[type(layer).__name__]
                signals[name] = rule(self, name, layer, *(signals[i] for i in inputs))
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

    def relay(self, signals, label, stage=SPIKES):
        """Return the sum of signals in a node, at the latest of their stages and the given one."""
        stage = max(stage, *(signal.stage for signal in signals))
        constant = sum(signal.constant for signal in signals)
        node = nengo.Node(size_in=constant.size, label=label)
        for signal in signals:
            self.connect(signal, node, stage)
        return _Signal(node, stage, constant)

    def settled(self, signal, label, stage=SPIKES):
        """Return the signal with its pending weights applied, at the given stage or a later one."""
        as_is = signal.is_plain and signal.stage >= stage
        return signal if as_is else self.relay([signal], label, stage)

    def input(self, name, layer):
        """Create the model's input."""
        shape = tuple(layer.output.shape[1:])
        self.network.input = nengo.Node(np.zeros(np.prod(shape)), label=name)
        return _Signal(self.network.input, CURRENT, np.zeros(shape))

    def linear(self, weights, name, layer, signal):
        """Apply a layer with weights, after the pending weights of the signal."""
        signal = self.settled(signal, f"before {name}")
        constant = _applied(layer, signal.constant)
        return replace(signal, constant=constant, weights=weights(layer, signal.constant.shape))

    def separable(self, name, layer, signal):
        """Apply a convolution of each channel, then one that mixes the channels of a place."""
        signal = self.settled(signal, f"before {name}")
        constant = _applied(layer, signal.constant)
        weights = _depthwise(layer, signal.constant.shape)
        channels = np.prod(layer.get_weights()[0].shape[2:])
        between = np.zeros((*constant.shape[:2], channels))
        relay = self.relay(
            [replace(signal, constant=between, weights=weights)], f"between channels of {name}"
        )
        return replace(relay, constant=constant, weights=_pointwise(layer, between.shape))

    def elementwise(self, name, layer, signal):
        """Fold a layer that scales and shifts each element into the weights."""
        shape = signal.constant.shape
        shift, shifted_one = (_applied(layer, np.full(shape, x)) for x in (0.0, 1.0))
        scale = shifted_one - shift
        constant = shift + scale * signal.constant
        by_channel = scale.reshape(-1, shape[-1])
        if np.allclose(by_channel, by_channel[0], rtol=1e-9, atol=0):
            scale = by_channel[0] if signal.scale is None else by_channel[0] * signal.scale
            return replace(signal, constant=constant, scale=scale)
        signal = self.settled(signal, f"before {name}")
        return replace(
            signal, constant=constant, weights=lambda pending: _diagonal((scale * pending).ravel())
        )

    def reshape(self, name, layer, signal):
        """Change the shape, keeping the order of the elements."""
        signal = self.settled(signal, f"before {name}")
        return replace(signal, constant=_applied(layer, signal.constant))

    def add(self, name, layer, *signals):
        """Add the signals in a relay."""
        shapes = {signal.constant.shape for signal in signals}
        if len(shapes) > 1:
            refuse(layer, f"its inputs have shapes {shapes}", "add tensors of one shape")
        return self.relay(signals, name)

    def max_pool(self, name, layer, signal):
        """Pool activations, together with their constant if it varies within the image."""
        constant, shape = signal.constant, signal.constant.shape
        node = nengo.Node(MaxPool(*_pooling(layer, shape)), label=name)
        self.connect(signal, node, ACTIVATION)
        if not np.allclose(constant, constant[:1, :1], rtol=1e-6, atol=1e-6):  # Keras rounds
            nengo.Connection(nengo.Node(constant.ravel()), node, synapse=None)
            constant = np.zeros(shape)
        return _Signal(node, ACTIVATION, _applied(layer, constant))

    def half_sigmoid(self, name, layer, signal):
        """Create the neurons, which filter the signal if it is not yet an activation."""
        ensemble = self.ensemble(name, signal, signal.constant.ravel())
        self.connect(signal, ensemble.neurons, max(signal.stage, CURRENT))
        return _Signal(ensemble.neurons, SPIKES, np.zeros(signal.constant.shape))

    def rectifier(self, name, layer, signal):
        """Create a part of the neurons for each line, and a relay that sums their spikes."""
        lines, size = layer.lines, signal.constant.size
        if len(lines) == 1:
            return self.half_sigmoid(name, layer, signal)
        signal = self.settled(signal, f"before {name}", CURRENT)
        bias = [sign * signal.constant.ravel() + offset for _, sign, offset in lines]
        ensemble = self.ensemble(name, signal, np.concatenate(bias))
        output = nengo.Node(size_in=size, label=name)
        for k, (weight, sign, _) in enumerate(lines):
            part = ensemble.neurons[k * size : (k + 1) * size]
            nengo.Connection(signal.source, part, transform=sign, synapse=None)
            nengo.Connection(part, output, transform=weight, synapse=None)
        return _Signal(output, SPIKES, np.zeros(signal.constant.shape))

    def ensemble(self, name, signal, bias):
        """Create a layer's ensemble; without the membrane's filter if the signal has passed one."""
        neurons = self.neurons[name]
        if signal.stage == ACTIVATION:
            neurons = like(type(neurons), neurons, tau_phi=None)
        self.network.layers[name] = nengo.Ensemble(
            bias.size, 1, gain=np.ones(bias.size), bias=bias, neuron_type=neurons, label=name
        )
        self.network.shapes[name] = signal.constant.shape
        return self.network.layers[name]

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
    kernel = _kernel(layer)
    return lambda scale: nengo.Dense(kernel.T.shape, init=(kernel * scale).T)


def _kernel(layer, k=0):
    return np.asarray(layer.get_weights()[k], float)


def _convolution(layer, shape):
    return _convolved(shape, _kernel(layer), layer.strides, layer.padding, layer.groups)


def _depthwise(layer, shape):
    kernel = _kernel(layer)  # (rows, columns, channels, outputs of each)
    kernel = kernel.reshape(*kernel.shape[:2], 1, -1)
    return _convolved(shape, kernel, layer.strides, layer.padding, shape[-1])


def _pointwise(layer, shape):
    return _convolved(shape, _kernel(layer, 1), (1, 1), "valid", 1)


def _convolved(shape, kernel, strides, padding, groups):
    return lambda scale: nengo.Convolution(
        kernel.shape[-1],
        shape,
        kernel_size=kernel.shape[:2],
        strides=strides,
        padding=padding,
        init=kernel * scale,
        groups=groups,
    )


def _pooling(layer, shape):
    """Return the arguments of `.MaxPool`."""
    if type(layer).__name__.startswith("Global"):
        return shape, shape[:2]
    return shape, layer.pool_size, layer.strides, layer.padding


def _average(layer, shape):
    return _sparse(average_pool(*_pooling(layer, shape)))


def _moved(layer, shape):
    """Return the weights of a layer that moves, repeats or drops elements, or surrounds them by 0.

    Each element is known by its number, from 1 on.
    """
    size = np.prod(shape)
    places = np.rint(_applied(layer, np.arange(1.0, size + 1).reshape(shape))).ravel().astype(int)
    rows = np.flatnonzero(places)
    indices = np.column_stack([rows, places[rows] - 1])
    return _sparse(nengo.Sparse((places.size, size), indices=indices))


def _sparse(transform):
    matrix = transform.init

    def scaled(scale):
        values = matrix.data * np.resize(scale, matrix.shape[0])[matrix.indices[:, 0]]
        return nengo.Sparse(matrix.shape, indices=matrix.indices, init=values)

    return scaled


def _linear(weights):
    return lambda construction, *arguments: construction.linear(weights, *arguments)


RULES = {
    "Add": Construction.add,
    "AveragePooling2D": _linear(_average),
    "BatchNormalization": Construction.elementwise,
    "Conv2D": _linear(_convolution),
    "Cropping2D": _linear(_moved),
    "Dense": _linear(_dense),
    "DepthwiseConv2D": _linear(_depthwise),
    "Flatten": Construction.reshape,
    "GlobalAveragePooling2D": _linear(_average),
    "GlobalMaxPooling2D": Construction.max_pool,
    "HalfSigmoid": Construction.half_sigmoid,
    "InputLayer": Construction.input,
    "MaxPooling2D": Construction.max_pool,
    "Normalization": Construction.elementwise,
    "Permute": _linear(_moved),
    "Rectifier": Construction.rectifier,
    "Rescaling": Construction.elementwise,
    "Reshape": Construction.reshape,
    "SeparableConv2D": Construction.separable,
    "UpSampling2D": _linear(_moved),
    "ZeroPadding2D": _linear(_moved),
}
"""What is constructed of each kind of step."""


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

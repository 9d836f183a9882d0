"""Estimate the cost of an analog network in spikes from the shapes of its layers alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from nengo_phasor import AdaptiveSpiking, energy
from nengo_phasor.convert import keras_graph
from nengo_phasor.models.adaptive.spiking import DT, WINDOW

PAPER_RATES = {"precise": 66.0, "few spikes": 12.0}
"""Firing rates on ImageNet in Hz, Table 1, at 62.97 % and 53.77 % accuracy."""


WORD = 4
"""The size of a number in single precision, in bytes."""


def taps(n_in: int, n_out: int, size: int, stride: int, padding: str) -> int:
    """Return how many elements a kernel reads along an axis in all, excluding padding."""
    missing = max((n_out - 1) * stride + size - n_in, 0) if padding == "same" else 0
    starts = np.arange(n_out) * stride - missing // 2
    return int(np.sum(np.minimum(starts + size, n_in) - np.maximum(starts, 0)))


def links(layer: Any) -> int:
    """Return the total number of inputs that the outputs of a layer sum."""
    shape_in, shape_out = tuple(layer.input_shape), layer.output_shape[1:]
    kind = type(layer).__name__
    if kind == "Conv2D":
        axes = zip(shape_in[1:3], shape_out[:2], layer.kernel_size, layer.strides, strict=True)
        rows, columns = (taps(*axis, layer.padding) for axis in axes)
        return rows * columns * layer.filters * shape_in[-1] // layer.groups
    if kind == "Dense":
        return shape_in[-1] * shape_out[-1]
    if kind == "GlobalAveragePooling2D":
        return _size_in(layer)
    return _size(layer)


class Counts(NamedTuple):
    """The size of a spiking network.

    ``layers`` has the neurons of each layer; ``pooled`` counts neurons whose spikes are filtered
    one by one before pooling; ``synapses`` counts weights, those of a convolution at every
    position; ``reached`` counts synapses that are reached when each neuron fires once; ``widest``
    is the number of values in the widest signal.
    """

    parameters: int
    layers: dict[str, int]
    pooled: int
    synapses: int
    reached: float
    widest: int

    @property
    def neurons(self) -> int:
        """Of all layers."""
        return sum(self.layers.values())


def count(model: Any) -> Counts:
    """Count neurons and synapses of the network from `convert.to_adaptive`, by a model's shapes."""
    graph = keras_graph.pools_first(keras_graph.read(model))
    steps = graph.steps.values()
    layers = {n: _size(s.layer) for n, s in graph.steps.items() if s.kind == "HalfSigmoid"}
    reach = _reach(graph)
    return Counts(
        model.count_params(),
        layers,
        sum(_size_in(s.layer) for s in steps if s.kind in keras_graph.MAX_POOLS),
        sum(links(s.layer) for s in steps if s.kind in ("Conv2D", "Dense")),
        sum(n * reach[name] for name, n in layers.items()),
        max(_size(s.layer) for s in steps),
    )


def _reach(graph: keras_graph.Graph) -> dict[str, float]:
    """Return how many targets, neurons or pooled positions, an output of each layer reaches."""
    consumers = {name: [] for name in graph.steps}
    for step in graph.steps.values():
        for source in step.inputs:
            consumers[source].append(step)
    reach: dict[str, float] = {}
    for name in reversed(graph.steps):
        size = _size(graph.steps[name].layer)
        ends = [
            size
            if step.kind in ("HalfSigmoid", *keras_graph.MAX_POOLS)
            else links(step.layer) * reach[step.layer.name]
            for step in consumers[name]
        ]
        reach[name] = sum(ends) / size if ends else 1.0
    return reach


def memory(counts: Counts, window: float) -> dict[str, int]:
    """Return the bytes of weights, states for an image, and signals, in single precision."""
    # states of the neuron and of one synaptic filter, or of two where activations are pooled
    states = (len(AdaptiveSpiking.state) + 1) * counts.neurons + 2 * counts.pooled
    return {
        "weights": WORD * counts.parameters,
        "states": WORD * states,
        "unshared": WORD * counts.synapses,
        "layerwise": WORD * round(window / DT) * counts.widest,
    }


def inference(counts: Counts, rate: float, window: float) -> dict[str, Any]:
    """Return the cost of an inference if all neurons fire at a rate, in Hz."""
    operations = {
        "synapse": rate * window * counts.reached,
        "update": (counts.neurons + counts.pooled) * round(window / DT),
    }
    return {
        "firing_rate": rate,
        "spikes": rate * window * counts.neurons,
        "synaptic_operations": operations["synapse"],
        "energy": {name: energy.energy(operations, name).total for name in energy.DEVICES},
    }


def estimate(
    model: Any, rates: Mapping[str, float] = PAPER_RATES, window: float = WINDOW * DT
) -> dict[str, Any]:
    """Estimate the cost of a model in spikes from the shapes of its layers alone.

    Parameters
    ----------
    model : tf.keras.Model
        A model of Keras 2 with HalfSigmoid layers that `convert.to_adaptive` accepts.
    rates : {str: float}
        Average firing rates in Hz, by names of your choice.
    window : float
        The time for which an image is shown, in seconds.

    Returns
    -------
    dict
        "parameters" of the model. "neurons", and "layers" with those of each. "synapses": the
        weights, those of a convolution counted at every position. "memory", in bytes at single
        precision: "weights", shared as in convolutions; "states" of neurons and their filters for
        one image; "unshared", a weight for each synapse; "layerwise", the widest signal over the
        window. "at", for each name: "spikes" and "synaptic_operations" of an inference
        (`nengo_phasor.energy.synaptic_operations`) if all neurons fire at the rate, and its
        "energy" in joules by device, without operations for which a device has no figure.
    """
    counts = count(model)
    return {
        "image": list(model.input_shape[1:]),
        "parameters": counts.parameters,
        "neurons": counts.neurons,
        "synapses": counts.synapses,
        "layers": counts.layers,
        "memory": memory(counts, window),
        "analog_energy": {
            name: energy.energy({"mac": counts.synapses}, device).total
            for name, device in energy.DEVICES.items()
            if device.mac is not None
        },
        "window": window,
        "at": {name: inference(counts, rate, window) for name, rate in rates.items()},
    }


def _size(layer: Any) -> int:
    """Return the number of values that a layer outputs for an image."""
    shape = layer.output_shape
    return int(np.prod((shape[0] if isinstance(shape, list) else shape)[1:]))


def _size_in(layer: Any) -> int:
    return int(np.prod(layer.input_shape[1:]))

"""What an analog network would take in spikes, from its layers' shapes alone."""

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
"""Bytes of a number in single precision."""


def taps(n_in: int, n_out: int, size: int, stride: int, padding: str) -> int:
    """Return how many elements a kernel reads along an axis, over all its places, borders aside."""
    missing = max((n_out - 1) * stride + size - n_in, 0) if padding == "same" else 0
    starts = np.arange(n_out) * stride - missing // 2
    return int(np.sum(np.minimum(starts + size, n_in) - np.maximum(starts, 0)))


def links(layer: Any) -> int:
    """Return how many of a layer's inputs its outputs add up, all together."""
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
    """What there is to build of a network in spikes.

    ``layers`` has the neurons of each; ``pooled`` are neurons whose spikes are filtered one by one
    before a pooling; ``synapses`` are places of weights, those of a convolution counted at every
    place; ``reached`` are synapses that are reached when each neuron fires once; ``widest`` is the
    number of values in the widest signal.
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
    """Count neurons and synapses of a model in spikes, `convert.to_adaptive`'s, by its shapes."""
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
    """Return how many ends, neurons or pooled places, a value at each layer's output gets to."""
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
    """Return bytes at single precision: of weights, states for an image, and signals."""
    # A neuron's own, and one of its synapses' filter; two filters wherever activations are pooled.
    states = (len(AdaptiveSpiking.state) + 1) * counts.neurons + 2 * counts.pooled
    return {
        "weights": WORD * counts.parameters,
        "states": WORD * states,
        "unshared": WORD * counts.synapses,
        "layerwise": WORD * round(window / DT) * counts.widest,
    }


def inference(counts: Counts, rate: float, window: float) -> dict[str, Any]:
    """Return what an inference takes when all neurons fire at a rate (Hz)."""
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
    """Return what a model would take in spikes, from its layers' shapes alone.

    Parameters
    ----------
    model : tf.keras.Model
        As `convert.to_adaptive` takes it.
    rates : {str: float}
        Average firing rates in Hz, by names of one's own.
    window : float
        For which an image is shown, in seconds.

    Returns
    -------
    dict
        "parameters" of the model. "neurons", and "layers", those of each. "synapses": places of
        weights, those of a convolution counted at every place. "memory", in bytes at single
        precision: "weights", shared as in convolutions; "states" of neurons and their filters for
        one image; "unshared", a weight for each synapse; "layerwise", the widest signal over the
        window. "at", for each name: "spikes" and "synaptic_operations" of an inference
        (`nengo_phasor.energy.synaptic_operations`), all neurons firing at the rate, and its
        "energy" in joules by device, without what a device has no figure for.
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
    """Return how many values a layer gives for an image."""
    shape = layer.output_shape
    return int(np.prod((shape[0] if isinstance(shape, list) else shape)[1:]))


def _size_in(layer: Any) -> int:
    return int(np.prod(layer.input_shape[1:]))

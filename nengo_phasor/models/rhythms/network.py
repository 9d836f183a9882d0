"""The classifier: a random projection to phases, and a hidden and an output layer of phasors."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor.models import PARAMS as COMMITTED
from nengo_phasor.networks import PhasorClassifier, RandomProjection, real_weights

SIZES = (1024, 128, 10)
PIXELS = 28 * 28
FREQUENCY = 10.0
DT = 0.001
CYCLES = 10
CYCLE = 9
"""The cycle that is decoded, counted from 0: the last. It was chosen on training images."""

PARAMS = COMMITTED / "local_rhythms.npz"


def classifier(params: dict | None = None, gain: float = 1.0) -> PhasorClassifier:
    """Return the classifier, with given parameters or with random weights of a given gain."""
    net = PhasorClassifier(SIZES)
    for k, layer in enumerate(net.layers):
        n_in, n_out = SIZES[k : k + 2]
        if params is None:
            layer.weights.transform = real_weights(
                n_in, n_out, nengo.dists.Gaussian(0, gain * n_in**-0.5)
            )
        else:
            layer.weights.transform = real_weights(n_in, n_out, params[f"weights_{k}"])
            layer.bias.transform = real_weights(1, n_out, params[f"bias_{k}"])
    return net


def phase_network(params: dict | None = None, gain: float = 1.0, seed: int = 0) -> nengo.Network:
    """Return the network in the phase domain: ``input``, and probes ``hidden`` and ``output``."""
    with nengo.Network(label="local rhythms", seed=seed) as net:
        net.input = nengo.Node(np.zeros(2 * SIZES[0]), label="phasors")
        net.classifier = classifier(params, gain)
        nengo.Connection(net.input, net.classifier.input, synapse=None)
        hidden, output = net.classifier.layers
        net.hidden = nengo.Probe(hidden.output, label="hidden")
        net.output = nengo.Probe(output.output, label="output")
    return net


def layer_params(net: nengo.Network) -> dict[str, np.ndarray]:
    """Return a frozen network's weights and biases."""
    return {
        f"{name}_{k}": np.squeeze(getattr(layer, name).transform.init, axis=0).astype(np.float32)
        for k, layer in enumerate(net.classifier.layers)
        for name in ("weights", "bias")
    }


def projection(seed: int, spread: float) -> RandomProjection:
    """Return the fixed random projection from pixels to phases."""
    return RandomProjection(PIXELS, SIZES[0], spread=spread, seed=seed)


def encode(images: np.ndarray, seed: int, spread: float) -> np.ndarray:
    """Return the input phases of images, (n, 1024), in single precision."""
    pixels = images.reshape(len(images), PIXELS).astype(np.float32) / 255
    return projection(seed, spread).encode(pixels)

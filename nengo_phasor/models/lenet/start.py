"""Weights from which training starts, with all maps and layers equally active."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

import nengo_phasor
from nengo_phasor.models.lenet.data import BIAS_CHANNEL, Parts
from nengo_phasor.models.lenet.network import DT, initial_weights, lenet
from nengo_phasor.models.lenet.runs import Run
from nengo_phasor.models.shared import checkpoint

CONTRAST = 0.5
"""The standard deviation of a map's current at the start of training; the threshold is 1."""

MATCHED = 200
"""The number of training images that `rate_matched` measures with."""


def start(run: Run, parts: Parts, folder: Path) -> dict[str, np.ndarray]:
    """Return the first weights of a run. If a checkpoint has later ones, any will do."""
    weights = initial_weights(parts.x_train.shape[1:], run.seed)
    if (folder / checkpoint.FILE).exists():
        return weights
    return rate_matched(weights, parts.x_train[:MATCHED], run.steps, run.rate)


def rate_matched(
    weights: dict[str, np.ndarray], images: np.ndarray, steps: int, rate: float
) -> dict[str, np.ndarray]:
    """Return the weights, changed layer by layer until neurons fire at a given rate.

    Each map of the first convolution gets a bias for this rate, and its other weights are scaled
    until its current has the standard deviation `CONTRAST`. So all maps start equally active. Some
    random biases would leave a map silent, and a cost of spikes from the first epoch on would keep
    it silent. The weights of later layers are scaled.

    Parameters
    ----------
    weights : {str: ndarray}
        The weights, as those of `.network.initial_weights`.
    images : (n, height, width, channels) array
        The images to show.
    steps : int
        The number of steps for which each image is shown.
    rate : float
        The mean number of spikes per neuron and step, in each map and in each later layer.

    Returns
    -------
    {str: ndarray}
        The weights. Those of the logits are scaled like the weights before them.
    """
    weights = dict(weights)
    first, *later, logits = weights

    def rates(name: str, values: np.ndarray) -> np.ndarray:
        return map_rates({**weights, name: values.astype(np.float32)}, images, steps, name)

    kernel = with_contrast(weights[first], images)
    none = np.zeros(kernel.shape[-1])
    bias = bisected(lambda bias: rates(first, with_bias(kernel, bias)), none - 5, none + 5, rate)
    weights[first] = with_bias(kernel, bias).astype(np.float32)
    for name in later:

        def scaled_rate(power: float, name: str = name) -> float:
            return rates(name, 10**power * weights[name]).mean()

        scale = np.float32(10 ** bisected(scaled_rate, -1, 2, rate))
        weights[name] = scale * weights[name]
    return {**weights, logits: scale * weights[logits]}


def bisected(rising: Callable, low: ArrayLike, high: ArrayLike, wanted: float) -> np.ndarray:
    """Return the array at which an increasing function has a value, element by element.

    All elements are evaluated at once, since one run of the network gives the rates of all maps.
    SciPy's root finding needs a function of one number, or of any part of the array
    (`scipy.optimize.elementwise`), and stops if the sign does not change; using it would be longer.
    """
    for _ in range(14):
        middle = (np.asarray(low) + high) / 2
        less = rising(middle) < wanted
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return middle


def with_contrast(kernel: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return a convolution's weights, with each map scaled so its current varies by `CONTRAST`.

    Those of the last channel, `.data.with_bias_channel`, become 0.
    """
    kernel = with_bias(kernel, 0.0)
    windows = np.lib.stride_tricks.sliding_window_view(images, kernel.shape[:2], axis=(1, 2))
    currents = np.einsum("nyxcij,ijcm->nyxm", windows, kernel)
    return kernel * CONTRAST / currents.std(axis=(0, 1, 2))


def with_bias(kernel: np.ndarray, bias: ArrayLike) -> np.ndarray:
    """Return a convolution's weights, with those of the last channel set to make a bias."""
    others = kernel[:, :, :-1]
    each = np.divide(bias, BIAS_CHANNEL * np.prod(kernel.shape[:2]))
    return np.concatenate([others, np.full_like(kernel[:, :, -1:], each)], axis=2)


def map_rates(
    weights: dict[str, np.ndarray], images: np.ndarray, steps: int, name: str
) -> np.ndarray:
    """Return the mean spikes per neuron and step, for each map or dense unit of a layer."""
    net, maps = lenet(images.shape[1:], weights), weights[name].shape[-1]
    with nengo_phasor.layerwise.Simulator(net, dt=DT, dtype="float32", progress_bar=False) as sim:
        currents = images.reshape(len(images), 1, -1)
        seen = sim.predict({net.image: currents}, steps)[net.spikes[name]]
    return np.mean(seen.reshape(-1, maps) > 0, axis=0)

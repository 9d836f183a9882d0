"""A ResNet-18 of any size in spikes: its time, memory, spikes and energy, all of them measured.

The weights are random, since there is nothing to train it on. Its normalisation has the statistics
of the images, so that all layers are active as in a trained network.
"""

from __future__ import annotations

import multiprocessing
import re
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import nengo
import numpy as np

from nengo_phasor import compat, convert, energy
from nengo_phasor.convert.calibration import shown
from nengo_phasor.models.adaptive import resnet
from nengo_phasor.models.adaptive.spiking import DT, WINDOW

BATCH = 8
"""The number of images whose statistics normalisation takes at a time."""

PASSES, MOMENTUM = 3, 0.5
"""How often it takes those of all images, and what a batch leaves of the averages before it."""


def alone(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Call a function in a new process; add that process' peak memory, in bytes, to the result."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(_with_memory, function, *arguments).result()


def _with_memory(function, *arguments):
    found = function(*arguments)
    return {**found, "peak_memory": _peak_memory()}


def _peak_memory() -> int:
    """Return this process' peak memory in bytes.

    On Linux, it is not what the system call tells, which begins with the parent's peak.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def normalised(units: str, images: np.ndarray, classes: int, width: float) -> Any:
    """Return a network with random weights, whose normalisation has the images' statistics.

    Parameters
    ----------
    units : str
        A name in `.units.UNITS`.
    images : (n_items, height, width, channels) ndarray
        The images.
    classes, width : int, float
        The number of classes, and the width as a fraction of ResNet-18's maps.
    """
    compat.use_keras_2()
    compat.require("tensorflow").keras.utils.set_random_seed(0)
    model = resnet.keras_model(images.shape[1:], classes, width, units)
    for layer in model.layers:
        if hasattr(layer, "momentum"):
            layer.momentum = MOMENTUM
    for _ in range(PASSES):
        for k in range(0, len(images), BATCH):
            model(images[k : k + BATCH], training=True)
    return model


def measured(
    units: str,
    images: np.ndarray,
    shown_images: int,
    classes: int,
    width: float,
    n_steps: int = WINDOW,
) -> dict[str, Any]:
    """Build, convert and verify a network, then run the first images in spikes.

    Parameters
    ----------
    units, images, classes, width
        See `normalised`.
    shown_images : int
        The number of images to run in spikes, one at a time.
    n_steps : int
        The number of steps for which an image is shown.

    Returns
    -------
    dict
        "parameters", "neurons", "synapses" of the network; "rate_network_differs_by" from the
        model; and for an image, "seconds" of the run and "processor_seconds", "spikes",
        "firing_rate", "synaptic_operations", and "energy" in joules by device, beside
        "analog_energy".
    """
    model = normalised(units, images, classes, width)
    converted = convert.to_adaptive(model)
    difference = converted.verify(images[:1])
    network = converted.copy()
    with network:
        probes = {name: nengo.Probe(e.neurons) for name, e in network.layers.items()}
    costs = energy.fan_out(network)
    spikes, operations = 0, 0.0
    clocks = (time.perf_counter, time.process_time)
    began = [clock() for clock in clocks]
    for image in images[:shown_images]:
        for _, seen, _ in shown(network, image.reshape(1, -1), n_steps, units):
            for name, probe in probes.items():
                counts = np.count_nonzero(seen[probe], axis=(0, 1))
                spikes += int(counts.sum())
                operations += float(counts @ costs[network.layers[name]])
    seconds, busy = ((clock() - b) / shown_images for clock, b in zip(clocks, began, strict=True))
    spikes, operations = spikes / shown_images, operations / shown_images
    n_neurons = sum(e.n_neurons for e in network.layers.values())
    synapses = float(energy.multiply_accumulates(network))
    return {
        "image": list(images.shape[1:]),
        "parameters": model.count_params(),
        "neurons": n_neurons,
        "synapses": synapses,
        "rate_network_differs_by": difference,
        "window": n_steps * DT,
        "seconds": seconds,
        "processor_seconds": busy,
        "spikes": spikes,
        "firing_rate": spikes / n_neurons / (n_steps * DT),
        "synaptic_operations": operations,
        "energy": _energy(
            {"synapse": operations, "update": energy.neuron_updates(network, n_steps)}
        ),
        "analog_energy": _energy({"mac": synapses}),
    }


def _energy(operations: dict[str, float]) -> dict[str, float]:
    """Return the energy of operations on each device that has figures for some of them."""
    return {
        name: float(energy.energy(operations, name).total)
        for name, device in energy.DEVICES.items()
        if any(getattr(device, kind) is not None for kind in operations)
    }

"""Graded spikes beside half-sigmoids and beside NengoDL's converter: accuracy, spikes, energy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nengo
import numpy as np

from nengo_phasor import compat, convert, energy, saving
from nengo_phasor.convert.calibration import shown
from nengo_phasor.models.adaptive.data import pixels
from nengo_phasor.models.adaptive.spiking import DT
from nengo_phasor.models.shared import run_folder

WINDOW = 400
"""The number of steps for which an image is shown."""

CHUNK = 500
"""The number of images whose counts are written together."""

TOLERANCE = 0.001
"""The accuracy on validation images that spikes may cost when their precision is chosen."""

DEVICE = "cmos_45nm_int8"
"""Whose energy is compared, in `nengo_phasor.energy.DEVICES`."""

RATES = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0)
"""The factors by which NengoDL's converter may multiply firing rates, from few spikes to many."""

AT_ONCE = 10
"""The number of images that NengoDL runs together; a rest of fewer is not shown."""


def calibrated(model: Any, x: np.ndarray, y: np.ndarray, file: Path) -> dict[str, Any]:
    """Convert a model, as coarse as is enough, to a file; return how it was found.

    ``x`` and ``y`` are validation images.
    """
    converted = convert.to_adaptive(model)
    difference = converted.verify(x[:16])
    found = converted.calibrate(x, y, TOLERANCE, n_steps=WINDOW)
    saving.save(file, converted)
    return {
        "rate_network_differs_by": difference,
        "validation_images": len(x),
        "validation_accuracy": found.analog,
        "m_f": found.m_f,
        "tried": [
            {"m_f": trial.m_f, "accuracy": trial.accuracy, "firing_rate": trial.rate}
            for trial in found.trials
        ],
    }


def in_spikes(converted: Any, x: np.ndarray, y: np.ndarray, folder: Path) -> dict[str, Any]:
    """Return a converted network's accuracy on test images, with its spikes and their cost.

    Counts of finished chunks of images are kept in the folder. The image is multiplied once; plain
    spikes are added, and graded ones multiplied.
    """
    network = converted.copy()
    graded = any(e.neuron_type.graded for e in network.layers.values())
    with network:
        probes = {name: nengo.Probe(e.neurons) for name, e in network.layers.items()}
    fan_out = energy.fan_out(network)
    costs = {name: fan_out[e] for name, e in network.layers.items()}

    def counts(part: slice) -> dict[str, Any]:
        right, spikes, operations = 0, dict.fromkeys(probes, 0), 0.0
        flat, classes = x[part].reshape(-1, network.input.size_out), y[part]
        for images, seen, at_end in shown(network, flat, WINDOW, f"from {part.start}"):
            for name, probe in probes.items():
                each = np.count_nonzero(seen[probe], axis=(0, 1))
                spikes[name] += int(each.sum())
                operations += float(each @ costs[name])
            if at_end:
                chosen = seen[network.output][:, -1].argmax(axis=-1)
                right += int(np.count_nonzero(chosen == classes[images]))
        return {"right": right, "spikes": spikes, "operations": operations}

    parts = [slice(k, k + CHUNK) for k in range(0, len(x), CHUNK)]
    done = [run_folder.kept(folder / f"{p.start}.json", lambda p=p: counts(p)) for p in parts]
    of_image = float(np.sum(fan_out[network.input]))
    of_spikes = sum(one["operations"] for one in done) / len(x)
    neurons = {name: e.n_neurons for name, e in network.layers.items()}
    spikes = {name: sum(one["spikes"][name] for one in done) / len(x) for name in neurons}
    return {
        "accuracy": sum(one["right"] for one in done) / len(x),
        "spikes": sum(spikes.values()),
        "spikes_by_layer": spikes,
        "firing_rate": sum(spikes.values()) / sum(neurons.values()) / (WINDOW * DT),
        "joules": joules(mac=of_image + graded * of_spikes, synapse=(1 - graded) * of_spikes),
        "neurons": neurons,
        "test_images": len(x),
    }


def analog(model: Any, network: nengo.Network, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the accuracy of a model itself on test images, and the energy of its products.

    ``network`` is its conversion, with as many synapses as the model has products.
    """
    products = sum(float(np.sum(each)) for each in energy.fan_out(network).values())
    right = np.mean(_classes(model, x) == y)
    return {"accuracy": float(right), "joules": joules(mac=products)}


def joules(**operations: float) -> float:
    """Return the energy of an inference's operations, by kind, on `DEVICE`."""
    return float(energy.energy(operations, DEVICE).total)


def by_nengo_dl(
    model: Any, validation: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> dict[str, Any]:
    """Convert a model of rectifiers with NengoDL's converter; return what it does on test images.

    Rates are multiplied by the smallest of `RATES` for which validation images lose no more than
    `TOLERANCE`, or by the largest.
    """
    wanted = float(np.mean(_classes(model, validation[0]) == validation[1])) - TOLERANCE
    tried = []
    for factor in RATES:
        tried.append({"factor": factor, **run_in_nengo_dl(model, factor, *validation)})
        if tried[-1]["accuracy"] >= wanted:
            break
    best = tried[-1]["factor"]
    return {"factor": best, "tried": tried, **run_in_nengo_dl(model, best, *test)}


def _classes(model: Any, x: np.ndarray) -> np.ndarray:
    """Return the classes that a model gives to images."""
    from nengo_phasor.models.adaptive.training import logits

    return logits(model, x).argmax(axis=-1)


def run_in_nengo_dl(model: Any, factor: float, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Run images in NengoDL's conversion of a model, whose rates are multiplied by a factor."""
    nengo_dl, converter = compat.require("nengo_dl"), nengo_dl_conversion(model, factor)
    ensembles = [e for e in converter.net.all_ensembles if is_spiking(e)]
    with converter.net as network:
        nengo_dl.configure_settings(stateful=False)
        costs = energy.fan_out(network)
        counts = {e: nengo.Node(size_in=2) for e in ensembles}
        for e, node in counts.items():
            each = np.stack([np.ones(e.n_neurons), costs[e]]) * DT / e.neuron_type.amplitude
            nengo.Connection(e.neurons, node, transform=each, synapse=None)
        probes = [nengo.Probe(node) for node in counts.values()]
        smoothed = nengo.Probe(converter.outputs[model.output].target, synapse=0.05)
    image, right, total = converter.inputs[model.input], 0, np.zeros(2)
    neurons, n_images = sum(e.n_neurons for e in ensembles), len(x) - len(x) % AT_ONCE
    with nengo_dl.Simulator(network, minibatch_size=AT_ONCE, progress_bar=False) as sim:
        for k in range(0, n_images, AT_ONCE):
            shown = x[k : k + AT_ONCE].reshape(AT_ONCE, 1, -1)
            seen = sim.predict_on_batch({image: np.tile(shown, (1, WINDOW, 1))})
            right += int(np.sum(seen[smoothed][:, -1].argmax(-1) == y[k : k + AT_ONCE]))
            total += sum(seen[probe].sum(axis=(0, 1)) for probe in probes)
    spikes, operations = total / n_images
    return {
        "accuracy": right / n_images,
        "spikes": float(spikes),
        "firing_rate": float(spikes / neurons / (WINDOW * DT)),
        "joules": joules(mac=float(np.sum(costs[image])), synapse=float(operations)),
        "images": n_images,
    }


def nengo_dl_conversion(model: Any, factor: float) -> Any:
    """Return NengoDL's converter of a model, with spiking neurons, rates multiplied by a factor."""
    return compat.require("nengo_dl").Converter(
        model,
        swap_activations={nengo.RectifiedLinear(): nengo.SpikingRectifiedLinear()},
        scale_firing_rates=factor,
        synapse=0.005,
        inference_only=True,
    )


def is_spiking(ensemble: nengo.Ensemble) -> bool:
    """Return whether an ensemble has the neurons that NengoDL's converter was told to use."""
    return isinstance(ensemble.neuron_type, nengo.SpikingRectifiedLinear)


def images_of(part: tuple[np.ndarray, np.ndarray], n: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the first ``n`` images of a part, as the models take them, and their classes."""
    return pixels(part[0][:n]), part[1][:n]

"""The accuracy of a network that was trained with a cost of spikes, its spikes, and their work."""

from __future__ import annotations

import nengo
import numpy as np

import nengo_phasor
from nengo_phasor import energy
from nengo_phasor.models.lenet.network import DT

CHUNK = 200
"""The number of images whose spikes are in memory at once."""


def measure(net: nengo.Network, x: np.ndarray, y: np.ndarray, steps: int) -> dict:
    """Return the accuracy of a network on images, and its spikes and operations per image.

    Spikes cause ``operations``; the image itself, a current, ``image_operations`` that multiply.
    ``net`` is one that a function in `.designs.DESIGNS` builds. An item whose logits are NaN, as
    after training has diverged, counts as wrong.
    """
    right, spikes, operations = 0, dict.fromkeys(net.spikes, 0), 0.0
    targets = energy.fan_out(net)
    with nengo_phasor.layerwise.Simulator(net, dt=DT, dtype="float32", progress_bar=False) as sim:
        for start in range(0, len(x), CHUNK):
            images = x[start : start + CHUNK].reshape(-1, 1, net.image.size_out)
            seen = sim.predict({net.image: images}, steps)
            logits = seen[net.logits].mean(axis=1)
            correct = logits.argmax(axis=-1) == y[start : start + CHUNK]
            right += int(np.count_nonzero(correct & np.isfinite(logits).all(axis=-1)))
            for name, probe in net.spikes.items():
                counts = np.count_nonzero(seen[probe], axis=(0, 1))
                spikes[name] += int(counts.sum())
                operations += float(counts @ targets[probe.target.ensemble])
    per_image = {name: count / len(x) for name, count in spikes.items()}
    return {
        "accuracy": right / len(x),
        "spikes": sum(per_image.values()),
        "spikes_by_layer": per_image,
        "operations": operations / len(x),
        "image_operations": float(targets[net.image].sum()),
        "neurons": sum(probe.size_in for probe in net.spikes.values()),
    }

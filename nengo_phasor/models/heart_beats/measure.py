"""The accuracy of a network on sequences, and its spikes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nengo_phasor import layerwise
from nengo_phasor.files import UNMARKED
from nengo_phasor.models.heart_beats.data import STEPS, Sequences, as_published
from nengo_phasor.models.heart_beats.designs import Design
from nengo_phasor.models.heart_beats.network import DT, network


def measure(design: Design, params: Mapping[str, np.ndarray], seen: Sequences) -> dict[str, float]:
    """Return the accuracy as published, that of marked steps, and the spikes per sequence."""
    net = network(design, params)
    with layerwise.Simulator(net, dt=DT, dtype="float32", progress_bar=False) as sim:
        found = sim.predict({net.events: seen.x}, STEPS)
    spikes = np.count_nonzero(found[net.spikes], axis=(1, 2))
    return {**scores(found[net.logits], seen.y), "spikes": float(spikes.mean())}


def scores(logits: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the fractions of right steps; a step with NaN counts as wrong."""
    classes = np.where(np.isfinite(logits).all(axis=-1), logits.argmax(axis=-1), -1)
    marked = y != UNMARKED
    return {
        "accuracy": float(np.mean(classes == as_published(y))),
        "marked_accuracy": float(np.mean(classes[marked] == y[marked])),
    }

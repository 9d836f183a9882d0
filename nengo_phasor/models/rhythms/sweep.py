"""Accuracy against spikes: the spiking classifier with more and more spikes dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import nengo
import numpy as np
from tqdm import tqdm

import nengo_phasor
from nengo_phasor import convert, layerwise, metrics, phases
from nengo_phasor.models.rhythms.network import (
    CYCLE,
    CYCLES,
    DT,
    FREQUENCY,
    SIZES,
    phase_network,
)

SPARSIFIERS = {
    "arc": lambda strength: nengo_phasor.ArcSparsifier(strength, FREQUENCY),
    "field": lambda strength: nengo_phasor.FieldSparsifier(strength, FREQUENCY),
    "random": lambda strength: nengo_phasor.RandomSparsifier(strength),
}
RECEIVERS = {"silence": None, "reference": nengo_phasor.AssumeReference(FREQUENCY)}
"""How a receiver treats a missing spike: as silence, or as a spike at the reference."""

STRENGTHS = {
    "arc": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.19, 0.25, 0.32, 0.4, 0.6),
    "field": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.19, 0.25, 0.32, 0.4, 0.6),
    "random": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9),
}


Point = tuple[str, str, float]
"""A point of a curve: receiver, sparsifier, strength."""

DENSE = ("silence", "arc", 0.0)
"""The point at which no spike is dropped."""


def phase_accuracy(params: Mapping[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    """Return the accuracy in the phase domain for phases x, (n, 1024), and labels y, (n,)."""
    net = phase_network(params)
    with layerwise.Simulator(net, dtype="float32", progress_bar=False) as sim:
        rows = phases.to_rows(x).astype(np.float32)[:, None]
        output = phases.from_rows(sim.predict({net.input: rows})[net.output][:, 0])
    return float(metrics.accuracy(metrics.phase_class(phases.from_complex(output)), y))


def sweep_network(params: Mapping[str, np.ndarray], points: Sequence[Point]) -> nengo.Network:
    """Return the spiking network with one output layer for each point.

    The output layers share the hidden layer, whose spikes do not depend on the sparsifier behind
    it. ``input`` takes phases. ``outputs`` and ``counts`` are lists of probes: of the spikes sent
    by each output layer, and of the numbers of spikes sent by hidden and output layer.
    """
    old = phase_network(params)
    twin, new = convert.to_spiking(old, nengo_phasor.ResonateAndFire(FREQUENCY))
    hidden, output = old.classifier.layers
    twin.input, twin.outputs, twin.counts = new[old.input], [], []
    for point in points:
        decided, count = _branch(
            twin, new[hidden.units], new[output.weights], new[output.bias], point
        )
        twin.outputs.append(decided)
        twin.counts.append(count)
    return twin


def _branch(twin, hidden, weights, bias, point: Point) -> tuple[nengo.Probe, nengo.Probe]:
    """Add an output layer for a point; return the probes of its spikes and of their numbers."""
    receiver, name, strength = point
    sparsifier = SPARSIFIERS[name](strength)
    with twin:
        sent, received = nengo.Node(size_in=SIZES[1]), nengo.Node(size_in=SIZES[1])
        nengo.Connection(hidden.neurons, sent, synapse=sparsifier)
        nengo.Connection(sent, received, synapse=RECEIVERS[receiver])
        units = nengo.Ensemble(SIZES[2], 1, neuron_type=nengo_phasor.ResonateAndFire(FREQUENCY))
        nengo.Connection(received, units.neurons, transform=weights.transform, synapse=None)
        nengo.Connection(bias.pre, units.neurons, transform=bias.transform, synapse=None)
        decided, count = nengo.Node(size_in=SIZES[2]), nengo.Node(size_in=2)
        nengo.Connection(units.neurons, decided, synapse=sparsifier)
        for k, layer in enumerate((sent, decided)):
            ones = np.full((1, layer.size_in), DT)
            nengo.Connection(layer, count[k], transform=ones, synapse=None)
        return nengo.Probe(decided), nengo.Probe(count)


def sweep(
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    points: Sequence[Point],
    chunk: int = 250,
) -> list[dict]:
    """Return accuracy and spikes per image at each point, for phases x, (n, 1024), and labels y.

    Spikes of both layers are counted; those of the hidden layer are counted separately as well.
    """
    net = sweep_network(params, points)
    n_steps = round(CYCLES / (FREQUENCY * DT))
    right, spikes = np.zeros((len(points), CYCLES)), np.zeros((len(points), 2))
    with layerwise.Simulator(net, dt=DT, dtype="float32", progress_bar=False) as sim:
        for start in tqdm(range(0, len(x), chunk), desc="images", unit=f"{chunk} images"):
            labels = y[start : start + chunk]
            seen = sim.predict({net.input: x[start : start + chunk, None]}, n_steps)
            for k, (output, count) in enumerate(zip(net.outputs, net.counts, strict=True)):
                decoded = phases.from_raster(seen[output], FREQUENCY, DT, CYCLES)
                right[k] += metrics.accuracy(metrics.phase_class(decoded), labels) * len(labels)
                spikes[k] += seen[count].sum(axis=(0, 1))
    return [
        {
            "strength": strength,
            "accuracy": float(right[k, CYCLE] / len(x)),
            "accuracy_per_cycle": (right[k] / len(x)).tolist(),
            "spikes": float(spikes[k].sum() / len(x)),
            "hidden_spikes": float(spikes[k, 0] / len(x)),
        }
        for k, (_, _, strength) in enumerate(points)
    ]


def curves(
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    points: Sequence[Point],
    spikes: str = "spikes",
) -> dict[tuple[str, str], list[dict]]:
    """Return, for each receiver and sparsifier of the points, scores from all spikes to the fewest.

    A score's ``removed`` is the fraction dropped from the ``spikes`` of both layers, or from
    the "hidden_spikes".
    """
    dense, *scores = sweep(params, x, y, [DENSE, *points])
    for score in (dense, *scores):
        score["removed"] = 1 - score[spikes] / dense[spikes]
    found: dict[tuple[str, str], list[dict]] = {}
    for (receiver, name, _), score in zip(points, scores, strict=True):
        found.setdefault((receiver, name), [dense]).append(score)
    return found


def accuracy_at(curve: Sequence[Mapping], removed: float) -> float:
    """Return the accuracy on a curve when a fraction of spikes is removed, interpolated."""
    points = sorted((point["removed"], point["accuracy"]) for point in curve)
    return float(np.interp(removed, *zip(*points, strict=True)))

"""A trained network in spikes, under several rules, and its scores."""

from __future__ import annotations

import time
from typing import NamedTuple

import nengo
import numpy as np

from nengo_phasor import ResonateAndFire, convert, layerwise, metrics, phases
from nengo_phasor.models.deep_rhythms.data import encode
from nengo_phasor.models.rhythms.network import DT, FREQUENCY
from nengo_phasor.models.rhythms.organic import RULES, STEPS


class Point(NamedTuple):
    """A rule, and its strength."""

    rule: str
    strength: float = 0.0


class Spiking(NamedTuple):
    """A spiking classifier: its network, its input, and its probes.

    ``reference`` has the spikes that carry the output layer's bias: those of a clock or of a unit.
    ``counts`` has the number of spikes sent by each hidden layer, and of all units' spikes.
    """

    network: nengo.Network
    input: nengo.Node
    output: nengo.Probe
    reference: nengo.Probe
    counts: nengo.Probe


def spiking(net: nengo.Network, point: Point) -> Spiking:
    """Return a trained network of `.network.classifier` in spikes, under a rule."""
    twin, new = convert.to_spiking(
        net, ResonateAndFire(FREQUENCY), assume_reference=True, **RULES[point.rule](point.strength)
    )
    units = [new[probe.obj].reference for probe in net.hidden if probe.obj in new]
    with twin:
        counts = nengo.Node(size_in=len(net.hidden) + 1, label="counts")
        for k, probe in enumerate(net.hidden):
            _count(new[probe].target, counts[k])
        for unit in units:
            _count(unit, counts[-1])
        reference = nengo.Probe(new[net.bias].pre)
        counted = nengo.Probe(counts)
    twin.probes[:] = [new[net.output], reference, counted]  # others would keep much
    return Spiking(twin, new[net.input], new[net.output], reference, counted)


def _count(spikes, target) -> None:
    ones = np.full((1, spikes.size_out), DT)
    nengo.Connection(spikes, target, transform=ones, synapse=None)


def score(
    net: nengo.Network, images: np.ndarray, y: np.ndarray, point: Point, cycles: int, chunk: int
) -> dict:
    """Return the number of images of the right class, and the number of spikes, under a rule.

    Parameters
    ----------
    net : nengo.Network
        The trained network in the phase domain.
    images : (n, height, width, channels) ndarray of uint8
        The images.
    y : (n,) ndarray of int
        The labels.
    point : Point
        The rule.
    cycles : int
        The cycles for which each image is shown.
    chunk : int
        The number of images at a time.
    """
    made = spiking(net, point)
    right, spikes, began = 0, np.zeros(made.counts.size_in), time.process_time()
    with layerwise.Simulator(made.network, dt=DT, dtype="float32", progress_bar=False) as sim:
        for first in range(0, len(images), chunk):
            x, labels = encode(images[first : first + chunk]), y[first : first + chunk]
            seen = sim.predict({made.input: x[:, None]}, cycles * STEPS)
            decoded = latest(seen[made.output], seen[made.reference])
            right += np.sum(metrics.phase_class(decoded) == labels)
            spikes += seen[made.counts].sum(axis=(0, 1))
    return {
        "images": len(images),
        "right": int(right),
        "spikes": spikes[:-1].tolist(),
        "unit_spikes": float(spikes[-1]),
        "processor_seconds": time.process_time() - began,
    }


def latest(raster: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the phases of the last whole cycle around a spike of the reference, (n_items, n)."""
    last = [spikes[:, -2 * STEPS :] for spikes in (raster, reference)]
    decoded = phases.from_reference(*last, FREQUENCY, DT, 2)
    whole = np.isfinite(decoded).any(axis=-1)
    return np.where(whole[:, :1], decoded[:, 0], decoded[:, 1])


def phase_classes(net: nengo.Network, images: np.ndarray, chunk: int = 500) -> np.ndarray:
    """Return the classes of images in the phase domain, (n,)."""
    outputs = [
        _phasors(net, images[first : first + chunk])[net.output]
        for first in range(0, len(images), chunk)
    ]
    return metrics.phase_class(phases.from_complex(np.concatenate(outputs)))


def mean_fields(net: nengo.Network, images: np.ndarray) -> list[dict[str, float]]:
    """Return for each hidden layer the mean of its phasors, in the phase domain.

    Its ``length``, the mean over images, is 1 if all phases are equal. ``spread`` is the root mean
    square of its phase over images, in units of pi, which a rhythm's unit takes for the reference.
    """
    seen = _phasors(net, images)
    fields = [seen[probe].mean(axis=-1) for probe in net.hidden]
    return [
        {
            "length": float(np.abs(field).mean()),
            "spread": float(np.sqrt(np.mean((np.angle(field) / np.pi) ** 2))),
        }
        for field in fields
    ]


def _phasors(net: nengo.Network, images: np.ndarray) -> dict[nengo.Probe, np.ndarray]:
    """Return what the probes of a network in the phase domain see of images, as complex numbers."""
    x = phases.to_rows(encode(images)).astype(np.float32)[:, None]
    with layerwise.Simulator(net, dtype="float32", progress_bar=False) as sim:
        seen = sim.predict({net.input: x})
    return {probe: phases.from_rows(rows[:, 0]) for probe, rows in seen.items()}

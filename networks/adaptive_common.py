"""What the adaptive networks share: runs that resume, spiking evaluation, precision, arousal.

Analog networks are trained by `adaptive_training`; figures are drawn by `adaptive_report`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import nengo
import numpy as np
from tqdm import tqdm

from nengo_phasor import arousal, datasets, layerwise, metrics, results

DT = 0.001
WINDOW = 500
"""Steps for which an input is shown; the paper's matching times go up to 372 ms."""

BIN = 10
"""Steps over which kept outputs are averaged."""

CHUNK = 250
"""Inputs that are run, and kept, at a time."""


def open_run(folder: Path, settings: Mapping[str, Any], resume: bool) -> None:
    """Empty the folder for a new run, or check that the run in it is the one to resume.

    Raises
    ------
    click.ClickException
        If the run in it has other settings.
    """
    note = folder / "settings.json"
    if resume and note.exists():
        if json.loads(note.read_text()) != json.loads(json.dumps(settings)):
            raise click.ClickException(
                f"{note} is of a run with other settings; give another folder, or leave "
                "out --resume to start anew"
            )
        return
    for made in (*folder.glob("**/*.npz"), *folder.glob("*.json")):
        made.unlink()
    results.write(note, settings)


# ---------------------------------------------------------------------------------- simulation


class Seen(NamedTuple):
    """What is kept of spiking runs.

    ``classes`` (n_items, n_steps) have the highest output; ``outputs`` (n_items, n_bins, n_classes)
    are averaged over `BIN` steps each; ``spikes`` (n_items, n_layers) are numbers of spikes.
    ``highlighted`` (n_items,) tells which items arousal ran on at high precision.
    """

    classes: np.ndarray
    outputs: np.ndarray
    spikes: np.ndarray
    highlighted: np.ndarray


class Spiking:
    """A converted network with its spikes counted, layer by layer, and run in layerwise.

    Parameters
    ----------
    converted : nengo_phasor.convert.adaptive.Converted
        Nodes that count are added to its network.
    """

    def __init__(self, converted):
        self.converted = converted
        self.counts = {}
        with converted.network:
            for name, layer in converted.layers.items():
                count = nengo.Node(size_in=1, label=f"{name} spikes")
                ones = np.full((1, layer.n_neurons), DT)
                nengo.Connection(layer.neurons, count, transform=ones, synapse=None)
                self.counts[name] = nengo.Probe(count)

    @property
    def n_neurons(self) -> dict[str, int]:
        """How many neurons each layer has."""
        return {name: layer.n_neurons for name, layer in self.converted.layers.items()}

    def advance(self, x: np.ndarray, n_steps: int, m_f: float, state=None):
        """Run inputs at a precision; return outputs, spikes by layer, and where it stands then."""
        self.converted.set_precision(m_f)
        with layerwise.Simulator(self.converted.network, dt=DT, dtype="float32") as sim:
            data = {self.converted.input: x.reshape(len(x), 1, -1)}
            seen, state = sim.advance(data, n_steps, state)
        amplitudes = [e.neuron_type.amplitude for e in self.converted.layers.values()]
        sums = [seen[probe].sum(axis=(1, 2), dtype=float) for probe in self.counts.values()]
        return seen[self.converted.output], np.stack(sums, axis=1) / amplitudes, state

    def aroused(self, x: np.ndarray, n_steps: int, how: arousal.Arousal):
        """Run inputs with arousal; return outputs, spikes by layer, and which were highlighted."""
        spikes = np.zeros((len(x), len(self.counts)))

        def run(items, n_steps, m_f, state):
            before = state if state is None else state[items]
            outputs, sent, after = self.advance(x[items], n_steps, m_f, before)
            spikes[items] += sent
            return outputs, sent.sum(axis=1), after

        done = arousal.classify(how, run, len(x), n_steps, DT)
        return done.outputs, spikes, done.highlighted

    def chunk(self, x: np.ndarray, how: float | arousal.Arousal, n_steps: int) -> Seen:
        """Run some inputs, at a precision or with arousal."""
        if isinstance(how, arousal.Arousal):
            outputs, spikes, highlighted = self.aroused(x, n_steps, how)
        else:
            outputs, spikes, _ = self.advance(x, n_steps, how)
            highlighted = np.zeros(len(x), bool)
        bins = outputs[:, : n_steps // BIN * BIN].reshape(len(x), -1, BIN, outputs.shape[-1])
        classes = np.argmax(outputs, axis=-1).astype(np.uint16)
        return Seen(classes, bins.mean(axis=2), spikes, highlighted)

    def run(
        self,
        x: np.ndarray,
        how: float | arousal.Arousal,
        folder: Path,
        name: str,
        n_steps: int = WINDOW,
    ) -> Seen:
        """Run inputs, in chunks that the folder keeps: an interrupted run goes on from there.

        Parameters
        ----------
        x : (n_items, ...) ndarray
            The model's input, of single precision.
        how : float or nengo_phasor.arousal.Arousal
            The precision m_f, or when to change it.
        folder : path
            Of the kept chunks. They are taken for those of the same network and inputs: see
            `open_run`.
        name : str
            Of this run, within the folder.
        n_steps : int
            The window.
        """
        starts = range(0, len(x), CHUNK)
        parts = []
        for start in tqdm(starts, desc=name, unit=f"{CHUNK} inputs", disable=len(starts) == 1):
            file = folder / "chunks" / f"{name}-{start}.npz"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                part = self.chunk(x[start : start + CHUNK], how, n_steps)
                datasets.save_params(file, **part._asdict())
            parts.append(Seen(**datasets.load_params(file)))
        return Seen(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def summary(seen: Seen, labels: np.ndarray, n_neurons: Mapping[str, int]) -> dict[str, Any]:
    """Return accuracy at the window's end, its course, and firing rates, as results show them."""
    course = metrics.accuracy(seen.classes, labels)
    window = len(course) * DT
    sent = seen.spikes.sum(axis=1)
    return {
        "accuracy": float(course[-1]),
        "firing_rate": metrics.firing_rate(sent, sum(n_neurons.values()), window),
        "firing_rates": {
            name: metrics.firing_rate(seen.spikes[:, k], n, window)
            for k, (name, n) in enumerate(n_neurons.items())
        },
        "matching_time": metrics.matching_time(course, DT),
        "stability": metrics.stability(course),
        "spikes_per_inference": float(sent.mean()),
        "selectivity": metrics.selectivity(seen.highlighted),
        "accuracy_over_time": course[BIN - 1 :: BIN].tolist(),
    }


# --------------------------------------------------------------------------- precision, arousal


def coarsest(points: Mapping[float, Mapping[str, Any]], accuracy: float) -> float:
    """Return the largest m_f up to which every precision has at least this accuracy.

    If the finest misses it, the most accurate of all.
    """
    good = None
    for m_f in sorted(points):
        if points[m_f]["accuracy"] < accuracy:
            break
        good = m_f
    return max(points, key=lambda m_f: points[m_f]["accuracy"]) if good is None else good


def finest(points: Mapping[float, Mapping[str, Any]], firing_rate: float) -> float:
    """Return the smallest m_f whose firing rate is at most this (Hz); else the largest m_f."""
    slow = [m_f for m_f, point in points.items() if point["firing_rate"] <= firing_rate]
    return min(slow, default=max(points))


class Candidate(NamedTuple):
    """A fitted arousal, and the firing rate (Hz) and accuracy that runs at its precisions foretell."""

    arousal: arousal.Arousal
    firing_rate: float
    accuracy: float


def foretell(
    how: arousal.Arousal, low: Seen, high: Seen, labels: np.ndarray, n_neurons: int
) -> Candidate:
    """Return what a fitted arousal would give, from complete runs at its two precisions."""
    window = low.classes.shape[1] * DT
    chosen = how.uncertain(low.outputs, BIN * DT)
    classes = np.where(chosen, high.classes[:, -1], low.classes[:, -1])
    rates = [metrics.firing_rate(s.spikes.sum(axis=1), n_neurons, window) for s in (low, high)]
    late = metrics.selectivity(chosen) * (1 - (how.wait + how.duration) / window)
    rate = rates[0] * (1 - late) + rates[1] * late
    return Candidate(how, rate, float(metrics.accuracy(classes, labels)))


def fit_arousal(
    runs: Mapping[float, Seen],
    high: float,
    labels: np.ndarray,
    n_neurons: int,
    accuracy: float,
    waits: Sequence[float] = (0.05, 0.1, 0.15),
    durations: Sequence[float] = (0.02, 0.05, 0.1),
    fractions: Sequence[float] = (0.9, 0.95, 0.99, 1.0),
) -> Candidate:
    """Return the arousal with the lowest firing rate that keeps an accuracy.

    ``runs`` at several precisions, on inputs that are not the test set's, foretell both. If none
    keeps the accuracy, the most accurate is returned.
    """
    precise = runs[high].classes[:, -1]
    found = [
        foretell(
            arousal.Arousal(low, high, wait, duration).fit(
                seen.outputs, labels, precise, BIN * DT, fraction
            ),
            seen,
            runs[high],
            labels,
            n_neurons,
        )
        for low, seen in runs.items()
        if low > high
        for wait in waits
        for duration in durations
        for fraction in fractions
    ]
    if not found:
        raise click.ClickException(
            f"no precision is lower than that of m_f = {high}: add larger m_f"
        )
    kept = [candidate for candidate in found if candidate.accuracy >= accuracy]
    if kept:
        return min(kept, key=lambda candidate: candidate.firing_rate)
    return max(found, key=lambda candidate: candidate.accuracy)

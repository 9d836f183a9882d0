"""What the adaptive networks share: runs that resume, spiking evaluation, precision, arousal.

Analog networks are trained by `adaptive_training`; figures are drawn by `adaptive_report`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
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

PRECISIONS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""The m_f that are tried on validation inputs."""

MATCH = 0.001
"""By how much accuracy may differ for a spiking network to match its analog one."""

LOW_RATE = 10.0
"""The paper's low firing rate, in Hz."""

MARGIN = 0.95
"""The fraction of it that is aimed at: other inputs cause more or fewer spikes."""


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


def subset(x: np.ndarray, y: np.ndarray, n: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return so many samples chosen at random, in their order; all, if there are no more."""
    if n is None or n >= len(x):
        return x, y
    chosen = np.sort(np.random.RandomState(seed).permutation(len(x))[:n])
    return x[chosen], y[chosen]


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

    def fixed(self, x: np.ndarray, m_f: float, n_steps: int) -> tuple[Seen]:
        """Run inputs at one precision."""
        outputs, sent, _ = self.advance(x, n_steps, m_f)
        return (_kept(outputs, sent, np.zeros(len(x), bool)),)

    def aroused(self, x: np.ndarray, how: arousal.Arousal, n_steps: int) -> tuple[Seen, Seen]:
        """Run inputs at low precision, and with arousal, which begins in the same way."""
        _, first = how.steps(DT)
        start, sent, state = self.advance(x, first, how.low)
        rest, sent_later, _ = self.advance(x, n_steps - first, how.low, state)
        spikes = sent + sent_later

        def run(items, n_steps, m_f, before):
            if before is None:
                return start, sent.sum(axis=1), state
            if m_f == how.low:
                return rest[items], sent_later[items].sum(axis=1), None
            outputs, sent_high, after = self.advance(x[items], n_steps, m_f, before[items])
            spikes[items] = sent[items] + sent_high
            return outputs, sent_high.sum(axis=1), after

        low = _kept(np.concatenate([start, rest], axis=1), spikes.copy(), np.zeros(len(x), bool))
        done = arousal.classify(how, run, len(x), n_steps, DT)
        return low, _kept(done.outputs, spikes, done.highlighted)

    def run(
        self,
        x: np.ndarray,
        how: float | arousal.Arousal,
        folder: Path,
        name: str,
        n_steps: int = WINDOW,
    ) -> tuple[Seen, ...]:
        """Run inputs, in chunks that the folder keeps: an interrupted run goes on from there.

        Parameters
        ----------
        x : (n_items, ...) ndarray
            The model's input, in single precision.
        how : float or nengo_phasor.arousal.Arousal
            The precision m_f, or when to change it.
        folder : path
            Of the kept chunks. They are taken for those of the same network and inputs: see
            `open_run`.
        name : str
            Of this run, within the folder.
        n_steps : int
            The window.

        Returns
        -------
        tuple of `Seen`
            At that precision; or at the arousal's low precision, and with arousal.
        """
        run = self.aroused if isinstance(how, arousal.Arousal) else self.fixed
        chunks = []
        for start in tqdm(range(0, len(x), CHUNK), desc=name, unit=f"{CHUNK} inputs"):
            file = folder / f"{name}-{start}.npz"
            if not file.exists():
                folder.mkdir(parents=True, exist_ok=True)
                done = run(x[start : start + CHUNK], how, n_steps)
                fields = {
                    f"{field}_{k}": value
                    for k, seen in enumerate(done)
                    for field, value in seen._asdict().items()
                }
                datasets.save_params(file, **fields)
            saved = datasets.load_params(file)
            n_seen = len(saved) // len(Seen._fields)
            chunks.append([[saved[f"{f}_{k}"] for f in Seen._fields] for k in range(n_seen)])
        return tuple(
            Seen(*map(np.concatenate, zip(*parts, strict=True)))
            for parts in zip(*chunks, strict=True)
        )


def _kept(outputs, spikes, highlighted):
    """Return what is kept of a run."""
    n_items, n_steps, n_classes = outputs.shape
    bins = outputs[:, : n_steps // BIN * BIN].reshape(n_items, -1, BIN, n_classes)
    classes = np.argmax(outputs, axis=-1).astype(np.uint16)
    return Seen(classes, bins.mean(axis=2), spikes, highlighted)


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
    """A fitted arousal; the firing rate (Hz) and accuracy that complete runs foretell of it."""

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


def measure(
    spiking: Spiking,
    validation: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    folder: Path,
    precisions: Sequence[float] = PRECISIONS,
) -> dict[str, Any]:
    """Measure a spiking network beside its analog one: accuracy, firing rate, matching time.

    Runs at several precisions on the validation inputs choose what the test inputs are run at:
    "precise" is the lowest precision that matches the analog network, "sparse" the highest that
    fires at no more than `LOW_RATE`, or "precise" if that does; "aroused" begins at "low" and goes
    on at "precise" where it has to.

    Parameters
    ----------
    spiking : `Spiking`
        The network.
    validation, test : (x, y)
        Inputs, bytes or numbers as the model was trained with, and classes.
    folder : path
        For what is kept of the runs; see `Spiking.run`.
    precisions : sequence of float
        The m_f to choose from.

    Returns
    -------
    dict
        "analog", "precise", "sparse", "low", "aroused" on the test inputs, "validation" by m_f.
    """
    from adaptive_training import logits, pixels

    model, neurons = spiking.converted.model, spiking.n_neurons

    def analog_accuracy(x, y):
        return float(metrics.accuracy(np.argmax(logits(model, x), axis=1), y))

    x, y = validation
    spiking.converted.verify(pixels(x[:16]))
    analog = analog_accuracy(x, y)
    runs = {m_f: spiking.run(pixels(x), m_f, folder, f"validation-{m_f}")[0] for m_f in precisions}
    points = {m_f: summary(seen, y, neurons) for m_f, seen in runs.items()}
    precise = coarsest(points, analog - MATCH)
    slow = points[precise]["firing_rate"] <= MARGIN * LOW_RATE
    sparse = precise if slow else finest(points, MARGIN * LOW_RATE)
    fitted = fit_arousal(runs, precise, y, sum(neurons.values()), points[precise]["accuracy"])

    x, y = pixels(test[0]), test[1]
    low, aroused = spiking.run(x, fitted.arousal, folder, "test-aroused")
    seen = {fitted.arousal.low: low}
    for m_f in {precise, sparse} - set(seen):
        seen[m_f] = spiking.run(x, m_f, folder, f"test-{m_f}")[0]
    shown = {"precise": precise, "sparse": sparse, "low": fitted.arousal.low}
    return {
        "analog": {"accuracy": analog_accuracy(*test), "validation_accuracy": analog},
        "n_neurons": neurons,
        "n_validation": len(validation[1]),
        "n_test": len(y),
        **{key: {"m_f": m_f, **summary(seen[m_f], y, neurons)} for key, m_f in shown.items()},
        "aroused": {
            **{key: getattr(fitted.arousal, key) for key in ("wait", "duration", "threshold")},
            "foretold_firing_rate": fitted.firing_rate,
            "foretold_accuracy": fitted.accuracy,
            **summary(aroused, y, neurons),
        },
        "validation": {str(m_f): point for m_f, point in points.items()},
    }


# ----------------------------------------------------------------------------------------- claims


class Promise(NamedTuple):
    """How a claim's number is found in what `measure` returns, and its unit."""

    value: Callable[[Mapping[str, Any]], float]
    unit: str = ""


def _lost(found, which):
    """Return the points of accuracy that are lost on the way to spikes."""
    return 100 * (found["analog"]["accuracy"] - found[which]["accuracy"])


CLAIMS = {
    "analog accuracy": Promise(lambda found: found["analog"]["accuracy"]),
    "accuracy lost to spikes": Promise(lambda found: _lost(found, "precise"), "points"),
    "firing rate": Promise(lambda found: found["precise"]["firing_rate"], "Hz"),
    "matching time": Promise(lambda found: found["precise"]["matching_time"], "s"),
    "accuracy at low firing rate": Promise(lambda found: found["sparse"]["accuracy"]),
    "accuracy lost at low firing rate": Promise(lambda found: _lost(found, "sparse"), "points"),
    "low firing rate": Promise(lambda found: found["sparse"]["firing_rate"], "Hz"),
    "accuracy lost with arousal": Promise(
        lambda found: _lost(found, "aroused") - _lost(found, "precise"), "points"
    ),
    "firing rate with arousal, of that without": Promise(
        lambda found: found["aroused"]["firing_rate"] / found["precise"]["firing_rate"]
    ),
}


def claims(
    found: Mapping[str, Any], title: str, bounds: Mapping[str, tuple[str, str]]
) -> list[results.Claim]:
    """Return what is promised of a measured network, in the order of ``bounds``.

    ``bounds`` has a bound and the paper's own number, which may be "", by names in `CLAIMS`.
    """
    return [
        results.Claim(f"{title}: {name}", promise.value(found), promise.unit, bound, paper)
        for name, (bound, paper) in bounds.items()
        for promise in (CLAIMS[name],)
    ]

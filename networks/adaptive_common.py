"""What the adaptive networks share: stacks of layers, runs, choice of precision, measures, claims.

`adaptive_training` trains analog networks, `adaptive_spiking` runs them in spikes, and
`adaptive_report` draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from adaptive_spiking import BIN, DT, Seen, Spiking, summary

from nengo_phasor import arousal, metrics, results

PRECISIONS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""The m_f that are tried on validation inputs."""

MATCH = 0.0005
"""By how much accuracy may be lower for a spiking network to match its analog one."""

LOW_RATE = 10.0
"""The paper's low firing rate, in Hz."""

HIGH_RATE = 68.0
"""The paper's highest, in Hz."""

MARGIN = 0.95
"""The fraction of them that is aimed at: other inputs cause more or fewer spikes."""


WAYS = ("precise", "sparse", "low", "aroused")
"""In which a network is run: see `measure`."""


@dataclass(frozen=True)
class Layout:
    """A network's layers: maps of 3 x 3 convolutions, with a pooling after each group; units."""

    convolutions: tuple[tuple[int, ...], ...]
    dense: tuple[int, ...]


def keras_model(
    layout: Layout,
    seed: int = 0,
    dropout: float = 0.0,
    map_dropout: float = 0.0,
    shape: tuple[int, int, int] = (28, 28, 1),
    classes: int = 10,
):
    """Return the analog network: an image in, logits of its classes out.

    Batch normalisation and the transfer function follow every layer and the pixels themselves.
    Normalisation has no gain, so that no activation shrinks to a size for which spikes are too
    coarse. Pooling comes before the activation, with which it commutes: that takes fewer neurons.
    ``dropout`` is of what dense layers get, ``map_dropout`` of convolutions without pooling.
    """
    import tensorflow as tf
    from adaptive_training import Dropout

    from nengo_phasor.dl.activations import HalfSigmoid

    layers = tf.keras.layers

    def activate(x, name, pool=False):
        x = layers.BatchNormalization(scale=False, name=f"{name}_norm")(x)
        if pool:
            x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
        return HalfSigmoid(name=name)(x)

    image = layers.Input(shape, name="image")
    x = activate(image, "pixels")
    for j, group in enumerate(layout.convolutions):
        for k, maps in enumerate(group):
            name, pool = f"conv{j + 1}{'abc'[k]}", k == len(group) - 1
            x = layers.Conv2D(maps, 3, padding="same", use_bias=False, name=f"{name}_weights")(x)
            x = activate(x, name, pool)
            if map_dropout and not pool:
                x = Dropout(map_dropout, seed=seed + 10 * j + k, name=f"{name}_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    for k, units in enumerate(layout.dense):
        if dropout:
            x = Dropout(dropout, seed=seed + k, name=f"dropout{k + 1}")(x)
        x = layers.Dense(units, use_bias=False, name=f"dense{k + 1}_weights")(x)
        x = activate(x, f"dense{k + 1}")
    return tf.keras.Model(image, layers.Dense(classes, name="classes")(x))


def subset(x: np.ndarray, y: np.ndarray, n: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return so many samples in random order, None being all: of more, the first are the same."""
    chosen = np.random.RandomState(seed).permutation(len(x))[:n]
    return x[chosen], y[chosen]


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


def affordable(points: Mapping[float, Mapping[str, Any]]) -> float:
    """Return the finest precision that fires no faster than the paper's networks.

    For few validation inputs, on which accuracies hardly tell precisions apart.
    """
    return finest(points, MARGIN * HIGH_RATE)


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


def analog_accuracy(spiking: Spiking, x: np.ndarray, y: np.ndarray) -> float:
    """Return the accuracy of a spiking network's analog one."""
    from adaptive_training import logits

    return float(metrics.accuracy(np.argmax(logits(spiking.converted.model, x), axis=1), y))


class Tried(NamedTuple):
    """Validation inputs: the analog network's accuracy; runs in spikes, and their `summary`.

    ``difference`` is the converted network's, with rates, from the analog one.
    """

    analog: float
    difference: float
    runs: dict[float, Seen]
    points: dict[float, dict[str, Any]]


def tried(
    spiking: Spiking,
    validation: tuple[np.ndarray, np.ndarray],
    folder: Path,
    precisions: Sequence[float],
) -> Tried:
    """Run validation inputs at several precisions, once the conversion is verified."""
    from adaptive_training import pixels

    x, y = pixels(validation[0]), validation[1]
    difference = spiking.converted.verify(x[:16])
    runs = {m_f: spiking.run(x, m_f, folder, f"validation-{m_f}")[0] for m_f in precisions}
    points = {m_f: summary(seen, y, spiking.n_neurons) for m_f, seen in runs.items()}
    return Tried(analog_accuracy(spiking, *validation), difference, runs, points)


def compare(
    spiking: Spiking,
    validation: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    folder: Path,
    precisions: Sequence[float],
) -> dict[str, Any]:
    """Compare a spiking network with its analog one at the `affordable` precision alone.

    For networks that take long to run. Parameters and result are those of `measure`, without
    "sparse", "low" and "aroused".
    """
    from adaptive_training import pixels

    analog, difference, _, points = tried(spiking, validation, folder, precisions)
    m_f = affordable(points)
    (seen,) = spiking.run(pixels(test[0]), m_f, folder, f"test-{m_f}")
    return {
        "analog": {"accuracy": analog_accuracy(spiking, *test), "validation_accuracy": analog},
        "rate_network_differs_by": difference,
        "n_neurons": spiking.n_neurons,
        "n_validation": len(validation[1]),
        "n_test": len(test[1]),
        "precise": {"m_f": m_f, **summary(seen, test[1], spiking.n_neurons)},
        "validation": {str(m_f): point for m_f, point in points.items()},
    }


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
    from adaptive_training import pixels

    neurons, y = spiking.n_neurons, validation[1]
    analog, difference, runs, points = tried(spiking, validation, folder, precisions)
    precise = coarsest(points, analog - MATCH)
    slow = points[precise]["firing_rate"] <= MARGIN * LOW_RATE
    sparse = precise if slow else finest(points, MARGIN * LOW_RATE)
    fitted = fit_arousal(runs, precise, y, sum(neurons.values()), points[precise]["accuracy"])

    x, y = pixels(test[0]), test[1]
    how = fitted.arousal
    name = f"test-aroused-{how.low}-{how.high}-{how.wait}-{how.duration}-{how.threshold:.6g}"
    low, aroused = spiking.run(x, how, folder, name)
    seen = {how.low: low}
    for m_f in {precise, sparse} - set(seen):
        seen[m_f] = spiking.run(x, m_f, folder, f"test-{m_f}")[0]
    shown = {"precise": precise, "sparse": sparse, "low": how.low}
    return {
        "analog": {"accuracy": analog_accuracy(spiking, *test), "validation_accuracy": analog},
        "rate_network_differs_by": difference,
        "n_neurons": neurons,
        "n_validation": len(validation[1]),
        "n_test": len(y),
        **{key: {"m_f": m_f, **summary(seen[m_f], y, neurons)} for key, m_f in shown.items()},
        "aroused": {
            **{key: getattr(how, key) for key in ("wait", "duration", "threshold")},
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
    "difference between spikes and analog": Promise(
        lambda found: abs(_lost(found, "precise")), "points"
    ),
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

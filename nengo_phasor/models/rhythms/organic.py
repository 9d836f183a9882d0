"""The classifier without a clock: each layer follows its own rhythm unit, under several rules."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import nengo
import numpy as np
from tqdm import tqdm

from nengo_phasor import (
    ArcSparsifier,
    DifferenceSparsifier,
    RandomSparsifier,
    ReactiveSparsifier,
    ResonateAndFire,
    RhythmSparsifier,
    convert,
    layerwise,
    metrics,
    phases,
)
from nengo_phasor.models.rhythms.network import CYCLE, CYCLES, DT, FREQUENCY, phase_network

STEPS = round(1 / (FREQUENCY * DT))
"""The time steps of a cycle."""

ALL = "all spikes, by the clock"

RULES: dict[str, Callable[[float], dict[str, Any]]] = {
    ALL: lambda strength: {},
    "arc, by the clock": lambda strength: {"sparsifier": ArcSparsifier(strength, FREQUENCY)},
    "window around the unit": lambda strength: {"rhythm": RhythmSparsifier(strength, FREQUENCY)},
    "difference from the mean field": lambda strength: {
        "rhythm": DifferenceSparsifier(strength, FREQUENCY)
    },
    "reactive inhibition, by the clock": lambda strength: {
        "sparsifier": ReactiveSparsifier(strength)
    },
    "random, by the clock": lambda strength: {"sparsifier": RandomSparsifier(strength)},
}
"""The arguments of `.to_spiking` for a rule and a strength. A rule with a rhythm has no clock."""

STRENGTHS = {
    "arc, by the clock": (0.02, 0.04, 0.06, 0.1, 0.15),
    "window around the unit": (0.0, 0.03, 0.06, 0.1, 0.15, 0.2),
    "difference from the mean field": (0.03, 0.06, 0.1, 0.15),
    "reactive inhibition, by the clock": (0.2, 0.4, 0.6, 0.8),
    "random, by the clock": (0.1, 0.3, 0.5),
}

LATEST = CYCLES - 3
"""The spike of a unit, counted from 0, around which a cycle is decoded.

Units first spike in the first or in the second cycle, so this is the last that is whole in both
cases.
"""


class Point(NamedTuple):
    """A rule, its strength, and the frequency of the neurons, which the input may not share."""

    rule: str
    strength: float = 0.0
    frequency: float = FREQUENCY


class Clockless(NamedTuple):
    """A spiking classifier: its network, its input, and its probes.

    ``counts`` has the number of hidden spikes and of the hidden unit's spikes. ``reference`` is the
    hidden unit's spikes, or None where a clock is read.
    """

    network: nengo.Network
    input: nengo.Node
    output: nengo.Probe
    counts: nengo.Probe
    reference: nengo.Probe | None


def classifier(params: Mapping[str, np.ndarray], point: Point) -> Clockless:
    """Return a trained network in spikes, under a rule."""
    old = phase_network(params)
    hidden, _ = old.classifier.layers
    twin, new = convert.to_spiking(
        old, ResonateAndFire(FREQUENCY), assume_reference=True, **RULES[point.rule](point.strength)
    )
    with twin:
        counts, reference = nengo.Node(size_in=2), None
        sent = new[old.hidden].target
        nengo.Connection(sent, counts[0], transform=np.full((1, sent.size_out), DT), synapse=None)
        if hidden.output in new:
            unit = new[hidden.output].unit.neurons
            nengo.Connection(unit, counts[1], transform=DT, synapse=None)
            reference = nengo.Probe(unit)
        counted = nengo.Probe(counts)
    detune(twin, point.frequency)
    return Clockless(twin, new[old.input], new[old.output], counted, reference)


def detune(network: nengo.Network, frequency: float) -> None:
    """Give all neurons of a converted network another frequency than that of its inputs, in Hz."""
    for ensemble in network.all_ensembles:
        ensemble.neuron_type = ResonateAndFire(frequency)


def simulator(network: nengo.Network, **kwargs) -> layerwise.Simulator:
    """Return a simulator, without warnings about frequencies that differ on purpose."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*has a rhythm of")
        return layerwise.Simulator(network, dt=DT, progress_bar=False, **kwargs)


def score(
    params: Mapping[str, np.ndarray], x: np.ndarray, y: np.ndarray, point: Point, chunk: int = 250
) -> dict[str, float]:
    """Return accuracy and spikes per image of a rule.

    Parameters
    ----------
    params : mapping
        The network's parameters.
    x : (n, 1024) or (n, n_cycles, 1024) ndarray
        The phases of the inputs, the same in each cycle or not; NaN is a lost spike.
    y : (n,) ndarray of int
        The labels.
    point : Point
        The rule.
    chunk : int, optional
        The number of images at a time.
    """
    net = classifier(params, point)
    right, spikes = 0, np.zeros(2)
    with simulator(net.network, dtype="float32") as sim:
        for first in range(0, len(x), chunk):
            given, labels = x[first : first + chunk], y[first : first + chunk]
            given = given[:, None] if given.ndim == 2 else np.repeat(given, STEPS, axis=1)
            seen = sim.predict({net.input: given}, CYCLES * STEPS)
            right += np.sum(metrics.phase_class(_decoded(net, seen)) == labels)
            spikes += seen[net.counts].sum(axis=(0, 1))
    hidden, unit = (float(total) for total in spikes / len(x))
    return {
        "strength": point.strength,
        "accuracy": float(right / len(x)),
        "hidden_spikes": hidden,
        "unit_spikes": unit,
    }


def _decoded(net: Clockless, seen: Mapping) -> np.ndarray:
    """Return the phases of the output, of the clock or relative to the hidden unit."""
    if net.reference is None:
        return phases.from_raster(seen[net.output], FREQUENCY, DT, CYCLES)[:, CYCLE]
    decoded = phases.from_reference(
        seen[net.output], seen[net.reference], FREQUENCY, DT, LATEST + 1
    )
    return decoded[:, LATEST]


def curve(
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    rule: str,
    strengths: Sequence[float],
) -> list[dict[str, float]]:
    """Return the scores of a rule at each strength."""
    points = [Point(rule, strength) for strength in strengths]
    return [score(params, x, y, p) for p in tqdm(points, desc=rule, unit="point", disable=None)]


def with_removed(curves: Mapping[str, list[dict]]) -> dict[str, list[dict]]:
    """Return the curves with the fraction of the hidden spikes that is ``removed`` at each point.

    The spikes of a layer's unit count as well.
    """
    every = curves[ALL][0]["hidden_spikes"]
    return {
        rule: [
            {**each, "removed": 1 - (each["hidden_spikes"] + each["unit_spikes"]) / every}
            for each in scores
        ]
        for rule, scores in curves.items()
    }


# ----------------------------------------------------------------------------------- robustness


def jittered(x: np.ndarray, amount: float, rng: np.random.RandomState) -> np.ndarray:
    """Return phases that differ from cycle to cycle by normal noise, (n, n_cycles, n_inputs)."""
    each = x[:, None] + rng.normal(0, amount, (len(x), CYCLES, x.shape[1]))
    return phases.wrap(each).astype(x.dtype)


def with_losses(x: np.ndarray, amount: float, rng: np.random.RandomState) -> np.ndarray:
    """Return phases of which a fraction is missing in each cycle, (n, n_cycles, n_inputs)."""
    lost = rng.rand(len(x), CYCLES, x.shape[1]) < amount
    return np.where(lost, np.nan, x[:, None]).astype(x.dtype)


DISTURBANCES = {"jitter of input spikes": jittered, "input spikes lost": with_losses}
AMOUNTS = {
    "jitter of input spikes": (0.0, 0.1, 0.2, 0.3, 0.4),
    "input spikes lost": (0.0, 0.2, 0.4, 0.6, 0.8),
    "detuning of the neurons": (0.0, 0.01, 0.02, 0.05, 0.1),
}
"""Jitter is in units of pi, and detuning relative to the frequency of the input."""

COMPARED = (Point("arc, by the clock", 0.06), Point("window around the unit", 0.06))


def robustness(
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    amounts: Mapping[str, Sequence[float]] = AMOUNTS,
    seed: int = 0,
) -> dict[str, dict[str, list[float]]]:
    """Return the accuracies for each disturbance, rule and amount."""
    found: dict[str, dict[str, list[float]]] = {}
    for name, levels in amounts.items():
        for point in COMPARED:
            scores = [
                score(params, *_disturbed(name, amount, x, y, point, seed), chunk=50)
                for amount in levels
            ]
            found.setdefault(name, {})[point.rule] = [each["accuracy"] for each in scores]
    return found


def _disturbed(name, amount, x, y, point, seed):
    """Return the phases, labels and rule of a disturbance."""
    if name in DISTURBANCES:
        return DISTURBANCES[name](x, amount, np.random.RandomState(seed)), y, point
    return x, y, point._replace(frequency=FREQUENCY * (1 + amount))

"""Compare a spiking network with its analog one: accuracy, firing rate, matching time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nengo_phasor import metrics
from nengo_phasor.models.adaptive.data import pixels
from nengo_phasor.models.adaptive.precision import (
    LOW_RATE,
    MARGIN,
    affordable,
    coarsest,
    finest,
    fit_arousal,
)
from nengo_phasor.models.adaptive.spiking import Seen, Spiking, summary

MATCH = 0.0005
"""The largest loss of accuracy with which a spiking network still matches its analog one."""

WAYS = ("precise", "sparse", "low", "aroused")
"""The names of the ways in which a network is run: see `measure`."""


def analog_accuracy(spiking: Spiking, x: np.ndarray, y: np.ndarray) -> float:
    """Return the accuracy of the analog network of a spiking one."""
    from nengo_phasor.models.adaptive.training import logits

    return float(metrics.accuracy(np.argmax(logits(spiking.converted.model, x), axis=1), y))


class Tried(NamedTuple):
    """Results on validation inputs: the analog network's accuracy, spiking runs, and their
    `summary`.

    ``difference`` is that between the converted network with rates and the analog network.
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
    """Verify the conversion, then run validation inputs at several precisions."""
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

    This is for networks that take long to run. Parameters and result are those of `measure`,
    without "sparse", "low" and "aroused".
    """
    on_validation = tried(spiking, validation, folder, precisions)
    m_f = affordable(on_validation.points)
    (seen,) = spiking.run(pixels(test[0]), m_f, folder, f"test-{m_f}")
    return {
        **_beside(spiking, on_validation, validation, test),
        "precise": {"m_f": m_f, **summary(seen, test[1], spiking.n_neurons)},
    }


def measure(
    spiking: Spiking,
    validation: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    folder: Path,
    precisions: Sequence[float],
    low_rate: float = LOW_RATE,
) -> dict[str, Any]:
    """Compare a spiking network with its analog one: accuracy, firing rate, matching time.

    Runs on the validation inputs at several precisions choose the precisions for the test inputs:
    "precise" is the lowest precision that matches the analog network, "sparse" the highest that
    fires at no more than ``low_rate``, or "precise" if that does; "aroused" begins at "low" and
    continues at "precise" if an input is uncertain.

    Parameters
    ----------
    spiking : `Spiking`
        The network.
    validation, test : (x, y)
        Inputs, in the form with which the model was trained, and classes.
    folder : path
        The folder for the results of runs; see `Spiking.run`.
    precisions : sequence of float
        The values of m_f to choose from.
    low_rate : float
        The firing rate that counts as low, in Hz.

    Returns
    -------
    dict
        "analog", "precise", "sparse", "low", "aroused" on the test inputs, "validation" by m_f.
    """
    neurons, y = spiking.n_neurons, validation[1]
    on_validation = tried(spiking, validation, folder, precisions)
    runs, points = on_validation.runs, on_validation.points
    precise = coarsest(points, on_validation.analog - MATCH)
    slow = points[precise]["firing_rate"] <= MARGIN * low_rate
    sparse = precise if slow else finest(points, MARGIN * low_rate)
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
        **_beside(spiking, on_validation, validation, test),
        **{key: {"m_f": m_f, **summary(seen[m_f], y, neurons)} for key, m_f in shown.items()},
        "aroused": {
            **{key: getattr(how, key) for key in ("wait", "duration", "threshold")},
            "foretold_firing_rate": fitted.firing_rate,
            "foretold_accuracy": fitted.accuracy,
            **summary(aroused, y, neurons),
        },
    }


def _beside(spiking, on_validation, validation, test):
    """Return the facts that accompany the spiking runs of test inputs."""
    return {
        "analog": {
            "accuracy": analog_accuracy(spiking, *test),
            "validation_accuracy": on_validation.analog,
        },
        "rate_network_differs_by": on_validation.difference,
        "n_neurons": spiking.n_neurons,
        "n_validation": len(validation[1]),
        "n_test": len(test[1]),
        "validation": {str(m_f): point for m_f, point in on_validation.points.items()},
    }

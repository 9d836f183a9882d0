"""The coarsest precision that keeps a network's decisions."""

from itertools import takewhile

import numpy as np
import pytest
from nengo.exceptions import SimulationError, ValidationError
from numpy.testing import assert_allclose

from nengo_phasor import AdaptiveSpiking, convert, layerwise
from nengo_phasor.convert import calibration

nengo_dl = pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")

from tests.convert.keras_models import (  # noqa: E402
    act,
    dense,
    layers,
    rate_output,
    spiking_output,
    stack,
)

PRECISIONS = (0.1, 1.2, 0.4)
STEPS = 200


@pytest.fixture(scope="module")
def model():
    """Its activations are of the order of 30: without a scale, they would be coded too finely."""
    tf.keras.utils.set_random_seed(3)
    return stack(
        (6,),
        layers.Rescaling(30.0),
        dense(20, name="first", activation="relu"),
        dense(12, name="second"),
        layers.ReLU(40, 0.1, name="limited"),
        dense(3),
    )


@pytest.fixture(scope="module")
def x():
    return np.random.RandomState(0).normal(0, 1, (60, 6))


def brute_force(model, x, m_f):
    """Accuracy and spikes of an image, from a network made with the thresholds it should have."""
    inner = tf.keras.Model(model.input, [model.get_layer(n).output for n in ("first", "second")])
    first, second = (np.asarray(y, float) for y in inner(x))
    lines = (
        np.concatenate([first[first > 0], []]),
        np.concatenate([np.maximum(0, second), np.maximum(0, second - 40), np.maximum(0, -second)]),
    )
    converted = convert.to_adaptive(model)
    for ensemble, active in zip(converted.layers.values(), lines, strict=True):
        rms = np.sqrt(np.mean(active[active > 0] ** 2))
        ensemble.neuron_type = AdaptiveSpiking(m_f, theta_0=m_f * rms, graded=True)
    seen = spiking_output(converted, x, STEPS)[:, -1].argmax(axis=1)
    return np.mean(seen == rate_output(converted, x).argmax(axis=1))


def calibrated(model, x, **arguments):
    converted = convert.to_adaptive(model)
    settings = {"tolerance": 0.04, "precisions": PRECISIONS, "n_steps": STEPS, **arguments}
    return converted, converted.calibrate(x, np.asarray(model(x)), **settings)


def test_calibration(model, x):
    """Against networks made for each precision: the coarsest that is enough, then by layer."""
    converted, found = calibrated(model, x)
    assert found.analog == 1
    accuracies = {m_f: brute_force(model, x, m_f) for m_f in sorted(PRECISIONS, reverse=True)}
    uniform = list(takewhile(lambda trial: len(set(trial.m_f.values())) == 1, found.trials))
    for trial, (m_f, accuracy) in zip(uniform, accuracies.items(), strict=False):
        assert set(trial.m_f.values()) == {m_f}
        assert trial.accuracy == pytest.approx(accuracy, abs=1.01 / len(x))  # single precision
    assert [trial.accuracy >= 0.96 for trial in uniform] == [False] * (len(uniform) - 1) + [True]
    assert len(uniform) > 1

    best = min((t for t in found.trials if t.accuracy >= 0.96), key=lambda t: t.spikes)
    assert found[:4] == best
    assert found.spikes <= uniform[-1].spikes
    n_neurons = sum(e.n_neurons for e in converted.layers.values())
    assert found.rate == pytest.approx(found.spikes / n_neurons / (STEPS * 0.001))

    assert {n: e.neuron_type.m_f for n, e in converted.layers.items()} == found.m_f
    seen = spiking_output(converted, x, STEPS)[:, -1].argmax(axis=1)
    right = seen == np.argmax(model(x), axis=1)
    assert np.mean(right) == pytest.approx(found.accuracy, abs=1.01 / len(x))


def test_precision_after_calibration(model, x):
    """It changes in proportion from there."""
    converted, found = calibrated(model, x)
    before = {n: e.neuron_type.theta_0 for n, e in converted.layers.items()}
    converted.set_precision({name: 2 * m_f for name, m_f in found.m_f.items()})
    for name, ensemble in converted.layers.items():
        assert_allclose(ensemble.neuron_type.theta_0, 2 * before[name])
    assert converted.verify(x[:5], 1e-3) < 1e-3


def test_labels_and_parts(model, x, monkeypatch):
    """Classes do what predictions do; what fits into memory changes nothing."""
    _, by_predictions = calibrated(model, x)
    monkeypatch.setattr(calibration, "IMAGES", 17)
    monkeypatch.setattr(calibration, "AT_ONCE", 56 * 17 * 30)
    converted = convert.to_adaptive(model)
    labels = np.argmax(model(x), axis=1)
    found = converted.calibrate(x, labels[:, None], 0.04, PRECISIONS, STEPS)
    assert found == by_predictions


def test_half_sigmoids_keep_their_curve():
    tf.keras.utils.set_random_seed(0)
    model = stack((6,), act(name="a"), dense(8), layers.ReLU(name="b"), dense(3))
    x = np.random.RandomState(0).normal(1, 2, (30, 6))
    converted = convert.to_adaptive(model)
    found = converted.calibrate(x, np.asarray(model(x)), 0.2, (0.2, 0.1), STEPS)
    half, line = (e.neuron_type for e in converted.layers.values())
    expected = AdaptiveSpiking(0.1).at_precision(found.m_f["a"])
    assert (half.theta_0, half.amplitude) == (expected.theta_0, expected.amplitude)
    assert line.theta_0 != line.m_f == found.m_f["b"]


def test_silent_layers():
    """A layer without activations has no scale, and needs none."""
    model = stack((2,), layers.Rescaling(0.0, offset=-1.0), layers.ReLU(name="silent"), dense(3))
    converted = convert.to_adaptive(model)
    found = converted.calibrate(np.ones((4, 2)), np.zeros(4, int), 0, (0.3,), 20)
    assert (found.spikes, found.m_f) == (0, {"silent": 0.3})
    assert converted.layers["silent"].neuron_type.theta_0 == 0.3


def test_no_precision_is_enough(model, x):
    converted = convert.to_adaptive(model)
    before = {n: e.neuron_type for n, e in converted.layers.items()}
    with pytest.raises(
        SimulationError, match=r"no precision .* of 1 to within 0: .* m_f = 5,.*finer"
    ):
        converted.calibrate(x, np.asarray(model(x)), 0, (8.0, 5.0), STEPS)
    assert {n: e.neuron_type for n, e in converted.layers.items()} == before
    assert converted.neurons == before
    with layerwise.Simulator(converted.network) as sim:
        sim.run_steps(2)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (r"images.*has shape \(60, 5\), but needs .* 6 values", {"images": np.ones((60, 5))}),
        ("images.*needs shape", {"images": np.ones((0, 6))}),
        ("images.*finite", {"images": np.full((60, 6), np.nan)}),
        ("labels.*each of 60 items", {"labels": np.zeros(59, int)}),
        ("labels.*less than 3", {"labels": np.full(60, 3)}),
        ("labels", {"labels": np.full(60, 0.5)}),
        ("labels.*finite", {"labels": np.full((60, 3), np.nan)}),
        ("tolerance", {"tolerance": -0.1}),
        ("tolerance", {"tolerance": np.nan}),
        ("precisions.*at least one value greater than 0", {"precisions": ()}),
        ("precisions.*greater than 0", {"precisions": (0.1, 0.0)}),
        ("n_steps", {"n_steps": 0}),
    ],
)
def test_refused_arguments(model, x, message, arguments):
    converted = convert.to_adaptive(model)
    with pytest.raises(ValidationError, match=message):
        converted.calibrate(**{"images": x, "labels": np.zeros(60, int), **arguments})


def test_a_single_output_has_no_classes():
    converted = convert.to_adaptive(stack((2,), layers.ReLU(), dense(1)))
    with pytest.raises(ValidationError, match="needs classes: use set_precision"):
        converted.calibrate(np.ones((4, 2)), np.zeros(4, int))

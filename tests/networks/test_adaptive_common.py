import sys
from pathlib import Path

import click
import nengo
import numpy as np
import pytest

from nengo_phasor import arousal

pytest.importorskip("nengo_dl")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "networks"))
import adaptive_common as common
import adaptive_spiking
import tensorflow as tf

from nengo_phasor import convert
from nengo_phasor.dl.activations import HalfSigmoid


def spiking(seed=0):
    """A network of random weights: 4 inputs, 5 hidden neurons, 3 classes."""
    tf.keras.utils.set_random_seed(seed)
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input((4,), name="x"),
            HalfSigmoid(name="first"),
            layers.Dense(5, name="dense"),
            HalfSigmoid(name="second"),
            layers.Dense(3, name="classes"),
        ]
    )
    return adaptive_spiking.Spiking(convert.to_adaptive(model))


@pytest.fixture(scope="module")
def network():
    return spiking()


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(0, 1.5, (6, 4)).astype(np.float32)


def in_nengo(network, x, m_f, n_steps):
    """The read-out and the number of spikes of each layer for one input, step by step."""
    network.converted.set_precision(m_f)
    with network.converted.network as net:
        probes = [nengo.Probe(e.neurons) for e in network.converted.layers.values()]
        network.converted.input.output = x
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(n_steps, progress_bar=False)
    net.probes[:] = [probe for probe in net.probes if probe not in probes]
    sent = [np.count_nonzero(sim.data[probe]) for probe in probes]
    return sim.data[network.converted.output], sent


@pytest.mark.parametrize("m_f", [0.1, 0.4])
def test_run_counts_nengos_spikes(network, x, m_f, tmp_path):
    (seen,) = network.run(x[:2], m_f, tmp_path, "run", n_steps=200)
    for k in range(2):
        outputs, sent = in_nengo(network, x[k], m_f, 200)
        np.testing.assert_allclose(seen.spikes[k], sent, atol=1e-3)
        np.testing.assert_allclose(
            seen.outputs[k], outputs.reshape(20, 10, 3).mean(axis=1), atol=1e-4
        )
        np.testing.assert_array_equal(seen.classes[k], np.argmax(outputs, axis=1))
    assert not seen.highlighted.any()


def test_arousal_begins_as_low_precision_does(network, x, tmp_path):
    """Certain inputs go on as at low precision; the others end up near high precision."""
    low = network.run(x, 0.6, tmp_path, "low", 200)[0]
    unfitted = arousal.Arousal(0.6, 0.1, wait=0.05, duration=0.03)
    margins = np.sort(unfitted.margin(low.outputs, 0.01))
    how = arousal.Arousal(0.6, 0.1, 0.05, 0.03, threshold=(margins[1] + margins[2]) / 2)
    again, aroused = network.run(x, how, tmp_path, "aroused", 200)
    for a, b in zip(low, again, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    chosen = aroused.highlighted
    assert chosen.sum() == 2
    np.testing.assert_allclose(aroused.outputs[~chosen], low.outputs[~chosen], atol=1e-5)
    np.testing.assert_allclose(aroused.spikes[~chosen], low.spikes[~chosen])
    np.testing.assert_allclose(aroused.outputs[:, :8], low.outputs[:, :8], atol=1e-5)
    assert np.all(aroused.spikes[chosen].sum(axis=1) > 1.5 * low.spikes[chosen].sum(axis=1))
    high = network.run(x, 0.1, tmp_path, "high", 200)[0]
    far = np.abs(aroused.outputs - high.outputs)[chosen, -3:].max()
    assert far < 0.1 * np.ptp(high.outputs)


def test_interrupted_run_goes_on(network, x, tmp_path, monkeypatch):
    """What is kept is not run again, and the result is the same in any chunks."""
    whole = network.run(x, 0.3, tmp_path / "whole", "run", 60)[0]
    monkeypatch.setattr(adaptive_spiking, "CHUNK", 4)
    advance, done = network.advance, []

    def advance_once(*arguments):
        if done:
            raise KeyboardInterrupt
        done.append(arguments)
        return advance(*arguments)

    monkeypatch.setattr(network, "advance", advance_once)
    with pytest.raises(KeyboardInterrupt):
        network.run(x, 0.3, tmp_path, "run", 60)
    done.clear()
    parts = network.run(x, 0.3, tmp_path, "run", 60)[0]
    assert len(done[0][0]) == 2
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def seen(classes, spikes, margins=None):
    """Two bins of outputs which differ by ``margins`` between the class and the next one."""
    classes = np.asarray(classes)
    margins = np.ones(len(classes)) if margins is None else np.asarray(margins)
    outputs = np.eye(3)[classes] * margins[:, None]
    return adaptive_spiking.Seen(
        np.repeat(classes[:, None], 20, axis=1).astype(np.uint16),
        np.repeat(outputs[:, None], 2, axis=1),
        np.asarray(spikes, float),
        np.zeros(len(classes), bool),
    )


def test_summary():
    """10 + 2 spikes and 30 + 6 of 4 + 2 neurons in 20 ms."""
    run = seen([1, 2], [[10, 2], [30, 6]])
    run.classes[0, :5] = 0
    found = adaptive_spiking.summary(run, np.array([1, 2]), {"a": 4, "b": 2})
    assert found["accuracy"] == 1.0
    assert found["accuracy_over_time"] == [1.0, 1.0]
    assert found["firing_rate"] == pytest.approx(24 / 6 / 0.02)
    assert found["firing_rates"] == pytest.approx({"a": 20 / 4 / 0.02, "b": 4 / 2 / 0.02})
    assert found["spikes_per_inference"] == 24
    assert found["matching_time"] == pytest.approx(0.006)
    assert found["selectivity"] == 0


POINTS = {
    0.1: {"accuracy": 0.99, "firing_rate": 30.0},
    0.2: {"accuracy": 0.992, "firing_rate": 15.0},
    0.4: {"accuracy": 0.98, "firing_rate": 8.0},
    0.8: {"accuracy": 0.985, "firing_rate": 4.0},
}


@pytest.mark.parametrize(
    ("accuracy", "m_f"), [(0.985, 0.2), (0.98, 0.8), (0.9, 0.8), (0.99, 0.2), (0.991, 0.2)]
)
def test_coarsest(accuracy, m_f):
    """Up to there no precision misses the accuracy; if the finest does, the best is taken."""
    assert common.coarsest(POINTS, accuracy) == m_f


@pytest.mark.parametrize(("rate", "m_f"), [(100, 0.1), (15, 0.2), (14, 0.4), (1, 0.8)])
def test_finest(rate, m_f):
    assert common.finest(POINTS, rate) == m_f


def test_fit_arousal_saves_spikes_and_keeps_accuracy():
    """One of ten is wrong at low precision, and has the smallest margin."""
    labels = np.arange(10) % 3
    wrong = labels.copy()
    wrong[4] = (labels[4] + 1) % 3
    margins = np.arange(1.0, 11.0)
    margins[4] = 0.5
    runs = {
        0.1: seen(labels, np.full((10, 1), 100)),
        0.5: seen(wrong, np.full((10, 1), 10), margins),
        0.9: seen((labels + 1) % 3, np.full((10, 1), 1), margins),
    }
    fitted = common.fit_arousal(
        runs, 0.1, labels, 5, 1.0, waits=(0.0,), durations=(0.01,), fractions=(1.0,)
    )
    assert (fitted.arousal.low, fitted.arousal.high) == (0.5, 0.1)
    assert fitted.arousal.uncertain(runs[0.5].outputs, 0.01).tolist() == [k == 4 for k in range(10)]
    assert fitted.accuracy == 1.0
    # nine at 10 spikes, and one that sends 10/2 in the first half and 100/2 in the second
    assert fitted.firing_rate == pytest.approx((9 * 10 + 55) / 10 / 5 / 0.02)
    with pytest.raises(click.ClickException, match="no precision is lower"):
        common.fit_arousal({0.1: runs[0.1]}, 0.1, labels, 5, 1.0)


def test_subset():
    x, y = np.arange(20), np.arange(20) * 2
    some, classes = common.subset(x, y, 7, seed=1)
    assert len(set(some)) == 7
    np.testing.assert_array_equal(classes, 2 * some)
    assert set(some) != set(common.subset(x, y, 7, seed=2)[0])
    everything, _ = common.subset(x, y, None, seed=1)
    assert set(everything) == set(x)
    np.testing.assert_array_equal(everything[:7], some)


def test_run_of_more_inputs_goes_on_from_fewer(network, x, tmp_path, monkeypatch):
    monkeypatch.setattr(adaptive_spiking, "CHUNK", 2)
    network.run(x[:3], 0.3, tmp_path, "run", 60)
    advance, done = network.advance, []
    monkeypatch.setattr(
        network, "advance", lambda x, *more: done.append(len(x)) or advance(x, *more)
    )
    more = network.run(x, 0.3, tmp_path, "run", 60)[0]
    assert done == [2, 2], "all but the first two, which the same chunk had"
    whole = network.run(x, 0.3, tmp_path / "whole", "run", 60)[0]
    for a, b in zip(more, whole, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_claims():
    point = {"accuracy": 0.98, "firing_rate": 20.0, "matching_time": 0.2}
    found = {
        "analog": {"accuracy": 0.99},
        "precise": point,
        "sparse": {**point, "accuracy": 0.97},
        "aroused": {**point, "accuracy": 0.9775, "firing_rate": 10.0},
    }
    bounds = dict.fromkeys(common.CLAIMS, ("<= 1", "paper"))
    values = {c.name.split(": ")[1]: c.value for c in common.claims(found, "net", bounds)}
    assert values == pytest.approx(
        {
            "analog accuracy": 0.99,
            "accuracy lost to spikes": 1.0,
            "difference between spikes and analog": 1.0,
            "firing rate": 20.0,
            "matching time": 0.2,
            "accuracy at low firing rate": 0.97,
            "accuracy lost at low firing rate": 2.0,
            "low firing rate": 20.0,
            "accuracy lost with arousal": 0.25,
            "firing rate with arousal, of that without": 0.5,
        }
    )

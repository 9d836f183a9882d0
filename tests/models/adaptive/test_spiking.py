import nengo
import numpy as np
import pytest

from nengo_phasor import arousal

pytest.importorskip("nengo_dl")
import tensorflow as tf

from nengo_phasor import convert
from nengo_phasor.dl.activations import HalfSigmoid
from nengo_phasor.models.adaptive import spiking as room
from nengo_phasor.models.shared.distribution import processes
from tests.models.adaptive.seen import seen


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
    return room.Spiking(convert.to_adaptive(model))


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
    monkeypatch.setattr(room, "CHUNK", 4)
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


def test_chunks_in_other_processes(network, x, tmp_path, monkeypatch):
    """The same results, and only chunks that are missing are run; two chunks of three inputs."""
    pytest.importorskip("distributed")
    how = arousal.Arousal(0.6, 0.1, 0.02, 0.03, threshold=0.5)
    monkeypatch.setattr(room, "CHUNK", 3)
    tasks = []
    with processes(2) as spread:

        def counted(function, given, unit):
            tasks.extend(given)
            spread(function, given, unit)

        spread_out = room.Spiking(spiking().converted, counted)
        for name, way in (("fixed", 0.3), ("aroused", how)):
            here = network.run(x, way, tmp_path / "here", name, 60)
            for _ in range(2):
                there = spread_out.run(x, way, tmp_path, name, 60)
            for one, other in zip(here, there, strict=True):
                for a, b in zip(one, other, strict=True):
                    np.testing.assert_allclose(a, b, atol=1e-5)
    assert len(tasks) == 4


def test_error_in_another_process_is_raised_here(x, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(room, "CHUNK", 3)
    with processes(1) as spread:
        network = room.Spiking(spiking().converted, spread)
        with pytest.raises(nengo.exceptions.ValidationError, match="finite"):
            network.run(np.full_like(x, np.nan), 0.3, tmp_path, "run", 60)
    assert not list(tmp_path.glob("run-*"))


def test_summary():
    """10 + 2 spikes and 30 + 6 of 4 + 2 neurons in 20 ms."""
    run = seen([1, 2], [[10, 2], [30, 6]])
    run.classes[0, :5] = 0
    found = room.summary(run, np.array([1, 2]), {"a": 4, "b": 2})
    assert found["accuracy"] == 1.0
    assert found["accuracy_over_time"] == [1.0, 1.0]
    assert found["firing_rate"] == pytest.approx(24 / 6 / 0.02)
    assert found["firing_rates"] == pytest.approx({"a": 20 / 4 / 0.02, "b": 4 / 2 / 0.02})
    assert found["spikes_per_inference"] == 24
    assert found["matching_time"] == pytest.approx(0.006)
    assert found["selectivity"] == 0


def test_run_of_more_inputs_goes_on_from_fewer(network, x, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "CHUNK", 2)
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

"""Heart beats: data, networks, training that resumes, scores, claims, commands."""

import json
import sys
from dataclasses import replace

import nengo
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal

import nengo_phasor
from nengo_phasor import datasets, layerwise
from nengo_phasor.models.heart_beats import chip, claims, commands, data, gui, measure, training
from nengo_phasor.models.heart_beats.designs import DESIGNS
from nengo_phasor.models.heart_beats.network import network, size, start
from nengo_phasor.models.heart_beats.training import train

SMALL = replace(DESIGNS["published"], hidden=8, epochs=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small data set in the place of ECG-QTDB: events that tell the wave, and unmarked steps."""
    rng = np.random.RandomState(0)
    found = {}
    for part, n in (("train", 95), ("test", 4)):
        y = np.repeat(rng.randint(0, 6, (n, 14)), 100, axis=1)[:, :1301]
        x = rng.rand(n, 1301, 4) < np.stack([y == k for k in range(4)], -1) * 0.2 + 0.01
        x = x * 8  # larger than the real ones, so that the first weights cause spikes
        y[:, :50] = 255
        found |= {f"x_{part}": x.astype(np.int8), f"y_{part}": y.astype(np.uint8)}
    folder = tmp_path_factory.mktemp("beats")
    np.savez(folder / "qtdb.npz", **found)
    return folder


@pytest.fixture(scope="module")
def parts(folder):
    return data.load(folder)


def strong(design, seed):
    """The first weights, with which these data cause spikes."""
    params = start(design, seed)
    return {**params, "input": params["input"] * 8}


def test_parts(parts, folder):
    assert [part.x.shape for part in parts] == [(34, 1300, 4), (61, 1300, 4), (4, 1300, 4)]
    whole = {x.tobytes() for x in datasets.qtdb(folder).x_train[:, :1300].astype(np.float32)}
    assert {x.tobytes() for x in (*parts.train.x, *parts.validation.x)} == whole
    assert_array_equal(data.as_published(parts.test.y)[:, :50], 0)


def test_published_network():
    """1,734 parameters less the six time constants of the outputs, which are fixed here."""
    design = DESIGNS["published"]
    params = start(design, 0)
    assert size(params) + 2 * design.hidden == 1728
    with nengo.Simulator(net := network(design, params), progress_bar=False) as sim:
        neurons = sim.data[net.hidden.neurons]
    assert np.all((neurons.frequency > 4.77) & (neurons.frequency < 7.96))
    assert np.all((neurons.damping > 1) & (neurons.damping < 10))


def test_published_equations(parts):
    """The network beside the published equations in their own unit of time, step by step."""
    design, x = DESIGNS["published"], parts.test.x[0]
    params = start(design, 1)
    params["input"] *= 8  # first weights cause few spikes
    net = network(design, params)
    with layerwise.Simulator(net, dtype="float64") as sim:
        seen = sim.predict({net.events: x[None]}, 1300)
        neurons = sim.data[net.hidden.neurons]
    delta, omega, offset = 0.01, 2 * np.pi * neurons.frequency * 0.1, neurons.damping * 0.1
    keep = np.exp(-0.001 / 0.0095)  # 0.9
    u, v, q, z = np.zeros((4, design.hidden))
    p, spikes = (-1 + np.sqrt(1 - (delta * omega) ** 2)) / delta, []
    for events in x:
        drive = params["input"] @ events + params["recurrent"] @ z
        b = p - offset - q
        u, v = (
            u + delta * (b * u - omega * v + drive),
            v + delta * (omega * u + b * v),
        )
        z = (u - 1 - q >= 0) * 1.0
        q = keep * q + z
        spikes.append(z)
    assert np.sum(spikes) > 100
    assert_array_equal(seen[net.spikes][0] > 0, np.array(spikes) > 0)


def test_amplitude_changes_no_spike(parts):
    params, found = start(SMALL, 0), []
    params["input"] *= 8
    for amplitude in (0.01, 1.0):
        net = network(SMALL, params, amplitude=amplitude)
        with layerwise.Simulator(net, dtype="float64") as sim:
            seen = sim.predict({net.events: parts.test.x[:2]}, 1300)
        found.append((seen[net.spikes] > 0, seen[net.logits]))
    assert_array_equal(found[0][0], found[1][0])
    assert_allclose(found[0][1], found[1][1], rtol=1e-9, atol=1e-12)


def test_scores():
    y = np.array([[0, 1, 255, 255]])
    logits = np.eye(3)[[[0, 2, 0, 1]]].astype(float)
    assert measure.scores(logits, y) == {"accuracy": 0.5, "marked_accuracy": 0.5}
    logits[0, 0] = np.nan
    assert measure.scores(logits, y) == {"accuracy": 0.25, "marked_accuracy": 0.0}


@pytest.mark.parametrize("name", DESIGNS)
def test_training_learns_and_resumes(name, parts, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(training, "start", strong)
    design = replace(DESIGNS[name], hidden=8, epochs=2)
    (tmp_path / "a").mkdir()
    whole = list(train(design, 0, parts, tmp_path / "a"))
    assert whole[1]["loss"] < whole[0]["loss"]
    if name != "published":
        return
    (tmp_path / "b").mkdir()
    next(iter(train(design, 0, parts, tmp_path / "b")))  # killed after an epoch
    again = list(train(design, 0, parts, tmp_path / "b"))
    for a, b in zip(whole, again, strict=True):
        assert {**a, "processor_seconds": 0} == {**b, "processor_seconds": 0}
    first, second = (datasets.load_params(tmp_path / run / "best.npz") for run in "ab")
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert size(first) == size(start(design, 0)) + 2 * design.hidden


def test_on_the_emulator(parts):
    pytest.importorskip("nengo_loihi")
    seen = data.Sequences(1.0 * (parts.test.x[:2, :300] > 0), parts.test.y[:2, :300])
    params = {**start(SMALL, 0), "frequency": np.linspace(4, 8, 8), "damping": np.full(8, 3.0)}
    params["input"] *= 40  # it is to spike
    found = chip.measure(SMALL, params, seen)
    net = network(SMALL, params)
    with layerwise.Simulator(net) as sim:
        spikes = sim.predict({net.events: seen.x}, 300)[net.spikes]
    assert found["spikes"] > 10
    assert found["spikes"] == pytest.approx(np.count_nonzero(spikes) / 2, rel=0.1)


def test_claims():
    run = {
        "parameters": 1728,
        "processor_seconds": 600,
        "test": {"accuracy": 0.86, "spikes": 6000},
        "chip": {"accuracy": 0.855},
    }
    other = {**run, "test": {"accuracy": 0.84, "spikes": 2000}}
    made = {c.name: c for c in claims.claims({"published": [run, other], "ours": [run]})}
    assert made["accuracy of the published network"].value == pytest.approx(0.85)
    assert not made["accuracy of the published network"].holds
    assert made["processor minutes to train it"].value == pytest.approx(10)
    assert not made["its spikes per sequence"].holds
    lost = claims.claims({"ours": [run], "paying": [other]})[-1]
    assert lost.value == pytest.approx(0.02)


def test_results(folder, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    pytest.importorskip("matplotlib")
    places = {k: tmp_path / k for k in ("runs", "results.json", "figures")}
    arguments = ["results", "--design", "leaky", "--seeds", "0", "--epochs", "1"]
    arguments += ["--data", folder, "--runs", places["runs"], "--output", places["results.json"]]
    arguments = list(map(str, [*arguments, "--figures", places["figures"]]))
    monkeypatch.setattr(sys, "argv", ["networks/heart_beats.py", *arguments])
    done = CliRunner().invoke(commands.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    content = json.loads(places["results.json"].read_text())
    (run,) = content["figures"]["leaky"]
    assert 0 < run["test"]["accuracy"] < 1
    assert len(list(places["figures"].glob("*.png"))) == 2
    done = CliRunner().invoke(commands.main, [*arguments, "--resume"], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_gui_model_shows_the_wave():
    model = gui.gui_model()
    frequency = model.hidden.neuron_type.frequency
    assert np.all(np.diff(frequency) >= 0)
    params = datasets.load_params(gui.PARAMS)
    with model:
        probes = [nengo.Probe(node) for node in (model.waves, model.truth, model.leads)]
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run_steps(1300)
    waves, truth, leads = (sim.data[probe] for probe in probes)
    known = truth.any(axis=1)
    right = waves.argmax(axis=1) == truth.argmax(axis=1)
    assert right[known].mean() > 0.7
    assert_array_equal(np.where(known, truth.argmax(1), 255), params["labels"][0])
    assert_allclose(
        np.diff(leads[:, 0]), (params["events"][0, :, 0] - params["events"][0, :, 1])[1:]
    )
    assert nengo_phasor.models.MODELS["heart_beats"].network

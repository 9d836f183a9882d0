import json
import sys
from dataclasses import replace
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner

import nengo_phasor
from nengo_phasor import convert, datasets, metrics, models, phases
from nengo_phasor.models.rhythms import data as data_of
from nengo_phasor.models.rhythms import (
    sparsity,
    sparsity_claims,
    sparsity_commands,
    sparsity_report,
    sparsity_runs,
)
from nengo_phasor.models.rhythms.network import CYCLES, phase_network

RESULTS = Path(__file__).resolve().parents[3] / "results"

TAU = 5.0


def random_params(seed=0, gain=0.5):
    rng = np.random.default_rng(seed)
    return {
        "weights_0": rng.normal(0, gain / 32, (1024, 128)),
        "bias_0": np.ones((1, 128)),
        "weights_1": rng.normal(0, gain * 128**-0.5, (128, 10)),
        "bias_1": np.ones((1, 10)),
    }


def test_input_weight_is_that_in_a_neuron():
    """Against Nengo: lengths of the state at the step of each cycle's reference."""
    frequency, dt, n_cycles = 10.0, 1e-4, 4
    given = np.array([0.0, -0.9, -0.4, 0.3, 0.8])
    with nengo.Network() as net:
        spikes = nengo.Node(size_in=len(given))
        nengo.Connection(
            nengo.Node(given), spikes, synapse=nengo_phasor.PhaseEncoder(frequency, 1.0)
        )
        neurons = nengo.Ensemble(
            len(given), 1, neuron_type=nengo_phasor.ResonateAndFire(frequency, TAU / frequency)
        ).neurons
        nengo.Connection(spikes, neurons, synapse=None)
        probes = [nengo.Probe(neurons, attr) for attr in ("voltage", "current")]
    with nengo.Simulator(net, dt=dt, progress_bar=False) as sim:
        sim.run(n_cycles / frequency)
    period = round(1 / (frequency * dt))
    state = np.hypot(*(sim.data[p] for p in probes))[period // 2 :: period]
    cycles = np.arange(n_cycles)[:, None]
    expected = sparsity.input_weight(np, given, cycles, TAU)
    np.testing.assert_allclose(state / state[:, :1], expected, atol=2e-3)
    assert (expected[0, given > 0] == 0).all()


def test_training_hears_the_phases_that_spikes_have():
    """In each cycle, with these weights, the hidden phases are nearer to the spiking network's."""
    params = random_params()
    x = np.random.default_rng(1).uniform(-1, 1, (4, 1024))
    net = phase_network(params)
    twin, new = convert.to_spiking(net, nengo_phasor.ResonateAndFire(10.0))
    dt = 2e-4
    with nengo_phasor.layerwise.Simulator(twin, dt=dt) as sim:
        raster = sim.predict({new[net.input]: x[:, None]}, 2500)[new[net.hidden]]
    spiking = phases.from_raster(raster, 10.0, dt, 5)
    with nengo_phasor.layerwise.Simulator(net) as sim:
        for cycle in (1, 2, 4):
            error = {}
            for name, weight in (
                ("with", sparsity.input_weight(np, x, cycle, TAU)),
                ("without", 1),
            ):
                rows = phases.to_rows(x) * np.tile(weight * np.ones_like(x), 2)
                seen = phases.from_rows(sim.predict({net.input: rows[:, None]})[net.hidden][:, 0])
                error[name] = np.median(
                    np.abs(phases.difference(spiking[:, cycle], phases.from_complex(seen)))
                )
            assert error["with"] < 0.5 * error["without"]
            assert error["with"] < 0.03


def test_received():
    tf = pytest.importorskip("tensorflow")
    given = np.array([[0.05, -0.19, 0.21, -0.5, 1.0]])
    rows = tf.constant(phases.to_rows(given))
    weights = np.arange(10.0)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        heard = sparsity.received(rows, 0.2)
        total = tf.reduce_sum(heard * weights)
    expected = phases.to_rows(np.where(np.abs(given) < 0.2, 0, given))
    np.testing.assert_allclose(heard.numpy(), expected, atol=1e-12)
    np.testing.assert_array_equal(tape.gradient(total, rows).numpy()[0], weights)


@pytest.mark.parametrize("arc", [0.01, 0.15])
def test_training_network(arc):
    """Against the layers written in NumPy."""
    nengo_dl = pytest.importorskip("nengo_dl")
    recipe = replace(sparsity.SPARSE, arc=arc)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 1024))
    cycle = np.array([0, 5])
    net = sparsity.training_network(recipe, seed=1)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        given = np.concatenate([x, cycle[:, None]], axis=-1)
        seen = sim.predict({net.input: given[:, None]})
        (w_0, b_0), (w_1, b_1) = (
            [sim.data[c].weights[0] for c in (layer.weights, layer.bias)]
            for layer in net.classifier.layers
        )
    weight = sparsity.input_weight(np, x, cycle[:, None], TAU)
    hidden = np.exp(1j * np.angle((weight * phases.to_complex(x)) @ w_0 + b_0))
    heard = np.where(np.abs(np.angle(hidden)) < np.pi * arc, 1, hidden)
    output = np.angle(heard @ w_1 + b_1) / np.pi
    got = phases.from_complex(phases.from_rows(seen[net.output][:, 0]))
    np.testing.assert_allclose(got, output, atol=1e-4)
    np.testing.assert_allclose(phases.from_rows(seen[net.hidden][:, 0]), hidden, atol=1e-4)


def test_training_resumes_where_it_was_killed(tmp_path, killed):
    """Batches, cycles and the cost of spikes go on as they would have."""
    pytest.importorskip("nengo_dl")
    recipe = replace(sparsity.SPARSE, batches=6)
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-1, 1, (300, 1024)).astype(np.float32), rng.integers(0, 10, 300)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole, history = sparsity.train(recipe, 3, x, y, tmp_path / "whole")
    killed(4, lambda: sparsity.train(recipe, 3, x, y, tmp_path / "killed"))
    resumed, rest = sparsity.train(recipe, 3, x, y, tmp_path / "killed")
    for name, values in whole.items():
        np.testing.assert_array_equal(values, resumed[name])
    for name, values in history.items():
        np.testing.assert_array_equal(values, rest[name])
    np.testing.assert_allclose(history["sigma"], recipe.sigma_0 * np.arange(1, 4) / 3)


def test_results_command(garments, tmp_path, monkeypatch):
    """The command that makes results/phase_sparsity.json, on a tiny setting, twice."""
    pytest.importorskip("nengo_dl")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sparsity_runs, "STRENGTHS", (0.05, 0.1, 1.0))
    monkeypatch.setattr(sys, "argv", ["networks/phase_sparsity.py", "results"])
    arguments = ["results", "--data", str(garments), "--seeds", "0", "--batches", "60"]
    arguments += ["--output", "results.json", "--figures", "figures", "--resume"]
    arguments += ["--against", str(RESULTS / "local_rhythms.json")]
    done = CliRunner().invoke(sparsity_commands.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    content = json.loads(Path("results.json").read_text())
    assert content["seeds"] == [0]
    assert content["settings"]["test_images"] == 60
    assert {c["bound"] for c in content["claims"]} == {">= 0.9", ">= 0.98", "<= 1.0", "<= 1.5"}
    for name in sparsity_report.CAPTIONS:
        assert Path("figures", name).stat().st_size > 1000
    figures = content["figures"]
    removed = {}
    for recipe in sparsity.RECIPES:
        (run,) = figures[recipe]
        assert run["phase_accuracy"] > 0.9
        assert run["hidden_spikes_per_image"] == pytest.approx(CYCLES * 128, rel=0.05)
        for sparsifier, curve in run["curves"].items():
            dense, *some, everything = curve
            assert dense["removed"] == 0
            assert 0 < some[0]["removed"] < some[1]["removed"] < 1
            assert everything["removed"] == 1
            assert everything["accuracy"] == pytest.approx(0.1)
            removed[recipe, sparsifier] = some[1]["removed"]
        mean = figures["means"][recipe]
        assert mean["accuracy, spiking, all spikes"] == run["spiking_accuracy"]
        assert len(run["history"]["hidden_share"]) == 15
    for sparsifier in sparsity_runs.SPARSIFIERS:
        ordered = [removed[recipe, sparsifier] for recipe in ("sparse", "sparser")]
        assert ordered == sorted(ordered)
    (run,) = figures["sparse"]
    by_name = {c["name"].removeprefix("phase sparsity: "): c["value"] for c in content["claims"]}
    dense, *_, last = curve = run["curves"]["field"]
    at = np.interp(0.9, [p["removed"] for p in curve], [p["accuracy"] for p in curve])
    lost = "accuracy lost with 90 % of hidden spikes removed, relative to the"
    name = f"{lost} same network with all spikes, field, worst seed"
    assert by_name[name] == pytest.approx(100 * (dense["accuracy"] - at))
    name = f"{lost} best dense network, field"
    best = max(figures["best_dense"], dense["accuracy"], run["phase_accuracy"])
    assert by_name[name] == pytest.approx(100 * (best - at))
    cheap = by_name[
        "fraction of hidden spikes removed for at most 1 point of accuracy, field, worst seed"
    ]
    ends = np.interp(
        [cheap, cheap + 2e-3], [p["removed"] for p in curve], [p["accuracy"] for p in curve]
    )
    assert ends[1] < dense["accuracy"] - 0.01 <= ends[0] + 1e-9
    assert (
        by_name["fraction of hidden spikes removed at the end of the curve, arc"]
        == last["removed"]
        == 1
    )

    before = Path("results.json").read_text()
    again = CliRunner().invoke(sparsity_commands.main, arguments, catch_exceptions=False)
    assert "epoch" not in again.output
    assert Path("results.json").read_text() == before
    other = CliRunner().invoke(sparsity_commands.main, [*arguments, "--images", "10"])
    assert other.exit_code == 1
    assert "other settings" in other.output


def test_paying_removes_spikes(garments, tmp_path):
    """The same network, trained with and without the cost of spikes."""
    pytest.importorskip("nengo_dl")
    data = datasets.fashion_mnist(garments)
    data = replace(data, x_test=data.x_test[:20], y_test=data.y_test[:20])
    removed = []
    for sigma_0 in (0.0, 0.3):
        recipe = replace(sparsity.SPARSE, batches=40, sigma_0=sigma_0)
        folder = tmp_path / str(sigma_0)
        scores = sparsity_runs.evaluate(
            recipe, 0, folder, data, sparsity_runs.STRENGTHS, resume=False
        )
        removed.append([scores["curves"][name][4]["removed"] for name in ("arc", "field")])
    assert (np.subtract(*removed[::-1]) > 0.05).all()


@pytest.mark.parametrize("content", [None, "", "[]", '{"claims": []}'])
def test_what_results_are_compared_with_is_needed_first(content, tmp_path):
    """Before hours of training."""
    file = tmp_path / "others.json"
    if content is not None:
        file.write_text(content)
    arguments = ["results", "--data", str(tmp_path), "--against", str(file)]
    done = CliRunner().invoke(sparsity_commands.main, arguments)
    assert done.exit_code == 1
    assert str(file) in done.output
    assert "make it with python networks/local_rhythms.py results" in done.output


def test_dense_networks_are_those_of_local_rhythms():
    runs = json.loads((RESULTS / "local_rhythms.json").read_text())["figures"]["long"]
    mean = np.mean([run["phase_accuracy"] for run in runs])
    assert sparsity_claims.long_accuracy(RESULTS / "local_rhythms.json") == pytest.approx(mean)


def test_demo_holds_out_training_images(garments, tmp_path, monkeypatch):
    pytest.importorskip("nengo_dl")
    monkeypatch.setattr(sparsity_runs, "STRENGTHS", (0.1,))
    monkeypatch.setattr(data_of, "HELD_OUT", 100)
    folder = tmp_path / "demo"
    arguments = ["demo", "--data", str(garments), "--output", str(folder), "--batches", "4"]
    done = CliRunner().invoke(
        sparsity_commands.main, [*arguments, "--validate"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert json.loads((folder / "settings.json").read_text())["images"] == [412, 100]
    page = (folder / "index.html").read_text()
    for picture in sparsity_report.CAPTIONS:
        assert picture in page
        assert (folder / picture).exists()
    numbers = json.loads((folder / "metrics.json").read_text())
    assert 0 <= numbers["most hidden spikes removed, arc"] <= 1


def test_model_shows_the_class():
    """It appears in the rhythm's phases, and few hidden spikes are sent."""
    model = models.load("phase_sparsity")
    with model:
        outputs = nengo.Probe(model.all_ensembles[-1].neurons)
        neurons = model.hidden.neurons
        (sent,) = (c.post for c in model.all_connections if c.pre == neurons and c.synapse)
        hidden = nengo.Probe(sent)
    with nengo.Simulator(model, progress_bar=False, seed=0) as sim:
        sim.run(1.9)
    decoded = phases.from_raster(sim.data[outputs], 10.0, 0.001)
    assert list(metrics.phase_class(decoded[[8, 18]])) == [0, 1]
    assert np.count_nonzero(sim.data[hidden]) < 0.15 * 19 * 128

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner

from nengo_phasor import results
from nengo_phasor.models.factorized import commands, measure, network, report, training

NETWORKS = Path(__file__).resolve().parents[3] / "networks"
SUBTRACT = network.VARIANTS["subtract"]


@pytest.fixture(scope="module")
def seen():
    return measure.simulate(3, SUBTRACT)


def test_input_is_equation_13():
    for n, value in enumerate(network.signal(0.7)):
        assert value == pytest.approx((1 + np.sin(4 * 0.7 - n)) / 2)
    np.testing.assert_allclose(network.signal(0.2 + network.PERIOD), network.signal(0.2))


def test_model_opens_as_nengo_gui_opens_it():
    model = runpy.run_path(str(NETWORKS / "factorized_if.py"), run_name="model")["model"]
    assert [net.label for net in model.networks] == ["single layer", "deep"]
    assert sum(ensemble.n_neurons for ensemble in model.all_ensembles) == 37 + 41
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run_steps(5)


def test_counts_of_the_paper():
    """4 + 32 + 1 neurons; 4 + 4 x 32 + 32 synapses, all trained but the 4 that share k."""
    found = measure.sizes()
    assert found["single"] == {
        "neurons": 37,
        "synapses": 164,
        "nonzero_synapses": 164,
        "parameters": 1 + 128 + 32 + 37,
        "rank": 4,
    }
    deep = found[network.CLAIMED]
    assert deep["neurons"] == 37 + 4
    assert deep["synapses"] == 4 + 4 * 4 + 4 * 32 + 32 + 32  # the last: biases taken off
    assert found["nmf"]["synapses"] == 4 + 4 * 4 + 4 * 32 + 32


def plain_loop(seed, factors, bias, n_steps):
    """The network in plain NumPy, with reset by subtraction: spikes of Y, (n_steps,)."""
    rng = np.random.RandomState(seed)
    w_a, w_b = rng.uniform(size=(32, 4)), rng.uniform(size=(1, 32))
    layers = [np.eye(4) * 100, *([w_a] if factors is None else factors[::-1]), w_b]
    biases = [0, *([0] if factors is None else [bias, -factors[0] @ bias]), 0]
    voltages = [np.zeros(len(layer)) for layer in layers]
    spikes = np.zeros(n_steps)
    for k in range(n_steps):
        x = network.signal((k + 1) * 1e-4)
        for weights, voltage, constant in zip(layers, voltages, biases, strict=True):
            voltage += (weights @ x + constant) * 1e-4
            fired = voltage >= 1
            voltage -= fired
            x = fired / 1e-4
        spikes[k] = x[0]
    return spikes


def test_network_is_the_paper_s(seen):
    """Single-layer and deep, against loops in NumPy; a probe's filter acts a step later."""
    n = 4000
    alpha = nengo.Alpha(0.02)
    single = alpha.filt(plain_loop(3, None, None, n)[:, None], dt=1e-4, y0=0)[:, 0]
    np.testing.assert_allclose(seen.single[1:n], single[:-1], atol=1e-6)
    from scipy.linalg import lu

    left, upper = lu(np.random.RandomState(3).uniform(size=(32, 4)), permute_l=True)
    bias = -100 * np.minimum(upper, 0).sum(axis=1)
    spikes = plain_loop(3, [left, upper], bias, n)
    deep = alpha.filt(spikes[:, None], dt=1e-4, y0=0)[:, 0]
    np.testing.assert_allclose(seen.deep["plu, biases"][1:n], deep[:-1], atol=1e-6)


def test_ideal_is_what_the_spikes_are_on_average(seen):
    """Without losses: within a percent over a period, for each pathway."""
    for psp in (seen.single, *seen.deep.values()):
        assert abs(measure.off_ideal(psp, seen.ideal)) < 1
    rates = 100 * np.random.RandomState(3).uniform(size=(32, 4)).mean() * 4  # of A, roughly
    assert measure.last_period(seen.ideal).mean() == pytest.approx(rates * 32 / 4, rel=0.3)


def test_resets_to_zero_lose_charge():
    """The paper's explanation: much less arrives; spread spikes lose less."""
    zero, alpha = (measure.simulate(3, network.VARIANTS[name]) for name in ("zero", "alpha"))
    assert measure.off_ideal(zero.single, zero.ideal) < -50
    assert -20 < measure.off_ideal(alpha.single, alpha.ideal) < -3


def test_errors_lags_and_percentiles():
    n = round(network.SECONDS / network.DT)
    times = network.DT * np.arange(n)
    wave = 3 + np.sin(4 * times)
    late = 3 + np.sin(4 * (times - 0.012))
    assert measure.lag(wave, late) * network.DT == pytest.approx(0.012)
    assert np.abs(measure.errors(wave, late, earlier=120)).max() < 1e-9
    assert measure.errors(wave, late).mean() == pytest.approx(0, abs=0.01)  # a delay has no mean
    assert measure.errors(wave, late).max() == pytest.approx(100 * 2 * np.sin(0.024) / 3, rel=0.01)
    assert measure.errors(wave, 1.02 * wave).mean() == pytest.approx(2)
    assert measure.off_ideal(0.9 * wave, wave) == pytest.approx(-10)


@pytest.fixture
def tiny(monkeypatch):
    """A few digits, steps and epochs."""
    x, y, x_test, y_test = training.digits()
    few = (x[:64], y[:64], x_test[:20], y_test[:20])
    monkeypatch.setattr(training, "digits", lambda: few)
    recipe = replace(
        training.RECIPE, methods=("svd",), hidden=8, n_steps=6, first=1, further=1, k=900.0
    )
    monkeypatch.setattr(training, "RECIPE", recipe)


@pytest.fixture
def coarse(monkeypatch):
    """Fewer pathways and longer steps."""
    shown = {key: network.PATHWAYS[key] for key in (network.CLAIMED, "nmf")}
    monkeypatch.setattr(network, "PATHWAYS", shown)
    monkeypatch.setattr(measure, "PATHWAYS", shown)
    for module in (network, measure, report):
        monkeypatch.setattr(module, "DT", 0.0005)


def test_digits_are_shared_out():
    x, y, x_test, y_test = training.digits()
    assert (len(x), len(x_test)) == (1297, 500)
    assert x.min() == 0
    assert x.max() == 1
    assert len(np.unique(np.concatenate([x, x_test]), axis=0)) == 1797
    assert sorted(set(y)) == sorted(set(y_test)) == list(range(10))


def test_results_command(tmp_path, monkeypatch, tiny, coarse):
    """The command that makes results/factorized_if.json, killed after one seed and resumed."""
    pytest.importorskip("nengo_dl")
    monkeypatch.setattr(sys, "argv", ["networks/factorized_if.py", "results"])
    output, runs = tmp_path / "results.json", tmp_path / "runs"
    arguments = ["results", "--output", str(output), "--runs", str(runs), "--seeds", "2"]
    trained = []

    def measure_seed(recipe, seed):
        if seed == 1 and len(trained) == 1:
            trained.append("killed")
            raise KeyboardInterrupt
        trained.append(seed)
        found = training_measure_seed(recipe, seed) if seed == 0 else first
        return found

    training_measure_seed = training.measure_seed
    monkeypatch.setattr(training, "measure_seed", measure_seed)
    CliRunner().invoke(commands.main, [*arguments, "--training-seeds", "2"])
    assert not output.exists()
    first = json.loads((runs / "seed0.json").read_text())
    done = CliRunner().invoke(commands.main, [*arguments, "--training-seeds", "2", "--resume"])
    assert done.exit_code == 0, done.output
    assert trained == [0, "killed", 1]

    content = json.loads(output.read_text())
    assert content["seeds"] == [0, 1]
    mean, lost = (results.Claim(**claim) for claim in content["claims"])
    resets = content["figures"]["resets"]
    for name in network.VARIANTS:
        found = resets[name][network.CLAIMED]
        assert found["mean_error"] == pytest.approx(np.mean(found["mean_errors"]))
        assert found["percentiles"] == sorted(found["percentiles"])
        assert found["percentiles_of_peak"][-1] < found["percentiles"][-1]
    assert mean.value == abs(resets["subtract"][network.CLAIMED]["mean_error"])
    accuracies = content["figures"]["training"]["accuracies"]
    assert list(accuracies) == [
        "single, first",
        "svd, untrained",
        "single, further",
        "svd, further",
    ]
    before, after = (accuracies[stage]["test"] for stage in ("single, first", "svd, untrained"))
    assert lost.value == pytest.approx(100 * (np.mean(before) - np.mean(after)))
    assert content["figures"]["training"]["sizes"]["svd"]["neurons"] == 64 + 2 * 8 + 8
    assert sum(" factorised depth, " in line for line in done.output.splitlines()) == 2


def test_training_with_other_settings_is_not_resumed(tmp_path, tiny, monkeypatch):
    results.write(tmp_path / "settings.json", training.settings())
    monkeypatch.setattr(training, "RECIPE", replace(training.RECIPE, hidden=9))
    with pytest.raises(Exception, match="belongs to a run with other settings"):
        training.measure([0], tmp_path, resume=True)


def test_training_lowers_the_loss_and_leaves_the_encoding(tiny):
    pytest.importorskip("nengo_dl")
    recipe = replace(training.RECIPE, learning_rate=0.01)
    net = training.network(recipe, 0)
    training.train(net, recipe, 12, 0)
    assert training.accuracy(net, recipe)["train"] > 0.5
    assert net.encoding.transform.init == recipe.k
    assert np.all(net.x.bias == 0)


def test_deepened_digits_are_the_same_network(tiny):
    """With rates in the place of spikes, to rounding."""
    recipe = training.RECIPE
    net = training.network(recipe, 0)
    deep, report = training.deepened(net, recipe, "svd")
    x = training.digits()[0][0]
    seen = []
    for one in (net, deep):
        for ensemble in one.all_ensembles:
            ensemble.neuron_type = nengo.RectifiedLinear()
        one.pixels.output = x
        with nengo.Simulator(one, progress_bar=False) as sim:
            sim.run_steps(3)
        seen.append(sim.data[one.output][-1])
    np.testing.assert_allclose(seen[1], seen[0], rtol=1e-6)
    assert report.after.rank == 8


def test_demo_and_figures_commands(tmp_path, coarse):
    demo = CliRunner().invoke(commands.main, ["demo", "--output", str(tmp_path / "demo")])
    assert demo.exit_code == 0, demo.output
    page = (tmp_path / "demo" / "index.html").read_text()
    assert "<th>single</th><td>37</td><td>164</td><td>164</td><td>198</td>" in page
    assert "percentile 99" in page
    done = CliRunner().invoke(commands.main, ["figures", "--output", str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    made = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert made == sorted(path.name for path in (tmp_path / "demo").glob("*.png"))
    for name in made:
        assert name in page
        assert (tmp_path / "new" / name).read_bytes().startswith(b"\x89PNG")

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import nengo_phasor
from nengo_phasor import energy, metrics, models, phases
from nengo_phasor.models.rhythms import commands, cost, pictures, sweep, training
from nengo_phasor.models.rhythms.network import CYCLES, phase_network


@pytest.fixture
def recipe():
    return replace(training.RECIPES["long"], batches=6)


def test_training_resumes_where_it_was_killed(recipe, tmp_path, killed):
    pytest.importorskip("nengo_dl")
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-1, 1, (300, 1024)).astype(np.float32), rng.integers(0, 10, 300)
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = training.train(recipe, 3, x, y, tmp_path / "whole")
    killed(4, lambda: training.train(recipe, 3, x, y, tmp_path / "killed"))
    resumed = training.train(recipe, 3, x, y, tmp_path / "killed")
    for name, values in whole.items():
        np.testing.assert_array_equal(values, resumed[name])
    assert not np.allclose(whole["weights_1"], 0)


def test_results_command(garments, tmp_path, monkeypatch):
    """The command that makes results/local_rhythms.json, on a tiny setting, twice."""
    pytest.importorskip("nengo_dl")
    monkeypatch.chdir(tmp_path)
    few = {"arc": (0.0, 0.3, 1.0), "field": (0.0, 0.3, 1.0), "random": (0.0, 0.5, 1.0)}
    monkeypatch.setattr(sweep, "STRENGTHS", few)
    monkeypatch.setattr(sys, "argv", ["networks/local_rhythms.py", "results"])
    arguments = ["results", "--data", str(garments), "--seeds", "0", "--batches", "40"]
    arguments += ["--output", "results.json", "--resume"]
    done = CliRunner().invoke(commands.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    content = json.loads(Path("results.json").read_text())
    assert set(content) == {
        "command",
        "date",
        "versions",
        "machine",
        "seeds",
        "settings",
        "figures",
        "claims",
    }
    assert content["seeds"] == [0]
    assert content["settings"]["test_images"] == 60
    assert {c["name"] for c in content["claims"]} == {
        *(f"phase-domain accuracy, {r} recipe" for r in ("paper", "long")),
        *(
            f"accuracy difference between phase domain and spiking, {r} recipe, worst seed"
            for r in ("paper", "long")
        ),
        *(
            f"accuracy lost with 60 % of all spikes removed, {s}, long recipe"
            for s in ("arc", "field", "random")
        ),
    }
    (run,) = content["figures"]["long"]
    assert run["phase_accuracy"] > 0.9
    assert abs(run["phase_accuracy"] - run["spiking_accuracy"]) < 0.1
    assert run["spikes_per_image"] == pytest.approx(CYCLES * 138, rel=0.05)
    for curves in run["curves"].values():
        for curve in curves.values():
            dense, nothing, some, everything = curve
            assert nothing["removed"] == 0
            assert nothing["accuracy"] == dense["accuracy"]
            assert 0 < some["removed"] < 1
            assert everything["removed"] == 1
            assert everything["accuracy"] == pytest.approx(0.1)
    curve = run["curves"]["silence"]["random"]
    points = sorted((p["removed"], p["accuracy"]) for p in curve)
    lost = run["spiking_accuracy"] - np.interp(0.6, *zip(*points, strict=True))
    measured = content["figures"]["lost_at_60_percent_removed"]["long"]["silence"]["random"]
    assert measured == pytest.approx(100 * lost)

    before = Path("results.json").read_text()
    again = CliRunner().invoke(commands.main, arguments, catch_exceptions=False)
    assert "epoch" not in again.output
    assert Path("results.json").read_text() == before
    other = CliRunner().invoke(commands.main, [*arguments, "--images", "10"])
    assert other.exit_code == 1
    assert "other settings" in other.output


def test_demo_command(garments, tmp_path, monkeypatch):
    pytest.importorskip("nengo_dl")
    few = {"arc": (0.3, 1.0), "field": (0.3, 1.0), "random": (0.5, 1.0)}
    monkeypatch.setattr(sweep, "STRENGTHS", few)
    arguments = ["demo", "--data", str(garments), "--output", str(tmp_path / "demo")]
    done = CliRunner().invoke(commands.main, [*arguments, "--batches", "4"], catch_exceptions=False)
    assert done.exit_code == 0
    page = (tmp_path / "demo" / "index.html").read_text()
    addresses = re.findall(r'src="([^"]+)"', page)
    assert len(addresses) >= 12
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    for name in ("garments", "input", "raster_all", "raster_arc", "removed_reference", "energy"):
        assert f'<figure id="{name}.png">' in page
    for fact in ("FashionMNIST", "512", "60", "long, 4 batches of 128"):
        assert f"<dd>{fact}</dd>" in page
    numbers = json.loads((tmp_path / "demo" / "metrics.json").read_text())
    assert 0 <= numbers["accuracy, phase domain"] <= 1
    assert "accuracy, phase domain" in done.output


def test_cost_is_what_the_library_counts():
    """The operations of all layers, from one image's spikes, and twice those that are assumed."""
    net = phase_network(seed=2)
    twin, new = nengo_phasor.convert.to_spiking(net)
    x = np.random.default_rng(0).uniform(-1, 1, (1, 1, 1024))
    units = [new[layer.units] for layer in net.classifier.layers]
    with twin:
        probes = [nengo.Probe(ensemble.neurons) for ensemble in units]
    with nengo_phasor.layerwise.Simulator(twin) as sim:
        seen = sim.predict({new[net.input]: x}, 100 * CYCLES)
    counts = {
        ensemble: metrics.spike_counts(seen[probe], 0.001)
        for ensemble, probe in zip(units, probes, strict=True)
    }
    sources = [node for node in twin.all_nodes if node.size_in == 0]
    counts |= {node: np.full((1, node.size_out), CYCLES) for node in sources}
    (total,) = energy.synaptic_operations(twin, counts)
    hidden = float(counts[units[0]].sum())
    found = cost.cost({"hidden_spikes": hidden}, assumed=False)
    assert found.output == 10 * hidden
    assert found.output + found.rest == total
    assert found.updates == 100 * CYCLES * sum(e.n_neurons for e in twin.all_ensembles)
    assert cost.cost({"hidden_spikes": hidden}, assumed=True).output == 20 * hidden + 10 * CYCLES
    assert found.output_joules == pytest.approx(10 * hidden * 23.6e-12)
    assert found.joules == pytest.approx(total * 23.6e-12 + found.updates * 81e-12)


@pytest.mark.parametrize("name", ["arc", "field", "random"])
def test_drawn_raster_is_what_the_sparsifier_lets_through(name):
    raster = phases.to_raster(np.linspace(-0.9, 0.9, 20), 10.0, 8, 0.001) / 0.001
    ax = Figure().add_subplot()
    dropped = pictures.draw_raster(ax, raster, name, 0.4)
    sent = sweep.SPARSIFIERS[name](0.4).filt(raster, dt=0.001)
    assert dropped == 1 - np.count_nonzero(sent) / np.count_nonzero(raster)
    assert 0 < dropped < 1
    every, let_through = ax.lines
    assert len(every.get_xdata()) == np.count_nonzero(raster[-300:])
    assert len(let_through.get_xdata()) == np.count_nonzero(sent[-300:])


def test_missing_data_is_named(tmp_path):
    done = CliRunner().invoke(commands.main, ["demo", "--data", str(tmp_path)])
    assert done.exit_code != 0
    assert "dataset-fashion-mnist" in done.output


def test_sweep_is_the_network_it_stands_for(recipe):
    """A branch of the sweep's network makes the spikes of a network converted for that point."""
    net = phase_network(gain=0.5, seed=4)
    with nengo.Simulator(net, progress_bar=False) as sim:
        params = {}
        for k, layer in enumerate(net.classifier.layers):
            for name in ("weights", "bias"):
                params[f"{name}_{k}"] = np.squeeze(sim.data[getattr(layer, name)].weights, 0)
    x = np.random.default_rng(0).uniform(-1, 1, (3, 1024))
    point = ("reference", "arc", 0.2)
    swept = sweep.sweep_network(params, [("silence", "arc", 0.0), point])
    twin, new = nengo_phasor.convert.to_spiking(
        phase_network(params),
        nengo_phasor.ResonateAndFire(10.0),
        nengo_phasor.ArcSparsifier(0.2, 10.0),
        assume_reference=True,
    )
    old = next(obj for obj in new if getattr(obj, "label", None) == "phasors")
    hidden, output = (p for p in new.values() if isinstance(p, nengo.Probe))
    with nengo_phasor.layerwise.Simulator(swept) as sim:
        branch = sim.predict({swept.input: x[:, None]}, 300)
    with nengo_phasor.layerwise.Simulator(twin) as sim:
        alone = sim.predict({new[old]: x[:, None]}, 300)
    np.testing.assert_array_equal(branch[swept.outputs[1]], alone[output])
    sent = np.count_nonzero(alone[hidden]) + np.count_nonzero(alone[output])
    assert branch[swept.counts[1]].sum() == pytest.approx(sent)


def test_model_shows_the_class():
    """It appears in the rhythm's phases."""
    model = models.load("local_rhythms")
    outputs = model.output
    with model:
        probe = nengo.Probe(outputs.neurons)
    with nengo.Simulator(model, progress_bar=False, seed=0) as sim:
        sim.run(1.9)
    decoded = phases.from_raster(sim.data[probe], 10.0, 0.001)
    assert list(metrics.phase_class(decoded[[8, 18]])) == [0, 1]

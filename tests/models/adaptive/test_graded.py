"""Networks of rectifiers in graded spikes, beside their twins and NengoDL's conversions."""

import json
import sys
from dataclasses import replace

import nengo
import numpy as np
import pytest
from click.testing import CliRunner

from nengo_phasor import convert, energy
from nengo_phasor.models.adaptive import graded_measure, rectified
from nengo_phasor.models.adaptive.units import UNITS
from tests.models.adaptive.test_resnet import random_statistics
from tests.models.images import class_rows, write_class_rows

pytest.importorskip("nengo_dl")
from nengo_phasor.models.adaptive.graded_commands import main

SHAPES = {"mlp": (28, 28, 1), "vgg": (16, 16, 3), "mobile": (16, 16, 1)}


@pytest.fixture(scope="module")
def mlp():
    """Images that are easy to learn, their classes, and a network that has learnt them."""
    x, y = class_rows(300, np.random.default_rng(0))
    x = x[..., None].astype(np.float32) / 255
    model = rectified.keras_model("mlp", "rectifier", SHAPES["mlp"])
    model.compile("adam", "mse")
    model.fit(x, np.eye(10)[y], epochs=5, verbose=0)
    return model, x, y


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("name", rectified.NETWORKS)
def test_conversion_computes_what_keras_does(name, units):
    model = random_statistics(rectified.keras_model(name, units, SHAPES[name]))
    converted = convert.to_adaptive(model)
    x = np.random.default_rng(1).uniform(size=(2, *SHAPES[name])).astype(np.float32)
    assert converted.verify(x) < 1e-3
    assert all(e.neuron_type.graded == (units == "rectifier") for e in converted.layers.values())


def test_spikes_and_their_energy_are_those_in_nengo(mlp, tmp_path):
    """Counted by hand in one run of nengo.Simulator; a graded spike is multiplied."""
    model, x, y = mlp
    converted = convert.to_adaptive(model)
    found = graded_measure.in_spikes(converted, x[:1], y[:1], tmp_path)
    network = converted.copy()
    network.input.output = x[0].ravel()
    with network:
        probes = {name: nengo.Probe(e.neurons) for name, e in network.layers.items()}
    with nengo.Simulator(network, dt=0.001, progress_bar=False) as sim:
        sim.run_steps(graded_measure.WINDOW)
    sent = {name: np.count_nonzero(sim.data[probe]) for name, probe in probes.items()}
    assert {name: round(n) for name, n in found["spikes_by_layer"].items()} == pytest.approx(
        sent, rel=0.02
    )
    products = 784 * 256 + found["spikes_by_layer"]["dense1"] * 128
    products += found["spikes_by_layer"]["dense2"] * 10
    assert found["joules"] == pytest.approx(
        products * energy.DEVICES[graded_measure.DEVICE].mac, rel=1e-6
    )


def test_chunks_are_kept(mlp, tmp_path, monkeypatch):
    model, x, y = mlp
    converted = convert.to_adaptive(model)
    monkeypatch.setattr(graded_measure, "CHUNK", 4)
    found = graded_measure.in_spikes(converted, x[:10], y[:10], tmp_path)
    assert sorted(file.name for file in tmp_path.glob("*.json")) == ["0.json", "4.json", "8.json"]
    monkeypatch.setattr(graded_measure, "shown", None)
    assert graded_measure.in_spikes(converted, x[:10], y[:10], tmp_path) == found


def test_nengo_dl_conversion_spikes_as_in_nengo(mlp):
    """Its network has no nodes that only NengoDL could run, so Nengo counts its spikes, too."""
    model, x, y = mlp
    n = graded_measure.AT_ONCE
    found = graded_measure.run_in_nengo_dl(model, 50.0, x[:n], y[:n])
    assert found["accuracy"] > 0.5
    converter = graded_measure.nengo_dl_conversion(model, 50.0)
    with converter.net as network:
        probes = [
            nengo.Probe(e.neurons) for e in network.all_ensembles if graded_measure.is_spiking(e)
        ]
    total = 0
    for image in x[:n]:
        converter.inputs[model.input].output = image.ravel()
        with nengo.Simulator(network, dt=0.001, progress_bar=False) as sim:
            sim.run_steps(graded_measure.WINDOW)
        total += sum(np.count_nonzero(sim.data[probe]) for probe in probes)
    assert found["spikes"] == pytest.approx(total / n, rel=0.02)


def test_results_command(tmp_path, monkeypatch):
    """The command that makes results/graded.json, on a tiny setting, twice."""
    write_class_rows(tmp_path / "data" / "mnist", 600, 40)
    monkeypatch.setitem(
        rectified.NETWORKS,
        "mlp",
        rectified.NETWORKS["mlp"]._replace(
            recipe=replace(rectified.NETWORKS["mlp"].recipe, epochs=2, batch_size=10)
        ),
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["networks/adaptive_graded.py", "results"])
    arguments = "results --data data --set mlp --images 30 --trials 40 --beside 20 --resume"
    for _ in range(2):
        done = CliRunner().invoke(main, arguments.split(), catch_exceptions=False)
        assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "results" / "graded.json").read_text())
    found = content["figures"]["mlp"]
    assert set(found) == {"graded", "half-sigmoid", "nengo_dl"}
    for one in found.values():
        assert one["accuracy"] > 0.8
        assert 0 < one["firing_rate"] < 500
    claim = content["claims"][0]
    assert claim["value"] == pytest.approx(
        100 * (found["graded"]["analog"]["accuracy"] - found["graded"]["accuracy"])
    )
    assert (tmp_path / "runs" / "adaptive_graded" / "report" / "rates_mlp.png").exists()

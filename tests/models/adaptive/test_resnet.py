import json
import sys
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner

from nengo_phasor import convert, datasets, energy
from nengo_phasor.models.adaptive import resnet, resnet_measure
from nengo_phasor.models.adaptive.resnet_commands import main
from nengo_phasor.models.adaptive.units import UNITS

pytest.importorskip("nengo_dl")

SMALL, QUARTERED = ((16, 16, 3), 5, 1 / 32), ((64, 64, 1), 3, 1 / 64)
"""Image, classes, width: with the first layers as for small images, and as for ImageNet."""


def random_statistics(model, seed=0):
    """Give normalisation something to do: other shifts and scales in every channel."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        if "moving_variance" in variable.name:
            variable.assign(rng.uniform(0.3, 2, variable.shape))
        elif "moving_mean" in variable.name or "beta" in variable.name:
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return model


@pytest.fixture(scope="module", params=[SMALL, QUARTERED], ids=["small", "quartered"])
def pair(request):
    """An analog network, and the same converted."""
    model = random_statistics(resnet.keras_model(*request.param))
    return model, convert.to_adaptive(model)


def test_converted_network_computes_what_keras_does(pair):
    model, converted = pair
    x = np.random.default_rng(1).uniform(size=(3, *model.input_shape[1:]))
    assert converted.verify(x.astype(np.float32)) < 1e-3


@pytest.mark.parametrize("units", UNITS)
def test_measured_in_nengo(units):
    """The spikes of an image and their operations, counted in nengo.Simulator."""
    images = np.random.default_rng(0).uniform(size=(2, 16, 16, 1)).astype(np.float32)
    found = resnet_measure.measured(units, images, 1, 3, 1 / 32, n_steps=60)
    model = resnet_measure.normalised(units, images, 3, 1 / 32)
    converted = convert.to_adaptive(model)
    network = converted.network
    converted.input.output = images[0].ravel()
    with network:
        probes = {e: nengo.Probe(e.neurons) for e in converted.layers.values()}
    with nengo.Simulator(network, dt=0.001, progress_bar=False) as sim:
        sim.run_steps(60)
    counts = {e: np.count_nonzero(sim.data[probe], axis=0)[None] for e, probe in probes.items()}
    (operations,) = energy.synaptic_operations(network, counts)
    assert found["spikes"] == pytest.approx(sum(n.sum() for n in counts.values()), rel=0.02)
    assert found["synaptic_operations"] == pytest.approx(operations, rel=0.02)
    assert found["neurons"] == network.n_neurons
    assert found["parameters"] == sum(np.size(variable) for variable in model.variables)
    assert found["firing_rate"] == pytest.approx(found["spikes"] / network.n_neurons / 0.06)
    update = energy.DEVICES["loihi"].update * energy.neuron_updates(network, 60)
    assert found["energy"]["loihi"] == pytest.approx(
        update + energy.DEVICES["loihi"].synapse * found["synaptic_operations"]
    )
    assert found["rate_network_differs_by"] < 1e-3


def test_normalisation_has_the_images_statistics():
    """So that no layer is silent: every layer's input has about mean 0 and variance 1."""
    images = np.random.default_rng(0).uniform(size=(16, 16, 16, 1)).astype(np.float32)
    model = resnet_measure.normalised("half-sigmoid", images, 3, 1 / 16)
    inner = model.get_layer("block2a_first_norm").output
    seen = type(model)(model.input, inner)(images).numpy()
    assert np.abs(seen.mean(axis=(0, 1, 2))).max() < 0.5
    assert np.abs(seen.std(axis=(0, 1, 2)) - 1).max() < 0.5


def test_full_size_is_resnet_18():
    """Its published 11.7 million parameters and 1.8 thousand million weights in place."""
    model = resnet.keras_model((224, 224, 3), 1000)
    converted = convert.to_adaptive(model)
    synapses = energy.multiply_accumulates(converted.network)
    assert model.count_params() == pytest.approx(11.69e6, rel=2e-3)
    assert synapses == pytest.approx(1.82e9, rel=0.1)
    shapes = {name: layer.n_neurons for name, layer in converted.layers.items()}
    assert shapes["pixels"] == 224 * 224 * 3
    assert shapes["stem"] == 56 * 56 * 64
    assert shapes["last"] == 7 * 7 * 512
    assert len(shapes) == 1 + 17  # the pixels', and one before each layer with weights


def hoard(n):
    return {"length": len(np.ones(n))}


def test_peak_memory_is_that_of_a_new_process():
    few, many = (resnet_measure.alone(hoard, n) for n in (10, 40_000_000))
    assert (few["length"], many["length"]) == (10, 40_000_000)
    assert many["peak_memory"] - few["peak_memory"] == pytest.approx(320e6, rel=0.1)


def test_commands(tmp_path, monkeypatch):
    """The results on a tiny setting, and a large network by itself."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.integers(0, 40, (120, 8, 8)).astype(np.uint8)
    x[np.arange(120), 2 * y] += 200
    data = datasets.Dataset("mnist", x[:90], y[:90], x[90:], y[90:], ("a", "b", "c"))
    monkeypatch.setattr(datasets, "load", lambda name, folder: data)
    for name, value in (("PRECISIONS", (0.1, 0.4)), ("MAPS", (64, 128)), ("BLOCKS", 1)):
        monkeypatch.setattr(resnet, name, value)
    monkeypatch.setattr(sys, "argv", ["networks/adaptive_resnet.py", "results"])
    monkeypatch.chdir(tmp_path)
    arguments = ["results", "--set", "mnist", "--width", "0.05", "--epochs", "2", "--training"]
    arguments += ["80", "--images", "10", "--trials", "8", "--resume"]
    arguments += ["--size", "32", "--classes", "4", "--large", "0.05"]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    content = json.loads(Path("results/adaptive_resnet.json").read_text())
    found = content["figures"]["mnist"]
    assert found["n_test"] == 10
    assert found["rate_network_differs_by"] < 1e-3
    page = Path("runs/adaptive_resnet/mnist-0.05-0/index.html")
    assert f"See {page}" in done.output
    assert "neuron.png" in page.read_text()
    for units in UNITS:
        assert content["figures"][f"imagenet, {units}"]["image"] == [32, 32, 1]
    assert [claim["bound"] for claim in content["claims"]] == 2 * ["<= 0.001", "<= 12"]
    done = CliRunner().invoke(main, ["measure", "--size", "16", "--large", "0.05"])
    assert "firing rate" in done.output
    assert "GiB" in done.output

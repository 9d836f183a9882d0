import json
import sys
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from nengo_phasor import convert, datasets, energy
from nengo_phasor.models.adaptive import resnet
from nengo_phasor.models.adaptive.estimate import estimate, taps
from nengo_phasor.models.adaptive.resnet_commands import main

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


def test_estimate_is_what_is_built(pair):
    """Counted in the network, neuron by neuron and weight by weight."""
    model, converted = pair
    found = estimate(model, {"some": 40.0}, window=0.25)
    network = converted.network
    built = {name: layer.n_neurons for name, layer in converted.layers.items()}
    assert found["layers"] == built
    assert found["neurons"] == network.n_neurons
    assert found["parameters"] == sum(np.size(variable) for variable in model.variables)
    with nengo.Network(add_to_container=False) as weighted:
        pass
    weighted.connections.extend(
        c
        for c in network.all_connections
        if isinstance(c.transform, nengo.Convolution)
        or (isinstance(c.transform, nengo.Dense) and np.ndim(c.transform.init) == 2)
    )
    assert found["synapses"] == energy.multiply_accumulates(weighted)
    counts = {layer: np.full((1, layer.n_neurons), 40 * 0.25) for layer in network.all_ensembles}
    (operations,) = energy.synaptic_operations(network, counts)
    at = found["at"]["some"]
    assert at["spikes"] == 10 * network.n_neurons
    assert at["synaptic_operations"] == pytest.approx(operations)
    update = energy.DEVICES["loihi"].update * energy.neuron_updates(network, 250)
    assert at["energy"]["loihi"] == pytest.approx(
        update + energy.DEVICES["loihi"].synapse * operations
    )


def test_full_size_is_resnet_18():
    """Its published 11.7 million parameters and 1.8 thousand million weights in place."""
    found = estimate(resnet.keras_model((224, 224, 3), 1000))
    assert found["parameters"] == pytest.approx(11.69e6, rel=2e-3)
    assert found["synapses"] == pytest.approx(1.82e9, rel=0.1)
    shapes = found["layers"]
    assert shapes["pixels"] == 224 * 224 * 3
    assert shapes["stem"] == 56 * 56 * 64
    assert shapes["last"] == 7 * 7 * 512
    assert len(shapes) == 1 + 17  # the pixels', and one before each layer with weights
    precise, few = found["at"]["precise"], found["at"]["few spikes"]
    assert precise["spikes"] == 66 * 0.5 * found["neurons"]
    assert few["synaptic_operations"] / precise["synaptic_operations"] == pytest.approx(12 / 66)


@given(st.integers(3, 20), st.integers(1, 3), st.integers(1, 3), st.sampled_from(["same", "valid"]))
def test_taps_are_those_inside(n_in, size, stride, padding):
    """Against a loop over all places of the kernel."""
    n_out = -(-n_in // stride) if padding == "same" else (n_in - size) // stride + 1
    before = max((n_out - 1) * stride + size - n_in, 0) // 2 if padding == "same" else 0
    inside = sum(
        0 <= place * stride - before + k < n_in for place in range(n_out) for k in range(size)
    )
    assert taps(n_in, n_out, size, stride, padding) == inside


def test_commands(tmp_path, monkeypatch):
    """The results on a tiny setting, and the estimate."""
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
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    content = json.loads(Path("results/adaptive_resnet.json").read_text())
    found = content["figures"]["mnist"]
    assert found["n_test"] == 10
    assert found["rate_network_differs_by"] < 1e-3
    page = Path("runs/adaptive_resnet/mnist-0.05-0/index.html")
    assert f"See {page}" in done.output
    assert "neuron.png" in page.read_text()
    assert content["figures"]["imagenet_estimate"]["image"] == [224, 224, 3]
    done = CliRunner().invoke(main, ["estimate", "--size", "32", "--width", "0.125"])
    assert "neurons" in done.output
    assert "MiB" in done.output

import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from nengo_phasor import datasets, models
from nengo_phasor.models.adaptive import cifar, cifar_gui
from nengo_phasor.models.adaptive.cifar_commands import main
from nengo_phasor.models.adaptive.stack import Layout

pytest.importorskip("nengo_dl")


@pytest.mark.parametrize(("name", "last"), [("cifar10", 512), ("cifar100", 1024)])
def test_stack_is_the_papers(name, last):
    """Groups of 2, 2, 3 and 3 convolutions, each group ending in a pooling by 2."""
    model = cifar.model_of(name, 1 / 16)
    shapes = {layer.name: layer.output_shape[1:] for layer in model.layers}
    assert shapes["conv1a_weights"] == (32, 32, 4)
    assert shapes["conv1b"] == (16, 16, 4)
    assert shapes["conv2b"] == (8, 8, 8)
    assert shapes["conv3b"] == (8, 8, 16)
    assert shapes["conv3c"] == (4, 4, 16)
    assert shapes["conv4c"] == (2, 2, last // 16)
    assert shapes["dense1"] == (last // 16,)
    assert shapes["classes"] == ({"cifar10": 10, "cifar100": 100}[name],)


def test_dropout_goes_with_the_width():
    """In the convolutions without pooling, and before the dense layer; in training alone."""
    rates = {
        layer.name: layer.rate
        for layer in cifar.model_of("cifar10", 1 / 16, dropout=True).layers
        if "dropout" in layer.name
    }
    maps = dict.fromkeys(("1a", "2a", "3a", "3b", "4a", "4b"), cifar.MAP_DROPOUT / 16)
    expected = {f"conv{name}_dropout": rate for name, rate in maps.items()}
    assert rates == {**expected, "dropout1": cifar.DROPOUT / 16}


@given(*[st.integers(0, 255)] * 3)
def test_colours(red, green, blue):
    """Against JPEG's formulas, which add 128 to the differences."""
    pixel = np.array([[[[red, green, blue]]]], np.uint8)
    y, cb, cr = cifar.ycbcr(pixel).ravel() * 127.5
    assert y + 127.5 == pytest.approx(0.299 * red + 0.587 * green + 0.114 * blue, abs=1e-3)
    assert cb / 255 == pytest.approx(
        (-0.168736 * red - 0.331264 * green + 0.5 * blue) / 255, abs=1e-5
    )
    assert cr / 255 == pytest.approx(
        (0.5 * red - 0.418688 * green - 0.081312 * blue) / 255, abs=1e-5
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Images that a class makes bright in a stripe and a colour of its own, as published."""
    folder = tmp_path_factory.mktemp("data") / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        labels = np.arange(60) % 10
        images = rng.integers(0, 60, (60, 3, 32, 32))
        for image, label in zip(images, labels, strict=True):
            image[label % 3, 3 * label : 3 * label + 4] += 180
        batch = {b"labels": labels.tolist(), b"data": images.reshape(60, -1).astype(np.uint8)}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=4))
    return folder.parent


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A network with few maps; batches small enough to learn in few epochs."""
    monkeypatch.setitem(cifar.STACKS, "cifar10", Layout(((32, 32), (64,)), (128,)))
    how = replace(cifar.recipe(3), batch_size=10, augmentation=None)
    monkeypatch.setattr(cifar, "recipe", lambda epochs: replace(how, epochs=epochs))
    monkeypatch.setattr(cifar, "PRECISIONS", (0.1, 0.5))
    monkeypatch.setattr(cifar, "PARAMS", tmp_path / "params.npz")
    monkeypatch.setattr(sys, "argv", ["networks/adaptive_cifar.py", "results"])
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_commands(data, tiny, tmp_path):
    """The committed figures' command on a small setting; its weights, exported, run."""
    common = ("--data", data, "--epochs", 3, "--resume")
    done = run("results", *common, "--set", "cifar10", "--images", 20, "--trials", 10)
    assert done.exit_code == 0
    content = json.loads(Path("results/adaptive_cifar.json").read_text())
    found = content["figures"]["cifar10"]
    assert found["n_test"] == 20
    assert found["n_validation"] == 10
    assert found["n_neurons"] == {
        "pixels": 32 * 32 * 3,
        "conv1a": 32 * 32 * 4,
        "conv1b": 16 * 16 * 4,
        "conv2a": 8 * 8 * 8,
        "dense1": 16,
    }
    assert found["analog"]["accuracy"] > 0.7
    assert found["precise"]["accuracy"] > 0.5
    claims = {claim["name"].partition(": ")[2]: claim["value"] for claim in content["claims"]}
    lost = 100 * abs(found["analog"]["accuracy"] - found["precise"]["accuracy"])
    assert claims["accuracy difference between spiking and analog network"] == pytest.approx(lost)
    assert claims["firing rate"] == found["precise"]["firing_rate"]

    page = (tmp_path / "runs" / "adaptive_cifar" / "cifar10-0.125-0" / "index.html").read_text()
    for picture in ("accuracy_over_time", "accuracy_against_rate", "layers", "arousal", "neuron"):
        assert f"{picture}.png" in page

    again = run("evaluate", *common, "--images", 20, "--trials", 10)
    assert "epoch" not in again.output
    assert f"{found['precise']['accuracy']:.2%}" in again.output

    assert "of the test images right" in run("export", *common).output
    saved = datasets.load_params(tmp_path / "params.npz", ["images", "width"])
    assert saved["images"].shape == (10, 32, 32, 3)
    n_neurons = found["n_neurons"]
    shown = n_neurons["dense1"]  # as many neurons again, for the raster
    assert cifar_gui.gui_model().n_neurons == sum(n_neurons.values()) + shown


def test_missing_data_is_named(tmp_path):
    done = CliRunner().invoke(main, ["train", "--data", str(tmp_path)])
    assert done.exit_code != 0
    assert "CIFAR-10 was not found" in done.output


@pytest.mark.skipif(not cifar.PARAMS.exists(), reason="no committed weights")
def test_model_opens_as_nengo_gui_opens_it():
    model = models.load("adaptive_cifar")
    assert (
        sum(layer.n_neurons for layer in model.all_ensembles if layer is not model.spikes) == 25408
    )
    with model:
        output, truth = nengo.Probe(model.readout), nengo.Probe(model.truth)
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run(0.5, progress_bar=False)
    assert np.argmax(sim.data[output][-1]) == np.argmax(sim.data[truth][-1])

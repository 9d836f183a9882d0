import json
import sys
from dataclasses import replace
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner

from nengo_phasor import datasets, models
from nengo_phasor.models.adaptive import digits, digits_gui, garments_commands, measure, spiking
from nengo_phasor.models.adaptive.digits_commands import main
from nengo_phasor.models.adaptive.stack import Layout, keras_model
from tests.models.images import write_class_rows

pytest.importorskip("nengo_dl")
from nengo_phasor.models.adaptive import report

KEYS = ("analog", "precise", "sparse", "low", "aroused")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Images so noisy that a coarse precision misreads some."""
    folder = tmp_path_factory.mktemp("data")
    write_class_rows(folder / "mnist", 600, 40, noise=90, bright=120)
    return folder


@pytest.fixture
def tiny(monkeypatch):
    """A network with few maps, at few precisions; batches small enough to learn in 3 epochs."""
    recipe = replace(digits.RECIPES["mnist", "small"], batch_size=3, augmentation=None)
    monkeypatch.setitem(digits.RECIPES, ("mnist", "small"), recipe)
    monkeypatch.setitem(digits.LAYOUTS, "small", Layout(((4,), (4,)), (12,)))
    monkeypatch.setitem(digits.PRECISIONS, "mnist", (0.1, 0.4, 1.0, 1.9))


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.mark.parametrize("layout", digits.LAYOUTS)
def test_layout_is_the_papers(layout):
    """Convolutions of 3 x 3 which keep the size, and a pooling by 2 after each group."""
    model = keras_model(digits.LAYOUTS[layout])
    shapes = {layer.name: layer.output_shape[1:] for layer in model.layers}
    if layout == "paper":
        assert shapes["conv1a_weights"] == (28, 28, 64)
        assert shapes["conv1a"] == (14, 14, 64)
        assert shapes["conv2a"] == (14, 14, 128)
        assert shapes["conv2b"] == (7, 7, 128)
        assert (shapes["dense1"], shapes["dense2"]) == ((256,), (50,))
    assert shapes["pixels"] == (28, 28, 1)
    assert shapes["classes"] == (10,)


def test_results_command(data, tiny, tmp_path, monkeypatch):
    """The command that makes results/adaptive_mnist.json, on a tiny setting, twice."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["networks/adaptive_digits.py", "results"])
    arguments = ("results", "--data", data, "--epochs", 3, "--images", 30, "--trials", 50)
    arguments += ("--resume",)
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    content = json.loads(Path("results/adaptive_mnist.json").read_text())
    found = content["figures"]["small"]
    assert found["n_test"] == 30
    assert found["n_validation"] == 50
    assert found["n_neurons"] == {
        "pixels": 784,
        "conv1a": 14 * 14 * 4,
        "conv2a": 7 * 7 * 4,
        "dense1": 12,
    }
    assert found["analog"]["accuracy"] > 0.9
    assert found["precise"]["accuracy"] > 0.8
    matched = found["analog"]["validation_accuracy"] - measure.MATCH
    matching = [point["accuracy"] >= matched for point in found["validation"].values()]
    assert matching[0], "the finest precision"
    assert not matching[-1], "the coarsest one"
    coarsest = list(found["validation"])[matching.index(False) - 1]
    assert found["precise"]["m_f"] == float(coarsest)
    rates = [point["firing_rate"] for point in found["validation"].values()]
    assert rates == sorted(rates, reverse=True)
    assert found["sparse"]["firing_rate"] <= max(10, min(rates) * 1.1)
    aroused = found["aroused"]
    assert found["low"]["m_f"] > found["precise"]["m_f"]
    if 0 < aroused["selectivity"] < 1:
        assert found["low"]["firing_rate"] < aroused["firing_rate"]
        assert aroused["firing_rate"] < found["precise"]["firing_rate"]
    claims = {claim["name"]: claim for claim in content["claims"]}
    assert claims["mnist, small network: analog accuracy"]["value"] == found["analog"]["accuracy"]
    lost = 100 * (found["analog"]["accuracy"] - found["precise"]["accuracy"])
    name = "mnist, small network: accuracy lost in the conversion to spikes"
    assert claims[name]["value"] == pytest.approx(lost)

    folder = tmp_path / "runs" / "adaptive_digits" / "mnist-small-0"
    page = (folder / "index.html").read_text()
    assert f"See {folder.relative_to(tmp_path) / 'index.html'}" in done.output
    assert {picture.name for picture in folder.glob("*.png")} == {*report.PICTURES}
    assert all(picture in page for picture in report.PICTURES)
    assert content["settings"]["test_images"] == {"small": 30}

    # once more: nothing is trained or run again
    for file in folder.glob("spiking/*.npz"):
        file.touch()
    monkeypatch.setattr(spiking.Spiking, "advance", None)
    before = content["figures"]
    again = run(*arguments)
    assert "epoch" not in again.output
    assert json.loads(Path("results/adaptive_mnist.json").read_text())["figures"] == before

    other = CliRunner().invoke(main, ["train", "--data", str(data), "--epochs", "4", "--resume"])
    assert other.exit_code == 1
    assert "other settings" in other.output


def test_training_starts_anew_without_resume(data, tiny, tmp_path):
    arguments = ("train", "--data", data, "--epochs", 1, "--runs", tmp_path)
    assert run(*arguments).exit_code == 0
    weights = (tmp_path / "mnist-small-0" / "weights.npz").stat().st_mtime_ns
    done = run(*arguments)
    assert "epoch 1 of 1" in done.output
    assert (tmp_path / "mnist-small-0" / "weights.npz").stat().st_mtime_ns > weights


def test_export_command(data, tiny, tmp_path, monkeypatch):
    """Weights that are trained, written in half precision, run in Nengo GUI's model."""
    monkeypatch.setitem(digits.PARAMS, "mnist", tmp_path / "params.npz")
    choice = ("--data", data, "--epochs", 3, "--runs", tmp_path)
    assert run("train", *choice).exit_code == 0
    too_early = run("export", *choice)
    assert too_early.exit_code == 1
    assert "run `evaluate`" in too_early.output
    done = run("evaluate", *choice, "--images", 10, "--trials", 50, "--resume")
    assert done.exit_code == 0, done.output
    done = run("export", *choice)
    assert "of the test images right" in done.output
    saved = datasets.load_params(tmp_path / "params.npz", ["images"])
    assert saved["images"].shape == (10, 28, 28)
    assert {array.dtype for name, array in saved.items() if ":" in name} == {np.dtype("float16")}
    measured = json.loads((tmp_path / "mnist-small-0" / "metrics.json").read_text())
    assert same_arousal(digits.committed("mnist")[2], measured)
    shown = 12  # as many neurons again as the last layer has, for the raster
    assert digits_gui.gui_model().n_neurons == 784 + 14 * 14 * 4 + 7 * 7 * 4 + 12 + shown


def same_arousal(how, measured):
    precisions = how.low == measured["low"]["m_f"], how.high == measured["precise"]["m_f"]
    return all(precisions) and all(
        getattr(how, key) == measured["aroused"][key] for key in ("wait", "duration", "threshold")
    )


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_arousal_is_the_results(name):
    """Nengo GUI shows what the committed figures were measured with, to the last bit."""
    results = Path(__file__).parents[3] / "results" / f"adaptive_{name}.json"
    measured = json.loads(results.read_text())["figures"]["small"]
    assert same_arousal(digits.committed(name)[2], measured)


def test_garments_are_for_garments(tmp_path):
    """The same commands, but what they choose by default."""
    done = CliRunner().invoke(garments_commands.main, ["train", "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "FashionMNIST was not found" in done.output
    chosen = ["train", "--set", "mnist", "--data", str(tmp_path)]
    assert " MNIST was not found" in CliRunner().invoke(garments_commands.main, chosen).output
    assert garments_commands.main.commands == main.commands


def test_missing_data_is_named(tmp_path):
    done = CliRunner().invoke(main, ["train", "--data", str(tmp_path)])
    assert done.exit_code != 0
    assert "MNIST was not found" in done.output


@pytest.mark.skipif(not digits.PARAMS["mnist"].exists(), reason="no committed weights")
def test_model_opens_as_nengo_gui_opens_it():
    """It reads the first digit."""
    model = models.load("adaptive_digits")
    with model:
        output = nengo.Probe(model.readout)
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run(0.4, progress_bar=False)
    assert np.argmax(sim.data[output][-1]) == 0

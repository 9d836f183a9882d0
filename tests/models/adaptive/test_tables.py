import json
import sys
from dataclasses import replace
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError

from nengo_phasor import datasets, models
from nengo_phasor.models.adaptive import (
    cross_validation,
    iris_commands,
    sonar_commands,
    table_commands,
    tables,
)
from nengo_phasor.models.adaptive.tables import TABLES

pytest.importorskip("nengo_dl")
from nengo_phasor.models.adaptive import report
from nengo_phasor.models.adaptive.table_training import Trainer
from nengo_phasor.models.adaptive.training import load_weights, logits


@settings(deadline=None)
@given(st.lists(st.integers(5, 40), min_size=2, max_size=4), st.integers(2, 5), st.integers(0, 99))
def test_folds_are_stratified(sizes, n_folds, seed):
    """The sizes of the folds differ by at most one, and so do their numbers of each class."""
    y = np.random.RandomState(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    folds = tables.folds(y, n_folds, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(len(y)))
    counts = np.array([np.bincount(y[fold], minlength=len(sizes)) for fold in folds])
    assert np.all(np.ptp(counts, axis=0) <= 1)
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_folds_follow_from_the_seed():
    y = np.repeat([0, 1], 50)
    first, again, other = (tables.folds(y, 10, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.any(np.not_equal(first, other))


@pytest.mark.parametrize("n_folds", [1, 6])
def test_impossible_numbers_of_folds_are_refused(n_folds):
    with pytest.raises(ValidationError, match="size of the smallest class"):
        tables.folds(np.repeat([0, 1], [5, 9]), n_folds, 0)


@pytest.fixture(scope="module")
def trainer():
    return Trainer(replace(TABLES["iris"], hidden=(6,), epochs=25), 4)


def test_training_follows_from_the_seed(trainer):
    """The same model and optimizer are reused, which must not matter."""
    data = datasets.iris()
    x, y = data.x_train.astype(np.float32), data.y_train
    runs = []
    for seed in (1, 2, 1):
        history = trainer.train(x, y, seed)
        runs.append((history, trainer.model.get_weights()))
    np.testing.assert_array_equal(runs[0][0], runs[2][0])
    for first, again in zip(runs[0][1], runs[2][1], strict=True):
        np.testing.assert_array_equal(first, again)
    assert np.any(runs[0][0] != runs[1][0])


def test_epoch_is_that_of_the_lowest_validation_loss(trainer):
    """Computes the loss again on the validation part, from the weights that were kept."""
    data = datasets.iris()
    x, y = data.x_train.astype(np.float32), data.y_train
    history = trainer.train(x, y, 5)
    _, _, x_validation, y_validation = datasets.split(x, y, tables.VALIDATION, 5)
    logits = np.asarray(trainer.model(x_validation), float)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -np.mean(logits[np.arange(len(logits)), y_validation])
    assert loss == pytest.approx(history[:, 1].min(), rel=1e-4)
    assert history[-1, 0] < history[0, 0]


@pytest.mark.parametrize("name", TABLES)
def test_results_command(name, tmp_path, monkeypatch):
    """Runs the command of the committed figures on a small setting, and then resumes it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cross_validation, "PRECISIONS", (0.1, 0.5, 1.0))
    monkeypatch.setattr(sys, "argv", [f"networks/adaptive_{name}.py", "results"])
    main = {"iris": iris_commands, "sonar": sonar_commands}[name].main
    arguments = ["results", "--folds", "2", "--seeds", "4", "--epochs", "30", "--resume"]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    content = json.loads(Path(f"results/adaptive_{name}.json").read_text())
    found, data = content["figures"], datasets.load(name)
    assert found["n_test"] == len(data.y_train)
    assert found["n_neurons"] == {
        "features": data.x_train.shape[1],
        "dense1": TABLES[name].hidden[0],
    }
    assert found["analog"]["accuracy"] > {"iris": 0.85, "sonar": 0.6}[name]
    assert abs(found["precise"]["accuracy"] - found["analog"]["accuracy"]) < 0.08
    rates = [point["firing_rate"] for point in found["held_out"].values()]
    assert rates == sorted(rates, reverse=True)
    for way in ("precise", "sparse", "low"):
        assert len(found["chosen"][way]) == 2
    claims = {claim["name"].partition(": ")[2]: claim for claim in content["claims"]}
    assert claims["firing rate"]["value"] == found["precise"]["firing_rate"]
    lost = 100 * abs(found["analog"]["accuracy"] - found["precise"]["accuracy"])
    assert claims["accuracy difference between spiking and analog network"][
        "value"
    ] == pytest.approx(lost)

    page = Path(f"runs/adaptive_{name}/index.html")
    assert f"See {page}" in done.output
    pictures = {picture.name for picture in page.parent.glob("*.png")}
    assert pictures == {*report.PICTURES}
    assert all(picture in page.read_text() for picture in pictures)

    held_out = [
        datasets.load_params(Path(f"runs/adaptive_{name}/seed4-fold{k}.npz"))["held_out"]
        for k in range(2)
    ]
    np.testing.assert_array_equal(np.sort(np.concatenate(held_out)), np.arange(len(data.y_train)))
    monkeypatch.setattr(cross_validation, "measure_fold", None)
    CliRunner().invoke(main, arguments, catch_exceptions=False)
    again = json.loads(Path(f"results/adaptive_{name}.json").read_text())
    assert again["figures"] == found


@pytest.mark.parametrize("name", TABLES)
def test_model_opens_as_nengo_gui_opens_it(name):
    """It shows held-out samples in turn, and gives mostly the analog network's class.

    In each class, the samples of which the analog network is surest come first.
    """
    table = TABLES[name]
    if not table.params.exists():
        pytest.skip("no committed weights")
    network = models.load(f"adaptive_{name}")
    data = datasets.load(name)
    model = tables.keras_model(table, data.x_train.shape[1])
    held_out = load_weights(table.params, model)["held_out"]
    outputs = logits(model, data.x_train[held_out])
    analog = np.argmax(outputs, axis=1)
    assert np.mean(analog == data.y_train[held_out]) > 0.75
    sure = np.ptp(np.sort(outputs, axis=1)[:, -2:], axis=1)
    surest = held_out[np.argsort(-sure)]
    of_class = [surest[data.y_train[surest] == c] for c in range(table.classes)]
    shown = [of_class[k % table.classes][k // table.classes] for k in range(6)]
    with network:
        probes = nengo.Probe(network.readout), nengo.Probe(network.truth)
    with nengo.Simulator(network, progress_bar=False) as sim:
        sim.run(3.0, progress_bar=False)
    told, right = (np.argmax(sim.data[probe][498::500], axis=1) for probe in probes)
    assert right.tolist() == data.y_train[shown].tolist() == [k % table.classes for k in range(6)]
    assert np.sum(told == analog[np.searchsorted(held_out, shown)]) >= 5
    assert np.sum(told == right) >= 5


def test_exported_weights_are_the_best_of_the_validation(tmp_path, monkeypatch):
    """Results on the held-out samples play no part in the choice."""
    monkeypatch.setattr(models, "PARAMS", tmp_path)
    table = TABLES["iris"]
    command = ["export", "--runs", str(tmp_path)]
    nothing = CliRunner().invoke(table_commands.command_line("iris", ""), command)
    assert nothing.exit_code == 1
    assert "run `results` first" in nothing.output
    for k, losses in enumerate(([0.5, 0.4], [0.9, 0.1], [0.2, 0.3])):
        arrays = {"dense/kernel:0": np.full(3, k), "held_out": np.array([k]), "analog": np.ones(1)}
        history = np.column_stack([np.zeros(2), losses])
        datasets.save_params(tmp_path / f"seed0-fold{k}.npz", **arrays, history=history)
    done = CliRunner().invoke(table_commands.command_line("iris", ""), command)
    assert "seed0-fold1" in done.output
    saved = datasets.load_params(table.params)
    assert set(saved) == {"dense/kernel:0", "held_out", "trained_as"}
    assert saved["held_out"] == saved["dense/kernel:0"][0] == 1
    assert str(saved["trained_as"]) == "seed0-fold1"

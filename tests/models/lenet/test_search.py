import json
import logging
import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose

from nengo_phasor import datasets, models, results
from nengo_phasor.models.lenet import claims, commands, export, gui, search, tables
from nengo_phasor.models.lenet.runs import Run

pytest.importorskip("nengo_dl")
pytest.importorskip("distributed")
NETWORKS = Path(__file__).resolve().parents[3] / "networks"


# --- choosing -------------------------------------------------------------------------------------


def point(accuracy, spikes, sigma_0=0.0, schedule="constant"):
    return {
        "run": Run("rows", 1, 1, 9, schedule, sigma_0),
        "epoch": 1,
        "accuracy": accuracy,
        "spikes": spikes,
    }


def test_what_is_chosen():
    """The fewest spikes at the baseline's best accuracy, or a point less; else what is best."""
    found = [
        point(0.70, 900),
        point(0.69, 500),
        point(0.71, 300, 1.0, "linear"),
        point(0.70, 200, 2.0, "linear"),
        point(0.695, 100, 3.0, "linear"),
        point(0.30, 1, 4.0, "linear"),
        point(0.50, 50, 1.0, "quadratic"),
        point(0.60, 80, 1.0, "quadratic"),
    ]
    strict = tables.chosen(found, 0.0)
    loose = tables.chosen(found, 0.0101)
    assert {name: p["spikes"] for name, p in strict.items()} == {
        "baseline": 900,
        "linear": 200,
        "quadratic": 80,
    }
    assert {name: p["spikes"] for name, p in loose.items()} == {
        "baseline": 500,
        "linear": 100,
        "quadratic": 80,
    }
    assert tables.best_loss(found, 0.0101) == "linear"
    assert tables.best_loss([*found, point(0.9, 999)], 0.0) == "quadratic"


def test_what_is_accurate_enough(monkeypatch):
    """A point less than the best baseline, though a baseline with fewer spikes is in the table."""

    def tested(point, *_):
        operations = {"operations": 0, "image_operations": 0}
        return {"validation_accuracy": point["accuracy"], **operations, **point}

    monkeypatch.setattr(tables, "tested", tested)
    found = [point(0.70, 900), point(0.69, 500), point(0.685, 100, 1.0, "linear")]
    rows = tables.table(found, 0.0101, None, None)
    assert rows["baseline"]["spikes"] == 500
    assert rows["linear"]["fewer_spikes"] == pytest.approx(0.8)
    assert rows["baseline"]["accurate_enough"]
    assert not rows["linear"]["accurate_enough"]


def test_less_than_a_point_is_less_than_a_point():
    """A point lost, to the image, is too much, and 49 of 5,000 images less is not."""
    for best in (0.71, 0.81):
        least = tables.least_accuracy([point(best, 1)], tables.TABLES["table 2"])
        assert best - 0.01 < least <= best - 0.0098


def test_claims():
    """Seeds that are not accurate enough have saved nothing; only losses that all have compete."""

    def rows(**saved):
        losses = {
            name: {"fewer_spikes": abs(part), "accurate_enough": part >= 0}
            for name, part in saved.items()
        }
        baseline = {"fewer_spikes": 0.0, "accurate_enough": True, "accuracy": 0.66}
        return {"baseline": baseline, **losses}

    seeds = [rows(linear=0.6, constant=-0.9, quadratic=0.8), rows(linear=0.5, constant=0.7)]
    found = {
        "tables": dict.fromkeys(tables.TABLES, seeds),
        "best": {name: ["quadratic", "constant"] for name in tables.TABLES},
    }
    baseline, each, alike, *_ = claims.claims(found, "cifar10")
    assert baseline.value == pytest.approx(0.66)
    assert baseline.holds
    assert each.value == pytest.approx(0.75)
    assert alike.value == pytest.approx(0.55)
    assert alike.name.endswith("linear schedule for all seeds")


def test_grid(monkeypatch):
    base = Run("fashion_mnist", 1, 1, 9, seed=3)
    monkeypatch.setitem(
        search.SIGMAS["lenet"], base.data, {"linear": (2e-3,), "quadratic": (1e-3, 4e-3)}
    )
    runs = search.grid(base, ["linear", "quadratic"], [0.5, 1])
    assert runs[0] == base
    assert [(run.schedule, run.sigma_0) for run in runs[1:]] == [
        ("linear", 1e-3),
        ("linear", 2e-3),
        ("quadratic", 5e-4),
        ("quadratic", 1e-3),
        ("quadratic", 2e-3),
        ("quadratic", 4e-3),
    ]
    assert {run.seed for run in runs} == {3}
    assert len({run.name for run in runs}) == 7


# --- the command ----------------------------------------------------------------------------------


def test_a_killed_search_loses_no_finished_run(folder, tmp_path):
    """The command that makes results/sparse_lenet.json, on a tiny setting, killed and resumed."""
    output, runs = tmp_path / "out.json", tmp_path / "runs"
    arguments = [
        *("results", "--set", "fashion_mnist", "--data", folder, "--images", 100, "--epochs", 1),
        *("--steps", 2, "--schedule", "linear", "--repeat", "linear", "--seeds", "0,1", "--resume"),
        *("--runs", runs, "--output", output, "--workers", 1, "--test-images", 20),
    ]
    arguments = [str(argument) for argument in arguments]
    script = [sys.executable, str(NETWORKS / "sparse_lenet.py"), *arguments]
    process = subprocess.Popen(script, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300
        while not list(runs.glob("*/history.json")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.2)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = {path: path.stat().st_mtime_ns for path in runs.glob("*/history.json")}
    assert len(done) >= 1
    assert not output.exists()

    result = CliRunner().invoke(commands.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len(list(runs.glob("*/history.json"))) == 4
    content = json.loads(output.read_text())
    found = content["figures"]["fashion_mnist"]
    assert set(found["tables"]) == {"table 1", "table 2"}
    for name, seeds in found["tables"].items():
        assert found["best"][name] == ["linear", "linear"]
        assert [rows["linear"]["seed"] for rows in seeds] == [0, 1]
        for rows in seeds:
            assert set(rows) == {"baseline", "linear"}
            base, row = rows["baseline"]["spikes"], rows["linear"]
            assert row["fewer_spikes"] == pytest.approx(1 - row["spikes"] / base)
    assert len(found["histories"]) == 4
    saved = []
    for rows in found["tables"]["table 1"]:
        base, row = rows["baseline"], rows["linear"]
        enough = row["validation_accuracy"] >= base["validation_accuracy"]
        assert row["accurate_enough"] == enough
        saved.append(row["fewer_spikes"] if enough else 0)
    baseline, without_loss, *_ = (claim["value"] for claim in content["claims"])
    assert baseline == pytest.approx(
        np.mean([rows["baseline"]["accuracy"] for rows in found["tables"]["table 1"]])
    )
    assert without_loss == pytest.approx(np.mean(saved))
    page = (runs / "fashion_mnist-report" / "index.html").read_text()
    for picture in ("pareto.png", "layers.png", "loss.png", "time.png"):
        assert picture in page
        assert (runs / "fashion_mnist-report" / picture).stat().st_size > 5000


def test_a_search_by_address(folder, tmp_path):
    """On the workers of a scheduler that runs already; it is left running."""
    dask = pytest.importorskip("dask.distributed")
    arguments = [
        *("results", "--set", "fashion_mnist", "--data", folder, "--images", 100, "--epochs", 1),
        *("--steps", 2, "--schedule", "linear", "--seeds", 0, "--runs", tmp_path / "runs"),
        *("--output", tmp_path / "out.json", "--test-images", 20),
    ]
    with dask.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
    ) as cluster:
        at = ["--cluster", cluster.scheduler_address]
        result = CliRunner().invoke(
            commands.main, list(map(str, [*arguments, *at])), catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        with dask.Client(cluster.scheduler_address) as client:
            pids = client.run(os.getpid)
    assert len(list((tmp_path / "runs").glob("*/history.json"))) == 2
    assert set(pids.values()).isdisjoint({os.getpid()})
    assert json.loads((tmp_path / "out.json").read_text())["figures"]["fashion_mnist"]["tables"]


def test_train_and_export_commands(folder, tmp_path, monkeypatch):
    arguments = ["train", "--set", "fashion_mnist", "--data", folder, "--images", 100]
    arguments += ["--epochs", 1, "--steps", 2, "--runs", tmp_path]
    arguments = [str(argument) for argument in arguments]
    result = CliRunner().invoke(commands.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "spikes" in result.output
    other = CliRunner().invoke(commands.main, [*arguments, "--resume", "--steps", "3"])
    assert other.exit_code != 0
    assert "belongs to a run with other settings" in other.output

    for module in (export, gui):
        monkeypatch.setattr(module, "WEIGHTS", tmp_path / "small.npz")
    run = tmp_path / "fashion_mnist-constant-0-0"
    arguments = ["export", "--run", str(run), "--epoch", "1", "--data", str(folder)]
    result = CliRunner().invoke(commands.main, arguments, catch_exceptions=False)
    assert result.output == f"wrote {tmp_path / 'small.npz'}\n"
    model = gui.gui_model()
    trained = datasets.load_params(run / "weights-1.npz")
    for name, link in model.links.items():
        got = np.ravel(link.transform.init.T)
        assert_allclose(np.sort(got), np.sort(trained[name], axis=None), rtol=2e-3, atol=1e-7)


def damage_checkpoint(runs, run):
    results.write(runs / run.name / "settings.json", asdict(run))
    (runs / run.name / "checkpoint.npz").write_bytes(b"PK")


def damage_history(runs, run):
    results.write(runs / run.name / "settings.json", asdict(run))
    (runs / run.name / "history.json").write_text('{"epochs": [')


@pytest.mark.parametrize(
    ("damage", "file"), [(damage_checkpoint, "checkpoint.npz"), (damage_history, "history.json")]
)
def test_damage_ends_the_search_with_one_line(folder, tmp_path, damage, file):
    """Though a checkpoint is read in a worker, by dask, which would show where."""
    damage(tmp_path, Run("fashion_mnist", 100, 2, 1))
    script = [sys.executable, NETWORKS / "sparse_lenet.py", "results", "--set", "fashion_mnist"]
    script += ["--data", folder, "--images", 100, "--epochs", 1, "--steps", 2, "--resume"]
    script += ["--schedule", "linear", "--seeds", "0", "--runs", tmp_path, "--workers", 1]
    ended = subprocess.run(list(map(str, script)), capture_output=True, text=True)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert f"{tmp_path}/fashion_mnist-constant-0-0/{file}" in line
    assert "delete it" in line


@pytest.mark.parametrize("factors", ["", "1,,2", "a", "0", "-1", "nan", "inf"])
def test_factors_that_are_none(factors):
    ended = CliRunner().invoke(commands.main, ["results", "--factors", factors])
    assert ended.exit_code == 2
    assert "is not a list of positive numbers" in ended.output


def test_gui_model():
    """Its first image is of the first class."""
    model = runpy.run_path(str(NETWORKS / "sparse_lenet.py"), run_name="gui")["model"]
    with model:
        spikes = [nengo.Probe(layer) for layer in model.layers.values()]
        count = nengo.Probe(model.count)
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run(0.15)
    seen = [np.count_nonzero(sim.data[probe], axis=1) for probe in spikes]
    assert_allclose(sim.data[count], np.transpose(seen))
    assert model.decision.output.values.argmax() == 0
    loaded = models.load("sparse_lenet")
    labels = [[ensemble.label for ensemble in net.all_ensembles] for net in (model, loaded)]
    assert labels[0] == labels[1]

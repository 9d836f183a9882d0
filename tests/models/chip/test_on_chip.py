import json
import sys
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner

from nengo_phasor import datasets, phases
from nengo_phasor.models.adaptive import digits
from nengo_phasor.models.adaptive.data import pixels
from nengo_phasor.models.chip import commands
from nengo_phasor.models.chip.pairs import DT, adaptive_pair, rhythm_pair
from nengo_phasor.models.rhythms import network

pytest.importorskip("nengo_loihi")
pytest.importorskip("numba")

from nengo_phasor.models.chip import measure, report, runs

PARAMS = datasets.load_params(network.PARAMS)


@pytest.fixture(scope="module")
def x():
    """Input phases of two committed garments."""
    return network.encode(PARAMS["images"][:2], int(PARAMS["seed"]), float(PARAMS["spread"]))


def test_arcs_leave_out_fractions(x):
    arcs = measure.arcs(PARAMS, x, (0.3, 0.6, 0.9))
    assert list(arcs) == [0.3, 0.6, 0.9]
    assert 0 < arcs[0.3] < arcs[0.6] < arcs[0.9] < 1


@pytest.mark.parametrize("arc", [0.0, 0.1])
def test_rhythms_on_the_chip(x, arc, tmp_path):
    """The targets for many images hold: hidden spikes within a step, the same classes."""
    pair = rhythm_pair(PARAMS, arc)
    found = measure.run(pair, x, np.arange(2), tmp_path, "two")
    assert found["hidden_matched"] >= 0.99
    assert found["phase_error"] <= 0.02
    assert found["same_class"] == 1.0
    assert found["clipped"] == 0
    assert found["late"] == {"hidden": 1, "output": 4 if arc else 2}
    pair.source.output = x[0]
    with nengo.Simulator(pair.network, progress_bar=False) as sim:
        sim.run_steps(pair.n_steps)
    spikes = sim.data[pair.hidden]
    inside = np.count_nonzero(np.abs(phases.from_raster(spikes, network.FREQUENCY, DT)) < arc)
    assert measure.left_out(spikes, pair) == pytest.approx(inside, rel=0.05)


def test_fewer_spikes_reach_the_output(x, tmp_path):
    """One for all that are assumed, and twice those that are heard."""
    reached = {}
    for arc in (0.0, 0.5):
        found = measure.run(rhythm_pair(PARAMS, arc), x, np.arange(2), tmp_path, f"{arc}")
        reached[arc] = found["operations"]["synapse_of_output"]
        heard = found["hidden_spikes"] * (1 - found["hidden_removed"])
    cycles = network.CYCLES
    assert reached[0.0] == pytest.approx(10 * (128 + 1) * cycles, rel=0.05)
    assert reached[0.5] == pytest.approx(10 * (2 * heard + 2 * cycles), rel=0.1)


def test_adaptive_digits_on_the_chip(tmp_path):
    pytest.importorskip("nengo_dl")
    images = datasets.load_params(digits.PARAMS["mnist"])["images"][:3]
    x = pixels(images).reshape(3, -1).astype(float)
    found = measure.run(adaptive_pair(), x, np.arange(3), tmp_path, "digits")
    assert found["accuracy"] == found["accuracy_in_floats"] == 1.0
    assert found["hidden_lost"] + found["hidden_spikes"] > 100
    expected, extra, lost = (found[key] for key in ("hidden_spikes", "hidden_extra", "hidden_lost"))
    assert abs(extra - lost) < 0.01 * expected


def test_results_command(garments, tmp_path, monkeypatch):
    """The command that makes results/on_chip.json, on a tiny setting, twice."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "HELD", 20)
    monkeypatch.setattr(runs, "REMOVED", {0.6: 1, 0.9: 2})
    monkeypatch.setattr(sys, "argv", ["networks/on_chip.py", "results"])
    arguments = ["results", "--data", str(garments), "--images", "4", "--only", "rhythms"]
    arguments += ["--output", "results.json", "--resume"]
    done = CliRunner().invoke(commands.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    content = json.loads(Path("results.json").read_text())
    curve = content["figures"]["local rhythms"]
    assert [point["images"] for point in curve.values()] == [4, 4, 2]
    removed = [point["hidden_removed"] for point in curve.values()]
    assert removed == sorted(removed)
    assert [claim["bound"] for claim in content["claims"]] == [
        "<= 1.0",
        ">= 0.99",
        "<= 0.02",
        "<= 1.5",
        "<= 1.5",
    ]
    for point in curve.values():
        assert point["energy"]["synapse"] == pytest.approx(
            23.6e-12 * point["operations"]["synapse"]
        )
    for name in report.CAPTIONS:
        assert Path("runs", "on_chip", name).stat().st_size > 1000

    def show(*args):
        raise AssertionError("what the folder has is done again")

    monkeypatch.setattr(measure, "show", show)
    again = CliRunner().invoke(commands.main, arguments, catch_exceptions=False)
    assert again.exit_code == 0
    assert json.loads(Path("results.json").read_text()) == content

import json
import sys
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner

from nengo_phasor import datasets, phases
from nengo_phasor.models.rhythms import network as local_rhythms
from tests.models.conftest import garments  # noqa: F401

NETWORKS = Path(__file__).resolve().parents[2] / "networks"

pytest.importorskip("nengo_loihi")
sys.path.insert(0, str(NETWORKS))
import on_chip  # noqa: E402
import on_chip_report  # noqa: E402

PARAMS = datasets.load_params(local_rhythms.PARAMS)


@pytest.fixture(scope="module")
def x():
    """Input phases of two committed garments."""
    return local_rhythms.encode(PARAMS["images"][:2], int(PARAMS["seed"]), float(PARAMS["spread"]))


def test_arcs_leave_out_fractions(x):
    arcs = on_chip.arcs(PARAMS, x, (0.3, 0.6, 0.9))
    assert list(arcs) == [0.3, 0.6, 0.9]
    assert 0 < arcs[0.3] < arcs[0.6] < arcs[0.9] < 1


@pytest.mark.parametrize("arc", [0.0, 0.1])
def test_rhythms_on_the_chip(x, arc, tmp_path):
    """As promised of many images: hidden spikes within a step, the same classes."""
    pair = on_chip.rhythm_pair(PARAMS, arc)
    found = on_chip.run(pair, x, np.arange(2), tmp_path, "two")
    assert found["hidden_matched"] >= 0.99
    assert found["phase_error"] <= 0.02
    assert found["same_class"] == 1.0
    assert found["clipped"] == 0
    assert found["late"] == {"hidden": 1, "output": 4 if arc else 2}
    pair.source.output = x[0]
    with nengo.Simulator(pair.network, progress_bar=False) as sim:
        sim.run_steps(pair.n_steps)
    spikes = sim.data[pair.hidden]
    inside = np.count_nonzero(
        np.abs(phases.from_raster(spikes, local_rhythms.FREQUENCY, on_chip.DT)) < arc
    )
    assert on_chip.left_out(spikes, pair) == pytest.approx(inside, rel=0.05)


def test_fewer_spikes_reach_the_output(x, tmp_path):
    """One for all that are assumed, and twice those that are heard."""
    reached = {}
    for arc in (0.0, 0.5):
        found = on_chip.run(on_chip.rhythm_pair(PARAMS, arc), x, np.arange(2), tmp_path, f"{arc}")
        reached[arc] = found["operations"]["synapse_of_output"]
        heard = found["hidden_spikes"] * (1 - found["hidden_removed"])
    cycles = local_rhythms.CYCLES
    assert reached[0.0] == pytest.approx(10 * (128 + 1) * cycles, rel=0.05)
    assert reached[0.5] == pytest.approx(10 * (2 * heard + 2 * cycles), rel=0.1)


def test_adaptive_digits_on_the_chip(tmp_path):
    pytest.importorskip("nengo_dl")
    from nengo_phasor.models.adaptive import data, digits

    images = datasets.load_params(digits.PARAMS["mnist"])["images"][:3]
    pixels = data.pixels(images).reshape(3, -1).astype(float)
    found = on_chip.run(on_chip.adaptive_pair(), pixels, np.arange(3), tmp_path, "digits")
    assert found["accuracy"] == found["accuracy_in_floats"] == 1.0
    assert found["hidden_lost"] + found["hidden_spikes"] > 100
    expected, extra, lost = (found[key] for key in ("hidden_spikes", "hidden_extra", "hidden_lost"))
    assert abs(extra - lost) < 0.01 * expected


def test_results_command(garments, tmp_path, monkeypatch):  # noqa: F811
    """The command that makes results/on_chip.json, on a tiny setting, twice."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(on_chip, "HELD", 20)
    monkeypatch.setattr(on_chip, "REMOVED", {0.6: 1, 0.9: 2})
    monkeypatch.setattr(sys, "argv", [str(NETWORKS / "on_chip.py"), "results"])
    arguments = ["results", "--data", str(garments), "--images", "4", "--only", "rhythms"]
    arguments += ["--output", "results.json", "--resume"]
    done = CliRunner().invoke(on_chip.main, arguments, catch_exceptions=False)
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
    for name in on_chip_report.CAPTIONS:
        assert Path("runs", "on_chip", name).stat().st_size > 1000

    def show(*args):
        raise AssertionError("what the folder has is done again")

    monkeypatch.setattr(on_chip, "show", show)
    again = CliRunner().invoke(on_chip.main, arguments, catch_exceptions=False)
    assert again.exit_code == 0
    assert json.loads(Path("results.json").read_text()) == content

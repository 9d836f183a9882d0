"""The classifier without a clock: its scores, its robustness, its command."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose

from nengo_phasor import phases
from nengo_phasor.models.rhythms import (
    organic,
    organic_claims,
    organic_commands,
    organic_report,
    organic_runs,
)
from nengo_phasor.models.rhythms.network import CYCLES, FREQUENCY
from tests.models.rhythms.test_phase_sparsity import random_params


@pytest.fixture(scope="module")
def given():
    params = random_params()
    x = np.random.default_rng(1).uniform(-1, 1, (12, 1024)).astype(np.float32)
    classes = organic.classifier(params, organic.Point(organic.ALL))
    with organic.simulator(classes.network) as sim:
        seen = sim.predict({classes.input: x[:, None]}, CYCLES * organic.STEPS)
    y = phases.to_complex(organic._decoded(classes, seen)).imag.argmax(axis=-1)
    return params, x, y


def test_scores(given):
    """With the classes of the network itself as labels: only what a rule changes is wrong."""
    params, x, y = given
    assert organic.score(params, x, y, organic.Point(organic.ALL))["accuracy"] == 1
    window = "window around the unit"
    scores = [organic.score(params, x, y, organic.Point(window, s), chunk=5) for s in (0, 0.1, 1)]
    hidden = [each["hidden_spikes"] for each in scores]
    assert hidden[0] == pytest.approx(CYCLES * 128, rel=0.05)
    assert hidden[0] > hidden[1] > hidden[2] == 0
    assert all(8 <= each["unit_spikes"] <= 10 for each in scores)
    assert scores[0]["accuracy"] >= 0.5
    wrong = organic.score(params, x, (y + 1) % 10, organic.Point(organic.ALL))
    assert wrong["accuracy"] == 0


def test_detuning_moves_the_clock_but_not_the_unit(given):
    """The unit is detuned as its layer is, so that phases relative to it stay."""
    params, x, y = given
    kept = [
        organic.score(params, x, y, organic.Point(rule, 0.0, 1.05 * FREQUENCY))["accuracy"]
        for rule in ("arc, by the clock", "window around the unit")
    ]
    assert kept[1] > kept[0]


def test_disturbances(given):
    _, x, _ = given
    rng = np.random.RandomState(0)
    moved = phases.difference(organic.jittered(x, 0.1, rng), x[:, None])
    assert moved.shape == (12, CYCLES, 1024)
    assert_allclose([moved.mean(), moved.std()], [0, 0.1], atol=0.002)
    lost = organic.with_losses(x, 0.3, rng)
    assert np.isnan(lost).mean() == pytest.approx(0.3, abs=0.01)
    assert_allclose(np.nanmax(np.abs(lost - x[:, None])), 0)


def test_claims():
    """By hand: a curve from 0.9 with all spikes over (0.5, 0.9) to (0.96, 0.88)."""

    def network(last, unit, differences, end=0.96):
        def at(removed, accuracy):
            return {
                "removed": removed,
                "accuracy": accuracy,
                "unit_spikes": unit,
                "hidden_spikes": 1000.0,
            }

        curve = [at(0.5, 0.9), at(end, last)]
        return {
            "curves": {organic.ALL: [at(0.0, 0.9)], organic_claims.WINDOW: curve},
            "differences": differences,
        }

    found = {
        "plain": [network(0.88, 9, 0), network(0.9, 8, 2, end=0.94)],
        "paying": [network(0.91, 7, 0), network(0.88, 9, 1)],
    }
    means = organic_claims.means(found["plain"])[organic_claims.WINDOW]
    assert set(means) == {"most_removed_for_1_point", "lost_at_60_percent_removed"}  # not at 95 %
    assert means["lost_at_60_percent_removed"] == pytest.approx(0.1 / 0.46)
    values = [claim.value for claim in organic_claims.claims(found)]
    assert_allclose(values, [2 * 0.1 / 0.46, 0.5 + 0.23, 0.009, 3], atol=2e-3)


def test_results_command(garments, tmp_path, monkeypatch):
    """The command that makes results/local_rhythm.json, on a tiny setting, twice."""
    pytest.importorskip("nengo_dl")
    monkeypatch.chdir(tmp_path)
    strengths = {organic_claims.WINDOW: (0.0, 0.1), "random, by the clock": (0.5,)}
    monkeypatch.setattr(organic, "STRENGTHS", strengths)
    monkeypatch.setattr(organic.robustness, "__defaults__", ({"jitter of input spikes": (0.2,)}, 0))
    monkeypatch.setattr(organic_report, "AMOUNTS", {"jitter of input spikes": (0.2,)})
    monkeypatch.setattr(organic_report, "FREQUENCIES", np.array([9.5, 10]))
    monkeypatch.setattr(organic_runs, "SINGLE", 1)
    monkeypatch.setattr(sys, "argv", ["networks/organic_rhythm.py", "results"])
    arguments = ["results", "--data", str(garments), "--seeds", "0", "--batches", "40"]
    arguments += ["--output", "r.json", "--figures", "figures", "--resume", "--disturbed", "20"]
    contents = []
    for _ in range(2):
        done = CliRunner().invoke(organic_commands.main, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        contents.append(json.loads(Path("r.json").read_text()))
    assert contents[0]["figures"] == contents[1]["figures"]
    plain, paying = (contents[0]["figures"][name][0] for name in ("plain", "paying"))
    assert set(plain["curves"]) == {organic.ALL, *strengths}
    assert plain["differences"] == paying["differences"] == 0
    assert list(plain["robustness"]) == ["jitter of input spikes"]
    assert not paying["robustness"]
    assert [c["bound"] for c in contents[0]["claims"]] == ["<= 1.0", ">= 0.95", "<= 0.01", "<= 0"]
    for name in ("raster", "spectrum", "frequency", "removed", "robustness"):
        assert Path("figures", f"local_rhythm_{name}.png").stat().st_size > 1000

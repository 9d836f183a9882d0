"""Deep classifiers with a rhythm: images, networks, scores, claims, commands."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import nengo
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal

import nengo_phasor
from nengo_phasor import layerwise, phases
from nengo_phasor.models.deep_rhythms import claims, commands, data, designs, gui, runs, spikes
from nengo_phasor.models.deep_rhythms.network import attention, classifier, conv, dense, residual
from nengo_phasor.models.rhythms.network import DT
from nengo_phasor.models.rhythms.organic import ALL, STEPS
from nengo_phasor.models.rhythms.organic_claims import WINDOW
from nengo_phasor.models.shared.checkpoint import Checkpoint
from tests.models.images import class_rows

TINY = {
    "convolutional": [conv(4, 5, 4), conv(6, 3, 2)],
    "bundling": [dense(8), residual(6, "bundling")],
    "binding": [dense(8), residual(6, "binding")],
    "attention": [conv(2, 7, 7), attention(3, 3.0)],
}


def frozen(blocks, folder, shape=(28, 28, 1)):
    """A network with random weights, which are arrays, as after training."""
    nengo_dl = pytest.importorskip("nengo_dl")
    net = classifier(shape, blocks, seed=3)
    with nengo_dl.Simulator(net, progress_bar=False, seed=3) as sim:
        sim.freeze_params(net)
    nengo_phasor.save(folder / "net.npz", net)
    return nengo_phasor.load(folder / "net.npz")


def test_encode():
    pixels = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1)
    assert_allclose(data.encode(pixels), [[-0.25, -0.15, 0.25]], atol=1e-6)


def test_changed_images_are_parts_of_the_padded_ones():
    rng = np.random.RandomState(0)
    images = rng.randint(0, 256, (40, 5, 6, 2)).astype(np.uint8)
    changed = data.changed(images, rng, 1, True)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    kinds = set()
    for old, new in zip(padded, changed, strict=True):
        found = [
            (top, left, flip)
            for top in range(3)
            for left in range(3)
            for flip in (False, True)
            if np.array_equal(old[top : top + 5, left : left + 6][:, :: -1 if flip else 1], new)
        ]
        assert len(found) == 1
        kinds.update(found)
    assert len(kinds) > 9
    assert_array_equal(data.changed(images, rng, 0, False), images)


def test_held_out_images_are_not_trained_on(garments):
    whole = data.images("fashion_mnist", garments)
    assert whole.x_train.shape == (512, 28, 28, 1)
    assert whole.x_test.shape == (60, 28, 28, 1)
    assert len(data.images("fashion_mnist", garments, 7).y_test) == 7


def test_latest_is_the_last_whole_cycle_around_the_reference():
    """A neuron that spikes 10 steps after the reference, after 20 in the incomplete last cycle."""
    raster, reference = np.zeros((2, 5 * STEPS, 3)), np.zeros((2, 5 * STEPS, 1))
    for item, (first, lag) in enumerate([(30, 10), (70, -5)]):
        for cycle in range(5):
            reference[item, first + cycle * STEPS, 0] = 1 / DT
            late = 20 if cycle == 4 and item else lag
            raster[item, (first + cycle * STEPS + late), 1] = 1 / DT
    found = spikes.latest(raster, reference)
    assert_allclose(found[:, 1], [2 * 10 / STEPS, 2 * -5 / STEPS])
    assert np.isnan(found[:, [0, 2]]).all()


@pytest.mark.parametrize("name", TINY)
def test_spikes_have_the_phases_of_the_phase_domain(name, tmp_path):
    net = frozen(TINY[name], tmp_path)
    images = class_rows(20, np.random.default_rng(1))[0][..., None]
    x = data.encode(images)
    with layerwise.Simulator(net, progress_bar=False) as sim:
        rows = sim.predict({net.input: phases.to_rows(x)[:, None]})[net.output][:, 0]
    made = spikes.spiking(net, spikes.Point(ALL))
    with layerwise.Simulator(made.network, progress_bar=False) as sim:
        seen = sim.predict({made.input: x[:, None]}, 12 * STEPS)
    decoded = spikes.latest(seen[made.output], seen[made.reference])
    wanted = phases.from_complex(phases.from_rows(rows))
    assert np.median(np.abs(phases.difference(decoded, wanted))) < 0.05
    assert np.abs(wanted).mean() > 0.15
    assert_array_equal(spikes.phase_classes(net, images), np.sin(np.pi * wanted).argmax(axis=1))


def test_mean_fields_are_those_of_nengo(tmp_path):
    net = frozen(TINY["bundling"], tmp_path)
    images = class_rows(2, np.random.default_rng(1))[0][..., None]
    seen = []
    for x in data.encode(images):
        net.input.output = phases.to_rows(x)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(2 + len(net.hidden))
        seen.append([phases.from_rows(sim.data[probe][-1]).mean() for probe in net.hidden])
    net.input.output = np.zeros(net.input.size_out)
    means = np.transpose(seen)
    found = spikes.mean_fields(net, images)
    assert_allclose([each["length"] for each in found], np.abs(means).mean(axis=1), atol=1e-4)
    wanted = np.sqrt(np.mean((np.angle(means) / np.pi) ** 2, axis=1))
    assert_allclose([each["spread"] for each in found], wanted, atol=1e-4)


def test_scores_of_a_network_that_is_right_or_wrong(tmp_path):
    """With the classes of the spikes themselves as labels, all are right, and else none."""
    net = frozen(TINY["convolutional"], tmp_path)
    images = class_rows(10, np.random.default_rng(1))[0][..., None]
    each = [spikes.score(net, images, np.full(10, k), spikes.Point(ALL), 6, 4) for k in range(10)]
    assert sum(score["right"] for score in each) == 10
    assert [score["spikes"] for score in each] == [each[0]["spikes"]] * 10
    assert each[0]["unit_spikes"] == 0
    for sent, probe in zip(each[0]["spikes"], net.hidden, strict=True):
        assert 0 < sent / (10 * 6 * probe.size_in / 2) <= 1.01


@pytest.mark.parametrize("name", TINY)
def test_the_window_removes_spikes(name, tmp_path):
    net = frozen(TINY[name], tmp_path)
    images = np.random.RandomState(1).randint(0, 256, (4, 28, 28, 1)).astype(np.uint8)
    none, some, everything = (
        spikes.score(net, images, np.zeros(4, int), spikes.Point(WINDOW, w), 8, 4)
        for w in (0.0, 0.1, 1.0)
    )
    assert sum(none["spikes"]) > sum(some["spikes"]) > sum(everything["spikes"]) == 0
    assert none["unit_spikes"] >= 4 * len(net.hidden) * 5


def test_gui_shows_the_hands_of_the_units(tmp_path):
    net = frozen(TINY["convolutional"], tmp_path)
    net.images = class_rows(10, np.random.default_rng(1))[0][..., None]
    model = gui.shown(net)
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run(0.8)
    drawn = [clock.output._nengo_html_ for clock in model.clocks]
    assert len(drawn) == 3
    assert all('class="unit"' in svg for svg in drawn)
    assert f" of {gui.SHOWN} spikes sent" in drawn[0]
    assert not model.probes


def test_export(garments, tiny, monkeypatch, tmp_path):
    pytest.importorskip("nengo_dl")
    run("train", "--data", str(garments), "--design", "convolutional", "--runs", "runs")
    monkeypatch.setattr(gui, "PARAMS", tmp_path / "committed.npz")
    run("export", "--data", str(garments), "--run", "runs/convolutional-0")
    shown = gui.gui_model()
    assert shown.clocks[-1].size_in == 21


def scores(accuracy, windowed, sent, phase):
    """Scores by hand: 1000 hidden spikes; 400 of them sent cost ``accuracy - windowed``."""

    def at(accuracy, hidden, unit=0.0):
        return {"accuracy": accuracy, "hidden_spikes": hidden, "unit_spikes": unit}

    curve = [{**at(accuracy - 0.02, 0.0), "removed": 0.8}]
    return {
        "phase_accuracy": phase,
        "all": at(accuracy, 1000.0),
        "window": at(windowed, sent - 10, 10.0),
        "curves": {ALL: [{**at(accuracy, 1000.0), "removed": 0.0}], WINDOW: curve},
    }


def test_claims():
    found = {
        "convolutional": scores(0.92, 0.912, 380.0, 0.924),
        "no_skips": scores(0.1, 0.1, 380.0, 0.1),
    }
    made = claims.claims(designs.DESIGNS, found)
    assert_allclose([claim.value for claim in made], [0.92, 0.4, 0.62, 0.8])
    assert [claim.bound for claim in made] == [">= 0.91", "<= 0.5", ">= 0.6", "<= 1.0"]
    rules = claims.by_rule(found["convolutional"])
    assert list(rules) == [WINDOW]
    assert rules[WINDOW]["most removed for 1 point"] == pytest.approx(40, abs=0.1)
    assert rules[WINDOW]["lost at 60 % removed"] == pytest.approx(1.5)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, blocks in TINY.items():
        whole = designs.DESIGNS[name]
        recipe = replace(whole.recipe, batches=8, batch_size=64)
        small = replace(whole, blocks=blocks, cycles=8, recipe=recipe)
        monkeypatch.setitem(designs.DESIGNS, name, small)
    monkeypatch.setattr(designs, "STRENGTHS", {WINDOW: (0.0, 0.1), "random, by the clock": (0.5,)})
    monkeypatch.setattr(runs, "PIECE", 25)


def run(*arguments):
    done = CliRunner().invoke(commands.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_training_resumes_bit_for_bit(garments, tiny, monkeypatch):
    pytest.importorskip("nengo_dl")
    common = ["train", "--data", str(garments), "--design", "convolutional", "--batches", "16"]
    run(*common, "--runs", "whole")
    save = Checkpoint.save

    def save_and_die(checkpoint, *arrays, **progress):
        save(checkpoint, *arrays, **progress)
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", save_and_die)
    assert CliRunner().invoke(commands.main, [*common, "--runs", "parts"]).exit_code != 0
    monkeypatch.setattr(Checkpoint, "save", save)
    assert "resumed after 8 of 16" in run(*common, "--runs", "parts", "--resume")
    files = [Path(folder, "convolutional-0", "network.npz") for folder in ("whole", "parts")]
    whole, parts = (dict(np.load(file)) for file in files)
    assert whole.keys() == parts.keys()
    for name in whole:
        assert_array_equal(whole[name], parts[name])
    other = replace(designs.DESIGNS["convolutional"], blocks=[conv(3, 3, 2)])
    monkeypatch.setitem(designs.DESIGNS, "convolutional", other)
    done = CliRunner().invoke(commands.main, [*common, "--runs", "parts", "--resume"])
    assert done.exit_code == 1
    assert "weights" in done.output


def test_results_command(garments, tiny, monkeypatch):
    """The command that makes results/deep_rhythms.json, on a tiny setting, twice."""
    pytest.importorskip("nengo_dl")
    monkeypatch.setattr(sys, "argv", ["networks/deep_rhythms.py", "results"])
    arguments = ["results", "--data", str(garments), "--resume", "--images", "50"]
    arguments += ["--output", "r.json", "--figures", "figures", "--compared", "25"]
    arguments += ["--design", "convolutional", "--design", "bundling"]
    contents = []
    for _ in range(2):
        run(*arguments)
        contents.append(json.loads(Path("r.json").read_text()))
    assert contents[0]["figures"] == contents[1]["figures"]
    found = contents[0]["figures"]["networks"]
    for scores in found.values():
        assert scores["all"]["images"] == scores["window"]["images"] == 50
        curves = scores["curves"]
        assert set(curves) == {ALL, WINDOW, "random, by the clock"}
        assert all(each["images"] == 25 for curve in curves.values() for each in curve)
        assert curves[WINDOW][1]["removed"] > curves[WINDOW][0]["removed"]
    bounds = [c["bound"] for c in contents[0]["claims"]]
    assert bounds == [">= 0.91", "<= 0.5", ">= 0.6", "<= 1.0", ">= 0.885", *bounds[1:4]]
    for name in ("removed", "depth", "raster"):
        assert Path("figures", f"deep_rhythms_{name}.png").stat().st_size > 1000

"""Garments off the centre, and the network that codes precisely where they are."""

import json
import sys
from dataclasses import replace

import nengo
import numpy as np
import pytest
from click.testing import CliRunner

from nengo_phasor.arousal import Focus
from nengo_phasor.models.adaptive import focus_measure, off_centre
from nengo_phasor.models.adaptive.stack import Layout

pytest.importorskip("nengo_dl")
from nengo_phasor import convert
from nengo_phasor.models.adaptive.focus_commands import main

FOCUS = Focus(0.6, 0.1, 0.5)


def test_every_image_has_its_garment_whole():
    rng = np.random.default_rng(0)
    garments = rng.integers(1, 256, (30, 28, 28)).astype(np.uint8)
    images = off_centre.off_centre(garments, np.random.RandomState(0))
    assert images.shape == (30, 56, 56)
    places = set()
    for garment, image in zip(garments, images, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(image, (28, 28))
        (place,) = np.argwhere((windows == garment).all(axis=(2, 3)))
        places.add(tuple(place))
        around = np.count_nonzero(image) - garment.size
        assert 0 < around <= off_centre.FRAGMENTS * off_centre.FRAGMENT**2
    assert len(places) > 20
    again = off_centre.off_centre(garments, np.random.RandomState(0))
    np.testing.assert_array_equal(images, again)


@pytest.fixture
def small(monkeypatch):
    """A network with few maps, of random weights, converted."""
    monkeypatch.setattr(off_centre, "LAYOUT", Layout(((3,), (2,)), (8,)))
    return convert.to_adaptive(off_centre.model())


@pytest.fixture(scope="module")
def images():
    """An object of noise at the top left, then one at the bottom right."""
    x = np.zeros((2, 56, 56, 1), np.float32)
    rng = np.random.default_rng(0)
    for image, place in zip(x, (slice(0, 28), slice(28, 56)), strict=True):
        image[place, place] = rng.uniform(size=(28, 28, 1))
    return x


def test_spikes_are_those_in_nengo(small, images):
    small.set_precision(0.3)
    outputs, spikes, counts = focus_measure.run(small, images, 40, "conv1a")
    network = small.copy()
    network.input.output = images[1].ravel()
    with network:
        probes = {name: nengo.Probe(e.neurons) for name, e in network.layers.items()}
    with nengo.Simulator(network, dt=0.001, progress_bar=False) as sim:
        sim.run_steps(40)
    sent = {name: np.count_nonzero(sim.data[probe], axis=0) for name, probe in probes.items()}
    assert spikes[1] == pytest.approx(sum(n.sum() for n in sent.values()), rel=0.01)
    np.testing.assert_allclose(counts[1], sent["conv1a"], atol=1)
    np.testing.assert_allclose(outputs[1], sim.data[network.output][-1], atol=1e-3)


def test_focus_finds_the_object_and_saves_spikes(small, images):
    chosen, spikes = focus_measure.places(small, FOCUS, images)
    np.testing.assert_allclose(FOCUS.places[chosen], [[0, 0], [0.5, 0.5]])
    assert (spikes > 0).all()
    _, here = focus_measure.focused(small, FOCUS, images, chosen)
    small.set_precision(FOCUS.high)
    _, everywhere = focus_measure.run(small, images, focus_measure.WINDOW)[:2]
    assert (here < everywhere).all()


def test_results_command(garments, tmp_path, monkeypatch):
    """The command that makes results/adaptive_focus.json, on a tiny setting."""
    monkeypatch.setattr(off_centre, "LAYOUT", Layout(((3,), (2,)), (8,)))
    recipe = off_centre.recipe
    monkeypatch.setattr(off_centre, "recipe", lambda epochs: replace(recipe(epochs), batch_size=16))
    monkeypatch.setattr(focus_measure, "PAIRS", ((0.6, 0.1), (0.6, 0.3)))
    monkeypatch.setattr(focus_measure, "WINDOW", 60)
    monkeypatch.setattr(sys, "argv", ["networks/adaptive_focus.py", "results"])
    monkeypatch.chdir(tmp_path)
    arguments = ["results", "--data", str(garments), "--epochs", "1", "--images", "6"]
    done = CliRunner().invoke(main, [*arguments, "--trials", "5"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "results" / "adaptive_focus.json").read_text())
    found = content["figures"]
    assert (found["low"], found["high"]) in focus_measure.PAIRS
    assert found["coarse"]["spikes"] < found["precise"]["spikes"]
    assert len(content["claims"]) == 3
    assert content["claims"][1]["value"] == pytest.approx(
        found["focus"]["spikes"] / found["precise"]["spikes"]
    )

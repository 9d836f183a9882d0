import importlib
import json
import time
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from nengo_phasor.results import Claim

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"

SCHEMA = {"command", "date", "versions", "machine", "seeds", "settings", "figures", "claims"}


@pytest.fixture
def load(monkeypatch):
    """Return the function that imports a benchmark, which are scripts side by side."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def measure(load):
    return load("measure")


@pytest.fixture
def run(load, tmp_path):
    """Return the function that runs a benchmark's tiny problem and reads what it has written."""

    def run(name):
        output = tmp_path / "new folder" / f"{name}.json"
        status = load(name).main(["--tiny", "--repeats", "3", "--output", str(output)])
        assert status == 0
        assert [file.name for file in output.parent.iterdir()] == [output.name]
        return json.loads(output.read_text())

    return run


def check(content, timings):
    """Check the schema, and that what was derived from times fits them.

    ``timings`` maps each name in the figures to the number of items that a call does.
    """
    assert set(content) == SCHEMA
    assert content["settings"]["tiny"] is True
    assert content["settings"]["repeats"] == 3
    for claim in content["claims"]:
        assert set(claim) == set(Claim._fields)
        assert np.isfinite(claim["value"])
        Claim(**claim).holds  # noqa: B018  (the bound can be read)
    for name, items in timings.items():
        figures = content["figures"][name]
        than = figures["seconds"][figures["than"]]
        for method, seconds in figures["seconds"].items():
            assert len(seconds) == 3
            assert min(seconds) > 0
            assert figures["items_per_second"][method] == pytest.approx(items / median(seconds))
            ratios = np.divide(than, seconds)
            assert figures["times_as_fast"][method] == pytest.approx(np.median(ratios))


def claim(content, name):
    (value,) = (c["value"] for c in content["claims"] if c["name"] == name)
    return value


def test_neuron_step(run):
    content = run("neuron_step")
    check(content, {"simulator_step": 20, "neuron_step": 20})
    assert content["figures"]["spikes_per_second"] == pytest.approx(
        {"LIF": 10, "ResonateAndFire": 10}, rel=0.05
    )
    steps = content["figures"]["simulator_step"]["seconds"]
    ratios = np.divide(steps["ResonateAndFire"], steps["LIF"])
    (claimed,) = content["claims"]
    assert claimed["value"] == pytest.approx(np.median(ratios))
    assert claimed["bound"] == "<= 1.5"


def test_build(run):
    content = run("build")
    sizes = content["settings"]["sizes"]
    check(content, {f"{n} ensembles": n for n in sizes})
    few, most = (
        median(content["figures"][f"{n} ensembles"]["seconds"]["ResonateAndFire"]) / n
        for n in sizes
    )
    (claimed,) = content["claims"]
    assert claimed["value"] == pytest.approx(most / few)


def test_emulator(run):
    pytest.importorskip("nengo_loihi")
    content = run("emulator")
    assert len(content["figures"]) == 2
    check(content, dict.fromkeys(content["figures"], 20))
    for name, figures in content["figures"].items():
        own = 0.05 * 64 if name.startswith("LIF") else 0.05  # others' inputs are the host's
        assert figures["spikes_per_step"] >= 0.9 * own
    assert claim(content, "fraction of runs in which both emulators end in the same state") == 1


def test_spiking_inference(run):
    pytest.importorskip("nengo_dl")
    content = run("spiking_inference")
    check(content, {"inference": 8})
    figures = content["figures"]
    methods = set(figures["inference"]["seconds"])
    assert set(figures["peak_memory_gb"]) == methods == set(figures["agreement_within_a_step"])
    assert all(0.02 < memory < 8 for memory in figures["peak_memory_gb"].values())
    # nothing is measured of a network that stays silent, or of different networks
    assert 0.5 < figures["spikes_per_output_and_cycle"] <= 1.5
    assert min(figures["agreement_within_a_step"].values()) >= 0.99
    for dtype in ("float32", "float64"):
        ours, plain = f"layerwise {dtype}", f"plain loop {dtype}"
        seconds = figures["inference"]["seconds"]
        assert claim(content, f"{ours}, speed relative to the {plain}") == pytest.approx(
            np.median(np.divide(seconds[plain], seconds[ours]))
        )
        assert claim(content, f"{ours}, peak memory") == figures["peak_memory_gb"][ours]


def test_deep_rhythms(run):
    content = run("deep_rhythms")
    check(content, {"inference": 4})
    figures = content["figures"]
    spikes = list(figures["spikes_per_image"].values())
    assert spikes == sorted(spikes, reverse=True)
    assert spikes[0] > spikes[-1] >= 0  # the windows remove what they are to remove
    assert figures["removed"]["window 0"] == 0
    assert spikes[0] > 0.5 * 3 * (4 * 4 * 2 + 2 * 2 * 3)  # of three cycles of the hidden layers
    slowest = max(median(times) for times in figures["inference"]["seconds"].values())
    assert claim(content, "time of 10,000 images") == pytest.approx(10_000 * slowest / 4 / 60)


def test_adaptive_inference(run):
    pytest.importorskip("nengo_dl")
    content = run("adaptive_inference")
    check(content, {"inference": 2})
    figures = content["figures"]["inference"]
    assert claim(content, "fraction of images that layerwise and NengoDL classify alike") == 1
    assert figures["spikes_per_image"] > 0
    for method in ("layerwise", "nengo_dl"):
        assert figures["spikes_per_second"][method] == pytest.approx(
            figures["spikes_per_image"] * figures["items_per_second"][method]
        )
        assert 0.1 < figures["peak_memory_gb"][method] < 8
    assert [point["width"] for point in content["figures"]["growth"]["with_width"]] == [0.25]


def test_training(run):
    pytest.importorskip("nengo_dl")
    content = run("training")
    check(content, {"training": 8 * 10})
    claimed = claim(content, "speed of NengoDL relative to TensorFlow")
    assert claimed == content["figures"]["training"]["times_as_fast"]["nengo_dl"]
    losses = content["figures"]["mean_loss_of_the_first_batches"]
    assert losses == pytest.approx(dict.fromkeys(losses, losses["tensorflow"]), rel=1e-4)
    assert claim(content, "relative difference of the losses from TensorFlow's") <= 1e-4


def test_surrogate_training(run):
    pytest.importorskip("nengo_dl")
    content = run("surrogate_training")
    check(content, {"training": 4})
    figures = content["figures"]
    seconds = figures["training"]["seconds"]
    assert set(figures["peak_memory_gb"]) == set(seconds) == {"2 steps", "4 steps"}
    assert all(0.1 < memory < 8 for memory in figures["peak_memory_gb"].values())
    growth = np.median(np.divide(seconds["2 steps"], seconds["4 steps"]))
    assert claim(content, "time of a training step, 4 steps relative to 2 steps") == pytest.approx(
        1 / growth
    )


def test_training_engine(run, load):
    pytest.importorskip("nengo_dl")
    engine = load("training_engine")
    content = run("training_engine")
    figures = content["figures"]
    assert set(figures) == set(engine.TINY)
    for name, those in figures.items():
        items = engine.TINY[name].n_items
        check({**content, "figures": those}, {"cpu": items, "wall": items})
        assert set(those["cpu"]["seconds"]) == set(engine.ENGINES)
        assert all(0.1 < memory < 8 for memory in those["peak_memory_gb"].values())
        # nothing is measured of a network that stays silent, or that learns something else
        assert all(rate > 0 for rate in those["spiking_in_a_step"].values())
        assert max(those["difference_of_gradients"].values()) <= 1e-3
        assert those["difference_of_gradients"]["layerwise"] > 0
    (name,) = set(figures) - {"recurrent"}
    cpu = figures[name]["cpu"]["seconds"]
    assert claim(
        content, f"{name}: layerwise, times as fast as tensorflow, processor time"
    ) == pytest.approx(np.median(np.divide(cpu["tensorflow"], cpu["layerwise"])))


def test_turns_are_taken(measure):
    calls = []

    def work(name, seconds):
        calls.append(name)
        time.sleep(seconds)

    seconds = measure.interleaved(
        {"short": lambda: work("short", 0.01), "long": lambda: work("long", 0.03)}, 2
    )
    assert calls == ["short", "long"] * 3
    assert [len(times) for times in seconds.values()] == [2, 2]
    assert min(seconds["short"]) >= 0.01
    assert min(seconds["long"]) >= 0.03


def test_ratio_is_of_the_same_turn(measure):
    # the machine became four times as slow after the first turn, and hiccupped in the third
    seconds = {"ours": [1.0, 4.0, 90.0], "theirs": [2.0, 8.0, 8.0]}
    assert measure.times_as_fast(seconds, "ours", than="theirs") == 2
    assert measure.times_as_fast(seconds, "theirs", than="ours") == 0.5


def test_peak_memory_is_the_script_s_own(measure, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "import measure\n"
        "block = bytearray(b'x' * (int(sys.argv[1]) * 2**20))\n"
        "del block\n"
        "print('some line')\n"
        "print(measure.peak_memory())\n"
    )
    ballast = b"x" * (300 * 2**20)  # must not be counted for the child
    small = measure.peak_memory_of(str(script), "1")
    large = measure.peak_memory_of(str(script), "256")
    assert small < len(ballast) / 2**30
    # the string and its copy
    assert large - small == pytest.approx(2 * 255 / 1024, rel=0.1)


@pytest.mark.parametrize(("shift", "expected"), [(0, 1), (1, 1), (-1, 1), (2, 0)])
def test_agreement_within_a_step(load, shift, expected):
    spikes = np.zeros((2, 10, 3))
    spikes[0, 4, 1] = spikes[1, 7, 0] = 1000
    assert load("spiking_inference").agreement(spikes, np.roll(spikes, shift, 1)) == expected


def test_agreement_counts_what_either_lacks(load):
    spikes = np.zeros((2, 10, 3))
    spikes[0, 4, 1] = spikes[1, 7, 0] = 1000
    half = spikes * [[[1]], [[0]]]
    agreement = load("spiking_inference").agreement
    assert agreement(spikes, half) == agreement(half, spikes) == 0.5


@pytest.mark.parametrize(("value", "tiny", "status"), [(2, [], 0), (3, [], 1), (3, ["--tiny"], 0)])
def test_exit_status_tells_of_missed_claims(measure, tmp_path, capsys, value, tiny, status):
    arguments = measure.parser("", "x").parse_args(["--output", str(tmp_path / "x.json"), *tiny])
    claims = [Claim("speed", value, "", "<= 2")]
    assert measure.finish(arguments, {}, [], {}, claims) == status
    assert ("MISSED" in capsys.readouterr().out) == (status == 1)
    assert json.loads((tmp_path / "x.json").read_text())["claims"][0]["value"] == value


def test_start(run):
    """The second process finds what the first one compiled."""
    figures = run("start")["figures"]["over_import_nengo"]
    for task in ("neuron", "network"):
        assert figures[f"{task}, second process"] < 0.7 * figures[f"{task}, first process"]

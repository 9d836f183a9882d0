import json
import subprocess
import sys

import nengo
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import energy, layerwise
from nengo_phasor.models.lenet import deep_claims, deep_commands, twin, vgg
from nengo_phasor.models.lenet.data import Parts
from nengo_phasor.models.lenet.measure import measure
from nengo_phasor.models.lenet.runs import Run
from nengo_phasor.models.shared import augmentation
from tests.models.images import class_rows

tf = pytest.importorskip("tensorflow")

SHAPE = (16, 16, 1)


@pytest.fixture(scope="module")
def parts():
    x, y = class_rows(300, np.random.default_rng(0), size=16, first=0, thick=1)
    x = (x[..., None] / 60 - 1).astype(np.float32)
    return Parts(x[:200], y[:200], x[200:260], y[200:260], x[260:], y[260:])


@pytest.fixture(scope="module")
def model(parts):
    """A twin that is not trained, but normalises its outputs."""
    model = twin.keras_model(SHAPE, 0)
    rng = np.random.default_rng(1)
    for k in range(len(vgg.LAYERS)):
        norm = model.get_layer(f"norm{k + 1}")
        _, _, *seen = norm.get_weights()
        n = seen[0].shape
        norm.set_weights([rng.uniform(0.5, 1, n), rng.uniform(0, 0.5, n), *seen])
    for _ in range(50):
        model(parts.x_train, training=True)
    return model


def run(**settings):
    values = {
        "steps": 4,
        "epochs": 1,
        "design": "vgg",
        "twin_epochs": 2,
        "level_epochs": 1,
        **settings,
    }
    return Run("rows", 260, **values)


# --- the twin -------------------------------------------------------------------------------------


def test_the_network_can_train_after_its_twin():
    """In one process that has not used TensorFlow before, they use the same Keras."""
    code = (
        "from nengo_phasor import compat\n"
        "from nengo_phasor.models.lenet import twin\n"
        "twin.keras_model((16, 16, 1), 0)\n"
        "compat.use_keras_2()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)


def test_folded_weights_give_the_same_classes(model, parts):
    """With the normalisation in the weights, the network is Keras' own."""
    weights, x = twin.folded(model), parts.x_test
    classes = model.predict(x, verbose=0).argmax(axis=-1)
    assert len(set(classes)) > 1
    assert twin.accuracy(weights, x, classes, None) == 1
    assert twin.accuracy(weights, x, (classes + 1) % 10, None) == 0


def test_quantised_weights_have_few_values(model):
    weights = twin.folded(model)
    got = twin.quantised(weights, 8)
    for name, values in got.items():
        if name.startswith("bias"):
            assert_array_equal(values, weights[name])
            continue
        for k in range(values.shape[-1]):
            step = np.abs(weights[name][..., k]).max() / 127
            levels = values[..., k] / step
            assert_allclose(levels, np.round(levels), atol=1e-3)
            assert np.abs(levels).max() == pytest.approx(127)
            assert_allclose(values[..., k], weights[name][..., k], atol=0.51 * step)


def test_a_killed_twin_goes_on_to_the_same_weights(parts, tmp_path):
    whole = twin.trained(run(level_epochs=2), parts, tmp_path / "whole", "rounded")
    half = tmp_path / "half"
    half.mkdir()
    fit, calls = twin._batches, []

    def fail_in_the_second_epoch(*arguments):
        calls.append(arguments)
        if len(calls) in (2, 4):
            raise KeyboardInterrupt
        return fit(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(twin, "_batches", fail_in_the_second_epoch)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                twin.trained(run(level_epochs=2), parts, half, "rounded")
    assert not (half / "rounded.npz").exists()
    again = twin.trained(run(level_epochs=2), parts, half, "rounded")
    assert all(np.array_equal(again[name], values) for name, values in whole.items())


def test_the_spikes_of_a_twin(model, parts):
    """The outputs, computed here from the folded weights, times the steps."""
    weights, images = twin.folded(model), parts.x_test[:7]
    expected = np.zeros(7)
    for k, (_, stride) in enumerate(vgg.LAYERS):
        images = tf.nn.conv2d(images, weights[f"conv{k + 1}"], stride, "SAME")
        images = np.clip(images + weights[f"bias{k + 1}"], 0, 1)
        expected += 4 * images.sum(axis=(1, 2, 3))
    got = twin.with_spikes(model, 4).predict(parts.x_test[:7], verbose=0)
    assert_allclose(got["spikes"][:, 0], expected, rtol=1e-4)
    assert_allclose(got["logits"], model.predict(parts.x_test[:7], verbose=0), rtol=1e-5)


def test_rounded_outputs_are_what_spikes_make(model, parts):
    """Each neuron's count, with a constant current, is the twin's output times the steps."""
    rounded = twin.keras_model(SHAPE, 0, steps=4)
    rounded.set_weights(model.get_weights())
    x, weights = parts.x_test[:5], twin.folded(model)
    net = vgg.vgg(SHAPE, weights)
    seen = layerwise.Simulator(net, progress_bar=False).predict({net.image: x.reshape(5, 1, -1)}, 4)
    first = tf.keras.Model(rounded.input, rounded.get_layer("rounded1").output)(x)
    counts = np.count_nonzero(seen[net.spikes["conv1"]], axis=1)
    different = np.abs(counts - 4 * np.asarray(first).reshape(5, -1)) > 1e-3
    assert different.mean() < 1e-3, "but for rounding in single precision"
    spikes = twin.with_spikes(rounded, 4).predict(x, verbose=0)["spikes"][:, 0]
    assert_allclose(spikes, np.round(spikes), atol=1e-2)


def test_gradient_of_rounded_outputs_is_that_of_the_outputs():
    x = tf.constant([0.1, 0.5, 0.9])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = twin.rounded(x, 4)
    assert_allclose(tape.gradient(y, x), np.ones(3))
    assert_allclose(y, [0.0, 0.5, 1.0])


def test_a_cost_makes_the_twin_sparse(parts, tmp_path):
    """It has a folder of its own, and its schedule begins at the first epoch."""
    costly = run(schedule="linear", sigma_0=1e-3)
    assert twin.place(costly, tmp_path) != twin.place(run(), tmp_path)
    counts = {}
    for each in (run(), costly):
        twin.start(each, parts, tmp_path / each.name)
        saved = twin.trained(each, parts, twin.place(each, tmp_path), "rounded")
        spikes = measure(vgg.vgg(SHAPE, saved), parts.x_test, parts.y_test, 4)["spikes"]
        counts[each.sigma_0] = spikes
    assert counts[1e-3] < 0.8 * counts[0.0]


def test_compared(parts, tmp_path):
    """The multiply-accumulates are those of all windows, as far as they are in the image."""
    got = twin.compared(run(), parts, tmp_path)
    weights = twin.trained(run(), parts, twin.place(run(), tmp_path), "analog")
    for key, bits in (("accuracy", None), ("quantised", 8)):
        assert got[key] == twin.accuracy(weights, parts.x_test, parts.y_test, bits)
    size, channels, macs = SHAPE[0], SHAPE[2], 0
    for maps, stride in vgg.LAYERS:
        ones = np.ones((1, size, size, 1), np.float32)
        windows = tf.nn.conv2d(ones, np.ones((3, 3, 1, 1), np.float32), stride, "SAME")
        macs += float(tf.reduce_sum(windows)) * channels * maps
        size, channels = windows.shape[1], maps
        macs += size**2 * maps  # biases
    macs += size**2 * channels + 10 * channels + 10
    assert got["mac"] == macs


# --- the network ----------------------------------------------------------------------------------


def test_many_steps_are_the_twin(model, parts):
    """The spikes of a neuron tend to the output of its twin, and so do the logits."""
    weights, x = twin.folded(model), parts.x_test[:5]
    net = vgg.vgg(SHAPE, weights)
    seen = layerwise.Simulator(net, progress_bar=False).predict(
        {net.image: x.reshape(5, 1, -1)}, 400
    )
    first = tf.nn.conv2d(x, weights["conv1"], 1, "SAME") + weights["bias1"]
    rates = seen[net.spikes["conv1"]].mean(axis=1).reshape(first.shape)
    assert_allclose(rates, np.clip(first, 0, 1), atol=0.5 / 400 + 1e-6)
    assert_allclose(seen[net.logits][:, 100:].mean(axis=1), model.predict(x, verbose=0), atol=0.05)


def test_same_spikes_in_nengo(model, parts):
    net = vgg.vgg(SHAPE, twin.folded(model))
    x = parts.x_test[:1]
    fast = layerwise.Simulator(net, progress_bar=False).predict({net.image: x.reshape(1, 1, -1)}, 4)
    net.image.output = x.ravel().astype(float)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(4)
    for name, probe in net.spikes.items():
        assert np.count_nonzero(sim.data[probe]) > 0, name
        assert_array_equal(fast[probe][0] > 0, sim.data[probe] > 0)


def test_operations_are_those_of_energy(model, parts):
    net = vgg.vgg(SHAPE, twin.folded(model))
    x, y = parts.x_test[:3], parts.y_test[:3]
    got = measure(net, x, y, 4)
    seen = layerwise.Simulator(net, progress_bar=False, dtype="float32").predict(
        {net.image: x.reshape(3, 1, -1)}, 4
    )
    counts = {p.target.ensemble: np.count_nonzero(seen[p], axis=1) for p in net.spikes.values()}
    assert got["operations"] == pytest.approx(energy.synaptic_operations(net, counts).mean())
    assert got["neurons"] == sum(e.n_neurons for e in net.all_ensembles)


# --- the images -----------------------------------------------------------------------------------


def test_images_are_moved_and_mirrored():
    x = np.arange(6 * 10 * 12 * 2, dtype=np.float32).reshape(6, 10, 12, 2)
    rng = np.random.RandomState(0)
    got = augmentation.mirrored_and_shifted(np.concatenate([x] * 30), rng, 4)
    assert got.shape == (180, 10, 12, 2)
    around = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    places = set()
    for k, image in enumerate(got):
        windows = {
            (top, left, way): around[k % 6, top : top + 10, left : left + 12][:, ::way]
            for top in range(9)
            for left in range(9)
            for way in (1, -1)
        }
        (place,) = [place for place, w in windows.items() if np.array_equal(w, image)]
        places.add(place)
    assert {place[0] for place in places} == {place[1] for place in places} == set(range(9))
    assert {place[2] for place in places} == {1, -1}


# --- the claims -----------------------------------------------------------------------------------


def test_claims():
    def rows(spikes, accuracy, enough=True):
        row = {"spikes": spikes, "neurons": 100, "accuracy": accuracy, "accurate_enough": enough}
        return {"linear": {**row, "fewer_spikes": 0.8}}

    found = {
        "tables": {"table 2": [rows(20, 0.9), rows(30, 0.92, False)]},
        "best": {"table 2": ["linear", "linear"]},
    }
    accuracy, spikes, saved = deep_claims.claims(found, "cifar10")
    assert (accuracy.value, spikes.value, saved.value) == pytest.approx((0.91, 0.25, 0.4))
    assert accuracy.holds
    assert not saved.holds


# --- the command ----------------------------------------------------------------------------------


def test_the_command(folder, tmp_path):
    """The command that makes results/sparse_deep.json, on a tiny setting."""
    pytest.importorskip("distributed")
    output, runs = tmp_path / "out.json", tmp_path / "runs"
    arguments = [
        *("results", "--set", "fashion_mnist", "--data", folder, "--images", 100, "--epochs", 1),
        *(
            "--steps",
            2,
            "--twin-epochs",
            1,
            "--level-epochs",
            1,
            "--seeds",
            "3",
            "--runs",
            runs,
            "--output",
            output,
        ),
        *("--workers", 1, "--test-images", 20),
    ]
    arguments = list(map(str, arguments))
    result = CliRunner().invoke(deep_commands.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    content = json.loads(output.read_text())
    found = content["figures"]["fashion_mnist"]
    (twin_found,), (rows,) = found["compared"], found["tables"]["table 2"]
    per_mac, per_synapse = 0.3e-12, 0.1e-12  # Horowitz 2014
    assert twin_found["joules"] == pytest.approx(per_mac * twin_found["mac"])
    for row in rows.values():
        expected = per_mac * row["image_operations"] + per_synapse * row["operations"]
        assert row["joules"] == pytest.approx(expected)
        assert row["spikes"] <= 2 * row["neurons"]
    page = (runs / "fashion_mnist-report" / "index.html").read_text()
    assert "Beside the analog twin" in page
    assert "twin, 8 bits" in page

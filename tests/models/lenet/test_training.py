import nengo
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import datasets, layerwise
from nengo_phasor.models.lenet import data, network, start, training
from nengo_phasor.models.lenet.data import Parts
from nengo_phasor.models.lenet.designs import DESIGNS
from nengo_phasor.models.lenet.measure import measure
from nengo_phasor.models.lenet.runs import Run
from tests.models.images import class_rows

nengo_dl = pytest.importorskip("nengo_dl")

SHAPE = (16, 16, 2)


@pytest.fixture
def parts():
    x, y = class_rows(300, np.random.default_rng(0), size=16, first=0, thick=1)
    x = data.with_bias_channel((x[..., None] / 60 - 1).astype(np.float32))
    return Parts(x[:200], y[:200], x[200:260], y[200:260], x[260:], y[260:])


@pytest.fixture
def weights(parts):
    """Weights with which all layers fire."""
    random = network.initial_weights(SHAPE, 0)
    return start.rate_matched(random, parts.x_train[:20], 10, 0.2)


# --- the data -------------------------------------------------------------------------------------


def test_images_are_scaled_and_have_a_channel_for_biases(folder):
    parts = data.load("fashion_mnist", folder, 100, data.with_bias_channel)
    assert parts.x_train.shape == (80, 28, 28, 2)
    assert parts.x_validation.shape == (100, 28, 28, 2)
    trained = {image.tobytes() for image in parts.x_train}
    assert len(trained) == 80
    assert not trained & {image.tobytes() for image in parts.x_validation}
    assert parts.x_test.shape == (40, 28, 28, 2)
    for x in (parts.x_train, parts.x_validation, parts.x_test):
        assert np.all(x[..., 1] == np.float32(data.BIAS_CHANNEL))
    assert parts.x_train[..., 0].mean() == pytest.approx(0, abs=1e-5)
    assert parts.x_train[..., 0].std() == pytest.approx(1, abs=1e-5)


def test_all_images_leave_a_fifth_for_validation(folder):
    parts = data.load("fashion_mnist", folder, 200, data.with_bias_channel)
    assert (len(parts.x_train), len(parts.x_validation)) == (160, 40)
    assert (len(parts.y_train), len(parts.y_validation)) == (160, 40)


# --- the network ----------------------------------------------------------------------------------


def test_is_lenet():
    """6, 16 maps of 5 x 5, halved after each; 120, 84 units: the sizes of LeNet-5 on CIFAR-10."""
    weights = network.initial_weights((32, 32, 3), 0)
    net = network.lenet((32, 32, 3), weights)
    sizes = {ensemble.label: ensemble.n_neurons for ensemble in net.ensembles}
    assert sizes == {"conv1": 28 * 28 * 6, "conv2": 10 * 10 * 16, "dense1": 120, "dense2": 84}
    assert (
        sum(values.size for values in weights.values()) == 450 + 2400 + 400 * 120 + 120 * 84 + 840
    )


def test_initial_weights_are_of_their_number_and_seed():
    weights = network.initial_weights((32, 32, 3), 1)
    for name, n_in in (("conv2", 150), ("dense1", 400), ("dense2", 120)):
        assert weights[name].std() * n_in**0.5 == pytest.approx(1, rel=0.05)
    again = network.initial_weights((32, 32, 3), 1)
    assert all(np.array_equal(again[name], values) for name, values in weights.items())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_layers_start_at_the_same_rate(parts, seed):
    random, rate, steps = network.initial_weights(SHAPE, seed), 0.15, 12
    images = parts.x_train[:40]
    matched = start.rate_matched(random, images, steps, rate)
    net = network.lenet(SHAPE, matched)
    seen = layerwise.Simulator(net).predict({net.image: images.reshape(40, 1, -1)}, steps)
    for name, probe in net.spikes.items():
        assert np.mean(seen[probe] > 0) == pytest.approx(rate, rel=0.1), name
    maps = seen[net.spikes["conv1"]].reshape(-1, 6) > 0
    assert_allclose(maps.mean(axis=0), rate, rtol=0.1)
    scales = {name: values / random[name] for name, values in matched.items()}
    for scale in (*scales["conv1"][:, :, :-1].transpose(3, 0, 1, 2), *list(scales.values())[1:]):
        assert_allclose(scale, scale.flat[0], rtol=1e-5)
    assert np.all(matched["conv1"][:, :, -1] == matched["conv1"][0, 0, -1])


def test_maps_start_with_the_same_contrast(parts):
    random, images = network.initial_weights(SHAPE, 0), parts.x_train[:10]
    kernel = start.with_bias(start.with_contrast(random["conv1"], images), 0.3)
    currents = [
        np.tensordot(image[y : y + 5, x : x + 5], kernel, 3)
        for image in images
        for y in range(SHAPE[0] - 4)
        for x in range(SHAPE[1] - 4)
    ]
    assert_allclose(np.std(currents, axis=0), start.CONTRAST, rtol=1e-4)
    unbiased = start.with_bias(kernel, 0)
    assert_allclose(np.tensordot(images[0, :5, :5], kernel - unbiased, 3), 0.3, rtol=1e-5)


def test_same_spikes_on_all_substrates(parts, weights):
    net = network.lenet(SHAPE, weights)
    x = np.repeat(parts.x_test[:2].reshape(2, 1, -1), 20, axis=1)
    with net:
        nengo_dl.configure_settings(dtype="float64")
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        dl = sim.predict({net.image: x})
    fast = layerwise.Simulator(net).predict({net.image: x[:, :1]}, 20)
    net.image.output = x[0, 0].astype(float)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(20)
    for name, probe in net.spikes.items():
        assert np.count_nonzero(sim.data[probe]) > 0, name
        assert_array_equal(fast[probe][0] > 0, sim.data[probe] > 0)
        assert_array_equal(dl[probe] > 0, fast[probe] > 0)
    assert_allclose(fast[net.logits], dl[net.logits], atol=1e-9)


def test_measure(parts, weights):
    """Against nengo.Simulator, an image at a time."""
    x, y = parts.x_test[:4], parts.y_test[:4]
    got = measure(network.lenet(SHAPE, weights), x, y, 10)
    right, spikes = 0, dict.fromkeys(got["spikes_by_layer"], 0)
    for image, label in zip(x, y, strict=True):
        net = network.lenet(SHAPE, weights)
        net.image.output = image.ravel().astype(float)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(10)
        right += sim.data[net.logits].mean(axis=0).argmax() == label
        for name, probe in net.spikes.items():
            spikes[name] += np.count_nonzero(sim.data[probe]) / 4
    assert got["accuracy"] == right / 4
    assert got["spikes_by_layer"] == pytest.approx(spikes, rel=0.01)
    assert got["spikes"] == pytest.approx(sum(spikes.values()), rel=0.01)


def test_diverged_network_never_scores(parts, weights):
    """Not even on images of the first class, which argmax would name."""
    weights["logits"] = np.full_like(weights["logits"], np.inf)  # Nengo refuses NaN
    first = parts.y_test == 0
    net = network.lenet(SHAPE, weights)
    got = measure(net, parts.x_test[first], parts.y_test[first], 10)
    assert got["accuracy"] == 0


# --- training -------------------------------------------------------------------------------------


def settings(sigma_0=0.0, schedule="linear", epochs=3):
    return Run(
        *("rows", 260, 5, epochs, schedule, sigma_0),
        batch_size=20,
        learning_rate=5e-3,
        averaging=0.5,
    )


def test_training_learns_and_spikes_that_cost_are_fewer(parts, tmp_path, monkeypatch):
    """The images stay where they are, since their class is a place."""
    still = DESIGNS["lenet"]._replace(augmented=lambda images, rng: images)
    monkeypatch.setitem(DESIGNS, "lenet", still)
    histories = []
    for sigma_0 in (0.0, 1.2e-2):
        folder = tmp_path / str(sigma_0)
        folder.mkdir()
        histories.append(list(training.train(settings(sigma_0), parts, folder)))
    free, dear = histories
    assert free[-1]["accuracy"] > 0.6
    assert dear[-1]["spikes"] < 0.85 * free[-1]["spikes"]
    assert [epoch["sigma"] for epoch in dear] == pytest.approx([4e-3, 8e-3, 12e-3])
    for epoch in free:
        assert epoch["loss"] == pytest.approx(epoch["crossentropy"])
    for epoch in dear:
        assert epoch["loss"] > epoch["crossentropy"]


def test_a_killed_run_goes_on_to_the_same_result(parts, tmp_path, monkeypatch):
    """Bit for bit, though it was killed between an epoch's weights and its checkpoint."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    expected = list(training.train(settings(1e-3), parts, whole))
    save, calls = datasets.save_params, []

    def fail_in_the_second_epoch(path, **arrays):
        calls.append(path)
        if len(calls) == 4:
            raise KeyboardInterrupt
        save(path, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(datasets, "save_params", fail_in_the_second_epoch)
        with pytest.raises(KeyboardInterrupt):
            list(training.train(settings(1e-3), parts, killed))
    assert training.finished(killed) is None
    resumed = list(training.train(settings(1e-3), parts, killed))
    for epoch in (*resumed, *expected):
        assert epoch.pop(training.SECONDS) > 0
    assert resumed == expected
    assert len(expected) == 3
    for epoch in (1, 2, 3):
        a, b = (datasets.load_params(f / f"weights-{epoch}.npz") for f in (killed, whole))
        for name, values in b.items():
            assert_array_equal(a[name], values)


def test_damaged_checkpoint_is_named_with_the_way_out(parts, tmp_path):
    (tmp_path / "checkpoint.npz").write_bytes(b"PK")
    with pytest.raises(
        datasets.DatasetError, match=r"cannot continue from .*checkpoint\.npz.*delete it"
    ):
        list(training.train(settings(), parts, tmp_path))

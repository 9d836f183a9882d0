import json
from dataclasses import replace

import nengo
import numpy as np
import pytest

from nengo_phasor import AdaptiveSpiking, AdaptiveSpikingRate, datasets

pytest.importorskip("nengo_dl")
import tensorflow as tf

from nengo_phasor.dl.activations import HalfSigmoid
from nengo_phasor.models.adaptive import training
from nengo_phasor.models.adaptive.data import Augmentation, Parts
from nengo_phasor.models.adaptive.layers import CodeNoise, Dropout
from nengo_phasor.models.adaptive.recipe import Recipe

RECIPE = Recipe(
    epochs=4,
    batch_size=16,
    learning_rate=0.02,
    smoothing=0.1,
    activity=0.2,
    augmentation=Augmentation(shift=1, angle=10, zoom=0.1, flip=True),
)


def model_function(seed):
    layers = tf.keras.layers
    image = layers.Input((6, 6, 1), name="image")
    x = layers.Conv2D(3, 3, name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = CodeNoise(AdaptiveSpikingRate(), seed, name="noise")(HalfSigmoid(name="active")(x))
    x = layers.Flatten(name="flatten")(x)
    x = Dropout(0.3, seed=seed, name="dropout")(x)
    return tf.keras.Model(image, layers.Dense(3, name="classes")(x))


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.integers(0, 100, (90, 6, 6)).astype(np.uint8)
    x[np.arange(90), 2 * y] += 60
    return Parts(x[:60], y[:60], x[60:], y[60:])


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_training_resumes_to_the_same_result(parts, tmp_path, monkeypatch, optimizer):
    """Bit for bit, though it was killed twice: between two epochs, and while it saved."""
    recipe = replace(RECIPE, optimizer=optimizer)
    if optimizer == "SGD":
        recipe = replace(recipe, options=(("momentum", 0.9), ("nesterov", True)))
    (tmp_path / "killed").mkdir()
    (tmp_path / "whole").mkdir()
    whole, history = training.train(model_function, recipe, 3, parts, tmp_path / "whole")

    save = datasets.save_params
    for after in (1, 3):

        def save_and_die(path, after=after, **arrays):
            if len(json.loads(str(arrays["progress"]))["history"]["loss"]) == after:
                if after == 1:
                    save(path, **arrays)
                raise KeyboardInterrupt
            save(path, **arrays)

        monkeypatch.setattr(datasets, "save_params", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            training.train(model_function, recipe, 3, parts, tmp_path / "killed", resume=True)
    monkeypatch.setattr(datasets, "save_params", save)
    resumed, history_resumed = training.train(
        model_function, recipe, 3, parts, tmp_path / "killed", resume=True
    )
    assert history_resumed == history
    assert len(history["loss"]) == 4
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_seed_decides(parts, tmp_path):
    """The same seed gives the same; another another."""
    recipe = replace(RECIPE, epochs=1)
    kernels = [
        training.train(model_function, recipe, seed, parts, tmp_path)[0].get_weights()[0]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.allclose(kernels[0], kernels[2])


def test_best_epoch_is_that_of_the_validation_data(parts, tmp_path, monkeypatch):
    """Accuracies of the four epochs: the second is the best, and the last equal to it."""
    seen, after = [], []

    def logits(model, x):
        assert x is parts.x_validation
        after.append(model.get_weights())
        right = (10, 25, 20, 25)[len(seen)]
        seen.append(right)
        wrong = (parts.y_validation + 1) % 3
        return np.eye(3)[np.where(np.arange(30) < right, parts.y_validation, wrong)]

    monkeypatch.setattr(training, "logits", logits)
    model, history = training.train(model_function, RECIPE, 0, parts, tmp_path)
    assert history["validation_accuracy"] == pytest.approx([10 / 30, 25 / 30, 20 / 30, 25 / 30])
    for a, b in zip(model.get_weights(), after[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_activity_is_paid_for(parts, tmp_path):
    """The more weight it has, the less active the neurons are in the end."""
    means = []
    for activity in (0.0, 3.0):
        recipe = replace(RECIPE, epochs=6, activity=activity, augmentation=None)
        model, _ = training.train(model_function, recipe, 0, parts, tmp_path)
        active = tf.keras.Model(model.input, model.get_layer("active").output)
        means.append(active.predict(training.pixels(parts.x_train), verbose=0).mean())
    assert means[1] < 0.7 * means[0]


def test_learning_rate_falls_to_zero_along_a_cosine(parts):
    model = training.compiled(model_function, RECIPE, 0, 60)
    rate = model.optimizer._learning_rate
    steps = 4 * 4
    for step in (0, 5, 16):
        expected = 0.02 * (1 + np.cos(np.pi * step / steps)) / 2
        assert float(rate(step)) == pytest.approx(expected, abs=1e-8)


def test_epoch_has_every_sample_once(parts):
    recipe = replace(RECIPE, augmentation=None, batch_size=7)
    batches = training.Batches(parts.x_train, parts.y_train, recipe, 5, 2)
    x, y = (np.concatenate(values) for values in zip(*batches, strict=True))
    order = np.lexsort(x.reshape(60, -1).T)
    expected = training.pixels(parts.x_train)
    in_order = np.lexsort(expected.reshape(60, -1).T)
    np.testing.assert_array_equal(x[order], expected[in_order])
    np.testing.assert_array_equal(y[order], parts.y_train[in_order])
    assert {len(batch[1]) for batch in batches} <= {6, 7}
    other = training.Batches(parts.x_train, parts.y_train, recipe, 5, 3)
    assert not np.array_equal(batches[0][1], other[0][1])


def test_weights_are_kept_by_name(parts, tmp_path):
    """In half precision; a model without dropout can have them, another can't."""
    model = model_function(1)
    training.save_weights(tmp_path / "w.npz", model, "float16", images=parts.x_train[:2])

    layers = tf.keras.layers
    image = layers.Input((6, 6, 1))
    x = layers.Conv2D(3, 3, name="conv")(image)
    x = HalfSigmoid()(layers.BatchNormalization(name="norm")(x))
    plain = tf.keras.Model(image, layers.Dense(3, name="classes")(layers.Flatten()(x)))
    others = training.load_weights(tmp_path / "w.npz", plain)
    assert list(others) == ["images"]
    np.testing.assert_allclose(
        training.logits(plain, parts.x_train), training.logits(model, parts.x_train), atol=2e-3
    )
    other = tf.keras.Sequential([layers.Input((4,)), layers.Dense(2, name="more")])
    with pytest.raises(datasets.DatasetError, match="lacks more/kernel"):
        training.load_weights(tmp_path / "w.npz", other)


@pytest.mark.parametrize("m_f", [0.1, 0.4])
def test_noise_deviates_as_spikes_do(m_f):
    """Shat of simulated neurons beside the layer: the same spread about the activation."""
    S = np.repeat([0.6, 1.0, 2.0], 40)
    neurons = AdaptiveSpiking().at_precision(m_f)
    with nengo.Network(seed=0) as net:
        onset = nengo.Node(lambda t: S * (t > 1e-3 * np.arange(120) % 0.04))
        ensemble = nengo.Ensemble(
            120, 1, neuron_type=neurons, gain=np.ones(120), bias=np.zeros(120)
        )
        nengo.Connection(onset, ensemble.neurons, synapse=None)
        refraction = nengo.Probe(ensemble.neurons, "refraction")
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(0.6)
    deviations = (sim.data[refraction][200:] - S).reshape(-1, 3, 40)
    layer = CodeNoise(neurons, seed=0)
    noisy = layer(np.tile(S, (400, 1)).astype(np.float32), training=True).numpy() - S
    added = noisy.reshape(-1, 3, 40)
    for k in range(3):
        assert added[:, k].std() == pytest.approx(deviations[:, k].std(), rel=0.15)
    np.testing.assert_allclose(layer(S, training=False), S, rtol=1e-6)
    silent = layer(np.zeros((2, 3), np.float32), training=True)
    np.testing.assert_array_equal(silent, np.zeros((2, 3)))

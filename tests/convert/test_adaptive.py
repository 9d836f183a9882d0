"""Keras models as adaptive spiking networks."""

import nengo
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nengo.exceptions import SimulationError, ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import AdaptiveSpiking, AdaptiveSpikingRate, convert, dynamics, layerwise
from nengo_phasor.pooling import MaxPool

nengo_dl = pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")

from nengo_phasor.dl.activations import HalfSigmoid  # noqa: E402
from tests.convert.keras_models import (  # noqa: E402
    MODELS,
    act,
    assert_same_as_keras,
    conv,
    dense,
    flat,
    images,
    layers,
    norm,
    randomised,
    rate_output,
    spiking_output,
    stack,
)


@pytest.fixture(scope="module")
def models():
    """Every model with random weights."""
    tf.keras.utils.set_random_seed(0)
    return {name: randomised(make()) for name, make in MODELS.items()}


# --- the rate network -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_rate_network_is_the_model(models, name):
    converted = convert.to_adaptive(models[name])
    assert_same_as_keras(models[name], converted, images(models[name]))


@pytest.mark.parametrize("name", MODELS)
def test_no_constant_travels(models, name):
    """But the read-out's bias, and one that differs between the places that are pooled."""
    converted = convert.to_adaptive(models[name])
    constants = [n for n in converted.network.all_nodes if isinstance(n.output, np.ndarray)]
    assert len(constants) == 2 + (name == "constants at borders, pooled")


@st.composite
def parts(draw):
    """Layers of any kind in any order, that images of 8 x 8 pixels allow."""
    kinds = {
        "conv": lambda: conv(
            draw(st.integers(1, 3)),
            draw(st.integers(1, 3)),
            padding="same",
            strides=draw(st.integers(1, 2)),
        ),
        "norm": norm,
        "act": act,
        "max": lambda: layers.MaxPooling2D(2, draw(st.integers(1, 2)), "same"),
        "average": lambda: layers.AveragePooling2D(2, draw(st.integers(1, 2)), "same"),
        "padding": lambda: layers.ZeroPadding2D(1),
    }
    names = draw(st.lists(st.sampled_from(sorted(kinds)), max_size=7))
    place = draw(st.integers(0, len(names)))
    return [kinds[name]() for name in (*names[:place], "act", *names[place:])]


@given(parts(), st.integers(0, 99))
@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
def test_any_layers_in_any_order(chosen, seed):
    model = randomised(stack((8, 8, 2), *flat(*chosen)), seed)
    x = images(model)
    expected = np.asarray(model(x))
    seen = rate_output(convert.to_adaptive(model), x)
    assert_allclose(seen, expected, atol=2e-5 * max(1, np.abs(expected).max()))


def test_folding_against_loops():
    """f(BN(conv(BN(f(x))))) in double precision, place by place."""
    tf.keras.utils.set_random_seed(1)
    model = randomised(
        stack((4, 4, 2), act(), norm(epsilon=0.01), conv(3, padding="same"), norm(), act())
    )
    x = images(model, 1)
    (_, inner, convolution, outer, _) = model.layers
    transfer = AdaptiveSpikingRate().transfer

    def normalised(layer, value, channel):
        gamma, beta, mean, variance = (np.asarray(w, float)[channel] for w in layer.get_weights())
        return gamma * (value - mean) / np.sqrt(variance + layer.epsilon) + beta

    kernel, bias = (np.asarray(w, float) for w in convolution.get_weights())
    expected = np.zeros((4, 4, 3))
    for i, j, c in np.ndindex(4, 4, 3):
        total = bias[c]
        for di, dj, channel in np.ndindex(3, 3, 2):
            place = i + di - 1, j + dj - 1
            if min(place) >= 0 and max(place) < 4:
                value = dynamics.adaptive_transfer(np, x[(0, *place, channel)], transfer)
                total += kernel[di, dj, channel, c] * normalised(inner, value, channel)
        expected[i, j, c] = dynamics.adaptive_transfer(np, normalised(outer, total, c), transfer)
    seen = rate_output(convert.to_adaptive(model), x)
    assert_allclose(seen.reshape(4, 4, 3), expected, atol=1e-6)


# --- the network ----------------------------------------------------------------------------------


def test_layers_and_their_neurons(models):
    converted = convert.to_adaptive(models["residual net"])
    names = [layer.name for layer in models["residual net"].layers if type(layer) is HalfSigmoid]
    assert sorted(converted.layers) == sorted(names)
    assert converted.layers[names[0]].n_neurons == 5 * 5 * 3  # behind the pooling
    assert sorted(converted.network.all_ensembles, key=str) == sorted(
        converted.layers.values(), key=str
    )
    assert {type(e.neuron_type) for e in converted.layers.values()} == {AdaptiveSpiking}
    assert [e.neuron_type.tau_phi for e in converted.layers.values()][:2] == [None, 0.0025]
    assert converted.network.label == models["residual net"].name


def test_max_pooling_goes_before_the_neurons():
    tf.keras.utils.set_random_seed(0)
    before = randomised(stack((6, 6, 2), *flat(act(), conv(3), layers.MaxPooling2D(2), act())))
    after = stack((6, 6, 2), *flat(act(), conv(3), act(), layers.MaxPooling2D(2)))
    after.set_weights(before.get_weights())
    a, b = convert.to_adaptive(before), convert.to_adaptive(after)
    for converted in (a, b):
        assert [e.n_neurons for e in converted.layers.values()] == [72, 12]
        (pool,) = (n for n in converted.network.all_nodes if isinstance(n.output, MaxPool))
        assert pool.output == MaxPool((4, 4, 3), (2, 2))
    x = images(before)
    assert_array_equal(spiking_output(a, x, 100), spiking_output(b, x, 100))


def test_neurons_keep_the_scale_of_their_layer():
    model = stack(
        (3,),
        act(AdaptiveSpikingRate(amplitude=0.01), name="small"),
        dense(2),
        act(name="normal"),
    )
    neurons = AdaptiveSpiking(m_f=0.05, tau_beta=0.03, amplitude=0.7)
    converted = convert.to_adaptive(model, neurons)
    for name, ensemble in converted.layers.items():
        old, new = model.get_layer(name).neurons, ensemble.neuron_type
        assert (new.m_f, new.theta_0, new.tau_beta) == (0.05, 0.05, 0.03)
        at_one = [dynamics.adaptive_transfer(np, 1.0, n.transfer) for n in (old, new)]
        assert_allclose(*at_one)
    synapses = [c.synapse for c in converted.network.all_connections]
    assert synapses.count(nengo.Lowpass(0.03)) == 1


def test_large_networks_are_convolutions():
    """No matrix from all neurons to all."""
    model = stack((28, 28, 64), act(), conv(128, padding="same"), act())
    converted = convert.to_adaptive(model)
    transforms = [c.transform for c in converted.network.all_connections]
    assert max(np.size(getattr(t, "init", 0)) for t in transforms) == 3 * 3 * 64 * 128


# --- spikes ---------------------------------------------------------------------------------------


def step_response(t, a, b):
    """Of two lowpass filters in a row, analytically."""
    if a == b:
        return 1 - (1 + t / a) * np.exp(-t / a)
    return 1 - (a * np.exp(-t / a) - b * np.exp(-t / b)) / (a - b)


@pytest.mark.parametrize(
    ("label", "taus"),
    [("pool", (0.03, 0.004)), ("read-out", (0.03, 0.02)), ("equal", (0.03, 0.03))],
)
def test_filters_are_exact(label, taus):
    """What arrives of a spike is the product of both filters, one step later."""
    pooled = label == "pool"
    model = stack(
        (1, 1, 1),
        act(AdaptiveSpikingRate(tau_beta=0.03, tau_phi=0.004)),
        conv(1, 1, weights=[np.full((1, 1, 1, 1), -1.5), np.array([0.25])]),
        *([layers.MaxPooling2D(1, name="pool")] if pooled else []),
    )
    converted = convert.to_adaptive(model, readout_tau=0.1 if pooled else taus[1])
    converted.input.output = np.ones(1)
    (ensemble,) = converted.layers.values()
    with converted.network:
        spikes = nengo.Probe(ensemble.neurons)
        (pool,) = (n for n in converted.network.all_nodes if n.label == "pool") if pooled else (0,)
        seen = nengo.Probe(pool) if pooled else converted.output
    with nengo.Simulator(converted.network, progress_bar=False) as sim:
        sim.run_steps(100)
    assert 2 < np.count_nonzero(sim.data[spikes]) < 50
    t = 0.001 * (np.arange(100)[:, None] - np.arange(100))
    response = np.where(t > 0, step_response(t, *taus) - step_response(t - 0.001, *taus), 0)
    expected = -1.5 * response @ sim.data[spikes] + (0.0 if pooled else 0.25)
    assert_allclose(sim.data[seen], expected, atol=1e-9)


def test_spikes_stand_for_the_model():
    """Within the transfer function's error at 1 ms, 0.017, and one spike more or less in 300 ms."""
    rng = np.random.RandomState(0)
    weights = rng.uniform(0.5, 1.5, (20, 4)) / 20
    model = stack((20,), act(), dense(4, weights=[weights, np.ones(4)]))
    x = rng.uniform(0.15, 2, (6, 20))
    neurons = AdaptiveSpiking()
    per_neuron = 0.017 + neurons.amplitude / 0.3
    seen = spiking_output(convert.to_adaptive(model), x, 800)[:, 500:].mean(axis=1)
    assert np.all(np.abs(seen - model(x)) <= per_neuron * weights.sum(axis=0))
    assert np.all(np.abs(model(x) - 1) > 10 * per_neuron * weights.sum(axis=0))


def rectified(name, x):
    return {
        "relu": np.maximum(0, x),
        "relu 6": np.clip(x, 0, 6),
        "leaky": np.maximum(0.3 * x, x),
        "leaky relu 6": np.minimum(np.maximum(0.1 * x, x), 6),
    }[name]


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("relu", lambda: layers.ReLU()),
        ("relu 6", lambda: layers.ReLU(6)),
        ("leaky", lambda: layers.LeakyReLU()),
        ("leaky relu 6", lambda: layers.ReLU(6, 0.1)),
    ],
)
def test_graded_spikes_stand_for_rectifiers(name, layer):
    """Of values around all their corners, within a spike of each line and a step's 1 %."""
    x = np.array([[-9.0, -3.0, -0.7, 0.0, 0.1, 0.8, 2.5, 5.8, 6.3, 9.0]])
    converted = convert.to_adaptive(stack((10,), layer()), AdaptiveSpiking(0.05, graded=True))
    seen = spiking_output(converted, x, 1200)[:, 400:].mean(axis=1)
    expected = rectified(name, x)
    threshold = 0.05 * (1 + 1 / 3)  # at most, with m_f = 0.05, when 9 is coded
    for k, value in enumerate(x[0]):
        lines = [max(0, value), max(0, value - 6), max(0, -value)]
        margin = sum(0.02 * line + threshold * (1 + line) for line in lines)
        assert abs(seen[0, k] - expected[0, k]) <= margin, value
    assert np.abs(seen - expected).max() > 0


@pytest.mark.parametrize("name", ["residual relu net", "limited leaky relu", "mobile net"])
def test_graded_spikes_stand_for_the_model(models, name):
    """Within 1 % for each of up to four filters, which a step of 1 ms costs, and the precision."""
    model = models[name]
    converted = convert.to_adaptive(model)
    x = images(model)
    expected = rate_output(converted, x)
    seen = spiking_output(converted, x, 700)[:, 500:].mean(axis=1)
    assert np.abs(seen - expected).mean() < 0.05 * np.sqrt(np.mean(expected**2))


def test_neurons_of_rectifiers():
    """They are graded, with the filters of the half-sigmoids beside them."""
    converted = convert.to_adaptive(
        stack(
            (3,),
            act(AdaptiveSpikingRate(tau_beta=0.03, tau_phi=0.004), name="half"),
            dense(2, activation="relu", name="line"),
            layers.ReLU(6, name="lines"),
        )
    )
    neurons = {name: e.neuron_type for name, e in converted.layers.items()}
    assert [n.graded for n in neurons.values()] == [False, True, True]
    assert {(n.tau_beta, n.tau_phi) for n in neurons.values()} == {(0.03, 0.004)}
    assert [e.n_neurons for e in converted.layers.values()] == [3, 2, 4]


def test_the_finer_the_closer():
    tf.keras.utils.set_random_seed(0)
    model = stack(
        (8, 8, 1),
        *flat(act(), conv(6), act(), layers.MaxPooling2D(2), conv(8, padding="same"), act()),
    )
    x = images(model, 8)
    converted = convert.to_adaptive(model)
    errors = []
    for m_f in (0.5, 0.2, 0.08):
        converted.set_precision(m_f)
        seen = spiking_output(converted, x, 600)[:, 300:].mean(axis=1)
        errors.append(np.abs(seen - model(x)).mean() / np.std(model(x)))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.05


@pytest.mark.parametrize("name", ["residual net", "mobile net", "nested"])
def test_same_spikes_on_every_substrate(models, name):
    """Small nets with pooling, pairs of graded neurons and shared layers, in steps and layers."""
    model, n_steps = models[name], 120
    converted = convert.to_adaptive(model)
    x = images(model, 2).reshape(2, 1, -1)
    converted.input.output = x[0, 0]
    with converted.network:
        nengo_dl.configure_settings(dtype="float64")
        probes = [nengo.Probe(e.neurons) for e in converted.layers.values()] + [converted.output]
    with nengo.Simulator(converted.network, progress_bar=False) as sim:
        sim.run_steps(n_steps)
    with nengo_dl.Simulator(converted.network, minibatch_size=2, progress_bar=False) as deep:
        deep.run_steps(n_steps, data={converted.input: np.repeat(x, n_steps, axis=1)})
    with layerwise.Simulator(converted.network) as layered:
        seen = layered.predict({converted.input: x}, n_steps)
    for probe in probes[:-1]:
        assert np.count_nonzero(sim.data[probe]) > 20
        assert_array_equal(seen[probe][0], sim.data[probe])
        assert_array_equal(deep.data[probe], seen[probe])
    assert_allclose(seen[converted.output][0], sim.data[converted.output], atol=1e-9)
    assert_allclose(deep.data[converted.output], seen[converted.output], atol=1e-9)


# --- precision ------------------------------------------------------------------------------------


def precisions(converted):
    return {
        name: (e.neuron_type.m_f, e.neuron_type.theta_0, e.neuron_type.amplitude)
        for name, e in converted.layers.items()
    }


def test_set_precision():
    """As if converted with such neurons; and back."""
    model = stack((3,), act(name="a"), dense(2), act(name="b"), dense(2))
    converted = convert.to_adaptive(model)
    before = precisions(converted)
    fine, normal = AdaptiveSpiking(m_f=0.03), AdaptiveSpiking(m_f=0.1)

    def assert_are(**neurons):
        for name, values in precisions(converted).items():
            n = neurons[name]
            assert_allclose(values, (n.m_f, n.theta_0, n.amplitude))

    assert_are(a=normal, b=normal)
    converted.set_precision({"b": 0.03})
    assert_are(a=normal, b=fine)
    converted.set_precision(0.03)
    assert_are(a=fine, b=fine)
    converted.set_precision({"a": 0.1, "b": 0.1})
    for name, values in precisions(converted).items():
        assert_allclose(values, before[name], rtol=1e-12)


def test_precision_changes_spikes_not_values():
    model = stack((3,), act(name="a"), dense(2, weights=[np.eye(3)[:, :2], np.zeros(2)]))
    converted = convert.to_adaptive(model)
    with converted.network:
        spikes = nengo.Probe(converted.layers["a"].neurons)
    x, counts = np.array([[0.4, 0.9, 1.4]]), []
    for m_f in (0.3, 0.03):
        converted.set_precision(m_f)
        with layerwise.Simulator(converted.network) as sim:
            seen = sim.predict({converted.input: x[:, None]}, 600)
        counts.append(np.count_nonzero(seen[spikes]))
        error = np.abs(seen[converted.output][0, 300:].mean(axis=0) - model(x)[0])
        assert np.all(error < 0.06)
    assert counts[1] > 4 * counts[0]


@pytest.mark.parametrize("m_f", [0, -0.1, {"a": 0.05, "b": -1}, {"a": 0.05, "c": 0.05}, 2.5])
def test_set_precision_refuses(m_f):
    converted = convert.to_adaptive(stack((3,), act(name="a"), dense(2), act(name="b")))
    before = precisions(converted)
    with pytest.raises(
        ValidationError, match=r"'c' is not a layer of neurons: choose from a, b|theta_0|m_f"
    ):
        converted.set_precision(m_f)
    assert precisions(converted) == before


# --- verify ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["residual net", "softmax layer", "softmax", "global average"])
def test_verify(models, name):
    model = models[name]
    assert convert.to_adaptive(model).verify(images(model), tolerance=1e-5) <= 1e-5


def test_verify_notices():
    model = stack((3,), act(), dense(2, activation="softmax"))
    converted = convert.to_adaptive(model)
    x = images(model)
    converted.set_precision(0.2)
    with pytest.raises(SimulationError, match="differs from the model by"):
        converted.verify(x)
    assert 0 < converted.verify(x, tolerance=0.1) < 0.1
    converted.set_precision(0.1)
    assert converted.verify(x) < 1e-5
    model.layers[-1].bias.assign([0.0, 0.5])
    with pytest.raises(SimulationError, match=r"differs from the model by 0\.5, more than 0\.001"):
        converted.verify(x)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (0, 3), (2, 3, 1)])
def test_verify_refuses_other_shapes(shape):
    converted = convert.to_adaptive(stack((3,), act(), dense(2)))
    with pytest.raises(ValidationError, match=r"needs \(n_items, 3\)"):
        converted.verify(np.zeros(shape))


def test_a_saved_model(models, tmp_path):
    model = models["residual net"]
    before = model.get_weights()
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    x = images(model)
    a, b = convert.to_adaptive(model), convert.to_adaptive(loaded)
    assert list(a.layers) == list(b.layers)
    assert_array_equal(spiking_output(a, x, 100), spiking_output(b, x, 100))
    for old, new in zip(before, model.get_weights(), strict=True):
        assert_array_equal(old, new)


def test_activations_of_layers(models, tmp_path):
    """They have the names of their layers, keep their neurons, and are saved with the model."""
    model = models["activations of layers"]
    model.save(tmp_path / "model.keras")
    for one in (model, tf.keras.models.load_model(tmp_path / "model.keras")):
        converted = convert.to_adaptive(one)
        names = [layer.name for layer in one.layers if "HalfSigmoid" in str(layer.get_config())]
        assert list(converted.layers) == names
        assert len(names) == 2
        neurons = [e.neuron_type for e in converted.layers.values()]
        assert [x.m_f for x in neurons] == [0.1, 0.1]
    assert repr(converted).startswith("<Converted ")
    assert f"{names[1]}: 5 of m_f=0.1" in repr(converted)


def test_an_activation_is_an_object():
    with pytest.raises(Exception, match=r"activation=HalfSigmoid\(\)"):
        stack((3,), dense(2, activation=HalfSigmoid))

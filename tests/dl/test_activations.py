import numpy as np
import pytest
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import AdaptiveSpiking, AdaptiveSpikingRate, dynamics, surrogates
from tests.registry import NEURONS, name

pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")

from nengo_phasor.dl.activations import HalfSigmoid  # noqa: E402

rates = [n for n in NEURONS if type(n) is AdaptiveSpikingRate]


def f(neuron, S):
    return dynamics.adaptive_transfer(np, np.asarray(S, dtype=float), neuron.transfer)


@pytest.mark.parametrize("neuron", rates, ids=name)
def test_layer_is_the_transfer_function(neuron):
    S = np.linspace(-3, 5, 60).reshape(4, 3, 5)
    assert_allclose(HalfSigmoid(neuron)(S.astype(np.float32)), f(neuron, S), rtol=1e-5, atol=1e-6)


def test_defaults():
    """f(1) = 1, half a spike at half the threshold, and silence below zero."""
    y = np.asarray(HalfSigmoid()(np.array([[1.0, 0.05, 0.0, -4.0]])))
    assert_allclose(y, [[1, 0.1244 / 2, 0, 0]], atol=1e-4)


@pytest.mark.parametrize("neuron", rates, ids=name)
def test_gradient_against_finite_differences(neuron):
    S = np.concatenate([np.linspace(0.6, 40, 30) * neuron.theta_0, [-1e6, -4.0, -0.325, -0.01]])
    x = tf.constant(S)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = HalfSigmoid(neuron, dtype="float64")(x)
    gradient = np.asarray(tape.gradient(y, x))
    d = 1e-6
    assert_allclose(gradient, (f(neuron, S + d) - f(neuron, S - d)) / (2 * d), rtol=1e-5, atol=1e-9)
    assert (gradient[:30] > 0).all()
    assert_array_equal(gradient[30:], 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_is_finite_everywhere(dtype):
    """At zero, at the pole of the quotient (S = -c_4/c_3), at half the threshold, at infinity."""
    c = AdaptiveSpikingRate().transfer
    x = tf.constant([0.0, -c.c_4 / c.c_3, 0.05, 1e-30, 1e30, -1e30], dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = HalfSigmoid(dtype=dtype)(x)
    assert np.isfinite(y).all()
    assert np.isfinite(tape.gradient(y, x)).all()


@pytest.mark.parametrize("file", ["model.keras", "model.h5", "folder"])
def test_a_model_is_saved_and_loaded(file, tmp_path):
    """Without the loader being told of the layer, and with its neurons."""
    neuron = AdaptiveSpikingRate(0.2, theta_0=0.3, tau_phi=None, tau_beta=0.04, amplitude=0.01)
    inputs = x = tf.keras.Input((4,))
    for layer in (HalfSigmoid(name="first"), HalfSigmoid(neuron, name="second")):
        x = layer(tf.keras.layers.Dense(5)(x))
    model = tf.keras.Model(inputs, x)
    model.save(tmp_path / file)
    loaded = tf.keras.models.load_model(tmp_path / file)
    assert loaded.get_layer("first").neurons == AdaptiveSpikingRate()
    assert loaded.get_layer("second").neurons == neuron
    data = np.random.RandomState(0).normal(size=(20, 4)).astype(np.float32)
    assert_array_equal(model.predict(data, verbose=0), loaded.predict(data, verbose=0))


@pytest.mark.parametrize("file", ["model.keras", "model.h5", "folder"])
@pytest.mark.parametrize("surrogate", surrogates.SURROGATES)
def test_a_surrogate_is_saved_with_its_model(surrogate, file, tmp_path):
    neurons = AdaptiveSpikingRate(0.2, surrogate=surrogate(0.7))
    model = tf.keras.Sequential([tf.keras.Input((3,)), HalfSigmoid(neurons)])
    model.save(tmp_path / file)
    loaded = tf.keras.models.load_model(tmp_path / file)
    assert loaded.layers[0].neurons == neurons


@tf.keras.utils.register_keras_serializable("tests")
class Wide(surrogates.FastSigmoid):
    """A user's, registered as Keras asks for."""


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_a_user_s_surrogate_is_saved(file, tmp_path):
    neurons = AdaptiveSpikingRate(0.2, surrogate=Wide(0.7))
    tf.keras.Sequential([tf.keras.Input((3,)), HalfSigmoid(neurons)]).save(tmp_path / file)
    assert tf.keras.models.load_model(tmp_path / file).layers[0].neurons == neurons


def test_neurons_that_would_be_saved_as_others():
    class Mine(AdaptiveSpikingRate):
        pass

    with pytest.raises(NotImplementedError, match=r"Mine neurons can't be saved.*get_config"):
        HalfSigmoid(Mine()).get_config()


@pytest.mark.parametrize("neurons", [0.1, AdaptiveSpikingRate, {"m_f": 0.1}])
def test_what_is_no_neurons(neurons):
    with pytest.raises(ValidationError, match=r"HalfSigmoid.neurons: must be AdaptiveSpikingRate"):
        HalfSigmoid(neurons)


def test_saved_neurons_are_rate_neurons():
    """Also those of a layer that was given the spiking type."""
    layer = HalfSigmoid.from_config(HalfSigmoid(AdaptiveSpiking(0.3)).get_config())
    assert layer.neurons == AdaptiveSpikingRate(0.3)


def test_shape_is_the_input_s():
    assert HalfSigmoid().compute_output_shape((None, 3, 7)) == (None, 3, 7)


def test_a_network_learns_through_it():
    """Exclusive or: neither linear nor learnt if gradients were wrong or none."""
    rng = np.random.RandomState(0)
    x = rng.uniform(-1, 1, (400, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.float32)
    tf.keras.utils.set_random_seed(0)
    layers = [tf.keras.layers.Dense(24), HalfSigmoid(), tf.keras.layers.Dense(1)]
    model = tf.keras.Sequential(layers)
    model.compile(
        tf.keras.optimizers.Adam(0.03), tf.keras.losses.BinaryCrossentropy(from_logits=True)
    )
    model.fit(x, y, epochs=25, batch_size=50, verbose=0)
    assert np.mean((model.predict(x, verbose=0)[:, 0] > 0) == y) > 0.93

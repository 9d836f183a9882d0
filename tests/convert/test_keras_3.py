"""Models of Keras 3, and files of either Keras."""

import numpy as np
import pytest
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_array_equal

from nengo_phasor import convert

nengo_dl = pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras", minversion="3")

from tests.convert.keras_models import (  # noqa: E402
    MODELS,
    images,
    randomised,
    rate_output,
    spiking_output,
)

layers = keras.layers


def stack(shape, *parts):
    return keras.Sequential([layers.Input(shape), *parts])


def functional(shape, tensors):
    image = layers.Input(shape)
    return keras.Model(image, tensors(image))


def residual(image):
    """With a shared layer, a shared activation, and a model that is used twice."""
    again, unit = layers.Conv2D(3, 3, padding="same"), layers.ReLU()
    block = stack(
        (4, 4, 3), layers.BatchNormalization(), layers.LeakyReLU(), layers.Conv2D(3, 1), unit
    )
    x = layers.MaxPooling2D(2)(layers.ReLU(4.0)(again(image)))
    x = layers.Add()([block(block(x)), unit(again(x))])
    return layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))


def normalised(image):
    layer = layers.Normalization()
    layer.adapt(np.random.RandomState(0).normal(0.4, [1.5, 0.2], (50, 4, 4, 2)))
    x = layers.UpSampling2D(2)(layers.Activation("relu6")(layer(image)))
    x = layers.Permute((2, 1, 3))(layers.ZeroPadding2D(1)(layers.Cropping2D(1)(x)))
    return layers.Dense(3)(layers.Flatten()(x))


KERAS_3 = {
    "dense": lambda: stack(
        (5,),
        layers.Rescaling(2.0, offset=-0.5),
        layers.Dense(6, activation="relu"),
        layers.Dense(6, activation="leaky_relu"),
        layers.Dropout(0.5),
        layers.Dense(3),
        layers.Softmax(),
    ),
    "mobile net": lambda: stack(
        (7, 7, 2),
        layers.DepthwiseConv2D(3, 2, padding="same", depth_multiplier=2),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        layers.SeparableConv2D(4, 3, activation="relu6"),
        layers.AveragePooling2D(2),
        layers.Reshape((4,)),
        layers.Dense(3),
    ),
    "residual": lambda: functional((8, 8, 3), residual),
    "normalised": lambda: functional((4, 4, 2), normalised),
    "softmax in a nested model": lambda: stack(
        (5,), layers.ReLU(), stack((5,), layers.Dense(3, activation="softmax"))
    ),
}


def with_weights(model, seed=0):
    """Give biases and the statistics of batch normalisation random values greater than 0."""
    rng = np.random.RandomState(seed)
    for weight in model.weights:
        if weight.name in ("bias", "beta", "gamma", "moving_mean", "moving_variance"):
            weight.assign(rng.uniform(0.1, 1, weight.shape))
    return model


@pytest.mark.parametrize("name", KERAS_3)
def test_rate_network_is_the_model(name):
    keras.utils.set_random_seed(0)
    model = with_weights(KERAS_3[name]())
    x = images(model)
    converted = convert.to_adaptive(model)
    assert converted.verify(x, 1e-4) < 1e-4
    seen, expected = rate_output(converted, x), np.reshape(model(x), (len(x), -1))
    if "softmax" in name or name in ("dense", "residual"):
        seen = tf.nn.softmax(seen).numpy()
    np.testing.assert_allclose(seen, expected, atol=1e-4)
    assert np.ptp(expected, axis=0).max() > 1e-3


@pytest.mark.parametrize("version", [2, 3])
def test_files(version, tmp_path):
    keras.utils.set_random_seed(0)
    makes = {2: lambda: randomised(MODELS["relu and half-sigmoid"]()), 3: KERAS_3["residual"]}
    model = makes[version]()
    path = tmp_path / "model.keras"
    model.save(path)
    x = images(model)
    a, b = convert.to_adaptive(model), convert.to_adaptive(path)
    assert type(b.model).__module__.partition(".")[0] == ("tf_keras" if version == 2 else "keras")
    assert_array_equal(spiking_output(a, x, 100), spiking_output(b, x, 100))
    assert b.verify(x) < 1e-3


def test_a_damaged_file(tmp_path):
    path = tmp_path / "model.keras"
    KERAS_3["dense"]().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValidationError, match=r"model.keras' is not a model that Keras can load"):
        convert.to_adaptive(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: x + 1.0, r"\(Add\): operations on tensors.*write it as the layers Add"),
        (lambda x: layers.Dense(2, activation="gelu")(x), "'gelu'; give it activation=None"),
        (lambda x: layers.ELU()(x), r"\(ELU\): such layers can't be converted; use ReLU"),
        (lambda x: layers.ReLU(threshold=1.0)(x), "jumps at its threshold"),
    ],
)
def test_refused_layers(make, message):
    with pytest.raises(BuildError, match=message):
        convert.to_adaptive(functional((3,), lambda x: layers.ReLU()(make(x))))


def test_without_an_input():
    model = keras.Sequential([layers.Dense(2), layers.ReLU()])
    with pytest.raises(ValidationError, match="begin the model with an Input"):
        convert.to_adaptive(model)

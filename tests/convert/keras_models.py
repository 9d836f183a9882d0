"""Keras models of all kinds, and what they and the networks made of them give."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nengo_phasor import AdaptiveSpikingRate, layerwise

nengo_dl = pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")

from nengo_phasor.dl.activations import HalfSigmoid  # noqa: E402

layers = tf.keras.layers
Sequential = tf.keras.Sequential


def dense(n, **arguments):
    return layers.Dense(n, **arguments)


def conv(n, size=3, **arguments):
    return layers.Conv2D(n, size, **arguments)


def norm(**arguments):
    return layers.BatchNormalization(**arguments)


def act(neurons=None, **arguments):
    return HalfSigmoid(neurons, **arguments)


def stack(shape, *parts, **arguments):
    return Sequential([layers.Input(shape), *parts], **arguments)


def functional(shape, tensors):
    image = layers.Input(shape)
    return tf.keras.Model(image, tensors(image))


def block(x, n, strides):
    """A residual block with identity mapping: normalisation and activation come first."""
    y = act()(norm()(x))
    skip = conv(n, 1, strides=strides)(y) if strides > 1 else x
    y = act()(norm()(conv(n, padding="same", strides=strides)(y)))
    return layers.Add()([skip, conv(n, padding="same")(y)])


def residual_net(image):
    x = layers.MaxPooling2D(2, padding="same")(act()(norm()(conv(3, padding="same")(image))))
    x = block(block(x, 3, 1), 4, 2)
    return dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(act()(norm()(x))))


def pooled_skip(image):
    """An addition of what was pooled, without neurons behind the pooling, and of spikes."""
    x = layers.MaxPooling2D(2)(conv(3)(act()(image)))
    x = layers.Add()([x, conv(3, padding="same")(act()(norm()(x)))])
    return dense(2)(layers.Flatten()(act()(norm()(x))))


def residual_relu_net(image):
    """A residual network whose activations follow the additions, as in the first of them."""
    x = layers.MaxPooling2D(3, 2, "same")(layers.ReLU()(norm()(conv(3, padding="same")(image))))
    y = layers.ReLU()(norm()(conv(3, padding="same")(x)))
    x = layers.ReLU()(layers.Add()([x, norm()(conv(3, padding="same")(y))]))
    return dense(3)(layers.GlobalAveragePooling2D()(x))


def mobile(n, strides):
    """A block of a MobileNet."""
    return (
        layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False),
        norm(),
        layers.ReLU(6.0),
        conv(n, 1, use_bias=False),
        norm(),
        layers.ReLU(6.0),
    )


def normalised(image):
    layer = layers.Normalization()
    layer.adapt(np.random.RandomState(0).normal(0.4, [1.5, 0.2], (50, 4, 4, 2)))
    return dense(3)(layers.Flatten()(act()(conv(2)(layer(image)))))


def shared(image):
    """Layers that are used twice: a convolution, its activation and an addition."""
    again, unit, add = conv(2, padding="same"), layers.ReLU(), layers.Add()
    x = unit(again(image))
    x = add([unit(again(x)), x])
    return dense(2)(layers.Flatten()(add([x, x])))


def nested(image):
    """A model that is used twice, within one that has another."""
    block = stack((6, 6, 2), conv(2, padding="same"), norm(), act(), conv(2, padding="same"))
    body = functional((6, 6, 2), lambda x: layers.ReLU()(layers.Add()([block(block(x)), x])))
    return Sequential([layers.Flatten(), dense(3)])(body(image))


def flat(*parts):
    return (*parts, layers.Flatten(), dense(3))


PLACES = np.arange(12.0).reshape(4, 3)

MODELS = {
    "dense": lambda: stack((5,), norm(), act(), dense(7), norm(), act(), dense(3)),
    "softmax": lambda: stack((5,), act(), dense(3, activation="softmax")),
    "activations of layers": lambda: stack(
        (6, 6, 1),
        layers.Conv2D(4, 3, activation=act()),
        layers.MaxPooling2D(),
        layers.Flatten(),
        dense(5, activation=act()),
        dense(3, activation="softmax"),
    ),
    "activation layer": lambda: stack((5,), dense(4), layers.Activation(act()), dense(3)),
    "one activation of two layers": lambda: stack(
        (5,), *(dense(4, activation=half) for half in [act()] * 2), dense(3)
    ),
    "softmax layer": lambda: stack((5,), act(), dense(3), layers.Softmax()),
    "softmax activation": lambda: stack((5,), act(), dense(3), layers.Activation("softmax")),
    "linear layers in a row": lambda: stack((5,), dense(4), act(), dense(4), dense(6), dense(3)),
    "only spikes": lambda: stack((5,), norm(), act()),
    "valid": lambda: stack((6, 7, 2), *flat(act(), conv(3, (2, 3)), act())),
    "same, strides": lambda: stack(
        (6, 7, 2), *flat(act(), conv(3, padding="same", strides=2), norm(), act())
    ),
    "groups": lambda: stack((5, 5, 4), *flat(act(), conv(6, groups=2), norm(), act())),
    "no bias": lambda: stack(
        (5, 5, 2), *flat(act(), conv(3, use_bias=False), norm(scale=False), act())
    ),
    "constants at borders": lambda: stack(
        (5, 5, 2), *flat(act(), norm(), conv(3, padding="same"), conv(2, padding="same"), act())
    ),
    "constants at borders, pooled": lambda: stack(
        (6, 6, 2),
        *flat(act(), norm(), conv(3, padding="same"), norm(), layers.MaxPooling2D(2), act()),
    ),
    "padding": lambda: stack(
        (5, 5, 2), *flat(act(), norm(), layers.ZeroPadding2D(((1, 0), (2, 1))), norm(), conv(2))
    ),
    "norm of elements": lambda: stack(
        (4, 4, 2), act(), conv(3), layers.Flatten(), norm(), layers.Reshape((6, 2)), norm(), act()
    ),
    "activation, max": lambda: stack(
        (6, 6, 2), *flat(conv(3), norm(), act(), layers.MaxPooling2D(2))
    ),
    "max, activation": lambda: stack(
        (6, 6, 2), *flat(act(), conv(3), layers.MaxPooling2D(3, 2, "same"), norm(), act())
    ),
    "max, dropout, max": lambda: stack(
        (9, 9, 2),
        *flat(
            act(),
            layers.Dropout(0.5),
            layers.MaxPooling2D(2),
            layers.MaxPooling2D(2, 1),
            conv(3, 2),
        ),
    ),
    "max of the input": lambda: stack((6, 6, 2), *flat(layers.MaxPooling2D(2), act())),
    "max without neurons": lambda: stack((6, 6, 2), *flat(act(), conv(3), layers.MaxPooling2D(2))),
    "global max": lambda: stack(
        (6, 6, 2), conv(4), act(), layers.GlobalMaxPooling2D(keepdims=True), layers.Flatten()
    ),
    "activation, average": lambda: stack(
        (6, 6, 2), *flat(conv(3), act(), layers.AveragePooling2D(2))
    ),
    "average, activation": lambda: stack(
        (6, 6, 2), *flat(act(), conv(3), layers.AveragePooling2D(3, 2, "same"), norm(), act())
    ),
    "global average": lambda: stack(
        (6, 6, 2), norm(), act(), layers.GlobalAveragePooling2D(), dense(3)
    ),
    "what acts in training": lambda: stack(
        (5, 5, 2),
        layers.GaussianNoise(1.0),
        act(),
        layers.SpatialDropout2D(0.5),
        *flat(layers.ActivityRegularization(0.1), layers.Activation("linear"), conv(3), act()),
        layers.Dropout(0.5),
    ),
    "other neurons": lambda: stack(
        (5,),
        act(AdaptiveSpikingRate(m_f=0.05)),
        dense(6),
        act(AdaptiveSpikingRate(m_f=0.2, amplitude=0.03)),
        dense(3),
    ),
    "relu": lambda: stack((5,), norm(), layers.ReLU(), dense(7), layers.ReLU(), dense(3)),
    "relu of layers": lambda: stack(
        (6, 6, 2),
        layers.Conv2D(4, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        dense(6, activation=tf.nn.relu6),
        dense(5, activation="relu"),
        dense(3, activation="softmax"),
    ),
    "rectifiers as activations": lambda: stack(
        (5,),
        dense(9, activation=tf.nn.leaky_relu),
        dense(9, activation=layers.ReLU(0.5)),
        dense(9, activation=layers.LeakyReLU()),
        layers.Activation("relu"),
        dense(3),
    ),
    "relu 6": lambda: stack((5,), layers.Rescaling(9.0), layers.ReLU(6), dense(3)),
    "limited relu": lambda: stack((6, 6, 2), *flat(conv(3), layers.ReLU(0.7), norm(), conv(2))),
    "leaky relu": lambda: stack((5,), layers.LeakyReLU(), dense(6), layers.LeakyReLU(0.1)),
    "limited leaky relu": lambda: stack(
        (6, 6, 2), *flat(conv(3), layers.ReLU(0.8, 0.2), layers.MaxPooling2D(2))
    ),
    "relu of pooled": lambda: stack(
        (6, 6, 2), *flat(conv(3), layers.MaxPooling2D(2), layers.ReLU(2.5, 0.2), norm())
    ),
    "relu and half-sigmoid": lambda: stack(
        (5,), act(AdaptiveSpikingRate(tau_beta=0.03)), dense(6, activation="relu"), dense(3)
    ),
    "residual relu net": lambda: functional((9, 9, 2), residual_relu_net),
    "depthwise": lambda: stack(
        (6, 5, 3),
        *flat(layers.ReLU(), norm(), layers.DepthwiseConv2D(3, padding="same"), norm(), act()),
    ),
    "depthwise, strides": lambda: stack(
        (7, 6, 3),
        *flat(layers.DepthwiseConv2D((3, 2), 2, depth_multiplier=2, activation=act())),
    ),
    "separable": lambda: stack(
        (6, 5, 3),
        *flat(act(), norm(), layers.SeparableConv2D(4, 3, padding="same"), norm(), layers.ReLU()),
    ),
    "separable, strides": lambda: stack(
        (7, 6, 3),
        *flat(layers.SeparableConv2D(4, (3, 2), 2, depth_multiplier=2, activation="relu")),
    ),
    "mobile net": lambda: stack(
        (9, 9, 3),
        layers.Rescaling(1 / 2.0, offset=-0.3),
        *mobile(4, 2),
        *mobile(6, 1),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.Dropout(0.1),
        conv(3, 1),
        layers.Reshape((3,)),
        layers.Softmax(),
    ),
    "rescaling": lambda: stack(
        (4, 4, 2), *flat(layers.Rescaling([2.0, -0.5], offset=[0.1, 0.7]), act(), conv(2))
    ),
    "normalization": lambda: functional((4, 4, 2), normalised),
    "normalization of places": lambda: stack(
        (4, 3),
        layers.Normalization(axis=(1, 2), mean=PLACES / 9, variance=1 + PLACES),
        *flat(act()),
    ),
    "norm over rows": lambda: stack((4, 3, 2), *flat(norm(), act(), norm(axis=1), conv(2, 2))),
    "permute": lambda: stack((4, 3, 2), *flat(act(), norm(), layers.Permute((3, 1, 2)), norm())),
    "up-sampling": lambda: stack(
        (3, 4, 2), *flat(act(), norm(), layers.UpSampling2D((2, 3)), conv(2), layers.ReLU())
    ),
    "cropping": lambda: stack(
        (5, 6, 2), *flat(act(), norm(), layers.Cropping2D(((1, 0), (2, 1))), norm(), layers.ReLU())
    ),
    "shared": lambda: functional((6, 6, 2), shared),
    "nested": lambda: functional((6, 6, 2), nested),
    "nested end": lambda: stack(
        (5,), dense(6), Sequential([layers.ReLU(), stack((6,), dense(3, activation="softmax"))])
    ),
    "residual net": lambda: functional((9, 9, 2), residual_net),
    "pooled skip": lambda: functional((8, 8, 2), pooled_skip),
}


def randomised(model, seed=0):
    """Give a model's biases and statistics random values; some variances are below epsilon."""
    rng = np.random.RandomState(seed)
    for layer in model._flatten_layers(include_self=False):
        values = {w.name.split("/")[-1].split(":")[0]: w for w in layer.weights}
        for name, draw in {
            "bias": lambda n: rng.normal(0, 0.3, n),
            "beta": lambda n: rng.normal(0.3, 0.3, n),
            "gamma": lambda n: rng.uniform(-0.5, 1.5, n),
            "moving_mean": lambda n: rng.normal(0, 0.3, n),
            "moving_variance": lambda n: 10 ** rng.uniform(-4, 0.5, n),
        }.items():
            if name in values:
                values[name].assign(draw(values[name].shape))
    return model


def images(model, n=3, seed=0):
    return np.random.RandomState(seed).normal(0.5, 1, (n, *model.input_shape[1:]))


def rate_output(converted, x):
    """The rate network's output, run layer by layer."""
    net = converted.rate_network()
    with layerwise.Simulator(net, dtype="float64") as sim:
        return sim.predict({net.input: x.reshape(len(x), 1, -1)}, 1)[net.output][:, 0]


def spiking_output(converted, x, n_steps=500):
    with layerwise.Simulator(converted.network, dtype="float64") as sim:
        return sim.predict({converted.input: x.reshape(len(x), 1, -1)}, n_steps)[converted.output]


def assert_same_as_keras(model, converted, x):
    expected = np.reshape(model(x), (len(x), -1))
    seen = rate_output(converted, x)
    if "softmax" in str(model.layers[-1].get_config()) or "Softmax" in str(model.layers[-1]):
        seen = tf.nn.softmax(seen).numpy()
    assert_allclose(seen, expected, atol=1e-5 * max(1, np.abs(expected).max()))
    assert np.ptp(expected, axis=0).max() > 1e-3

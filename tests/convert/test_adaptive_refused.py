"""Keras models and arguments that are refused, by name."""

import nengo
import pytest
from nengo.exceptions import BuildError, ValidationError

from nengo_phasor import AdaptiveSpiking, AdaptiveSpikingRate, convert

nengo_dl = pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")


from tests.convert.keras_models import (  # noqa: E402
    Sequential,
    act,
    conv,
    dense,
    functional,
    layers,
    stack,
)


def other_consumer(image):
    y = act(name="both")(image)
    y = layers.Add()([layers.MaxPooling2D(2, 1, "same", name="pool")(y), y])
    return layers.Flatten()(y)


def broadcast(image):
    y = act()(image)
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(y)
    return layers.Flatten()(layers.Add(name="odd")([y, pooled]))


@tf.keras.utils.register_keras_serializable("test")
class Dense(layers.Dense):
    """A user's own layer of a known name."""


REFUSED = {
    "lstm": (
        lambda: stack((3, 2), layers.LSTM(2, name="odd"), act()),
        "LSTM.*supported layers are .*Conv2D",
    ),
    "activation": (
        lambda: stack((3,), act(), dense(2, activation="tanh", name="odd"), act()),
        "has the activation 'tanh'; give it activation=None .*ReLU.*HalfSigmoid",
    ),
    "softmax within": (
        lambda: stack((3,), act(), dense(2, activation="softmax", name="odd"), dense(2)),
        "has the activation 'softmax'",
    ),
    "softmax layer within": (
        lambda: stack((3,), act(), layers.Softmax(name="odd"), dense(2)),
        "can only be the last layer",
    ),
    "sigmoid": (
        lambda: stack((3,), act(), dense(2), layers.Activation("sigmoid", name="odd")),
        "HalfSigmoid",
    ),
    "lambda": (
        lambda: stack((3,), act(), layers.Lambda(lambda x: 2 * x, name="odd")),
        "Add, Conv2D, Dense",
    ),
    "nested": (
        lambda: stack((3,), act(), stack((3,), layers.ELU(name="odd"), name="inner")),
        r"'odd' \(ELU\).*use ReLU, LeakyReLU, or",
    ),
    "other layer with a known activation": (
        lambda: stack((4, 4, 2), layers.Conv2DTranspose(2, 3, activation="relu", name="odd")),
        r"'odd' \(Conv2DTranspose\): such layers can't be converted",
    ),
    "own": (lambda: stack((3,), act(), Dense(2, name="odd")), r"\(Dense\): such layers"),
    "threshold": (
        lambda: stack((3,), layers.ReLU(threshold=0.5, name="odd"), dense(2)),
        "'odd' .*jumps at its threshold of 0.5.*use threshold=0",
    ),
    "threshold of an activation": (
        lambda: stack((3,), dense(2, activation=layers.ReLU(threshold=0.5), name="odd")),
        "'odd' .*jumps at its threshold of 0.5.*use threshold=0",
    ),
    "falling": (
        lambda: stack((3,), layers.LeakyReLU(-0.5, name="odd"), dense(2)),
        "'odd' .*slope below 0 is -0.5",
    ),
    "bilinear": (
        lambda: stack((4, 4, 2), act(), layers.UpSampling2D(2, interpolation="bilinear")),
        "interpolates by 'bilinear'; use interpolation='nearest'",
    ),
    "nested model of two inputs": (
        lambda: functional((3,), lambda x: two("input")([x, dense(3)(x)])),
        r"\(Functional\): it has 2 inputs and 1 outputs; use nested models with one of each",
    ),
    "concatenate": (
        lambda: functional((3,), lambda x: layers.Concatenate(name="odd")([act()(x), x])),
        "with Add",
    ),
    "operator": (lambda: functional((3,), lambda x: act()(x) + x), "TFOpLambda.*layers Add"),
    "channels first": (
        lambda: stack((2, 6, 6), act(), layers.MaxPooling2D(2, data_format="channels_first")),
        "channels come first; use data_format='channels_last'",
    ),
    "dilation": (
        lambda: stack((6, 6, 1), act(), conv(2, dilation_rate=2, name="odd")),
        r"dilated by \(2, 2\); use dilation_rate=1",
    ),
    "dense on images": (
        lambda: stack((4, 4, 2), act(), dense(3, name="odd")),
        r"shape \(4, 4, 2\).*Flatten",
    ),
    "other consumer": (
        lambda: functional((4, 4, 2), other_consumer),
        "'pool'.*activation 'both'.*also feeds other layers.*separate activation",
    ),
    "broadcast": (lambda: functional((4, 4, 2), broadcast), "'odd'.*one shape"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_layers_are_named(case):
    make, message = REFUSED[case]
    with pytest.raises(BuildError, match=r"layer '[\w.]+' \(\w+\): .*; ") as error:
        convert.to_adaptive(make())
    assert error.match(message)


def two(what):
    a, b = layers.Input((3,)), layers.Input((3,))
    if what == "input":
        return tf.keras.Model([a, b], act()(layers.Add()([a, b])))
    return tf.keras.Model(a, [act()(a), dense(2)(a)])


class Subclassed(tf.keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: two("input"), "2 inputs"),
        (lambda: two("output"), "2 outputs"),
        (lambda: stack((None, 4, 2), act()), r"\(None, None, 4, 2\): specify every size"),
        (lambda: Sequential([dense(2), act()]), "begin the model with an Input"),
        (Subclassed, "made of layers"),
        (lambda: "missing.keras", "there is no file 'missing.keras'"),
        (lambda: __file__, r"test_adaptive_refused.py' is not a model that Keras can load"),
        (lambda: stack((3,), dense(2)), "no neurons.*HalfSigmoid"),
        (
            lambda: stack((3,), act(), act(AdaptiveSpikingRate(tau_beta=0.1))),
            "tau_beta.*differs between",
        ),
        (
            lambda: stack((3,), act(), act(AdaptiveSpikingRate(tau_phi=0.1))),
            "tau_phi.*differs between",
        ),
    ],
)
def test_refused_models(make, message):
    with pytest.raises(ValidationError, match=message):
        convert.to_adaptive(make())


def test_neurons_of_the_other_kind():
    mixed = stack((3,), act(name="half"), layers.ReLU(name="line"))
    with pytest.raises(ValidationError, match=r"'half' is a half-sigmoid .*graded=False, or"):
        convert.to_adaptive(mixed, AdaptiveSpiking(graded=True))
    with pytest.raises(
        ValidationError, match=r"'line' is a rectified line .*graded=True, or .*none"
    ):
        convert.to_adaptive(mixed, AdaptiveSpiking())


@pytest.mark.parametrize(
    ("attr", "arguments"),
    [
        ("neurons", {"neurons": nengo.LIF()}),
        ("neurons", {"neurons": AdaptiveSpiking}),
        ("neurons", {"neurons": AdaptiveSpiking(m_f=0.1, theta_0=4, amplitude=1.0)}),
        ("readout_tau", {"readout_tau": 0}),
        ("readout_tau", {"readout_tau": "slow"}),
    ],
)
def test_refused_arguments(attr, arguments):
    with pytest.raises(ValidationError, match=attr):
        convert.to_adaptive(stack((3,), act()), **arguments)

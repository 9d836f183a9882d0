import math
import pickle

import numpy as np
import pytest
from nengo.exceptions import ValidationError
from scipy.integrate import quad
from scipy.stats import norm

import nengo_phasor
from nengo_phasor import surrogates

AREAS = {
    surrogates.PiecewiseLinear: 1,
    surrogates.FastSigmoid: 2,
    surrogates.Exponential: 1,
    surrogates.Arctangent: 1,
    surrogates.DoubleGaussian: 0.425,
}
PRIMITIVES = {
    surrogates.PiecewiseLinear: lambda x: np.sign(x) * (abs(x) - x * x / 2 if abs(x) < 1 else 0.5),
    surrogates.FastSigmoid: lambda x: x / (1 + abs(x)),
    surrogates.Exponential: lambda x: np.sign(x) * (1 - math.exp(-2 * abs(x))) / 2,
    surrogates.Arctangent: lambda x: math.atan(math.pi * x) / math.pi,
    surrogates.DoubleGaussian: lambda x: 0.575 * norm.cdf(x) - 0.15 * norm.cdf(x / 6),
}

all_types = pytest.mark.parametrize("cls", surrogates.SURROGATES, ids=lambda c: c.__name__)
widths = pytest.mark.parametrize("width", [0.03, 1.0, 4.0])


def test_all_are_known():
    subclasses = surrogates.Surrogate.__subclasses__()
    assert set(AREAS) == set(PRIMITIVES) == set(surrogates.SURROGATES) == set(subclasses)


@all_types
@widths
def test_area(cls, width):
    half, _ = quad(lambda x: width * cls(width).derivative(np, x * width), 0, np.inf)
    assert 2 * half == pytest.approx(AREAS[cls], rel=1e-6)


@all_types
@widths
@pytest.mark.parametrize("x", [-7.0, -0.9, -0.1, 0.02, 0.5, 3.0])
def test_derivative_is_that_of_its_primitive(cls, width, x):
    """The step function that each stands for, differentiated numerically."""
    h = 1e-6
    step = PRIMITIVES[cls]
    expected = (step(x / width + h) - step(x / width - h)) / (2 * h) / width
    assert cls(width).derivative(np, x) == pytest.approx(expected, rel=1e-4, abs=1e-7)


@all_types
@widths
def test_peak_at_the_threshold(cls, width):
    x = np.linspace(-5, 5, 1001)
    y = cls(width).derivative(np, x)
    assert y[500] == y.max()
    np.testing.assert_allclose(y, y[::-1])
    if cls is surrogates.DoubleGaussian:  # as published: it dips below zero, and is lower
        expected = 0.5 * (1.15 * norm.pdf(x, 0, width) - 0.3 * norm.pdf(x, 0, 6 * width))
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-8 / width)
        return
    assert y.max() == pytest.approx(1 / width)
    assert (np.diff(y[500:]) <= 0).all()
    assert (y >= 0).all()


@all_types
def test_same_in_tensorflow(cls):
    pytest.importorskip("nengo_dl")
    import tensorflow as tf

    x = np.linspace(-3, 3, 61).reshape(1, 61)
    for dtype in (tf.float32, tf.float64):
        got = tf.function(lambda x: cls(0.7).derivative(tf, x))(tf.constant(x, dtype))
        assert got.dtype == dtype
        np.testing.assert_allclose(got, cls(0.7).derivative(np, x), rtol=1e-5, atol=1e-7)


@all_types
@pytest.mark.parametrize("width", [0, -1.0, "wide", None])
def test_width_is_checked(cls, width):
    with pytest.raises(ValidationError, match=rf"{cls.__name__}\.width"):
        cls(width)


def test_are_values():
    """Equal by type and width: neurons with equal surrogates are equal."""
    a, b = surrogates.Exponential(0.5), surrogates.Exponential(0.5)
    assert a == b == pickle.loads(pickle.dumps(a))
    assert hash(a) == hash(b)
    assert a != surrogates.Exponential(0.4)
    assert a != surrogates.PiecewiseLinear(0.5)
    neurons = [nengo_phasor.ResonateAndFire(surrogate=s) for s in (a, b, surrogates.Exponential())]
    assert neurons[0] == neurons[1] != neurons[2] != nengo_phasor.ResonateAndFire()


def test_base_class_has_no_derivative():
    with pytest.raises(NotImplementedError, match="derivative"):
        surrogates.Surrogate().derivative(np, 0.0)

"""Conversion of Keras models of mixed precision, and the check of what was converted."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError, ValidationError
from numpy.testing import assert_allclose

from nengo_phasor import convert

pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")

from tests.convert.keras_models import act, conv, dense, layers, norm, stack  # noqa: E402


def rounded_model(policy):
    """A model whose shifts add up to what half precision can't tell from nothing."""
    tf.keras.utils.set_random_seed(0)
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        parts = [conv(4, padding="same"), norm(), act(), layers.Flatten(), dense(3)]
        model = stack((4, 4, 2), *parts)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    rng = np.random.RandomState(1)
    model.set_weights([rng.uniform(0.05, 0.9, w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_folds_in_single_precision_or_better(policy):
    """The network is that of a model with the same weights in single precision."""
    found, expected = (
        convert.to_adaptive(rounded_model(p)).rate_network() for p in (policy, "float32")
    )
    for a, b in zip(found.layers.values(), expected.layers.values(), strict=True):
        assert_allclose(a.bias, b.bias, rtol=1e-6)
        assert np.any(np.float16(b.bias) != b.bias)
    for a, b in zip(found.all_connections, expected.all_connections, strict=True):
        if isinstance(a.transform, nengo.Dense | nengo.Convolution):
            assert_allclose(a.transform.init, b.transform.init, rtol=1e-6)
    for a, b in zip(found.all_nodes, expected.all_nodes, strict=True):
        if isinstance(a.output, np.ndarray):
            assert_allclose(a.output, b.output, rtol=1e-6)


def test_verify_names_the_policy():
    x = np.random.RandomState(0).rand(3, 4, 4, 2)
    with pytest.raises(SimulationError, match=r"policy is mixed_float16.*tolerance.*float32"):
        convert.to_adaptive(rounded_model("mixed_float16")).verify(x, tolerance=1e-5)
    assert convert.to_adaptive(rounded_model("mixed_float16")).verify(x, tolerance=0.2) < 0.2
    with pytest.raises(SimulationError) as error:
        convert.to_adaptive(rounded_model("float32")).verify(x, tolerance=1e-12)
    assert "policy" not in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_model_is_not_verified(value):
    model = stack((3,), dense(4), act(), dense(2))
    converted = convert.to_adaptive(model)
    weights = model.get_weights()
    weights[-1][:] = value
    model.set_weights(weights)
    with pytest.raises(SimulationError, match=f"gives {value} for some inputs: it has diverged"):
        converted.verify(np.ones((2, 3)))


@pytest.mark.parametrize("tolerance", [np.nan, np.inf, 0, True, "small"])
def test_tolerances(tolerance):
    converted = convert.to_adaptive(stack((3,), dense(4), act(), dense(2)))
    with pytest.raises(ValidationError, match="tolerance: must be positive and finite"):
        converted.verify(np.ones((2, 3)), tolerance)

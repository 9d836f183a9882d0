"""Samples set aside for validation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError

from nengo_phasor import datasets


@settings(deadline=None, max_examples=30)
@given(
    counts=st.lists(st.integers(10, 40), min_size=1, max_size=5),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 100),
)
def test_split_is_a_stratified_partition(counts, fraction, seed):
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.arange(len(y))
    x_train, y_train, x_valid, y_valid = datasets.split(x, y, fraction, seed)
    assert sorted([*x_train, *x_valid]) == list(x)
    assert list(x_train) == sorted(x_train)
    assert list(x_valid) == sorted(x_valid)
    np.testing.assert_array_equal(y[x_train], y_train)
    np.testing.assert_array_equal(y[x_valid], y_valid)
    for label, count in enumerate(counts):
        assert abs(np.sum(y_valid == label) - fraction * count) <= 0.5


def test_split_depends_on_the_seed_alone():
    x, y = np.arange(100), np.arange(100) % 4
    first, again, other = (datasets.split(x, y, 0.2, seed)[2] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("y", "fraction", "message"),
    [
        (np.zeros(9, int), 0.5, r"y: must be one class number.*each of 10 items.*\(9,\)"),
        (np.eye(10), 0.5, r"y: must be one class number.*got shape \(10, 10\)"),
        (np.zeros(10, int), 0.0, r"fraction: must be in \(0, 1\], got 0.0"),
        (np.zeros(10, int), 1.0, "10 samples of class 0"),
        (np.arange(10) // 9, 0.5, "1 samples of class 1"),
        (np.zeros(10, int), 0.99, "10 samples of class 0"),
    ],
)
def test_split_refuses(y, fraction, message):
    with pytest.raises(ValidationError, match=message):
        datasets.split(np.arange(10), y, fraction, 0)


def test_repr_says_what_there_is():
    assert repr(datasets.iris()) == "<Dataset 'iris': 150 + 0 samples of 4 float64, 3 classes>"

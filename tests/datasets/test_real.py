"""Data sets as published, those of the package and those on this machine."""

import os
from pathlib import Path

import numpy as np
import pytest

from nengo_phasor import datasets

ROOT = Path(__file__).parents[2]
# Taken before `isolated` hides it.
USERS_FOLDER = os.environ.get(datasets.VARIABLE)


def real_fashion_mnist():
    for folder in (USERS_FOLDER, ROOT / ".data", "/usr/share/datasets"):
        if folder and (Path(folder) / "fashion-mnist").is_dir():
            return Path(folder) / "fashion-mnist"
    return None


@pytest.mark.skipif(real_fashion_mnist() is None, reason="FashionMNIST is not on this machine")
def test_real_fashion_mnist():
    data = datasets.fashion_mnist(real_fashion_mnist())
    assert data.x_train.shape == (60000, 28, 28)
    assert data.x_test.shape == (10000, 28, 28)
    np.testing.assert_array_equal(np.bincount(data.y_train), np.full(10, 6000))
    np.testing.assert_array_equal(np.bincount(data.y_test), np.full(10, 1000))
    # The mean and deviation that are commonly quoted for normalising.
    assert data.x_train.mean() / 255 == pytest.approx(0.2860, abs=1e-4)
    assert data.x_train.std() / 255 == pytest.approx(0.3530, abs=1e-4)
    assert data.classes[data.y_train[0]] == "Ankle boot"


def test_iris():
    data = datasets.iris()
    assert data.x_train.shape == (150, 4)
    assert data.x_test.shape == (0, 4)
    assert data.y_test.shape == (0,)
    np.testing.assert_array_equal(np.bincount(data.y_train), [50, 50, 50])
    # Means of Fisher's table 1: sums of 50 flowers, by species.
    means = [data.x_train[data.y_train == i].mean(axis=0) for i in range(3)]
    np.testing.assert_allclose(
        means,
        [[5.006, 3.428, 1.462, 0.246], [5.936, 2.770, 4.260, 1.326], [6.588, 2.974, 5.552, 2.026]],
        atol=1e-9,
    )
    # Where UCI's copy differs.
    np.testing.assert_array_equal(data.x_train[34], [4.9, 3.1, 1.5, 0.2])
    np.testing.assert_array_equal(data.x_train[37], [4.9, 3.6, 1.4, 0.1])


def test_sonar():
    data = datasets.sonar()
    assert data.x_train.shape == (208, 60)
    assert [sum(data.y_train == i) for i in range(2)] == [97, 111]
    assert data.classes == ("rock", "mine")
    assert data.x_train.min() == 0
    assert data.x_train.max() == 1
    np.testing.assert_allclose(data.x_train[0, :5], [0.0200, 0.0371, 0.0428, 0.0207, 0.0954])
    np.testing.assert_allclose(data.x_train[-1, -3:], [0.0036, 0.0061, 0.0115])
    assert data.y_train[0] == 0
    assert data.y_train[-1] == 1


def test_embedded_need_no_folder(tmp_path):
    np.testing.assert_array_equal(datasets.load("iris", tmp_path).x_train, datasets.iris().x_train)

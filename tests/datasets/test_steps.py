"""Data sets with a class for each time step, in both of their forms."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import savemat

from nengo_phasor import datasets

RNG = np.random.RandomState(0)
X = [RNG.randint(-1, 2, (n, 1301, 4)).astype(np.int8) for n in (5, 3)]
Y = [RNG.choice([0, 1, 2, 3, 4, 5, 255], (n, 1301)).astype(np.uint8) for n in (5, 3)]


def write_npz(folder, y=Y):
    np.savez(folder / "qtdb.npz", x_train=X[0], y_train=y[0], x_test=X[1], y_test=y[1])


def write_mat(folder):
    for part, x, y in zip(("train", "test"), X, Y, strict=True):
        one_hot = y[..., None] == np.arange(6)  # nothing where there is no label
        savemat(folder / f"QTDB_{part}.mat", {"x": x.astype(float), "y": one_hot.astype(float)})


@pytest.mark.parametrize("write", [write_npz, write_mat])
def test_both_forms(write, tmp_path):
    write(tmp_path)
    found = datasets.qtdb(tmp_path)
    for got, expected in zip((found.x_train, found.x_test), X, strict=True):
        assert got.dtype == np.int8
        assert_array_equal(got, expected)
    for got, expected in zip((found.y_train, found.y_test), Y, strict=True):
        assert got.dtype == np.int64
        assert_array_equal(got, expected)
    assert found.classes == ("P", "PQ", "QR", "RS", "ST", "TP")


def test_missing(tmp_path):
    with pytest.raises(datasets.DatasetError, match=r"(?s)ECG-QTDB was not found.*QTDB_train\.mat"):
        datasets.qtdb(tmp_path)


def test_unknown_class(tmp_path):
    write_npz(tmp_path, [np.full_like(Y[0], 6), Y[1]])
    with pytest.raises(datasets.DatasetError, match="class 6 is neither below 6 nor 255"):
        datasets.qtdb(tmp_path)


@pytest.mark.parametrize("name", ["QTDB_train.mat", "QTDB_test.mat"])
def test_damaged_mat(name, tmp_path):
    write_mat(tmp_path)
    (tmp_path / name).write_bytes(b"no MATLAB file at all, but long enough to have a header" * 9)
    with pytest.raises(datasets.DatasetError, match=rf"{name}.*(MATLAB file|lacks)"):
        datasets.qtdb(tmp_path)


def test_shapes(tmp_path):
    np.savez(tmp_path / "qtdb.npz", x_train=X[0], y_train=Y[1], x_test=X[1], y_test=Y[1])
    with pytest.raises(datasets.DatasetError, match="are not"):
        datasets.qtdb(tmp_path)

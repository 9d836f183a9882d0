"""Weights in npz files: written whole or not at all, read without pickle."""

import os
import pickle
import zipfile

import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_phasor import datasets
from nengo_phasor.datasets import DatasetError
from tests.datasets.written import Call


def test_params_round_trip(tmp_path):
    arrays = {
        "layer0/kernel": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32),
        "bias": np.array(0.5),
        "steps": np.arange(3),
        "names": np.array(["a", "bc"]),
    }
    path = tmp_path / "weights.npz"
    datasets.save_params(path, **arrays)
    read = datasets.load_params(path, ["bias", "steps"])
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
    assert [file.name for file in tmp_path.iterdir()] == ["weights.npz"]


def failing_write(file, **arrays):
    file.write(b"half of a file")
    raise OSError("disk full")


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    datasets.save_params(path, w=np.arange(3))
    old = path.read_bytes()
    monkeypatch.setattr(np, "savez_compressed", failing_write)
    with pytest.raises(OSError, match="disk full"):
        datasets.save_params(path, w=np.arange(4))
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["weights.npz"]


def test_objects_are_not_saved(tmp_path):
    with pytest.raises(ValidationError, match=r"names.*objects"):
        datasets.save_params(tmp_path / "weights.npz", names=np.array([None]))
    assert not list(tmp_path.iterdir())


def test_params_missing(tmp_path):
    path = tmp_path / "weights.npz"
    with pytest.raises(DatasetError, match=f"{path}.*No such file"):
        datasets.load_params(path)
    datasets.save_params(path, w=np.arange(3))
    with pytest.raises(DatasetError, match=f"{path} lacks bias; it has w"):
        datasets.load_params(path, ["w", "bias"])


def test_params_truncated_anywhere(tmp_path):
    path = tmp_path / "weights.npz"
    datasets.save_params(path, w=np.arange(3), b=np.arange(2.0))
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DatasetError, match=str(path)):
            datasets.load_params(path)


def test_params_flipped_bits(tmp_path):
    """A damaged file is an error or, where the byte carries nothing, still the same arrays."""
    path = tmp_path / "weights.npz"
    datasets.save_params(path, w=np.arange(30.0))
    content = path.read_bytes()
    refused = 0
    for i in range(len(content)):
        path.write_bytes(content[:i] + bytes([content[i] ^ 0x10]) + content[i + 1 :])
        try:
            read = datasets.load_params(path, ["w"])
        except DatasetError:
            refused += 1
        else:
            np.testing.assert_array_equal(read["w"], np.arange(30.0))
    assert refused > len(content) / 2


def test_pickled_params_are_refused(tmp_path):
    mark = tmp_path / "executed"
    path = tmp_path / "weights.npz"
    np.savez(path, w=np.array([Call(os.mkdir, str(mark))], dtype=object))
    with pytest.raises(DatasetError, match=f"{path}"):
        datasets.load_params(path)
    path.write_bytes(pickle.dumps(Call(os.mkdir, str(mark))))
    with pytest.raises(DatasetError, match=f"{path}"):
        datasets.load_params(path)
    assert not mark.exists()


def test_other_files_are_no_params(tmp_path):
    path = tmp_path / "weights.npz"
    with open(path, "wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(DatasetError, match=f"{path} is not an npz file: save arrays with"):
        datasets.load_params(path)
    path.write_text("weights = 3")
    with pytest.raises(DatasetError, match=f"{path} is not an npz file: save arrays with"):
        datasets.load_params(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", b"no array")
    with pytest.raises(DatasetError, match=f"{path} lacks w"):
        datasets.load_params(path, ["w"])

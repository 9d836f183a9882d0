"""The pickles of CIFAR: read without running what is in them, refused where they are damaged."""

import io
import os
import pickle
import struct

import numpy as np
import pytest

from nengo_phasor import datasets, files
from nengo_phasor.datasets import DatasetError
from tests.datasets.written import BATCH_WRITERS, Call, python2_batch, write_cifar


@pytest.mark.parametrize("writer", BATCH_WRITERS)
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_load_cifar(tmp_path, name, writer):
    pixels, labels = write_cifar(tmp_path, name, BATCH_WRITERS[writer])
    data = getattr(datasets, name)(tmp_path)
    assert data.x_train.shape == (4 * (len(pixels) - 1), 32, 32, 3)
    assert data.x_train.dtype == data.x_test.dtype == np.uint8
    np.testing.assert_array_equal(data.y_train, labels[:-1].ravel())
    np.testing.assert_array_equal(data.y_test, labels[-1])
    # A row is 1024 red bytes, then green, then blue, each row by row.
    for row, image in zip(pixels.reshape(-1, 3072), [*data.x_train, *data.x_test], strict=True):
        for channel, y, x in [(0, 0, 0), (1, 0, 5), (2, 31, 30)]:
            assert image[y, x, channel] == row[1024 * channel + 32 * y + x]


def test_numpys_two_names():
    """NumPy 1 wrote numpy.core, NumPy 2 writes numpy._core."""
    new = pickle.dumps({"data": np.arange(6.0)}, protocol=0).replace(b"numpy.core", b"numpy._core")
    assert b"numpy._core" in new
    for content in (new, new.replace(b"numpy._core", b"numpy.core")):
        array = files._Unpickler(io.BytesIO(content), encoding="bytes").load()["data"]
        np.testing.assert_array_equal(array.values, np.arange(6.0))


@pytest.mark.parametrize("dtype", [">i4", "<i8", "|b1", "<f4"])
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_of_any_number(tmp_path, dtype, order, protocol):
    array = np.asarray(np.arange(6).reshape(2, 3) % 4, dtype, order=order)
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps({b"data": array}, protocol=protocol))
    read = files.read_batch(path)["data"]
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("place", ["value", "key", "top", "in an array's state"])
def test_malicious_pickle_is_not_executed(tmp_path, protocol, place):
    mark = tmp_path / "executed"
    call = Call(os.mkdir, str(mark))
    content = {
        "value": {b"data": call, b"labels": [0]},
        "key": {(call,): 1},
        "top": call,
        "in an array's state": {b"data": np.array([call], dtype=object)},
    }[place]
    data = pickle.dumps(content, protocol=protocol)
    path = tmp_path / "data_batch_1"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=f"{path}.*forbidden global (posix|nt)?.*mkdir"):
        files.read_batch(path)
    assert not mark.exists()
    # The file would have worked on an unwary reader.
    if place != "key":
        pickle.loads(data)
        assert mark.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy", "ndarray.tofile"),
        ("nengo_phasor.files", "read_batch"),
        ("copyreg", "_reconstructor"),
    ],
)
def test_forbidden_global_is_named(tmp_path, module, name):
    path = tmp_path / "test_batch"
    path.write_bytes(
        b"\x80\x04" + b"".join(b"\x8c" + bytes([len(s)]) + s.encode() for s in (module, name))
        + b"\x93)R."
    )  # fmt: skip
    with pytest.raises(DatasetError, match=f"{path}.*forbidden global {module}.{name}"):
        files.read_batch(path)


def object_array_at(address):
    """A pickle that has NumPy read objects from a memory address."""
    raw = struct.pack("P", address)
    return pickle.dumps(
        {b"data": Call(np.ndarray, (1,), np.dtype("O"), raw), b"labels": [0]}, protocol=4
    )


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({b"data": np.array([None])}, protocol=4),
        pickle.dumps({b"data": np.zeros(2, [("a", "u1")])}, protocol=4),
        pickle.dumps([1, 2], protocol=4),
        pickle.dumps({b"data": np.zeros(3)[:, None, None].transpose(1, 0, 2)}, protocol=4)[:-20],
        b"",
        b"not a pickle",
    ],
    ids=["objects", "structured", "list", "truncated", "empty", "text"],
)
def test_batches_that_are_refused(tmp_path, content):
    path = tmp_path / "train"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=f"{path} is refused"):
        files.read_batch(path)


def test_memory_is_out_of_reach(tmp_path):
    """NumPy would interpret the bytes as a pointer to an object; here they are rejected."""
    path = tmp_path / "train"
    path.write_bytes(object_array_at(id(None)))
    assert files.read_batch(path)["data"] is None
    with pytest.raises(DatasetError, match="not an array"):
        files.read_batches([path], 10, "labels")


def test_batch_truncated_anywhere(tmp_path):
    content = python2_batch(np.zeros((1, 20), np.uint8), [3])
    path = tmp_path / "test_batch"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DatasetError, match=str(path)):
            files.read_batch(path)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({b"labels": [1]}, "not both data and labels"),
        ({b"data": np.zeros((1, 3072), np.uint8)}, "not both data and labels"),
        ({b"data": np.zeros((1, 3071), np.uint8), b"labels": [1]}, "3072 bytes"),
        ({b"data": np.zeros((1, 3072)), b"labels": [1]}, "float64"),
        ({b"data": [1, 2], b"labels": [1, 2]}, "not an array"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1, 2]}, "2 labels for 1 images"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [-1]}, "from -1 to -1"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, "from 10 to 10"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": ["1"]}, "not a list of integers"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, [2]]}, "not a list of integers"),
    ],
)
def test_batches_that_do_not_fit(tmp_path, batch, message):
    write_cifar(tmp_path, "cifar10")
    path = tmp_path / "data_batch_3"
    path.write_bytes(pickle.dumps(batch, protocol=4))
    with pytest.raises(DatasetError, match=f"(?s){path}.*{message}.*To get CIFAR-10"):
        datasets.cifar10(tmp_path)

"""IDX files of MNIST and FashionMNIST: read whole, and refused where they are damaged."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_phasor import datasets, files
from nengo_phasor.datasets import DatasetError
from tests.datasets.written import IDX_NAMES, idx_bytes, write_idx


@settings(deadline=None, max_examples=30)
@given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=5), packed=st.booleans())
def test_idx_round_trip(tmp_path_factory, shape, packed):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path_factory.mktemp("idx") / "any-name"
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    read = files.read_idx(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)
    assert read.flags.writeable


def test_idx_truncated_anywhere(tmp_path):
    content = idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
    path = tmp_path / "images"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DatasetError, match=str(path)):
            files.read_idx(path)


def test_idx_gzip_truncated_anywhere(tmp_path):
    content = gzip.compress(idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 2, 2)))
    path = tmp_path / "images.gz"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DatasetError, match=str(path)):
            files.read_idx(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: b"\x01" + c[1:], "not an IDX file.*01000801"),
        (lambda c: c[:2] + b"\x0d" + c[3:], "not an IDX file.*00000d01"),  # floats
        (lambda c: c[:3] + b"\x00" + c[4:], "not an IDX file"),
        (lambda c: c + b"\x00", "13 bytes.*means 12"),
        (lambda c: c[:4] + b"\xff\xff\xff\xff" + c[8:], "4294967295"),
    ],
    ids=["magic", "type", "no dimensions", "too long", "huge"],
)
def test_idx_damaged(tmp_path, damage, message):
    path = tmp_path / "labels"
    path.write_bytes(damage(idx_bytes(np.arange(4, dtype=np.uint8))))
    with pytest.raises(DatasetError, match=message):
        files.read_idx(path)


def test_gzip_checksum(tmp_path):
    content = bytearray(gzip.compress(idx_bytes(np.arange(100, dtype=np.uint8))))
    content[-8] ^= 1
    path = tmp_path / "labels.gz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="CRC"):
        files.read_idx(path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_load_idx(tmp_path, name, packed):
    written = write_idx(tmp_path, packed=packed)
    data = getattr(datasets, name)(tmp_path)
    assert data.name == name
    assert len(data.classes) == 10
    for read, array in zip(
        (data.x_train, data.y_train, data.x_test, data.y_test), written, strict=True
    ):
        np.testing.assert_array_equal(read, array)
    assert data.x_train.dtype == np.uint8
    assert data.y_train.dtype == np.int64


def test_dataset_is_frozen(tmp_path):
    write_idx(tmp_path)
    with pytest.raises(AttributeError):
        datasets.mnist(tmp_path).name = "other"


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (IDX_NAMES[1], np.zeros(29, np.uint8), "29 labels for 30 images"),
        (IDX_NAMES[3], np.full(20, 10, np.uint8), "from 10 to 10 do not fit 10 classes"),
        (IDX_NAMES[3], np.zeros((20, 1), np.uint8), r"labels of shape \(20, 1\)"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, name, array, message):
    write_idx(tmp_path)
    (tmp_path / name).write_bytes(idx_bytes(array))
    with pytest.raises(DatasetError, match=f"(?s){name}.*{message}.*dataset-fashion-mnist"):
        datasets.fashion_mnist(tmp_path)


def test_images_of_another_size(tmp_path):
    write_idx(tmp_path)
    (tmp_path / IDX_NAMES[2]).write_bytes(idx_bytes(np.zeros((20, 32, 32), np.uint8)))
    with pytest.raises(DatasetError, match=r"\(32, 32\).*not \(28, 28\)"):
        datasets.mnist(tmp_path)


def test_no_images(tmp_path):
    write_idx(tmp_path, n=(0, 20))
    with pytest.raises(DatasetError, match="0 images"):
        datasets.mnist(tmp_path)


@pytest.mark.parametrize(
    ("asked", "first", "found"),
    [
        ("fashion_mnist", [5, 0, 4, 1, 9, 2, 1, 3, 1, 4], "MNIST"),
        ("mnist", [9, 0, 0, 3, 0, 2, 7, 2, 5, 5], "FashionMNIST"),
    ],
)
def test_one_set_is_not_taken_for_another(tmp_path, asked, first, found):
    labels = write_idx(tmp_path)[1]
    labels[:10] = first
    (tmp_path / IDX_NAMES[1]).write_bytes(idx_bytes(labels))
    with pytest.raises(DatasetError, match=f"{tmp_path} contains {found}, not"):
        datasets.load(asked, tmp_path)

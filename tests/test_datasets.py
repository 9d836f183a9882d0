"""Data sets and weights: files written here by other means are read, damaged ones are refused."""

import gzip
import importlib.util
import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import NengoException, ValidationError

from nengo_phasor import datasets, files
from nengo_phasor.datasets import DatasetError

ROOT = Path(__file__).parents[1]
# Taken before `isolated` hides it.
USERS_FOLDER = os.environ.get(datasets.VARIABLE)

IDX_NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """No data of this machine, and no download."""
    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(datasets, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(datasets, "_download", lambda name: "the network is down")


# --- writers -----------------------------------------------------------------------------------


def idx_bytes(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(folder, seed=0, n=(30, 20), packed=False):
    """The four files with random content; returns that content."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = []
    for count in n:
        arrays.append(rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        arrays.append(rng.integers(0, 10, count, dtype=np.uint8))
    for name, array in zip(IDX_NAMES, arrays, strict=True):
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
        else:
            (folder / name).write_bytes(idx_bytes(array))
    return arrays


def python2_batch(pixels, labels, key=b"labels"):
    """A batch, opcode by opcode, as Python 2 and the NumPy of 2009 pickled it."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    shape = b"".join(b"J" + struct.pack("<i", size) for size in pixels.shape)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
        b"(K\x01"
        + shape
        + b"\x86cnumpy\ndtype\n"
        + text(b"u1")
        + b"K\x00K\x01\x87R(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<i", pixels.size)
        + pixels.tobytes()
        + b"tb"
    )
    items = b"".join(b"K" + bytes([label]) for label in labels)
    return (
        b"\x80\x02}(" + text(b"data") + array + text(key) + b"](" + items + b"e"
        + text(b"batch_label") + text(b"testing batch 1 of 1") + b"u."
    )  # fmt: skip


def python3_batch(protocol, text_keys=False):
    def write(pixels, labels, key=b"labels"):
        batch = {b"data": pixels, key: list(labels), b"filenames": [b"a.png"] * len(labels)}
        if text_keys:
            batch = {key.decode(): value for key, value in batch.items()}
        return pickle.dumps(batch, protocol=protocol)

    return write


BATCH_WRITERS = {
    "python 2": python2_batch,
    "protocol 2": python3_batch(2),
    "protocol 4": python3_batch(4, text_keys=True),
    "protocol 5": python3_batch(5),
}


def write_cifar(folder, name, write=python2_batch, n=4, seed=0):
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    names, key, n_classes = {
        "cifar10": ([f"data_batch_{i}" for i in (1, 2, 3, 4, 5)] + ["test_batch"], b"labels", 10),
        "cifar100": (["train", "test"], b"fine_labels", 100),
    }[name]
    pixels = rng.integers(0, 256, (len(names), n, 3072), dtype=np.uint8)
    labels = rng.integers(0, n_classes, (len(names), n)).tolist()
    for file, x, y in zip(names, pixels, labels, strict=True):
        (folder / file).write_bytes(write(x, y, key=key))
    return pixels, np.array(labels)


# --- IDX ---------------------------------------------------------------------------------------


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
        (lambda c: b"\x01" + c[1:], "no IDX file.*01000801"),
        (lambda c: c[:2] + b"\x0d" + c[3:], "no IDX file.*00000d01"),  # floats
        (lambda c: c[:3] + b"\x00" + c[4:], "no IDX file"),
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
    with pytest.raises(DatasetError, match=f"{tmp_path} holds {found}, not"):
        datasets.load(asked, tmp_path)


# --- CIFAR -------------------------------------------------------------------------------------


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


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


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
    """NumPy would take the bytes for a pointer to an object; here no array comes of them."""
    path = tmp_path / "train"
    path.write_bytes(object_array_at(id(None)))
    assert files.read_batch(path)["data"] is None
    with pytest.raises(DatasetError, match="no array"):
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
        ({b"data": [1, 2], b"labels": [1, 2]}, "no array"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1, 2]}, "2 labels for 1 images"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [-1]}, "from -1 to -1"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, "from 10 to 10"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": ["1"]}, "not a list of integers"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, [2]]}, "no list of integers"),
    ],
)
def test_batches_that_do_not_fit(tmp_path, batch, message):
    write_cifar(tmp_path, "cifar10")
    path = tmp_path / "data_batch_3"
    path.write_bytes(pickle.dumps(batch, protocol=4))
    with pytest.raises(DatasetError, match=f"(?s){path}.*{message}.*To get CIFAR-10"):
        datasets.cifar10(tmp_path)


# --- finding -----------------------------------------------------------------------------------


def test_search_order(tmp_path, monkeypatch):
    """Each place is used when all before it have nothing."""
    named = tmp_path / "named"
    monkeypatch.setenv(datasets.VARIABLE, str(named))
    places = [
        tmp_path / "keras" / "datasets" / "fashion-mnist",
        tmp_path / "debian" / "fashion-mnist",
        named,
        named / "fashion_mnist",
        named / "fashion-mnist",
    ]
    for seed, place in enumerate(places):
        images = write_idx(place, seed=seed)[0]
        np.testing.assert_array_equal(datasets.fashion_mnist().x_train, images)
    given = write_idx(tmp_path / "given", seed=99)[0]
    np.testing.assert_array_equal(datasets.fashion_mnist(tmp_path / "given").x_train, given)


def test_given_folder_is_the_only_one(tmp_path):
    write_idx(tmp_path / "debian" / "fashion-mnist")
    (tmp_path / "given").mkdir()
    with pytest.raises(DatasetError, match=r"given: nothing of it\nTo get"):
        datasets.fashion_mnist(tmp_path / "given")


def test_plain_file_goes_before_packed(tmp_path):
    write_idx(tmp_path, seed=0, packed=True)
    plain = write_idx(tmp_path, seed=1)
    np.testing.assert_array_equal(datasets.mnist(tmp_path).x_train, plain[0])


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "mnist"),
        ("cifar10", "cifar-10-batches-py"),  # the published archive; Keras 2
        ("cifar10", "cifar10/cifar-10-batches-py"),
        ("cifar10", "cifar-10-batches-py-target/cifar-10-batches-py"),  # Keras 3
        ("cifar100", "cifar-100-python"),
        ("cifar100", "cifar-100-python-target/cifar-100-python"),
    ],
)
def test_folders(tmp_path, name, folder):
    target = tmp_path / "keras" / "datasets" / folder
    if name == "mnist":
        write_idx(target)
    else:
        write_cifar(target, name)
    assert datasets.load(name).name == name


def test_keras_mnist(tmp_path):
    """Keras keeps MNIST as one npz file."""
    x, y = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28), np.array([3, 7], np.uint8)
    path = tmp_path / "keras" / "datasets" / "mnist.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])
    data = datasets.mnist()
    np.testing.assert_array_equal(data.x_train, x)
    np.testing.assert_array_equal(data.y_test, [3])
    np.savez(path, x_train=x, y_train=y)
    with pytest.raises(DatasetError, match=f"{path} lacks x_test, y_test"):
        datasets.mnist()


def test_missing_everywhere(tmp_path, monkeypatch):
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path / "named"))
    with pytest.raises(DatasetError) as raised:
        datasets.fashion_mnist()
    message = str(raised.value)
    words = [tmp_path / "named", tmp_path / "debian", tmp_path / "keras" / "datasets"]
    words += ["the network is down", "dataset-fashion-mnist", datasets.VARIABLE, *IDX_NAMES]
    positions = [message.index(str(word)) for word in words]
    assert positions[:4] == sorted(positions[:4])
    assert isinstance(raised.value, NengoException)
    assert isinstance(raised.value, OSError)


def test_missing_file_is_named(tmp_path):
    write_idx(tmp_path / "mnist", packed=True)
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetError, match=f"{tmp_path / 'mnist'}: lacks t10k-labels-idx1-ubyte"):
        datasets.mnist(tmp_path)


def test_damaged_file_is_not_passed_over(tmp_path, monkeypatch):
    write_idx(tmp_path / "debian" / "fashion-mnist")
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path / "named"))
    write_idx(tmp_path / "named")
    path = tmp_path / "named" / IDX_NAMES[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=f"(?s){path} is truncated.*To get FashionMNIST"):
        datasets.fashion_mnist()


@pytest.fixture
def keras_stub(tmp_path, monkeypatch):
    """A package called keras whose fashion_mnist.load_data does what the test says."""
    monkeypatch.undo()
    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(datasets, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stub"))

    def write(body):
        package = tmp_path / "stub" / "keras"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("from keras import datasets\n")
        (package / "datasets.py").write_text(
            f"class fashion_mnist:\n    @staticmethod\n    def load_data():\n        {body}\n"
        )

    return write


def test_download(tmp_path, keras_stub):
    prepared, cache = tmp_path / "prepared", tmp_path / "keras" / "datasets" / "fashion-mnist"
    written = write_idx(prepared)
    keras_stub(f"import shutil; shutil.copytree({str(prepared)!r}, {str(cache)!r})")
    before = set(sys.modules)
    np.testing.assert_array_equal(datasets.fashion_mnist().x_test, written[2])
    assert not {name for name in set(sys.modules) - before if "keras" in name or "tensor" in name}


@pytest.mark.parametrize(
    ("body", "message"),
    [("raise OSError('no route')", "OSError: no route"), ("pass", "done, but not in .*keras")],
)
def test_download_fails(keras_stub, body, message):
    keras_stub(body)
    with pytest.raises(DatasetError, match=f"(?s)Keras' download: {message}.*To get FashionMNIST"):
        datasets.fashion_mnist()


def test_unknown_name():
    with pytest.raises(ValidationError, match=r"'imagenet' is none of fashion_mnist, mnist"):
        datasets.load("imagenet")
    with pytest.raises(ValidationError, match=r"'imagenet' is none of fashion_mnist, mnist"):
        datasets.locate("imagenet")


def test_class_names():
    assert {name: len(source.classes) for name, source in datasets.DATASETS.items()} == {
        "fashion_mnist": 10, "mnist": 10, "cifar10": 10, "cifar100": 100, "iris": 3, "sonar": 2,
    }  # fmt: skip
    hundred = datasets.DATASETS["cifar100"].classes
    assert list(hundred) == sorted(set(hundred))


def test_import_is_light():
    code = (
        "import sys, nengo; before = set(sys.modules); import nengo_phasor.datasets; "
        "print([m for m in ('tensorflow', 'keras', 'scipy', 'matplotlib') "
        "if m in set(sys.modules) - before])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "[]", run.stderr


# --- the real ones -----------------------------------------------------------------------------


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


# --- split -------------------------------------------------------------------------------------


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
        (np.zeros(9, int), 0.5, r"y: need a class.* for each of 10 items, got shape \(9,\)"),
        (np.eye(10), 0.5, r"y: need a class.*got shape \(10, 10\)"),
        (np.zeros(10, int), 0.0, r"fraction: must be in \(0, 1\], got 0.0"),
        (np.zeros(10, int), 1.0, "10 samples of class 0"),
        (np.arange(10) // 9, 0.5, "1 samples of class 1"),
        (np.zeros(10, int), 0.99, "10 samples of class 0"),
    ],
)
def test_split_refuses(y, fraction, message):
    with pytest.raises(ValidationError, match=message):
        datasets.split(np.arange(10), y, fraction, 0)


# --- weights -----------------------------------------------------------------------------------


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
    with pytest.raises(DatasetError, match=f"{path} is no npz file: save arrays with"):
        datasets.load_params(path)
    path.write_text("weights = 3")
    with pytest.raises(DatasetError, match=f"{path} is no npz file: save arrays with"):
        datasets.load_params(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", b"no array")
    with pytest.raises(DatasetError, match=f"{path} lacks w"):
        datasets.load_params(path, ["w"])


# --- tools/fetch_fashion_mnist.py --------------------------------------------------------------


@pytest.fixture
def tool():
    path = ROOT / "tools" / "fetch_fashion_mnist.py"
    spec = importlib.util.spec_from_file_location("fetch_fashion_mnist", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def debian(tmp_path, monkeypatch):
    """Stand-ins for apt-get and dpkg-deb; the log of their calls and the package's files."""
    package = tmp_path / "package"
    write_idx(package)
    commands, log = tmp_path / "bin", tmp_path / "log"
    commands.mkdir()
    scripts = {
        "apt-get": '[ -z "$BROKEN" ] || { echo "E: no such package" >&2; exit 100; }\n'
        "touch dataset-fashion-mnist_1_all.deb",
        "dpkg-deb": 'target="$3/usr/share/datasets/fashion-mnist"\n'
        f'/bin/mkdir -p "$target" && /bin/cp {package}/* "$target"',
    }
    for name, body in scripts.items():
        (commands / name).write_text(
            f'#!/bin/sh\nPATH=/bin:/usr/bin\necho {name} "$@" >> {log}\n{body}\n'
        )
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(commands))
    log.touch()
    return log, package


def test_fetch(tool, debian, tmp_path, capsys):
    log, package = debian
    assert tool.main(str(tmp_path / "data")) == 0
    files_there = sorted(path.name for path in (tmp_path / "data" / "fashion-mnist").iterdir())
    assert files_there == sorted(path.name for path in package.iterdir())
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["fashion-mnist"]
    calls = log.read_text()
    assert "apt-get -q download dataset-fashion-mnist" in calls

    assert tool.main(str(tmp_path / "data")) == 0  # the second time: nothing to do
    assert log.read_text() == calls
    assert str(tmp_path / "data" / "fashion-mnist") in capsys.readouterr().out


def test_fetch_uses_the_installed_package(tool, debian, tmp_path):
    write_idx(tmp_path / "debian" / "fashion-mnist")
    assert tool.main(str(tmp_path / "data")) == 0
    assert debian[0].read_text() == ""
    assert not (tmp_path / "data").exists()


def test_fetch_replaces_damaged_files(tool, debian, tmp_path, capsys):
    target = tmp_path / "data" / "fashion-mnist"
    write_idx(target)
    (target / IDX_NAMES[0]).write_bytes(b"")
    assert tool.main(str(tmp_path / "data")) == 0
    assert IDX_NAMES[0] in capsys.readouterr().out
    assert (target / IDX_NAMES[0]).read_bytes() == (debian[1] / IDX_NAMES[0]).read_bytes()


def test_fetch_leaves_nothing_half_done(tool, debian, tmp_path, capsys):
    (debian[1] / IDX_NAMES[2]).unlink()
    assert tool.main(str(tmp_path / "data")) == 1
    assert not list((tmp_path / "data").iterdir())
    assert f"lacks {IDX_NAMES[2]}" in capsys.readouterr().out


def test_fetch_without_package_lists(tool, debian, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BROKEN", "yes")
    assert tool.main(str(tmp_path / "data")) == 1
    assert "-o Dir::State::lists=" in debian[0].read_text()
    printed = capsys.readouterr()
    assert "E: no such package" in printed.out
    assert datasets.VARIABLE in printed.err


def test_fetch_without_apt(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tool.main(str(tmp_path / "data")) == 1
    printed = capsys.readouterr()
    assert "apt-get and dpkg-deb not found" in printed.out
    assert "To get FashionMNIST" in printed.err

    write_idx(tmp_path / "keras" / "datasets" / "fashion-mnist")
    assert tool.main(str(tmp_path / "data")) == 0

"""Where data sets are looked for, and what is said when they are not there."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from nengo.exceptions import NengoException, ValidationError

from nengo_phasor import datasets
from nengo_phasor.datasets import DatasetError
from tests.datasets.written import IDX_NAMES, write_cifar, write_idx

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("place", ["here", "checkout"])
def test_finds_what_make_demo_fetched(tmp_path, monkeypatch, place):
    """In `.data` where one is, and in the checkout's from anywhere."""
    for folder in ("here", "checkout"):
        (tmp_path / folder).mkdir()
    (tmp_path / "checkout" / "setup.cfg").touch()
    monkeypatch.setattr(datasets, "FETCHED", ".data")
    monkeypatch.setattr(datasets, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.chdir(tmp_path / "here")
    fetched = tmp_path / place / ".data" / "fashion-mnist"
    write_idx(tmp_path / "debian" / "fashion-mnist", seed=0)
    images = write_idx(fetched, seed=1)[0]
    assert datasets.locate("fashion_mnist") == fetched
    np.testing.assert_array_equal(datasets.fashion_mnist().x_train, images)


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
    with pytest.raises(ValidationError, match=r"must be one of fashion_mnist.*got 'imagenet'"):
        datasets.load("imagenet")
    with pytest.raises(ValidationError, match=r"must be one of fashion_mnist.*got 'imagenet'"):
        datasets.locate("imagenet")


def test_class_names():
    assert {name: len(source.classes) for name, source in datasets.DATASETS.items()} == {
        "fashion_mnist": 10, "mnist": 10, "cifar10": 10, "cifar100": 100, "qtdb": 6,
        "iris": 3, "sonar": 2,
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

"""Data sets, which are found on this machine and checked.

`load` (or `fashion_mnist`, `mnist`, `cifar10`, `cifar100`, `qtdb`, `iris`, `sonar`) returns a
`Dataset`.
Iris and Sonar are part of the package. The others are read from their published files, which are
searched for in

1. the given folder, and then nowhere else;
2. the folder named by the environment variable ``NENGO_PHASOR_DATA``;
3. ``.data`` in the current folder and in the clone of the repository, to which ``make demo``
   downloads;
4. ``/usr/share/datasets``, where Debian's package dataset-fashion-mnist puts FashionMNIST;
5. Keras' cache (``KERAS_HOME``, else ``~/.keras``), which Keras is finally asked to fill.

In each of these folders, the files may be in a subfolder named after the data set.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nengo.exceptions import ValidationError

from nengo_phasor.checks import check_array, check_classes, check_integer, check_is, check_number
from nengo_phasor.files import DatasetError, PathLike
from nengo_phasor.files import load_params as load_params
from nengo_phasor.files import save_params as save_params
from nengo_phasor.listing import shows_public_names
from nengo_phasor.sources import DATASETS, FETCHED, VARIABLE, Source

__dir__ = shows_public_names(__name__, "DatasetError", "load_params", "save_params")

DEBIAN = Path("/usr/share/datasets")
PACKAGE = Path(__file__).with_name("data")
CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set, split as published.

    Attributes
    ----------
    name : str
        The key of the data set in `DATASETS`.
    x_train, x_test : ndarray
        The samples: uint8 images of shape (n, 28, 28), grey, or (n, 32, 32, 3), RGB; int8 events of
        shape (n, steps, channels); or float64 features of shape (n, features). Iris and Sonar are
        published without a split: all samples are in ``x_train``, for cross-validation, and
        ``x_test`` is empty.
    y_train, y_test : (n,) or (n, steps) ndarray of int64
        The class of each sample or time step, as an index into ``classes``; 255 for time steps of
        which the source does not say it.
    classes : tuple of str
        The names of the classes.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]

    def __repr__(self) -> str:
        """Describe the number and shape of the samples, and the number of classes."""
        n_train, n_test = len(self.x_train), len(self.x_test)
        shape = " x ".join(map(str, self.x_train.shape[1:]))
        return (
            f"<Dataset {self.name!r}: {n_train} + {n_test} samples of {shape} "
            f"{self.x_train.dtype}, {len(self.classes)} classes>"
        )


def _source(name: str) -> Source:
    """Return the information about a data set, after checking its name."""
    if not isinstance(name, str) or name not in DATASETS:
        raise ValidationError(f"must be one of {', '.join(DATASETS)}, got {name!r}", attr="name")
    return DATASETS[name]


def _keras_cache() -> Path:
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"


def _roots(source: Source, folder: PathLike | None) -> list[Path]:
    """Return the folders to search, in order."""
    check_is(folder, "folder", (str, os.PathLike, type(None)))
    if source.embedded:
        return [PACKAGE]
    if folder is not None:
        return [Path(folder).expanduser()]
    named = os.environ.get(VARIABLE)
    roots = [Path(named).expanduser()] if named else []
    roots.append(Path(FETCHED).absolute())
    if (CHECKOUT / "setup.cfg").exists():
        roots.append(CHECKOUT / FETCHED)
    return list(dict.fromkeys([*roots, DEBIAN, _keras_cache()]))


def _find(source: Source, root: Path, looked: list[str]) -> tuple[Callable, list[Path]] | None:
    """Return the first complete set of files in ``root``, or None after adding to ``looked``."""
    partly = []
    for folder in (*(root / name for name in source.folders), root):
        for names, read in source.layouts:
            either = [[folder / name, folder / f"{name}.gz"] for name in names]
            paths = [next(filter(Path.is_file, pair), None) for pair in either]
            found = [path for path in paths if path]
            if len(found) == len(paths):
                return read, found
            if found:
                lacks = [name for name, path in zip(names, paths, strict=True) if path is None]
                partly.append(f"{folder}: lacks {', '.join(lacks)}")
    looked.extend(partly or [f"{root}: {'nothing of it' if root.is_dir() else 'no such folder'}"])
    return None


def _download(name: str) -> str:
    """Have Keras fill its cache, and return a description of the outcome.

    This uses a separate process, because importing Keras imports TensorFlow, and both have settings
    that must be made before the import.
    """
    code = (
        "import socket; socket.setdefaulttimeout(60); "
        f"import keras; keras.datasets.{name}.load_data()"
    )
    run = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    if run.returncode == 0:
        return f"done, but not in {_keras_cache()}"
    return (run.stderr.strip().splitlines() or [f"ended with status {run.returncode}"])[-1]


def locate(name: str, folder: PathLike | None = None) -> Path | None:
    """Return the folder with a data set's files, or None, without reading or downloading.

    Parameters
    ----------
    name : str
        A key of `DATASETS`.
    folder : path, optional
        The only folder to search, as in `load`.

    Raises
    ------
    ValidationError
        If there is no such data set.
    """
    source = _source(name)
    found = filter(None, (_find(source, root, []) for root in _roots(source, folder)))
    return next((paths[0].parent for _, paths in found), None)


def load(name: str, folder: PathLike | None = None) -> Dataset:
    """Return a data set by its name in `DATASETS`.

    Parameters
    ----------
    name : str
        The name of the data set: "fashion_mnist", "mnist", "cifar10", "cifar100", "qtdb",
        "iris" or "sonar".
    folder : path, optional
        The only folder to search, which contains the files or a subfolder named after the data set.
        By default the places listed at the top of this module are searched. It is not used for Iris
        and Sonar.

    Raises
    ------
    ValidationError
        If there is no such data set.
    DatasetError
        If the files are missing, damaged, or those of another data set. The message lists the
        folders that were searched and how to get the files.
    """
    source = _source(name)
    looked: list[str] = []
    found = next(filter(None, (_find(source, r, looked) for r in _roots(source, folder))), None)
    if found is None and folder is None and source.in_keras and not source.embedded:
        looked.append(f"Keras' download: {_download(name)}")
        found = _find(source, _keras_cache(), [])
    if found is None:
        places = "\n  ".join(looked)
        raise DatasetError(f"{source.title} was not found in\n  {places}\n{source.remedy()}")

    read, paths = found
    try:
        arrays = read(paths, len(source.classes))
        first = tuple(arrays[1].flat[:10])
        for other in DATASETS.values():
            if other is not source and first == other.first_labels:
                raise DatasetError(f"{paths[0].parent} contains {other.title}, not {source.title}")
    except DatasetError as error:
        raise DatasetError(f"{error}\nDelete or replace it. {source.remedy()}") from error
    x_train, y_train, x_test, y_test = arrays
    return Dataset(name, x_train, y_train, x_test, y_test, source.classes)


def fashion_mnist(folder: PathLike | None = None) -> Dataset:
    """Return FashionMNIST: 60,000 + 10,000 grey 28 x 28 images of clothes in 10 classes."""
    return load("fashion_mnist", folder)


def mnist(folder: PathLike | None = None) -> Dataset:
    """Return MNIST: 60,000 + 10,000 grey 28 x 28 images of digits in 10 classes."""
    return load("mnist", folder)


def cifar10(folder: PathLike | None = None) -> Dataset:
    """Return CIFAR-10: 50,000 + 10,000 colour 32 x 32 x 3 images in 10 classes."""
    return load("cifar10", folder)


def cifar100(folder: PathLike | None = None) -> Dataset:
    """Return CIFAR-100: 50,000 + 10,000 colour 32 x 32 x 3 images in 100 (fine) classes."""
    return load("cifar100", folder)


def qtdb(folder: PathLike | None = None) -> Dataset:
    """Return ECG-QTDB: 618 + 141 heart beats of 1,301 steps, with the wave of each step.

    The samples, of shape (n, 1301, 4), are the events of two leads of the QT database: 1 where a
    lead has risen or fallen by a level, its rises and falls being two channels (Yin, Corradi and
    Bohte 2021). The labels have shape (n, 1301) and are 255 where the source marks no wave.
    """
    return load("qtdb", folder)


def iris() -> Dataset:
    """Return Fisher's Iris: 150 samples of 4 lengths in cm, 3 classes, without a split."""
    return load("iris")


def sonar() -> Dataset:
    """Return Sonar: 208 samples of 60 energies in [0, 1], rocks or mines, without a split."""
    return load("sonar")


def split(
    x: np.ndarray, y: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Split off a part for validation, with the same fraction of every class.

    Parameters
    ----------
    x : (n, ...) ndarray
        The samples.
    y : (n,) ndarray of int
        The classes of the samples.
    fraction : float
        The fraction of each class that is used for validation, in (0, 1), rounded to whole samples.
    seed : int
        The seed of the random choice.

    Returns
    -------
    x_train, y_train, x_validation, y_validation : ndarray
        The samples and classes of both parts, each in the order of ``x``.

    Raises
    ------
    ValidationError
        If ``x`` and ``y`` differ in length, ``y`` does not contain class numbers, a class would be
        missing from either part, or seed is not an integer of 0 or more.
    """
    x = check_array(x, "x", "(n_samples, ...)", kinds="biuf")
    y = check_classes(y, "y", len(x))
    check_number(fraction, "fraction", low=0, low_open=True, high=1)
    check_integer(seed, "seed", low=0)
    rng = np.random.default_rng(seed)
    held = np.zeros(len(y), bool)
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        n_held = round(fraction * len(members))
        if not 0 < n_held < len(members):
            raise ValidationError(
                f"{fraction} of the {len(members)} samples of class {label} leaves one part "
                "without samples of this class: choose another fraction, or use more samples",
                attr="fraction",
            )
        held[members[:n_held]] = True
    return x[~held], y[~held], x[held], y[held]

"""Readers of file formats, with checks: IDX, the pickles of CIFAR, and npz files of weights.

Files that are truncated, damaged or would run code raise a `DatasetError` that names the file.
"""

import gzip
import io
import math
import os
import pickle
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nengo.exceptions import NengoException, ValidationError

from nengo_phasor import atomic, compat

PathLike = str | os.PathLike


class DatasetError(NengoException, OSError):
    """A file of data or weights is missing, damaged, or not what its name says."""


def _read_bytes(path: Path) -> bytes:
    """Return a file's content, unpacked if it is a gzip file, whatever its name."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} can't be read: {error}") from error


# --- IDX files (MNIST, FashionMNIST) -----------------------------------------------------------


def read_idx(path: PathLike) -> np.ndarray:
    """Return the array of unsigned bytes in an IDX file, which may be packed with gzip.

    IDX is a magic number (0, 0, a type code, the number of dimensions), the size of each dimension
    as 4 bytes, big-endian, and the values in C order.

    Raises
    ------
    DatasetError
        If the file is missing, damaged, of another kind, or not as long as its header says.
    """
    path = Path(path)
    data = _read_bytes(path)
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 32:
        raise DatasetError(
            f"{path} is not an IDX file of unsigned bytes: it begins with "
            f"{data[:4].hex() or 'nothing'}, not with 000008 and the number of dimensions"
        )
    header = 4 + 4 * data[3]
    if len(data) < header:
        raise DatasetError(f"{path} is truncated: {len(data)} bytes, and its header has {header}")
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, header, 4))
    # In Python's integers: a damaged header may ask for more than any array can hold.
    if len(data) != header + math.prod(shape):
        raise DatasetError(
            f"{path} is truncated or damaged: {len(data)} bytes, where shape {shape} of its "
            f"header means {header + math.prod(shape)}"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()


# --- pickles (CIFAR-10, CIFAR-100) -------------------------------------------------------------


class _DType:
    """Stands for ``numpy.dtype`` in a pickle; holds a dtype's code and byte order, unchecked."""

    def __init__(self, code, *_):
        self.code, self.order = code, "|"

    def __setstate__(self, state):
        self.order = state[1]

    def numeric(self) -> np.dtype:
        code, order = (s.decode() if isinstance(s, bytes) else s for s in (self.code, self.order))
        dtype = np.dtype(order + code)
        if dtype.kind not in "biuf":
            raise ValueError(f"an array of {dtype}, not of numbers")
        return dtype


class _Array:
    """Stands for ``numpy.ndarray`` in a pickle.

    NumPy's own functions would let a pickle choose an array's bytes and call them objects, which
    means reading any address. Here they only ever become numbers.
    """

    def __init__(self, *_):
        self.values = None

    def __setstate__(self, state):
        _, shape, dtype, fortran, data = state
        self.values = np.frombuffer(data, dtype.numeric()).reshape(shape, order="CF"[fortran])

    @classmethod
    def from_buffer(cls, data, dtype, shape, order):
        """As NumPy's ``_frombuffer``, which pickle protocol 5 uses."""
        array = cls()
        array.__setstate__((1, shape, dtype, order == "F", data))
        return array


# NumPy 2 renamed numpy.core to numpy._core. Python 3 pickles bytes for Python 2 as a call of
# _codecs.encode(text, "latin1"); str.encode does the same but knows text encodings only.
_GLOBALS = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _Array.from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _Array.from_buffer,
    ("_codecs", "encode"): str.encode,
}


class _Unpickler(pickle.Unpickler):
    """Reads numbers, strings, plain containers and arrays of numbers; imports nothing."""

    def find_class(self, module, name):
        if (module, name) not in _GLOBALS:
            raise pickle.UnpicklingError(f"it asks for the forbidden global {module}.{name}")
        return _GLOBALS[module, name]


def read_batch(path: PathLike) -> dict[str, Any]:
    """Return the dictionary pickled in a CIFAR batch, from Python 2 or 3, without running its code.

    Raises
    ------
    DatasetError
        If the file is missing, damaged, not a dictionary, or contains anything except NumPy arrays
        and plain containers.
    """
    path = Path(path)
    data = _read_bytes(path)
    try:
        batch = _Unpickler(io.BytesIO(data), encoding="bytes").load()
        keys = (key.decode() if isinstance(key, bytes) else key for key in batch)
        values = (v.values if isinstance(v, _Array) else v for v in batch.values())
        return dict(zip(keys, values, strict=True))
    except Exception as error:  # a damaged pickle can raise anything
        raise DatasetError(f"{path} is refused as a CIFAR batch: {error!r}") from error


# --- weights -----------------------------------------------------------------------------------


def save_params(path: PathLike, /, **arrays: np.ndarray) -> None:
    """Write arrays to an npz file atomically: a failure leaves an older file unchanged.

    Raises
    ------
    ValidationError
        If an array holds objects, which npz would pickle.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise ValidationError("holds objects; only numbers and text are saved", attr=name)
    with atomic.replacing(path) as place, open(place, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def load_params(path: PathLike, names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file by name, without pickle.

    Parameters
    ----------
    path : path
        The file, as given to `save_params`.
    names : sequence of str
        The names of arrays that the file must contain.

    Raises
    ------
    DatasetError
        If the file is missing, damaged, pickled, or lacks one of ``names``.
    """
    if Path(path).is_file() and not zipfile.is_zipfile(path):  # of which NumPy says odd things
        raise DatasetError(
            f"{path} is not an npz file: save arrays with save_params or numpy.savez"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: array for name, array in file.items() if isinstance(array, np.ndarray)}
    except Exception as error:  # NumPy and zipfile raise many kinds for damaged files
        raise DatasetError(
            f"{path} can't be read as an npz file of plain arrays: {error}"
        ) from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DatasetError(f"{path} lacks {', '.join(missing)}; it has {', '.join(arrays)}")
    return arrays


# --- published sets of files -------------------------------------------------------------------
# Each reader returns x_train, y_train, x_test, y_test.


def _checked(path: Path, x: np.ndarray, y: np.ndarray, shape: tuple, n_classes: int) -> tuple:
    """Return images and their labels, after checking that they match."""
    try:
        y = np.asarray(y)
    except ValueError as error:
        raise DatasetError(f"{path}: its labels are not a list of integers: {error}") from error
    if x.dtype != np.uint8 or x.shape[1:] != shape:
        raise DatasetError(
            f"{path} belongs to images of shape {x.shape[1:]}, {x.dtype}; not {shape}, uint8"
        )
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DatasetError(f"{path}: labels of shape {y.shape}, {y.dtype}; not a list of integers")
    if len(x) != len(y) or not len(x):
        raise DatasetError(f"{path} has {len(y)} labels for {len(x)} images")
    if not np.all((y >= 0) & (y < n_classes)):
        raise DatasetError(
            f"{path}: labels from {y.min()} to {y.max()} do not fit {n_classes} classes"
        )
    return x, y.astype(np.int64)


def read_idx_files(paths: Sequence[Path], n_classes: int) -> tuple:
    """Read files of training images, training labels, test images and test labels."""
    return tuple(
        array
        for images, labels in (paths[:2], paths[2:])
        for array in _checked(labels, read_idx(images), read_idx(labels), (28, 28), n_classes)
    )


def read_npz(paths: Sequence[Path], n_classes: int) -> tuple:
    """Read Keras' single file of four arrays."""
    (path,) = paths
    file = load_params(path, ("x_train", "y_train", "x_test", "y_test"))
    return (
        *_checked(path, file["x_train"], file["y_train"], (28, 28), n_classes),
        *_checked(path, file["x_test"], file["y_test"], (28, 28), n_classes),
    )


def read_batches(paths: Sequence[Path], n_classes: int, key: str) -> tuple:
    """Read CIFAR batches, of which the last is for testing; ``key`` names their labels."""
    parts = []
    for path in paths:
        batch = read_batch(path)
        if not {"data", key} <= batch.keys():
            raise DatasetError(f"{path} has {sorted(map(str, batch))}, not both data and {key}")
        data = batch["data"]
        if not isinstance(data, np.ndarray) or data.shape[1:] != (3072,):
            raise DatasetError(f"{path}: its data are not an array of rows of 3072 bytes")
        x = np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        parts.append(_checked(path, x, batch[key], (32, 32, 3), n_classes))
    x_train, y_train = (np.concatenate(arrays) for arrays in zip(*parts[:-1], strict=True))
    return x_train, y_train, *parts[-1]


UNMARKED = 255
"""The label of time steps of which the source does not say the class."""


def read_steps_npz(paths: Sequence[Path], n_classes: int) -> tuple:
    """Read a single file of four arrays, of events and of the class of each time step."""
    file = load_params(paths[0], ("x_train", "y_train", "x_test", "y_test"))
    parts = [(file[f"x_{part}"], file[f"y_{part}"]) for part in ("train", "test")]
    return tuple(array for x, y in parts for array in _checked_steps(paths[0], x, y, n_classes))


def read_steps_mat(paths: Sequence[Path], n_classes: int) -> tuple:
    """Read the published MATLAB files, of training and of tests, whose classes are one-hot."""
    loadmat = compat.require("scipy.io").loadmat
    arrays: list[np.ndarray] = []
    for path in paths:
        try:
            file = loadmat(path)
        except (OSError, ValueError, TypeError, NotImplementedError) as error:
            raise DatasetError(f"{path} can't be read as a MATLAB file: {error}") from error
        if not {"x", "y"} <= file.keys() or np.ndim(file["y"]) != 3:
            raise DatasetError(f"{path} lacks the events x or the one-hot classes y of each step")
        one_hot = file["y"]
        y = np.where(one_hot.any(axis=-1), one_hot.argmax(axis=-1), UNMARKED)
        arrays.extend(_checked_steps(path, file["x"], y, n_classes))
    return tuple(arrays)


def _checked_steps(path, x, y, n_classes):
    """Return events and labels, after checking that each step has one."""
    if x.ndim != 3 or y.shape != x.shape[:2] or not len(x):
        raise DatasetError(
            f"{path}: events of shape {x.shape} and classes of shape {y.shape} are not "
            "(n, n_steps, n_channels) and (n, n_steps)"
        )
    wrong = y[(y >= n_classes) & (y != UNMARKED)]
    if wrong.size:
        raise DatasetError(f"{path}: class {wrong[0]} is neither below {n_classes} nor {UNMARKED}")
    return x.astype(np.int8), y.astype(np.int64)


def read_csv(paths: Sequence[Path], n_classes: int) -> tuple:
    """Read rows of features and class, all for training."""
    table = np.loadtxt(paths[0], delimiter=",")
    x, y = table[:, :-1], table[:, -1].astype(np.int64)
    return x, y, x[:0], y[:0]

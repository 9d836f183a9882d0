"""Files of data sets, written by other means than those that read them."""

import gzip
import pickle
import struct

import numpy as np

IDX_NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


def idx_bytes(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(folder, seed=0, n=(30, 20), packed=False):
    """The four files with random content; returns that content."""
    rng = np.random.default_rng(seed)
    arrays = []
    for count in n:
        arrays.append(rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        arrays.append(rng.integers(0, 10, count, dtype=np.uint8))
    write_idx_arrays(folder, arrays, packed)
    return arrays


def write_idx_arrays(folder, arrays, packed=False):
    """The four files with this content."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(IDX_NAMES, arrays, strict=True):
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
        else:
            (folder / name).write_bytes(idx_bytes(array))


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


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call

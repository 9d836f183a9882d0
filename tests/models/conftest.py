import gzip

import numpy as np
import pytest


def write_idx(path, array):
    """Write an array as MNIST and FashionMNIST are published, gzipped."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes(), 1))


@pytest.fixture(scope="session")
def garments(tmp_path_factory):
    """Images that a class makes bright in a row of its own, in FashionMNIST's format."""
    folder = tmp_path_factory.mktemp("data") / "fashion-mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, n in (("train", 512), ("t10k", 60)):
        labels = np.arange(n) % 10
        images = rng.integers(0, 60, (n, 28, 28))
        images[np.arange(n), 2 * labels + 3] += 190
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte.gz", labels)
    return folder.parent

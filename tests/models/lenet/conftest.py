import numpy as np
import pytest

from tests.models.conftest import write_idx


def rows(n, height, seed):
    """Images that a class makes bright in rows of its own, and the classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 10
    images = rng.integers(0, 30, (n, height, height))
    for k in range(height // 10):
        images[np.arange(n), height // 10 * labels + k] += 190
    return images, labels


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    """In FashionMNIST's format."""
    folder = tmp_path_factory.mktemp("data")
    for name, n in (("train", 200), ("t10k", 40)):
        images, labels = rows(n, 28, n)
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte.gz", labels)
    return folder

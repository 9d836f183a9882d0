"""Images that are easy to learn, in place of data sets."""

import numpy as np

from tests.datasets.written import write_idx_arrays


def class_rows(n, rng, *, size=28, first=3, thick=2, noise=30, bright=190):
    """Images that a class makes bright in rows of its own, and the classes."""
    classes = np.arange(n) % 10
    images = rng.integers(0, noise, (n, size, size))
    for k in range(thick):
        images[np.arange(n), size // 10 * classes + first + k] += bright
    return images.astype(np.uint8), classes.astype(np.uint8)


def write_class_rows(folder, n_train, n_test, **how):
    """Write a training and a test set as MNIST and FashionMNIST are published, gzipped."""
    rng = np.random.default_rng(0)
    sets = [class_rows(n, rng, **how) for n in (n_train, n_test)]
    write_idx_arrays(folder, [array for arrays in sets for array in arrays], packed=True)

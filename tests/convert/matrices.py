"""Matrices to be factorised."""

import numpy as np
from hypothesis import strategies as st

from nengo_phasor.convert.factorize import FACTORIZATIONS

METHODS = list(FACTORIZATIONS)
EXACT = ["plu", "qr", "svd"]

shapes = st.tuples(st.integers(1, 6), st.integers(1, 6))
seeds = st.integers(0, 10_000)


def some_matrix(shape, seed, rank=None, signed=True):
    """A matrix whose singular values are 1 and 2 by turns, or one of positive values."""
    rng = np.random.RandomState(seed)
    rank = min(shape) if rank is None else rank
    if not signed:
        return rng.uniform(0.1, 1, (shape[0], rank)) @ rng.uniform(0.1, 1, (rank, shape[1]))
    left, right = (np.linalg.qr(rng.normal(size=(n, rank)))[0] for n in shape)
    return (left * (1 + np.arange(rank) % 2)) @ right.T


def multiplied(factors, x):
    """The factors applied to an input by loops, the last one first."""
    for factor in factors[::-1]:
        x = [sum(row[k] * x[k] for k in range(len(x))) for row in factor.tolist()]
    return x

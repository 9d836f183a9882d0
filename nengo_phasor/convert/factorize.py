"""A weight matrix as a product: `factorize`.

Factors are in the order in which their product is written, so the last one is applied to the input
first. `.deepen` puts them into a network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from nengo.exceptions import ValidationError
from nengo.utils.numpy import is_integer
from numpy.typing import ArrayLike, NDArray

from nengo_phasor import compat

TOLERANCE = 1e-9
"""What is smaller, in proportion, is rounding: it makes neither a rank nor a negative value."""


# --------------------------------------------------------------------------------------- factors


def plu(matrix: NDArray, rank: int, depth: int, seed: int) -> list[NDArray]:
    """Return P L and U, as the paper has it, or the permutation apart: P, L, U (depth 3)."""
    permutation, lower, upper = compat.require("scipy.linalg").lu(_truncated(matrix, rank))
    lower, upper = lower[:, :rank], upper[:rank]
    return [permutation @ lower, upper] if depth == 2 else [permutation, lower, upper]


def qr(matrix: NDArray, rank: int, depth: int, seed: int) -> list[NDArray]:
    """Return Q, with orthonormal columns, and R; its columns in the order of the matrix."""
    qr_of = compat.require("scipy.linalg").qr
    q, r, order = qr_of(_truncated(matrix, rank), mode="economic", pivoting=True)
    return [q[:, :rank], r[:rank, np.argsort(order)]]


def svd(matrix: NDArray, rank: int, depth: int, seed: int) -> list[NDArray]:
    """Return U s^(1/d), s^(1/d), ..., s^(1/d) V': each of the d factors has its share of s."""
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    share = s[:rank] ** (1.0 / depth)
    between = [np.diag(share) for _ in range(depth - 2)]
    return [u[:, :rank] * share, *between, share[:, None] * v[:rank]]


def nmf(matrix: NDArray, rank: int, depth: int, seed: int) -> list[NDArray]:
    """Return factors without negative values, whose product is the matrix or near it."""
    solver = compat.require("sklearn.decomposition").NMF
    model = solver(rank, init="nndsvda", random_state=seed, tol=1e-6, max_iter=5000)
    left = model.fit_transform(matrix)
    further = [left] if depth == 2 else nmf(left, rank, depth - 1, seed)
    return [*further, model.components_]


class Factorization(NamedTuple):
    """A way to factorise: what does it, the deepest product it can give, if it has negatives."""

    factors: Callable[[NDArray, int, int, int], list[NDArray]]
    deepest: float
    signed: bool


FACTORIZATIONS = {
    "plu": Factorization(plu, 3, signed=True),
    "qr": Factorization(qr, 2, signed=True),
    "svd": Factorization(svd, np.inf, signed=True),
    "nmf": Factorization(nmf, np.inf, signed=False),
}


def factorize(
    matrix: ArrayLike, method: str = "plu", rank: int | None = None, depth: int = 2, seed: int = 0
) -> list[NDArray]:
    """Return factors of a matrix, in the order in which their product is written.

    Parameters
    ----------
    matrix : (m, n) array_like
        Real and finite.
    method : str
        "plu", of a lower triangular matrix with its rows permuted and an upper triangular one;
        "qr"; "svd"; or "nmf", without negative values, which need not be exact.
    rank : int, optional
        How many units each layer between the factors has. By default the smaller of m and n. If it
        is less, the first three factorise the nearest matrix of that rank.
    depth : int
        How many factors: 2; 3 with "plu", whose permutation is then a factor of its own; any number
        with "svd" and "nmf".
    seed : int
        Of "nmf".

    Returns
    -------
    list of ndarray
        ``factors[0] @ ... @ factors[-1]`` is the matrix.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the matrix is empty, not of two dimensions or not finite, has no such rank, or has
        negative values and the method's factors can't; if there is no such method or depth.
    ImportError
        If SciPy ("plu", "qr") or scikit-learn ("nmf") is not installed.

    References
    ----------
    Bury, Filali and Essien (2020), Conversion of Single-Layer Spiking Neural Networks to Deep
    Neural Networks by Weight Matrix Factorization, section 5.
    """
    if method not in FACTORIZATIONS:
        raise ValidationError(f"is {method!r}; choose from {', '.join(FACTORIZATIONS)}", "method")
    how = FACTORIZATIONS[method]
    matrix = _checked_matrix(matrix)
    if not is_integer(depth) or not 2 <= depth <= how.deepest:
        most = "any number from 2" if np.isinf(how.deepest) else f"2 to {how.deepest}"
        raise ValidationError(f"is {depth}, {method} gives {most}", "depth")
    if not how.signed and np.any(matrix < 0):
        raise ValidationError(
            f"has values down to {matrix.min():.4g}, {method} needs them all to be 0 or more; use "
            "plu, qr or svd",
            attr="matrix",
        )
    rank = _checked_rank(matrix, rank, method)
    factors = how.factors(matrix, rank, int(depth), seed)
    nearest = _truncated(matrix, rank)
    if how.signed and not np.allclose(product(factors), nearest, atol=1e-6 * abs(matrix).max()):
        raise ValidationError(
            f"has no {method} of rank {rank} without a permutation of its columns; use qr or svd",
            attr="matrix",
        )
    return factors


def product(factors: Sequence[NDArray]) -> NDArray:
    """Return the product of factors.

    Raises
    ------
    nengo.exceptions.ValidationError
        If their shapes don't chain.
    """
    result = np.asarray(factors[0])
    for k, factor in enumerate(factors[1:], 1):
        if np.ndim(factor) != 2 or result.shape[-1] != len(factor):
            raise ValidationError(
                f"don't chain: number {k} has shape {np.shape(factor)}, so number {k - 1} has to "
                f"end in {len(factor)}, not {result.shape[-1]}, columns",
                attr="factors",
            )
        result = result @ factor
    return result


def _truncated(matrix, rank):
    """Return the nearest matrix of a rank."""
    if rank == min(matrix.shape):
        return matrix
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ v[:rank]


def matrix_rank(matrix: NDArray) -> int:
    """Return the rank: how many singular values are more than rounding."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return int(np.sum(values > TOLERANCE * values[0]))


def _checked_matrix(matrix):
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or not matrix.size:
        raise ValidationError(f"has shape {matrix.shape}, needs two dimensions", "matrix")
    if not np.issubdtype(matrix.dtype, np.number) or np.iscomplexobj(matrix):
        raise ValidationError(f"is of type {matrix.dtype}, needs real numbers", "matrix")
    if not np.all(np.isfinite(matrix)):
        bad = tuple(int(k) for k in np.argwhere(~np.isfinite(matrix))[0])
        raise ValidationError(f"has {matrix[bad]} at {bad}: make all its values finite", "matrix")
    return matrix.astype(float)


def _checked_rank(matrix, rank, method):
    """Return the rank asked for; more than the matrix has would leave neurons without input."""
    full = min(matrix.shape)
    most = matrix_rank(matrix) if FACTORIZATIONS[method].signed else full
    if most == 0:
        raise ValidationError("is zero, there is nothing to factorise", "matrix")
    if rank is None and most < full:
        raise ValidationError(
            f"is singular: of shape {matrix.shape}, it has rank {most}, and other units would get "
            f"no input; give rank={most} or less",
            attr="matrix",
        )
    rank = full if rank is None else rank
    if not is_integer(rank) or not 1 <= rank <= most:
        raise ValidationError(f"is {rank}, must be from 1 to {most}", "rank")
    return int(rank)

"""Factorisation of a weight matrix: `factorize`.

Factors are in the order in which their product is written, so the last one is applied to the input
first. `.deepen` inserts them into a network.
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
"""The relative size below which values count as rounding errors."""


# --------------------------------------------------------------------------------------- factors


def plu(matrix: NDArray, rank: int, depth: int, seed: int) -> list[NDArray]:
    """Return P L and U, as in the paper, or P, L and U (depth 3)."""
    permutation, lower, upper = compat.require("scipy.linalg").lu(_truncated(matrix, rank))
    lower, upper = lower[:, :rank], upper[:rank]
    return [permutation @ lower, upper] if depth == 2 else [permutation, lower, upper]


def qr(matrix: NDArray, rank: int, depth: int, seed: int) -> list[NDArray]:
    """Return Q, with orthonormal columns, and R, whose columns are in the order of the matrix."""
    qr_of = compat.require("scipy.linalg").qr
    q, r, order = qr_of(_truncated(matrix, rank), mode="economic", pivoting=True)
    return [q[:, :rank], r[:rank, np.argsort(order)]]


def svd(matrix: NDArray, rank: int, depth: int, seed: int) -> list[NDArray]:
    """Return U s^(1/d), s^(1/d), ..., s^(1/d) V', so that all d factors share s equally."""
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    share = s[:rank] ** (1.0 / depth)
    between = [np.diag(share) for _ in range(depth - 2)]
    return [u[:, :rank] * share, *between, share[:, None] * v[:rank]]


def nmf(matrix: NDArray, rank: int, depth: int, seed: int) -> list[NDArray]:
    """Return factors without negative values, whose product approximates the matrix."""
    solver = compat.require("sklearn.decomposition").NMF
    model = solver(rank, init="nndsvda", random_state=seed, tol=1e-6, max_iter=5000)
    left = model.fit_transform(matrix)
    further = [left] if depth == 2 else nmf(left, rank, depth - 1, seed)
    return [*further, model.components_]


class Factorization(NamedTuple):
    """A method of factorisation: its function, its greatest depth, whether factors are signed."""

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
        The matrix, which must be real and finite.
    method : str
        The method: "plu", the product of a row-permuted lower triangular and an upper triangular
        matrix; "qr"; "svd"; or "nmf", which has no negative values and need not be exact.
    rank : int, optional
        The number of units of each layer between the factors. By default it is the smaller of m and
        n. If it is less, "plu", "qr" and "svd" factorise the nearest matrix of that rank.
    depth : int
        The number of factors: 2 for all methods; also 3 for "plu", whose permutation is then a
        separate factor; any number from 2 for "svd" and "nmf".
    seed : int
        The seed of "nmf".

    Returns
    -------
    list of ndarray
        The factors, such that ``factors[0] @ ... @ factors[-1]`` is the matrix.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the matrix is empty, not two-dimensional or not finite, does not allow the rank, or has
        negative values, which "nmf" does not allow; if there is no such method or depth.
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
        raise ValidationError(f"is {depth}, but {method} allows {most}", "depth")
    if not how.signed and np.any(matrix < 0):
        raise ValidationError(
            f"has values down to {matrix.min():.4g}, but {method} needs all to be 0 or more: use "
            "plu, qr or svd",
            attr="matrix",
        )
    rank = _checked_rank(matrix, rank, method)
    factors = how.factors(matrix, rank, int(depth), seed)
    nearest = _truncated(matrix, rank)
    if how.signed and not np.allclose(product(factors), nearest, atol=1e-6 * abs(matrix).max()):
        raise ValidationError(
            f"has no {method} of rank {rank} without a permutation of its columns: use qr or svd",
            attr="matrix",
        )
    return factors


def product(factors: Sequence[NDArray]) -> NDArray:
    """Return the product of factors.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the shapes of the factors do not match.
    """
    result = np.asarray(factors[0])
    for k, factor in enumerate(factors[1:], 1):
        if np.ndim(factor) != 2 or result.shape[-1] != len(factor):
            raise ValidationError(
                f"don't match: factor {k} has shape {np.shape(factor)}, so factor {k - 1} must "
                f"have {len(factor)} columns, not {result.shape[-1]}",
                attr="factors",
            )
        result = result @ factor
    return result


def _truncated(matrix, rank):
    """Return the nearest matrix of the given rank."""
    if rank == min(matrix.shape):
        return matrix
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ v[:rank]


def matrix_rank(matrix: NDArray) -> int:
    """Return the rank, which is the number of singular values above rounding errors."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return int(np.sum(values > TOLERANCE * values[0]))


def _checked_matrix(matrix):
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or not matrix.size:
        raise ValidationError(f"has shape {matrix.shape}, but needs two dimensions", "matrix")
    if not np.issubdtype(matrix.dtype, np.number) or np.iscomplexobj(matrix):
        raise ValidationError(f"has type {matrix.dtype}, but needs real numbers", "matrix")
    if not np.all(np.isfinite(matrix)):
        bad = tuple(int(k) for k in np.argwhere(~np.isfinite(matrix))[0])
        raise ValidationError(f"has {matrix[bad]} at {bad}: all values must be finite", "matrix")
    return matrix.astype(float)


def _checked_rank(matrix, rank, method):
    """Return the rank, after checking that it leaves no neurons without input."""
    full = min(matrix.shape)
    most = matrix_rank(matrix) if FACTORIZATIONS[method].signed else full
    if most == 0:
        raise ValidationError("is zero, so there is nothing to factorise", "matrix")
    if rank is None and most < full:
        raise ValidationError(
            f"is singular: it has shape {matrix.shape} but rank {most}, so further units would get "
            f"no input: give rank={most} or less",
            attr="matrix",
        )
    rank = full if rank is None else rank
    if not is_integer(rank) or not 1 <= rank <= most:
        raise ValidationError(f"is {rank}, but must be from 1 to {most}", "rank")
    return int(rank)

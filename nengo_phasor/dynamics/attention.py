"""The equations of attention between phasors; see `nengo_phasor.dynamics`."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from nengo_phasor.dynamics.resonance import Array, unit_phasor
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)


class Attended(NamedTuple):
    """What `attend_phasors` computes on its way, of which the gradient consists.

    ``queries``, ``keys`` and ``values`` are pairs of real and imaginary parts, (..., n, d) and
    (..., m, d); ``weights`` are a, (..., n, m); ``sums`` are the parts of the weighted sums,
    (..., n, d).
    """

    queries: tuple[Array, Array]
    keys: tuple[Array, Array]
    values: tuple[Array, Array]
    weights: Array
    sums: tuple[Array, Array]


def transposed(xp, x: Array) -> Array:
    """Return an array with its last two axes exchanged."""
    *axes, last, end = range(len(x.shape))
    return xp.transpose(x, (*axes, end, last))


def similarity(xp, a: tuple[Array, Array], b: tuple[Array, Array], size: int) -> Array:
    """Return the mean of cos(pi (a_ik - b_jk)) over the d units k, for unit phasors a and b.

    Parameters
    ----------
    a, b : pairs of (..., n, d) and of (..., m, d) arrays
        The real and imaginary parts.
    size : int
        The number d of units.

    Returns
    -------
    (..., n, m) array
    """
    real, imag = (xp.matmul(x, transposed(xp, y)) for x, y in zip(a, b, strict=True))
    return (real + imag) / size


def attention_weights(xp, similarities: Array, beta: float | None, n_keys: int) -> Array:
    """Return the weights of the values: the similarities s, or exp(beta s) / n_keys."""
    return similarities if beta is None else xp.exp(beta * similarities) / n_keys


def attend_phasors(
    xp, real: Array, imag: Array, n_queries: int, beta: float | None, floor: float
) -> Attended:
    """Return the sum of the values' phasors for each query, weighted by similarity to the keys.

    ``z_i = sum_j a_ij v_j``, where ``a_ij`` is the weight of the similarity of query i and key j
    (see `similarity` and `attention_weights`), and v_j is a unit phasor.

    Parameters
    ----------
    real, imag : (..., n + 2 m, d) array
        The real and imaginary parts of n queries, m keys and m values, each of which is normalised
        first (see `unit_phasor`).
    n_queries : int
        The number n of queries.
    """
    n_keys, size = (real.shape[-2] - n_queries) // 2, real.shape[-1]
    cos, sin = unit_phasor(xp, real, imag, floor)
    ends = (0, n_queries, n_queries + n_keys, n_queries + 2 * n_keys)
    queries, keys, values = (
        (cos[..., first:last, :], sin[..., first:last, :]) for first, last in pairwise(ends)
    )
    weights = attention_weights(xp, similarity(xp, queries, keys, size), beta, n_keys)
    sums = xp.matmul(weights, values[0]), xp.matmul(weights, values[1])
    return Attended(queries, keys, values, weights, sums)

"""The equations of attention between phasors; see `nengo_phasor.dynamics`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from nengo_phasor.dynamics.resonance import (
    Array,
    ResonateAndFireConstants,
    Rotation,
    resonate,
    resonate_and_fire,
    unit_phasor,
)
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


def symbols(x: Array, n_queries: int, n_keys: int) -> tuple[Array, Array, Array]:
    """Return the queries, the keys and the values of an array of shape (..., n + 2 m, d)."""
    ends = (0, n_queries, n_queries + n_keys, n_queries + 2 * n_keys)
    queries, keys, values = (x[..., first:last, :] for first, last in pairwise(ends))
    return queries, keys, values


def joined(xp, parts, axis: int = -2) -> Array:
    """Return the array whose `symbols` are the parts, or the parts along another axis."""
    concat = xp.concatenate if hasattr(xp, "concatenate") else xp.concat  # NumPy, TensorFlow
    return concat(parts, axis)


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
    queries, keys, values = zip(
        symbols(cos, n_queries, n_keys), symbols(sin, n_queries, n_keys), strict=True
    )
    weights = attention_weights(xp, similarity(xp, queries, keys, size), beta, n_keys)
    sums = xp.matmul(weights, values[0]), xp.matmul(weights, values[1])
    return Attended(queries, keys, values, weights, sums)


def attend_spikes(
    xp,
    J: Array,
    voltage: Array,
    current: Array,
    held: Array,
    c: ResonateAndFireConstants,
    n_queries: int,
    beta: float | None,
    heaviside: Callable,
):
    """Advance the resonators of keys and of sums; return the spikes of the sums in the queries.

    Each spike of a query's unit meets the resonators of the same unit in all keys. Their voltage,
    normalised, is the cosine of the phase of the query relative to the key, cos pi (q_ik - k_jk).
    It is held until the unit's next spike. The mean over the units is the similarity of the query
    and the key, a slow signal; a resonator at or below the threshold adds nothing to it. The spikes
    of the values, each weighted by ``attention_weights``, drive the resonators of the sums.

    If there is one neuron more, it is the unit of a rhythm. It has the mean state of the resonators
    of the sums, because its input is the mean of theirs. An input of its own is added.

    Parameters
    ----------
    J, voltage, current : (..., (n + 2 m) d) or (..., (n + 2 m) d + 1) array
        The spikes of queries, keys and values; the states of the sums and of the keys, in the
        places of queries and keys; then those of the unit. Values have no state.
    held : (..., n, d, m) array
        The cosines that each unit of each query last met.

    Returns
    -------
    output, voltage, current, held
        The outputs of keys and values are 0.
    """
    n_keys, size = held.shape[-1], held.shape[-2]
    step, count = Rotation(c.cos, c.sin), (n_queries + 2 * n_keys) * size
    (J_q, J_k, J_v), (y_voltage, k_voltage, silent), (y_current, k_current, _) = (
        symbols(xp.reshape(x[..., :count], (*x.shape[:-1], -1, size)), n_queries, n_keys)
        for x in (J, voltage, current)
    )
    key = resonate(J_k, k_voltage, k_current, step, c.dt)
    met = transposed(xp, unit_phasor(xp, *key, c.threshold)[0])[..., None, :, :]
    held = xp.where((J_q > 0)[..., None], met, held)
    weights = attention_weights(xp, xp.einsum("...ikj->...ij", held) / size, beta, n_keys)
    drive = xp.matmul(weights, J_v)
    sums = resonate_and_fire(drive, y_voltage, y_current, c, heaviside)
    rows = [sums, (xp.zeros_like(k_voltage), *key), (xp.zeros_like(silent),) * 3]
    parts = [[xp.reshape(x, (*J.shape[:-1], -1)) for x in row] for row in rows]
    if J.shape[-1] > count:
        mean = xp.einsum("...ik->...", drive)[..., None] / (n_queries * size)
        own, *unit = (x[..., count:] for x in (J, voltage, current))
        parts.append(resonate_and_fire(mean + own, unit[0], unit[1], c, heaviside))
    return (*(joined(xp, x, -1) for x in zip(*parts, strict=True)), held)

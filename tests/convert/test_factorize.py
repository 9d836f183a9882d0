"""Factors of matrices."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor.convert import factorize
from nengo_phasor.convert.factorize import product
from tests.convert.matrices import EXACT, multiplied, seeds, shapes, some_matrix


@pytest.mark.parametrize("method", EXACT)
@settings(max_examples=40, deadline=None)
@given(shape=shapes, seed=seeds)
def test_products_restore_the_matrix(method, shape, seed):
    matrix = some_matrix(shape, seed)
    factors = factorize(matrix, method)
    assert [factor.shape for factor in factors] == [(shape[0], min(shape)), (min(shape), shape[1])]
    x = np.random.RandomState(seed + 1).normal(size=shape[1])
    assert_allclose(multiplied(factors, x.tolist()), matrix @ x, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@settings(max_examples=10, deadline=None)
@given(shape=shapes, seed=seeds, depth=st.integers(2, 4))
def test_nonnegative_products_are_near_the_matrix(shape, seed, depth):
    matrix = some_matrix(shape, seed, signed=False)
    factors = factorize(matrix, "nmf", depth=depth)
    assert len(factors) == depth
    assert all(np.all(factor >= 0) for factor in factors)
    error = np.linalg.norm(product(factors) - matrix) / np.linalg.norm(matrix)
    assert error < 0.06  # at most 0.02 in 250 trials: the solver finds a local optimum


@pytest.mark.parametrize("method", EXACT)
@settings(max_examples=25, deadline=None)
@given(shape=shapes, seed=seeds, data=st.data())
def test_reduced_rank_is_the_nearest_matrix_of_that_rank(method, shape, seed, data):
    """Eckart and Young: it is off by the root of the sum of the squares of what is left out."""
    rank = data.draw(st.integers(1, min(shape)))
    matrix = some_matrix(shape, seed) + 0.01 * np.random.RandomState(seed + 1).rand(*shape)
    factors = factorize(matrix, method, rank=rank)
    assert factors[0].shape == (shape[0], rank)
    left_out = np.linalg.svd(matrix, compute_uv=False)[rank:]
    error = np.linalg.norm(product(factors) - matrix)
    assert error == pytest.approx(np.sqrt(np.sum(left_out**2)), rel=1e-5, abs=1e-7)


@settings(max_examples=20, deadline=None)
@given(shape=shapes, seed=seeds, depth=st.integers(2, 5))
def test_svd_shares_singular_values_evenly(shape, seed, depth):
    matrix = some_matrix(shape, seed)
    factors = factorize(matrix, "svd", depth=depth)
    assert_allclose(product(factors), matrix, atol=1e-9)
    values = np.sort([1 + k % 2 for k in range(min(shape))]) ** (1 / depth)
    for factor in factors:
        assert_allclose(np.sort(np.linalg.svd(factor, compute_uv=False)), values, atol=1e-9)


def test_plu_is_a_permuted_triangle_and_a_triangle():
    matrix = some_matrix((6, 4), 3)
    left, upper = factorize(matrix, "plu")
    permutation, lower, same_upper = factorize(matrix, "plu", depth=3)
    assert_array_equal(permutation @ lower, left)
    assert_array_equal(same_upper, upper)
    assert_array_equal(np.sort(permutation, axis=0)[-1], np.ones(6))
    assert np.sum(permutation) == 6
    assert_array_equal(lower, np.tril(lower))
    assert_array_equal(np.diag(lower), np.ones(4))
    assert_array_equal(upper, np.triu(upper))


def test_qr_is_orthonormal():
    q, r = factorize(some_matrix((5, 3), 1), "qr")
    assert_allclose(q.T @ q, np.eye(3), atol=1e-12)
    assert r.shape == (3, 3)


def test_nmf_is_seeded():
    matrix = some_matrix((6, 5), 0, signed=False)
    for a, b in zip(factorize(matrix, "nmf", 3), factorize(matrix, "nmf", 3), strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        ([1.0, 2.0], {}, r"matrix: has shape \(2,\), but needs two dimensions"),
        (np.zeros((0, 3)), {}, r"matrix: has shape \(0, 3\)"),
        ([["a"]], {}, "matrix: has type .*, but needs real numbers"),
        ([[1j]], {}, "matrix: has type complex128, but needs real numbers"),
        ([[1.0, np.nan]], {}, r"matrix: has nan at \(0, 1\): all values must be finite"),
        ([[np.inf], [0.0]], {}, r"matrix: has inf at \(0, 0\)"),
        (np.zeros((2, 2)), {}, "matrix: is zero, so there is nothing to factorise"),
        (np.ones((2, 3)), {}, r"matrix: is singular: .* rank 1, .*: give rank=1 or less"),
        (np.ones((2, 3)), {"rank": 2}, "rank: is 2, but must be from 1 to 1"),
        (np.eye(3), {"rank": 0}, "rank: is 0, but must be from 1 to 3"),
        (np.eye(3), {"rank": 1.5}, "rank: is 1.5, but must be from 1 to 3"),
        (np.eye(3), {"method": "nmf", "rank": 4}, "rank: is 4, but must be from 1 to 3"),
        (np.eye(3), {"method": "lu"}, "method: is 'lu'; choose from plu, qr, svd, nmf"),
        (np.eye(3), {"depth": 4}, "depth: is 4, but plu allows 2 to 3"),
        (np.eye(3), {"method": "qr", "depth": 3}, "depth: is 3, but qr allows 2 to 2"),
        (np.eye(3), {"method": "svd", "depth": 1}, "depth: is 1, but svd allows any number from 2"),
        (-np.eye(3), {"method": "nmf"}, "matrix: has values down to -1, but nmf needs"),
        ([[0.0, 1, 0], [0, 0, 1]], {"rank": 2}, "no plu of rank 2 .*: use qr or svd"),
    ],
)
def test_refused_matrices(matrix, options, message):
    if "no plu" in message:  # the first column, where the first pivot is, has none
        assert product(factorize(matrix, "qr", rank=2)).shape == (2, 3)
        matrix = np.vstack([matrix, [[0, 1, 1]]])
    with pytest.raises(ValidationError, match=message):
        factorize(matrix, **options)


def test_shapes_that_do_not_chain():
    with pytest.raises(
        ValidationError,
        match=r"factors: don't match: factor 2 has shape \(3, 2\), so factor 1 must have 3 "
        "columns, not 4",
    ):
        product([np.eye(2), np.ones((2, 4)), np.ones((3, 2))])


@pytest.mark.parametrize(("method", "module"), [("plu", "scipy"), ("nmf", "sklearn")])
def test_missing_modules_are_named(method, module, monkeypatch):
    for name in ("scipy.linalg", "sklearn.decomposition"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"^{module} is not installed. Run: pip install"):
        factorize(np.eye(2), method)

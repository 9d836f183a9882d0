import cmath
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nengo.exceptions import ValidationError

from nengo_phasor import vsa

few = settings(deadline=None, max_examples=40)
nan = math.nan

symbols = hnp.arrays(float, (2, 5), elements=st.floats(-1, 1, exclude_max=True))


def phasors(p):
    """Independent of the package: one cmath.exp per phase."""
    return np.array([cmath.exp(1j * math.pi * x) for x in np.ravel(p)]).reshape(np.shape(p))


def assert_same_phasors(p, z):
    assert np.all((p >= -1) & (p < 1))
    np.testing.assert_allclose(phasors(p), z, atol=1e-9)


@given(symbols, symbols)
@few
def test_bind_and_unbind_are_complex_products(a, b):
    assert_same_phasors(vsa.bind(a, b), phasors(a) * phasors(b))
    assert_same_phasors(vsa.unbind(a, b), phasors(a) / phasors(b))
    assert_same_phasors(vsa.unbind(vsa.bind(a, b), a), phasors(b))
    assert_same_phasors(vsa.inverse(a), 1 / phasors(a))


@given(symbols)
@few
def test_identity(a):
    assert_same_phasors(vsa.bind(a, vsa.identity(5)), phasors(a))
    assert_same_phasors(vsa.bind(a, vsa.inverse(a)), np.ones((2, 5)))


@given(symbols, st.integers(-4, 4))
@few
def test_whole_power_is_repeated_binding(a, exponent):
    assert_same_phasors(vsa.power(a, exponent), phasors(a) ** exponent)


@given(symbols, st.floats(-2, 2), st.floats(-2, 2))
@few
def test_fractional_powers_add_up(a, x, y):
    both = vsa.bind(vsa.power(a, x), vsa.power(a, y))
    assert_same_phasors(both, phasors(vsa.power(a, x + y)))
    assert_same_phasors(vsa.power(a, 0.5), np.sqrt(phasors(a)))


@given(symbols, symbols, st.floats(0.1, 3))
@few
def test_bundle_is_the_phase_of_the_sum(a, b, weight):
    total = phasors(a) + weight * phasors(b)
    clear = np.abs(total) > 1e-6
    bundle = vsa.bundle(np.stack([a, b]), weights=np.array([1, weight])[:, None, None])
    assert_same_phasors(bundle[clear], (total / np.abs(total).clip(1e-6))[clear])


def test_bundle_leaves_out_missing_spikes():
    np.testing.assert_allclose(vsa.bundle([[0.1, nan, nan], [0.3, 0.5, nan]]), [0.2, 0.5, nan])
    np.testing.assert_allclose(vsa.bundle([[0.1, 0.3], [nan, nan]], axis=1), [0.2, nan])


@given(symbols, symbols)
@few
def test_similarity_is_the_real_part_of_the_inner_product(a, b):
    expected = [(phasors(x) @ phasors(y).conj()).real / 5 for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(vsa.similarity(a, b), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "value"),
    [
        ([0.3, -0.9], [0.3, -0.9], 1),
        ([0.3, -0.9], [-0.7, 0.1], -1),
        ([0.0, 0.0], [0.5, -0.5], 0),
        ([0.0, 0.0], [1 / 3, 0.0], 0.75),
        ([0.3, nan], [0.3, 0.2], 0.5),
        ([nan, nan], [0.3, 0.2], 0),
    ],
)
def test_similarity_analytic(a, b, value):
    assert vsa.similarity(a, b) == pytest.approx(value, abs=1e-12)


def test_similarity_of_random_symbols():
    """Mean 0 and variance 1/(2n): within 5 standard errors over 2,000 independent pairs."""
    n, pairs = 64, 2000
    a, b = vsa.random(2 * pairs, n, seed=1).reshape(2, pairs, n)
    s = vsa.similarity(a, b)
    variance = 1 / (2 * n)
    assert abs(s.mean()) < 5 * math.sqrt(variance / pairs)
    assert abs(s.var() / variance - 1) < 5 * math.sqrt(2 / pairs)
    assert vsa.similarity(a, vsa.bind(a, b)).std() == pytest.approx(math.sqrt(variance), rel=0.1)


def test_bundle_of_k_random_symbols_resembles_each():
    """A phasor among many: the expected cosine with their sum is sqrt(pi / 4k) for large k."""
    k, n = 30, 20000
    symbols = vsa.random(k, n, seed=2)
    s = vsa.similarity(symbols, vsa.bundle(symbols))
    assert s.mean() == pytest.approx(math.sqrt(math.pi / (4 * k)), rel=0.03)


def test_random_is_uniform_and_seeded():
    drawn = vsa.random(100, 100, seed=3)
    assert drawn.shape == (100, 100)
    assert np.all((drawn >= -1) & (drawn < 1))
    counts, _ = np.histogram(drawn, bins=10, range=(-1, 1))
    np.testing.assert_allclose(counts, 1000, atol=5 * math.sqrt(900))
    np.testing.assert_array_equal(drawn, vsa.random(100, 100, seed=3))
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(drawn, vsa.random(100, 100, seed=rng))
    assert not np.array_equal(drawn, vsa.random(100, 100, seed=rng))


def test_role_filler_record():
    """The textbook use: bundle bound pairs, then ask for a role's filler in a clean-up memory."""
    roles, fillers = vsa.random(10, 512, seed=4).reshape(2, 5, 512)
    record = vsa.bundle(vsa.bind(roles, fillers))
    answers = vsa.unbind(record, roles)
    matches = vsa.similarity(answers[:, None], fillers[None])
    np.testing.assert_array_equal(matches.argmax(axis=1), np.arange(5))


@given(symbols, symbols)
@few
def test_vectors_keep_similarity_as_dot_product(a, b):
    u, v = vsa.to_vector(a), vsa.to_vector(b)
    assert u.shape == (2, 10)
    np.testing.assert_allclose(np.linalg.norm(u, axis=-1), 1)
    np.testing.assert_allclose(np.sum(u * v, axis=-1), vsa.similarity(a, b), atol=1e-9)
    assert_same_phasors(vsa.from_vector(3 * u), phasors(a))


def test_vectors_are_real_then_imaginary_parts():
    np.testing.assert_allclose(
        vsa.to_vector([0, 0.5, nan, 1]), np.array([1, 0, 0, -1, 0, 1, 0, 0]) / 2, atol=1e-12
    )
    np.testing.assert_allclose(vsa.from_vector([1, 0, 0, 0, 1, 0]), [0, 0.5, nan])


def test_a_vector_of_odd_length_is_an_error():
    with pytest.raises(ValidationError, match=r"vector.*2n.*\(3,\).*as to_vector does"):
        vsa.from_vector(np.ones(3))


def test_importing_it_leaves_nengo_spa_alone():
    code = "import sys, nengo_phasor.vsa; sys.exit('nengo_spa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

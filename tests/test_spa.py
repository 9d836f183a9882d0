import copy
import importlib
import itertools
import os
import pickle
import subprocess
import sys
from pathlib import Path

import nengo
import numpy as np
import pytest

import nengo_phasor
from nengo_phasor import vsa


@pytest.fixture
def algebra():
    pytest.importorskip("nengo_spa")
    from nengo_phasor.spa import FhrrAlgebra

    return FhrrAlgebra()


@pytest.fixture
def pair():
    """Two symbols of 8 phases."""
    return vsa.random(2, 8, seed=0)


# --- nengo_spa's own tests ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "modules",
    [
        pytest.param(
            (
                "algebras",
                "tests.test_semantic_pointer",
                "tests.test_vocabulary",
                "modules.tests.test_superposition",
            ),
            id="algebra",
        ),
        pytest.param(("modules", "ast"), id="networks", marks=pytest.mark.slow),
    ],
)
def test_nengo_spas_own_tests_pass(modules, algebra, tmp_path):
    """All of its tests that take an algebra, with FHRR in place of its own algebras."""
    (tmp_path / "fhrr_only.py").write_text(
        "from nengo_spa.conftest import TestConfig\n"
        "from nengo_phasor.spa import FhrrAlgebra\n"
        "TestConfig.algebras = [FhrrAlgebra()]\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    paths = [str(tmp_path), str(Path(nengo_phasor.__file__).parents[1])]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-c", "pytest.ini", "-p", "fhrr_only", "-k", "FhrrAlgebra", "--pyargs"]
    run = subprocess.run(
        command + [f"nengo_spa.{module}" for module in modules],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    # pytest's exit code is not 0 if a test fails, and if none was selected.
    assert run.returncode == 0, run.stdout + run.stderr


# --- against the algebra on phases ----------------------------------------------------------------


def test_binding_is_that_of_phases(algebra, pair):
    a, b = vsa.to_vector(pair)
    np.testing.assert_allclose(algebra.bind(a, b), vsa.to_vector(vsa.bind(*pair)), atol=1e-12)
    np.testing.assert_allclose(algebra.invert(a), vsa.to_vector(vsa.inverse(pair[0])), atol=1e-12)
    np.testing.assert_allclose(algebra.bind(algebra.bind(a, b), algebra.invert(b)), a, atol=1e-12)


def test_superposition_is_that_of_phases(algebra, pair):
    total = algebra.superpose(*vsa.to_vector(pair))
    np.testing.assert_allclose(vsa.from_vector(total), vsa.bundle(pair), atol=1e-12)


@pytest.mark.parametrize("exponent", [-2, -0.5, 0, 0.3, 1, 2.7, 5])
def test_binding_power_is_that_of_phases(algebra, pair, exponent):
    np.testing.assert_allclose(
        algebra.binding_power(vsa.to_vector(pair[0]), exponent),
        vsa.to_vector(vsa.power(pair[0], exponent)),
        atol=1e-12,
    )


def test_make_unitary_keeps_the_phases(algebra, pair):
    lengths = np.random.default_rng(1).uniform(0.1, 2, 8)
    v = vsa.to_vector(pair[0])
    np.testing.assert_allclose(algebra.make_unitary(np.tile(lengths, 2) * v), v)
    np.testing.assert_allclose(algebra.make_unitary(np.zeros(16)), algebra.identity_element(16))


# --- odd dimensions: phasors and one real number --------------------------------------------------


def test_the_last_of_odd_dimensions_is_a_real_number(algebra):
    """By hand, d = 3: a phasor (v_0 + i v_2) and a number v_1, both times sqrt(2)."""
    a, b = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    product = (1 + 3j) * (4 + 6j)
    expected = np.sqrt(2) * np.array([product.real, 10, product.imag])
    np.testing.assert_allclose(algebra.bind(a, b), expected)
    np.testing.assert_allclose(algebra.invert(a), [1, 2, -3])
    np.testing.assert_allclose(
        algebra.make_unitary(-a), -np.array([1 / np.sqrt(10), 1, 3 / np.sqrt(10)]) / np.sqrt(2)
    )


def test_a_negative_real_number_has_no_fractional_power(algebra):
    v = np.array([1.0, -1.0, 0.0])
    with pytest.raises(ValueError, match=r"number 1 of 3.*not negative"):
        algebra.binding_power(v, 0.5)
    np.testing.assert_allclose(algebra.binding_power(v, 2), algebra.bind(v, v))
    root = algebra.binding_power(-v[::-1], 0.5)
    np.testing.assert_allclose(algebra.bind(root, root), -v[::-1], atol=1e-12)


# --- matrices, networks ---------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 7, 16])
def test_binding_matrix(algebra, d):
    a, b = np.random.default_rng(2).normal(size=(2, d))
    for swap in (False, True):
        matrix = algebra.get_binding_matrix(b, swap_inputs=swap)
        np.testing.assert_allclose(matrix @ a, algebra.bind(a, b))


@pytest.mark.parametrize("d", [5, 6])
@pytest.mark.parametrize(("left", "right"), itertools.product([False, True], repeat=2))
def test_binding_network_is_exact_without_neurons(algebra, d, left, right):
    a, b = np.random.default_rng(3).normal(size=(2, d))
    with nengo.Network() as model:
        model.config[nengo.Ensemble].neuron_type = nengo.Direct()
        net, inputs, output = algebra.implement_binding(10, d, left, right)
        for vector, node in zip((a, b), inputs, strict=True):
            nengo.Connection(nengo.Node(vector), node, synapse=None)
        probe = nengo.Probe(output)
    assert model.networks == [net]
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run_steps(5)
    expected = algebra.bind(algebra.invert(a) if left else a, algebra.invert(b) if right else b)
    np.testing.assert_allclose(sim.data[probe][-1], expected)


def test_binding_network_of_neurons(algebra):
    """Similarity of a network's output with the true binding, for unitary vectors."""
    a, b = vsa.to_vector(vsa.random(2, 4, seed=5))
    with nengo.Network(seed=5) as model:
        _, inputs, output = algebra.implement_binding(100, 8, False, False)
        for vector, node in zip((a, b), inputs, strict=True):
            nengo.Connection(nengo.Node(vector), node, synapse=None)
        probe = nengo.Probe(output, synapse=0.03)
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run(0.2)
    assert sim.data[probe][-1] @ algebra.bind(a, b) == pytest.approx(1, abs=0.15)


# --- properties and signs -------------------------------------------------------------------------


@pytest.mark.parametrize("d", [15, 16])
def test_created_vectors_have_their_properties(algebra, d):
    from nengo_spa.algebras import CommonProperties

    unitary, positive = CommonProperties.UNITARY, CommonProperties.POSITIVE
    rng = np.random.RandomState(6)
    plain = algebra.create_vector(d, set(), rng=rng)
    assert np.linalg.norm(plain) == pytest.approx(1)
    assert algebra.sign(plain).is_indefinite()

    v = algebra.create_vector(d, {unitary}, rng=rng)
    assert np.linalg.norm(algebra.bind(plain, v)) == pytest.approx(1)
    np.testing.assert_allclose(
        algebra.bind(v, algebra.invert(v)), algebra.identity_element(d), atol=1e-12
    )

    v = algebra.create_vector(d, {positive}, rng=rng)
    assert algebra.sign(v).is_positive()
    assert np.linalg.norm(v) == pytest.approx(1)

    with pytest.warns(UserWarning, match="use 'unitary' alone"):
        v = algebra.create_vector(d, {unitary, positive}, rng=rng)
    np.testing.assert_allclose(v, algebra.identity_element(d))


def test_unknown_property(algebra):
    with pytest.raises(ValueError, match=r"\['sparse'\]; valid are \['positive', 'unitary'\]"):
        algebra.create_vector(16, {"unitary", "sparse"})


@pytest.mark.parametrize(
    ("v", "sign"),
    [
        ([1, 0, 0, 0], 1),
        ([1, 2, 0, 0], 1),
        ([-1, -2, 0, 0], -1),
        ([-1, 2, 0, 0], None),
        ([1, 1, 0, 0.5], None),
        ([0, 0, 0, 0], 0),
    ],
)
def test_sign_and_abs(algebra, v, sign):
    found = algebra.sign(np.array(v, dtype=float))
    assert found.sign == sign
    magnitudes = np.hypot(v[:2], v[2:])
    np.testing.assert_allclose(algebra.abs(np.array(v)), [*magnitudes, 0, 0])
    if sign is None:
        with pytest.raises(NotImplementedError):
            found.to_vector(4)
    else:
        # What the sign stands for: bound to the absolute vector it gives the vector back.
        np.testing.assert_allclose(algebra.bind(found.to_vector(4), algebra.abs(np.array(v))), v)


def test_no_absorbing_element(algebra):
    with pytest.raises(NotImplementedError, match="no absorbing element"):
        algebra.absorbing_element(16)


@pytest.mark.parametrize(
    ("d", "valid"), [(-2, False), (0, False), (1, True), (15, True), (16, True)]
)
def test_valid_dimensionalities(algebra, d, valid):
    assert algebra.is_valid_dimensionality(d) is valid


@pytest.mark.parametrize("other", [15, 17])
def test_binding_vectors_of_different_lengths_is_an_error(algebra, other):
    """Also where they have as many phasors: 15 and 16 dimensions."""
    with pytest.raises(ValueError, match=rf"b: needs shape \(16,\), got \({other},\)"):
        algebra.bind(np.ones(16), np.ones(other))


# --- in use ---------------------------------------------------------------------------------------


def test_there_is_one_instance(algebra):
    assert type(algebra)() is algebra
    assert copy.deepcopy(algebra) is algebra
    assert pickle.loads(pickle.dumps(algebra)) is algebra


def test_vocabulary_of_unitary_pointers(algebra):
    import nengo_spa
    from nengo_spa.vector_generation import UnitaryVectors

    vocab = nengo_spa.Vocabulary(
        128, pointer_gen=UnitaryVectors(128, algebra, rng=np.random.RandomState(7)), algebra=algebra
    )
    vocab.populate("A; B; C; D")
    answer = vocab.parse("(A * B + C * D) * ~A")
    assert answer.compare(vocab["B"]) > 0.6
    assert abs(answer.compare(vocab["D"])) < 0.3
    assert (vocab["A"] ** 0.5 * vocab["A"] ** 0.5).compare(vocab["A"]) == pytest.approx(1)


def test_without_nengo_spa_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nengo_spa.algebras", None)
    monkeypatch.delitem(sys.modules, "nengo_phasor.spa", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'nengo-spa>=2\.0'"):
        importlib.import_module("nengo_phasor.spa")

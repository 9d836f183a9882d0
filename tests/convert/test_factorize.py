"""Factors of matrices, and networks that are made deep by them."""

import sys

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import AdaptiveSpiking, PhaseEncoder, ResonateAndFire, SurrogateLIF
from nengo_phasor.convert import deepen, factorize
from nengo_phasor.convert.deepening import size
from nengo_phasor.convert.factorize import FACTORIZATIONS, product

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


# ----------------------------------------------------------------------------------------- factors


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
        ([1.0, 2.0], {}, r"matrix: has shape \(2,\), needs two dimensions"),
        (np.zeros((0, 3)), {}, r"matrix: has shape \(0, 3\)"),
        ([["a"]], {}, "matrix: is of type .*, needs real numbers"),
        ([[1j]], {}, "matrix: is of type complex128, needs real numbers"),
        ([[1.0, np.nan]], {}, r"matrix: has nan at \(0, 1\): make all its values finite"),
        ([[np.inf], [0.0]], {}, r"matrix: has inf at \(0, 0\)"),
        (np.zeros((2, 2)), {}, "matrix: is zero, there is nothing to factorise"),
        (np.ones((2, 3)), {}, r"matrix: is singular: .* rank 1, .*; give rank=1 or less"),
        (np.ones((2, 3)), {"rank": 2}, "rank: is 2, must be from 1 to 1"),
        (np.eye(3), {"rank": 0}, "rank: is 0, must be from 1 to 3"),
        (np.eye(3), {"rank": 1.5}, "rank: is 1.5, must be from 1 to 3"),
        (np.eye(3), {"method": "nmf", "rank": 4}, "rank: is 4, must be from 1 to 3"),
        (np.eye(3), {"method": "lu"}, "method: is 'lu'; choose from plu, qr, svd, nmf"),
        (np.eye(3), {"depth": 4}, "depth: is 4, plu gives 2 to 3"),
        (np.eye(3), {"method": "qr", "depth": 3}, "depth: is 3, qr gives 2 to 2"),
        (np.eye(3), {"method": "svd", "depth": 1}, "depth: is 1, svd gives any number from 2"),
        (-np.eye(3), {"method": "nmf"}, "matrix: has values down to -1, nmf needs"),
        ([[0.0, 1, 0], [0, 0, 1]], {"rank": 2}, "no plu of rank 2 .*; use qr or svd"),
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
        match=r"factors: don't chain: number 2 has shape \(3, 2\), so number 1 has to end in 3, "
        "not 4, columns",
    ):
        product([np.eye(2), np.ones((2, 4)), np.ones((3, 2))])


@pytest.mark.parametrize(("method", "module"), [("plu", "scipy"), ("nmf", "sklearn")])
def test_missing_modules_are_named(method, module, monkeypatch):
    for name in ("scipy.linalg", "sklearn.decomposition"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"^{module} is not installed. Run: pip install"):
        factorize(np.eye(2), method)


# ---------------------------------------------------------------------------------------- networks

N_IN, N_OUT = 4, 6
DRIVE = np.array([60.0, 0.0, 100.0, 35.0])
"""What the presynaptic neurons send, in Hz."""


def shallow(weights, synapse=None, neuron_type=None, source="neurons", seed=1):
    """A network with a connection to be deepened, whose other parts have random parameters."""
    neuron_type = nengo.RectifiedLinear() if neuron_type is None else neuron_type
    n_out, n_in = np.shape(weights)
    with nengo.Network(seed=seed) as net:
        net.stimulus = nengo.Node(DRIVE[:n_in])
        net.part = nengo.Network()
        with net.part:
            if source == "neurons":
                net.pre = nengo.Ensemble(
                    n_in, 1, neuron_type=neuron_type, gain=np.ones(n_in), bias=np.zeros(n_in)
                )
                nengo.Connection(net.stimulus, net.pre.neurons, synapse=None)
                pre = net.pre.neurons
            else:
                pre = net.pre = nengo.Node(size_in=n_in)
                nengo.Connection(net.stimulus, pre, synapse=None)
            net.post = nengo.Ensemble(
                n_out, 1, neuron_type=neuron_type, gain=np.ones(n_out), bias=np.full(n_out, 20.0)
            )
            net.connection = nengo.Connection(
                pre, net.post.neurons, transform=weights, synapse=synapse
            )
        net.other = nengo.Ensemble(20, 1)
        nengo.Connection(net.post.neurons, net.other.neurons[:n_out], transform=0.01)
        net.output = nengo.Probe(net.post.neurons)
        net.decoded = nengo.Probe(net.other, synapse=0.01)
    return net


def run(network, *probes, seconds=0.01, dt=0.001):
    with nengo.Simulator(network, dt=dt, progress_bar=False) as sim:
        sim.run(seconds)
    return [sim.data[probe] for probe in probes]


def cases():
    """Methods with ways to handle negatives, depths and ranks."""
    for method in EXACT:
        for negatives in ("pairs", "biases"):
            yield method, {"negatives": negatives}
            yield method, {"negatives": negatives, "rank": 2, "max_rate": 80.0}
    yield "nmf", {}
    yield "plu", {"negatives": "biases", "depth": 3, "max_rate": 200.0}
    yield "svd", {"negatives": "pairs", "depth": 4, "max_rate": 50.0}
    yield "svd", {"negatives": "biases", "depth": 4, "max_rate": 50.0}


@pytest.mark.parametrize(("method", "options"), cases())
@pytest.mark.parametrize("source", ["neurons", "node"])
@pytest.mark.parametrize("amplitude", [1.0, 0.5])
def test_rate_network_computes_the_same(method, options, source, amplitude):
    """Against the matrix in NumPy; whatever rank, sign, gain or amplitude."""
    signed = method != "nmf"
    if not signed and source == "node":
        options = {**options, "negatives": "pairs"}  # a node can be negative
    weights = some_matrix((N_OUT, N_IN), 5, rank=options.get("rank"), signed=signed)
    net = shallow(weights, source=source)
    neurons = nengo.RectifiedLinear(amplitude)
    deep, new, _ = deepen(
        net, net.connection, method, max_input=100.0, neuron_type=neurons, **options
    )
    expected = np.maximum(weights @ DRIVE + 20, 0)
    (found,) = run(deep, new[net.output])
    assert_allclose(found[-1], expected, atol=0.01 if method == "nmf" else 1e-9)
    (before,) = run(net, net.output)
    assert_allclose(before[-1], expected)


@settings(max_examples=15, deadline=None)
@given(
    shape=shapes,
    seed=seeds,
    method=st.sampled_from(EXACT),
    negatives=st.sampled_from(["pairs", "biases"]),
)
def test_chain_is_exact_for_any_input(shape, seed, method, negatives):
    """Inputs up to max_input, those that a node can have: of either sign."""
    weights = some_matrix(shape, seed)
    rng = np.random.RandomState(seed)
    inputs = 100 * rng.choice([-1, -0.3, 0, 0.7, 1], (5, shape[1]))
    with nengo.Network() as net:
        pre = nengo.Node(nengo.processes.PresentInput(inputs, 0.001))
        post = nengo.Ensemble(
            shape[0],
            1,
            neuron_type=nengo.RectifiedLinear(),
            gain=np.ones(shape[0]),
            bias=np.zeros(shape[0]),
        )
        connection = nengo.Connection(pre, post.neurons, transform=weights, synapse=None)
        probe = nengo.Probe(post.neurons)
    deep, new, _ = deepen(
        net,
        connection,
        method,
        negatives=negatives,
        max_input=100,
        neuron_type=nengo.RectifiedLinear(),
    )
    (found,) = run(deep, new[probe], seconds=0.005)
    assert_allclose(found, np.maximum(inputs @ weights.T, 0), atol=1e-8)


@pytest.mark.parametrize("negatives", ["pairs", "biases"])
def test_hidden_rates_reach_max_rate_and_no_more(negatives):
    """At every corner of the inputs' range."""
    weights = some_matrix((N_OUT, N_IN), 8)
    net = shallow(weights)
    corners = 100.0 * (np.arange(16)[:, None] // 2 ** np.arange(4) % 2)
    net.stimulus.output = nengo.processes.PresentInput(corners, 0.001)
    deep, new, _ = deepen(
        net,
        net.connection,
        "svd",
        depth=3,
        negatives=negatives,
        max_input=100,
        max_rate=40,
        neuron_type=nengo.RectifiedLinear(0.1),
    )
    with deep:
        probes = [nengo.Probe(layer.neurons) for layer in new[net.connection].layers]
    for seen in run(deep, *probes, seconds=0.016):
        assert_allclose(seen.max(axis=0), 4.0)  # amplitude times rate
        assert seen.min() >= 0


def test_pairs_only_where_both_signs_occur():
    """A unit that is never positive is one neuron, of the other sign."""
    weights = np.array([[2.0, 1.0], [1.0, 3.0], [-1.0, 1.0]])
    net = shallow(weights)
    deep, new, _ = deepen(
        net, net.connection, "qr", negatives="pairs", neuron_type=nengo.RectifiedLinear()
    )
    (layer,) = new[net.connection].layers
    signs = [{np.sign(value) for value in row if value} for row in factorize(weights, "qr")[1]]
    assert {-1.0} in signs, "the test needs a unit that is never positive"
    assert layer.n_neurons == sum(map(len, signs))
    (found,) = run(deep, new[net.output])
    assert_allclose(found[-1], np.maximum(weights @ DRIVE[:2] + 20, 0))


def test_spikes_keep_their_mean():
    """Integrate-and-fire without reset losses: the currents, over 2 s, are off by a few spikes."""
    weights = some_matrix((N_OUT, N_IN), 5)
    net = shallow(weights, neuron_type=SurrogateLIF(tau_rc=None))
    deep, new, _ = deepen(
        net,
        net.connection,
        negatives="biases",
        max_input=100,
        neuron_type=SurrogateLIF(tau_rc=None),
    )
    (spikes,) = run(deep, new[net.output], seconds=2.0, dt=0.0005)
    assert_allclose(spikes.mean(axis=0), np.maximum(weights @ DRIVE + 20, 0), atol=3)


@pytest.mark.parametrize("sign", [1, -1])
def test_pairs_of_rectifying_neurons_follow_a_swinging_sign(sign):
    """What the pairs send in either direction is the integral of the input, within two spikes."""
    with nengo.Network() as net:
        pre = nengo.Node(lambda t: 200 * np.sin(20 * t))
        post = nengo.Ensemble(1, 1, neuron_type=nengo.RectifiedLinear(), gain=[1], bias=[10_000])
        connection = nengo.Connection(pre, post.neurons, transform=[[sign]], synapse=None)
        probe = nengo.Probe(post.neurons)
    deep, new, _ = deepen(net, connection, "svd", negatives="pairs")
    (seen,) = run(deep, new[probe], seconds=1.0)
    t = 0.001 * np.arange(1, 1001)
    integral = sign * np.cumsum(200 * np.sin(20 * t)) * 0.001
    assert np.abs(np.cumsum(seen[:, 0] - 10_000) * 0.001 - integral).max() < 2


def test_synapses_and_structure():
    weights = some_matrix((N_OUT, N_IN), 5)
    net = shallow(weights, synapse=0.02)
    deep, new, _ = deepen(
        net, net.connection, depth=3, negatives="biases", max_input=100, synapse=nengo.Alpha(0.005)
    )
    chain = new[net.connection]
    assert [type(link.synapse) for link in chain.links] == [nengo.Alpha, nengo.Alpha, nengo.Lowpass]
    assert chain.links[-1].synapse.tau == 0.02
    assert chain in new[net.part].networks
    assert [layer.n_neurons for layer in chain.layers] == [4, 6]
    assert all(isinstance(e.neuron_type, nengo.SpikingRectifiedLinear) for e in chain.layers)
    (bias,) = (c for c in chain.connections if c not in chain.links)
    assert bias.synapse == chain.links[-1].synapse
    assert new[net.pre] is deep.pre is not net.pre
    assert new[net.connection].links[-1].post == deep.post.neurons


def test_network_is_not_changed_and_the_rest_of_the_copy_is_the_same():
    """Random gains, encoders and decoders stay, though objects come before them."""
    weights = some_matrix((N_OUT, N_IN), 5)
    net = shallow(weights, seed=None)
    net.seed = 12
    objects = list(net.all_objects)
    seeds = [obj.seed for obj in objects]
    (before,) = run(net, net.decoded, seconds=0.1)
    deep, new, _ = deepen(
        net, net.connection, negatives="pairs", neuron_type=nengo.RectifiedLinear()
    )
    assert net.all_objects == objects
    assert [obj.seed for obj in objects] == seeds
    (after,) = run(deep, new[net.decoded], seconds=0.1)
    assert_allclose(after, before, atol=1e-9)
    assert not set(deep.all_objects) & set(objects)


def test_slices_stay():
    weights = some_matrix((3, 2), 5)
    net = shallow(np.eye(N_OUT)[:, :N_IN])
    with net.part:
        connection = nengo.Connection(
            net.pre.neurons[[3, 1]], net.post.neurons[1:4], transform=weights, synapse=None
        )
    deep, new, _ = deepen(net, connection, negatives="pairs", neuron_type=nengo.RectifiedLinear())
    (before,), (after,) = run(net, net.output), run(deep, new[net.output])
    assert_allclose(after, before)


def test_weights_still_to_be_drawn():
    net = shallow(np.eye(N_OUT)[:, :N_IN])
    net.connection.transform = nengo.Dense((N_OUT, N_IN), nengo.dists.Uniform(-1, 1))
    deep, new, report = deepen(
        net, net.connection, negatives="pairs", neuron_type=nengo.RectifiedLinear()
    )
    (before,), (after,) = run(net, net.output), run(deep, new[net.output])
    assert report.error < 1e-12
    assert_allclose(after, before)


# ------------------------------------------------------------------------------------------ counts


def counted(network):
    """Neurons, synapses, those that are not 0, and parameters, by loops over what Nengo builds."""
    model = nengo.builder.Model()
    model.build(network)
    neurons = synapses = nonzero = parameters = 0
    for ensemble in network.all_ensembles:
        neurons += ensemble.n_neurons
        parameters += ensemble.n_neurons
    for connection in network.all_connections:
        at_neurons = isinstance(connection.post_obj, nengo.ensemble.Neurons)
        weights = model.params[connection].weights
        one_to_one = np.ndim(weights) == 0
        of_neurons = at_neurons or isinstance(connection.pre_obj, nengo.ensemble.Neurons)
        parameters += 0 if weights is None or not of_neurons else np.size(weights)
        for row in range(connection.size_out):
            for column in range(connection.size_in):
                if one_to_one and row != column:
                    continue
                value = 1 if one_to_one else weights[row, column]
                synapses += at_neurons
                nonzero += at_neurons and value != 0
    return neurons, synapses, nonzero, parameters


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("negatives", ["pairs", "biases"])
def test_report_counts(method, negatives):
    weights = some_matrix((N_OUT, N_IN), 5, signed=method != "nmf")
    weights[0] = 0
    net = shallow(weights)
    deep, _, report = deepen(net, net.connection, method, negatives=negatives, max_input=100)
    for network, found in ((net, report.before), (deep, report.after)):
        expected = counted(network)
        assert expected == (
            found.neurons,
            found.synapses,
            found.nonzero_synapses,
            found.parameters,
        )
        assert found.rank == 4
    assert report.error < (0.01 if method == "nmf" else 1e-12)


def test_report_of_a_lower_rank():
    weights = some_matrix((N_OUT, N_IN), 5)
    net = shallow(weights)
    _, _, report = deepen(net, net.connection, "svd", rank=2, negatives="pairs")
    assert (report.before.rank, report.after.rank) == (4, 2)
    assert report.error == pytest.approx(np.sqrt(2 / 10))  # singular values 2, 2 and 1, 1


def test_size_of_convolutions_and_sparse_weights():
    """A convolution's parameters are its kernel's, its synapses are at every place."""
    with nengo.Network() as net:
        pixels = nengo.Node(np.zeros(25))
        maps = nengo.Ensemble(2 * 9, 1)
        convolution = nengo.Convolution(2, (5, 5, 1), kernel_size=(3, 3))
        nengo.Connection(pixels, maps.neurons, transform=convolution)
        nengo.Connection(pixels, nengo.Node(size_in=25), transform=2)  # of no neurons
        nengo.Connection(maps.neurons, maps.neurons, transform=2)
        nengo.Connection(maps.neurons, nengo.Node(size_in=4), transform=np.ones((4, 18)))
        sparse = nengo.Sparse((18, 25), indices=[(0, 0), (3, 7)], init=[1.0, 0.0])
        nengo.Connection(pixels, maps.neurons, transform=sparse)
    found = size(net, 1)
    assert found.synapses == 18 * 9 + 2 + 18
    assert found.nonzero_synapses == 18 * 9 + 1 + 18
    assert found.parameters == 2 * 9 + 2 + 1 + 4 * 18 + 18


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "negatives: is 'refuse', but . of 4 units of hidden layer 1 can be negative.*'pairs'"),
        ({}, "'biases' are biases, .* max_input; and the method 'nmf'"),
        ({"negatives": "opponent"}, "negatives: is 'opponent'; choose from refuse, pairs, biases"),
        ({"negatives": "biases"}, "max_input: is needed by negatives='biases': give the largest"),
        ({"negatives": "pairs", "max_rate": 80}, "max_input: is needed by max_rate"),
        ({"negatives": "pairs", "max_input": -1}, "max_input: must be a number greater than 0"),
        ({"negatives": "pairs", "max_input": 1, "max_rate": "fast"}, "max_rate: must be a number"),
        ({"neuron_type": nengo.LIF()}, r"neuron_type: LIF\(\) is not integrate-and-fire.*Spiking"),
        ({"neuron_type": SurrogateLIF()}, "neuron_type: SurrogateLIF.* is not integrate-and-fire"),
        ({"neuron_type": AdaptiveSpiking()}, "neuron_type: AdaptiveSpiking.* is not integrate-and"),
        ({"neuron_type": nengo.LIF}, "neuron_type: must be neurons, .*got <class .*LIF'>"),
        ({"neuron_type": nengo.Tanh()}, "neuron_type: Tanh.* is not integrate-and-fire"),
        ({"method": "nmf"}, "matrix: has values down to -.*, nmf needs"),
        ({"rank": 5}, "rank: is 5, must be from 1 to 4"),
    ],
)
def test_refused_options(options, message):
    net = shallow(some_matrix((N_OUT, N_IN), 5))
    with pytest.raises(ValidationError, match=message):
        deepen(net, net.connection, **options)


def test_phase_coding_neurons_are_refused():
    net = shallow(np.eye(3))
    with pytest.raises(nengo.exceptions.BuildError, match="has no firing rate"):
        deepen(net, net.connection, neuron_type=ResonateAndFire())


def refused_connections():
    def foreign(net):
        with nengo.Network(add_to_container=False):
            return shallow(np.eye(3)).connection

    def decoded(net):
        return nengo.Connection(net.other, net.post.neurons, transform=np.ones((N_OUT, 1)))

    def encoded(net):
        return nengo.Connection(net.pre.neurons, net.other, transform=np.ones((1, N_IN)))

    def function(net):
        return nengo.Connection(
            net.stimulus, net.post.neurons, function=lambda x: x, transform=np.ones((N_OUT, N_IN))
        )

    def learning(net):
        return nengo.Connection(
            net.pre.neurons,
            net.post.neurons,
            transform=np.ones((N_OUT, N_IN)),
            learning_rule_type=nengo.BCM(),
        )

    def probed(net):
        nengo.Probe(net.connection, "weights")
        return net.connection

    def scalar(net):
        return nengo.Connection(net.pre.neurons, net.post.neurons[:N_IN], transform=2)

    def sparse(net):
        transform = nengo.Sparse((N_OUT, N_IN), indices=[(0, 0)], init=[1.0])
        return nengo.Connection(net.pre.neurons, net.post.neurons, transform=transform)

    return {
        foreign: "is not in <Network",
        decoded: "has to come from neurons or a node",
        encoded: "has to end at neurons",
        function: "computes a function",
        learning: "learns",
        probed: "is probed",
        scalar: "has no dense weight matrix",
        sparse: "has no dense weight matrix",
    }


def test_refuses_what_is_no_connection():
    net = shallow(some_matrix((N_OUT, N_IN), 5))
    with pytest.raises(ValidationError, match=r"connection: must be a nengo\.Connection, got 'w'"):
        deepen(net, "w")


@pytest.mark.parametrize(("make", "message"), refused_connections().items())
def test_refused_connections(make, message):
    net = shallow(some_matrix((N_OUT, N_IN), 5))
    with net:
        connection = make(net)
    with pytest.raises(ValidationError, match=f"connection: .*{message}"):
        deepen(net, connection)


def test_conversion_at_a_finer_step():
    """Weights, seeds and sizes don't depend on dt: what is meant for 0.1 ms converts."""

    def network(frequency):
        with nengo.Network(seed=0) as net:
            kind = {"neuron_type": nengo.SpikingRectifiedLinear(), "bias": np.zeros(3)}
            a, b = (nengo.Ensemble(3, 1, gain=np.ones(3), **kind) for _ in range(2))
            weights = np.random.RandomState(0).rand(3, 3) + np.eye(3)
            net.link = nengo.Connection(a.neurons, b.neurons, transform=weights)
            phases = nengo.Node([0.3])
            nengo.Connection(phases, nengo.Node(size_in=1), synapse=PhaseEncoder(frequency))
            nengo.Connection(a, b, function=np.square)  # whose decoders are solved for
        return net

    (fast, _, report), (_, _, expected) = (
        deepen(net, net.link) for net in map(network, (1000.0, 10.0))
    )
    assert report == expected
    nengo.Simulator(fast, dt=1e-4, progress_bar=False).close()


def test_seeds_are_those_of_a_network_that_was_built():
    """Every object of the deep network draws what it drew before."""
    with nengo.Network(seed=3) as net:
        a, b = (nengo.Ensemble(4, 1, neuron_type=nengo.SpikingRectifiedLinear()) for _ in range(2))
        link = nengo.Connection(a.neurons, b.neurons, transform=np.eye(4) + 0.1)
        node = nengo.Node(nengo.processes.WhiteNoise())
        nengo.Connection(node, a, synapse=0.01)
    with nengo.Simulator(net, progress_bar=False) as sim:
        _, new, _ = deepen(net, link)
    for obj in (a, b, node):
        assert new[obj].seed == sim.model.seeds[obj]

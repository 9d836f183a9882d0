"""Networks that are made deep by factors of their weights."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose

from nengo_phasor import AdaptiveSpiking, PhaseEncoder, ResonateAndFire, SurrogateLIF
from nengo_phasor.convert import deepen, factorize
from nengo_phasor.convert.deepening import size
from tests.convert.matrices import EXACT, METHODS, seeds, shapes, some_matrix

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
        ({"method": "nmf"}, "matrix: has values down to -.*, but nmf needs"),
        ({"rank": 5}, "rank: is 5, but must be from 1 to 4"),
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
        decoded: "must come from neurons or a node",
        encoded: "must end at neurons",
        function: "computes a function",
        learning: "learns",
        probed: "is probed",
        scalar: "needs a dense weight matrix",
        sparse: "needs a dense weight matrix",
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

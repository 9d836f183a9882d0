"""Operations, against brute force on the dense matrix of each transform as Nengo applies it."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import AdaptiveSpiking, energy, metrics

RNG = np.random.RandomState(0)


def holes(*shape, kept=0.6):
    """Random weights, some of them zero."""
    return RNG.uniform(0.5, 1, shape) * (RNG.rand(*shape) < kept)


def dense_matrix(transform, n):
    """The matrix of a transform on n inputs, found by showing each input alone to Nengo."""
    with nengo.Network(seed=0) as net:
        node = nengo.Node(nengo.processes.PresentInput(np.eye(n), 0.001))
        out = nengo.Node(size_in=getattr(transform, "size_out", n))
        nengo.Connection(node, out, transform=transform, synapse=None)
        probe = nengo.Probe(out)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(n)
    return sim.data[probe].T


def neurons(n):
    return nengo.Ensemble(
        n, 1, neuron_type=AdaptiveSpiking(), gain=np.ones(n), bias=np.zeros(n)
    ).neurons


def convolution(n_filters, shape, kernel, channels_last=True, groups=1, **settings):
    shape = nengo.transforms.ChannelShape(shape, channels_last)
    return nengo.Convolution(
        n_filters,
        shape,
        kernel_size=kernel,
        channels_last=channels_last,
        groups=groups,
        init=holes(*kernel, shape.n_channels // groups, n_filters),
        **settings,
    )


TRANSFORMS = {
    "none": (nengo.transforms.NoTransform(5), 5),
    "scalar": (nengo.Dense((5, 5), 0.5), 5),
    "diagonal": (nengo.Dense((5, 5), [0.5, 0, 1, 0, 2]), 5),
    "dense": (nengo.Dense((4, 5), holes(4, 5)), 5),
    "drawn": (nengo.Dense((4, 5), nengo.dists.Uniform(1, 2)), 5),
    "sparse": (nengo.Sparse((4, 5), [(0, 0), (3, 0), (1, 3), (2, 3)], [1, 2, 0, 3]), 5),
    "valid": (convolution(3, (5, 6, 2), (3, 2)), 60),
    "same": (convolution(3, (5, 6, 2), (3, 3), padding="same"), 60),
    "even kernel": (convolution(2, (5, 6, 1), (2, 4), padding="same"), 30),
    "strides": (convolution(2, (7, 6, 2), (3, 3), padding="same", strides=(2, 3)), 84),
    "1 x 1 strides": (convolution(3, (5, 5, 2), (1, 1), strides=(2, 2)), 50),
    "groups": (convolution(6, (4, 4, 4), (3, 3), padding="same", groups=2), 64),
    "channels first": (convolution(3, (2, 5, 6), (3, 3), False, strides=(2, 1)), 60),
    "one axis": (convolution(3, (7, 2), (3,), padding="same", strides=(2,)), 14),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_fan_out_and_multiply_accumulates_of_a_transform(name):
    transform, n = TRANSFORMS[name]
    matrix = dense_matrix(transform, n)
    with nengo.Network() as net:
        pre, post = neurons(n), neurons(len(matrix))
        nengo.Connection(pre, post, transform=transform)
    costs = energy.fan_out(net)
    assert_array_equal(costs[pre.ensemble], np.count_nonzero(matrix, axis=0))
    assert_array_equal(costs[post.ensemble], 0)
    multiplied = 0 if name == "none" else np.count_nonzero(matrix)
    assert energy.multiply_accumulates(net) == multiplied


def test_scipy_matrix():
    sparse = pytest.importorskip("scipy.sparse")
    matrix = holes(4, 5)
    with nengo.Network() as net:
        pre = neurons(5)
        nengo.Connection(
            pre, neurons(4), transform=nengo.Sparse((4, 5), init=sparse.csr_matrix(matrix))
        )
    assert_array_equal(energy.fan_out(net)[pre.ensemble], np.count_nonzero(matrix, axis=0))


def test_borders():
    """Corners, edges and middle of a 3 x 3 kernel, and their sum, by hand."""
    with nengo.Network() as net:
        pre, post = neurons(16), neurons(16)
        transform = nengo.Convolution(1, (4, 4, 1), padding="same")
        nengo.Connection(pre, post, transform=transform)
    edge = [6, 9, 9, 6]
    assert_array_equal(energy.fan_out(net)[pre.ensemble], [4, 6, 6, 4, *edge, *edge, 4, 6, 6, 4])
    assert energy.multiply_accumulates(net) == 100


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    same=st.booleans(),
    channels=st.integers(1, 3),
)
def test_any_convolution(size, kernel, strides, same, channels):
    if not same:
        size = tuple(map(max, size, kernel))
    padding = "same" if same else "valid"
    transform = convolution(2, (*size, channels), kernel, strides=strides, padding=padding)
    matrix = dense_matrix(transform, transform.size_in)
    with nengo.Network() as net:
        pre, post = neurons(transform.size_in), neurons(transform.size_out)
        nengo.Connection(pre, post, transform=transform)
    assert_array_equal(energy.fan_out(net)[pre.ensemble], np.count_nonzero(matrix, axis=0))


def residual():
    """Neurons -> sum -> scaled, to neurons; the sum goes on to another; slices; a read-out."""
    rng = np.random.RandomState(1)
    with nengo.Network() as net:
        net.first, net.second, net.third = neurons(4), neurons(3), neurons(3)
        net.sum_1, net.sum_2 = nengo.Node(size_in=3), nengo.Node(size_in=3)
        net.read_out = nengo.Node(size_in=2)
        net.links = [
            (net.first, net.sum_1, rng.randint(0, 2, (3, 4))),
            (net.sum_1, net.second, np.diag([1, 0, 1])),
            (net.sum_1, net.sum_2, rng.randint(0, 2, (3, 3))),
            (net.second, net.sum_2, rng.randint(0, 2, (3, 3))),
            (net.sum_2, net.third, np.eye(3, dtype=int)),
            (net.third, net.read_out, rng.randint(0, 2, (2, 3))),
        ]
        for pre, post, matrix in net.links:
            nengo.Connection(pre, post, transform=matrix * rng.uniform(-1, 1, matrix.shape))
        nengo.Connection(net.second[[0, 2, 2]], net.third[[1, 0, 2]], synapse=None)
        nengo.Connection(net.third[:2], net.sum_1[[2, 0]], synapse=None)
        nengo.Connection(net.second[1:], net.read_out[::-1], transform=[[1, 1], [0, 1]])
    net.links.append((net.second, net.third, np.array([[0, 0, 1], [1, 0, 0], [0, 0, 1]])))
    net.links.append((net.third, net.sum_1, np.array([[0, 1, 0], [0, 0, 0], [1, 0, 0]])))
    net.links.append((net.second, net.read_out, np.array([[0, 0, 1], [0, 1, 1]])))
    return net


def operations_of_a_spike(net, source, neuron):
    """Follow the spike along every weight, one at a time."""
    count, waiting = 0, [(source, neuron)]
    while waiting:
        obj, place = waiting.pop()
        for pre, post, matrix in net.links:
            if pre == obj:
                targets = np.flatnonzero(matrix[:, place])
                if post in (net.sum_1, net.sum_2):
                    waiting += [(post, target) for target in targets]
                else:
                    count += len(targets)
    return count


def test_relays_are_passed_and_read_outs_are_ends():
    net = residual()
    costs = energy.fan_out(net)
    for source in (net.first, net.second, net.third):
        by_hand = [operations_of_a_spike(net, source, k) for k in range(source.size_out)]
        assert sum(by_hand) > 3
        assert_array_equal(costs[source.ensemble], by_hand)
    weights = sum(np.count_nonzero(matrix) for *_, matrix in net.links)
    assert energy.multiply_accumulates(net) == weights - 5  # two connections have no transform


def test_spikes_add_up():
    net = residual()
    rng = np.random.RandomState(2)
    spikes = {
        x.ensemble: rng.rand(2, 20, x.size_out) < 0.3 for x in (net.first, net.second, net.third)
    }
    by_hand = [
        sum(
            operations_of_a_spike(net, ensemble.neurons, neuron)
            for ensemble, raster in spikes.items()
            for _, neuron in np.argwhere(raster[item])
        )
        for item in range(2)
    ]
    counts = {ens: metrics.spike_counts(raster * 1000.0) for ens, raster in spikes.items()}
    assert_allclose(energy.synaptic_operations(net, counts), by_hand)


def pooled():
    with nengo.Network() as net:
        net.pre, net.post = neurons(3), neurons(2)
        net.pool = nengo.Node(lambda t, x: np.maximum(x[:2], x[2:]), size_in=4, size_out=2)
        nengo.Connection(net.pre, net.pool, transform=np.ones((4, 3)))
        nengo.Connection(net.pool, net.post)
    return net


def test_spikes_end_at_nodes_that_compute():
    net = pooled()
    assert_array_equal(energy.fan_out(net)[net.pre.ensemble], [4, 4, 4])
    assert energy.neuron_updates(net, 100) == (3 + 4 + 2) * 100


def test_spikes_counted_behind_a_sparsifier():
    """What the relay did not get costs nothing, whatever the neurons sent."""
    with nengo.Network() as net:
        pre, post, relay = neurons(3), neurons(2), nengo.Node(size_in=3)
        nengo.Connection(pre, relay)
        nengo.Connection(relay, post, transform=[[1, 0, 1], [1, 1, 1]])
    sent = {pre.ensemble: np.full((1, 3), 7), post.ensemble: np.zeros((1, 2))}
    assert_array_equal(energy.synaptic_operations(net, sent), [7 * 5])
    sent[relay] = [[1, 0, 2]]
    assert_array_equal(energy.synaptic_operations(net, sent), [2 * 1 + 2 * 2])
    assert energy.neuron_updates(net, 10) == 50


def test_a_connection_that_has_no_fan_out():
    with nengo.Network() as net:
        a, b = nengo.Ensemble(5, 1), nengo.Ensemble(5, 1)
        nengo.Connection(a, b)
    with pytest.raises(BuildError, match=r"Connection from.*decodes"):
        energy.fan_out(net)
    with pytest.raises(BuildError, match="decodes"):
        energy.multiply_accumulates(net)
    with nengo.Network() as net:
        nengo.Connection(nengo.Node([1]), neurons(1), function=lambda x: x)
    with pytest.raises(BuildError, match="has a function"):
        energy.fan_out(net)
    with nengo.Network() as net:
        transform = nengo.transforms.ConvolutionTranspose(1, (4, 4, 1))
        nengo.Connection(neurons(16), neurons(transform.size_out), transform=transform)
    with pytest.raises(BuildError, match="ConvolutionTranspose"):
        energy.fan_out(net)


def test_relays_in_a_loop():
    with nengo.Network() as net:
        pre, a, b = neurons(1), nengo.Node(size_in=1, label="a"), nengo.Node(size_in=1, label="b")
        for ends in ((pre, a), (a, b), (b, a)):
            nengo.Connection(*ends)
    with pytest.raises(BuildError, match=r"relays in a loop.*circulate for ever"):
        energy.fan_out(net)


def test_counts_must_be_complete_and_fit():
    net = pooled()
    counts = {net.pre.ensemble: np.ones((2, 3)), net.post.ensemble: np.ones((2, 2))}
    assert_array_equal(energy.synaptic_operations(net, counts), [12, 12])
    with pytest.raises(ValidationError, match=r"counts.*lack .*Ensemble"):
        energy.synaptic_operations(net, {net.pre.ensemble: np.ones((2, 3))})
    with pytest.raises(ValidationError, match=r"needs shape \(n_items, 2\), got \(2, 5, 2\)"):
        energy.synaptic_operations(net, {**counts, net.post.ensemble: np.ones((2, 5, 2))})
    with pytest.raises(ValidationError, match="not an ensemble or node of the network"):
        energy.synaptic_operations(net, {**counts, nengo.Node([1], add_to_container=False): [[1]]})


def test_energy():
    """Loihi: 100 operations of 23.6 pJ, 10 updates of 81 pJ."""
    result = energy.energy({"synapse": 100, "update": 10}, "loihi")
    assert result.parts == pytest.approx({"synapse": 2360e-12, "update": 810e-12})
    assert result.total == pytest.approx(3170e-12)
    assert result.unpriced == ()
    items = energy.energy({"synapse": np.array([1, 2]), "update": 10}, "cmos_45nm_float32")
    assert_allclose(items.total, [0.9e-12, 1.8e-12])
    assert items.unpriced == ("update",)
    assert energy.energy({"mac": 1000}, "cmos_45nm_float32").total == pytest.approx(4.6e-9)
    own = energy.Device(1.0, 2.0, 3.0, "invented")
    assert energy.energy({"synapse": 1, "update": 1, "mac": 1}, own).total == 6


def test_energy_of_the_unknown():
    with pytest.raises(ValidationError, match=r"must be one of .*loihi.*got 'brain'"):
        energy.energy({"synapse": 1}, "brain")
    with pytest.raises(ValidationError, match=r"must be one of .*loihi.*got None"):
        energy.energy({"synapse": 1}, None)
    with pytest.raises(ValidationError, match=r"contain \['spike'\], but must be of kinds synapse"):
        energy.energy({"spike": 1}, "loihi")
    with pytest.raises(ValidationError, match=r"\['mac'\] have no energy figure on loihi"):
        energy.energy({"mac": 1}, "loihi")
    with pytest.raises(ValidationError, match="no energy"):
        energy.energy({}, "loihi")

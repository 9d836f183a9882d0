import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import Phasor, networks, phases


def forward(net, z, target):
    """The complex output of a network's part for the complex input z."""
    with nengo.Network(seed=0) as outer:
        outer.add(net)
        node = nengo.Node(np.concatenate([z.real, z.imag]))
        nengo.Connection(node, net.input, synapse=None)
        probe = nengo.Probe(target)
    with nengo.Simulator(outer, progress_bar=False) as sim:
        sim.run_steps(2)
    return phases.from_rows(sim.data[probe][-1]), sim


def phasors(n, seed=0):
    return np.exp(1j * np.pi * np.random.RandomState(seed).uniform(-1, 1, n))


# --- real weights ---------------------------------------------------------------------------------


def test_real_weights_multiply_complex_numbers():
    weights, z = np.random.RandomState(1).normal(size=(4, 3)), phasors(4)
    with nengo.Network() as net:
        node, relay = nengo.Node(np.concatenate([z.real, z.imag])), nengo.Node(size_in=6)
        transform = networks.real_weights(4, 3, weights)
        nengo.Connection(node, relay, transform=transform, synapse=None)
        probe = nengo.Probe(relay)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(1)
    assert_allclose(phases.from_rows(sim.data[probe][0]), z @ weights)


def test_initial_weights():
    transform = networks.real_weights(100, 400)
    weights = transform.sample(rng=np.random.RandomState(0))
    assert weights.shape == (1, 100, 400)
    assert abs(weights.mean()) < 4 * 0.1 / 200
    assert weights.std() == pytest.approx(0.1, rel=0.02)
    uniform = networks.real_weights(3, 2, nengo.dists.Uniform(4, 5))
    assert uniform.sample(rng=np.random.RandomState(0)).min() >= 4


@pytest.mark.parametrize("shape", [(3, 4), (12,), (1, 4, 3), (4, 4)])
def test_weights_of_another_shape(shape):
    with pytest.raises(
        ValidationError, match=r"init: has shape .*needs \(4, 3\), from \(size_in, size_out\)"
    ):
        networks.real_weights(4, 3, np.ones(shape))
    with pytest.raises(ValidationError, match=r"PhasorDense\.weights: .*needs \(4, 3\)"):
        networks.PhasorDense(4, 3, weights=np.ones(shape))
    with pytest.raises(ValidationError, match=r"PhasorDense\.bias: .*needs \(3,\)"):
        networks.PhasorDense(4, 3, bias=np.ones(shape))


@pytest.mark.parametrize("size", [0, -3, 2.0, "three", None])
@pytest.mark.parametrize(
    ("make", "attr"),
    [
        (lambda size: networks.real_weights(size, 3), "size_in"),
        (lambda size: networks.real_weights(3, size), "size_out"),
        (lambda size: networks.PhasorDense(size, 3), r"PhasorDense\.size_in"),
        (lambda size: networks.PhasorClassifier((4, size)), r"PhasorDense\.size_out"),
        (lambda size: networks.RandomProjection(size, 3), r"RandomProjection\.size_in"),
    ],
)
def test_sizes_are_checked(make, attr, size):
    with pytest.raises(ValidationError, match=f"{attr}: must be a positive integer, got {size!r}"):
        make(size)


# --- layers ---------------------------------------------------------------------------------------


def test_dense_layer():
    rng, z = np.random.RandomState(2), phasors(5)
    weights, bias = rng.normal(size=(5, 3)), rng.normal(size=3)
    layer = networks.PhasorDense(5, 3, weights, bias)
    output, _ = forward(layer, z, layer.output)
    expected = z @ weights + bias
    assert_allclose(output, expected / np.abs(expected))


def test_parts_of_a_dense_layer():
    layer = networks.PhasorDense(5, 3, label="first", seed=4)
    assert layer.label == "first"
    assert layer.seed == 4
    assert layer.input.size_in == 10
    assert layer.units.n_neurons == 6
    assert isinstance(layer.units.neuron_type, Phasor)
    assert layer.output == layer.units.neurons
    assert_array_equal(layer.reference.output, [1, 0])
    assert_array_equal(layer.bias.transform.init.ravel(), np.ones(3))
    assert {layer.weights, layer.bias} == set(layer.connections)
    assert {layer.weights.synapse, layer.bias.synapse} == {None}
    assert networks.PhasorDense(5, 3).label == "phasor 5-3"


@pytest.mark.parametrize("sizes", [(4, 3), (6, 1, 2), (5, 4, 3, 2)])
def test_classifier_is_its_layers(sizes):
    net = networks.PhasorClassifier(sizes, seed=1)
    z = phasors(sizes[0])
    output, sim = forward(net, z, net.output)
    assert len(net.layers) == len(sizes) - 1
    for layer, size_out in zip(net.layers, sizes[1:], strict=True):
        z = z @ sim.data[layer.weights].weights[0] + sim.data[layer.bias].weights[0, 0]
        z /= np.abs(z)
        assert z.shape == (size_out,)
    assert_allclose(output, z)
    assert net.input is net.layers[0].input
    assert net.output is net.layers[-1].output


@pytest.mark.parametrize("sizes", [(), (3,), 3])
def test_classifier_needs_two_sizes(sizes):
    with pytest.raises(ValidationError, match=r"sizes: .*at least one layer.*got \(?3?,?\)?"):
        networks.PhasorClassifier(sizes)


# --- random projection ----------------------------------------------------------------------------


def encoded_by_hand(x, projection, spread):
    h = [sum(a * b for a, b in zip(x, column, strict=True)) for column in projection.T]
    mean = sum(h) / len(h)
    deviation = (sum((a - mean) ** 2 for a in h) / len(h)) ** 0.5
    return np.array([spread * (a - mean) / deviation for a in h])


@pytest.mark.parametrize("spread", [0.1, 1 / 3, 2])
def test_random_projection(spread):
    x = np.random.RandomState(0).rand(3, 12)
    net = networks.RandomProjection(12, 50, spread=spread, seed=1)
    expected = np.array([encoded_by_hand(row, net.projection, spread) for row in x])
    got = net.encode(x)
    assert got.shape == (3, 50)
    assert np.all((got >= -1) & (got < 1))
    assert np.abs(phases.difference(got, expected)).max() < 1e-12
    if spread < 0.2:  # without wrapping
        assert_allclose(got.std(axis=1), spread)


def test_random_projection_as_a_network():
    net = networks.RandomProjection(12, 9)
    x = np.random.RandomState(0).rand(12)
    with nengo.Network() as outer:
        outer.add(net)
        nengo.Connection(nengo.Node(x), net.input, synapse=None)
        probe = nengo.Probe(net.output)
    with nengo.Simulator(outer, progress_bar=False) as sim:
        sim.run_steps(1)
    assert_allclose(sim.data[probe][0], phases.to_rows(net.encode(x)))


def test_projection_comes_from_its_seed():
    a, b, c = (networks.RandomProjection(20, 30, seed=seed).projection for seed in (3, 3, 4))
    assert_array_equal(a, b)
    assert not np.allclose(a, c)
    assert a.shape == (20, 30)
    assert abs(a.mean()) < 4 / np.sqrt(600)
    assert a.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "bool"])
def test_types_of_inputs(dtype):
    net = networks.RandomProjection(6, 40)
    x = np.array([1, 0, 0, 1, 1, 0], dtype)
    got = net.encode(x)
    assert got.dtype == (np.float32 if dtype == "float32" else np.float64)
    assert_allclose(got, net.encode(x.astype(float)), rtol=1e-4, atol=1e-6)


def test_inputs_without_contrast_are_at_the_reference():
    net = networks.RandomProjection(6, 40)
    assert_array_equal(net.encode(np.zeros((2, 6))), np.zeros((2, 40)))
    assert_array_equal(networks.RandomProjection(6, 1).encode(np.ones(6)), [0])


def test_projection_says_what_it_needs():
    project = networks.RandomProjection(9, 4)
    with pytest.raises(ValidationError, match=r"shape \(2, 3, 3\), but needs 9 .*flatten"):
        project.encode(np.zeros((2, 3, 3)))
    with pytest.raises(ValidationError, match="spread: must be positive and finite, got 'wide'"):
        networks.RandomProjection(9, 4, "wide")


def test_projection_follows_inputs_that_change_and_stay():
    """A still image is encoded once; what comes next is its own, whatever was remembered."""
    projection = networks.RandomProjection(5, 7, seed=3)
    encoded = []
    encode = projection.encode
    projection.encode = lambda x: encoded.append(x.copy()) or encode(x)
    images = np.random.RandomState(0).rand(3, 5)
    shown = [0, 0, 0, 1, 1, 0, 2]
    held = np.empty(5)  # as Nengo does, in place
    for k in shown:
        held[:] = images[k]
        got = projection.output.output(0.0, held)
        np.testing.assert_array_equal(got, phases.to_rows(encode(images[k])))
    np.testing.assert_array_equal(encoded, images[[0, 1, 0, 2]])

"""Layers of images of phasors, compared with loops, on every substrate."""

import inspect
import textwrap

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import Phasor, layerwise, networks, phases
from nengo_phasor.convolutions import RowwiseConvolution
from tests.phasor_images import convolved, pooled, small_network

GEOMETRIES = [
    # height, width, channels, maps, kernel, strides, padding
    (5, 5, 1, 2, 3, 1, "same"),
    (5, 7, 2, 3, (3, 2), (1, 2), "same"),
    (7, 4, 3, 2, (2, 4), 2, "same"),
    (6, 9, 2, 1, (1, 3), (3, 2), "valid"),
    (8, 5, 1, 4, (4, 5), (2, 1), "valid"),
    (3, 3, 2, 2, 5, 1, "same"),
    (1, 1, 3, 2, 1, 1, "valid"),
    (6, 6, 1, 2, 2, (3, 5), "same"),
]


def pair(size):
    return (size, size) if np.ndim(size) == 0 else size


def image(shape, seed=0):
    return np.exp(1j * np.pi * np.random.RandomState(seed).uniform(-1, 1, shape))


def rows(z):
    """Images, (..., height, width, channels), as signals."""
    z = np.reshape(z, (*z.shape[:-3], -1))
    return np.concatenate([z.real, z.imag], axis=-1)


def outputs(part, z):
    """What a part makes of an image in Nengo, and of it and a black one in layerwise."""
    with nengo.Network(seed=0) as net:
        net.add(part)
        node = nengo.Node(rows(z))
        nengo.Connection(node, part.input, synapse=None)
        probe = nengo.Probe(part.output)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
    with layerwise.Simulator(net, dtype="float64") as fast:
        both = fast.predict({node: np.stack([rows(z), 0 * rows(z)])[:, None]})[probe]
    in_nengo = phases.from_rows(sim.data[probe][-1]).reshape(part.output_shape)
    return in_nengo, phases.from_rows(both[0, 0]).reshape(part.output_shape)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_convolution(geometry):
    height, width, channels, n, size, strides, padding = geometry
    rng, z = np.random.RandomState(1), image((height, width, channels))
    kernel, bias = rng.normal(size=(*pair(size), channels, n)), rng.normal(size=n)
    layer = networks.PhasorConv((height, width, channels), n, size, strides, padding, kernel, bias)
    expected = convolved(z, kernel, pair(strides), padding) + bias
    assert layer.output_shape == expected.shape
    for got in outputs(layer, z):
        assert_allclose(got, expected / np.abs(expected), atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "window"),
    [((4, 6, 2), 2), ((5, 7, 3), (2, 3)), ((3, 3, 1), 3), ((5, 2, 2), (1, 2)), ((4, 5, 1), 1)],
)
def test_pool(shape, window):
    z = image(shape)
    pool = networks.PhasorPool(shape, window)
    expected = pooled(z, pair(window))
    assert pool.output_shape == expected.shape
    for got in outputs(pool, z):
        assert_allclose(got, expected / np.abs(expected), atol=1e-12)


def test_parts():
    layer = networks.PhasorConv((5, 4, 2), 3, strides=2, label="first", seed=4)
    assert (layer.label, layer.seed) == ("first", 4)
    assert layer.output_shape == (3, 2, 3)
    assert layer.input.size_in == 80
    assert layer.units.n_neurons == 36
    assert layer.output == layer.units.neurons
    assert_array_equal(layer.reference.output, [1, 0])
    assert layer.weights.transform.kernel_shape == (1, 3, 3, 2, 3)
    assert_array_equal(layer.bias.transform.init, np.ones((1, 1, 1, 1, 3)))
    assert {layer.weights, layer.bias} == set(layer.connections)
    assert {c.synapse for c in layer.all_connections} == {None}
    pool = networks.PhasorPool((5, 4, 2), (2, 3), label="pool", seed=5)
    assert (pool.label, pool.seed, pool.output_shape) == ("pool", 5, (2, 1, 2))
    assert isinstance(pool.units.neuron_type, Phasor)
    assert {type(c.transform) for c in pool.connections} == {nengo.transforms.NoTransform}


def test_initial_kernels():
    kernels = networks.real_kernels((8, 8, 16), 100, (3, 2))
    weights = kernels.sample(rng=np.random.RandomState(0))
    assert weights.shape == (1, 3, 2, 16, 100)
    assert weights.std() == pytest.approx(96**-0.5, rel=0.05)
    drawn = networks.PhasorConv((3, 3, 1), 2, weights=nengo.dists.Uniform(4, 5))
    assert drawn.weights.transform.sample(rng=np.random.RandomState(0)).min() >= 4


def test_example_of_the_docstring():
    text = inspect.getdoc(networks.PhasorConv).partition("10 classes::\n\n")[2]
    names = {}
    exec(textwrap.dedent(text.partition("\n\nReferences")[0]), names)
    assert names["output"].size_in == 20
    with layerwise.Simulator(names["net"]) as sim:
        seen = sim.predict({names["image"]: np.ones((3, 1, 2 * 28 * 28))})[names["output"]]
    assert_allclose(np.abs(phases.from_rows(seen)), 1, rtol=1e-6)


# --- training ---------------------------------------------------------------------------------


def training_data():
    rng = np.random.RandomState(3)
    return rows(image((4, 7, 6, 2)))[:, None], phases.to_rows(rng.uniform(-1, 1, (4, 1, 4)))


def compiled(simulator, net):
    tf = pytest.importorskip("tensorflow")
    simulator.compile(tf.keras.optimizers.SGD(2.0), loss={net.seen[-1]: "mse"})
    return simulator


def trained(sim, net):
    """The kernels, biases and dense weights after a step of gradient descent, and what trains."""
    x, y = training_data()
    sim.fit({net.image: x}, {net.seen[-1]: y}, epochs=1, verbose=0)
    layers = [net.conv.weights, net.conv.bias, net.dense.weights]
    shapes = [tuple(v.shape) for v in sim.keras_model.trainable_weights]
    return [params["transform"].init for params in sim.get_nengo_params(layers)], shapes


def test_gradients_are_those_of_nengo_dl_and_of_finite_differences():
    nengo_dl = pytest.importorskip("nengo_dl")
    net = small_network()
    with net:
        nengo_dl.configure_settings(dtype="float64")
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        expected, shapes = trained(compiled(sim, net), net)
    with layerwise.Simulator(net, minibatch_size=4, dtype="float64") as sim:
        got, own_shapes = trained(compiled(sim, net), net)
    for a, b in zip(got, expected, strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    own_biases = (8,)  # of the dense layer's neurons
    for found in (shapes, own_shapes):
        assert sorted(found) == sorted(
            [(1, 3, 2, 2, 3), (1, 1, 1, 1, 3), (1, 9, 4), (1, 1, 4), own_biases]
        )
    for connection, places in {
        net.conv.weights: [(0, 0, 0, 0, 0), (0, 2, 1, 1, 2)],
        net.conv.bias: [(0, 0, 0, 0, 1)],
    }.items():
        before = connection.transform.init
        after = got[0 if connection is net.conv.weights else 1]
        for place in places:
            slope = (
                loss(net, connection, place, 1e-4) - loss(net, connection, place, -1e-4)
            ) / 2e-4
            assert_allclose(before[place] - after[place], 2.0 * slope, rtol=1e-5)


def loss(net, connection, place, step):
    """The loss of training with one of a connection's weights changed, as Nengo runs it."""
    transform = connection.transform
    init = np.array(transform.init)
    init[place] += step
    connection.transform = RowwiseConvolution(
        transform.n_filters,
        transform.input_shape.shape,
        transform.kernel_size,
        transform.strides,
        transform.padding,
        init,
    )
    squares = []
    for x, y in zip(*training_data(), strict=True):
        net.image.output = x[0]
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(1)
        squares.append((sim.data[net.seen[-1]][-1] - y[0]) ** 2)
    connection.transform = transform
    return np.mean(squares)


# --- batch statistics -------------------------------------------------------------------------


def test_folded_bias():
    """The phases are those of currents that are divided by their mean lengths, map by map."""
    rng = np.random.RandomState(2)
    kernel, bias = rng.normal(size=(3, 2, 2, 3)) * [0.2, 1.0, 5.0], rng.normal(size=3)
    batch = [image((5, 4, 2), seed) for seed in range(4)]
    currents = np.array([convolved(z, kernel, (2, 1), "same") for z in batch])
    lengths = [np.mean([abs(value) for value in currents[..., m].ravel()]) for m in range(3)]
    folded = networks.folded_bias(bias, rows(currents))
    layer = networks.PhasorConv((5, 4, 2), 3, (3, 2), (2, 1), "same", kernel, folded)
    for z, current in zip(batch, currents, strict=True):
        expected = current / lengths + bias
        assert_allclose(outputs(layer, z)[0], expected / np.abs(expected), atol=1e-12)


def test_maps_without_current_keep_their_bias():
    currents = rows(np.stack([np.zeros((2, 2, 2)), 3j * np.ones((2, 2, 2))], axis=-1)[..., 0, :])
    assert_array_equal(networks.folded_bias([0.5, -2.0], currents), [0.5, -6.0])


@pytest.mark.parametrize(
    ("bias", "currents", "message"),
    [
        (np.ones(3), np.ones((5, 16)), r"currents: has shape \(5, 16\), 8 phasors, .* 3 maps"),
        (np.ones(2), np.ones((0, 16)), r"currents: has shape \(0, 16\)"),
        (np.ones(2), np.ones((2, 7)), r"currents: needs shape \(\.\.\., 2n\), got \(2, 7\)"),
        (np.ones(2), np.full((2, 8), np.inf), r"currents: must be finite"),
        (np.ones((2, 1)), np.ones((5, 16)), r"bias: needs shape \(n_filters\), got \(2, 1\)"),
        ([], np.ones((5, 16)), r"bias: needs shape"),
    ],
)
def test_wrong_currents(bias, currents, message):
    with pytest.raises(ValidationError, match=message):
        networks.folded_bias(bias, currents)


# --- errors -----------------------------------------------------------------------------------

WRONG = [
    ({"input_shape": (5, 5)}, r"input_shape: must be 3 sizes, such as \(28, 28, 1\), got \(5, 5\)"),
    ({"input_shape": 25}, r"input_shape: must be 3 sizes, .*got 25"),
    ({"input_shape": (5, 0, 1)}, r"input_shape: must be a positive integer, got 0"),
    ({"input_shape": (5, 5.0, 1)}, r"input_shape: must be a positive integer, got 5\.0"),
    ({"input_shape": (10**7, 10**7, 1)}, r"input_shape: requires an array of .* GB.*smaller"),
    ({"n_filters": 0}, r"n_filters: must be a positive integer, got 0"),
    ({"n_filters": (3, 3)}, r"n_filters: must be a positive integer, got \(3, 3\)"),
    ({"kernel_size": 0}, r"kernel_size: must be a positive integer, got 0"),
    ({"kernel_size": (3, 3, 1)}, r"kernel_size: must be 2 sizes, such as 3 or \(3, 3\), got \(3, "),
    ({"kernel_size": "3x3"}, r"kernel_size: must be 2 sizes, .*got '3x3'"),
    ({"kernel_size": [[3], [3, 3]]}, r"kernel_size: must be a positive integer, got \[3\]"),
    ({"kernel_size": None}, r"kernel_size: must be a positive integer, got None"),
    ({"strides": True}, r"strides: must be a positive integer, got True"),
    ({"strides": 0}, r"strides: must be a positive integer, got 0"),
    ({"strides": (1, -2)}, r"strides: must be a positive integer, got -2"),
    ({"padding": "full"}, r"padding: must be 'same' or 'valid', got 'full'"),
    (
        {"kernel_size": (3, 6), "padding": "valid"},
        r"kernel_size: is \(3, 6\), which does not fit into an image of \(5, 5\): use a smaller "
        r"kernel or padding='same'",
    ),
    (
        {"weights": np.ones((3, 3, 4, 2))},
        r"weights: has shape \(3, 3, 4, 2\), but needs \(3, 3, 2, 4\): \(height, width, channels, ",
    ),
    ({"weights": np.full((3, 3, 2, 4), np.nan)}, r"weights: must be finite.*got nan"),
    ({"weights": 1j * np.ones((3, 3, 2, 4))}, r"weights: must be .*real numbers, got complex"),
    ({"bias": np.ones((1, 4))}, r"bias: has shape \(1, 4\), but needs \(4,\)"),
    ({"bias": [1, 2, np.inf, 1]}, r"bias: must be finite.*got inf"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_arguments_of_a_convolution(arguments, message):
    arguments = {"input_shape": (5, 5, 2), "n_filters": 4, **arguments}
    with pytest.raises(ValidationError, match=f"PhasorConv.{message}"):
        networks.PhasorConv(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((5, 5),), r"input_shape: must be 3 sizes"),
        (((5, 5, 1), 0), r"pool_size: must be a positive integer, got 0"),
        (((5, 5, 1), (2, 2, 2)), r"pool_size: must be 2 sizes, .*got \(2, 2, 2\)"),
        (((5, 5, 1), (2, 6)), r"pool_size: is \(2, 6\), which does not fit .*\(5, 5\): use a smal"),
    ],
)
def test_wrong_arguments_of_a_pool(arguments, message):
    with pytest.raises(ValidationError, match=f"PhasorPool.{message}"):
        networks.PhasorPool(*arguments)


def test_wrong_kernels():
    with pytest.raises(ValidationError, match=r"init: has shape \(3, 3\), but needs \(3, 3, 1, 2"):
        networks.real_kernels((5, 5, 1), 2, init=np.ones((3, 3)))
    for kernel, strides in [((2, 3, 3), (1, 1, 1)), ((1, 3, 3), (2, 1, 1))]:
        with pytest.raises(
            ValidationError, match=r"1 along the first axis.*use nengo\.Convolution"
        ):
            RowwiseConvolution(2, (2, 5, 5, 1), kernel, strides)
    with pytest.raises(ValidationError, match="needs images of shape"):
        RowwiseConvolution(2, (5, 5, 1), (1, 3), (1, 1))


def test_data_of_another_size():
    net = small_network()
    with layerwise.Simulator(net) as sim, pytest.raises(ValidationError, match=r"image.*168"):
        sim.predict({net.image: np.zeros((2, 1, 84))})
    with net, pytest.raises(ValidationError, match="168"):
        nengo.Connection(nengo.Node(np.zeros(84)), net.conv.input, synapse=None)


def test_kernels_after_decoders():
    with nengo.Network() as net:
        ensemble, node = nengo.Ensemble(10, 18), nengo.Node(size_in=36)
        nengo.Connection(ensemble, node, transform=networks.real_kernels((3, 3, 1), 2))
    with pytest.raises(
        BuildError, match=r"can't follow decoders: connect from `ensemble\.neurons`"
    ):
        nengo.Simulator(net, progress_bar=False)

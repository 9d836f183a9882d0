"""Signals, and the linear maps that they go through."""

import nengo
import numba
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from nengo_phasor.layerwise import maps, processes, vectors
from nengo_phasor.layerwise.signal import Signal
from nengo_phasor.pooling import MaxPool


def test_spikes_there_and_back():
    dense = np.random.RandomState(0).poisson(0.1, (7, 3, 5)).astype(float)
    got = Signal.of(dense).events()
    assert sparse.issparse(got.values)
    assert got.values.has_canonical_format
    assert got.values.nnz == np.count_nonzero(dense)
    for x in (got, Signal.of(dense)):
        assert (x.n_steps, x.n_items, x.size) == dense.shape
        assert_array_equal(x.dense(), dense)
        for columns in (slice(1, 4), slice(None, None, -2), [4, 0, 0], np.array([2])):
            assert_array_equal(x.select(columns).dense(), dense[..., columns])
        for n_steps in (3, 7, 17):
            again = x.repeated(n_steps).dense()
            assert_array_equal(again, dense[np.arange(n_steps) % 7])


@pytest.mark.parametrize("steps", [[], [0], [1, 4, 6], range(7)])
@pytest.mark.parametrize("period", [7, 2])
def test_writing(steps, period):
    dense = np.random.RandomState(0).poisson(0.3, (period, 3, 5)).astype(float)
    expected = dense[np.arange(7) % period][list(steps)].transpose(1, 0, 2)
    for x in (Signal.of(dense), Signal.of(dense).events()):
        result = np.zeros((3, len(steps), 5))
        x.write(result, np.array(steps, int), 7)
        assert_array_equal(result, expected)


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 2, 3)])
def test_no_spikes(shape):
    assert_array_equal(Signal.of(np.zeros(shape)).events().dense(), np.zeros(shape))


CONVOLUTIONS = [
    {"n_filters": 2, "input_shape": (6, 5, 3)},
    {"n_filters": 2, "input_shape": (3, 6, 5), "channels_last": False},
    {"n_filters": 3, "input_shape": (7, 6, 1), "strides": (2, 3)},
    {"n_filters": 3, "input_shape": (7, 6, 2), "strides": (2, 2), "padding": "same"},
    {"n_filters": 2, "input_shape": (2, 7, 6), "channels_last": False, "padding": "same"},
    {"n_filters": 2, "input_shape": (8, 8, 1), "kernel_size": (4, 2), "padding": "same"},
    {"n_filters": 4, "input_shape": (5, 2), "kernel_size": (2,), "strides": (1,)},
    {
        "n_filters": 4,
        "input_shape": (9, 2),
        "kernel_size": (1,),
        "strides": (4,),
        "padding": "same",
    },
    {"n_filters": 6, "input_shape": (4, 4, 4), "groups": 2},
    {"n_filters": 4, "input_shape": (4, 5, 4), "groups": 4, "channels_last": False},
    {"n_filters": 2, "input_shape": (4, 3, 3, 2), "kernel_size": (2, 2, 2), "strides": (1, 2, 1)},
    {"n_filters": 2, "input_shape": (3, 5, 4, 2), "kernel_size": (1, 3, 2), "strides": (1, 2, 1)},
]


@pytest.mark.parametrize("arguments", CONVOLUTIONS, ids=lambda a: "-".join(map(str, a.values())))
def test_convolution(arguments):
    """Against the operator of nengo.Simulator."""
    transform = nengo.Convolution(**arguments)
    if transform.dimensions > 2:  # beyond what Nengo runs: the definition, place by place
        kernel = transform.sample(rng=np.random.RandomState(0))
        x = np.random.RandomState(1).normal(size=transform.input_shape.shape)
        expected = np.zeros(transform.output_shape.shape)
        for place in np.ndindex(expected.shape[:-1]):
            corner = np.multiply(place, transform.strides)
            part = x[tuple(map(slice, corner, corner + transform.kernel_size))]
            expected[place] = np.tensordot(part, kernel, axes=kernel.ndim - 1)
        x, expected = x.ravel(), expected.ravel()
    else:
        with nengo.Network(seed=0) as net:
            x = np.random.RandomState(1).normal(size=transform.size_in)
            relay = nengo.Node(size_in=transform.size_out)
            connection = nengo.Connection(nengo.Node(x), relay, transform=transform, synapse=None)
            probe = nengo.Probe(relay)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(1)
        kernel, expected = sim.data[connection].weights, sim.data[probe][0]
    matrix = maps.convolution_matrix(transform, kernel)
    assert matrix.shape == (transform.size_out, transform.size_in)
    np.testing.assert_allclose(matrix @ x, expected, rtol=1e-12, atol=1e-12)
    result = np.ones((1, 2, transform.size_out))
    signal = Signal.of(np.stack([x, 2 * x])[None])
    linear_map = maps.convolution(transform, kernel, np.dtype(float))
    by_images = transform.dimensions <= 2 or transform.kernel_size[0] == 1
    fast = maps.Convolution | maps.Rowwise
    assert isinstance(linear_map, fast) == (by_images and transform.channels_last)
    assert linear_map.size_out == transform.size_out
    for sent in (signal, signal.events()):
        linear_map.add(result, sent)
    np.testing.assert_allclose(result[0, 0], 1 + 2 * expected, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(result[0, 1], 1 + 4 * expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("n_filters", [1, 6, 16, 21])
@pytest.mark.parametrize("arguments", CONVOLUTIONS, ids=lambda a: "-".join(map(str, a.values())))
def test_few_events_through_convolutions(arguments, n_filters):
    """Forward and back, against the product with the matrix: so few that each goes by itself."""
    n_filters *= arguments.get("groups", 1)
    transform = nengo.Convolution(**{**arguments, "n_filters": n_filters})
    rng = np.random.RandomState(0)
    kernel = transform.sample(rng=rng)
    linear_map = maps.convolution(transform, kernel, np.dtype(float))
    matrix = maps.convolution_matrix(transform, kernel)
    x = rng.normal(size=(3, 2, transform.size_in)) * (rng.uniform(size=transform.size_in) < 0.3)
    events, result = Signal.of(x).events(), np.ones((3, 2, transform.size_out))
    linear_map.add(result, events)
    expected = 1 + x.reshape(6, -1) @ matrix.T
    np.testing.assert_allclose(result.reshape(6, -1), expected, rtol=1e-11, atol=1e-11)
    by_output = rng.normal(size=result.shape)
    by_kernel = linear_map.gradient(events, by_output)
    for place in rng.randint(kernel.size, size=5):
        unit = np.eye(1, kernel.size, place).reshape(kernel.shape)
        one = maps.convolution_matrix(transform, unit)
        wanted = np.sum((x.reshape(6, -1) @ one.T) * by_output.reshape(6, -1))
        assert by_kernel.reshape(-1)[place] == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_events_that_meet():
    """What a pool brings to one place is one event, the sum of all."""
    rows, columns = np.arange(130), np.repeat(np.arange(65), 2)
    weights = np.random.RandomState(0).normal(size=130)
    matrix = sparse.csr_matrix((weights, (rows, columns)), (130, 65))
    x = np.random.RandomState(1).poisson(0.3, (7, 3, 130)).astype(float)
    image = maps.with_own_entries(matrix).image(Signal.of(x).events())
    assert image.is_sparse
    assert image.values.has_canonical_format
    np.testing.assert_allclose(image.dense(), x @ matrix.toarray(), rtol=1e-12, atol=1e-12)
    result = np.zeros((3, 7, 65))
    image.write(result, np.arange(7), 7)
    assert_array_equal(result, image.dense().transpose(1, 0, 2))
    total = image.summed(7)[:, 0]
    np.testing.assert_allclose(total, image.dense().sum(axis=0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vectors_of_any_length(dtype):
    """Nothing beside what is added to is touched."""
    for n in (0, 1, 3, 15, 16, 17, 40):
        target, source = np.arange(60, dtype=dtype), np.arange(60, dtype=dtype)[::-1].copy()
        expected = target.copy()
        expected[5 : 5 + n] += dtype(0.5) * source[3 : 3 + n]
        _added(target, source, n, dtype(0.5))
        assert_array_equal(target, expected)
    line = vectors.aligned_empty((3, 5), dtype)
    assert line.shape == (3, 5)
    assert line.dtype == dtype
    assert line.ctypes.data % 64 == 0


@numba.njit
def _added(target, source, n, value):
    vectors.add_scaled(target, 5, source, 3, n, value)


@pytest.mark.parametrize("linear_map", ["identity", "dense", "sparse"])
def test_linear_maps(linear_map):
    """Dense and sparse signals, against a product."""
    rng = np.random.RandomState(0)
    matrix = {"identity": np.eye(5)}.get(linear_map, rng.normal(size=(5, 4)))
    given = {
        "identity": maps.Identity(5),
        "dense": maps.Dense(matrix),
        "sparse": maps.with_own_entries(sparse.csr_matrix(matrix)),
    }[linear_map]
    x = rng.poisson(0.3, (7, 3, 5)).astype(float)
    result = np.full((7, 3, matrix.shape[1]), 0.5)
    for signal in (Signal.of(x), Signal.of(x).events()):
        given.add(result, signal)
        image = given.image(signal)
        if image is not None:
            np.testing.assert_allclose(image.dense(), x @ matrix, rtol=1e-12)
    np.testing.assert_allclose(result, 0.5 + 2 * x @ matrix, rtol=1e-12)
    assert given.size_out == matrix.shape[1]


@pytest.mark.parametrize(
    "pool",
    [
        MaxPool((6, 8, 3)),
        MaxPool((7, 9, 2), (3, 2), (2, 3), "same"),
        MaxPool((7, 9, 1), (3, 2), (1, 2)),
    ],
    ids=str,
)
def test_compiled_max_pool(pool):
    x = np.random.RandomState(0).normal(size=(5, 2, pool.default_size_in))
    assert_array_equal(processes.pooled(pool, Signal.of(x)).dense(), pool.pool(x))

from types import SimpleNamespace

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import layerwise
from nengo_phasor.pooling import MaxPool, average_pool

POOLS = (
    MaxPool((4, 6, 3)),
    MaxPool((4, 6, 3), (2, 3), (1, 2)),
    MaxPool((4, 6, 3), (3, 3), (2, 2), "same"),
    MaxPool((4, 6, 3), (3, 2), (4, 3), "same"),
    MaxPool((4, 6, 3), (4, 6)),
    MaxPool((4, 6, 3), (1, 1)),
)


def windows(size, window, stride, padding):
    """The places in each window along an axis: all that fit, or one for every stride."""
    if padding == "valid":
        return [range(k, k + window) for k in range(0, size - window + 1, stride)]
    count = len(range(0, size, stride))
    outside = max(0, (count - 1) * stride + window - size)
    starts = [k * stride - outside // 2 for k in range(count)]
    return [[i for i in range(k, k + window) if 0 <= i < size] for k in starts]


def pooled(reduce, pool, image):
    """A loop over windows and channels."""
    image = image.reshape(pool.input_shape)
    rows, columns = (
        windows(*sizes, pool.padding)
        for sizes in zip(image.shape[:2], pool.pool_size, pool.strides, strict=True)
    )
    return np.array(
        [
            reduce([image[i, j, c] for i in r for j in s])
            for r in rows
            for s in columns
            for c in range(image.shape[2])
        ]
    )


@st.composite
def pools(draw):
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    padding = draw(st.sampled_from(["valid", "same"]))
    most = (height, width) if padding == "valid" else (8, 8)
    size = tuple(draw(st.integers(1, m)) for m in most)
    strides = draw(st.none() | st.tuples(st.integers(1, 4), st.integers(1, 4)))
    return MaxPool((height, width, draw(st.integers(1, 3))), size, strides, padding)


@given(pools(), st.integers(0, 99))
@settings(deadline=None)
def test_against_loops(pool, seed):
    x = np.random.RandomState(seed).normal(size=(2, 3, pool.default_size_in))
    transform = average_pool(pool.input_shape, pool.pool_size, pool.strides, pool.padding)
    y = pool.pool(x)
    assert y.shape == (2, 3, pool.default_size_out) == (2, 3, np.prod(pool.output_shape))
    assert transform.size_out == pool.default_size_out
    matrix = transform.sample().toarray()
    for item in np.ndindex(2, 3):
        assert_array_equal(y[item], pooled(max, pool, x[item]))
        assert_allclose(matrix @ x[item], pooled(np.mean, pool, x[item]), atol=1e-12)


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_against_keras(pool):
    pytest.importorskip("nengo_dl")
    layers = pytest.importorskip("tensorflow").keras.layers
    x = np.random.RandomState(0).normal(size=(5, *pool.input_shape)).astype("float32")
    arguments = pool.pool_size, pool.strides, pool.padding
    expected = layers.MaxPooling2D(*arguments)(x).numpy()
    assert expected.shape[1:] == pool.output_shape
    assert_array_equal(pool.pool(x.reshape(5, -1)), expected.reshape(5, -1))
    average = average_pool(pool.input_shape, *arguments).sample().toarray()
    expected = layers.AveragePooling2D(*arguments)(x).numpy().reshape(5, -1)
    assert_allclose(x.reshape(5, -1) @ average.T, expected, atol=1e-6)


class Model:
    """All pools at once, each fed by the same images, so that NengoDL could merge them."""

    def __init__(self):
        rng = np.random.RandomState(0)
        self.x = rng.normal(size=(2, 5, 72))
        with nengo.Network() as self.net:
            self.node = nengo.Node(nengo.processes.PresentInput(self.x[0], 0.001))
            self.probes = []
            for pool in (*POOLS, POOLS[0]):
                target = nengo.Node(pool)
                nengo.Connection(self.node, target, synapse=None)
                self.probes.append(nengo.Probe(target))
        self.expected = [pool.pool(self.x) for pool in (*POOLS, POOLS[0])]


def test_acts_within_the_step_on_every_substrate():
    nengo_dl = pytest.importorskip("nengo_dl")
    model = Model()
    with model.net:
        nengo_dl.configure_settings(dtype="float64")
    with nengo.Simulator(model.net, progress_bar=False) as sim:
        sim.run_steps(5)
    data = {model.node: model.x}
    with layerwise.Simulator(model.net) as layered:
        seen = layered.predict(data)
    with nengo_dl.Simulator(model.net, minibatch_size=2, progress_bar=False) as deep:
        deep.run_steps(5, data=data)
    for probe, expected in zip(model.probes, model.expected, strict=True):
        assert_array_equal(sim.data[probe], expected[0])
        assert_array_equal(seen[probe], expected)
        assert_array_equal(deep.data[probe], expected)


def test_runs_in_tensorflow():
    """Without falling back to Python, which would have no gradient."""
    pytest.importorskip("nengo_dl")
    from nengo_phasor.dl.tables import PROCESSES

    assert PROCESSES.builder_of(MaxPool).__name__ == "MaxPoolBuilder"


def test_nengo_dl_never_merges_pools():
    pytest.importorskip("nengo_dl")
    from nengo_dl.process_builders import SimProcessBuilder

    ops = [SimpleNamespace(process=p) for p in (*POOLS[:2], nengo.Lowpass(0.1), nengo.Alpha(0.1))]
    for pool in ops[:2]:
        for other in ops:
            assert not SimProcessBuilder.mergeable(pool, other)
            assert not SimProcessBuilder.mergeable(other, pool)


def test_equal_parameters_make_equal_pools():
    assert MaxPool((4, 6, 3), (2, 2), (2, 2), "valid") == POOLS[0] != POOLS[1]


@pytest.mark.parametrize(
    ("attr", "arguments"),
    [
        ("input_shape", {"input_shape": (4, 6)}),
        ("input_shape", {"input_shape": (4, 0, 1)}),
        ("input_shape", {"input_shape": "wide"}),
        ("pool_size", {"pool_size": (2,)}),
        ("pool_size", {"pool_size": (0, 2)}),
        ("pool_size", {"pool_size": (5, 1)}),
        ("strides", {"strides": (1, -1)}),
        ("padding", {"padding": "causal"}),
    ],
)
def test_refuses(attr, arguments):
    arguments = {"input_shape": (4, 6, 1), **arguments}
    for make in (MaxPool, average_pool):
        with pytest.raises(ValidationError, match=attr):
            make(**arguments)


def test_refuses_a_node_of_another_size():
    with nengo.Network() as net:
        nengo.Connection(nengo.Node(np.zeros(8)), nengo.Node(MaxPool((2, 2, 1)), size_in=8))
    with pytest.raises(ValidationError, match="pools 4 values to 1, but the node has 8 and 1"):
        nengo.Simulator(net, progress_bar=False)

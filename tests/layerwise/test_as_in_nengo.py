"""Whole networks give what they give in Nengo."""

import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo.processes import PresentInput, WhiteSignal

from nengo_phasor import (
    ArcSparsifier,
    AssumeReference,
    FieldSparsifier,
    PhaseEncoder,
    RandomSparsifier,
    ResonateAndFire,
    layerwise,
    phases,
)
from nengo_phasor.pooling import MaxPool
from tests.layerwise.common import assert_same_as_nengo, connect, layer, neurons, source, weights
from tests.registry import N

SPARSE_INDICES = [(0, 1), (2, 0), (2, 5), (3, 3), (3, 3), (1, 4)]
TRANSFORMS = {
    "none": None,
    "scalar": 0.7,
    "diagonal": np.linspace(-1, 1.5, N),
    "dense": weights(N, N),
    "distribution": nengo.Dense((N, N), init=nengo.dists.Gaussian(0.2, 1)),
    "sparse": nengo.Sparse((N, N), indices=SPARSE_INDICES, init=np.arange(1, 7) / 4),
    "scipy": nengo.Sparse((N, N), init=scipy.sparse.random(N, N, 0.5, random_state=1) * 2),
    "convolution": nengo.Convolution(3, (N // 2, 2), (2,), (1,), padding="same"),
    "channels first": nengo.Convolution(2, (2, N // 2), (2,), (1,), channels_last=False),
    "strides": nengo.Convolution(2, (3, 2, 1), (2, 2), (2, 1), padding="same"),
    "groups": nengo.Convolution(4, (N // 2, 2), (1,), (1,), groups=2),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_transforms(transform):
    """Of spikes, of spikes behind a filter, and of a constant."""
    n = transform.size_out if hasattr(transform, "size_out") else N

    def build():
        spikes, constant = source(), nengo.Node(np.linspace(-1, 2, N))
        relay, filtered, fixed = (nengo.Node(size_in=n) for _ in range(3))
        connect(spikes, relay, transform=transform)
        connect(spikes, filtered, transform=transform, synapse=0.01)
        connect(constant, fixed, transform=transform)
        return [relay, filtered, fixed, connect(spikes, neurons(n), transform=transform)]

    assert_same_as_nengo(build)


@pytest.mark.parametrize(
    ("pre", "post"),
    [
        (slice(1, 4), slice(None)),
        (slice(None, None, -2), slice(None)),
        (4, slice(2, 3)),
        (-1, -1),
        ([5, 0, 0], slice(None)),
        (np.array([5, 0, 0, 2]), slice(None)),
        (slice(0, 2), slice(1, 3)),
        (slice(0, 2), [2, 0]),
        (slice(0, 2), [1, 1]),  # both add up
        (slice(None, None, 3), slice(3, 1, -1)),
    ],
)
@pytest.mark.parametrize("target", ["node", "neurons", "filtered"])
def test_slices(pre, post, target):
    n = 4 if isinstance(post, slice) else 3

    def build():
        spikes = source()
        size = spikes[pre].size_out if post == slice(None) else n
        end = nengo.Node(size_in=size) if target != "neurons" else neurons(size)
        connect(spikes[pre], end[post], synapse=0.01 if target == "filtered" else None)
        return [end, nengo.Probe(spikes[pre])]

    assert_same_as_nengo(build)


class Accumulate(nengo.Process):
    """A process with an input and a memory."""

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"sum": np.zeros(shape_out)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        def step(t, x):
            state["sum"] += x[: shape_out[0]] * dt
            return state["sum"].copy()

        return step


NODES = {
    "array": lambda: [nengo.Node([1.0, -2.0])],
    "number": lambda: [nengo.Node(3.0)],
    "function of time": lambda: [nengo.Node(lambda t: [np.sin(30 * t), t])],
    "scalar function of time": lambda: [nengo.Node(lambda t: t)],
    "function": lambda: [
        connect(source(), nengo.Node(lambda t, x: [t * x[0], x.sum()], size_in=N))
    ],
    "scalar function": lambda: [connect(source(), nengo.Node(lambda t, x: x.sum(), size_in=N))],
    "function that changes its input": lambda: [
        (spikes := source()),
        connect(spikes, nengo.Node(lambda t, x: np.add(x, t, out=x), size_in=N)),
    ],
    "function of two inputs": lambda: [
        connect(
            nengo.Node([0.5] * N),
            connect(source(), nengo.Node(lambda t, x: x**2, size_in=N)),
            synapse=0.02,
        )
    ],
    "present input": lambda: [nengo.Node(PresentInput([[1, 2], [3, 4]], 0.05))],
    "piecewise": lambda: [nengo.Node(nengo.processes.Piecewise({0: [1], 0.1: [2]}))],
    "seeded noise": lambda: [nengo.Node(WhiteSignal(1, 20, seed=5), size_out=3)],
    "process with an input": lambda: [
        connect(source(), nengo.Node(Accumulate(default_size_in=N, default_size_out=2)))
    ],
    "sum of relays": lambda: [
        connect(source(3, seed=1), connect(source(3), nengo.Node(size_in=3)))
    ],
    "cycles of 100 and 125 steps": lambda: [
        connect(source(3, 8), connect(source(3), nengo.Node(size_in=3)))
    ],
    "cycles of 100 and 25 steps": lambda: [
        connect(source(3, 40), connect(source(3), nengo.Node(size_in=3)))
    ],
    "rhythm and rhythm": lambda: [
        connect(source(3, 7), connect(source(3), nengo.Node(size_in=3), synapse=ArcSparsifier(0.1)))
    ],
}


@pytest.mark.parametrize("build", NODES.values(), ids=NODES)
def test_nodes(build):
    assert_same_as_nengo(build)


def test_sink():
    """A function without output is still called, for every step."""
    called = []
    with nengo.Network() as net:
        connect(nengo.Node([2.0]), nengo.Node(lambda t, x: called.append((t, *x)), size_in=1))
        nengo.Node(lambda t: called.append(t), size_out=0)
    called.clear()  # Nengo has tried them
    layerwise.Simulator(net).run_steps(3)
    times = [0.001, 0.002, 0.003]
    assert sorted(called, key=str) == sorted([*times, *((t, 2.0) for t in times)], key=str)


ENSEMBLES = {
    "encoded": lambda: [
        connect(nengo.Node([0.4, -0.2]), nengo.Ensemble(30, 2), synapse=0.01).neurons
    ],
    "decoded": lambda: [
        connect(
            connect(nengo.Node(lambda t: np.sin(9 * t)), nengo.Ensemble(30, 1)),
            nengo.Node(size_in=1),
            synapse=0.02,
        )
    ],
    "slice of a decoded function": lambda: [
        connect(
            connect(nengo.Node([0.4, -0.2]), nengo.Ensemble(30, 2))[1],
            nengo.Node(size_in=3)[[2, 0]],
            function=lambda x: [x[0] ** 2, 1],
            transform=[[1, 2], [0.5, 1]],
            synapse=0.02,
        ).obj
    ],
    "communication": lambda: [
        connect(
            connect(nengo.Node(lambda t: np.sin(9 * t)), nengo.Ensemble(30, 1)),
            nengo.Ensemble(20, 1, neuron_type=nengo.SpikingRectifiedLinear()),
            synapse=0.02,
        ).neurons
    ],
    "encoders beside a rhythm": lambda: [
        connect(
            source(),
            connect(
                nengo.Node(lambda t: np.sin(70 * t)),
                nengo.Ensemble(
                    N, 1, neuron_type=ResonateAndFire(), encoders=np.resize([1.0, -1.0], (N, 1))
                ),
            ).neurons,
        )
    ],
}


@pytest.mark.parametrize("build", ENSEMBLES.values(), ids=ENSEMBLES)
def test_ensembles(build):
    assert_same_as_nengo(build)


@pytest.mark.parametrize("frequency", [10, 7, 1000 / 9, 250])
@pytest.mark.parametrize("n_steps", [1, 2, 60, 450])
def test_deep_network(frequency, n_steps):
    """Branches, skips, sparsifiers, layers of one neuron; windows shorter than a cycle."""

    def build():
        rhythm = {"frequency": frequency}
        kind = ResonateAndFire(**rhythm, threshold=0.05)
        spikes = source(12, frequency)
        hidden = layer(spikes, 9, neuron_type=kind)
        single = layer(hidden, 1, seed=1, neuron_type=kind)
        sent, received = nengo.Node(size_in=9), nengo.Node(size_in=9)
        connect(hidden, sent, synapse=FieldSparsifier(0.2, **rhythm))
        connect(sent, received, synapse=AssumeReference(**rhythm))
        last = layer(received, 4, seed=2, neuron_type=kind)
        skipped = connect(spikes, nengo.Node(size_in=12), synapse=RandomSparsifier(0.3))
        connect(skipped, last, transform=weights(4, 12, 3))
        connect(single, last, transform=weights(4, 1, 4))
        connect(nengo.Node([1.0]), last, transform=weights(4, 1, 5), synapse=0.1)
        witness = nengo.Node([1.0])
        return [witness] if n_steps < 3 else [spikes, hidden, last, sent, received]

    if n_steps == 60 and frequency < 11:
        pytest.skip("no spike yet of a second layer")
    assert_same_as_nengo(build, n_steps)


@pytest.mark.parametrize(
    ("synapse", "sample_every"),
    [
        (None, 0.003),
        (None, 0.0025),
        (0.01, None),
        (nengo.Alpha(0.02), 0.01),
        (RandomSparsifier(0.3), None),
        (FieldSparsifier(0.3), 0.002),
        (ArcSparsifier(0.5), 0.001),
        (None, 0.4),
    ],
)
def test_probes(synapse, sample_every):
    def build():
        spikes = source(40)
        settings = {"synapse": synapse, "sample_every": sample_every}
        probes = [nengo.Probe(spikes, **settings), nengo.Probe(spikes[3:9], **settings)]
        if sample_every is None or sample_every < 0.01:
            probes.append(nengo.Probe(layer(spikes)[::-1], **settings))
        return probes

    if sample_every == 0.4:
        with nengo.Network() as net:
            probes = build()
        with layerwise.Simulator(net, minibatch_size=None) as sim:
            sim.run(0.1)
        assert [sim.data[p].shape for p in probes] == [(0, 40), (0, 6)]
    else:
        assert_same_as_nengo(build)


def test_random_probes_have_their_own_seeds():
    with nengo.Network(seed=0) as net:
        spikes = source(200)
        probes = [nengo.Probe(spikes, synapse=RandomSparsifier(0.5)) for _ in range(2)]
    with layerwise.Simulator(net, minibatch_size=None) as sim:
        sim.run(0.1)
    assert not np.array_equal(*(sim.data[p] for p in probes))


@pytest.mark.parametrize("dt", [0.0005, 0.002])
def test_other_steps(dt):
    assert_same_as_nengo(lambda: [layer(source())], dt=dt)


def test_max_pool():
    """Behind a convolution of spikes, in one window and in Nengo."""

    def build():
        pixels = connect(source(4 * 4 * 2), neurons(4 * 4 * 2))
        pool = nengo.Node(MaxPool((4, 4, 3), (2, 2)), size_in=4 * 4 * 3)
        convolution = nengo.Convolution(3, (4, 4, 2), padding="same")
        connect(pixels, pool, transform=convolution, synapse=nengo.Lowpass(0.05))
        return [pool, connect(pool, neurons(2 * 2 * 3))]

    assert_same_as_nengo(build)


def test_decoded_output_phase():
    """End to end: two layers' phases decode to the sums of phasors."""
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(8))
        spikes = connect(node, nengo.Node(size_in=8), synapse=PhaseEncoder())
        w = np.abs(weights(5, 8))
        kind = ResonateAndFire(tau=5, threshold=0.5)
        probe = nengo.Probe(connect(spikes, neurons(5, kind), transform=w))
    p = np.random.RandomState(0).normal(0, 0.15, (6, 1, 8))
    raster = layerwise.Simulator(net, dt=0.0005).predict({node: p}, 8000)[probe]
    decoded = phases.from_raster(raster, 10, 0.0005)[:, -1]
    expected = phases.circular_mean(p[:, 0, None], axis=-1, weights=w)
    assert np.abs(phases.difference(decoded, expected)).max() < 0.02

import tracemalloc

import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo.exceptions import BuildError, SimulationError, ValidationError
from nengo.processes import PresentInput, WhiteSignal
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    AdaptiveSpiking,
    ArcSparsifier,
    AssumeReference,
    FieldSparsifier,
    PhaseEncoder,
    RandomSparsifier,
    ResonateAndFire,
    feedforward,
    kernels,
    layerwise,
    metrics,
    phases,
)
from nengo_phasor.pooling import MaxPool
from tests.registry import NEURONS, SYNAPSES, N, inputs, name

DT = 0.001


def connect(pre, post, **kwargs):
    nengo.Connection(pre, post, **{"synapse": None, **kwargs})
    return post


def source(n=N, frequency=10, seed=0):
    """A relay that carries one spike a cycle of each of n phases."""
    phase = np.random.RandomState(seed).uniform(-1, 1, n)
    return connect(nengo.Node(phase), nengo.Node(size_in=n), synapse=PhaseEncoder(frequency))


def neurons(n=N, neuron_type=None, **kwargs):
    return nengo.Ensemble(n, 1, neuron_type=neuron_type or ResonateAndFire(), **kwargs).neurons


def weights(n_out, n_in, seed=0):
    return np.random.RandomState(seed).normal(0.3, 1, (n_out, n_in))


def layer(pre, n=N, seed=0, synapse=None, **kwargs):
    """Resonate-and-fire neurons behind random weights."""
    return connect(
        pre, neurons(n, **kwargs), transform=weights(n, pre.size_out, seed), synapse=synapse
    )


def reference(net, n_steps, dt=DT):
    with nengo.Simulator(net, dt=dt, progress_bar=False) as sim:
        sim.run_steps(n_steps)
    return sim.data


def assert_same_as_nengo(build, n_steps=330, dt=DT):
    """Exactly the same spikes; what is no spikes may differ in the last digits of a sum."""
    with nengo.Network(seed=3) as net:
        targets = build()
        probes = [t if isinstance(t, nengo.Probe) else nengo.Probe(t) for t in targets]
    expected = reference(net, n_steps, dt)
    with layerwise.Simulator(net, dt) as sim:
        sim.run_steps(n_steps)
    assert probes
    for probe in probes:
        assert sim.data[probe].shape == (1, *expected[probe].shape)
        values = set(expected[probe].ravel())
        assert values - {0}, "nothing happens: no test"
        if len(values) == 2:
            assert_array_equal(sim.data[probe][0], expected[probe])
        else:
            assert_allclose(sim.data[probe][0], expected[probe], rtol=1e-9, atol=1e-9)


# --- the same as in Nengo -------------------------------------------------------------------------

OTHER_NEURONS = (
    nengo.LIF(),
    nengo.LIF(tau_rc=0.01, tau_ref=0.001, amplitude=2, min_voltage=-1),
    nengo.LIFRate(amplitude=0.5),
    nengo.RectifiedLinear(),
    nengo.SpikingRectifiedLinear(amplitude=0.1),
    nengo.AdaptiveLIF(inc_n=0.1),
)


def test_all_neuron_types_are_tested():
    tested = {type(neuron) for neuron in (*NEURONS, *OTHER_NEURONS)}
    assert set(feedforward.ELEMENTWISE_NEURONS) <= tested


@pytest.mark.parametrize("neuron", [*NEURONS, *OTHER_NEURONS], ids=name)
@pytest.mark.parametrize("biased", [False, True])
def test_neurons(neuron, biased):
    """Driven by currents, with Nengo's gains and biases, or given ones."""
    parameters = {"gain": np.linspace(0.5, 2, N), "bias": np.linspace(-1, 9, N)}
    if not biased:
        parameters = {"max_rates": np.linspace(30, 45, N)}

    def build():
        node = nengo.Node(PresentInput(inputs(neuron, 400), DT))
        drive = {"transform": 1 if neuron in NEURONS else 0.005}
        return [connect(node, neurons(N, neuron, **parameters), **drive)]

    assert_same_as_nengo(build)


@pytest.mark.parametrize(
    "synapse",
    [
        *SYNAPSES,
        nengo.Lowpass(0.01),
        nengo.Lowpass(0),
        nengo.Alpha(0.03),
        nengo.LinearFilter([0.5, 1], [0.001, 0.1, 1]),
    ],
    ids=name,
)
def test_synapses(synapse):
    """Behind a changing input, behind spikes that repeat, and behind a layer's spikes."""

    def build():
        changing = nengo.Node(PresentInput(inputs(synapse, 400), DT))
        spikes = source()
        first = layer(spikes)
        relays = [connect(x, nengo.Node(size_in=N), synapse=synapse) for x in (changing, spikes)]
        relays.append(connect(first, nengo.Node(size_in=N), synapse=synapse))
        return [*relays, layer(relays[1], seed=1), layer(relays[2], seed=2)]

    assert_same_as_nengo(build)


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
        connect(spikes, last, transform=weights(4, 12, 3), synapse=RandomSparsifier(0.3))
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
        with layerwise.Simulator(net) as sim:
            sim.run(0.1)
        assert [sim.data[p].shape for p in probes] == [(1, 0, 40), (1, 0, 6)]
    else:
        assert_same_as_nengo(build)


def test_random_probes_have_their_own_seeds():
    with nengo.Network(seed=0) as net:
        spikes = source(200)
        probes = [nengo.Probe(spikes, synapse=RandomSparsifier(0.5)) for _ in range(2)]
    with layerwise.Simulator(net) as sim:
        sim.run(0.1)
    assert not np.array_equal(*(sim.data[p] for p in probes))


@pytest.mark.parametrize("dt", [0.0005, 0.002])
def test_other_steps(dt):
    assert_same_as_nengo(lambda: [layer(source())], dt=dt)


# --- batches --------------------------------------------------------------------------------------


def fed_network():
    """Phases, currents and a function of both, all to the same neurons."""
    with nengo.Network(seed=1) as net:
        net.phases, net.currents = nengo.Node(np.zeros(N)), nengo.Node(np.zeros(2))
        spikes = connect(net.phases, nengo.Node(size_in=N), synapse=PhaseEncoder())
        ensemble = layer(spikes)
        connect(net.currents, ensemble, transform=weights(N, 2, 1))
        mixed = nengo.Node(lambda t, x: np.sin(t * x[:2]), size_in=N + 2)
        connect(spikes, mixed[:N])
        connect(net.currents, mixed[N:])
        connect(mixed, ensemble, transform=weights(N, 2, 2), synapse=0.01)
        net.spikes, net.mixed = nengo.Probe(ensemble), nengo.Probe(mixed)
    return net


def fed_data(net, n_items, n_steps, seed=0):
    rng = np.random.RandomState(seed)
    return {
        net.phases: rng.uniform(-1, 1, (n_items, 1, N)),
        net.currents: rng.normal(0, 3, (n_items, n_steps, 2)),
    }


def test_every_item_is_as_if_alone_in_nengo():
    net = fed_network()
    data = fed_data(net, 4, 300)
    with layerwise.Simulator(net) as sim:
        got = sim.predict(data)
    assert got[net.spikes].shape == (4, 300, N)
    for item in range(4):
        net.phases.output = data[net.phases][item, 0]
        net.currents.output = PresentInput(data[net.currents][item], DT)
        expected = reference(net, 300)
        assert expected[net.spikes].any()
        assert_array_equal(got[net.spikes][item], expected[net.spikes])
        assert_allclose(got[net.mixed][item], expected[net.mixed], atol=1e-12)


def test_run_keeps_and_predict_returns():
    net = fed_network()
    data = fed_data(net, 3, 150)
    with layerwise.Simulator(net, minibatch_size=3) as sim:
        predicted = sim.predict(data)
        assert sim.data == {}
        sim.run(0.15, data)
    assert set(sim.data) == set(predicted) == {net.spikes, net.mixed}  # also after the block
    for probe in predicted:
        assert_array_equal(sim.data[probe], predicted[probe])
    assert_allclose(sim.trange(), 0.001 * np.arange(1, 151))
    assert_allclose(sim.trange(sample_every=0.01), 0.01 * np.arange(1, 16))
    with pytest.raises(SimulationError, match=r"reset\(\)"):
        sim.run(0.1)
    sim.reset()
    assert len(sim.trange()) == len(sim.data) == 0
    sim.run(0.1)
    assert sim.data[net.spikes].shape == (3, 100, N)


def test_items_of_a_run_without_data():
    """All items see the network's own nodes; only chance differs."""
    with nengo.Network(seed=0) as net:
        spikes = source(30)
        kept = connect(spikes, nengo.Node(size_in=30), synapse=RandomSparsifier(0.5))
        probes = nengo.Probe(spikes), nengo.Probe(kept), nengo.Probe(nengo.Node(WhiteSignal(1, 9)))
    with layerwise.Simulator(net, minibatch_size=3) as sim:
        sim.run(0.2)
    for probe, alike in zip(probes, (True, False, True), strict=True):
        x = sim.data[probe]
        assert x.shape[0] == 3
        assert x.any()
        assert np.array_equal(x[0], x[1]) == np.array_equal(x[0], x[2]) == alike


@pytest.mark.parametrize(("threads", "chunk_bytes"), [(1, 1), (3, 1), (3, 100_000), (2, 10**9)])
def test_chunks_and_threads_change_nothing(monkeypatch, threads, chunk_bytes):
    with nengo.Network(seed=2) as net:
        node = nengo.Node(np.zeros(N))
        spikes = connect(node, nengo.Node(size_in=N), synapse=PhaseEncoder())
        hidden = layer(spikes)
        noise = nengo.Node(WhiteSignal(1, 50, rms=3), size_out=2)
        connect(noise, hidden, transform=weights(N, 2))
        probes = []
        for k, synapse in enumerate(SYNAPSES):
            if not isinstance(synapse, PhaseEncoder):
                relay = connect(hidden, nengo.Node(size_in=N), synapse=synapse)
                probes.append(nengo.Probe(layer(relay, 4, seed=k)))
    data = {node: np.random.RandomState(0).uniform(-1, 1, (7, 1, N))}
    whole = layerwise.Simulator(net, threads=1).predict(data, n_steps=250)
    monkeypatch.setattr(layerwise, "CHUNK_BYTES", chunk_bytes)
    parts = layerwise.Simulator(net, threads=threads).predict(data, n_steps=250)
    for probe in probes:
        assert whole[probe].any()
        assert_array_equal(parts[probe], whole[probe])


@pytest.mark.parametrize("wide", ["ensemble", "data", "function", "filter", "sum"])
def test_memory_is_bounded(monkeypatch, wide):
    """However many items: a few times the size of a chunk (and what is returned, here little)."""
    n_items, n_steps, n, chunk = 64, 200, 500, 2**21
    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(n if wide != "function" else 1))
        signal = {
            "data": lambda: node,
            "function": lambda: connect(
                node, nengo.Node(lambda t, x: np.full(n, x[0]), size_in=1, size_out=n)
            ),
            "filter": lambda: connect(node, nengo.Node(size_in=n), synapse=0.1),
            "sum": lambda: connect(
                nengo.Node([1.0] * n), connect(node, nengo.Node(size_in=n)), synapse=0.1
            ),
            "ensemble": lambda: connect(node, neurons(n), transform=np.eye(n)),
        }[wide]()
        end = connect(signal, nengo.Node(size_in=1), transform=np.ones((1, n)))
        nengo.Probe(end, sample_every=0.1)
    steps = n_steps if wide == "data" else 1
    data = {node: np.random.RandomState(0).rand(n_items, steps, node.size_out)}
    whole_window = n_items * n_steps * n * 8
    for size in ("CHUNK_BYTES", "BLOCK_BYTES"):
        monkeypatch.setattr(layerwise, size, chunk)
    sim = layerwise.Simulator(net, threads=1)
    sim.predict({node: x[:1] for node, x in data.items()}, n_steps)  # compiles
    tracemalloc.start()
    sim.predict(data, n_steps)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * chunk < whole_window / 4


def test_single_precision():
    """Of the spikes at least 99.9 % within a step; exactly the same when asked again."""
    with nengo.Network(seed=1) as net:
        node = nengo.Node(np.zeros(60))
        spikes = connect(node, nengo.Node(size_in=60), synapse=PhaseEncoder(11))
        hidden = layer(spikes, 50, neuron_type=ResonateAndFire(11))
        sent = connect(hidden, nengo.Node(size_in=50), synapse=ArcSparsifier(0.1, 11))
        last = layer(sent, 30, seed=2, neuron_type=ResonateAndFire(11))
        probes = [nengo.Probe(x) for x in (hidden, sent, last)]
    data = {node: np.random.RandomState(0).uniform(-1, 1, (10, 1, 60))}
    double = layerwise.Simulator(net, dtype="float64").predict(data, 800)
    single = layerwise.Simulator(net, dtype="float32").predict(data, 800)
    for probe in probes:
        assert single[probe].dtype == np.float32
        assert np.count_nonzero(double[probe]) > 1000
        assert metrics.spike_agreement(single[probe], double[probe], within=1) >= 0.999


def test_precision_is_nengos_by_default():
    with nengo.Network() as net:
        probe = nengo.Probe(nengo.Node([0.1]))
    assert layerwise.Simulator(net).dtype == np.float64
    for dtype in ("float32", "float64", np.float32):
        with layerwise.Simulator(net, dtype=dtype) as sim:
            sim.run(0.01)
        assert sim.data[probe].dtype == dtype


# --- data -----------------------------------------------------------------------------------------


def test_missing_phases_make_no_spikes():
    net = fed_network()
    data = fed_data(net, 2, 120)
    data[net.phases][0, 0, :] = np.nan
    data[net.phases][1, 0, 2] = np.nan
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(N))
        spikes = connect(node, nengo.Node(size_in=N), synapse=PhaseEncoder())
        probe = nengo.Probe(spikes)
        out = nengo.Probe(layer(spikes))
    phase = next(iter(data.values()))
    for x in (phase, np.repeat(phase, 120, axis=1)):
        got = layerwise.Simulator(net).predict({node: x}, 120)
        assert not got[probe][0].any()
        assert not got[out][0].any()
        assert got[probe][1].any(axis=0).tolist() == [True, True, False, True, True, True]
        assert np.isfinite(got[out]).all()


@pytest.mark.parametrize("convert", [np.asarray, np.ndarray.tolist, lambda x: x.astype("float16")])
def test_types_of_data(convert):
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(3))
        probe = nengo.Probe(node)
    for x in (np.arange(6).reshape(2, 1, 3), np.eye(3)[:2, None] > 0):
        got = layerwise.Simulator(net).predict({node: convert(x)}, 5)[probe]
        assert got.dtype == np.float64
        assert_array_equal(got, np.repeat(x, 5, axis=1))


def test_data_are_not_changed():
    net = fed_network()
    data = fed_data(net, 2, 50)
    copies = {k: v.copy() for k, v in data.items()}
    layerwise.Simulator(net).predict(data)
    for node in data:
        assert_array_equal(data[node], copies[node])


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda net, d: {}, ["data", "empty", "run"]),
        (lambda net, d: {**d, net.spikes: d[net.phases]}, ["Probe", "takes no data", "node"]),
        (lambda net, d: {**d, "phases": d[net.phases]}, ["phases", "takes no data"]),
        (lambda net, d: {**d, net.mixed.target: d[net.phases]}, ["Node", "takes no data"]),
        (lambda net, d: {net.phases: np.zeros(3)}, ["(3,)", f"(n_items, n_steps or 1, {N})"]),
        (lambda net, d: {net.phases: np.zeros((3, N))}, [f"(3, {N})", "n_items"]),
        (lambda net, d: {net.phases: np.float64(0)}, ["()", "n_items"]),
        (lambda net, d: {net.phases: np.zeros((3, 1, N + 1))}, [f"(3, 1, {N + 1})"]),
        (lambda net, d: {**d, net.phases: np.zeros((3, 1, N))}, ["have", "items"]),
        (lambda net, d: {**d, net.phases: np.zeros((2, 49, N))}, ["49 steps", "of 50", "1 for"]),
        (lambda net, d: {net.phases: 1j * d[net.phases]}, ["complex128", "real numbers"]),
        (lambda net, d: {net.phases: d[net.phases].astype(str)}, ["<U", "real numbers"]),
        (lambda net, d: {net.phases: d[net.phases].astype(object)}, ["object", "real numbers"]),
    ],
)
def test_data_are_checked(change, parts):
    net = fed_network()
    sim = layerwise.Simulator(net, minibatch_size=2)
    data = change(net, fed_data(net, 2, 50))
    with pytest.raises(ValidationError) as error:
        sim.predict(data)
    for part in ("data", *parts):
        assert part in str(error.value)


def test_items_of_a_run_are_counted():
    net = fed_network()
    with (
        layerwise.Simulator(net, minibatch_size=4) as sim,
        pytest.raises(ValidationError, match=r"2 items.*needs 4 \(minibatch_size"),
    ):
        sim.run_steps(50, fed_data(net, 2, 50))


@pytest.mark.parametrize("n_steps", [0, -3, 10.5])
def test_a_window_has_a_step(n_steps):
    net = fed_network()
    with pytest.raises(
        ValidationError, match=f"n_steps: must be a positive integer, got {n_steps}"
    ):
        layerwise.Simulator(net).run_steps(n_steps)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "int32"}, r'dtype: must be "float64" or "float32", got int32'),
        ({"dtype": "float16"}, "dtype"),
        ({"minibatch_size": 0}, "minibatch_size: must be a positive integer, got 0"),
        ({"minibatch_size": "4"}, "minibatch_size: must be a positive integer, got '4'"),
        ({"threads": 0}, "threads: must be a positive integer, got 0"),
        ({"dt": "1 ms"}, "dt: must be positive and finite, got '1 ms'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValidationError, match=message):
        layerwise.Simulator(nengo.Network(), **arguments)


def test_a_network_is_a_network():
    with pytest.raises(ValidationError, match=r"must be a nengo\.Network, got 'model\.keras'"):
        layerwise.Simulator("model.keras")


def test_how_long_a_constant_lasts():
    """One step shows nothing of spiking neurons; of others it shows all."""
    net = fed_network()
    data = fed_data(net, 2, 1)
    with pytest.raises(ValidationError, match=r"n_steps: is missing.*constants.*how many steps"):
        layerwise.Simulator(net).predict(data)
    for ensemble in net.all_ensembles:
        ensemble.neuron_type = nengo.RectifiedLinear()
    assert all(len(x[0]) == 1 for x in layerwise.Simulator(net).predict(data).values())


def test_data_are_given_by_node():
    sim = layerwise.Simulator(fed_network())
    for run in (sim.predict, lambda x: sim.run_steps(10, x)):
        with pytest.raises(ValidationError, match=r"data: must be {node: array}, got a ndarray"):
            run(np.zeros((2, 1, 3)))


# --- what it can't run, and what there is little of -----------------------------------------------


def test_nothing_to_run():
    with layerwise.Simulator(nengo.Network()) as sim:
        sim.run(0.1)
    assert sim.data == {}
    assert len(sim.trange()) == 100


def test_no_probes():
    with nengo.Network() as net:
        layer(source())
    with layerwise.Simulator(net) as sim:
        sim.run(0.1)
    assert sim.data == {}


def test_relay_without_input():
    with nengo.Network() as net:
        relay = connect(nengo.Node(size_in=2), nengo.Node(size_in=2), synapse=ArcSparsifier(0.5))
        probe, other = nengo.Probe(relay), nengo.Probe(neurons(3))
    with layerwise.Simulator(net) as sim:
        sim.run_steps(10)
    assert_array_equal(sim.data[probe], np.zeros((1, 10, 2)))
    assert_array_equal(sim.data[other], np.zeros((1, 10, 3)))


def test_function_that_returns_nothing():
    with nengo.Network() as net:
        nengo.Node(lambda t: None if t > 0.002 else 1.0, size_out=1, label="forgetful")
    with pytest.raises(SimulationError, match=r"forgetful.*None at t = 0.003"):
        layerwise.Simulator(net).run(0.01)


def learning_outside():
    a, b = nengo.Ensemble(5, 1), nengo.Ensemble(5, 1)
    with nengo.Network():
        c = nengo.Connection(a, b, learning_rule_type=nengo.PES())
    nengo.Connection(nengo.Node([1.0]), c.learning_rule)


REFUSED = {
    "loop": (
        lambda: (
            connect((x := neurons(label="ring")), connect(x, nengo.Node(size_in=N)))
            and connect(x, x, synapse=0.1)
        ),
        ["recurrence", "ring", " -> "],
    ),
    "neurons": (lambda: neurons(neuron_type=nengo.Izhikevich()), ["Ensemble", "Izhikevich"]),
    "direct mode": (lambda: nengo.Ensemble(1, 1, neuron_type=nengo.Direct()), ["Direct()"]),
    "noise": (lambda: neurons(noise=nengo.processes.WhiteNoise()), ["Ensemble", "noise"]),
    "learning": (
        lambda: connect(neurons(), neurons(), learning_rule_type=nengo.BCM(), transform=np.eye(N)),
        ["Connection", "learning rules"],
    ),
    "learning rule as target": (learning_outside, ["LearningRule", "as a target"]),
    "synapse": (
        lambda: connect(source(), nengo.Node(size_in=N), synapse=nengo.synapses.Triangle(0.01)),
        ["Connection", "Triangle(t=0.01)"],
    ),
    "probe synapse": (
        lambda: nengo.Probe(source(), synapse=nengo.synapses.Triangle(0.01)),
        ["Probe", "Triangle(t=0.01)"],
    ),
    "transform": (
        lambda: connect(
            nengo.Node(np.zeros(16)),
            nengo.Node(size_in=72),
            transform=nengo.ConvolutionTranspose(2, (4, 4, 1)),
        ),
        ["Connection", "ConvolutionTranspose"],
    ),
    "function": (
        lambda: connect(nengo.Node([1.0]), nengo.Node(size_in=1), function=np.sin),
        ["Connection", "functions on connections from nodes"],
    ),
    "weight solver": (
        lambda: connect(
            nengo.Ensemble(5, 1),
            nengo.Ensemble(5, 1),
            solver=nengo.solvers.LstsqL2(weights=True),
        ),
        ["Connection", "solvers for whole weight matrices"],
    ),
    "decoded probe": (lambda: nengo.Probe(nengo.Ensemble(5, 1)), ["Probe", "Ensemble"]),
    "state": (lambda: nengo.Probe(neurons(), "voltage"), ["Probe", "'voltage'"]),
    "input": (lambda: nengo.Probe(neurons(), "input"), ["Probe", "'input'"]),
    "connection": (
        lambda: nengo.Probe(nengo.Connection(nengo.Node([1.0]), nengo.Node(size_in=1))),
        ["Probe", "Connection"],
    ),
}


@pytest.mark.parametrize(("build", "parts"), REFUSED.values(), ids=REFUSED)
def test_refuses(build, parts):
    """With the object, what of it, and the simulator to use instead."""
    with nengo.Network() as net:
        build()
    with pytest.raises(BuildError) as error:
        layerwise.Simulator(net)
    for part in ("layerwise can't run", *parts, "use nengo.Simulator or nengo_dl.Simulator"):
        assert part in str(error.value)


def test_rhythm_too_fast():
    with nengo.Network() as net:
        source(frequency=300)
    with pytest.raises(BuildError, match="steps in a cycle"):
        layerwise.Simulator(net)


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


# --- going on from a state ------------------------------------------------------------------------


def filtered_network():
    """Neurons of all compiled types and one of Nengo's, behind filters and a changing input."""
    with nengo.Network(seed=1) as net:
        net.node = nengo.Node(np.zeros(N))
        drift = nengo.Node(lambda t: 9 * np.sin(20 * np.pi * t))
        net.seen = []
        for k, neuron in enumerate((AdaptiveSpiking(), ResonateAndFire(), nengo.LIF())):
            first, second = (neurons(N, neuron, gain=np.ones(N), bias=np.ones(N)) for _ in "ab")
            connect(net.node, first, transform=weights(N, N, k))
            connect(drift, first, transform=np.ones((N, 1)))
            connect(first, second, transform=weights(N, N, k + 9), synapse=nengo.Alpha(0.02))
            net.seen += [nengo.Probe(first), nengo.Probe(second, synapse=nengo.Lowpass(0.05))]
    return net


def test_windows_one_after_the_other_are_one_window():
    net = filtered_network()
    data = {net.node: np.random.RandomState(0).normal(2, 2, (5, 1, N))}
    sim = layerwise.Simulator(net, dtype="float64")
    whole, parts, state = sim.predict(data, 300), [], None
    for n_steps in (120, 1, 179):
        seen, state = sim.advance(data, n_steps, state)
        parts.append(seen)
    assert state.n_steps == 300
    for probe in net.seen:
        assert whole[probe].any()
        assert_array_equal(np.concatenate([p[probe] for p in parts], axis=1), whole[probe])


@pytest.mark.parametrize("n_data", [1, 200])
def test_blocks_of_time_change_nothing(monkeypatch, n_data):
    net = filtered_network()
    data = {net.node: np.random.RandomState(0).normal(2, 2, (3, n_data, N))}
    with net:
        rare = nengo.Probe(net.node, sample_every=7 * DT)
    sim = layerwise.Simulator(net, dtype="float64")
    whole = sim.predict(data, 200)
    monkeypatch.setattr(layerwise, "BLOCK_BYTES", 8 * N * 33)
    for probe, expected in whole.items():
        assert_array_equal(sim.predict(data, 200)[probe], expected)
    assert whole[rare].shape == (3, 200 // 7, N)


def test_some_items_go_on():
    net = filtered_network()
    data = {net.node: np.random.RandomState(0).normal(2, 2, (40, 1, N))}
    sim = layerwise.Simulator(net, dtype="float64")  # two chunks
    whole = sim.predict(data, 100)
    _, state = sim.advance(data, 60)
    chosen = np.array([3, 21, 39])
    seen, _ = sim.advance({net.node: data[net.node][chosen]}, 40, state[chosen])
    for probe in net.seen:
        assert_array_equal(seen[probe], whole[probe][chosen, 60:])


def test_states_that_can_not_go_on():
    net = filtered_network()
    sim, data = layerwise.Simulator(net), {net.node: np.ones((3, 1, N))}
    _, state = sim.advance(data, 5)
    with pytest.raises(ValidationError, match=r"other items than the 3.*state\[items\]"):
        sim.advance(data, 5, state[:2])
    other = filtered_network()
    with pytest.raises(ValidationError, match="of another network: it has nothing of"):
        layerwise.Simulator(other).advance({other.node: data[net.node]}, 5, state)
    with pytest.raises(ValidationError, match="is empty"):
        sim.advance({}, 5)
    net = fed_network()
    with pytest.raises(BuildError, match=r"state of .* is not kept; use predict"):
        layerwise.Simulator(net).advance(fed_data(net, 2, 5), 5)


def test_precision_is_that_of_the_simulators_building():
    net = filtered_network()
    data = {net.node: np.random.RandomState(0).normal(2, 2, (2, 1, N))}
    sim = layerwise.Simulator(net)
    before = sim.predict(data, 200)
    for ensemble in net.all_ensembles:
        if isinstance(ensemble.neuron_type, AdaptiveSpiking):
            ensemble.neuron_type = ensemble.neuron_type.at_precision(0.4)
    again, after = sim.predict(data, 200), layerwise.Simulator(net).predict(data, 200)
    assert_array_equal(again[net.seen[0]], before[net.seen[0]])
    assert np.count_nonzero(after[net.seen[0]]) < 0.5 * np.count_nonzero(before[net.seen[0]])


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
    assert_array_equal(kernels.max_pooled(pool, x), pool.pool(x))


def test_max_pool():
    """Behind a convolution of spikes, in one window and in Nengo."""

    def build():
        pixels = connect(source(4 * 4 * 2), neurons(4 * 4 * 2))
        pool = nengo.Node(MaxPool((4, 4, 3), (2, 2)), size_in=4 * 4 * 3)
        convolution = nengo.Convolution(3, (4, 4, 2), padding="same")
        connect(pixels, pool, transform=convolution, synapse=nengo.Lowpass(0.05))
        return [pool, connect(pool, neurons(2 * 2 * 3))]

    assert_same_as_nengo(build)

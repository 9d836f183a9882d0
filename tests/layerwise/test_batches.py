"""Batches of items, in chunks and threads; precision."""

import tracemalloc

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError
from nengo.processes import PresentInput, WhiteSignal
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    ArcSparsifier,
    PhaseEncoder,
    RandomSparsifier,
    ResonateAndFire,
    layerwise,
    metrics,
)
from nengo_phasor.layerwise import portions
from tests.layerwise.common import (
    DT,
    connect,
    fed_data,
    fed_network,
    layer,
    neurons,
    reference,
    source,
    weights,
)
from tests.registry import SYNAPSES, N


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
        assert sim.data[net.spikes].shape == (3, 0, N)
        sim.run(0.15, data)
        assert_allclose(sim.trange(), 0.001 * np.arange(1, 151))
        assert_allclose(sim.trange(sample_every=0.01), 0.01 * np.arange(1, 16))
        with pytest.raises(SimulationError, match=r"state of its PhaseEncoder.*reset\(\)"):
            sim.run(0.1)
    assert set(predicted) == {net.spikes, net.mixed}
    for probe in predicted:  # also after the block
        assert_array_equal(sim.data[probe], predicted[probe])
    with layerwise.Simulator(net, minibatch_size=3) as sim:
        sim.run(0.15, data)
        sim.reset()
        assert len(sim.trange()) == sim.data[net.spikes].shape[1] == 0
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
    monkeypatch.setattr(portions, "CHUNK_BYTES", chunk_bytes)
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
        monkeypatch.setattr(portions, size, chunk)
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

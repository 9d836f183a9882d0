"""Read-out, report, resources and reset, against brute force and hand counts."""

import itertools
import warnings

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import SimulatorClosed, ValidationError

nengo_loihi = pytest.importorskip("nengo_loihi")

import nengo_phasor  # noqa: E402
from nengo_phasor import phases  # noqa: E402
from nengo_phasor.loihi import emulator, readout, resources  # noqa: E402

N_IN, N_HIDDEN, N_OUT = 12, 7, 5
STEPS = 400


def layers(seed=0):
    """Two layers of resonators, fed with a spike a cycle from each input."""
    rng = np.random.RandomState(seed)
    with nengo.Network(seed=seed) as net:
        net.source = nengo.Node(rng.normal(0, 0.4, N_IN))
        relay = nengo.Node(size_in=N_IN)
        nengo.Connection(net.source, relay, synapse=nengo_phasor.PhaseEncoder())
        net.layers, net.probes_of = [], []
        for pre, size in ((relay, N_HIDDEN), (None, N_OUT)):
            pre = pre or net.layers[-1].neurons
            layer = nengo.Ensemble(size, 1, neuron_type=nengo_phasor.ResonateAndFire())
            weights = rng.normal(0.2, 0.4, (size, pre.size_out))
            nengo.Connection(pre, layer.neurons, transform=weights, synapse=None)
            net.layers.append(layer)
            net.probes_of.append(nengo.Probe(layer.neurons))
    return net


def partners(expected, found, within):
    """The largest number of pairs of two spike trains, by trying all."""
    a, b = np.flatnonzero(expected), np.flatnonzero(found)
    a, b = (a, b) if len(a) <= len(b) else (b, a)
    return max(
        sum(abs(i - j) <= within for i, j in zip(a, order, strict=True))
        for order in itertools.permutations(b, len(a))
    )


trains = st.lists(st.booleans(), min_size=6, max_size=6)


@given(trains, trains, st.integers(0, 2))
@settings(deadline=None)
def test_agreement_counts_partners(a, b, within):
    found = readout.agreement(np.array(a)[:, None], np.array(b)[:, None], within)
    assert found.expected == sum(a)
    assert found.exact == sum(x and y for x, y in zip(a, b, strict=True))
    assert found.near + found.lost == sum(a)
    assert found.near + found.extra == sum(b)
    assert found.exact <= found.near <= partners(a, b, within)


def test_agreement_of_a_shifted_raster():
    raster = phases.to_raster(np.linspace(-0.5, 0.5, 6), 10.0, 4, 0.001)
    late = np.roll(raster, 1, axis=0)
    found = readout.agreement(raster, late, 1, 10.0)
    assert found == (24, 0, 24, 0, 0, pytest.approx(0.02))
    assert found.matched == 1.0
    assert readout.agreement(raster, late, 0).matched == 0.0
    assert np.isnan(readout.agreement(raster, late).phase_error)


def test_in_time_takes_off_a_step_for_each_hop():
    """Before discretisation the spikes are Nengo's, so that lags are all that differs."""
    net = layers()
    with nengo.Simulator(net, progress_bar=False) as expected:
        expected.run_steps(STEPS)
    with nengo_loihi.Simulator(net, target="simreal") as sim:
        sim.run_steps(STEPS + 2)
    for hops, probe in enumerate(net.probes_of, start=1):
        assert readout.latency(sim, probe) == hops
        assert expected.data[probe].any()
        found = readout.in_time(sim, probe)[:STEPS]
        np.testing.assert_array_equal(found, expected.data[probe])


def test_report_by_layer():
    net = layers()
    probes = list(net.probes)
    found = readout.compare(net, STEPS)
    assert net.probes == probes
    assert list(found.layers) == net.layers
    with nengo.Simulator(net, progress_bar=False) as expected:
        expected.run_steps(STEPS)
    for (_, layer), probe, hops in zip(found.layers.items(), net.probes_of, (1, 2), strict=True):
        assert layer.agreement.expected == np.count_nonzero(expected.data[probe])
        assert layer.agreement.matched > 0.95
        assert layer.agreement.phase_error <= 0.02
        assert (layer.late, layer.clipped) == (hops, 0)
    assert found.overflows == 0
    assert "matched" in str(found)


def test_report_counts_what_was_clipped():
    """Spikes in every step, where one in a cycle was made room for."""
    with nengo.Network(seed=0) as net:
        # a resonator is silent to a constant: spikes come and go with the rhythm
        source = nengo.Node(lambda t: np.full(N_IN, 1000.0 * (np.sin(2 * np.pi * 10 * t) > 0)))
        layer = nengo.Ensemble(3, 1, neuron_type=nengo_phasor.ResonateAndFire())
        weights = np.linspace(0.5, 1, 3 * N_IN).reshape(3, N_IN)
        nengo.Connection(source, layer.neurons, transform=weights, synapse=None)
    assert readout.compare(net, 1000).layers[layer].clipped > 0


def test_operations_are_counted():
    net = layers()
    with emulator.Simulator(net, target="sim") as sim:
        sim.run_steps(STEPS)
        counts = resources.operations(sim)
    hidden, output = (np.count_nonzero(sim.data[probe]) for probe in net.probes_of)
    n_cycles = STEPS * 0.001 * 10
    assert counts.spikes == hidden + output
    assert counts.received == n_cycles * N_IN
    assert counts.synapse == n_cycles * N_IN * N_HIDDEN + hidden * N_OUT
    assert counts.update == STEPS * (N_HIDDEN + N_OUT)
    assert list(counts.synapse_by_block.values()) == [
        n_cycles * N_IN * N_HIDDEN,
        hidden * N_OUT,
    ]


def test_resources_are_those_of_nengo_loihi():
    with emulator.Simulator(layers(), target="sim") as sim:
        found = resources.resources(sim)
    assert found.cores == len(sim.model.blocks) == 2
    assert found.compartments == N_HIDDEN + N_OUT
    assert found.in_axons == N_IN + N_HIDDEN
    assert found.out_axons == N_HIDDEN
    assert found.synapse_bits == sum(
        synapse.bits() for block in sim.model.blocks for synapse in block.synapses
    )


def test_the_stock_emulator_counts_nothing():
    with nengo.Network(seed=0) as net:
        nengo.Ensemble(5, 1)
    sim = nengo_loihi.Simulator(net, target="sim")
    with sim, pytest.raises(ValidationError, match=r"emulator\.Simulator"):
        resources.operations(sim)


def sparsified():
    """With waiting spikes, a sparsifier on the chip, and others on the host."""
    net = layers()
    first, second = net.layers
    with net:
        gate, arc, assumed = (nengo.Node(size_in=N_HIDDEN) for _ in range(3))
        weights = np.random.RandomState(1).normal(0.2, 0.4, (N_OUT, N_HIDDEN))
        nengo.Connection(first.neurons, gate, synapse=nengo_phasor.RandomSparsifier(0.3))
        nengo.Connection(gate, second.neurons, transform=weights, synapse=None)
        nengo.Connection(first.neurons, arc, synapse=nengo_phasor.ArcSparsifier(0.2))
        nengo.Connection(arc, assumed, synapse=nengo_phasor.AssumeReference())
        nengo.Connection(assumed, second.neurons, transform=weights, synapse=None)
    return net


@pytest.mark.parametrize("make", [layers, sparsified])
@pytest.mark.parametrize("target", ["sim", "simreal"])
def test_reset(make, target):
    net = make()
    shown = [np.linspace(-0.5, 0.5, N_IN)]
    net.source.output = lambda t: shown[0]

    def seen():
        sim.run_steps(STEPS)
        return [sim.data[probe].copy() for probe in net.probes_of]

    with emulator.Simulator(net, target=target) as sim:
        first = seen()
        shown[0] = -shown[0]
        sim.run_steps(33)
        sim.reset()
        assert (sim.n_steps, sim.time) == (0, 0)
        assert resources.operations(sim)[:4] == (0, 0, 0, 0)
        assert not all(map(np.array_equal, first, seen()))
        shown[0] = -shown[0]
        sim.reset()
        for a, b in zip(first, seen(), strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(SimulatorClosed):
        sim.reset()


def test_reset_of_stock_neurons():
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.sin(20 * t))
        ensemble = nengo.Ensemble(30, 1)
        nengo.Connection(source, ensemble)
        probe = nengo.Probe(ensemble, synapse=0.02)
    with emulator.Simulator(net, target="sim") as sim:
        sim.run_steps(STEPS)
        first = sim.data[probe].copy()
        sim.reset()
        sim.run_steps(STEPS)
    np.testing.assert_array_equal(sim.data[probe], first)


def test_what_is_learned_is_not_reset():
    with nengo.Network(seed=0) as net:
        a, error = nengo.Ensemble(20, 1), nengo.Node(lambda t: t)
        b = nengo.Node(lambda t, x: x, size_in=1)
        connection = nengo.Connection(a, b, learning_rule_type=nengo.PES())
        nengo.Connection(error, connection.learning_rule)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with emulator.Simulator(net, target="sim") as sim, pytest.raises(NotImplementedError):
            sim.reset()

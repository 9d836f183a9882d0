"""One model, every substrate: nengo.Simulator, NengoDL and layerwise, step by step.

All entries of the registry run in one network, so that NengoDL has every reason to merge them.
"""

import warnings

import nengo
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nengo_phasor
from nengo_phasor import layerwise, metrics
from tests.registry import NEURONS, SYNAPSES, N, inputs, name

nengo_dl = pytest.importorskip("nengo_dl")

ENTRIES = {name(obj): obj for obj in (*NEURONS, *SYNAPSES)}
N_STEPS, N_ITEMS, DT = 260, 2, 0.001


class Model:
    """Every entry between a node and a probe; and with states for the substrates that show them."""

    def __init__(self, states):
        self.nodes, self.probes, self.states, self.series = {}, {}, {}, {}
        with nengo.Network(seed=5) as self.net:
            nengo_dl.configure_settings(dtype="float64")
            for key, obj in ENTRIES.items():
                self.series[key] = [inputs(obj, N_STEPS, seed=item) for item in range(N_ITEMS)]
                node = nengo.Node(nengo.processes.PresentInput(self.series[key][0], DT))
                self.nodes[key], self.states[key] = node, {}
                if isinstance(obj, nengo.neurons.NeuronType):
                    ensemble = nengo.Ensemble(
                        N, 1, neuron_type=obj, gain=np.ones(N), bias=np.zeros(N)
                    )
                    target = ensemble.neurons
                    if states:
                        self.states[key] = {s: nengo.Probe(target, s) for s in obj.state}
                    nengo.Connection(node, target, synapse=None)
                else:
                    target = nengo.Node(size_in=N)
                    nengo.Connection(node, target, synapse=obj)
                self.probes[key] = nengo.Probe(target)

    def collect(self, sim):
        return {
            key: (sim.data[self.probes[key]], {s: sim.data[p] for s, p in self.states[key].items()})
            for key in ENTRIES
        }

    @property
    def data(self):
        return {self.nodes[key]: np.array(self.series[key]) for key in ENTRIES}


@pytest.fixture(scope="module")
def runs():
    """Of each substrate: {entry: (output, {state: values})}; items first but in Nengo."""
    found = {}
    model = Model(states=True)
    with nengo.Simulator(model.net, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
    found["nengo"] = model.collect(sim)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with nengo_dl.Simulator(model.net, minibatch_size=N_ITEMS, progress_bar=False) as sim:
            sim.run_steps(N_STEPS, data=model.data)
            found["nengo_dl"] = model.collect(sim)
    found["warnings"] = [str(w.message) for w in caught]
    model = Model(states=False)
    with layerwise.Simulator(model.net, minibatch_size=N_ITEMS) as sim:
        sim.run_steps(N_STEPS, data=model.data)
    found["layerwise"] = model.collect(sim)
    return found


def assert_same(a, b, obj):
    """Equal, spike for spike; what is not spikes of one height, up to rounding."""
    assert a.shape == b.shape
    assert a.any()
    if not getattr(obj, "spiking", True) or isinstance(obj, nengo_phasor.AssumeReference):
        assert_allclose(a, b, atol=1e-9)
    else:
        assert_array_equal(a, b)


@pytest.mark.parametrize("entry", ENTRIES)
def test_nengo_and_layerwise(runs, entry):
    assert_same(runs["layerwise"][entry][0][0], runs["nengo"][entry][0], ENTRIES[entry])


@pytest.mark.parametrize("entry", ENTRIES)
def test_nengo_and_nengo_dl(runs, entry):
    output, states = runs["nengo_dl"][entry]
    expected, expected_states = runs["nengo"][entry]
    assert_same(output[0], expected, ENTRIES[entry])
    assert set(states) == set(getattr(ENTRIES[entry], "state", {}))
    for state in states:
        assert_allclose(states[state][0], expected_states[state], atol=1e-9)


@pytest.mark.parametrize("entry", ENTRIES)
def test_nengo_dl_and_layerwise_for_every_item(runs, entry):
    a, b = runs["nengo_dl"][entry][0], runs["layerwise"][entry][0]
    assert_same(a, b, ENTRIES[entry])
    assert not np.array_equal(a[0], a[1])


@pytest.mark.parametrize("cls", [nengo_phasor.ResonateAndFire, nengo_phasor.AdaptiveSpiking])
def test_a_surrogate_changes_no_spike(runs, cls):
    """The neuron with a surrogate gets the same input as the one without."""
    plain = name(cls())
    with_one = [k for k, v in ENTRIES.items() if type(v) is cls and v.surrogate is not None]
    other = with_one[0]
    for substrate in ("nengo", "nengo_dl", "layerwise"):
        assert_array_equal(runs[substrate][other][0], runs[substrate][plain][0])


def test_everything_runs_in_tensorflow(runs):
    """Without falling back to Python."""
    assert not [w for w in runs["warnings"] if "native TensorFlow" in w or "fallback" in w]


def test_input_at_the_reference():
    """Where every phase is 0 or 1, each crossing falls on a step boundary (within rounding)."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        node, relay = nengo.Node(np.zeros(30)), nengo.Node(size_in=30)
        nengo.Connection(node, relay, synapse=nengo_phasor.PhaseEncoder())
        probes = []
        for size in (40, 25):
            neurons = nengo.Ensemble(size, 1, neuron_type=nengo_phasor.ResonateAndFire()).neurons
            weights = rng.normal(0.1, 1, (size, relay.size_out))
            nengo.Connection(relay, neurons, transform=weights, synapse=None)
            relay = neurons
            probes.append(nengo.Probe(neurons))
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(800)
    for dtype in ("float32", "float64"):
        seen = layerwise.Simulator(net, dtype=dtype).predict({node: np.zeros((1, 1, 30))}, 800)
        for probe in probes:
            assert np.count_nonzero(seen[probe]) > 100
            assert_array_equal(seen[probe][0] > 0, sim.data[probe] > 0)


def test_single_precision():
    """A deep network in NengoDL's own precision: 99.9 % of the spikes within a step."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        node, spikes = nengo.Node(np.zeros(30)), nengo.Node(size_in=30)
        nengo.Connection(node, spikes, synapse=nengo_phasor.PhaseEncoder())
        relay, probes = spikes, []
        for size in (40, 25):
            ensemble = nengo.Ensemble(size, 1, neuron_type=nengo_phasor.ResonateAndFire())
            weights = rng.normal(0.1, 1, (size, relay.size_out))
            nengo.Connection(relay, ensemble.neurons, transform=weights, synapse=None)
            sent, received = nengo.Node(size_in=size), nengo.Node(size_in=size)
            sparsifier = nengo_phasor.FieldSparsifier(0.2)
            nengo.Connection(ensemble.neurons, sent, synapse=sparsifier)
            nengo.Connection(sent, received, synapse=nengo_phasor.AssumeReference())
            relay = received
            probes.append(nengo.Probe(sent))
    data = {node: rng.uniform(-1, 1, (4, 1, 30))}
    expected = layerwise.Simulator(net, dtype="float64").predict(data, 500)
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        sim.run_steps(500, data={node: np.repeat(data[node], 500, axis=1)})
        for probe in probes:
            assert sim.data[probe].dtype == np.float32
            assert np.count_nonzero(expected[probe]) > 200
            agreement = metrics.spike_agreement(sim.data[probe], expected[probe], within=1)
            assert agreement >= 0.999

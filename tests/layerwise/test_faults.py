"""Inputs that are none, lengths that can't be, and runs that are interrupted."""

import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError, ValidationError
from nengo.processes import PresentInput
from numpy.testing import assert_array_equal

from nengo_phasor import AdaptiveSpiking, PhaseEncoder, layerwise
from tests.layerwise.common import DT, connect, neurons, reference
from tests.layerwise.test_neurons import Own
from tests.registry import N

# --- no numbers -----------------------------------------------------------------------------------

NO_NUMBERS = {
    "nan": np.nan,
    "infinity": -np.inf,
    "one of two": [1.0, np.nan],
    "nothing": None,
    "words": "much",
    "too many": [1.0, 2.0, 3.0],
    "object": {"a": 1},
}


@pytest.mark.parametrize("value", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize("has_input", [False, True])
def test_functions_that_return_no_numbers(value, has_input):
    """As Nengo refuses them, and with the node and the time, also for some of the items."""
    with nengo.Network() as net:
        start = nengo.Node([0.0])
        wrong = nengo.Node(
            (lambda t, x: value if t > 0.0045 and x[0] > 0.5 else [0.0, t])
            if has_input
            else (lambda t: value if t > 0.0045 else [0.0, t]),
            size_in=1 if has_input else None,
            size_out=2,
            label="wrong",
        )
        if has_input:
            nengo.Connection(start, wrong, synapse=None)
        connect(wrong, neurons(2, AdaptiveSpiking()))
    data = {start: np.array([[[0.0]], [[1.0]]])}
    with pytest.raises(SimulationError, match=r"wrong.*function returned .* at t = 0.005 s"):
        layerwise.Simulator(net).predict(data, 20)
    start.output = np.ones(1)
    with pytest.raises(SimulationError):
        reference(net, 20)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_processes_that_return_no_numbers(value):
    with nengo.Network() as net:
        node = nengo.Node(PresentInput([[1.0, 2.0], [0.0, value]], 0.004), label="wrong")
        connect(node, neurons(2, AdaptiveSpiking()))
    with pytest.raises(SimulationError, match=rf"wrong.*PresentInput.*gave {value} at t = 0.005 s"):
        layerwise.Simulator(net).run(0.02)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("run", ["predict", "run_steps", "advance"])
def test_data_that_are_no_numbers(value, run):
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(3))
        connect(node, neurons(3, AdaptiveSpiking()))
    sim = layerwise.Simulator(net, minibatch_size=2)
    x = np.zeros((2, 20, 3))
    x[1, 4, 2] = value
    calls = {
        "predict": lambda: sim.predict({node: x}),
        "run_steps": lambda: sim.run_steps(20, {node: x}),
        "advance": lambda: sim.advance({node: x}, 20),
    }
    with pytest.raises(ValidationError, match=f"have {value} in item 1, step 4, place 2"):
        calls[run]()


def test_only_encoded_phases_may_be_missing():
    """NaN is the phase of a neuron that is silent, but no current; infinity is no phase."""
    with nengo.Network() as net:
        node, other = nengo.Node(np.zeros(2)), nengo.Node(size_in=2)
        connect(node, nengo.Node(size_in=2), synapse=PhaseEncoder())
        missing = nengo.Node(PresentInput([[np.nan, 0.1]], 1))
        spikes = nengo.Probe(connect(missing, nengo.Node(size_in=2), synapse=PhaseEncoder()))
    sim = layerwise.Simulator(net)
    got = sim.predict({node: np.full((1, 1, 2), np.nan)}, 120)[spikes][0]
    assert got.any(axis=0).tolist() == [False, True]
    assert_array_equal(got, reference(net, 120)[spikes])
    with pytest.raises(ValidationError, match="inf"):
        sim.predict({node: np.full((1, 1, 2), np.inf)}, 120)
    with net:
        connect(node, other)
    with pytest.raises(ValidationError, match="nan"):
        layerwise.Simulator(net).predict({node: np.full((1, 1, 2), np.nan)}, 120)


# --- sampling and indices -------------------------------------------------------------------------


@pytest.mark.parametrize("sample_every", [None, 0.0004, 0.001, 0.0015, 0.0025, 0.005, 0.007, 0.1])
def test_sampling_goes_on(sample_every):
    """However the run is cut into windows, a probe sees what it sees in Nengo."""
    x = np.random.RandomState(0).normal(size=(150, 1))
    with nengo.Network() as net:
        node = nengo.Node(PresentInput(x, DT))
        probe = nengo.Probe(node, sample_every=sample_every)
    expected = reference(net, 150)[probe]
    node.output = np.zeros(1)
    sim, state, parts, first = layerwise.Simulator(net), None, [], 0
    for n_steps in (1, 3, 4, 4, 30, 58, 50):
        seen, state = sim.advance({node: x[None, first : first + n_steps]}, n_steps, state)
        parts.append(seen[probe][0])
        first += n_steps
    assert_array_equal(np.concatenate(parts), expected)


@pytest.mark.parametrize(
    "chosen", [np.array([2, 0]), np.array([True, False, True]), [1], np.array([-1]), np.int64(2)]
)
def test_numpy_indices(chosen):
    size = np.size(np.arange(3)[chosen])
    with nengo.Network() as net:
        values = nengo.Node([1.0, 2.0, 3.0])
        spikes = connect(
            nengo.Node([0.1, 0.4, -0.3]), nengo.Node(size_in=3), synapse=PhaseEncoder()
        )
        probes = []
        for source in (values, spikes):
            probes.append(nengo.Probe(connect(source[chosen], nengo.Node(size_in=size))))
            target = nengo.Node(size_in=3)
            connect(source[:size], target[chosen])
            probes += [nengo.Probe(target), nengo.Probe(source[chosen])]
    sim = layerwise.Simulator(net, minibatch_size=None)
    sim.run_steps(100)
    expected = reference(net, 100)
    for probe in probes:
        assert expected[probe].any()
        assert_array_equal(sim.data[probe], expected[probe])


# --- lengths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "n_steps", [True, 10.0, np.float64(3), "5", None, np.nan, -1, 2**31, 10**18]
)
@pytest.mark.parametrize("probed", [False, True])
def test_lengths_that_are_none(n_steps, probed):
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(1))
        if probed:
            nengo.Probe(node)
    sim = layerwise.Simulator(net)
    with pytest.raises(ValidationError, match="n_steps"):
        sim.run_steps(n_steps)
    with pytest.raises(ValidationError, match="n_steps"):
        sim.advance({node: np.zeros((1, 1, 1))}, n_steps)


@pytest.mark.parametrize("time_in_seconds", [np.inf, np.nan, -1, "long", True])
def test_times_that_are_none(time_in_seconds):
    with pytest.raises(ValidationError, match="time_in_seconds"):
        layerwise.Simulator(nengo.Network()).run(time_in_seconds)


@pytest.mark.parametrize("kept", [False, True])
def test_too_much_is_refused_before_memory_is_taken(kept):
    """What is probed, or a window that has to be run at once."""
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(1000))
        if kept:
            nengo.Probe(node)
        else:
            relay = connect(node, nengo.Node(size_in=1000), synapse=PhaseEncoder())
            connect(relay, neurons(1000))
    sim = layerwise.Simulator(net)
    tracemalloc.start()
    with pytest.raises(
        ValidationError, match=r"n_steps: is too large: 2147483647 steps need .* GB"
    ):
        sim.predict({node: np.zeros((3, 1, 1000))}, 2**31 - 1)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


# --- interruption ---------------------------------------------------------------------------------

NETWORKS = {
    "function": "nengo.Node(lambda t: np.sin(t) * np.ones(100), size_out=100)",
    "own step": "nengo.Ensemble(100, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))",
    "in batches": "nengo.Ensemble(100, 1, neuron_type=nengo.LIF())",
    "compiled": "nengo.Ensemble(2000, 1, neuron_type=nengo_phasor.AdaptiveSpiking())",
}
LONG = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
import nengo, numpy as np, nengo_phasor
with nengo.Network(seed=0) as net:
    given = nengo.Node(np.zeros(1))
    first = {first}
    first = getattr(first, "neurons", first)
    for k in range(3):
        second = nengo.Ensemble(500, 1, neuron_type=nengo_phasor.AdaptiveSpiking())
        c = nengo.Connection(first, second.neurons, transform=np.ones((500, first.size_out)))
        first = second.neurons
sim = nengo_phasor.layerwise.Simulator(net, threads=2, progress_bar=False)
sim.predict({{given: np.zeros((1, 1, 1))}}, 2)
print("running", flush=True)
try:
    sim.predict({{given: np.zeros((10_000, 1, 1))}}, 20_000)
except KeyboardInterrupt:
    print(time.monotonic())
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("first", NETWORKS.values(), ids=NETWORKS)
def test_interrupt_ends_a_run(first):
    """With KeyboardInterrupt, within a second; here some more, as other processes may be busy."""
    process = subprocess.Popen(
        [sys.executable, "-c", LONG.format(first=first)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "running\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        output, errors = process.communicate(timeout=15)
    finally:
        process.kill()
    assert float(output) - start < 4, errors


def test_a_failure_stops_the_other_threads():
    """The first error is what is raised, and soon."""
    calls = []

    def fails(t, x):
        calls.append(t)
        if x[0] == 0:
            raise RuntimeError("first item")
        time.sleep(0.001)
        return x

    with nengo.Network() as net:
        node = nengo.Node(np.ones(1))
        connect(node, nengo.Node(fails, size_in=1, size_out=1))
    data = {node: np.arange(64.0).reshape(64, 1, 1)}
    sim = layerwise.Simulator(net, threads=2)
    with pytest.raises(RuntimeError, match="first item"):
        sim.predict(data, 100)
    assert len(calls) < 2000


# --- states that are none -------------------------------------------------------------------------


def test_states_of_something_else():
    def network(neuron_type, synapse=0.1):
        with nengo.Network() as net:
            net.node = nengo.Node(np.zeros(N))
            ensemble = neurons(N, neuron_type)
            nengo.Connection(net.node, ensemble, synapse=synapse)
        return net

    net = network(nengo.LIF())
    sim = layerwise.Simulator(net)
    data = {net.node: np.ones((2, 1, N))}
    _, state = sim.advance(data, 5)
    with pytest.raises(ValidationError, match=r"state: must be a State, got \{\}"):
        sim.advance(data, 5, {})
    with pytest.raises(ValidationError, match=r"another time step: 0.001 s, not 0.002 s"):
        layerwise.Simulator(net, dt=0.002).advance(data, 5, state)
    with pytest.raises(ValidationError, match="at least one item"):
        sim.advance({net.node: np.ones((0, 1, N))}, 5)
    assert sim.predict({net.node: np.ones((0, 1, N))}, 5) == {}
    net.all_ensembles[0].neuron_type = AdaptiveSpiking()
    with pytest.raises(ValidationError, match=r"2 states of .*Ensemble.*, which has 3"):
        layerwise.Simulator(net).advance(data, 5, state)
    net.all_ensembles[0].neuron_type = Own()
    with pytest.raises(ValidationError, match="another network"):
        layerwise.Simulator(net).advance(data, 5, state)
    net.all_ensembles[0].neuron_type = nengo.LIF()
    net.all_connections[0].synapse = None
    with pytest.raises(ValidationError, match="another network: it has something of <Connection"):
        layerwise.Simulator(net).advance(data, 5, state)
    net.all_connections[0].synapse = nengo.Lowpass(0.1)
    with net:
        probe = nengo.Probe(net.node, synapse=0.1)
    with pytest.raises(ValidationError, match=f"another network.*{re.escape(str(probe))}"):
        layerwise.Simulator(net).advance(data, 5, state)

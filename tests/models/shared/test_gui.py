import nengo
import numpy as np
import pytest

from nengo_phasor import AdaptiveSpiking, ArcSparsifier, PhaseEncoder
from nengo_phasor.arousal import Arousal
from nengo_phasor.models.shared import gui

DT = 0.001


def network(neuron):
    with nengo.Network() as net:
        current = nengo.Node(lambda t: [1.2 + np.sin(20 * t), 0.6])
        ensemble = nengo.Ensemble(2, 1, neuron_type=neuron, gain=[1, 1], bias=[0, 0])
        nengo.Connection(current, ensemble.neurons, synapse=None)
        net.spikes = nengo.Probe(ensemble.neurons)
    return net


def test_spikes_that_are_drawn_are_those_that_are_sent():
    """Nengo GUI draws rasters of ensembles' neurons alone."""
    with nengo.Network() as net:
        phases = nengo.Node([-0.5, 0.05, 0.5])
        fired, sent = nengo.Node(size_in=3), nengo.Node(size_in=3)
        nengo.Connection(phases, fired, synapse=PhaseEncoder())
        nengo.Connection(fired, sent, synapse=ArcSparsifier(0.1))
    ensemble = gui.spikes(net, sent, "sent")
    with net:
        seen, expected, all_spikes = map(nengo.Probe, (ensemble.neurons, sent, fired))
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(0.2)
    np.testing.assert_array_equal(sim.data[seen], sim.data[expected])
    assert np.count_nonzero(sim.data[seen]) == 4 < np.count_nonzero(sim.data[all_spikes])
    assert ensemble.label == "sent"
    assert ensemble.neuron_type.spiking


def test_a_started_model_has_one_thread_of_linear_algebra():
    """More of them wait for each other actively, which made models ten times slower."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    net = network(AdaptiveSpiking(0.4))
    net.precision = gui.Precision(0.4)
    with (
        threadpoolctl.threadpool_limits(2, "blas"),
        nengo.Simulator(net, progress_bar=False) as sim,
    ):
        gui.starter(net)(sim)
        pools = threadpoolctl.threadpool_info()
        net.precision.set(0.1)
    blas = [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]
    assert blas == [1] * len(blas) != []
    assert net.precision.m_f == 0.1, "takes hold of the simulator's neurons"


def test_precision_changes_while_it_runs():
    """As if the neuron were stepped on with the constants of the other precision."""
    coarse = AdaptiveSpiking(0.4)
    net, precision = network(coarse), gui.Precision(0.4)
    with nengo.Simulator(net, progress_bar=False) as sim:
        precision.start(sim)
        for m_f in (0.4, 0.1, 0.4):
            precision.set(m_f)
            sim.run(0.2)
    assert precision.m_f == 0.4

    state = coarse.make_state(2, rng=np.random.RandomState(0), dtype=float)
    expected = np.zeros((600, 2))
    neurons = [coarse] * 200 + [coarse.at_precision(0.1)] * 200 + [coarse] * 200
    for k, neuron in enumerate(neurons):
        t = k * DT  # a node's output of the step before comes in through no synapse: this step's
        J = np.array([1.2 + np.sin(20 * (t + DT)), 0.6])
        neuron.step(DT, J, expected[k], **state)
    np.testing.assert_allclose(sim.data[net.spikes], expected, rtol=1e-9)
    fast, slow = (np.count_nonzero(expected[k : k + 200]) for k in (200, 400))
    assert fast > 2 * slow


def test_without_a_simulator_the_precision_stays():
    precision = gui.Precision(0.4)
    precision.set(0.1)
    assert precision.m_f == 0.4


def test_other_neurons_are_left_alone():
    net = network(nengo.LIF())
    precision = gui.Precision(0.4)
    with nengo.Simulator(net, progress_bar=False) as sim:
        precision.start(sim)
        precision.set(0.1)
        sim.run(0.01)
    assert precision.m_f == 0.4


@pytest.mark.parametrize("margin", [0.2, 0.6])
def test_arousal_for_what_is_uncertain(margin):
    """At low precision until wait and duration are over, and from the next input's beginning on."""
    how = Arousal(0.4, 0.1, wait=0.02, duration=0.03, threshold=0.5)
    net, precision = network(AdaptiveSpiking(0.4)), gui.Precision(0.4)
    with net:
        outputs = nengo.Node([1.0, 1.0 - margin, 0.0])
        arousal = nengo.Node(gui.Aroused(how, precision, 0.1, DT), size_in=3, size_out=1)
        nengo.Connection(outputs, arousal, synapse=None)
        probe = nengo.Probe(arousal)
    with nengo.Simulator(net, progress_bar=False) as sim:
        precision.start(sim)
        sim.run(0.3)
    high = np.zeros(100, bool)
    high[49:] = margin < 0.5
    np.testing.assert_array_equal(sim.data[probe][:, 0], np.where(np.tile(high, 3), 0.1, 0.4))

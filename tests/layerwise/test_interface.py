"""A script runs in nengo.Simulator and in layerwise.Simulator: a name and an argument change."""

import time
from functools import partial

import nengo
import numpy as np
import pytest
from nengo.exceptions import ReadonlyError, SimulationError, SimulatorClosed, ValidationError
from nengo.processes import PresentInput, WhiteSignal
from nengo.utils.progress import ProgressBar
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import layerwise
from nengo_phasor.layerwise import batch
from tests.layerwise.common import DT, connect, filtered_network, neurons, source, weights
from tests.registry import N


class Shown(ProgressBar):
    """A bar that notes how far it was."""

    def __init__(self):
        self.seen, self.closed = [], 0

    def update(self, progress):
        self.seen.append(progress.progress)

    def close(self):
        self.closed += 1


def decoding_network():
    """Encoders, decoders, a probe that samples, and what goes on from one run to the next."""
    with nengo.Network(seed=5) as net:
        drift = nengo.Node(lambda t: [np.sin(9 * t), np.cos(9 * t)])
        net.ensemble = nengo.Ensemble(30, 2, label="ensemble")
        end = nengo.Node(size_in=2)
        nengo.Connection(drift, net.ensemble)
        net.connection = nengo.Connection(net.ensemble, end, synapse=nengo.Alpha(0.02))
        net.seen = [
            nengo.Probe(net.ensemble.neurons),
            nengo.Probe(end, synapse=0.01),
            nengo.Probe(end[0], sample_every=3 * DT),
        ]
    return net


def script(simulator, net):
    """What a script may do with a simulator, and what it finds."""
    found = []

    def look(sim):
        found.append([sim.n_steps, sim.time, sim.dt, sim.closed, sim.seed])
        found.extend([sim.trange(), sim.trange(sample_every=3 * DT)])
        found.extend(sim.data[probe] for probe in net.seen)

    with simulator(net, 0.001, 7, progress_bar=Shown()) as sim:
        assert sim.model.params[net.ensemble] is sim.data[net.ensemble]
        assert {net.ensemble, net.connection, *net.seen} <= set(sim.data)
        sim.run(0.05, progress_bar=False)
        look(sim)
        for _ in range(4):
            sim.step()
        sim.run_steps(20)
        look(sim)
        sim.clear_probes()
        sim.run(0.01)
        look(sim)
        sim.reset()
        found.append(sim.n_steps)
        sim.reset(seed=8)
        sim.run(0.02)
        look(sim)
        with pytest.raises(ReadonlyError):
            sim.dt = 0.1
    look(sim)
    built = sim.data[net.ensemble]
    found += [built.gain, built.bias, built.encoders, built.eval_points, built.intercepts]
    found.append(sim.data[net.connection].weights)
    for call in (sim.step, sim.reset, lambda: sim.run(0.1), lambda: sim.run_steps(1)):
        with pytest.raises(SimulatorClosed):
            call()
    with pytest.raises(SimulatorClosed), sim:
        pass
    return found


@pytest.fixture(scope="module")
def expected():
    net = decoding_network()
    return net, script(nengo.Simulator, net)


@pytest.mark.parametrize(
    "simulator", [nengo.Simulator, partial(layerwise.Simulator, minibatch_size=None)]
)
def test_a_script_changes_the_name(simulator, expected):
    net, values = expected
    got = script(simulator, net)
    assert len(got) == len(values)
    assert values[3].any()
    for a, b in zip(got, values, strict=True):
        assert np.shape(a) == np.shape(b)
        assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_windows_go_on_for_a_batch():
    net = filtered_network()
    data = {net.node: np.random.RandomState(0).normal(2, 2, (5, 1, N))}
    with layerwise.Simulator(net, minibatch_size=5) as sim:
        whole = sim.predict(data, 300)
        for n_steps in (160, 1, 139):
            sim.run_steps(n_steps, data)
        for probe in net.seen:
            assert whole[probe].any()
            assert_array_equal(sim.data[probe], whole[probe])
        sim.clear_probes()
        assert (sim.n_steps, sim.data[net.seen[0]].shape) == (300, (5, 0, N))


@pytest.mark.parametrize("x", [np.ones((1, N)), np.ones((1, 1, N)), [[1.0] * N]])
def test_data_of_one_item_are_of_nengos_shape(x):
    net = filtered_network()
    with layerwise.Simulator(net, minibatch_size=None) as sim:
        sim.run_steps(50, {net.node: x})
        expected = sim.predict({net.node: np.ones((1, 1, N))}, 50)
    for probe in net.seen:
        assert sim.data[probe].shape == (50, N)
        assert_array_equal(sim.data[probe], expected[probe][0])


@pytest.mark.parametrize("arguments", [{}, {"minibatch_size": 1}])
def test_one_item_of_a_batch_keeps_its_axis(arguments):
    net = filtered_network()
    with layerwise.Simulator(net, **arguments) as sim:
        sim.run_steps(5)
    assert sim.data[net.seen[0]].shape == (1, 5, N)


def test_what_keeps_no_state_says_so_at_the_second_step():
    with nengo.Network() as net:
        node = nengo.Node(PresentInput([[0.1], [0.2]], 0.01), label="shown")
        nengo.Probe(node)
    with layerwise.Simulator(net) as sim:
        sim.step()
        with pytest.raises(
            SimulationError, match=r"shown.*state of its PresentInput.*nengo.Simulator"
        ):
            sim.step()


def test_seed():
    """As in Nengo the seed chooses the noise, and nothing else."""
    with nengo.Network(seed=3) as net:
        noise = nengo.Node(WhiteSignal(1, 50), size_out=2)
        same = nengo.Node(WhiteSignal(1, 50, seed=4), size_out=2)
        ensemble = connect(noise, neurons(), transform=weights(N, 2))
        probes = [nengo.Probe(noise), nengo.Probe(same)]

    def seen(sim):
        sim.run(0.1)
        return [sim.data[probe] for probe in probes]

    with layerwise.Simulator(net, seed=1) as one, layerwise.Simulator(net, seed=2) as two:
        first, second = seen(one), seen(two)
        assert not np.allclose(first[0], second[0])
        assert_array_equal(first[1], second[1])
        assert_array_equal(one.data[ensemble.ensemble].bias, two.data[ensemble.ensemble].bias)
        two.reset(seed=1)
        assert_array_equal(seen(two)[0], first[0])
    with layerwise.Simulator(net) as sim:
        assert sim.seed == 4
    for seed in (-1, 0.5, "1", True):
        with pytest.raises(ValidationError, match="seed"):
            layerwise.Simulator(net, seed=seed)


def test_long_predictions_show_how_far_they_are(monkeypatch):
    """Also within a chunk, of which there may be only one; short ones show nothing."""
    monkeypatch.setattr(batch, "SHOWN_AFTER", 0.1)
    with nengo.Network() as net:
        x = node = nengo.Node(np.zeros(1))
        for _ in range(4):
            x = connect(x, nengo.Node(lambda t, x: time.sleep(0.01) or x, size_in=1, size_out=1))
        nengo.Probe(x)
    bar = Shown()
    sim = layerwise.Simulator(net, progress_bar=bar)
    sim.predict({node: np.zeros((1, 1, 1))}, 20)
    assert 0 < bar.seen[len(bar.seen) // 2] < 1 == bar.seen[-1]
    assert (bar.closed, bar.seen) == (1, sorted(bar.seen))
    n_seen = len(bar.seen)
    sim.predict({node: np.zeros((1, 1, 1))}, 20, progress_bar=False)
    monkeypatch.undo()
    sim.predict({node: np.zeros((1, 1, 1))}, 1)
    assert (bar.closed, len(bar.seen)) == (1, n_seen)


def test_a_failure_closes_the_bar(monkeypatch):
    monkeypatch.setattr(batch, "SHOWN_AFTER", 0.1)
    with nengo.Network() as net:
        nengo.Node(lambda t: time.sleep(0.01) or 1 / (t < 0.045), size_out=1)
    bar = Shown()
    with pytest.raises(ZeroDivisionError):
        layerwise.Simulator(net, progress_bar=bar).run(0.1)
    assert bar.closed == 1
    assert bar.seen[-1] < 1


def test_repr():
    with nengo.Network(label="net") as net:
        connect(source(), neurons())
    with layerwise.Simulator(net, minibatch_size=4, dtype="float32") as sim:
        sim.run(0.25)
        text = repr(sim)
    for part in ("layerwise", "net", "1 ensembles", "0.001 s", "minibatch_size=4", "float32"):
        assert part in text
    assert "open, at 0.25 s" in text
    assert "closed, at 0.25 s" in repr(sim)

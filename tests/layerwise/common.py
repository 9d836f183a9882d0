"""Networks for the tests of layerwise, and the comparison with Nengo."""

from threading import Event

import nengo
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    AdaptiveSpiking,
    PhaseEncoder,
    ResonateAndFire,
    layerwise,
)
from nengo_phasor.layerwise import processes
from nengo_phasor.layerwise.span import Span
from tests.registry import N, inputs

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
    with layerwise.Simulator(net, dt, minibatch_size=None) as sim:
        sim.run_steps(n_steps)
    assert probes
    for probe in probes:
        assert sim.data[probe].shape == expected[probe].shape
        values = set(expected[probe].ravel())
        assert values - {0}, "nothing happens: no test"
        if len(values) == 2:
            assert_array_equal(sim.data[probe], expected[probe])
        else:
            assert_allclose(sim.data[probe], expected[probe], rtol=1e-9, atol=1e-9)


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


def span_of(n_steps, items=3, before=None, dtype="float64"):
    """Steps of some items, of which all or the places are given."""
    items = np.arange(items) if np.ndim(items) == 0 else items
    return Span(n_steps, items, DT, np.dtype(dtype), before, Event())


def built(process, is_late=False):
    return processes.BuiltProcess(process, is_late, seed=0)


def batch(obj, n_steps, n_items=3):
    """Inputs of shape (n_steps, n_items, N)."""
    return np.stack([inputs(obj, n_steps, seed=seed) for seed in range(n_items)], axis=1)

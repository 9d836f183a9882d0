"""Random feed-forward networks give the same in Nengo, layerwise and NengoDL.

Each network is made from its number alone. NengoDL runs many as one: building costs it a second.
"""

import nengo
import numpy as np
import pytest
from nengo.dists import Uniform
from nengo.neurons import NeuronType
from nengo.processes import Piecewise, PresentInput, WhiteSignal
from nengo.synapses import Synapse
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    ArcSparsifier,
    AssumeReference,
    FieldSparsifier,
    PhaseEncoder,
    RandomSparsifier,
    ResonateAndFire,
    SurrogateLIF,
    layerwise,
)
from nengo_phasor.synapses import SpikeSynapse

N_NETWORKS = 50
AT_ONCE = 10
N_STEPS = 150
DT = 0.001


class Leak(NeuronType):
    """A user's neuron, written as Nengo's documentation says."""

    negative = False
    spiking = True
    state = {"voltage": Uniform(0, 1)}  # noqa: RUF012

    def gain_bias(self, max_rates, intercepts):
        return np.ones_like(max_rates), np.ones_like(max_rates)

    def max_rates_intercepts(self, gain, bias):
        return np.ones_like(gain), np.zeros_like(gain)

    def step(self, dt, J, output, voltage):
        voltage[...] = 0.95 * voltage + 0.05 * J
        output[...] = (voltage > 1) / dt
        voltage[output > 0] = 0


class Rivals(Leak):
    """A user's neuron whose layer acts as a whole, and which does not spike."""

    spiking = False

    def step(self, dt, J, output, voltage):
        voltage += dt * (10 * J - 50 * voltage - 5 * np.maximum(voltage, 0).sum())
        output[...] = np.maximum(voltage, 0)


class Delay(Synapse):
    """A user's synapse: what came in some steps ago."""

    def make_state(self, shape_in, shape_out, dt, dtype=None, y0=0):
        return {"past": np.zeros((3, *shape_out), dtype)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        past = state["past"]

        def step(t, x):
            k = round(t / dt) % 3
            out = past[k].copy()
            past[k] = x
            return out

        return step


class Beat(SpikeSynapse):
    """A user's spike synapse, which speaks unasked."""

    def constants(self, dt, neurons, items):
        return (1 / dt,)

    def advance(self, xp, tick, x, c):
        beat = c[0] * xp.ones_like(x)
        return (x + xp.where(tick.step % 50.0 == 25.0, beat, xp.zeros_like(x)),)


NEURONS = {
    "phase": (ResonateAndFire(), ResonateAndFire(40, threshold=0.3), AdaptiveSpiking(m_f=0.2)),
    "current": (
        AdaptiveSpiking(),
        AdaptiveSpikingRate(),
        SurrogateLIF(),
        SurrogateLIF(reset="zero"),
        nengo.LIF(),
        nengo.LIFRate(),
        nengo.AdaptiveLIF(),
        nengo.RectifiedLinear(),
        nengo.SpikingRectifiedLinear(),
        nengo.Sigmoid(),
        nengo.Tanh(),
        nengo.Izhikevich(),
        nengo.RegularSpiking(nengo.LIFRate()),
        Leak(),
        Rivals(),
    ),
    "random": (nengo.PoissonSpiking(nengo.LIFRate()), nengo.StochasticSpiking(nengo.LIFRate())),
}
"""Resonators' own kind, and those for currents; NengoDL draws other numbers for the last."""


class Maker:
    """Makes a network of a number."""

    def __init__(self, number, drawing=True):
        self.rng = np.random.RandomState(number)
        self.drawing = drawing

    def pick(self, *choices):
        return choices[self.rng.randint(len(choices))]

    def network(self, number):
        """Return a network of some layers, each with input from earlier ones, all probed."""
        with nengo.Network(seed=number) as net:
            objects = [self.source() for _ in range(self.rng.randint(1, 4))]
            for _ in range(self.rng.randint(2, 6)):
                objects.append(self.layer(objects))
            net.watched = [self.probe(obj) for obj in objects]
        return net

    def source(self):
        """Return a node that makes something by itself, or spikes of what it makes."""
        n = self.rng.randint(1, 7)
        x, phase = self.rng.normal(0, 1, (2, n)), self.rng.uniform(0, 6, n)
        node = nengo.Node(
            self.pick(
                x[0],
                lambda t: np.sin(20 * t + phase),
                WhiteSignal(0.1, 60, seed=self.rng.randint(1000)),
                PresentInput(self.rng.normal(0, 1, (3, n)), 0.03),
                Piecewise({0.02: x[0], 0.12: x[1]}),
            ),
            size_out=n,
        )
        if self.pick(True, False):
            return node
        relay = nengo.Node(size_in=n)
        nengo.Connection(node, relay, synapse=PhaseEncoder(self.pick(10.0, 40.0, 37.0)))
        return relay

    def layer(self, objects):
        """Return neurons, a function, a process or a relay, with one to three inputs."""
        sources = [objects[self.rng.randint(len(objects))] for _ in range(self.rng.randint(1, 4))]
        target = self.target(self.pick(2, 4, 6))
        for source in sources:
            self.connect(source, target)
        return target

    def target(self, n):
        kind = self.rng.randint(8)
        if kind == 0:
            return nengo.Node(lambda t, x: np.tanh(x) + 0.1 * np.cos(9 * t), size_in=n, size_out=n)
        if kind == 1:
            return nengo.Node(size_in=n)
        if kind == 2:
            return nengo.Node(Delay(default_size_in=n, default_size_out=n))
        kinds = ("phase", "current", "current", *["random"] * self.drawing)
        neurons = NEURONS[self.pick(*kinds)]
        parameters = {"gain": self.rng.uniform(0.5, 2, n), "bias": self.rng.uniform(0, 2, n)}
        return nengo.Ensemble(n, 1, neuron_type=self.pick(*neurons), **parameters).neurons

    def connect(self, source, target):
        n_in, n = source.size_out, target.size_in
        near = slice(0, min(n_in, n))
        start, end, transform = source, target, self.rng.normal(0, 1, (n, n_in))
        form = self.rng.randint(6)
        if form == 1:
            start, end, transform = source[near], target[near], 0.7
        elif form == 2:
            transform = nengo.Sparse(
                (n, n_in),
                indices=np.column_stack(
                    [self.rng.randint(n, size=5), self.rng.randint(n_in, size=5)]
                ),
                init=self.rng.normal(0, 1, 5),
            )
        elif form == 3 and n_in % 2 == n % 2 == 0 and n <= n_in:
            size = (n_in - n) // 2 + 1
            transform = nengo.Convolution(2, (n_in // 2, 2), (size,), (1,))
        elif form == 4:
            chosen = self.rng.permutation(n_in)[: self.rng.randint(1, n_in + 1)]
            places = self.rng.permutation(n)[:2]
            start, end = source[chosen], target[places]
            transform = self.rng.normal(0, 1, (len(places), len(chosen)))
        elif form == 5:
            start, end = source[near], target[near]
            transform = self.rng.normal(0, 1, near.stop)
        if isinstance(source, nengo.ensemble.Neurons):
            scale = 0.05 if not source.ensemble.neuron_type.spiking else 0.3
            synapse = self.synapse()
            transform = scaled(transform, scale if synapse is None else 0.05)
        else:
            synapse = self.synapse()
        if isinstance(synapse, SpikeSynapse):  # acts before the weights
            relay = nengo.Node(size_in=source.size_out)
            nengo.Connection(source, relay, synapse=synapse)
            start, synapse = relay[getattr(start, "slice", slice(None))], None
        nengo.Connection(start, end, transform=transform, synapse=synapse)

    def synapse(self):
        frequency = self.pick(10.0, 40.0)
        return self.pick(
            None,
            None,
            nengo.Lowpass(0.02),
            nengo.Lowpass(0),
            nengo.Alpha(0.01),
            nengo.LinearFilter([0.5, 1], [0.001, 0.1, 1]),
            nengo.synapses.Triangle(0.01),
            ArcSparsifier(0.3, frequency),
            FieldSparsifier(0.2, frequency),
            RandomSparsifier(0.4, seed=self.rng.randint(1000)),
            AssumeReference(frequency),
            Delay(),
            Beat(),
        )

    def probe(self, obj):
        return nengo.Probe(
            obj,
            synapse=self.pick(None, None, self.synapse()),
            sample_every=self.pick(None, None, 0.003, 0.0025),
        )


def scaled(transform, scale):
    """Return a transform with smaller weights."""
    if not isinstance(transform, nengo.Sparse | nengo.Convolution):
        return scale * transform
    return transform


def nengos(net):
    """Return what Nengo sees.

    Its optimizer would join the equal neurons of several ensembles to one layer, in which they
    compete with each other and draw numbers in another order.
    """
    with nengo.Simulator(net, dt=DT, progress_bar=False, optimize=False) as sim:
        sim.run_steps(N_STEPS)
    return sim.data


def assert_same(probe, got, expected):
    """Exactly the same spikes; what is no spikes may differ in the last digits of a sum."""
    assert got.shape == expected.shape
    if len(set(np.abs(expected[expected != 0]))) <= 1:  # of one height
        assert_array_equal(got, expected, err_msg=str(probe))
    else:
        size = np.abs(expected).max()
        assert_allclose(got, expected, rtol=1e-8, atol=1e-8 * size, err_msg=str(probe))


@pytest.mark.parametrize("number", range(N_NETWORKS))
def test_layerwise(number):
    net = Maker(number).network(number)
    expected = nengos(net)
    with layerwise.Simulator(net, DT, minibatch_size=None) as sim:
        sim.run_steps(N_STEPS)
    for probe in net.watched:
        assert_same(probe, sim.data[probe], expected[probe])


@pytest.mark.parametrize("first", range(0, N_NETWORKS, AT_ONCE))
def test_nengo_dl(first):
    nengo_dl = pytest.importorskip("nengo_dl")
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64")
        parts = [Maker(k, drawing=False).network(k) for k in range(first, first + AT_ONCE)]
    expected = nengos(net)
    with nengo_dl.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.run_steps(N_STEPS, progress_bar=False)
    for part in parts:
        for probe in part.watched:
            got = np.reshape(sim.data[probe], expected[probe].shape)
            assert_same(probe, got, expected[probe])

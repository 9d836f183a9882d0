"""What is built between neurons: sparsifiers, relays and weights, all in time with Nengo's."""

import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo.exceptions import BuildError, SimulationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    AdaptiveSpiking,
    ArcSparsifier,
    AssumeReference,
    FieldSparsifier,
    PhaseEncoder,
    RandomSparsifier,
    ResonateAndFire,
)

nengo_loihi = pytest.importorskip("nengo_loihi")

from nengo_phasor.loihi.latency import latencies  # noqa: E402
from nengo_phasor.loihi.senders import spike_counter  # noqa: E402
from nengo_phasor.loihi.tables import is_gate  # noqa: E402
from tests.loihi.common import DT, loihi, numpy, rhythmic, spiking  # noqa: E402
from tests.registry import SYNAPSES, name  # noqa: E402

N_STEPS = 600


class Layers:
    """A network of layers that are compared on both simulators; begins with encoded phases."""

    def __init__(self, seed=0, frequency=10.0, amplitude=1.0, n=30):
        self.rng = np.random.RandomState(seed)
        self.net = nengo.Network(seed=seed)
        self.encoder = PhaseEncoder(frequency)
        self.neuron = ResonateAndFire(frequency, threshold=0.1, amplitude=amplitude)
        self.seen = {}
        with self.net:
            self.phases = nengo.Node(self.rng.uniform(-1, 1, n))
            self.input = self.relay(self.phases, self.encoder)
            self.bias = self.relay(nengo.Node([0.0]), self.encoder)

    def relay(self, pre, synapse, probed=False):
        with self.net:
            relay = nengo.Node(size_in=pre.size_out)
            nengo.Connection(pre, relay, synapse=synapse)
            if probed:
                self.seen[relay] = nengo.Probe(relay)
        return relay

    def layer(self, n, *pres):
        with self.net:
            ensemble = nengo.Ensemble(n, 1, neuron_type=self.neuron)
            for pre in pres:
                self.weigh(pre, ensemble)
            self.seen[ensemble] = nengo.Probe(ensemble.neurons)
        return ensemble

    def weigh(self, pre, ensemble, transform=None):
        shape = (ensemble.n_neurons, pre.size_out)
        if transform is None:
            transform = self.rng.normal(0.05, 1, shape) / np.sqrt(shape[1])
        with self.net:
            return nengo.Connection(pre, ensemble.neurons, transform=transform, synapse=None)

    def compare(self, late=None, dt=DT, **kwargs):
        """Assert that all probes see what they see in Nengo, so many steps later."""
        expected = numpy(self.net, N_STEPS, dt=dt).data
        sim = loihi(self.net, N_STEPS + 12, "simreal", dt=dt, **kwargs)
        found = latencies(sim.model)
        for obj, probe in self.seen.items():
            assert np.count_nonzero(expected[probe]) > 2 * probe.size_in
            seen = sim.data[probe][found[obj] : N_STEPS + found[obj]]
            assert_allclose(seen, expected[probe], rtol=1e-6)
            assert not np.any(sim.data[probe][: found[obj]])
        if late is not None:
            assert [found[obj] for obj in self.seen] == late
        return sim


@pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
def test_every_synapse(synapse):
    """Between two layers: on the chip if its neurons can do it, else on the host."""
    net = Layers(amplitude=getattr(synapse, "amplitude", 1.0))
    a = net.layer(24, net.input, net.bias)
    relay = net.relay(a.neurons, synapse)
    net.layer(20, relay, net.bias)
    on_chip = is_gate(synapse)
    sim = net.compare(late=[1, 2 if on_chip else 3])
    assert (relay in sim.model.split.passthrough.to_remove) == on_chip
    assert bool(sim.model.chip2host_receivers) == (not on_chip)


@pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
def test_every_synapse_behind_a_relay_that_stays(synapse):
    net = Layers(amplitude=getattr(synapse, "amplitude", 1.0))
    a = net.layer(24, net.input, net.bias)
    net.layer(20, net.relay(a.neurons, synapse), net.bias)
    net.compare(late=[1, 3], remove_passthrough=False)


def test_a_chip_synapse_changes_spikes():
    """The tests here see sparsifiers act: without one there are more spikes, and others."""
    counts = []
    for synapse in (None, ArcSparsifier(0.3), RandomSparsifier(0.5)):
        net = Layers()
        a = net.layer(24, net.input, net.bias)
        b = net.layer(20, net.relay(a.neurons, synapse), net.bias)
        counts.append(net.compare(late=[1, 2]).data[net.seen[b]])
    for other in counts[1:]:
        assert not np.array_equal(counts[0], other)


CHAINS = {
    "arc, assumed": ([ArcSparsifier(0.4), AssumeReference()], 3),
    "arc, random": ([ArcSparsifier(0.2), RandomSparsifier(0.2)], 3),
    "field, assumed": ([FieldSparsifier(0.3), AssumeReference()], 3),
    "random, none": ([RandomSparsifier(0.4), None], 3),
    "none, arc": ([None, ArcSparsifier(0.3)], 3),
    "none, none": ([None, None], 2),
    "three": ([ArcSparsifier(0.2), FieldSparsifier(0.2), AssumeReference()], 3),
}


@pytest.mark.parametrize("key", CHAINS)
def test_chains_of_relays(key):
    synapses, late = CHAINS[key]
    net = Layers()
    a = net.layer(24, net.input, net.bias)
    pre = a.neurons
    for synapse in synapses:
        pre = net.relay(pre, synapse)
    net.layer(20, pre, net.bias)
    net.compare(late=[1, late])


@pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
def test_a_probed_relay(synapse):
    """It is on the host, a step after the neurons; what the next layer gets is the same."""
    net = Layers(amplitude=getattr(synapse, "amplitude", 1.0))
    a = net.layer(24, net.input, net.bias)
    net.layer(20, net.relay(a.neurons, synapse, probed=True), net.bias)
    net.compare(late=[1, 2, 2 if is_gate(synapse) else 3])


@pytest.mark.parametrize("synapse", [None, ArcSparsifier(0.3), RandomSparsifier(0.3)], ids=name)
@pytest.mark.parametrize("block_shape", [None, nengo_loihi.BlockShape((7,), (24,))])
def test_shorter_ways_wait(synapse, block_shape):
    """Input and bias of deeper layers, and a connection that skips one: relayed or not."""
    net = Layers()
    a = net.layer(24, net.input, net.bias)
    b = net.layer(20, net.relay(a.neurons, synapse), net.bias)
    c = net.layer(16, b.neurons, net.relay(a.neurons, synapse), a.neurons, net.input, net.bias)
    field = net.relay(c.neurons, FieldSparsifier(0.2))
    net.layer(14, field, a.neurons, net.input, net.bias)
    if block_shape is not None:
        nengo_loihi.add_params(net.net)
        net.net.config[a].block_shape = block_shape
    sim = net.compare(late=[1, 2, 3, 5])
    assert len(sim.model.objs[a]["in"]) == (1 if block_shape is None else 4)


def test_neurons_of_the_host_wait_too():
    net = Layers()
    with net.net:
        host = spiking(rhythmic(net.rng, N_STEPS, 15))
    a = net.layer(24, host, net.bias)
    net.layer(20, a.neurons, host)
    net.compare(late=[1, 2])


@pytest.mark.parametrize("frequency", [40.0, 125.0, 250.0])
def test_fast_rhythms(frequency):
    """Where there are fewer steps to a cycle than a spike takes: no clock starts before time 0."""
    net = Layers(frequency=frequency)
    pre = net.layer(24, net.input, net.bias).neurons
    for n in (20, 20, 20):
        sparsified = net.relay(pre, ArcSparsifier(0.3, frequency))
        pre = net.layer(n, net.relay(sparsified, AssumeReference(frequency)), net.bias).neurons
    net.compare(late=[1, 3, 5, 7])


@pytest.mark.parametrize("dt", [0.0005, 0.004])
def test_other_time_steps(dt):
    net = Layers()
    a = net.layer(24, net.input, net.bias)
    sparsified = net.relay(a.neurons, ArcSparsifier(0.3))
    net.layer(20, net.relay(sparsified, AssumeReference()), net.bias, a.neurons)
    net.compare(late=[1, 3], dt=dt)


def test_seeds_of_random_sparsifiers():
    """By their places in the network, as Nengo's, on the chip and on the host, shared or not."""
    net = Layers()
    shared = RandomSparsifier(0.5)
    a = net.layer(24, net.input, net.bias)
    with net.net:
        sub = nengo.Network()
    outer = net.net
    outside = net.relay(a.neurons, RandomSparsifier(0.4))
    net.net = sub
    inside = [net.relay(a.neurons, shared), net.relay(a.neurons, shared, probed=True)]
    net.net = outer
    again = net.relay(a.neurons, shared, probed=True)
    b = net.layer(20, outside, net.bias)
    net.layer(20, *inside, net.bias)
    net.layer(20, again, net.relay(b.neurons, shared), net.bias)
    net.compare()


def test_slices():
    """Of neurons and relays; a sparsifier knows neurons by their places in its connection."""
    net = Layers()
    a = net.layer(24, net.input, net.bias)
    with net.net:
        relay = nengo.Node(size_in=20)
        for k, synapse in enumerate((RandomSparsifier(0.5), ArcSparsifier(0.2))):
            nengo.Connection(
                a.neurons[8 + 4 * k : 18 + 4 * k], relay[10 * k : 10 * (k + 1)], synapse=synapse
            )
    part = net.relay(a.neurons[3:15], RandomSparsifier(0.5))
    net.layer(20, relay, net.bias)
    net.layer(20, part, relay[4:14], net.bias, a.neurons[::2])
    net.compare()


@pytest.mark.parametrize("synapse", [ArcSparsifier(0.3), RandomSparsifier(0.4)], ids=name)
def test_no_relay(synapse):
    """Without weights, from neurons to as many."""
    net = Layers()
    a = net.layer(24, net.input, net.bias)
    b = net.layer(24, net.bias)
    with net.net:
        host = spiking(rhythmic(net.rng, N_STEPS, 24))
        nengo.Connection(a.neurons, b.neurons, synapse=synapse)
        nengo.Connection(host, b.neurons, synapse=synapse)
    net.compare(late=[1, 2])


@pytest.mark.parametrize("synapse", [ArcSparsifier(0.3), RandomSparsifier(0.4)], ids=name)
def test_no_relay_behind_a_part_of_neurons(synapse):
    """The chip's sparsifiers know neurons by their places in the ensemble."""
    net = Layers()
    a = net.layer(24, net.input, net.bias)
    b = net.layer(12, net.bias)
    with net.net:
        nengo.Connection(a.neurons[6:18], b.neurons, synapse=synapse)
    with pytest.raises(BuildError, match="unweighted connection to a relay"):
        loihi(net.net, 1)


def test_to_a_function():
    """Of the host, which gets sparsified spikes in time."""
    net = Layers()
    a = net.layer(24, net.input, net.bias)
    with net.net:
        for synapse in (None, ArcSparsifier(0.3), FieldSparsifier(0.3), RandomSparsifier(0.3)):
            node = nengo.Node(lambda t, x: np.cumsum(x), size_in=24)
            nengo.Connection(a.neurons, node, synapse=synapse)
            net.seen[node] = nengo.Probe(node)
    net.compare(late=[1, 2, 2, 2, 2])


# ---------------------------------------------------------------------------- spikes to the chip


def sparse(n, m):
    return nengo.Sparse((n, m), init=scipy.sparse.random(n, m, 0.4, random_state=1))


TRANSFORMS = {
    "none": (lambda: nengo.transforms.NoTransform(36), 36),
    "dense": (lambda: nengo.Dense((20, 36), init=np.random.RandomState(0).rand(20, 36) - 0.4), 20),
    "drawn": (lambda: nengo.Dense((20, 36), init=nengo.dists.Gaussian(0, 0.3)), 20),
    "scalar": (lambda: nengo.Dense((36, 36), init=-0.7), 36),
    "sparse": (lambda: sparse(20, 36), 20),
    "sparse, indices": (
        lambda: nengo.Sparse((20, 36), [[i % 20, i] for i in range(36)], init=np.ones(36) * 0.8),
        20,
    ),
    "convolution": (
        lambda: nengo.Convolution(5, (6, 6, 1), (3, 3), (3, 3), init=nengo.dists.Uniform(-0.4, 1)),
        20,
    ),
    "transposed": (
        lambda: nengo.transforms.ConvolutionTranspose(
            3, (3, 3, 4), kernel_size=(3, 3), init=nengo.dists.Uniform(-0.4, 1)
        ),
        75,
    ),
}


@pytest.mark.parametrize("key", TRANSFORMS)
def test_transforms(key):
    """From the host, where spikes are taken back, too, and from the chip."""
    make, n = TRANSFORMS[key]
    net = Layers(n=36)
    a = net.layer(36, net.input, net.bias)
    b, c, d = (net.layer(n, net.bias) for _ in range(3))
    assumed = net.relay(net.relay(a.neurons, ArcSparsifier(0.3)), AssumeReference())
    for pre, post in ((net.input, b), (a.neurons, c), (assumed, d)):
        net.weigh(pre, post, make()).seed = 3
    net.compare(late=[1, 1, 2, 3])


def test_options_of_a_connection():
    """`model.config[...]` reaches the synapse behind relays as behind neurons."""
    make, n = TRANSFORMS["convolution"]
    net = Layers(n=36)
    a = net.layer(36, net.input, net.bias)
    b = net.layer(n, net.bias)
    nengo_loihi.add_params(net.net)
    links = [net.weigh(pre, b, make()) for pre in (net.input, a.neurons)]
    for link in links:
        net.net.config[link].pop_type = 32
    sim = net.compare()
    (block,) = sim.model.objs[b]["in"]
    assert sorted(synapse.pop_type for synapse in block.synapses) == [0, 32, 32]


@pytest.mark.parametrize("target", ["simreal", "sim"])
def test_several_spikes_at_once(target):
    n_spikes = np.array([0, 1, 2, 3, 4])
    with nengo.Network() as net:
        node = nengo.Node(lambda t: n_spikes / DT * (0.0095 < t < 0.0105))
        ensemble = nengo.Ensemble(5, 1, neuron_type=ResonateAndFire())
        nengo.Connection(node, ensemble.neurons, synapse=None)
        probe = nengo.Probe(ensemble.neurons, "voltage")
    voltage = loihi(net, 12, target).data[probe]
    assert not np.any(voltage[:10])
    assert_allclose(voltage[10], n_spikes, rtol=1 / 255)
    assert_allclose(voltage[10] / voltage[10, 1], n_spikes, rtol=1e-6)


PLAIN = ("spikes",)
BOTH = ("spikes", "taken back")
EVERY = (*BOTH, "of every input")
COUNTS = {
    "spikes": (PLAIN, [0, 1, 2, 4], {"spikes": [0, 1, 2, 4]}),
    "taken back": (BOTH, [2, -3, 0, -4], {"spikes": [2, 0, 0, 0], "taken back": [0, 3, 0, 4]}),
    "about": (PLAIN, [1 + 2e-7, 3 - 4e-7, -1e-7], {"spikes": [1, 3, 0]}),
    "most": (
        EVERY,
        [1, 1, 0, 2, -1],
        {"spikes": [0, 0, 0, 1, 0], "taken back": [0, 0, 1, 0, 2], "of every input": [1]},
    ),
    "few": (
        EVERY,
        [1, 1, 0, 0, -1],
        {"spikes": [1, 1, 0, 0, 0], "taken back": [0, 0, 0, 0, 1], "of every input": [0]},
    ),
}


@pytest.mark.parametrize("key", COUNTS)
def test_spike_counter(key):
    channels, counts, expected = COUNTS[key]
    places = spike_counter("here", 2500.0, channels)(0.1, 2500.0 * np.array(counts))
    assert set(places) <= {0.0, 1.0}
    borders = np.cumsum([4 * len(expected[channel]) for channel in channels])
    for channel, part in zip(channels, np.split(places, borders), strict=False):
        by_input = part.reshape(4, len(expected[channel])).sum(axis=0)
        assert_array_equal(by_input, expected[channel])


@pytest.mark.parametrize(
    ("channels", "count"),
    [(PLAIN, 0.5), (PLAIN, -1), (BOTH, -5), (EVERY, 5), (PLAIN, 1.01), (PLAIN, np.nan)],
)
def test_spike_counter_refuses(channels, count):
    """What has no place, rather than losing it."""
    with pytest.raises(SimulationError, match=r"here.*t = 0\.1 s.*PhaseEncoder") as error:
        spike_counter("here", 1000.0, channels)(0.1, 1000.0 * np.array([0, count, 0]))
    assert f"{1000.0 * count:.4g}" in str(error.value)


def test_a_spike_of_every_input_takes_a_place():
    counter = spike_counter("here", 1.0, EVERY)
    assert counter(0.1, np.array([1.0, 1.0, -3.0])).sum() == 1 + 4
    with pytest.raises(SimulationError, match="-4 can't be sent"):
        counter(0.1, np.array([1.0, 1.0, -4.0]))


# ---------------------------------------------------------------------------------------- loops


def test_a_loop_of_adaptive_neurons():
    """With filters, each step of which is the chip's: the same to the step, a sparsifier or not."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        ensembles, probes = [], []
        for _ in range(2):
            ensemble = nengo.Ensemble(
                20, 1, neuron_type=AdaptiveSpiking(m_f=0.2), gain=np.ones(20), bias=np.zeros(20)
            )
            ensembles.append(ensemble)
            probes += [nengo.Probe(ensemble.neurons, k) for k in ("output", "voltage")]
        a, b = ensembles
        spikes = spiking(rhythmic(rng, 500, 20, frequency=60.0))
        for pre, post, scale in ((spikes, a, 0.02), (a.neurons, a, 0.5), (a.neurons, b, 1.0)):
            weights = scale * rng.normal(0.3, 0.5, (20, 20)) / np.sqrt(20)
            nengo.Connection(pre, post.neurons, transform=weights, synapse=0.03)
        nengo.Connection(b.neurons, a.neurons, transform=-0.1, synapse=0.03)
    expected, found = numpy(net, 500), loihi(net, 500, "simreal")
    for output, voltage in (probes[:2], probes[2:]):
        assert np.count_nonzero(expected.data[output]) > 100
        assert_allclose(found.data[output], expected.data[output], rtol=1e-6)
        assert_allclose(found.data[voltage], expected.data[voltage], atol=1e-4)
    late = latencies(found.model)
    assert [late[a], late[b]] == [0, 0]


@pytest.mark.parametrize("synapse", [ArcSparsifier(0.3), RandomSparsifier(0.4)], ids=name)
def test_sparsified_adaptive_neurons(synapse):
    """Through the host: the weights' filter is on the chip."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        a, b = (
            nengo.Ensemble(
                20, 1, neuron_type=AdaptiveSpiking(m_f=0.2), gain=np.ones(20), bias=np.zeros(20)
            )
            for _ in range(2)
        )
        relay = nengo.Node(size_in=20)
        weights = [scale * (rng.rand(20, 20) - 0.2) for scale in (0.01, 0.4)]
        raster = rhythmic(rng, 500, 20, frequency=60.0)
        nengo.Connection(spiking(raster), a.neurons, transform=weights[0], synapse=0.03)
        nengo.Connection(a.neurons, relay, synapse=synapse)
        nengo.Connection(relay, b.neurons, transform=weights[1], synapse=0.03)
        probes = [nengo.Probe(ensemble.neurons) for ensemble in (a, b)]
    expected, found = numpy(net, 500), loihi(net, 505, "simreal")
    late = latencies(found.model)
    assert [late[a], late[relay], late[b]] == [0, 1, 1]
    for ensemble, probe in zip((a, b), probes, strict=True):
        assert np.count_nonzero(expected.data[probe]) > 100
        seen = found.data[probe][late[ensemble] :][:500]
        assert_allclose(seen, expected.data[probe], rtol=1e-6)

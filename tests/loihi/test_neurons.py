"""Our neurons on the emulator beside Nengo's simulator: equal in floats, and how near in bits."""

import itertools

import nengo
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import AdaptiveSpiking, BalancedResonateAndFire, ResonateAndFire

nengo_loihi = pytest.importorskip("nengo_loihi")

from nengo_phasor.loihi import readout  # noqa: E402
from nengo_phasor.loihi.emulator import CompartmentState  # noqa: E402
from nengo_phasor.loihi.latency import latencies  # noqa: E402
from nengo_phasor.loihi.tables import COMPARTMENTS  # noqa: E402
from tests.bounds import resonator_bound  # noqa: E402
from tests.loihi.common import DT, loihi, numpy, rhythmic, spiking  # noqa: E402
from tests.registry import TYPES, N, name, settled  # noqa: E402

N_STEPS = 1500
ON_CHIP = {cls: entry for cls, entry in TYPES.items() if entry.chip is not None}
ENTRIES = {
    name(neuron): settled(neuron)
    for entry in ON_CHIP.values()
    for neuron in entry.examples
    if not getattr(neuron, "graded", False)  # which it refuses
}
IN_BITS = {
    k: n
    for k, n in ENTRIES.items()
    if type(n) is not ResonateAndFire or (np.max(n.frequency) < 250 and np.min(n.frequency) > 1)
}
"""Without those that the chip refuses after discretisation: 4 steps a cycle, or thousands."""
FLOAT = np.finfo(np.float32).eps


def formats(sim, ensemble):
    """Return of each neuron half a quantum of what a spike adds to its state, and its scale."""
    half, scale = np.zeros((2, ensemble.n_neurons))
    for block in sim.model.objs[ensemble]["in"]:
        where = list(sim.model.block_comp_map[block])
        exponents = [synapse.synapse_cfg.weight_exp for synapse in block.synapses]
        # a bit for the sign; on the chip weights are whole before they are shifted
        quanta = [max(2 ** (7 + e), 64 + 2 ** (7 + e) * (e < -1)) for e in exponents]
        half[where] = 0.5 * max(quanta) / block.compartment.scale
        scale[where] = block.compartment.scale
    return half, scale


# ----------------------------------------------------------------------------- every entry alone


def test_our_neurons_on_the_chip_have_a_bound():
    """A user's type may lack one: then it is not tested here."""
    assert {cls for cls in TYPES if COMPARTMENTS.get(cls) is not None} == set(ON_CHIP)


class Model:
    """Every entry behind spikes through weights, with probes of all its states."""

    def __init__(self, shift, entries):
        self.probes, self.rasters, self.weights, self.ensembles = {}, {}, {}, {}
        with nengo.Network(seed=5) as self.net:
            for key, neuron in entries.items():
                k = list(ENTRIES).index(key)
                rng = np.random.RandomState(k)
                raster = rhythmic(rng, N_STEPS, N, getattr(neuron, "rhythm", None) or 10.0)
                chip = TYPES[type(neuron)].chip
                self.weights[key] = chip.weight * rng.normal(0.1, 0.4, (N, N))
                late = shift * chip.delay
                self.rasters[key] = np.roll(raster, late, axis=0)
                self.rasters[key][:late] = False
                ensemble = nengo.Ensemble(
                    N, 1, neuron_type=neuron, gain=np.ones(N), bias=np.zeros(N), seed=k
                )
                nengo.Connection(
                    spiking(self.rasters[key], 0.5),
                    ensemble.neurons,
                    transform=self.weights[key],
                    synapse=chip.synapse,
                )
                self.ensembles[key] = ensemble
                self.probes[key] = {
                    state: nengo.Probe(ensemble.neurons, state)
                    for state in ("output", *neuron.state)
                }

    def collect(self, sim):
        self.found = {
            key: {state: sim.data[probe] for state, probe in probes.items()}
            for key, probes in self.probes.items()
        }
        self.sim = sim
        return self


@pytest.fixture(scope="module")
def runs():
    late = Model(True, ENTRIES)
    found = {"nengo": late.collect(numpy(late.net, N_STEPS))}
    for target, entries in (("simreal", ENTRIES), ("sim", IN_BITS)):
        model = Model(False, entries)
        found[target] = model.collect(loihi(model.net, N_STEPS, target))
    return found


@pytest.mark.parametrize("key", ENTRIES)
def test_before_discretisation(runs, key):
    """Spikes are the same; states, in single precision, as well as that remembers."""
    expected, found = (runs[substrate].found[key] for substrate in ("nengo", "simreal"))
    neuron = ENTRIES[key]
    assert np.count_nonzero(expected["output"]) > 50
    assert_allclose(found["output"], expected["output"], rtol=FLOAT)
    assert found["output"].max() == pytest.approx(neuron.amplitude / DT)
    taus = [getattr(neuron, part) for part in dir(neuron) if part.startswith("tau")]
    taus = [np.max(tau) for tau in taus if tau is not None]
    if isinstance(neuron, BalancedResonateAndFire):
        taus = [1.0]  # its damping's, and more
    for state in neuron.state:
        rounding = 4 * FLOAT * np.max(np.abs(expected[state])) * max(taus) / DT
        assert_allclose(found[state], expected[state], atol=rounding)


@pytest.mark.parametrize("key", IN_BITS)
def test_after_discretisation(runs, key):
    """States are within what the rounding of factors, weights and products can do."""
    expected, found = (runs[substrate].found[key] for substrate in ("nengo", "sim"))
    bound = bounds(runs["sim"].sim, runs["nengo"], runs["sim"], key)
    for state in bound:
        assert np.all(np.abs(found[state] - expected[state]) <= bound[state])
        known = bound[state][np.isfinite(bound[state])]
        assert len(known) >= TYPES[type(ENTRIES[key])].chip.known * bound[state].size
        assert np.median(known) < 0.5 * np.max(np.abs(expected[state]))


def bounds(sim, reference, model, key):
    neuron = ENTRIES[key]
    half, scale = formats(sim, model.ensembles[key])
    sent = np.vstack([np.zeros(N), model.rasters[key][:-1]]) * 0.5  # a step later; the amplitude
    half = np.broadcast_to(half[:, None], (N, N)) / 0.5
    chip, states = TYPES[type(neuron)].chip, reference.found[key]
    return chip.bound(neuron, chip, states, sent, model.weights[key], half, scale)


@pytest.mark.parametrize(
    "key", [k for k, n in IN_BITS.items() if isinstance(n, BalancedResonateAndFire)]
)
def test_balanced_spikes_match(runs, key):
    """Of neurons with smooth resets: nearly all within two steps, as measured."""
    reference, fixed = (runs[substrate].found[key]["output"] for substrate in ("nengo", "sim"))
    found = readout.agreement(reference, fixed, within=2)
    assert found.lost <= 0.1 * found.expected
    assert found.extra <= 0.1 * found.expected


RESONATORS = [key for key, neuron in IN_BITS.items() if type(neuron) is ResonateAndFire]


def sure(neuron, states, bound, steps):
    """Return where there is a spike, up to some steps, in any run with states within the bound."""
    v, i, margin = states["voltage"], states["current"], bound["voltage"]
    found = states["output"] > 0
    found &= shifted(i + margin < 0, steps + 1) & shifted(i - margin >= 0, -steps)
    for step in range(-steps, steps + 1):
        found &= shifted(v - margin >= neuron.threshold, step)
    return found


def shifted(where, steps):
    """Return what was the case some steps before; what the run didn't see was not."""
    result = np.roll(where, steps, axis=0)
    result[slice(steps) if steps >= 0 else slice(steps, None)] = False
    return result


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("key", RESONATORS)
def test_spikes_match(runs, key, steps):
    """All that the error of the states leaves no doubt about."""
    reference, fixed = (runs[substrate].found[key] for substrate in ("nengo", "sim"))
    bound = bounds(runs["sim"].sim, runs["nengo"], runs["sim"], key)
    for one, other in ((reference, fixed), (fixed, reference)):
        certain = sure(ENTRIES[key], one, bound, steps)
        assert certain.sum() > (0.1, 0.4)[steps - 1] * np.count_nonzero(one["output"])
        near = sum(shifted(other["output"] > 0, step) for step in range(-steps, steps + 1))
        assert np.all(near[certain] == 1)


@pytest.mark.parametrize(
    "neuron",
    [n for n in ENTRIES.values() if isinstance(n, AdaptiveSpiking) and n.initial_state is None],
    ids=name,
)
def test_rates(neuron):
    """At constant currents: as Nengo's, but for what rounding does to time constants and m_f."""
    with nengo.Network() as net:
        bias = np.linspace(-0.2, 1.5, 40)
        ensemble = nengo.Ensemble(40, 1, neuron_type=neuron, gain=np.ones(40), bias=bias)
        probe = nengo.Probe(ensemble.neurons)
    counts = [np.count_nonzero(run(net, 1000).data[probe], axis=0) for run in (numpy, loihi)]
    c = neuron.constants(DT)
    half = 0.5 / 4096
    relative = half / (1 - c.keep_eta) + half / (1 - c.keep_gamma) + 2 * half
    assert counts[0].max() > 15
    assert_allclose(counts[1], counts[0], rtol=relative, atol=1)
    assert np.all(counts[1][bias < neuron.theta_0 / 2 * 0.99] == 0)


# ------------------------------------------------------------------------------------- networks


def layers(transforms, *, neuron=None, weights_of=None, block_shapes=()):
    """Return a network of layers of resonate-and-fire neurons behind rhythmic spikes."""
    rng = np.random.RandomState(1)
    with nengo.Network(seed=2) as net:
        nengo_loihi.add_params(net)
        net.raster = rhythmic(rng, 600, transforms[0].size_in)
        pre, net.layers, net.seen = spiking(net.raster), [], []
        for transform, shape in zip(
            transforms, (*block_shapes, *[None] * len(transforms)), strict=False
        ):
            n = transform.size_out
            ensemble = nengo.Ensemble(n, 1, neuron_type=neuron or ResonateAndFire())
            if shape is not None:
                net.config[ensemble].block_shape = shape
            nengo.Connection(pre, ensemble.neurons, transform=transform, synapse=None)
            pre = ensemble.neurons
            net.layers.append(ensemble)
            net.seen.append([nengo.Probe(pre, key) for key in ("output", "voltage", "current")])
    return net


def dense(*sizes):
    rng = np.random.RandomState(0)
    return [
        nengo.Dense((n, m), init=rng.normal(0, 1 / np.sqrt(m), (n, m)))
        for m, n in itertools.pairwise(sizes)
    ]


def sparse():
    matrix = scipy.sparse.random(20, 30, density=0.2, random_state=0)
    matrix.data -= 0.3
    places = [[i % 10, i] for i in range(20)]
    return [
        nengo.Sparse((20, 30), init=matrix),
        nengo.Sparse((10, 20), places, init=np.linspace(0.3, 1, 20)),
    ]


def convolution():
    rng = np.random.RandomState(0)
    return [
        nengo.Convolution(3, (6, 6, 2), strides=(2, 2), init=rng.normal(0.1, 0.4, (3, 3, 2, 3))),
        nengo.Convolution(4, (2, 2, 3), (2, 2), padding="same", init=rng.rand(2, 2, 3, 4) - 0.3),
    ]


NETWORKS = {
    "dense": {"transforms": dense(30, 40, 25, 10)},
    "amplitude": {
        "transforms": dense(30, 20, 10),
        "neuron": ResonateAndFire(amplitude=2.5, threshold=0.2),
    },
    "sparse": {"transforms": sparse()},
    "convolution": {"transforms": convolution()},
    "more neurons than a core has": {"transforms": dense(8, 1100, 6)},
    "more weights than a core has": {"transforms": dense(700, 260, 6)},
    "split": {
        "transforms": dense(30, 24, 20),
        "block_shapes": [nengo_loihi.BlockShape((7,), (24,)), nengo_loihi.BlockShape((9,), (20,))],
    },
}
SPLIT = {"more neurons than a core has": 2, "more weights than a core has": 2, "split": 4}


@pytest.mark.parametrize("key", NETWORKS)
def test_networks(key):
    """In floats the same spikes, a step later in each layer; in bits within the formats' bound."""
    net = layers(**NETWORKS[key])
    expected = numpy(net, 600)
    for target in ("simreal", "sim"):
        sim = loihi(net, 603, target)
        assert len(sim.model.objs[net.layers[0]]["in"]) == SPLIT.get(key, 1)
        late = latencies(sim.model)
        for depth, (ensemble, probes) in enumerate(zip(net.layers, net.seen, strict=True), 1):
            assert late[ensemble] == depth
            spikes, voltage, current = (expected.data[probe] for probe in probes)
            seen = [sim.data[probe][depth : 600 + depth] for probe in probes]
            assert np.count_nonzero(spikes) > 3 * ensemble.n_neurons
            if target == "simreal":
                assert_allclose(seen[0], spikes, rtol=FLOAT)
                atol = 4 * FLOAT * 500 * np.max(np.abs(voltage))
                assert_allclose(seen[1], voltage, atol=atol)
            elif depth == 1:
                half, scale = formats(sim, ensemble)
                n_spikes = net.raster.sum(axis=1, keepdims=True)
                weights = np.zeros((ensemble.n_neurons, 1))
                bound = resonator_bound(
                    ensemble.neuron_type,
                    None,
                    {"voltage": voltage, "current": current},
                    n_spikes,
                    weights,
                    half[:, None],
                    scale,
                )["voltage"]
                assert np.all(np.abs(seen[1] - voltage) <= bound)
                assert np.all(np.abs(seen[2] - current) <= bound)


@pytest.mark.parametrize("target", ["simreal", "sim"])
@pytest.mark.parametrize("block_shape", [None, nengo_loihi.BlockShape((7,), (24,))])
def test_slices_of_probes(target, block_shape):
    net = layers(dense(30, 24), block_shapes=[block_shape])
    places = [slice(2, 9), slice(None, None, 5), [1, 8, 17]]
    if block_shape is None:  # nengo-loihi can't split others
        places += [slice(20, 3, -4), [8, 1, 17]]
    with net:
        neurons = net.layers[0].neurons
        states = ("output", "voltage", "current")
        probes = [[nengo.Probe(neurons[p], state) for state in states] for p in places]
        filtered = nengo.Probe(neurons[3:8], "voltage", synapse=0.02)
    sim = loihi(net, 300, target)
    for place, row in zip(places, probes, strict=True):
        for whole, part in zip(net.seen[0], row, strict=True):
            assert_array_equal(sim.data[part], sim.data[whole][:, place])
    voltage = sim.data[net.seen[0][1]][:, 3:8]
    expected = nengo.Lowpass(0.02).filt(voltage, dt=DT, y0=0)
    assert_allclose(sim.data[filtered], expected, atol=1e-5 * np.max(np.abs(voltage)))


@pytest.mark.parametrize("target", ["simreal", "sim"])
def test_layers_of_adaptive_neurons(target):
    """With filters between them they are as soon as Nengo's: the filter's step is the chip's."""
    rng = np.random.RandomState(0)
    neuron = AdaptiveSpiking(m_f=0.2)
    with nengo.Network(seed=0) as net:
        pre, probes = spiking(rhythmic(rng, 500, 20, frequency=80.0)), []
        for k, (n, m) in enumerate(((15, 20), (12, 15), (10, 12))):
            ensemble = nengo.Ensemble(
                n, 1, neuron_type=neuron, gain=np.linspace(0.5, 2, n), bias=np.linspace(0, 0.3, n)
            )
            weights = (0.01 if k == 0 else 1.5) * rng.normal(0.3, 0.5, (n, m)) / np.sqrt(m)
            nengo.Connection(pre, ensemble.neurons, transform=weights, synapse=0.03)
            pre = ensemble.neurons
            probes.append([nengo.Probe(pre, state) for state in ("output", *neuron.state)])
    expected, found = numpy(net, 500), loihi(net, 500, target)
    for output, *states in probes:
        assert np.count_nonzero(expected.data[output]) > 100
        if target == "simreal":
            assert_allclose(found.data[output], expected.data[output], rtol=FLOAT)
            for state in states:
                assert_allclose(found.data[state], expected.data[state], atol=1e-4)
        else:
            # what the neurons say is their refraction: it tracks the input to half a threshold
            refraction, adaptation = states[1:]
            said, expected_said = (run.data[refraction] for run in (found, expected))
            half = 0.5 * (neuron.theta_0 + expected.data[adaptation])
            assert np.mean(np.abs(said - expected_said)) < np.mean(half)


@pytest.mark.parametrize("target", ["simreal", "sim"])
def test_decoded_connections(target):
    """Into, between and out of ensembles: as good as stock neurons are on the chip."""
    errors = []
    smooth = AdaptiveSpiking(m_f=0.05, tau_phi=0.05)  # what nengo-loihi encodes has ripples
    for neuron in (smooth, nengo.LIF()):
        with nengo.Network(seed=3) as net:
            node = nengo.Node(lambda t: np.sin(4 * np.pi * t))
            rates = nengo.dists.Uniform(80, 120)
            a = nengo.Ensemble(100, 1, neuron_type=neuron, max_rates=rates)
            b = nengo.Ensemble(100, 1, neuron_type=neuron, max_rates=rates)
            nengo.Connection(node, a)
            nengo.Connection(a, b, function=np.square, synapse=0.02)
            probes = [nengo.Probe(ensemble, synapse=0.03) for ensemble in (a, b)]
        expected, found = numpy(net, 1000), loihi(net, 1000, target)
        for probe in probes:
            # nengo-loihi's own filters, 5 ms each, make it late
            ways = [found.data[probe][200 + lag : 950 + lag] for lag in range(30)]
            right = expected.data[probe][200:950]
            errors.append(min(np.sqrt(np.mean((way - right) ** 2)) for way in ways))
            assert errors[-1] < 0.2 * np.std(right)
    assert errors[0] < 1.5 * errors[2]
    assert errors[1] < 1.5 * errors[3]


def test_stock_neurons_stay_as_they_are():
    """Bit for bit, with and without ours beside them: data, and the states of the chip."""

    def stock(seed):
        with nengo.Network(seed=seed) as sub:
            node = nengo.Node(lambda t: np.sin(20 * t))
            a, b = (
                nengo.Ensemble(40, 1),
                nengo.Ensemble(30, 1, neuron_type=nengo.RegularSpiking(nengo.LIFRate())),
            )
            nengo.Connection(node, a)
            nengo.Connection(a, b, function=np.square, synapse=0.01)
            nengo.Connection(a.neurons[:10], b.neurons, transform=np.full((30, 10), 1e-3))
            sub.seen = [nengo.Probe(a.neurons), nengo.Probe(b, synapse=0.01)]
            sub.seen += [nengo.Probe(b.neurons, key) for key in ("voltage", "input")]
        return sub

    for target in ("simreal", "sim"):
        with nengo.Network(seed=0) as alone:
            one = stock(7)
        with nengo.Network(seed=0) as beside:
            other = stock(7)
            rng = np.random.RandomState(0)
            ours = nengo.Ensemble(20, 1, neuron_type=ResonateAndFire())
            weights = rng.normal(size=(20, 30))
            nengo.Connection(
                spiking(rhythmic(rng, 300, 30)), ours.neurons, transform=weights, synapse=None
            )
            adaptive = nengo.Ensemble(20, 1, neuron_type=AdaptiveSpiking())
            nengo.Connection(ours.neurons, adaptive.neurons, synapse=0.02, transform=0.1)
            probes = [nengo.Probe(e.neurons) for e in (ours, adaptive)]
        a, b = loihi(alone, 300, target), loihi(beside, 300, target)
        assert not isinstance(a.compartments, CompartmentState)
        assert isinstance(b.compartments, CompartmentState)
        for x, y in zip(one.seen, other.seen, strict=True):
            assert np.any(a.data[x])
            assert a.data[x].tobytes() == b.data[y].tobytes()
        assert all(np.any(b.data[probe]) for probe in probes)


LOUD = {
    "once a cycle": (ResonateAndFire(), None, 100, 1.0),
    "once a fast cycle": (ResonateAndFire(40, tau=1.0, amplitude=2.5), None, 25, 1.0),
    "200 Hz": (AdaptiveSpiking(), nengo.Lowpass(0.05), 5, 0.001),
    "200 Hz, no synapse": (AdaptiveSpiking(m_f=0.4), None, 5, 0.001),
}
"""Neurons, the synapse before them, every how many steps all inputs spike, and their weights."""


@pytest.mark.parametrize("key", LOUD)
def test_bits_suffice_and_are_used(key):
    """For the loudest input that they are made for: nothing is clipped, few bits are left over."""
    neuron, synapse, period, size = LOUD[key]
    weights = size * np.abs(np.random.RandomState(0).normal(1, 0.2, (2, 300)))
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(
            2, 1, neuron_type=neuron, gain=np.ones(2), bias=np.zeros(2), label="loud"
        )
        spikes = spiking(np.tile(np.arange(2000)[:, None] % period == 0, 300))
        nengo.Connection(spikes, ensemble.neurons, transform=weights, synapse=synapse)
        probes = [nengo.Probe(ensemble.neurons, state) for state in neuron.state]
    sim = loihi(net, 2000)
    assert sim.compartments.clipped == {ensemble.neurons: 0}
    (block,) = sim.model.objs[ensemble]["in"]
    highest = max(np.max(np.abs(sim.data[probe])) for probe in probes) * block.compartment.scale
    assert 2**19 < highest < 2**23

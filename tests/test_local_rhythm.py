"""A layer's rhythm unit: its state, its silence, and the spikes that it stands for."""

from itertools import pairwise

import nengo
import numpy as np
import pytest
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    ArcSparsifier,
    AssumeRhythm,
    BindingResonator,
    DifferenceSparsifier,
    PhaseEncoder,
    Phasor,
    ResonateAndFire,
    RhythmSparsifier,
    convert,
    layerwise,
    phases,
)
from nengo_phasor.networks import (
    LocalRhythm,
    PhasorClassifier,
    PhasorDense,
    PhasorResidual,
    real_weights,
)

N_IN, CYCLE = 36, 100
RNG = np.random.RandomState(0)
IMAGE = (6, 6, 1)
TRANSFORMS = {
    "dense": nengo.Dense((7, N_IN), init=RNG.normal(0.2, 0.1, (7, N_IN))),
    "factor": nengo.Dense((N_IN, N_IN), init=0.7),
    "factors": nengo.Dense((N_IN, N_IN), init=RNG.uniform(0, 1, N_IN)),
    "none": None,
    "sparse": nengo.Sparse(
        (7, N_IN), indices=RNG.randint(0, 7, (20, 2)), init=RNG.uniform(0, 1, 20)
    ),
    **{
        f"{padding} {size} by {stride}, {'last' if last else 'first'}": nengo.Convolution(
            4,
            IMAGE if last else IMAGE[::-1],
            size,
            stride,
            padding,
            channels_last=last,
            init=RNG.normal(0.2, 0.1, (*size, 1, 4)),
        )
        for padding in ("same", "valid")
        for size, stride in (((3, 3), (1, 1)), ((3, 2), (2, 1)), ((4, 1), (3, 2)))
        for last in (True, False)
    },
}


def probed(sim_type, network, *probes, steps=1000):
    with sim_type(network, progress_bar=False) as sim:
        sim.run_steps(steps)
        return [np.squeeze(sim.data[probe]) for probe in probes]


def encoded(values):
    """Return a node with the spikes of phases."""
    spikes = nengo.Node(size_in=len(values))
    nengo.Connection(nengo.Node(values), spikes, synapse=PhaseEncoder())
    return spikes


# ------------------------------------------------------------------------------------- the unit


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_the_unit_has_the_mean_state(kind):
    transform = TRANSFORMS[kind]
    n = N_IN if transform is None else transform.size_out
    with nengo.Network() as net:
        layer = nengo.Ensemble(n, 1, neuron_type=ResonateAndFire())
        source = encoded(np.random.RandomState(1).uniform(-0.6, 0.6, N_IN))
        reference = encoded(np.zeros(1))
        inputs = [
            nengo.Connection(source, layer.neurons, transform=transform, synapse=None),
            nengo.Connection(reference, layer.neurons, transform=np.ones((n, 1)), synapse=None),
        ]
        unit = LocalRhythm(layer.neurons, inputs).unit
        probes = [
            nengo.Probe(e.neurons, attr) for attr in ("voltage", "current") for e in (layer, unit)
        ]
    states = probed(nengo.Simulator, net, *probes)
    for of_layer, of_unit in (states[:2], states[2:]):
        assert np.abs(of_unit).max() > 0.1
        assert_allclose(of_unit, of_layer.mean(axis=1), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n", [1, 7, 40])
def test_the_unit_of_a_layer_that_binds_has_the_mean_state(n):
    rng = np.random.RandomState(1)
    with nengo.Network() as net:
        layer = nengo.Ensemble(3 * n + 1, 1, neuron_type=BindingResonator(threshold=0.02)).neurons
        for row, given in enumerate([*rng.uniform(-0.6, 0.6, (2, n)), np.zeros(n)]):
            weights = rng.uniform(0.1, 1, n)
            rows = layer[row * n : (row + 1) * n]
            nengo.Connection(encoded(given), rows, transform=weights, synapse=None)
        rhythm = LocalRhythm(layer)
        states = [nengo.Probe(layer, attr) for attr in ("voltage", "current")]
        spikes = [nengo.Probe(x) for x in (rhythm.reference, rhythm.sent, layer)]
    *found, unit, sent, layer = probed(nengo.Simulator, net, *states, *spikes, steps=1200)
    for state in found:
        assert np.abs(state[:, -1]).max() > 0.1
        assert_allclose(state[:, -1], state[:, :n].mean(axis=1), rtol=0, atol=1e-9)
    steps = np.flatnonzero(unit)
    assert 10 <= len(steps) <= 12
    assert_array_equal(np.abs(np.diff(steps[2:]) - CYCLE) <= 1, True)
    assert_array_equal(sent.reshape(1200, n), layer[:, :n])


def rhythmic_layer(sparsifier, assume=False, n=30):
    """Return a network with a layer whose phases are around 0.2, and probes of it."""
    with nengo.Network() as net:
        source = encoded(np.random.RandomState(2).normal(0.2, 0.3, n))
        layer = nengo.Ensemble(n, 1, neuron_type=ResonateAndFire())
        inputs = [nengo.Connection(source, layer.neurons, synapse=None)]
        rhythm = LocalRhythm(layer.neurons, inputs, sparsifier, assume)
        net.probes_of = [
            nengo.Probe(x)
            for x in (layer.neurons, rhythm.unit.neurons, rhythm.sent, rhythm.received)
        ]
        net.states = lambda: [
            nengo.Probe(rhythm.unit.neurons, attr) for attr in ("voltage", "current")
        ]
    return net


def test_the_unit_spikes_once_a_cycle_at_the_mean_phase():
    net = rhythmic_layer(None)
    spikes, unit, sent, received = probed(nengo.Simulator, net, *net.probes_of)
    (steps,) = np.nonzero(unit)
    assert_array_equal(np.abs(np.diff(steps) - CYCLE) <= 1, True)
    assert len(steps) == 9  # in the first cycle it is below its threshold
    layer = phases.from_raster(spikes, 10, 0.001)[-1]
    mean = phases.circular_mean(np.random.RandomState(2).normal(0.2, 0.3, len(layer)))
    assert abs(phases.from_raster(unit[:, None], 10, 0.001)[-1, 0] - mean) <= 0.04  # two steps
    assert_array_equal(sent, spikes)
    assert_array_equal(received, spikes)


# ------------------------------------------------------------------------------- the sparsifiers


@pytest.mark.parametrize("window", [0, 0.01, 0.3, 0.5, 0.8, 1])
def test_window(window):
    """Step by step: silent before the unit's first spike, and within half a window of others."""
    net = rhythmic_layer(RhythmSparsifier(window))
    spikes, unit, sent, _ = probed(nengo.Simulator, net, *net.probes_of)
    latest, expected = None, spikes.copy()
    for k in range(len(spikes)):
        latest = k if unit[k] else latest
        since = 0 if latest is None else (k - latest) % CYCLE
        near = 2 * since < window * CYCLE or 2 * (CYCLE - since) <= window * CYCLE
        if near or (latest is None and window > 0):
            expected[k] = 0
    assert_array_equal(sent, expected)
    assert (0 < (sent != 0).sum() < (spikes != 0).sum()) == (window not in (0, 1))


@pytest.mark.parametrize("window", [0, 0.05, 0.2, 0.6, 1])
def test_difference(window):
    """A spike passes if the unit's own phase is further from the neuron's, which is 0."""
    net = rhythmic_layer(DifferenceSparsifier(window))
    with net:
        states = net.states()
    spikes, _, sent, _, voltage, current = probed(nengo.Simulator, net, *net.probes_of, *states)
    z = voltage + 1j * current
    with np.errstate(invalid="ignore"):
        far = np.abs(1 - z / np.abs(z)) >= 2 * np.sin(np.pi * window / 2) + 1e-6
    far[z == 0] = True
    expected = np.where(far[:, None] & (window < 1), spikes, 0)
    assert_array_equal(sent, expected)
    assert (0 < (sent != 0).sum() < (spikes != 0).sum()) == (window not in (0, 1))


@pytest.mark.parametrize("window", [0, 0.5, 0.9])
def test_assumed_spikes(window):
    """Between two spikes of the unit, one spike of each neuron is received."""
    net = rhythmic_layer(RhythmSparsifier(window), assume=True)
    _, unit, sent, received = (x / 1000 for x in probed(nengo.Simulator, net, *net.probes_of))
    heard, expected = np.zeros(sent.shape[1]), sent.copy()
    for k in range(len(sent)):
        heard += sent[k]
        if unit[k]:
            expected[k] += 1 - heard
            heard[:] = 0
    assert_allclose(received, expected, atol=1e-12)
    assert np.count_nonzero(received) > np.count_nonzero(sent)


@pytest.mark.parametrize("sparsifier", [RhythmSparsifier(0.4), DifferenceSparsifier(0.1)])
@pytest.mark.parametrize("assume", [True, False])
def test_every_simulator_sends_the_same(sparsifier, assume):
    nengo_dl = pytest.importorskip("nengo_dl")
    net = rhythmic_layer(sparsifier, assume)
    expected = probed(nengo.Simulator, net, *net.probes_of)
    for sim_type in (layerwise.Simulator, nengo_dl.Simulator):
        for x, y in zip(probed(sim_type, net, *net.probes_of), expected, strict=True):
            assert_allclose(x, y, rtol=1e-6)


# -------------------------------------------------------------------------------- the conversion


def unit_phasor(z):
    return z / np.abs(z)


def chain(sizes=(20, 40, 12), skip=False):
    """Return a network of layers, its input phases, and its weights."""
    rng = np.random.RandomState(3)
    weights = [rng.normal(0, 0.5 * a**-0.5, (a, b)) for a, b in pairwise(sizes)]
    biases = [rng.uniform(0.7, 1.3, b) for b in sizes[1:]]
    given = rng.uniform(-1, 1, sizes[0])
    with nengo.Network(seed=0) as net:
        net.layers = []
        pre = net.input = nengo.Node(phases.to_rows(given))
        for w, b in zip(weights, biases, strict=True):
            layer = PhasorDense(*w.shape, w, b)
            nengo.Connection(pre, layer.input, synapse=None)
            net.layers.append(layer)
            pre = layer.output
        if skip:
            nengo.Connection(
                net.layers[0].output,
                net.layers[-1].units.neurons,
                transform=real_weights(sizes[1], sizes[-1], np.full((sizes[1], sizes[-1]), 0.01)),
                synapse=None,
            )
        net.found = [nengo.Probe(layer.output) for layer in net.layers]
    return net, given, weights, biases


@pytest.mark.parametrize("assume", [True, False])
def test_layers_have_the_phases_of_a_bias_at_the_mean_phase(assume):
    """Each bias comes at the phase of the mean field before it, by the definition in NumPy."""
    net, given, weights, biases = chain((20, 40, 12, 8))
    x, reference = np.exp(1j * np.pi * given), 1
    spiking, new = convert.to_spiking(net, rhythm=RhythmSparsifier(0), assume_reference=assume)
    found = probed(nengo.Simulator, spiking, *(new[p] for p in net.found), steps=4000)
    for spikes, w, b in zip(found, weights, biases, strict=True):
        z = x @ w + b * reference
        x, reference = unit_phasor(z), unit_phasor(z.mean())
        decoded = phases.from_raster(spikes, 10, 0.001)[-1]
        off = phases.difference(decoded, phases.from_complex(x))
        assert np.abs(off).max() < 0.08  # four steps: each layer adds half of one, and fades inputs
        assert np.abs(off).mean() < 0.05


def test_residual_blocks_have_the_rhythms_of_both_layers_before():
    """By the definition in NumPy, for two blocks whose layers are joined by bundling."""
    rng, size = np.random.RandomState(8), 24
    given = rng.uniform(-0.5, 0.5, size)
    with nengo.Network(seed=0) as net:
        source = nengo.Node(phases.to_rows(given))
        first = PhasorDense(size, size, rng.normal(0, 0.5 * size**-0.5, (size, size)))
        blocks = [PhasorResidual(size, 2 * size) for _ in range(2)]
        nengo.Connection(source, first.input, synapse=None)
        for pre, post in pairwise([first, *blocks]):
            nengo.Connection(pre.output, post.input, synapse=None)
        for block in blocks:
            for connection in (block.hidden.weights, block.weights):
                a, b = connection.size_in // 2, connection.size_out // 2
                connection.transform = real_weights(a, b, rng.normal(0, 0.5 * a**-0.5, (a, b)))
        layers = [first, *(layer for block in blocks for layer in (block.hidden, block))]
        found = [nengo.Probe(layer.output) for layer in layers]

    def weights(layer):
        return np.squeeze(layer.weights.transform.init, 0)

    def mean_phasor(z):
        return unit_phasor(z.mean())

    z = np.exp(1j * np.pi * given) @ weights(first) + 1
    expected, x, rhythm = [unit_phasor(z)], unit_phasor(z), mean_phasor(z)
    for block in blocks:
        z = x @ weights(block.hidden) + rhythm
        h, inner = unit_phasor(z), mean_phasor(z)
        z = 3 * x + h @ weights(block) + (rhythm + inner) / 2
        x, rhythm = unit_phasor(z), mean_phasor(z)
        expected += [h, x]
    spiking, new = convert.to_spiking(net, rhythm=RhythmSparsifier(0))
    seen = probed(nengo.Simulator, spiking, *(new[p] for p in found), steps=4000)
    for spikes, u in zip(seen, expected, strict=True):
        decoded = phases.from_raster(spikes, 10, 0.001)[-1]
        off = phases.difference(decoded, phases.from_complex(u))
        assert np.median(np.abs(off)) < 0.035  # with the clock's biases up to 0.08


def bound_blocks(size=24, depth=3):
    """Return a layer and blocks that bind, with random weights, and probes of what they send."""
    rng = np.random.RandomState(8)
    with nengo.Network(seed=0) as net:
        net.given = rng.uniform(-0.5, 0.5, size)
        source = nengo.Node(phases.to_rows(net.given))
        net.first = PhasorDense(size, size, rng.normal(0, 0.5 * size**-0.5, (size, size)))
        net.blocks = [PhasorResidual(size, 2 * size, "binding", scale=0.5) for _ in range(depth)]
        nengo.Connection(source, net.first.input, synapse=None)
        for pre, post in pairwise([net.first, *net.blocks]):
            nengo.Connection(pre.output, post.input, synapse=None)
        for block in net.blocks:
            for connection in (block.hidden.weights, block.weights):
                a, b = connection.size_in // 2, connection.size_out // 2
                connection.transform = real_weights(a, b, rng.normal(0, 0.5 * a**-0.5, (a, b)))
        layers = [net.first, *(layer for block in net.blocks for layer in (block.hidden, block))]
        net.found = [nengo.Probe(layer.output) for layer in layers]
    return net


def test_binding_blocks_have_the_rhythms_of_both_layers_before():
    """By the definition in NumPy: the reference is that of the input and of the hidden layer."""
    net = bound_blocks()

    def weights(layer):
        return np.squeeze(layer.weights.transform.init, 0)

    def mean_phasor(z):
        return unit_phasor(z.mean())

    z = np.exp(1j * np.pi * net.given) @ weights(net.first) + 1
    expected, x, rhythm = [unit_phasor(z)], unit_phasor(z), mean_phasor(z)
    for block in net.blocks:
        z = x @ weights(block.hidden) + rhythm
        h, inner = unit_phasor(z), mean_phasor(z)
        reference = (rhythm + inner) / 2
        turn = unit_phasor(0.5 * h @ weights(block) + reference)
        x = x * turn * np.conj(unit_phasor(reference))
        rhythm = mean_phasor(x)
        expected += [h, x]
    spiking, new = convert.to_spiking(net, rhythm=RhythmSparsifier(0))
    seen = probed(nengo.Simulator, spiking, *(new[p] for p in net.found), steps=4000)
    for spikes, u in zip(seen, expected, strict=True):
        decoded = phases.from_raster(spikes, 10, 0.001)[-1]
        off = phases.difference(decoded, phases.from_complex(u))
        assert np.median(np.abs(off)) < 0.035


@pytest.mark.parametrize("assume", [True, False])
@pytest.mark.parametrize("rule", [RhythmSparsifier(0.1), DifferenceSparsifier(0.1)])
def test_every_simulator_sends_the_same_from_blocks_that_bind(rule, assume):
    nengo_dl = pytest.importorskip("nengo_dl")
    net = bound_blocks(size=12, depth=2)
    results = {}
    for used in (rule, RhythmSparsifier(0)):
        spiking, new = convert.to_spiking(net, rhythm=used, assume_reference=assume)
        units = [new[block.units.neurons].reference for block in net.blocks]
        with spiking:
            probes = [*map(nengo.Probe, units), *(new[p] for p in net.found)]
        sim_types = (nengo.Simulator, layerwise.Simulator, nengo_dl.Simulator)[
            : 3 if used is rule else 1
        ]
        results[used], *others = [
            probed(sim_type, spiking, *probes, steps=1200) for sim_type in sim_types
        ]
        for other in others:
            for x, y in zip(other, results[used], strict=True):
                assert_allclose(x, y, rtol=1e-6)
    assert all(np.count_nonzero(unit) >= 8 for unit in results[rule][:2])
    sent, every = (np.count_nonzero(np.hstack(results[k][2:])) for k in (rule, RhythmSparsifier(0)))
    assert 0 < sent < 0.9 * every


def test_a_layer_after_two_shares_its_bias_among_their_units():
    net, *_ = chain((20, 30, 12, 8), skip=True)
    spiking, new = convert.to_spiking(net, rhythm=RhythmSparsifier(0))
    last = new[net.layers[-1].bias]
    units = {
        c.pre_obj.ensemble: c.transform.init
        for c in spiking.all_connections
        if c.post_obj is last.pre_obj
    }
    expected = [new[layer.output].unit for layer in net.layers[:2]]
    assert units == dict.fromkeys(expected, 0.5)


def test_only_inputs_keep_the_clock():
    net, *_ = chain((20, 30, 12, 8))
    spiking, new = convert.to_spiking(net, rhythm=RhythmSparsifier(0.3))
    first, *others = net.layers
    assert new[first.bias].pre_obj.label == "reference"
    for before, layer in zip(net.layers, others, strict=False):
        assert new[layer.bias].pre == new[before.output].unit.neurons
    clocks = {c.post_obj for c in spiking.all_connections if isinstance(c.synapse, PhaseEncoder)}
    ends = [c.pre_obj for c in spiking.all_connections if isinstance(c.post_obj, Neurons)]
    assert [end for end in ends if end in clocks] == [new[first.bias].pre_obj] * 2  # and its unit


def test_own_biases_follow_the_unit():
    """A bias of the ensemble itself is that of a reference."""
    net, given, weights, biases = chain()
    with nengo.Network(seed=0) as own:
        pre, own.found = nengo.Node(phases.to_rows(given)), []
        for w, b in zip(weights, biases, strict=True):
            layer = nengo.Ensemble(2 * len(b), 1, neuron_type=Phasor(), gain=np.ones(2 * len(b)))
            layer.bias = np.concatenate([b, 0 * b])
            nengo.Connection(pre, layer.neurons, transform=real_weights(*w.shape, w), synapse=None)
            pre = layer.neurons
            own.found.append(nengo.Probe(layer.neurons))
    results = []
    for network in (net, own):
        spiking, new = convert.to_spiking(network, rhythm=RhythmSparsifier(0.2))
        results.append(probed(nengo.Simulator, spiking, *(new[p] for p in network.found)))
    for x, y in zip(*results, strict=True):
        assert_array_equal(x, y)


def test_the_emulator_runs_a_converted_network():
    """Its phases are within two steps of Nengo's, and it leaves out about as many spikes."""
    loihi = pytest.importorskip("nengo_loihi")
    net, *_ = chain()
    results = []
    for sim_type in (nengo.Simulator, loihi.Simulator):
        spiking, new = convert.to_spiking(net, rhythm=RhythmSparsifier(0.2), assume_reference=True)
        with spiking:
            unit = nengo.Probe(new[net.layers[0].output].unit.neurons)
        results.append(probed(sim_type, spiking, unit, *(new[p] for p in net.found)))
    (unit, *layers), (unit_there, *layers_there) = results
    assert np.count_nonzero(unit) == np.count_nonzero(unit_there) == 9
    for spikes, there in zip(layers, layers_there, strict=True):
        assert np.count_nonzero(there) == pytest.approx(np.count_nonzero(spikes), rel=0.35)


# ------------------------------------------------------------------------------------- decoding


def test_phases_relative_to_a_reference_at_zero_are_those_of_the_clock():
    given = np.random.RandomState(4).uniform(-1, 1, (3, 5))
    given[0, 0] = np.nan
    raster = phases.to_raster(given, 10, 4, 0.001)
    reference = phases.to_raster(np.zeros((3, 1)), 10, 4, 0.001)
    found = phases.from_reference(raster, reference, 10, 0.001, 4)
    clock = phases.from_raster(raster, 10, 0.001)
    step = 2 / CYCLE
    off = phases.difference(found, clock)
    assert_array_equal(np.isnan(found), np.isnan(clock))
    assert np.nanmax(np.abs(off)) <= 0.5 * step + 1e-9  # the middle of its step is the reference's


def test_phases_relative_to_a_reference_do_not_depend_on_the_clock():
    given, shift = np.random.RandomState(5).uniform(-0.9, 0.9, (1, 6)), 37
    raster = phases.to_raster(given, 10, 6, 0.001)
    reference = phases.to_raster(np.full((1, 1), 0.3), 10, 6, 0.001)
    found = [
        phases.from_reference(raster[:, k:], reference[:, k:], 10, 0.001, 4)[:, 1:3]
        for k in (0, shift)
    ]
    assert_array_equal(*found)
    assert np.abs(phases.difference(found[0], given[:, None] - 0.3)).max() <= 0.04


def test_cycles_without_a_reference_are_missing():
    raster, reference = np.zeros((200, 2)), np.zeros((200, 1))
    raster[[60, 110], 0] = 1
    reference[[10, 100]] = 1  # the raster does not contain the first of these cycles as a whole
    found = phases.from_reference(raster, reference, 10, 0.001, 3, missing=7)
    assert_allclose(found, [[7, 7], [-0.8, 7], [7, 7]])


# ------------------------------------------------------------------------------------- mistakes


def test_mistakes_in_the_building_block():
    with nengo.Network() as net:
        layer = nengo.Ensemble(4, 1, neuron_type=ResonateAndFire())
        lif = nengo.Ensemble(4, 1)
        gained, biased = (
            nengo.Ensemble(4, 1, neuron_type=ResonateAndFire(), **{attr: value})
            for attr, value in (("gain", np.full(4, 2.0)), ("bias", nengo.dists.Choice([0.5])))
        )
        source = nengo.Node(size_in=4)

        def link(post=layer.neurons, **kwargs):
            return nengo.Connection(source, post, **{"synapse": None, **kwargs})

        drawn = link(transform=nengo.dists.Gaussian(0, 1))
        binding, without_unit = (
            nengo.Ensemble(n, 1, neuron_type=BindingResonator()).neurons for n in (7, 6)
        )
        for message, call in {
            "must be the neurons of an ensemble of ResonateAnd": lambda: LocalRhythm(lif.neurons),
            "has a gain of its own": lambda: LocalRhythm(gained.neurons),
            "has a bias of its own": lambda: LocalRhythm(biased.neurons),
            "must follow the unit": lambda: LocalRhythm(layer.neurons, (), ArcSparsifier(0.1)),
            "sparsifier: must follow": lambda: LocalRhythm(layer.neurons, (), AssumeRhythm()),
            "7 Hz, but the layer 10 Hz": lambda: LocalRhythm(
                layer.neurons, (), RhythmSparsifier(0.1, frequency=7)
            ),
            "12 Hz, but the layer": lambda: LocalRhythm(
                layer.neurons, neuron_type=ResonateAndFire(12)
            ),
            "draws its weights": lambda: LocalRhythm(layer.neurons, [drawn]),
            "not at the layer": lambda: LocalRhythm(layer.neurons, [link(layer.neurons[:4])]),
            "has the synapse Lowpass": lambda: LocalRhythm(layer.neurons, [link(synapse=0.1)]),
            "not at the": lambda: LocalRhythm(layer.neurons, [link(lif.neurons)]),
            "has no unit: give the ensemble one": lambda: LocalRhythm(without_unit),
            "contains its unit": lambda: LocalRhythm(binding, neuron_type=ResonateAndFire()),
            "is not needed": lambda: LocalRhythm(binding, [link(binding[:4])]),
            "a rhythm of its own": lambda: LocalRhythm(binding).pass_on(source[:1]),
        }.items():
            with pytest.raises(ValidationError, match=message):
                call()
    assert net


@pytest.mark.parametrize("synapse", [RhythmSparsifier(0.1), DifferenceSparsifier(0.1)])
def test_a_layer_is_needed_beside_the_unit(synapse):
    with nengo.Network() as net:
        nengo.Connection(nengo.Node([0.0]), nengo.Node(size_in=1), synapse=synapse)
    with pytest.raises(Exception, match="needs the layer's spikes"), nengo.Simulator(net):
        pass


def test_mistakes_in_the_conversion():
    net, *_ = chain()
    for message, arguments in {
        "must be a sparsifier that follows": {"rhythm": ArcSparsifier(0.1)},
        "rhythm: must be": {"rhythm": 0.5},
        "give it as rhythm": {"sparsifier": RhythmSparsifier(0.1)},
        "give one of them": {"rhythm": RhythmSparsifier(0.1), "sparsifier": ArcSparsifier(0.1)},
        "is 7 Hz": {"rhythm": RhythmSparsifier(0.1, frequency=7)},
    }.items():
        with pytest.raises(ValidationError, match=message):
            convert.to_spiking(net, **arguments)


def test_a_rhythm_needs_real_biases():
    net, *_ = chain()
    net.layers[1].connections.remove(net.layers[1].bias)
    with pytest.raises(BuildError, match=r"units.*has no bias, so"):
        convert.to_spiking(net, rhythm=RhythmSparsifier(0.1))
    assert convert.to_spiking(net)
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(4, 1, neuron_type=Phasor(), gain=np.ones(4), label="leans")
        ensemble.bias = np.ones(4)
    with pytest.raises(BuildError, match=r"leans.*phase other than 0"):
        convert.to_spiking(net, rhythm=RhythmSparsifier(0.1))


def test_classifier_without_a_clock():
    """What the sparsifier leaves, and what it assumes, gives the same classes."""
    rng = np.random.RandomState(6)
    with nengo.Network(seed=1) as net:
        net.input = nengo.Node(np.zeros(40))
        classifier = PhasorClassifier((20, 50, 5))
        nengo.Connection(net.input, classifier.input, synapse=None)
        out = nengo.Probe(classifier.output)
    x = rng.uniform(-0.5, 0.5, (12, 1, 20))
    found = {}
    for window in (0, 0.1):
        spiking, new = convert.to_spiking(
            net, rhythm=RhythmSparsifier(window), assume_reference=True
        )
        with spiking:
            unit = nengo.Probe(new[classifier.layers[0].output].unit.neurons)
        with layerwise.Simulator(spiking, progress_bar=False) as sim:
            seen = sim.predict({new[net.input]: x}, 1000)
        found[window] = phases.from_reference(seen[new[out]], seen[unit], 10, 0.001, 8, missing=0)
    off = np.abs(phases.difference(found[0][:, -1], found[0.1][:, -1]))
    assert np.mean(off) < 0.1
    assert np.mean(found[0.1] == 0) > np.mean(found[0] == 0)

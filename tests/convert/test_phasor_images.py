"""The spiking twins of networks of images: their phases, and the same spikes everywhere."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    DifferenceSparsifier,
    FieldSparsifier,
    Phasor,
    ResonateAndFire,
    RhythmSparsifier,
    convert,
    layerwise,
    load,
    phases,
    save,
)
from nengo_phasor.convert.phasor_weights import taken
from tests.convert.phase_networks import Layer, decoded
from tests.phasor_images import (
    PADDING,
    SHAPE,
    STRIDES,
    WINDOW,
    convolved,
    matrix,
    pooled,
    small_network,
)

PHASES = np.random.RandomState(5).uniform(-0.4, 0.4, 84)


def expected_layers(net, step, decay):
    """The layers' phases by loops, and how late their spikes can be; see `.phase_networks`."""
    kernel = net.conv.weights.transform.init[0]
    dense = net.dense.weights.transform.init[0]
    reference = Layer.encoded(np.ones(1), step)

    def bias(layer, n):
        return np.tile(layer.bias.transform.init.ravel(), n)[None], reference

    x = Layer.encoded(np.exp(1j * np.pi * PHASES), step)
    convolution = matrix(lambda z: convolved(z, kernel, STRIDES, PADDING), SHAPE)
    first = Layer.of([(convolution.T, x), bias(net.conv, 21)], step, decay)
    pool = matrix(lambda z: pooled(z, WINDOW), net.conv.output_shape)
    second = Layer.of([(pool.T, first)], step, decay)
    return first, second, Layer.of([(dense, second), bias(net.dense, 1)], step, decay)


def twin_of(net, *args, **kwargs):
    twin, new = convert.to_spiking(net, *args, **kwargs)
    new[net.image].output = PHASES
    return twin, new


def test_spikes_converge_to_the_phases():
    """Within the bounds that `tests.convert.test_phasor` derives."""
    net, n_cycles, steps = small_network(), 60, 200
    tau = n_cycles / 6  # in cycles
    twin, new = twin_of(net, ResonateAndFire(tau=tau / 10, threshold=0.05))
    decay = 1 / (2 * tau) + np.exp(-0.75 * n_cycles / tau)
    layers = expected_layers(net, 2 / steps, decay)
    for probe, layer in zip(net.seen, layers, strict=True):
        middle = decoded(twin, new[probe], 10, 0.1 / steps, n_cycles)
        late = phases.difference(middle, phases.from_complex(layer.u)) + 1 / steps
        slack = 0.25 * (layer.high - layer.low) / 2
        assert np.all((layer.low - slack < late) & (late < layer.high + slack))
        assert np.median(layer.high - layer.low) < 25 / steps  # the bounds do say something


def test_each_layer_lags_by_a_step_at_most():
    """With the default neurons, at 100 steps a cycle, in the last of 20 cycles."""
    net, step = small_network(), 0.02
    twin, new = twin_of(net)
    for depth, (probe, layer) in enumerate(zip(net.seen, expected_layers(net, 0, 0), strict=True)):
        got = decoded(twin, new[probe], 10, 0.001, 20)
        late = phases.difference(got, phases.from_complex(layer.u))
        assert np.all((-step < late) & (late < (depth + 2) * step))
        assert np.median(late) == pytest.approx((depth + 1) * step / 2, abs=step / 2)


@pytest.mark.parametrize(
    "options", [{}, {"sparsifier": FieldSparsifier(0.1), "assume_reference": True}]
)
def test_same_spikes_everywhere(options, tmp_path):
    net, n_steps = small_network(), 450
    twin, new = twin_of(net, **options)
    with nengo.Simulator(twin, progress_bar=False) as reference:
        reference.run_steps(n_steps)
    with layerwise.Simulator(twin, minibatch_size=None) as sim:
        sim.run_steps(n_steps)
    twin.outputs = [new[probe] for probe in net.seen]
    save(tmp_path / "twin.npz", twin)
    loaded = load(tmp_path / "twin.npz")
    with layerwise.Simulator(loaded, minibatch_size=None) as again:
        again.run_steps(n_steps)
    for probe, after in zip(net.seen, loaded.outputs, strict=True):
        assert reference.data[new[probe]].any()
        assert_array_equal(sim.data[new[probe]], reference.data[new[probe]])
        assert_array_equal(again.data[after], reference.data[new[probe]])


def test_same_spikes_in_nengo_dl():
    nengo_dl = pytest.importorskip("nengo_dl")
    net, n_steps = small_network(), 250
    twin, new = twin_of(net)
    with nengo.Simulator(twin, progress_bar=False) as reference:
        reference.run_steps(n_steps)
    with twin:
        nengo_dl.configure_settings(dtype="float64")
    with nengo_dl.Simulator(twin, progress_bar=False) as sim:
        sim.run_steps(n_steps, progress_bar=False)
    for probe in net.seen:
        assert reference.data[new[probe]].any()
        assert_array_equal(sim.data[new[probe]], reference.data[new[probe]])


def test_same_spikes_on_the_chip_before_discretisation():
    """Each layer as many steps later as there are hops before it."""
    nengo_loihi = pytest.importorskip("nengo_loihi")
    from nengo_phasor.loihi import readout

    net, n_steps = small_network(), 250
    twin, new = twin_of(net)
    with nengo.Simulator(twin, progress_bar=False) as reference:
        reference.run_steps(n_steps)
    with nengo_loihi.Simulator(twin, target="simreal", progress_bar=False) as sim:
        sim.run_steps(n_steps + 3)
    for hops, probe in enumerate(net.seen, start=1):
        assert readout.latency(sim, new[probe]) == hops
        assert reference.data[new[probe]].any()
        found = readout.in_time(sim, new[probe])[:n_steps]
        assert_array_equal(found, reference.data[new[probe]])


@pytest.mark.parametrize("assume", [False, True])
@pytest.mark.parametrize("rhythm", [RhythmSparsifier(0.05), DifferenceSparsifier(0.05)])
def test_rhythm(rhythm, assume):
    """Units resonate as the means of their layers, and the spikes are the same in layerwise."""
    net, n_steps = small_network(pooled=False), 600
    twin, new = twin_of(net, rhythm=rhythm, assume_reference=assume)
    with twin:
        states = [
            [
                nengo.Probe(x, "voltage")
                for x in (new[part.output].unit.neurons, new[part.units].neurons)
            ]
            for part in (net.conv, net.pool, net.dense)
        ]
    with nengo.Simulator(twin, progress_bar=False) as reference:
        reference.run_steps(n_steps)
    for unit, layer in states:
        mean = reference.data[layer].mean(axis=1)
        assert np.abs(mean).max() > 0.5
        assert_allclose(reference.data[unit][:, 0], mean, rtol=0, atol=1e-9)
    for pair in states:
        twin.probes.remove(pair[0])
        twin.probes.remove(pair[1])
    with layerwise.Simulator(twin, minibatch_size=None) as sim:
        sim.run_steps(n_steps)
    for probe in net.seen:
        assert reference.data[new[probe]].any()
        assert_array_equal(sim.data[new[probe]], reference.data[new[probe]])


@pytest.mark.parametrize("rhythm", [RhythmSparsifier(0.1), DifferenceSparsifier(0.1)])
def test_a_pool_passes_on_the_rhythm_before_it(rhythm):
    """Its unit spikes with that of the layer before, and its own spikes thin out around it."""
    net, n_steps = small_network(), 800
    counts = {}
    for rule in (rhythm, RhythmSparsifier(0)):
        twin, new = twin_of(net, rhythm=rule, assume_reference=True)
        units = [new[part.output].unit for part in (net.conv, net.pool)]
        assert new[net.dense.bias].pre == units[1].neurons
        with twin:
            probes = [nengo.Probe(unit.neurons) for unit in units]
            probes += [new[net.seen[1]]]
        seen = []
        for sim_type in (nengo.Simulator, layerwise.Simulator):
            with sim_type(twin, progress_bar=False) as sim:
                sim.run_steps(n_steps)
                seen.append([np.squeeze(sim.data[probe]) for probe in probes])
        for x, y in zip(*seen, strict=True):
            assert_array_equal(x, y)
        before, own = (np.flatnonzero(x) for x in seen[0][:2])
        assert len(own) >= 5
        assert np.abs(before[-5:] - own[-5:]).max() <= 1
        counts[rule] = np.count_nonzero(seen[0][2][400:])
    assert 0 < counts[rhythm] < 0.8 * counts[RhythmSparsifier(0)]


def test_structure():
    """Kernels stay kernels, and one neuron is the reference of all places."""
    net = small_network()
    twin, new = convert.to_spiking(net)
    weights, bias = new[net.conv.weights], new[net.conv.bias]
    for connection, old in ((weights, net.conv.weights), (bias, net.conv.bias)):
        assert type(connection.transform) is nengo.Convolution
        assert_array_equal(connection.transform.init, old.transform.init[0])
    assert weights.transform.input_shape.shape == SHAPE
    assert bias.pre_obj.size_out == 1
    assert [new[part.units].n_neurons for part in (net.conv, net.pool, net.dense)] == [63, 9, 4]
    assert {type(new[c].transform) for c in net.pool.connections} == {nengo.transforms.NoTransform}
    own = [c for c in twin.all_connections if isinstance(c.transform, nengo.Dense)]
    assert own == [new[net.dense.weights], new[net.dense.bias]]


def test_own_biases_take_as_many_weights_as_neurons():
    with nengo.Network() as net:
        layer = nengo.Ensemble(6, 1, neuron_type=Phasor(), gain=np.ones(6), bias=np.arange(6.0))
    twin, new = convert.to_spiking(net)
    (own,) = (c for c in twin.connections if c.post_obj == new[layer].neurons)
    assert_array_equal(own.transform.init.data, np.hypot([0, 1, 2], [3, 4, 5]))


def from_slice(places):
    """Phasors of a slice of 3 phasors."""
    with nengo.Network() as net:
        net.node, part = nengo.Node(np.ones(6)), nengo.Node(size_in=len(places))
        nengo.Connection(net.node[places], part, synapse=None)
        layer = nengo.Ensemble(len(places), 1, neuron_type=Phasor())
        nengo.Connection(part, layer.neurons, synapse=None)
        net.seen = nengo.Probe(layer.neurons)
    return net


@pytest.mark.parametrize("places", [[1, 4], [2, 0, 0, 5, 3, 3], [0, 1, 2, 3, 4, 5]])
def test_slices_of_whole_phasors(places):
    net = from_slice(places)
    twin, new = convert.to_spiking(net)
    new[net.node].output = np.array([-0.5, 0.0, 0.5])
    got = decoded(twin, new[net.seen], 10, 0.001, 5)
    expected = np.array([-0.5, 0.0, 0.5])[places[: len(places) // 2]]
    assert np.abs(got - expected).max() < 0.03


@pytest.mark.parametrize("places", [[0, 1], [3, 0], [0, 1, 3, 5], [0, 1, 0, 1], [3, 4, 3, 4]])
def test_other_slices(places):
    with pytest.raises(BuildError, match=r"Connection.*slices of phasors .*the real parts.*change"):
        convert.to_spiking(from_slice(places))


def test_slices_of_views():
    """What receives spikes may be a part of a node already."""
    net = from_slice([2, 0, 5, 3])
    node = nengo.Node(size_in=5, add_to_container=False)
    (connection, _) = net.connections
    for view, expected in ((node[1:4], [3, 1]), (node[[4, 0, 2]], [2, 4]), (node, [2, 0])):
        part = taken(view, connection)
        assert part.obj is node
        assert_array_equal(part.slice, expected)


@pytest.mark.parametrize(
    "transform",
    [
        nengo.Convolution(1, (2, 4, 4, 1), (2, 3, 3), (1, 1, 1), "same"),
        nengo.Convolution(1, (2, 4, 4, 1), (1, 3, 3), (2, 1, 1), "same"),
        nengo.Convolution(1, (4, 4, 2, 1), (1, 3, 3), (1, 1, 1), "same"),
        nengo.Convolution(1, (8, 4, 1), (1, 1), (1, 1), "same"),
    ],
)
def test_other_convolutions(transform):
    with nengo.Network() as net:
        layer = nengo.Ensemble(transform.size_out, 1, neuron_type=Phasor())
        nengo.Connection(nengo.Node(np.ones(32)), layer.neurons, transform=transform, synapse=None)
    with pytest.raises(BuildError, match=r"Convolution.*not a real .*real_weights or real_kernels"):
        convert.to_spiking(net)


def test_convolutions_of_nengo():
    """Those that a user made without `real_kernels`, which may have groups."""
    kernel = np.random.RandomState(0).normal(size=(1, 2, 2, 1, 4))
    with nengo.Network() as net:
        layer = nengo.Ensemble(2 * 3 * 3 * 4, 1, neuron_type=Phasor())
        transform = nengo.Convolution(4, (2, 4, 4, 2), (1, 2, 2), (1, 1, 1), init=kernel, groups=2)
        connection = nengo.Connection(
            nengo.Node(np.ones(64)), layer.neurons, transform=transform, synapse=None
        )
    _, new = convert.to_spiking(net)
    found = new[connection].transform
    assert (found.groups, found.input_shape.shape) == (2, (4, 4, 2))
    assert_array_equal(found.init, kernel[0])

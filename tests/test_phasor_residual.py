"""Residual blocks of phasors: their equations, how disturbances grow, their spiking twins."""

from itertools import pairwise

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import BindingResonator, ResonateAndFire, convert, layerwise, phases, vsa
from nengo_phasor.networks import PhasorResidual

JOINS = ("bundling", "binding", None)


def stack(join, depth, size=16, seed=0, **kwargs):
    """Blocks one after another, and probes of their outputs."""
    with nengo.Network(seed=seed) as net:
        net.config[nengo.Connection].synapse = None
        net.inputs = nengo.Node(np.zeros(2 * size))
        net.blocks = [PhasorResidual(size, join=join, **kwargs) for _ in range(depth)]
        nengo.Connection(net.inputs, net.blocks[0].input)
        for pre, post in pairwise(net.blocks):
            nengo.Connection(pre.output, post.input)
        net.seen = [nengo.Probe(block.output) for block in net.blocks]
    return net


def outputs(net, x):
    """The phases of every block's outputs for the phases x of items, (n_items, n)."""
    with layerwise.Simulator(net, dtype="float64", progress_bar=False) as sim:
        data = sim.predict({net.inputs: phases.to_rows(x)[:, None]})
    return [phases.from_complex(phases.from_rows(data[probe][:, 0])) for probe in net.seen]


def away(a, b):
    return np.abs(phases.difference(a, b))


# --- the phase domain -----------------------------------------------------------------------------


@pytest.mark.parametrize("join", JOINS)
def test_against_the_equations(join):
    net = stack(join, 1, 5, hidden=7, skip=2.5, scale=0.3)
    (block,) = net.blocks
    x = np.random.default_rng(0).uniform(-1, 1, (4, 5))
    (got,) = outputs(net, x)
    with nengo.Simulator(net, progress_bar=False) as sim:
        W1, W2 = (sim.data[c].weights[0] for c in (block.hidden.weights, block.weights))
        assert not sim.data[block.units].bias.any()
    z = np.exp(1j * np.pi * x)
    h = np.exp(1j * np.angle(z @ W1 + 1))
    g = h @ W2
    bound = vsa.bind(x, phases.from_complex(0.3 * g + 1))
    summed = {"bundling": 2.5 * z + g + 1, None: g + 1}
    expected = bound if join == "binding" else phases.from_complex(summed[join])
    assert away(got, expected).max() < 1e-9


@pytest.mark.parametrize(("scale", "same"), [(0.0, True), (0.1, False)])
def test_a_scale_of_0_leaves_the_input(scale, same):
    x = np.random.default_rng(0).uniform(-1, 1, (3, 16))
    got = outputs(stack("binding", 2, scale=scale), x)[-1]
    assert np.all(away(got, x) < 1e-9) == same


@pytest.mark.parametrize(
    ("join", "low", "high"), [("bundling", 0.5, 3), ("binding", 0.9, 1.3), (None, 100, np.inf)]
)
def test_growth_of_a_disturbance(join, low, high):
    """Through 12 random blocks, at the median over phases, which a few near 0 do not decide."""
    rng = np.random.default_rng(0)
    x, disturbance = rng.uniform(-1, 1, (20, 64)), 1e-7 * rng.normal(size=(20, 64))
    moved = phases.wrap(x + disturbance)
    net = stack(join, 12, 64)
    growth = np.median(away(outputs(net, x)[-1], outputs(net, moved)[-1]))
    assert low < growth / np.median(np.abs(disturbance)) < high


# --- training -------------------------------------------------------------------------------------


@pytest.mark.parametrize("join", JOINS)
def test_gradients_as_in_nengo_dl(join):
    """One step of gradient descent moves all weights alike, those of the joins included."""
    nengo_dl = pytest.importorskip("nengo_dl")
    tf = pytest.importorskip("tensorflow")
    net, rate = stack(join, 2, 6, hidden=8), 0.5
    rng = np.random.default_rng(0)
    x = {net.inputs: phases.to_rows(rng.uniform(-1, 1, (4, 6)))[:, None]}
    y = {net.seen[-1]: phases.to_rows(rng.uniform(-1, 1, (4, 6)))[:, None]}
    connections = [c for c in net.all_connections if c.has_weights]

    def moved(sim):
        def arrays():
            return {c: np.array(sim.data[c].weights, float) for c in connections}

        sim.compile(tf.keras.optimizers.SGD(rate), loss={net.seen[-1]: "mse"})
        before = arrays()
        sim.fit(x, y, verbose=0)
        return {c: before[c] - value for c, value in arrays().items()}

    with nengo_dl.Simulator(net, minibatch_size=4, seed=0, progress_bar=False) as sim:
        expected = moved(sim)
    with layerwise.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        found = moved(sim)
    for block in net.blocks:
        special = {"bundling": block.skip, "binding": block.scale}.get(join)
        for connection in (block.hidden.weights, block.weights, block.bias, special):
            if connection is not None:
                size = np.abs(expected[connection]).max()
                assert size > 1e-5
                assert_allclose(
                    found[connection], expected[connection], rtol=1e-3, atol=1e-4 * size
                )


# --- spikes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("join", "median"), [("bundling", 1.0), ("binding", 0.6)])
def test_spiking_twin(join, median):
    """Three blocks, at 100 steps a cycle: within a step at the median, 90 % within 3.5."""
    net = stack(join, 3, seed=1)
    x = np.random.default_rng(3).uniform(-1, 1, (8, 16))
    expected = outputs(net, x)
    spiking, new = convert.to_spiking(net)
    with layerwise.Simulator(spiking, dtype="float64", progress_bar=False) as sim:
        spikes = sim.predict({new[net.inputs]: x[:, None]}, n_steps=2000)
    for probe, phase in zip(net.seen, expected, strict=True):
        decoded = phases.from_raster(spikes[new[probe]], 10, 0.001)[:, -2]
        off = away(decoded, phase) * 50
        assert not np.isnan(off).any()
        assert np.median(off) < median
        assert np.quantile(off, 0.9) < 3.5


@pytest.mark.parametrize("join", ["bundling", "binding"])
def test_the_twin_is_the_same_everywhere(join):
    """Spike for spike, with neurons of other parameters, which those that bind share."""
    net = stack(join, 2, 5, seed=1)
    neuron_type = ResonateAndFire(20, threshold=0.2, amplitude=2)
    spiking, new = convert.to_spiking(net, neuron_type)
    new[net.inputs].output = np.random.default_rng(3).uniform(-1, 1, 5)
    probes = [new[probe] for probe in net.seen]
    with nengo.Simulator(spiking, progress_bar=False) as sim:
        sim.run_steps(400)
    with layerwise.Simulator(spiking, dtype="float64", progress_bar=False) as other:
        other.run_steps(400)
    for probe in probes:
        assert np.count_nonzero(sim.data[probe]) > 20
        assert_array_equal(other.data[probe][0], sim.data[probe])
    binds = [
        e.neuron_type for e in spiking.all_ensembles if isinstance(e.neuron_type, BindingResonator)
    ]
    shared = BindingResonator(20, threshold=0.2, amplitude=2)
    assert binds == ([shared] * 2 if join == "binding" else [])


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"size": 0}, "size: must be a positive integer, got 0"),
        ({"size": 4, "hidden": 2.5}, "hidden: must be a positive integer, got 2.5"),
        ({"size": 4, "join": "sum"}, "join: must be one of 'bundling', 'binding', None, got 'sum'"),
        ({"size": 4, "join": ["binding"]}, "join: must be one of .* got"),
        ({"size": 4, "skip": -1}, "skip: must .* got -1"),
        ({"size": 4, "skip": np.nan}, "skip: must .* got nan"),
        ({"size": 4, "scale": "small"}, "scale: must .* got 'small'"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValidationError, match=rf"PhasorResidual\.{message}"):
        PhasorResidual(**kwargs)

"""Where values in place of spikes go, and relays that weigh: converted networks on the chip."""

import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo.exceptions import BuildError
from numpy.testing import assert_allclose

from nengo_phasor import AdaptiveSpiking, PhaseEncoder, ResonateAndFire
from nengo_phasor.pooling import MaxPool, average_pool

nengo_loihi = pytest.importorskip("nengo_loihi")

from tests.loihi.common import loihi, numpy, rhythmic, spiking  # noqa: E402

N_STEPS = 300
SHAPE = (6, 6, 2)
SIZE = int(np.prod(SHAPE))
RNG = np.random.RandomState(0)
CONVOLUTION = nengo.Convolution(3, SHAPE, (3, 3), (1, 1), init=RNG.normal(0.1, 0.2, (3, 3, 2, 3)))
POOLED = (3, 3, 2)
NEXT = nengo.Convolution(4, POOLED, (2, 2), (1, 1), init=RNG.normal(0.3, 0.4, (2, 2, 2, 4)))
PADDED = nengo.Convolution(3, (8, 8, 2), (3, 3), (2, 2), init=RNG.normal(0.2, 0.3, (3, 3, 2, 3)))


def padding():
    """A border of one place of zeros."""
    places = np.arange(8 * 8 * 2).reshape(8, 8, 2)[1:-1, 1:-1].ravel()
    indices = np.column_stack([places, np.arange(SIZE)])
    return nengo.Sparse((128, SIZE), indices=indices, init=np.ones(SIZE))


def layer(n, neuron_type=None, label=None):
    kind = neuron_type or AdaptiveSpiking(m_f=0.1)
    return nengo.Ensemble(n, 1, neuron_type=kind, gain=np.ones(n), bias=np.zeros(n), label=label)


CHAINS = {
    "average, convolution": [average_pool(SHAPE), NEXT],
    "average, dense": [average_pool(SHAPE), RNG.normal(0.2, 0.3, (5, 18))],
    "overlapping, dense": [
        average_pool(SHAPE, (3, 3), (2, 2), "same"),
        RNG.normal(0.2, 0.3, (5, 18)),
    ],
    "global average, dense": [average_pool(SHAPE, (6, 6)), RNG.normal(0.4, 0.5, (5, 2))],
    "padding, convolution": [padding(), PADDED],
    "average, scaled, convolution": [average_pool(SHAPE), 0.7, NEXT],
    "convolution, convolution": [
        nengo.Convolution(2, SHAPE, (2, 2), (1, 1), init=RNG.normal(0.1, 0.4, (2, 2, 2, 2))),
        nengo.Convolution(3, (5, 5, 2), (3, 3), (2, 2), init=RNG.normal(0.2, 0.4, (3, 3, 2, 3))),
    ],
    "sparse matrix, dense": [
        nengo.Sparse((9, SIZE), init=scipy.sparse.random(9, SIZE, 0.3, random_state=0)),
        RNG.normal(0.3, 0.4, (5, 9)),
    ],
}
"""Transforms from neurons through relays to neurons, which are folded into one."""


@pytest.mark.parametrize("pre_on_chip", [True, False])
@pytest.mark.parametrize("key", CHAINS)
def test_relays_that_weigh_are_folded(key, pre_on_chip):
    """Before discretisation the neurons behind get what they get in Nengo."""
    net, post, probe = chain(CHAINS[key], pre_on_chip)
    expected, sim = numpy(net, N_STEPS).data[probe], loihi(net, N_STEPS + 1, "simreal")
    assert sim.model.split.on_chip(post)
    relays = [node for node in net.all_nodes if node.output is None]
    assert relays
    assert set(relays) <= sim.model.split.passthrough.to_remove
    assert np.count_nonzero(expected) > 20
    assert_allclose(sim.data[probe][:N_STEPS], expected, atol=1e-3 * np.abs(expected).max())


def chain(transforms, pre_on_chip):
    rng = np.random.RandomState(1)
    with nengo.Network(seed=0) as net:
        pre = spiking(rhythmic(rng, N_STEPS, SIZE, frequency=60.0))
        if pre_on_chip:
            first = layer(SIZE)
            nengo.Connection(pre, first.neurons, transform=0.02, synapse=0.02)
            pre = first.neurons
        scale = 1.0 if pre_on_chip else 0.02  # of spikes: those of adaptive neurons are small
        for transform in transforms[:-1]:
            size = getattr(transform, "size_out", pre.size_out)
            relay = nengo.Node(size_in=size)
            nengo.Connection(pre, relay, transform=transform, synapse=None)
            pre = relay
        last = transforms[-1]
        n = getattr(last, "size_out", np.shape(last)[0] if np.ndim(last) else pre.size_out)
        post = layer(n, AdaptiveSpiking(m_f=0.1, theta_0=0.1 * scale))
        nengo.Connection(pre, post.neurons, transform=last, synapse=0.03)
        probe = nengo.Probe(post.neurons, "voltage")
    return net, post, probe


def test_weights_that_are_drawn_are_not_folded():
    drawn = nengo.Convolution(4, POOLED, (2, 2), (1, 1))
    net, _, _ = chain([average_pool(SHAPE), drawn], True)
    with pytest.raises(BuildError, match=r"Convolution transform.*as arrays.*on_chip = False"):
        loihi(net, 1)


def test_transforms_of_other_kinds_are_not_folded():
    other = nengo.transforms.ConvolutionTranspose(2, POOLED, init=np.ones((3, 3, 2, 2)))
    net, _, _ = chain([average_pool(SHAPE), other], True)
    with pytest.raises(BuildError, match=r"ConvolutionTranspose.*Dense, Sparse or Convolution"):
        loihi(net, 1)


# ----------------------------------------------------------------------------------------- values


def analog(transform=None, synapse=None, behind=True, process=None, value=3.0):
    """A node's values into neurons, and a layer behind them."""
    with nengo.Network(seed=0) as net:
        nengo_loihi.add_params(net)
        node = nengo.Node(np.full(SIZE, value))
        if process is not None:
            pooled = nengo.Node(process)
            nengo.Connection(node, pooled, synapse=None)
            node = pooled
        relay = nengo.Node(size_in=node.size_out)
        nengo.Connection(node, relay, synapse=None)
        n = relay.size_out if transform is None else transform.size_out
        net.first = layer(n, AdaptiveSpiking(m_f=0.1), label="first")
        options = {} if transform is None else {"transform": transform}
        nengo.Connection(relay, net.first.neurons, synapse=synapse, **options)
        if behind:
            net.second = layer(4)
            nengo.Connection(
                net.first.neurons, net.second.neurons, transform=np.ones((4, n)) / n, synapse=0.05
            )
            net.probe = nengo.Probe(net.second.neurons, "voltage")
    return net


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"transform": nengo.Convolution(3, SHAPE, init=np.full((3, 3, 2, 3), 0.05))},
        {"synapse": nengo.Lowpass(0.02)},
        {"process": MaxPool(SHAPE)},
    ],
    ids=["values", "convolution", "filter", "maximum"],
)
def test_neurons_that_take_values_are_on_the_host(options):
    """There they take values above 1, too; those behind are on the chip."""
    net = analog(**options)
    expected, sim = numpy(net, N_STEPS).data[net.probe], loihi(net, N_STEPS)
    assert not sim.model.split.on_chip(net.first)
    assert sim.model.split.on_chip(net.second)
    late = slice(N_STEPS // 2, None)
    assert np.mean(expected[late]) > 0.5
    assert_allclose(np.mean(sim.data[net.probe][late]), np.mean(expected[late]), rtol=0.02)


def test_on_the_chip_by_choice_they_are_cut_off():
    net = analog()
    net.config[net.first].on_chip = True
    (warning,) = [w for w in loihi(net, 1).warned if "clipped" in w]
    for part in ("first", "values near 1", "on_chip"):
        assert part in warning


def test_a_convolution_to_the_chip_by_choice():
    net = analog(nengo.Convolution(3, SHAPE, init=np.full((3, 3, 2, 3), 0.05)))
    net.config[net.first].on_chip = True
    with pytest.raises(BuildError, match=r"Convolution can't transmit.*on_chip = False"):
        loihi(net, 1)


def test_nothing_left_for_the_chip():
    with pytest.raises(BuildError, match=r"first.*no others are left.*on_chip = True"):
        loihi(analog(behind=False), 1)


def test_spikes_of_relays_stay_where_they_were():
    """Encoded phases are spikes, and so is what comes from neurons."""
    with nengo.Network(seed=0) as net:
        node, relay = nengo.Node([0.3, 0.1]), nengo.Node(size_in=2)
        nengo.Connection(node, relay, synapse=PhaseEncoder())
        resonators, adaptive = layer(2, ResonateAndFire()), layer(2)
        nengo.Connection(relay, resonators.neurons, synapse=None)
        nengo.Connection(relay, adaptive.neurons, transform=0.01, synapse=0.02)
    sim = loihi(net, 1)
    assert all(sim.model.split.on_chip(ensemble) for ensemble in (resonators, adaptive))


# ----------------------------------------------------------------------------- converted networks


@pytest.mark.parametrize("kind", ["average", "global average", "padding", "maximum"])
def test_converted_networks(kind):
    """From images to logits: the first layer on the host, as is what follows a maximum."""
    pytest.importorskip("nengo_dl")
    import tensorflow as tf

    from nengo_phasor import AdaptiveSpikingRate, convert
    from nengo_phasor.dl.activations import HalfSigmoid

    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(0)
    neurons = AdaptiveSpikingRate(m_f=0.03)
    between = {
        "average": [layers.AveragePooling2D(2), layers.Conv2D(5, 2), HalfSigmoid(neurons)],
        "global average": [layers.GlobalAveragePooling2D()],
        "padding": [layers.ZeroPadding2D(1), layers.Conv2D(4, 3, 2), HalfSigmoid(neurons)],
        "maximum": [layers.Conv2D(5, 2), layers.MaxPooling2D(2), HalfSigmoid(neurons)],
    }[kind]
    model = tf.keras.Sequential(
        [
            layers.Input((8, 8, 2)),
            layers.Conv2D(4, 3),
            HalfSigmoid(neurons),
            *between,
            layers.Flatten(),
            layers.Dense(6),
            HalfSigmoid(neurons),
            layers.Dense(3),
        ]
    )
    net = convert.to_adaptive(model).network
    net.input.output = np.random.RandomState(1).uniform(0, 1, 128)
    probe = net.output
    expected, sim = numpy(net, 500).data[probe], loihi(net, 500)
    assert sim.model.blocks
    found, expected = sim.data[probe][-150:].mean(axis=0), expected[-150:].mean(axis=0)
    assert_allclose(found, expected, atol=0.1 * np.abs(expected).max())

"""Gradients equal to NengoDL's, in single precision, for every type that trains.

NengoDL takes seconds to build a network. So there are two, one without loops and one with, whose
branches hold all there is.
"""

import nengo
import numpy as np
import pytest
from numpy.testing import assert_allclose

from nengo_phasor import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    ArcSparsifier,
    AssumeReference,
    FieldSparsifier,
    Phasor,
    RandomSparsifier,
    ResonateAndFire,
    RhythmSparsifier,
    SurrogateLIF,
    layerwise,
    pooling,
    surrogates,
)
from tests.layerwise.training.common import tf

nengo_dl = pytest.importorskip("nengo_dl")

DT = 0.001
N_ITEMS, N_STEPS, N_IN, N = 3, 24, 16, 4
RATE = 2.0**20  # of learning: what is left of the weights in their sum with the step is rounding

NEURONS = {
    "SurrogateLIF": SurrogateLIF(0.01, surrogate=surrogates.FastSigmoid()),
    "SurrogateLIF, to zero": SurrogateLIF(0.01, reset="zero", amplitude=0.5),
    "SurrogateLIF, no leak": SurrogateLIF(None, surrogate=surrogates.Exponential()),
    "ResonateAndFire": ResonateAndFire(100, surrogate=surrogates.FastSigmoid(0.5)),
    "AdaptiveSpiking": AdaptiveSpiking(surrogate=surrogates.Arctangent()),
    "AdaptiveSpiking, by transfer": AdaptiveSpiking(),
    "AdaptiveSpikingRate": AdaptiveSpikingRate(),
    "Phasor": Phasor(),
    "LIFRate": nengo.LIFRate(amplitude=0.01),
    "LIF": nengo.LIF(tau_rc=0.03, amplitude=0.01),
    "SoftLIFRate": nengo_dl.SoftLIFRate(sigma=0.5, tau_rc=0.03, amplitude=0.01),
    "RectifiedLinear": nengo.RectifiedLinear(amplitude=1.5),
    "SpikingRectifiedLinear": nengo.SpikingRectifiedLinear(),
    "Sigmoid": nengo.Sigmoid(tau_ref=1.5),
    "Tanh": nengo.Tanh(tau_ref=1.5),
}


def cells(rng, neuron_type, n=N, bias=1.5):
    """Neurons of random gains and biases."""
    gain, bias = rng.uniform(0.5, 1.5, n), rng.normal(bias, 0.3, n) * drive(neuron_type)
    return nengo.Ensemble(n, 1, neuron_type=neuron_type, gain=gain, bias=bias, seed=1)


def drive(neurons):
    """The size of currents that make neurons do things within the window."""
    integrates = isinstance(neurons, ResonateAndFire) or getattr(neurons, "tau_rc", 1) is None
    return 150.0 if integrates else 1.0


def scale(neurons):
    """Of weights on the neurons' output: that of a spike's height, or of about 1."""
    if isinstance(neurons, nengo.SpikingRectifiedLinear | nengo.LIF) or not neurons.spiking:
        return 1.0
    return drive(neurons) * 20 * DT / neurons.amplitude


def branch(rng, x, neuron_type, loops):
    """Two layers of a type behind filters, the first with loops or none; what it comes to."""
    first, second = (cells(rng, neuron_type) for _ in range(2))
    weights = rng.normal(0.3, 1, (4, N, N)) * scale(neuron_type)
    given = rng.normal(0, 1, (N, N)) * drive(neuron_type)
    nengo.Connection(x[:N], first.neurons, transform=given, synapse=None)
    nengo.Connection(
        first.neurons, second.neurons, transform=weights[0], synapse=nengo.Lowpass(0.005)
    )
    nengo.Connection(first.neurons, second.neurons, transform=weights[1] / 5, synapse=None)
    if loops:
        nengo.Connection(
            second.neurons, first.neurons, transform=weights[2] / 2, synapse=nengo.Alpha(0.003)
        )
        nengo.Connection(
            second.neurons, second.neurons, transform=weights[3] / 2, synapse=nengo.Lowpass(0.01)
        )
    return second.neurons


def decoded(rng, x, loops):
    """Ensembles with encoders and decoders."""
    first, second = (
        nengo.Ensemble(20, 2, neuron_type=nengo.LIFRate(), radius=1.5, seed=k) for k in range(2)
    )
    nengo.Connection(x[[3, 1]], first, synapse=0.005)
    nengo.Connection(first, second, function=np.square, transform=[[1, 0.5], [0, 1]], seed=1)
    nengo.Connection(first[0], second[1], synapse=None, seed=1)
    if loops:
        nengo.Connection(second, first, transform=0.5, synapse=0.01, seed=1)
        nengo.Connection(second, second, synapse=nengo.Alpha(0.01), seed=1)
    relay = nengo.Node(size_in=2)
    nengo.Connection(second, relay, synapse=0.003, seed=1)
    return relay


def spiking(rng, x):
    layer = cells(rng, SurrogateLIF(0.01, surrogate=surrogates.FastSigmoid()), n=N_IN, bias=2)
    nengo.Connection(x, layer.neurons, transform=rng.normal(0, 1, N_IN), synapse=None)
    return layer.neurons


def transforms(rng, x):
    """What the transforms of a layer's spikes come to: dense, sparse, convolutions, pools."""
    layer = spiking(rng, x)

    def kernel(*shape):
        return rng.normal(0.2, 1, shape) * 20 * DT

    indices = [(0, 3), (1, 1), (2, 15), (2, 7), (4, 3)]
    for transform in (
        nengo.Convolution(3, (4, 4, 1), init=kernel(3, 3, 1, 3)),
        nengo.Convolution(
            2,
            (4, 4, 1),
            strides=(2, 1),
            padding="same",
            kernel_size=(3, 2),
            init=kernel(3, 2, 1, 2),
        ),
        nengo.Convolution(4, (2, 2, 4), kernel_size=(2, 1), groups=2, init=kernel(2, 1, 2, 4)),
        nengo.Convolution(
            2, (1, 4, 4), kernel_size=(2, 2), channels_last=False, init=kernel(2, 2, 1, 2)
        ),
        nengo.Convolution(3, (8, 2), kernel_size=(3,), strides=(2,), init=kernel(3, 2, 3)),
        nengo.Sparse((5, N_IN), indices=indices, init=20 * DT * rng.normal(size=5)),
        pooling.average_pool((4, 4, 1)),
    ):
        target = cells(rng, nengo.LIFRate(amplitude=0.1), transform.size_out)
        nengo.Connection(layer, target.neurons, transform=transform, synapse=0.005)
        yield target.neurons
    for transform in (DT, DT * rng.normal(size=5)):  # one number for all, and one for each
        target = cells(rng, nengo.Tanh(), 5)
        nengo.Connection(layer[2:12:2], target.neurons, transform=transform, synapse=None)
        yield target.neurons
    relay, pool = nengo.Node(size_in=N_IN), nengo.Node(pooling.MaxPool((4, 4, 1)))
    nengo.Connection(layer, relay, transform=20 * DT * rng.normal(size=N_IN), synapse=0.005)
    nengo.Connection(relay, pool, synapse=None)
    yield pool


def sparsified(rng, x):
    """What synapses for spikes pass on of a layer's."""
    layer = spiking(rng, x)
    for synapse in (
        ArcSparsifier(0.4, frequency=100),
        FieldSparsifier(0.3, frequency=100),
        RandomSparsifier(0.5, seed=3),
        RhythmSparsifier(0.4, frequency=100),
        AssumeReference(frequency=100),
    ):
        relay = nengo.Node(size_in=N_IN)
        nengo.Connection(layer, relay, synapse=synapse)
        target = cells(rng, nengo.Tanh(tau_ref=1.0))
        nengo.Connection(
            relay, target.neurons, transform=5 * DT * rng.normal(size=(N, N_IN)), synapse=0.005
        )
        yield target.neurons


def network(loops):
    """The branches, their probes, and data that drive them."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        net.x = nengo.Node(np.zeros(N_IN), label="x")
        ends = [branch(rng, net.x, neuron_type, loops) for neuron_type in NEURONS.values()]
        ends.append(decoded(rng, net.x, loops))
        if not loops:
            ends += [*transforms(rng, net.x), *sparsified(rng, net.x)]
        for k, end in enumerate(ends):
            nengo.Probe(end, synapse=[None, 0.004][k % 2])
        nengo.Probe(ends[0][1:3])
    net.data = rng.uniform(-1, 2, (N_ITEMS, N_STEPS, N_IN))
    net.targets = {p: rng.normal(size=(N_ITEMS, N_STEPS, p.size_in)) for p in net.probes}
    return net


def by_value(y_true, y_pred):
    """A loss whose gradient by what a probe sees is its target."""
    return tf.reduce_sum(y_true * y_pred, axis=-1)


def arrays(data, net):
    """What may train, as a simulator has it."""
    found = {}
    for ensemble in net.all_ensembles:
        found[ensemble, "bias"] = data[ensemble].bias
        found[ensemble, "encoders"] = data[ensemble].scaled_encoders
    for connection in net.all_connections:
        weights = data[connection].weights
        if hasattr(weights, "toarray"):  # NengoDL has the entries alone
            places = connection.transform.init.indices
            weights = weights.toarray()[tuple(np.transpose(places))]
        if weights is not None:
            found[connection, "weights"] = weights
    return {key: np.array(value, float) for key, value in found.items()}


def steps(sim, net):
    """Return the gradient by all that may train, from one step of gradient descent."""
    sim.compile(tf.keras.optimizers.SGD(RATE), loss=dict.fromkeys(net.probes, by_value))
    before = arrays(sim.data, net)
    sim.fit({net.x: net.data}, net.targets, verbose=0)
    return {key: (before[key] - value) / RATE for key, value in arrays(sim.data, net).items()}


@pytest.mark.parametrize("loops", [False, True], ids=["layers", "loops"])
def test_gradients(loops):
    net = network(loops)
    with nengo_dl.Simulator(net, minibatch_size=N_ITEMS, seed=0, progress_bar=False) as sim:
        expected = steps(sim, net)
    with layerwise.Simulator(
        net, minibatch_size=N_ITEMS, dtype="float32", progress_bar=False
    ) as sim:
        found = steps(sim, net)
    assert set(found) == set(expected)
    for (obj, attr), gradient in expected.items():
        size = np.abs(gradient).max()
        if attr != "encoders" or any(c.post_obj is obj for c in net.connections):
            assert size > 0, f"nothing happens at {obj}: no test"
        assert_allclose(
            found[obj, attr], gradient, rtol=1e-4, atol=1e-5 * size, err_msg=f"{obj} {attr}"
        )

"""A layer that is connected to itself is compiled as a whole: the same as in steps."""

import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_phasor as nph
from nengo_phasor import layerwise, surrogates
from nengo_phasor.layerwise import recurrent

N, N_ITEMS, N_STEPS = 12, 3, 60
TYPES = {
    "leaky": nph.SurrogateLIF(),
    "resonator": nph.ResonateAndFire(
        100, threshold=0.005, surrogate=surrogates.FastSigmoid(0.5), amplitude=0.01
    ),
    "adaptive": nph.AdaptiveSpiking(surrogate=surrogates.Exponential(0.3)),
    "bank": nph.ResonateAndFire(
        np.linspace(50, 150, N),
        threshold=0.005,
        surrogate=surrogates.FastSigmoid(0.5),
        amplitude=0.01,
    ),
    "balanced": nph.BalancedResonateAndFire(
        np.linspace(20, 100, N), 5.0, threshold=0.004, amplitude=0.01
    ),
}
SYNAPSES = {
    "first order": [nengo.Lowpass(0.003)],
    "second order and first": [nengo.Alpha(0.004), nengo.Lowpass(0.003)],
    "third order": [nengo.LinearFilter([1], [1e-7, 2e-5, 5e-3, 1])],
}


def network(neuron_type, synapses):
    """Return a layer of neurons that hears itself through some synapses."""
    rng, scale = np.random.RandomState(0), 0.01 / max(1, neuron_type.amplitude)
    with nengo.Network(seed=2) as net:
        net.node = nengo.Node(np.zeros(6))
        net.layer = nengo.Ensemble(
            N, 1, neuron_type=neuron_type, gain=np.ones(N), bias=rng.uniform(0, 2, N)
        )
        layer = net.layer.neurons
        nengo.Connection(net.node, layer, transform=rng.normal(size=(N, 6)), synapse=None)
        for synapse in synapses:
            nengo.Connection(
                layer, layer, transform=scale * rng.normal(size=(N, N)), synapse=synapse
            )
        net.probe = nengo.Probe(layer, synapse=nengo.Lowpass(0.01))
        if trained := getattr(neuron_type, "trained", ()):
            layerwise.configure_settings()
            net.config[net.layer].neuron_parameters = dict.fromkeys(trained, 1.0)
    return net


def gradients(net, **arguments):
    """Return the gradients of a squared error by all that trains."""
    rng = np.random.RandomState(5)
    x, y = rng.normal(size=(N_ITEMS, N_STEPS, 6)), rng.normal(size=(N_ITEMS, N_STEPS, N))
    sim = layerwise.Simulator(net, minibatch_size=N_ITEMS, dtype="float64", progress_bar=False)
    sim.compile(tf.keras.optimizers.SGD(1.0), loss={net.probe: "mse"})
    before = sim.keras_model.get_weights()
    sim.fit({net.node: x}, {net.probe: y}, verbose=0, **arguments)
    return [b - a for b, a in zip(before, sim.keras_model.get_weights(), strict=True)]


@pytest.mark.parametrize("synapses", SYNAPSES.values(), ids=SYNAPSES)
@pytest.mark.parametrize("neuron_type", TYPES.values(), ids=TYPES)
def test_gradients_are_those_of_steps(monkeypatch, neuron_type, synapses):
    """Of all weights, also where the window is cut into pieces."""
    net = network(neuron_type, synapses)
    whole, pieces = gradients(net), gradients(net, checkpoint=13)
    monkeypatch.setattr(recurrent, "_is_compiled", lambda *args: False)
    stepped = gradients(net)
    assert all(np.any(gradient) for gradient in stepped)
    for a, b, expected in zip(whole, pieces, stepped, strict=True):
        size = np.abs(expected).max()
        np.testing.assert_allclose(a, expected, rtol=1e-9, atol=1e-11 * size)
        np.testing.assert_allclose(b, expected, rtol=1e-9, atol=1e-11 * size)


@pytest.mark.parametrize("synapses", SYNAPSES.values(), ids=SYNAPSES)
@pytest.mark.parametrize("neuron_type", TYPES.values(), ids=TYPES)
def test_the_same_in_nengo(neuron_type, synapses):
    """Spikes and what they are filtered to, in one window and in two."""
    net = network(neuron_type, synapses)
    x = np.random.RandomState(1).normal(size=(1, N_STEPS, 6))
    sim = layerwise.Simulator(net, dtype="float64", progress_bar=False)
    first, state = sim.advance({net.node: x[:, :25]}, 25)
    second, _ = sim.advance({net.node: x[:, 25:]}, N_STEPS - 25, state)
    net.node.output = nengo.processes.PresentInput(x[0], 0.001)
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run_steps(N_STEPS)
    got = np.concatenate([first[net.probe], second[net.probe]], axis=1)[0]
    assert np.any(got)
    np.testing.assert_allclose(got, reference.data[net.probe], rtol=1e-9, atol=1e-12)

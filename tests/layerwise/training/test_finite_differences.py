"""Neurons without a state against differences of what they do, in double precision."""

import nengo
import numpy as np
import pytest
from numpy.testing import assert_allclose

from nengo_phasor import (
    AdaptiveSpikingRate,
    AttendingPhasor,
    BindingPhasor,
    Phasor,
    compat,
    layerwise,
)
from tests.layerwise.training.common import compiled, gradients, of_packages, tf
from tests.registry import NEURONS, name

ITEMS, STEPS, N = 2, 4, 6

RATES = [
    *(
        n
        for n in NEURONS
        if type(n) in (AdaptiveSpikingRate, Phasor, BindingPhasor, AttendingPhasor)
    ),
    nengo.LIFRate(tau_rc=0.03, tau_ref=0.001, amplitude=0.02),
    nengo.RectifiedLinear(amplitude=1.5),
    nengo.Sigmoid(tau_ref=0.5),
    nengo.Tanh(tau_ref=0.5),
]
if nengo_dl := compat.installed_versions().get("nengo_dl"):
    import nengo_dl

    RATES += [nengo_dl.SoftLIFRate(sigma=s, tau_rc=0.03, amplitude=0.02) for s in (0.02, 0.7)]


def test_types():
    """Those that train without a state are all here."""
    pulled = of_packages(t for t, row in layerwise.rows.TABLE.items() if row.pull)
    assert pulled == {type(neurons) for neurons in RATES}


def layer(neurons, rng):
    """Neurons of random currents around those where they begin to be active."""
    with nengo.Network(seed=0) as net:
        net.x = nengo.Node(np.zeros(3))
        net.e = nengo.Ensemble(
            N, 1, neuron_type=neurons, gain=rng.uniform(0.5, 1.5, N), bias=rng.normal(0.7, 0.5, N)
        )
        weights = rng.normal(0, 0.7, (N, 3))
        net.c = nengo.Connection(
            net.x, net.e.neurons, transform=weights, synapse=nengo.Alpha(0.001)
        )
        net.p = nengo.Probe(net.e.neurons)
    return net


def by_value(y_true, y_pred):
    return tf.reduce_sum(y_true * y_pred, axis=-1)


@pytest.mark.parametrize("neurons", RATES, ids=name)
def test_gradients(neurons, monkeypatch):
    rng = np.random.RandomState(1)
    net = layer(neurons, rng)
    x = {net.x: rng.normal(0, 1, (ITEMS, STEPS, 3))}
    y = rng.normal(size=(ITEMS, STEPS, N))
    sim = compiled(net, dtype="float64", loss={net.p: by_value})
    found = gradients(sim, x, {net.p: y}, monkeypatch)
    bias, weights = net.e.bias.copy(), np.array(net.c.transform.init)

    def loss():
        with layerwise.Simulator(net, dtype="float64", progress_bar=False) as fresh:
            return np.sum(fresh.predict(x, STEPS)[net.p] * y) / (ITEMS * STEPS)

    def difference(change, size=1e-5):
        values = []
        for sign in (1, -1):
            change(sign * size)
            values.append(loss())
        change(0)
        return (values[0] - values[1]) / (2 * size)

    def set_bias(k):
        def change(by):
            net.e.bias = bias + by * (np.arange(N) == k)

        return change

    def set_weight(j, k):
        def change(by):
            net.c.transform = weights + by * np.outer(np.arange(N) == j, np.arange(3) == k)

        return change

    expected = np.array([difference(set_bias(k)) for k in range(N)])
    size = np.abs(expected).max()
    assert size > 0
    assert_allclose(found[net.e, "bias"], expected, rtol=1e-5, atol=1e-5 * size)
    for j, k in ((0, 0), (3, 2), (5, 1)):
        expected = difference(set_weight(j, k))
        assert_allclose(found[net.c, "weights"][k, j], expected, rtol=1e-5, atol=1e-5 * size)

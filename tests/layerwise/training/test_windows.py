"""Windows in parts, repeated, sampled, summed: what they come to is the same."""

import nengo
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import PhaseEncoder, ResonateAndFire, SurrogateLIF, pooling, surrogates
from nengo_phasor.layerwise import backward
from nengo_phasor.schedules import Linear
from tests.layerwise.training.common import compiled, data, gradients, sgd, small, tf, values

dl = pytest.importorskip("nengo_phasor.dl")

SPIKES = SurrogateLIF(0.01, surrogate=surrogates.FastSigmoid())


def recurrent(neuron_type=SPIKES):
    """`common.small` with filters and a loop."""
    net = small(neuron_type)
    rng = np.random.RandomState(1)
    net.e.bias = 1.5 * np.ones(5)
    with net:
        for transform, synapse in ((net.b, 0.004), (net.a, nengo.Alpha(0.002))):
            transform.synapse = synapse
        net.b.transform = 0.1 * rng.normal(size=(3, 5))
        nengo.Connection(
            net.e.neurons, net.e.neurons, transform=0.02 * rng.normal(size=(5, 5)), synapse=0.01
        )
    return net


def equal(found, expected, rtol=1e-12):
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert np.any(value)
        assert_allclose(found[key], value, rtol=rtol, atol=rtol * np.abs(value).max())


@pytest.mark.parametrize("checkpoint", [1, 7, 30, 100])
@pytest.mark.parametrize("make", [lambda: small(SPIKES), recurrent], ids=["layers", "loop"])
def test_checkpoints(make, checkpoint, monkeypatch):
    """What is run again on the way back gives the same gradients."""
    net = make()
    x, y = data(n_steps=30)
    sim = compiled(net, dtype="float64")
    whole = gradients(sim, {net.x: x}, {net.p: y}, monkeypatch)
    equal(gradients(sim, {net.x: x}, {net.p: y}, monkeypatch, checkpoint=checkpoint), whole)


@pytest.mark.parametrize("checkpoint", [None, 4])
def test_constant_inputs(checkpoint, monkeypatch):
    """A single step with n_steps is the same as that step repeated: nothing is done twice."""
    rng = np.random.RandomState(3)
    with nengo.Network(seed=0) as net:
        net.x = nengo.Node(np.zeros(16))
        still = nengo.Ensemble(8, 1, neuron_type=nengo.Tanh(1.0), gain=np.ones(8), bias=np.zeros(8))
        kernel = nengo.Convolution(2, (4, 4, 1), init=rng.normal(size=(3, 3, 1, 2)), padding="same")
        small_kernel = nengo.Convolution(2, (4, 4, 1), init=rng.normal(size=(3, 3, 1, 2)))
        pool = nengo.Node(pooling.MaxPool((4, 4, 1), (2, 2), strides=(1, 1)))
        nengo.Connection(net.x, still.neurons, transform=small_kernel, synapse=None)
        nengo.Connection(net.x, pool, transform=rng.normal(size=16), synapse=None)
        spiking = nengo.Ensemble(32, 1, neuron_type=SPIKES, gain=np.ones(32), bias=np.ones(32))
        nengo.Connection(net.x, spiking.neurons, transform=kernel, synapse=None)
        for pre, scale in ((still.neurons, 1), (pool, 1)):
            nengo.Connection(
                pre,
                spiking.neurons,
                transform=scale * rng.normal(size=(32, pre.size_out)),
                synapse=None,
            )
        relay = nengo.Node(size_in=2)
        nengo.Connection(
            spiking.neurons, relay, transform=1e-3 * rng.normal(size=(2, 32)), synapse=0.004
        )
        nengo.Connection(still.neurons, relay, transform=rng.normal(size=(2, 8)), synapse=0.004)
        net.p, net.q = nengo.Probe(relay), nengo.Probe(still.neurons)
    sim = compiled(net, loss="mse", dtype="float64")
    x, y = rng.normal(size=(5, 1, 16)), {p: rng.normal(size=(5, 12, p.size_in)) for p in net.probes}
    repeated = gradients(sim, {net.x: np.repeat(x, 12, axis=1)}, y, monkeypatch)
    equal(gradients(sim, {net.x: x}, y, monkeypatch, n_steps=12, checkpoint=checkpoint), repeated)


def test_phases_as_inputs(monkeypatch):
    """Phases that are encoded once for each cycle train what hears them."""
    rng = np.random.RandomState(0)
    neurons = ResonateAndFire(100, surrogate=surrogates.FastSigmoid())
    with nengo.Network(seed=0) as net:
        net.x, relay = nengo.Node(np.zeros(4)), nengo.Node(size_in=4)
        nengo.Connection(net.x, relay, synapse=PhaseEncoder(100))
        e = nengo.Ensemble(3, 1, neuron_type=neurons, gain=np.ones(3), bias=np.zeros(3))
        nengo.Connection(relay, e.neurons, transform=rng.normal(size=(3, 4)), synapse=None)
        net.p = nengo.Probe(e.neurons)
    sim = compiled(net, dtype="float64")
    x, y = rng.uniform(-1, 1, (5, 1, 4)), {net.p: rng.normal(size=(5, 40, 3))}
    once = gradients(sim, {net.x: x}, y, monkeypatch, n_steps=40)
    equal(gradients(sim, {net.x: np.repeat(x, 40, axis=1)}, y, monkeypatch), once)


@pytest.mark.parametrize("make", [lambda: small(SPIKES), recurrent], ids=["layers", "loop"])
def test_truncation(make):
    """Is one step of the optimiser for each part, which goes on from where the one before ended."""
    x, y = data(n_steps=30)
    net = make()
    truncated = compiled(net, sgd(0.01), dtype="float64")
    truncated.fit({net.x: x}, {net.p: y}, truncation=12, batch_size=8, verbose=0)

    by_hand = compiled(net, sgd(0.01), dtype="float64")
    learner, state = by_hand._learner, None
    for first, last in ((0, 12), (12, 24), (24, 30)):
        steps, target = {net.x: x[:, first:last]}, y[:, first:last]
        seen = learner.engine.run(steps, last - first, by_hand.parts, state=state)
        error = seen.outputs[net.p] - target
        found = seen.back({net.p: 2 * error / error.size})
        for variable, parameter in zip(
            by_hand.keras_model.trainable_variables, by_hand.parameters, strict=True
        ):
            variable.assign_sub(0.01 * found[parameter])
        state = seen.state
    whole = compiled(net, sgd(0.01), dtype="float64")
    whole.fit({net.x: x}, {net.p: y}, batch_size=8, verbose=0)
    for a, b, c in zip(values(truncated), values(by_hand), values(whole), strict=True):
        # Keras takes means in single precision
        assert_allclose(a, b, rtol=1e-6, atol=1e-6 * np.abs(b).max())
        assert not np.allclose(a, c, rtol=1e-5)


def test_truncation_to_less_than_all(monkeypatch):
    """A window that is one part is not truncated."""
    x, y = data(n_steps=10)
    net = recurrent()
    sim = compiled(net, dtype="float64")
    whole = gradients(sim, {net.x: x}, {net.p: y}, monkeypatch)
    equal(gradients(sim, {net.x: x}, {net.p: y}, monkeypatch, truncation=10, checkpoint=3), whole)


@pytest.mark.parametrize("arguments", [{}, {"checkpoint": 5}])
def test_samples(arguments, monkeypatch):
    """The loss of a probe with sample_every is of those steps of one that sees all."""
    x, y = data(n_steps=30)
    net, sampled = small(SPIKES), small(SPIKES, sample_every=0.004)
    taken = np.arange(3, 30, 4)
    padded = np.full(y.shape, np.nan)
    padded[:, taken] = y[:, taken]
    weights = np.zeros(y.shape)
    weights[:, taken] = y[:, taken] * 30 / len(taken)

    def by_value(y_true, y_pred):
        return tf.reduce_sum(y_true * y_pred, axis=-1)

    whole, some = (compiled(n, loss={n.p: by_value}, dtype="float64") for n in (net, sampled))
    expected = gradients(whole, {net.x: x}, {net.p: weights}, monkeypatch)
    found = gradients(some, {sampled.x: x}, {sampled.p: y[:, taken]}, monkeypatch, **arguments)
    for a, b in zip(found.values(), expected.values(), strict=True):
        assert np.any(b)
        assert_allclose(a, b, rtol=1e-6, atol=1e-6 * np.abs(b).max())


def test_truncation_of_samples():
    """Targets of samples go with the part that these are in."""
    x, y = data(n_steps=24)
    net = small(SPIKES, sample_every=0.005)  # not in step with parts: 4 samples, 1 or 2 in each
    sim = compiled(net, sgd(0))
    exact = sim.predict({net.x: x})[net.p]
    history = sim.fit({net.x: x}, {net.p: exact}, truncation=8, verbose=0).history
    assert exact.shape[1] == 4
    assert history["loss"][0] < 1e-10
    assert not np.allclose(exact, y[:, :4])


def test_sum_over_time(monkeypatch):
    """The gradient of SpikeCount, which sees a sum, is that of the same loss of all steps."""
    x, _ = data(n_steps=20)
    net = small(SPIKES)
    cost = dl.losses.SpikeCount(net.q, weight=0.3, low=1.0, high=2.0)
    schedule = dl.callbacks.SparsitySchedule(Linear(0.5, 4), cost)
    targets = {net.q: np.zeros((8, 1, 1))}

    def all_steps(y_true, y_pred):
        return cost.call(y_true, y_pred)

    summed = compiled(net, loss={net.q: cost}, metrics={net.q: cost.spikes}, dtype="float64")
    cost.sigma.assign(0.7)
    found = gradients(summed, {net.x: x}, targets, monkeypatch)
    in_parts = gradients(summed, {net.x: x}, targets, monkeypatch, checkpoint=6)
    whole = compiled(net, loss={net.q: all_steps}, dtype="float64")
    expected = gradients(whole, {net.x: x}, targets, monkeypatch)
    equal(found, expected, rtol=1e-6)
    equal(in_parts, expected, rtol=1e-6)

    history = summed.fit(
        {net.x: x}, targets, epochs=4, callbacks=[schedule], verbose=0, shuffle=False
    ).history
    assert_allclose(history["sigma"], 0.5 * np.arange(1, 5) / 4)
    spikes = summed.predict({net.x: x})[net.q].sum(axis=(1, 2)) * 0.001
    counted = summed.evaluate({net.x: x}, targets, verbose=0)
    assert counted["spikes"] == pytest.approx(spikes.mean(), rel=1e-6)


@pytest.mark.parametrize("make", [lambda: small(SPIKES), recurrent], ids=["layers", "loop"])
def test_any_number_of_threads(make):
    """The same weights to the bit."""
    x, y = data(n_items=150, n_steps=20)
    results = []
    for threads in (1, 2, 3):
        net = make()
        sim = compiled(net, "adam", dtype="float32", threads=threads)
        sim.fit({net.x: x}, {net.p: y}, batch_size=70, epochs=2, shuffle=False, verbose=0)
        results.append(values(sim))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert_array_equal(a, b)


def test_what_is_written_does_not_depend_on_what_was_there():
    """Arrays are not cleared before: that may be NaN, of which 0 times as much is NaN."""
    matrix = scipy.sparse.csr_matrix([[2.0, 3.0], [0.0, 0.0], [0.0, 5.0]])
    for dtype in (np.float32, np.float64):
        result = np.full((1, 3), np.nan, dtype)
        parts = matrix.indptr, matrix.indices, matrix.data.astype(dtype)
        backward.through_transposed(result, np.array([[1, 10]], dtype), *parts)
        assert_array_equal(result, [[32, 0, 50]])

"""Parameters of neurons that train: gradients, limits, units, and where the values go."""

import nengo
import numpy as np
import pytest
from nengo.dists import Uniform
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

import nengo_phasor
from nengo_phasor import (
    BalancedResonateAndFire,
    ResonateAndFire,
    SurrogateLIF,
    dynamics,
    layerwise,
    surrogates,
)
from tests.layerwise.training.common import compiled, gradients, sgd, tf
from tests.layerwise.training.tape import Var, step_function
from tests.layerwise.training.tape import gradients as gradients_of

N, N_IN, N_ITEMS, N_STEPS, DT = 5, 3, 2, 64, 0.001

NEURONS = {
    "resonators": ResonateAndFire(
        Uniform(60, 120), 0.05, 0.02, amplitude=0.05, surrogate=surrogates.FastSigmoid(0.5)
    ),
    "balanced": BalancedResonateAndFire(Uniform(20, 100), Uniform(5, 50), 0.1, amplitude=0.05),
}
STEPS = {
    "resonators": (dynamics.resonate_and_fire, ("cos", "sin"), 2),
    "balanced": (dynamics.balanced_resonate_and_fire, ("turn", "growth"), 3),
}


def network(neurons, recurrent=True, units=None):
    """Return a layer that may hear itself, whose neurons' parameters train."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=1) as net:
        net.x = nengo.Node(np.zeros(N_IN))
        net.e = nengo.Ensemble(N, 1, neuron_type=neurons, gain=np.ones(N), bias=np.zeros(N))
        layer = net.e.neurons
        weights = rng.normal(0, 1, (N, N_IN)), rng.normal(0, 1, (N, N))
        ends = ((net.x, None), (layer, nengo.Lowpass(0)))[: 1 + recurrent]
        net.links = [
            nengo.Connection(source, layer, transform=w, synapse=synapse)
            for w, (source, synapse) in zip(weights, ends, strict=False)
        ]
        net.p = nengo.Probe(layer)
        layerwise.configure_settings()
        units = dict.fromkeys(neurons.trained, 1.0) if units is None else units
        net.config[net.e].neuron_parameters = units
    return net


def batch():
    rng = np.random.RandomState(1)
    x = rng.normal(0, 60, (N_ITEMS, N_STEPS, N_IN))
    return x, rng.normal(0, 30, (N_ITEMS, N_STEPS, N))


def by_tape(key, neurons, net, x, y):
    """Return the gradients of the mean squared error by all that trains but biases."""
    step, names, n_states = STEPS[key]
    c = neurons.constants(DT)
    own = {name: Var(np.broadcast_to(getattr(c, name), N)) for name in names}
    c, heaviside = c._replace(**own), step_function(neurons.surrogate)
    states = [Var(np.zeros((N_ITEMS, N))) for _ in range(n_states)]
    weights = {link: Var(link.transform.init.T) for link in net.links}
    into, *back = weights.values()
    output, outputs = Var(np.zeros((N_ITEMS, N))), []
    for k in range(N_STEPS):
        J = Var(x[:, k]) @ into
        for recurrent in back:
            J = J + output @ recurrent
        output, *states = step(J, *states, c, heaviside)
        outputs.append(output)
    by_outputs = [2 * (o.value - y[:, k]) / y.size for k, o in enumerate(outputs)]
    assert sum(np.count_nonzero(o.value) for o in outputs) > 20
    by_all = gradients_of(outputs, by_outputs, [*own.values(), *weights.values()])
    by_constants = by_all[: len(own)]
    found = {(c, "weights"): g for c, g in zip(weights, by_all[len(own) :], strict=True)}
    for name in neurons.trained:  # how the constants depend on a parameter: by differences
        value = np.broadcast_to(getattr(neurons, name), N)
        h = 1e-6 * value
        up, down = (neurons.with_values(**{name: v}).constants(DT) for v in (value + h, value - h))
        slopes = [(getattr(up, k) - getattr(down, k)) / (2 * h) for k in names]
        found[net.e, name] = sum(s * g for s, g in zip(slopes, by_constants, strict=True))
    return found


@pytest.mark.parametrize("recurrent", [False, True], ids=["feedforward", "recurrent"])
@pytest.mark.parametrize("key", NEURONS)
def test_gradients_against_backpropagation_through_time(monkeypatch, key, recurrent):
    net, (x, y) = network(NEURONS[key], recurrent), batch()
    sim = compiled(net, minibatch_size=N_ITEMS, dtype="float64")
    neurons = sim.data[net.e.neurons]
    expected = by_tape(key, neurons, net, x, y)
    found = gradients(sim, {net.x: x}, {net.p: y}, monkeypatch)
    assert set(found) == {*expected, (net.e, "bias")}
    for parameter, gradient in expected.items():
        scale = np.abs(gradient).max()
        assert scale > 0
        assert_allclose(found[parameter], gradient, rtol=1e-5, atol=1e-6 * scale)


def test_a_unit_scales_the_step():
    """Keras' variable is the value over its unit, so a step of gradient descent is its square."""
    (x, y), moved = batch(), []
    for unit in (1.0, 10.0):
        net = network(NEURONS["balanced"], units={"frequency": unit})
        sim = compiled(net, sgd(1e-3), minibatch_size=N_ITEMS, dtype="float64")
        before = sim.data[net.e.neurons].frequency
        sim.fit({net.x: x}, {net.p: y}, verbose=0)
        moved.append(sim.data[net.e.neurons].frequency - before)
    assert np.all(moved[0] != 0)
    assert_allclose(moved[1], 100 * moved[0], rtol=1e-6)


@pytest.mark.parametrize("key", NEURONS)
def test_values_stay_within_limits(key):
    net, (x, y) = network(NEURONS[key]), batch()
    sim = compiled(net, tf.keras.optimizers.Adam(1e4), minibatch_size=N_ITEMS)
    for _ in range(4):
        sim.fit({net.x: x}, {net.p: y}, verbose=0)
    found = sim.data[net.e.neurons]
    for name, (low, high) in found.limits(DT).items():
        values = getattr(found, name)
        assert np.all((values >= low) & (values <= high * (1 + 1e-6)))


@pytest.mark.parametrize("key", NEURONS)
def test_trained_values_are_kept(key, tmp_path):
    """By the simulator's data, frozen networks, saved parameters and saved networks."""
    net, (x, y) = network(NEURONS[key]), batch()
    sim = compiled(net, "adam", minibatch_size=N_ITEMS, dtype="float64")
    before = sim.data[net.e.neurons]
    sim.fit({net.x: x}, {net.p: y}, verbose=0, epochs=3)
    after = sim.data[net.e.neurons]
    for name in after.trained:
        assert np.all(getattr(before, name) != getattr(after, name))
    expected = sim.predict({net.x: x})[net.p]
    assert np.any(expected)

    sim.save_params(tmp_path / "params")
    other = compiled(network(NEURONS[key]), minibatch_size=N_ITEMS, dtype="float64")
    other.load_params(tmp_path / "params")
    (probe,) = other.network.probes
    assert_array_equal(other.predict({other.network.nodes[0]: x})[probe], expected)

    sim.freeze_params(net)
    assert net.e.neuron_type == after
    nengo_phasor.save(tmp_path / "network.npz", net)
    loaded = nengo_phasor.load(tmp_path / "network.npz")
    assert loaded.ensembles[0].neuron_type == after
    again = layerwise.Simulator(loaded, dtype="float64")
    assert_allclose(again.predict({loaded.nodes[0]: x})[loaded.probes[0]], expected)


def test_not_trained_by_default():
    net = network(NEURONS["balanced"], units={})
    assert all(name in ("bias", "weights") for _, name in compiled(net).parameters)


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"threshold": 1.0}, r"'threshold' for .*train frequency, damping"),
        ({"frequency": 0}, r"neuron_parameters\['frequency'\]: must be positive"),
        ("frequency", r"must be \{parameter: unit\}"),
    ],
)
def test_bad_settings(units, message):
    with pytest.raises(ValidationError, match=message):
        compiled(network(NEURONS["balanced"], units=units))


def test_neurons_without_such_parameters():
    net = network(NEURONS["balanced"])
    net.e.neuron_type = SurrogateLIF()
    with pytest.raises(ValidationError, match="have no parameters that train"):
        compiled(net)

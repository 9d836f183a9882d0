"""A user's neuron types train once they are registered, with the gradients of ours."""

from typing import NamedTuple

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError
from nengo.neurons import NeuronType
from numpy.testing import assert_allclose

from nengo_phasor import SurrogateLIF, layerwise, surrogates
from nengo_phasor.layerwise import compiled as loops
from tests.layerwise.training.common import compiled, data, gradients, small

TAU = 0.01


class Constants(NamedTuple):
    keep: float
    height: float


class Own(NeuronType):
    """Leaky integrate-and-fire with a reset to zero, as SurrogateLIF has it."""

    spiking = True
    negative = False
    state = {"voltage": nengo.dists.Choice([0])}  # noqa: RUF012

    def constants(self, dt):
        return Constants(np.exp(-dt / TAU), 1.0 / dt)

    def gain_bias(self, max_rates, intercepts):
        return np.ones_like(max_rates), np.zeros_like(max_rates)

    def max_rates_intercepts(self, gain, bias):
        return np.ones_like(gain), np.zeros_like(gain)

    def step(self, dt, J, output, voltage):
        c = self.constants(dt)
        voltage[...] = c.keep * voltage + (1 - c.keep) * J
        output[...] = (voltage >= 1) * c.height
        voltage[output > 0] = 0


def forward(J, states, fired, c):
    voltage = states[0]
    for j in range(len(J)):
        voltage[j] = c.keep * voltage[j] + (1 - c.keep) * J[j]
        fired[j] = voltage[j] >= 1
        if fired[j]:
            voltage[j] = 0


def back(J, states, by_output, by_states, by_J, c, slope):
    voltage, by_voltage = states[0], by_states[0]
    for j in range(len(J)):
        over = c.keep * voltage[j] + (1 - c.keep) * J[j] - 1
        by_over = by_output[j] * c.height / (1 + abs(over)) ** 2
        if over < 0:
            by_over += by_voltage[j]
        by_J[j] += (1 - c.keep) * by_over
        by_voltage[j] = c.keep * by_over


class Square(NeuronType):
    """A rate that is the square of what there is of the current."""

    negative = False

    gain_bias, max_rates_intercepts = Own.gain_bias, Own.max_rates_intercepts

    def step(self, dt, J, output):
        output[...] = np.maximum(J, 0) ** 2


class Spikes(Own):
    """Spikes that train by their rates."""


@pytest.fixture
def table(monkeypatch):
    """The types that layerwise knows, as they were before."""
    monkeypatch.setattr(layerwise.rows, "TABLE", dict(layerwise.rows.TABLE))


ROW = layerwise.Row(loops.window_of(forward), back)


def gradients_of(neurons, monkeypatch, loop=False):
    net = small(neurons)
    net.e.bias = np.full(5, 1.5)
    with net:
        if loop:
            weights = 0.01 * np.random.RandomState(3).normal(size=(5, 5))
            nengo.Connection(net.e.neurons, net.e.neurons, transform=weights, synapse=0.005)
    x, y = data(n_steps=40)
    with compiled(net, loss={net.q: "mse", net.p: "mse"}, dtype="float64") as sim:
        targets = {net.p: y, net.q: np.ones((8, 1, 5))}
        return list(gradients(sim, {net.x: x}, targets, monkeypatch).values())


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.usefixtures("table")
def test_own_way_back(loop):
    """By `back`, in layers and loops, as a type of ours with the same equation."""
    ours = SurrogateLIF(TAU, reset="zero", surrogate=surrogates.FastSigmoid())
    with pytest.MonkeyPatch.context() as patch:
        expected = gradients_of(ours, patch, loop)
        layerwise.register(Own, ROW)
        found = gradients_of(Own(), patch, loop)
    for a, b in zip(found, expected, strict=True):
        assert np.any(b)
        assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max())


@pytest.mark.parametrize("trains_as", [False, True])
@pytest.mark.usefixtures("table")
def test_own_derivative(trains_as):
    """By `pull`, or by another type's: the gradient by a bias is that of a sum of squares."""

    def pull(neurons, J, by_output):
        return by_output * 2 * np.maximum(J, 0)

    layerwise.register(Square, layerwise.Row(pull=pull))
    layerwise.register(Spikes, layerwise.Row(trains_as=lambda neurons: Square()))
    with nengo.Network() as net:
        net.x = nengo.Node(np.zeros(3))
        neurons = Spikes() if trains_as else Square()
        net.e = nengo.Ensemble(3, 1, neuron_type=neurons, gain=np.ones(3), bias=[0.5, 0.1, -2])
        nengo.Connection(net.x, net.e.neurons, synapse=None)
        net.p = nengo.Probe(net.e.neurons)
    x, y = np.random.RandomState(0).normal(size=(2, 4, 8, 3))
    J = np.maximum(x + net.e.bias, 0)
    with pytest.MonkeyPatch.context() as patch, compiled(net, dtype="float64") as sim:
        found = gradients(sim, {net.x: x}, {net.p: y}, patch)[net.e, "bias"]
    expected = (2 * (J**2 - y) * 2 * J).sum(axis=(0, 1)) / x.size
    assert_allclose(found, expected, rtol=1e-6)  # Keras takes means in single precision


@pytest.mark.usefixtures("table")
def test_not_registered():
    """The error names object, type and call, also where a row says nothing of a way back."""
    why = r"cells.*: its Own neurons have no derivative.*layerwise.register\(Own, row\)"
    with pytest.raises(BuildError, match=why):
        compiled(small(Own()))
    layerwise.register(Own, layerwise.Row())
    with pytest.raises(BuildError, match=why):
        compiled(small(Own()))


@pytest.mark.usefixtures("table")
def test_subclass_with_another_step():
    """Is not taken for its parent."""

    class Other(Own):
        def step(self, dt, J, output, voltage):
            super().step(dt, 2 * J, output, voltage)

    layerwise.register(Own, ROW)
    with pytest.raises(BuildError, match=r"register\(Other, row\)"):
        compiled(small(Other()))

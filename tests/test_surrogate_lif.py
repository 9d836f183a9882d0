"""Leaky integrate-and-fire neurons against the analytic solution and Nengo's own."""

import math

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import SurrogateLIF

few = settings(deadline=None, max_examples=40)
resets = pytest.mark.parametrize("reset", ["subtract", "zero"])
taus = pytest.mark.parametrize("tau_rc", [0.02, 0.3, None])


def run(neuron, J, n_steps, dt=0.001):
    """Return the spikes, as numbers, and the voltages of neurons at constant currents."""
    J = np.atleast_1d(np.asarray(J, dtype=float))
    state = neuron.make_state(J.size, dtype=float)
    spikes, voltages = np.empty((2, n_steps, J.size))
    for k in range(n_steps):
        neuron.step(dt, J, spikes[k], **state)
        voltages[k] = state["voltage"]
    return spikes * dt / neuron.amplitude, voltages


@resets
@given(tau_rc=st.floats(1e-3, 1), J=st.floats(-5, 0.999), dt=st.floats(1e-4, 0.01))
@few
def test_below_threshold(reset, tau_rc, J, dt):
    """tau dv/dt = J - v from rest: v = J (1 - exp(-t/tau)), whatever the step."""
    spikes, voltages = run(SurrogateLIF(tau_rc, reset), J, 50, dt)
    assert not spikes.any()
    t = dt * np.arange(1, 51)
    assert_allclose(voltages[:, 0], J * (1 - np.exp(-t / tau_rc)), atol=1e-12)


@resets
def test_without_leak_the_voltage_is_the_integral(reset):
    spikes, voltages = run(SurrogateLIF(None, reset), [90.0, -40.0], 10, 0.001)
    assert not spikes.any()
    assert_allclose(voltages, np.outer(np.arange(1, 11), [0.09, -0.04]))


@resets
@given(tau_rc=st.floats(5e-3, 0.1), J=st.floats(1.05, 20))
@few
def test_the_first_spike(reset, tau_rc, J):
    """v reaches 1 at t = tau log(J/(J - 1)): the spike is in the step that ends then or later."""
    dt = 0.001
    due = tau_rc * math.log(J / (J - 1)) / dt
    spikes, _ = run(SurrogateLIF(tau_rc, reset), J, math.ceil(due) + 2, dt)
    first = int(np.flatnonzero(spikes[:, 0])[0]) + 1
    assert due - 1e-6 <= first <= due + 1 + 1e-6


@resets
@taus
def test_rates(reset, tau_rc):
    """Short steps: the spikes of 10 s, against the closed form, and Nengo's without refraction."""
    neuron = SurrogateLIF(tau_rc, reset, amplitude=1.5)
    scale = 1 if tau_rc else 10
    J = scale * np.array([-2.0, 0.5 if tau_rc else -1, 1.2, 1.5, 2.3, 3.0])
    spikes, _ = run(neuron, J, 100_000, 1e-4)
    rates = neuron.rates(J, 1, 0).ravel() / 1.5
    assert_allclose(spikes.sum(axis=0) / 10, rates, rtol=0.015, atol=0.15)
    other = nengo.RectifiedLinear() if tau_rc is None else nengo.LIFRate(tau_rc, tau_ref=0)
    assert_allclose(rates, other.rates(J, 1, 0).ravel())
    assert np.count_nonzero(rates) == 4


@pytest.mark.parametrize(("reset", "interval"), [("subtract", 1 / 0.31), ("zero", 4)])
def test_what_is_above_threshold_is_kept_or_lost(reset, interval):
    """0.31 a step: the third step has 0.93, so the fourth spikes with 0.24 above threshold."""
    spikes, _ = run(SurrogateLIF(None, reset), 310.0, 1200)
    assert spikes.sum() == pytest.approx(1200 / interval, abs=1)
    assert_array_equal(np.flatnonzero(spikes)[:3], [3, 6, 9] if interval != 4 else [3, 7, 11])


@resets
def test_at_most_one_spike_a_step(reset):
    spikes, voltages = run(SurrogateLIF(None, reset), 5000.0, 20)
    assert_array_equal(spikes, 1)
    assert voltages[-1, 0] == pytest.approx(80 if reset == "subtract" else 0)


@resets
@taus
def test_gains_and_biases(reset, tau_rc):
    neuron = SurrogateLIF(tau_rc, reset)
    rates, intercepts = np.array([20.0, 130.0, 400.0]), np.array([-0.9, 0.0, 0.6])
    gain, bias = neuron.gain_bias(rates, intercepts)
    for got, expected in zip(
        neuron.max_rates_intercepts(gain, bias), (rates, intercepts), strict=True
    ):
        assert_allclose(got, expected)
    x = intercepts[:, None] + [-1e-3, 1e-3]
    assert_array_equal(neuron.rates(x.T, gain, bias) > 0, [[False] * 3, [True] * 3])
    assert_allclose(np.diag(neuron.rates(np.ones((3, 3)), gain, bias)), rates)


@pytest.mark.parametrize(
    ("max_rates", "intercepts", "message"),
    [
        ([0.0], [0.0], r"SurrogateLIF\.max_rates: must be > 0 Hz, got 0"),
        ([10.0], [1.0], r"SurrogateLIF\.intercepts: must be less than 1"),
    ],
)
def test_impossible_tuning(max_rates, intercepts, message):
    with pytest.raises(ValidationError, match=message):
        SurrogateLIF().gain_bias(max_rates, intercepts)


def test_represents_as_nengo_lif_does():
    """In an ordinary ensemble, at the precision of Nengo's neurons of the same rates."""
    errors = []
    spread = {"voltage": nengo.dists.Uniform(0, 1)}  # Nengo's default: neurons start apart
    for neuron in (SurrogateLIF(initial_state=spread), nengo.LIF(tau_ref=0)):
        with nengo.Network(seed=1) as net:
            node = nengo.Node(lambda t: np.sin(6 * t))
            ensemble = nengo.Ensemble(100, 1, neuron_type=neuron, max_rates=[100] * 100)
            nengo.Connection(node, ensemble)
            probe, truth = nengo.Probe(ensemble, synapse=0.03), nengo.Probe(node, synapse=0.03)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run(1.0)
        lag = 5  # of the connection's synapse
        errors.append(np.sqrt(np.mean((sim.data[probe][lag:] - sim.data[truth][:-lag]) ** 2)))
    assert errors[0] < 1.1 * errors[1] < 0.1


def test_the_voltage_has_no_lower_bound():
    """What was subtracted by a negative current has to be made up for before the next spike."""
    spikes, voltages = run(SurrogateLIF(None), -500.0, 10)
    assert voltages[-1, 0] == pytest.approx(-5)
    assert not spikes.any()

"""Adaptive spiking neurons against their equations, in Nengo, and as NEF neurons."""

import math
from statistics import NormalDist

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.dists import Uniform
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import AdaptiveSpiking, AdaptiveSpikingRate, dynamics
from tests.registry import NEURONS, inputs, name

few = settings(deadline=None, max_examples=40)
TYPES = (AdaptiveSpiking, AdaptiveSpikingRate)
spiking = [n for n in NEURONS if isinstance(n, AdaptiveSpiking)]
adaptive = [n for n in NEURONS if isinstance(n, AdaptiveSpikingRate)]


def run(neuron, J, n_steps, dt):
    """Spikes of neurons, one for each of the constant currents J, at each step."""
    state = neuron.make_state(len(J), rng=np.random.RandomState(0), dtype=float)
    output = np.zeros((n_steps, len(J)))
    for k in range(n_steps):
        neuron.step(dt, J, output[k], **state)
    return output * dt / neuron.amplitude


def f(neuron, S):
    return dynamics.adaptive_transfer(np, np.asarray(S, dtype=float), neuron.transfer)


# --- the spiking neuron against its equations -----------------------------------------------------


class Loop:
    """One neuron, from the sums over its spikes of equations (4) to (7): nothing is recursive."""

    def __init__(self, neuron, dt):
        self.neuron, self.dt, self.inputs, self.spikes = neuron, dt, [], []

    def step(self, J):
        """S, Shat and theta before this step's spike, and whether there is one."""
        neuron, k = self.neuron, len(self.inputs)
        self.inputs.append(J)
        tau = neuron.tau_phi
        if tau is None:
            S = J
        else:
            unit = 1 - math.exp(-self.dt / tau)
            S = sum(
                unit * x * math.exp(-(k - j) * self.dt / tau) for j, x in enumerate(self.inputs)
            )
        since = [((k - j) * self.dt, theta) for j, theta in self.spikes]
        Shat = sum(theta * math.exp(-t / neuron.tau_eta) for t, theta in since)
        theta = neuron.theta_0 + sum(
            neuron.m_f * theta * math.exp(-t / neuron.tau_gamma) for t, theta in since
        )
        spike = S - Shat > theta / 2
        if spike:
            self.spikes.append((k, theta))
        return S, Shat, theta, spike


@pytest.mark.parametrize("neuron", [n for n in spiking if not n.initial_state], ids=name)
@pytest.mark.parametrize("dt", [0.001, 0.0004])
def test_against_the_sums_over_spikes(neuron, dt):
    J = inputs(neuron, 300)[:, 0]
    loop, state = Loop(neuron, dt), neuron.make_state(1, np.random.RandomState(0), dtype=float)
    output = np.zeros(1)
    for x in J:
        S, Shat, theta, spike = loop.step(x)
        neuron.step(dt, np.array([x]), output, **state)
        height = spike * neuron.amplitude / dt * (theta if neuron.graded else 1)
        assert output == pytest.approx(height, rel=1e-12)
        assert state["voltage"] == pytest.approx(S, abs=1e-12)
        assert state["refraction"] == pytest.approx(Shat + spike * theta, abs=1e-12)
        kept = math.exp(-dt / neuron.tau_gamma)
        jumped = theta - neuron.theta_0 + spike * neuron.m_f * theta
        assert state["adaptation"] == pytest.approx(kept * jumped, abs=1e-12)
    assert 5 < len(loop.spikes) < len(J)


def test_needs_more_than_half_the_threshold():
    """At exactly theta_0/2 it is silent; the next number above makes one spike."""
    S = np.array([0.05, np.nextafter(0.05, 1)])
    assert_array_equal(run(AdaptiveSpiking(tau_phi=None), S, 1, 0.001), [[0, 1]])


def test_negative_input_is_silent():
    assert not run(AdaptiveSpiking(), np.array([-5.0, 0.0]), 500, 0.001).any()


@pytest.mark.parametrize("tau_phi", [0.0025, 0.02])
def test_membrane_filter(tau_phi):
    """Of a constant 1: S = 1 - exp(-t/tau_phi) exceeds half a threshold of 1 at tau_phi log 2."""
    spikes = run(AdaptiveSpiking(theta_0=1.0, tau_phi=tau_phi), np.array([1.0]), 100, 0.001)
    assert np.flatnonzero(spikes)[0] + 1 == math.ceil(tau_phi * math.log(2) / 0.001)


def interval(S, neuron):
    """The steady interval between spikes, by bisection of the steady state's equation."""

    def excess(T):
        A, B = math.exp(-T / neuron.tau_eta), math.exp(-T / neuron.tau_gamma)
        return 2 * S * (1 - A) * (1 - (1 + neuron.m_f) * B) - neuron.theta_0 * (1 - B) * (1 + A)

    low, high = max(1e-6, neuron.tau_gamma * math.log1p(neuron.m_f)), 10.0
    assert excess(low) < 0 < excess(high)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return high


@pytest.mark.parametrize("neuron", [n for n in spiking if not n.initial_state], ids=name)
def test_steady_state(neuron):
    """At small steps the interval is the exact one, up to the step in which it ends."""
    dt, n_steps = 4e-5, 30000
    S = neuron.theta_0 * np.array([1.0, 1.5, 3.0, 7.0])
    spikes = run(neuron, S, n_steps, dt)
    for k, x in enumerate(S):
        times = np.flatnonzero(spikes[:, k])[-9:] * dt
        assert abs(np.diff(times).mean() - interval(x, neuron)) < dt


# --- the transfer function against simulation -----------------------------------------------------

# m_f: h, largest error for S >= 1.5 theta_0 at steps of 1 ms
TABLE = {
    0.03: (0.0385, 0.0075),
    0.05: (0.0636, 0.0075),
    0.1: (0.1244, 0.017),
    0.2: (0.2393, 0.0175),
    0.45: (0.4976, 0.035),
}
CASES = [(m_f, 0.0025) for m_f in TABLE] + [(0.1, 0.005), (0.1, None)]


@pytest.mark.parametrize(("m_f", "tau_phi"), CASES)
def test_transfer_function_is_the_mean_current(m_f, tau_phi):
    """Equation (11) against the mean of equation (4), a sum of h exp(-(t - t_i)/tau_beta)."""
    neuron = AdaptiveSpiking(m_f, tau_phi=tau_phi)
    height, bound = TABLE[m_f]
    assert neuron.transfer.height == pytest.approx(height, abs=5e-5)
    S = np.linspace(0, 20 * m_f, 201)
    spikes = run(neuron, S, 11000, 0.001)
    current, total = 0.0, 0.0
    for k, spike in enumerate(spikes):
        current = math.exp(-0.001 / neuron.tau_beta) * current + height * spike
        total += current * (k >= 1000)
    error = np.abs(total / 10000 - f(neuron, S))
    assert error[1.5 * m_f - 1e-9 <= S].max() <= bound
    assert np.argmax(error) == np.argmin(np.abs(S - m_f / 2))
    assert error.max() == pytest.approx(height / 2, rel=0.01)


@pytest.mark.parametrize("tau_eta", [0.03, 0.1])
def test_graded_spikes_behind_another_filter(tau_eta):
    """The mean output is S amplitude/tau_eta: it does not depend on the filter behind it."""
    S = np.array([0.5, 1.0, 2.0])
    for amplitude in (None, 0.02):
        neuron = AdaptiveSpiking(0.05, tau_eta=tau_eta, amplitude=amplitude, graded=True)
        scale = 1 if amplitude is None else amplitude / tau_eta
        thresholds = run(neuron, S, 6000, 0.001)[1000:]
        means = thresholds.mean(axis=0) / 0.001 * neuron.amplitude
        assert_allclose(means, scale * S, rtol=0.02)
        assert_allclose(f(neuron, S), scale * S)
        c = neuron.transfer
        assert_allclose(dynamics.adaptive_transfer_inverse(np, scale * S, c), S)


def test_graded_neurons_of_a_high_threshold():
    """Without spikes at an activation of 1, their line is the same, so precision can change."""
    neuron = AdaptiveSpiking(0.1, theta_0=4, graded=True)
    coarse = neuron.at_precision(0.2)
    assert (coarse.theta_0, coarse.amplitude) == (8, neuron.amplitude)


@pytest.mark.parametrize("amplitude", [None, 0.02])
@pytest.mark.parametrize("m_f", TABLE)
def test_graded_spikes_are_a_rectified_line(m_f, amplitude):
    """Up to half the height of a spike, which is the threshold at which it was sent."""
    neuron = AdaptiveSpiking(m_f, amplitude=amplitude, graded=True)
    scale = (0.05 if amplitude is None else amplitude) / 0.05
    S = np.linspace(-m_f, 20 * m_f, 211)
    outputs = run(neuron, S, 11000, 0.001)
    current, total = 0.0, 0.0
    for k, output in enumerate(outputs):
        current = math.exp(-0.001 / 0.05) * current + output * neuron.amplitude / 0.05
        total += current * (k >= 1000)
    error = np.abs(total / 10000 - scale * np.maximum(S, 0))
    highest = scale * np.maximum(outputs[1000:].max(axis=0), m_f)
    assert (error <= 0.5 * highest * (1 + 1e-9)).all()
    assert_allclose(f(neuron, S), scale * np.maximum(S, 0))


def test_the_height_of_graded_spikes():
    """It is theta, which the spikes so far have raised, at the time of each spike."""
    neuron = AdaptiveSpiking(0.2, graded=True)
    outputs = run(neuron, np.array([1.0]), 200, 0.001)[:, 0]
    theta, fading = [], 0.0
    for output in outputs:
        if output:
            theta.append((output, 0.2 + fading))
            fading += 0.2 * (0.2 + fading)
        fading *= math.exp(-0.001 / 0.015)
    assert len(theta) > 5
    assert_allclose(*zip(*theta, strict=True))


def test_graded_spikes_come_when_others_do():
    S = np.linspace(0, 3, 50)
    graded, flat = (run(AdaptiveSpiking(0.1, graded=g), S, 300, 0.001) > 0 for g in (True, False))
    assert_array_equal(graded, flat)


def test_a_spike_each_step_is_the_limit():
    """At 1 ms, f ends at 50.5 h: 1.94 at m_f = 0.03."""
    neuron = AdaptiveSpiking(0.03)
    spikes = run(neuron, np.array([1e3]), 300, 0.001)
    assert spikes.all()
    limit = neuron.transfer.height / (1 - math.exp(-0.001 / neuron.tau_beta))
    assert limit == pytest.approx(1.94, abs=0.01)


def test_equation_11():
    """From its text, with numbers: m_f = theta_0 = 0.1 and the paper's time constants, in ms."""
    c_1, c_2 = 2 * 0.1 * 15**2, 2 * 0.1 * 50 * 15
    c_3, c_4 = 15 * (0.1 * 15 + 2 * 1.1 * 50), 0.1 * 50 * 65
    h = 0.1244

    def pulse(S):
        return h / (math.exp((c_1 * S + c_2) / (c_3 * S + c_4)) - 1)

    neuron = AdaptiveSpikingRate(amplitude=h * 0.05)
    for S in (0.03, 0.05, 0.2, 1.0, 7.0):
        assert f(neuron, S) == pytest.approx(pulse(S) - pulse(0.05) + h / 2)
    assert f(neuron, 1) == pytest.approx(1, abs=5e-4)
    assert_array_equal(f(neuron, [-1e9, -0.325, -0.03, 0]), 0)


parameters = st.fixed_dictionaries(
    {
        "m_f": st.floats(0.001, 1),
        "theta_0": st.floats(0.001, 1.9),
        "tau_gamma": st.floats(0.002, 0.2),
        "tau_eta": st.floats(0.005, 0.3),
        "tau_beta": st.floats(0.005, 0.3),
    }
)


@few
@given(st.sampled_from(TYPES), parameters)
def test_normalisation(cls, parameters):
    neuron = cls(**parameters)
    h = neuron.amplitude / neuron.tau_beta
    assert f(neuron, neuron.theta_0 / 2) == pytest.approx(h / 2)
    assert f(neuron, 1) == pytest.approx(1)


@few
@given(parameters, st.floats(0.5, 1e4))
def test_inverse(parameters, ratio):
    """Of any activation from theta_0/2 on."""
    neuron = AdaptiveSpikingRate(**parameters)
    S = ratio * neuron.theta_0
    back = dynamics.adaptive_transfer_inverse(np, f(neuron, S), neuron.transfer)
    assert back == pytest.approx(S, rel=1e-4)


@few
@given(parameters, st.lists(st.floats(-3, 3), min_size=2, max_size=20))
def test_transfer_function_rises(parameters, S):
    values = f(AdaptiveSpikingRate(**parameters), np.sort(S))
    assert (values >= 0).all()
    assert (np.diff(values) >= 0).all()


def test_precisions_share_one_curve():
    """Normalised curves of m_f from 0.02 to 0.2 agree within 0.007, up to twice f(1)'s S."""
    S = np.linspace(0.1, 2, 96)
    curves = [f(AdaptiveSpikingRate(m_f), S) for m_f in (0.02, 0.05, 0.1, 0.15, 0.2)]
    assert np.ptp(curves, axis=0).max() < 0.007


# --- precision ------------------------------------------------------------------------------------


@few
@given(st.sampled_from(TYPES), parameters, st.floats(0.5, 3), st.floats(0.01, 10))
def test_at_precision(cls, parameters, scale, factor):
    """theta_0 stays in proportion, f(1) as it is, all else the same; and back again."""
    parameters["theta_0"] = min(parameters["theta_0"], 1.9 / factor)
    neuron = cls(**parameters, tau_phi=0.004, amplitude=scale * cls(**parameters).amplitude)
    other = neuron.at_precision(factor * neuron.m_f)
    assert type(other) is cls
    assert other.m_f == factor * neuron.m_f
    assert other.theta_0 / other.m_f == pytest.approx(neuron.theta_0 / neuron.m_f)
    assert f(other, 1) == pytest.approx(f(neuron, 1))
    for attr in ("tau_gamma", "tau_eta", "tau_phi", "tau_beta", "initial_state"):
        assert getattr(other, attr) == getattr(neuron, attr)
    assert other.at_precision(neuron.m_f).amplitude == pytest.approx(neuron.amplitude)


def test_precision_keeps_the_initial_state():
    state = {"voltage": Uniform(0, 1)}
    assert AdaptiveSpiking(initial_state=state).at_precision(0.2).initial_state == state


def test_coarser_is_fewer_and_higher_spikes():
    neuron = AdaptiveSpiking()
    fine, coarse = (neuron.at_precision(m_f) for m_f in (0.05, 0.2))
    counts = [run(n, np.array([0.7]), 2000, 0.001).sum() for n in (fine, neuron, coarse)]
    assert counts[0] > 1.8 * counts[1] > 3 * counts[2]
    assert fine.amplitude < neuron.amplitude < coarse.amplitude


# firing rates at S ~ N(0, 1), in Hz
RATES = {0.05: 126, 0.1: 65, 0.2: 33, 0.3: 22, 0.5: 14, 0.6: 11}


@pytest.mark.parametrize("m_f", RATES)
def test_firing_rate_of_standard_normal_activations(m_f):
    """In a window of 500 ms, at quantiles of the distribution."""
    S = np.array([NormalDist().inv_cdf((k + 0.5) / 2000) for k in range(2000)])
    spikes = run(AdaptiveSpiking(m_f), S, 500, 0.001)
    assert spikes.mean() * 1000 == pytest.approx(RATES[m_f], rel=0.02, abs=0.8)


# --- as Nengo's ensembles see them ----------------------------------------------------------------


@few
@given(
    st.sampled_from(adaptive),
    st.lists(st.tuples(st.floats(0.001, 0.999), st.floats(-2, 0.95)), min_size=1, max_size=5),
)
def test_gain_bias_round_trip(neuron, pairs):
    share, intercepts = np.array(pairs).T
    changes = {"graded": False, "amplitude": 1.0}
    counted = AdaptiveSpikingRate(**{**neuron.parameters, **changes})  # whose f is in Hz
    low, high = (f(counted, S) for S in (neuron.theta_0 / 2, 1e3))
    max_rates = low + share * (high - low)
    gain, bias = neuron.gain_bias(max_rates, intercepts)
    assert (gain > 0).all()
    again = neuron.max_rates_intercepts(gain, bias)
    assert_allclose(again, [max_rates, intercepts], rtol=1e-6, atol=1e-6)
    at_one = neuron.rates(np.ones(1), gain, bias)[0]
    means = f(neuron, gain + bias) if neuron.graded else max_rates * neuron.amplitude
    assert_allclose(at_one, means, rtol=1e-6)
    just_above = neuron.rates(intercepts + 1e-9, gain, bias)
    least = neuron.transfer.height / 2 * (neuron.theta_0 if neuron.graded else 1)
    assert_allclose(np.diag(just_above), least, rtol=1e-4)
    just_below = np.diag(neuron.rates(intercepts - 1e-9, gain, bias))
    assert (just_below == 0).all() == neuron.spiking


def ensemble_means(neuron, x, max_rates, duration=3.0):
    """Measured and predicted mean outputs of 150 neurons, and their activations in theta_0."""
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(150, 1, neuron_type=neuron, max_rates=max_rates)
        nengo.Connection(nengo.Node(x), ensemble, synapse=None)
        probe = nengo.Probe(ensemble.neurons)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(duration)
    built = sim.data[ensemble]
    at = x * built.encoders[:, 0][None]
    predicted = neuron.rates(at, built.gain, built.bias)[0]
    S = (built.gain * at + built.bias)[0] / neuron.theta_0
    return sim.data[probe][500:].mean(axis=0), predicted, S


# of each tau_beta: the largest difference in units of f
MEAN_ERRORS = {0.05: 0.015, 0.03: 0.055, 0.08: 0.025, 0.1: 0.035}


@pytest.mark.parametrize("tau_beta", MEAN_ERRORS)
def test_rates_are_mean_outputs(tau_beta):
    """The further tau_beta is from tau_eta, the worse the transfer function fits."""
    neuron = AdaptiveSpiking(tau_beta=tau_beta)
    measured, predicted, S = ensemble_means(neuron, 0.6, Uniform(100, 300))
    firing, silent = S >= 1.5, S < 0.5
    assert np.count_nonzero(firing) > 50
    assert np.abs(measured - predicted)[firing].max() < MEAN_ERRORS[tau_beta]
    assert np.count_nonzero(silent) > 30
    assert not measured[silent].any()
    assert not predicted[silent].any()


def test_rate_twin_is_its_transfer_function():
    measured, predicted, _ = ensemble_means(AdaptiveSpikingRate(), 0.6, Uniform(100, 300), 0.6)
    assert_allclose(measured, predicted, rtol=1e-12)


def test_default_ensembles_build():
    """With Nengo's own maximum rates, 200 to 400 Hz."""
    for neuron in (AdaptiveSpiking(), AdaptiveSpiking(0.03), AdaptiveSpikingRate()):
        with nengo.Network(seed=0) as net:
            nengo.Ensemble(20, 2, neuron_type=neuron)
        nengo.Simulator(net, progress_bar=False).close()


def simulate(net, duration):
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(duration)
    return sim


def rms(x):
    return math.sqrt(np.mean(x**2))


def test_represents_a_sine_without_lag():
    """Through Lowpass(tau_beta) the spikes are the value itself, and its square, not delayed.

    A spike train of LIF neurons through the same filter lags by 50 ms, 0.2 in this measure. The
    bound is 2 % of the range and 5 ms: the membrane's filter and the steps of three objects.
    """
    neuron = AdaptiveSpiking()
    lowpass = nengo.Lowpass(neuron.tau_beta)
    with nengo.Network(seed=1) as net:
        node = nengo.Node(lambda t: math.sin(2 * math.pi * t))
        a, b = (nengo.Ensemble(100, 1, neuron_type=neuron) for _ in range(2))
        nengo.Connection(node, a, synapse=None)
        nengo.Connection(a, b, function=np.square, synapse=lowpass)
        probes = [
            nengo.Probe(node),
            nengo.Probe(a, synapse=lowpass),
            nengo.Probe(b, synapse=lowpass),
        ]
    sim = simulate(net, 2.0)
    x, represented, squared = (sim.data[probe][500:] for probe in probes)
    assert rms(represented[5:] - x[:-5]) < 0.02
    assert rms(represented - x) < 0.03
    assert rms(squared[10:] - x[:-10] ** 2) < 0.06


@pytest.mark.parametrize(
    ("tau_phi", "synapse"), [(0.1, 0.05), (0.05, 0.1)], ids=["by the membrane", "by the synapse"]
)
def test_integrator(tau_phi, synapse):
    """0.5 s of input 1 stay. Its time constant, 0.1 s, is that of the loop's slow part.

    Either the membrane, where the synapse is Lowpass(tau_beta); or, as with LIF neurons, any
    synapse where tau_phi is tau_eta.
    """
    with nengo.Network(seed=1) as net:
        node = nengo.Node(lambda t: float(t < 0.5))
        a = nengo.Ensemble(200, 1, neuron_type=AdaptiveSpiking(tau_phi=tau_phi))
        nengo.Connection(node, a, transform=0.1, synapse=None if synapse == 0.05 else synapse)
        nengo.Connection(a, a, synapse=synapse)
        probe = nengo.Probe(a, synapse=0.05)
    x = simulate(net, 3.0).data[probe][:, 0]
    assert abs(x[249] - 0.25) < 0.05
    assert np.abs(x[600:] - 0.5).max() < 0.07


@pytest.mark.parametrize("tau_phi", [0.01, 0.1])
def test_time_constant_of_a_loop(tau_phi):
    """A loop of gain 1/2 doubles tau_phi, whatever tau_beta: after 2 tau_phi, 63 % of a step."""
    neuron = AdaptiveSpiking(tau_phi=tau_phi)
    with nengo.Network(seed=1) as net:
        a = nengo.Ensemble(200, 1, neuron_type=neuron)
        nengo.Connection(nengo.Node(0.25), a, synapse=None)
        nengo.Connection(a, a, transform=0.5, synapse=neuron.tau_beta)
        probe = nengo.Probe(a, synapse=neuron.tau_beta)
    x = simulate(net, 1.2).data[probe][:, 0]
    assert x[-200:].mean() == pytest.approx(0.5, abs=0.05)
    first = np.argmax(x > (1 - math.exp(-1)) * x[-200:].mean()) * 0.001
    assert first == pytest.approx(2 * tau_phi, rel=0.25, abs=0.01)


def test_oscillator():
    """1 Hz, within 3 %; the radius, which a step of 1 ms damps by 1 % per tau_phi, stays > 0.7."""
    neuron = AdaptiveSpiking(tau_phi=0.1)
    turn = 2 * math.pi * neuron.tau_phi
    with nengo.Network(seed=1) as net:
        node = nengo.Node(lambda t: [10 * neuron.tau_phi * (t < 0.1), 0])
        a = nengo.Ensemble(300, 2, neuron_type=neuron)
        nengo.Connection(node, a, synapse=None)
        nengo.Connection(a, a, transform=[[1, -turn], [turn, 1]], synapse=neuron.tau_beta)
        probe = nengo.Probe(a, synapse=neuron.tau_beta)
    x = simulate(net, 2.5).data[probe]
    angle = np.unwrap(np.arctan2(x[:, 1], x[:, 0]))
    assert (angle[-1] - angle[500]) / (2 * math.pi * 2.0) == pytest.approx(1, rel=0.03)
    assert np.linalg.norm(x[500:], axis=1).min() > 0.7


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", TYPES)
def test_errors(cls):
    def refused(attr, message):
        return pytest.raises(ValidationError, match=rf"{cls.__name__}\.{attr}: .*{message}")

    with refused("theta_0", "must be given if m_f is 0"):
        cls(m_f=0)
    with refused("theta_0", "must be less than 2 .* got 2.5; alternatively, give an amplitude"):
        cls(theta_0=2.5)
    assert cls(theta_0=2.5, amplitude=1.0).theta_0 == 2.5
    with refused("m_f", "is 0, so theta_0 cannot be scaled in proportion: create new neurons"):
        cls(m_f=0, theta_0=0.1).at_precision(0.1)
    with refused("theta_0", r"must be less than 2 .* got 3 \(by default m_f\)"):
        cls(m_f=3)
    with refused("m_f", "must be less than 2 .* got 3"):
        cls().at_precision(3)
    with refused("m_f", "must be less than 0.5 .* got 0.5"):
        cls(m_f=0.1, theta_0=0.4).at_precision(0.5)
    for m_f in (-0.1, 0, "fine"):
        with refused("m_f", f"positive and finite, got {m_f!r}"):
            cls().at_precision(m_f)


@pytest.mark.parametrize("cls", TYPES)
@pytest.mark.parametrize("rate", [10.0, 800.0])
def test_impossible_rates(cls, rate):
    """Between 1 / (2 tau_beta) and c_3 / (c_1 tau_eta): here 10 and less than 743 Hz."""
    message = rf"max_rates: must be between 10 and \d+(\.\d)? Hz, got {rate:g}.*smaller m_f"
    with nengo.Network() as net:
        nengo.Ensemble(3, 1, neuron_type=cls(), max_rates=nengo.dists.Choice([rate]))
    with pytest.raises((BuildError, ValidationError), match=message):
        nengo.Simulator(net, progress_bar=False)
    assert cls(m_f=0.01).gain_bias([800.0], [0.0])[0] > 0


@pytest.mark.parametrize("cls", TYPES)
def test_impossible_intercepts(cls):
    with pytest.raises(ValidationError, match=r"intercepts: must be less than 1.* got 1\.5"):
        cls().gain_bias([100.0, 100.0], [0.0, 1.5])

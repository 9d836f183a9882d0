import math
import pickle
from itertools import pairwise

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.dists import Choice
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_array_equal

from nengo_phasor import Phasor, ResonateAndFire, neurons, phases
from nengo_phasor.neurons.rateless import Rateless
from tests.registry import NEURONS, REFUSED, TYPES, N, inputs, name, settled

few = settings(deadline=None, max_examples=40)
resonators = [neuron for neuron in NEURONS if isinstance(neuron, ResonateAndFire)]
rateless = [neuron for neuron in NEURONS if isinstance(neuron, Rateless)]


def run(neuron, J, dt):
    """Step by step: the spikes, voltages and currents of neurons driven by J, (n_steps, n)."""
    state = neuron.make_state(J.shape[1], rng=np.random.RandomState(0), dtype=float)
    output = np.zeros_like(J)
    voltage, current = np.empty_like(J), np.empty_like(J)
    for k in range(len(J)):
        neuron.step(dt, J[k], output[k], **state)
        voltage[k], current[k] = state["voltage"], state["current"]
    return output, voltage, current


def simulate(neuron, J, attrs, n_steps=None, dt=0.001, **kwargs):
    """In nengo.Simulator: probes of neurons that get J, a series or a constant."""
    series = np.ndim(J) == 2
    with nengo.Network(seed=0) as net:
        node = nengo.Node(nengo.processes.PresentInput(J, dt) if series else J)
        n = node.size_out
        ensemble = nengo.Ensemble(n, 1, neuron_type=neuron, gain=np.ones(n), bias=np.zeros(n))
        nengo.Connection(node, ensemble.neurons, synapse=None)
        probes = [nengo.Probe(ensemble.neurons, attr) for attr in attrs]
    with nengo.Simulator(net, dt=dt, progress_bar=False, **kwargs) as sim:
        sim.run_steps(len(J) if series else n_steps)
    return [sim.data[probe] for probe in probes]


# --- resonate-and-fire against the damped oscillator ----------------------------------------------


class Oscillator:
    """The solution of dz/dt = (-1/tau + 2 pi i f) z + sum_k w_k delta(t - t_k), from rest."""

    def __init__(self, frequency, tau, times, weights):
        self.frequency = frequency
        self.rate = -1 / tau + 2j * math.pi * frequency
        order = np.argsort(times, kind="stable")
        self.times, self.weights = np.asarray(times)[order], np.asarray(weights)[order]

    def __call__(self, t, before=False):
        """The state at time t, with the impulses up to t, or before t."""
        n = np.searchsorted(self.times, t, "left" if before else "right")
        return np.sum(self.weights[:n] * np.exp(self.rate * (t - self.times[:n])))

    def crossings(self, end):
        """The times at which the current crosses zero upwards, at a positive voltage."""
        borders = np.unique([*self.times, end])
        found = []
        for t, until in pairwise(borders):
            z = self(t)
            first = t + (-np.angle(z) / (2 * np.pi) % 1) / self.frequency
            first += (np.angle(z) == 0) / self.frequency  # it has crossed already
            found.extend(np.arange(first, until + 1e-9 / self.frequency, 1 / self.frequency))
        return np.array(found)


@st.composite
def stimulations(draw):
    """Neurons of any rhythm, and periodic impulses of a few inputs on their time steps."""
    steps = draw(st.one_of(st.integers(4, 60), st.floats(4, 60)))
    dt = draw(st.floats(1e-5, 1e-2))
    frequency = 1 / (steps * dt)
    tau = draw(st.floats(0.5, 20)) / frequency
    n = draw(st.integers(1, 5))
    phase = draw(st.lists(st.floats(-1, 0.99), min_size=n, max_size=n))
    weights = draw(st.lists(st.floats(-2, 2), min_size=n, max_size=n))
    threshold = draw(st.floats(0.01, 2))
    raster = phases.to_raster(np.array(phase), frequency, 6, dt)
    return dt, ResonateAndFire(frequency, tau, threshold), raster, np.array(weights)


@few
@given(stimulations())
def test_against_the_damped_oscillator(stimulation):
    """Every spike is a crossing of the solution, decoded at most half a step off, and vice versa.

    An impulse, and the state, belong to the end of their step. Left out is what rounding decides:
    a voltage of exactly the threshold; and a state that is on the real axis, at a voltage of zero
    or less, when an impulse brings it to the other side: the current is neither below nor above
    zero then. A crossing on the border between two steps (all of a single input's, if a cycle is a
    whole number of steps) may be counted to either: it is half a step from the middle of both.
    """
    dt, neuron, raster, weights = stimulation
    output, voltage, current = run(neuron, (raster @ weights)[:, None] / dt, dt)
    rows, inputs = np.nonzero(raster)
    solution = Oscillator(neuron.frequency, neuron.tau, (rows + 1) * dt, weights[inputs])
    scale = max(1e-300, np.abs(weights).sum())

    expected = np.array([solution((k + 1) * dt) for k in range(len(raster))])
    assert np.abs(voltage[:, 0] + 1j * current[:, 0] - expected).max() < 1e-9 * scale
    peaks = np.sqrt(np.maximum(voltage * np.abs(voltage) + current**2, 0))[:, 0]

    def undecided(k):
        z = solution(k * dt, before=True)
        return abs(z.imag) < 1e-9 * scale and z.real < 1e-9 * scale

    crossings = solution.crossings(len(raster) * dt)
    spikes = np.flatnonzero(output[:, 0])
    for k in spikes:
        assert peaks[k] >= neuron.threshold * (1 - 1e-9)
        if not (undecided(k) or undecided(k + 1)):
            assert np.abs(crossings / dt - (k + 0.5)).min() <= 0.5 + 1e-5
    for place in crossings / dt:
        steps = {math.ceil(place - 1e-6) - 1, math.floor(place + 1e-6)}  # two, if on a border
        if max(steps) == len(raster) or undecided(max(steps)) or undecided(max(steps) + 1):
            continue
        heights = peaks[list(steps)] / neuron.threshold - 1
        if (heights > 1e-9).all():
            assert steps & set(spikes)
        elif (heights < -1e-9).all():
            assert not steps & set(spikes)


@pytest.mark.parametrize("frequency", [10, 7.3, 62.5])
@pytest.mark.parametrize("phase", [-1, -0.6, -0.013, 0.29, 0.9])
def test_output_phase_is_input_phase(frequency, phase):
    """One input, no drift: from the second cycle on the spike is at most a step behind."""
    dt = 0.001
    raster = phases.to_raster([phase], frequency, 10, dt)
    output, *_ = run(ResonateAndFire(frequency, threshold=0.3), raster / dt, dt)
    decoded = [phases.from_raster(x, frequency, dt, n_cycles=8)[2:] for x in (raster, output)]
    lag = phases.difference(decoded[1], decoded[0]) / (2 * dt * frequency)
    assert np.all((lag > -1e-6) & (lag < 1 + 1e-6))


def test_layers_share_one_reference():
    """Each layer adds less than a step, and never a quarter of a period."""
    dt, depth = 0.001, 5
    phase = np.linspace(-1, 1, 41)[:-1] + 0.001
    x = phases.to_raster(phase, 10, 12, dt)
    first = phases.from_raster(x, 10, dt)[-1]
    for layer in range(1, depth + 1):
        x, *_ = run(ResonateAndFire(threshold=0.3), x / dt, dt)
        x *= dt
        lag = phases.difference(phases.from_raster(x, 10, dt)[-2], first) / (2 * dt * 10)
        assert np.all((lag > -1e-6) & (lag < layer + 1e-6))


def test_two_inputs_sum_as_phasors():
    """The phase of the sum of all spikes so far: in the fourth cycle, of four and of three."""
    neuron, dt = ResonateAndFire(tau=1e6, threshold=0.5), 0.0001
    pairs = np.array([(-0.5, 0.1), (0.2, 0.4), (-0.3, 0.3), (-0.95, -0.1)])
    raster = phases.to_raster(pairs, 10, 4, dt).sum(axis=-1).T
    output, *_ = run(neuron, raster / dt, dt)
    decoded = phases.from_raster(output, 10, dt)[-1]
    expected = phases.circular_mean(pairs, axis=1, weights=[4, 3])
    assert np.abs(phases.difference(decoded, expected)).max() < 2 * 2 * dt * 10


def test_spikes_until_the_voltage_has_decayed_and_is_not_reset():
    """An impulse of w rings: peaks of w exp(-k T/tau) for k = 1, 2, ... spike if high enough."""
    w, threshold, tau, dt = 1.0, 0.11, 0.43, 0.001
    J = np.zeros((2000, 1))
    J[0] = w / dt
    output, *states = run(ResonateAndFire(10, tau, threshold), J, dt)
    n_peaks = math.floor(tau / 0.1 * math.log(w / threshold))
    assert np.count_nonzero(output) == n_peaks == 9
    deaf, *same = run(ResonateAndFire(10, tau, 1e6), J, dt)
    assert not deaf.any()
    assert_array_equal(states, same)


@pytest.mark.parametrize(("weight", "spikes"), [(0.999, 0), (1.001, 1)])
def test_threshold(weight, spikes):
    """One peak just below or above the threshold.

    Its crossing is half-way in a step; it is as high as abs(z) is at the end of that step.
    """
    dt, tau, frequency = 0.001, 0.05, 1 / 0.0995
    peak = math.exp(-0.1 / tau)
    J = np.zeros((150, 1))
    J[0] = weight / dt
    output, *_ = run(ResonateAndFire(frequency, tau, peak), J, dt)
    assert np.count_nonzero(output) == spikes


@pytest.mark.parametrize("frequency", [5, 10, 62.5, 100, 143, 180, 199.3, 220, 249.9, 250])
@pytest.mark.parametrize("turn", [0.0, 0.13, 0.5, 0.77])
def test_every_allowed_frequency_spikes_in_every_cycle(frequency, turn):
    """Without decay, whatever the angle that a step leaves at the crossing."""
    z = 1.001 * np.exp(2j * np.pi * turn)
    start = {"voltage": Choice([z.real]), "current": Choice([z.imag])}
    neuron = ResonateAndFire(frequency, tau=1e9, threshold=1, initial_state=start)
    n_steps = 1000
    output, *_ = run(neuron, np.zeros((n_steps, 1)), 0.001)
    assert abs(np.count_nonzero(output) - frequency * n_steps * 0.001) <= 1
    higher = ResonateAndFire(frequency, tau=1e9, threshold=1.002, initial_state=start)
    assert not run(higher, np.zeros((n_steps, 1)), 0.001)[0].any()


def test_negative_input_spikes_half_a_cycle_later():
    J = np.zeros((99, 2))
    J[10] = 1000, -1000
    output, *_ = run(ResonateAndFire(threshold=0.5), J, 0.001)
    assert_array_equal(np.flatnonzero(output[:, 0]), [])
    # on the border of two steps
    assert np.flatnonzero(output[:, 1]).item() in (60, 61)


@pytest.mark.parametrize("amplitude", [0.5, 1, 3])
@pytest.mark.parametrize("dt", [0.001, 0.0005])
def test_spikes_are_amplitude_over_dt(amplitude, dt):
    J = np.zeros((500, 1))
    J[3] = 1 / dt
    output, *_ = run(ResonateAndFire(20, amplitude=amplitude), J, dt)
    assert set(output.ravel()) == {0, amplitude / dt}


@pytest.mark.parametrize("neuron", resonators, ids=name)
def test_default_tau_is_five_periods(neuron):
    found = settled(ResonateAndFire(neuron.frequency))
    assert found.tau == pytest.approx(5 / found.frequency)


# --- in Nengo -------------------------------------------------------------------------------------


@pytest.mark.parametrize("neuron", [n for n in NEURONS if not n.initial_state], ids=name)
def test_simulator_steps_the_neuron(neuron):
    neuron = settled(neuron)
    J = inputs(neuron, 300)
    state = neuron.make_state(N, rng=np.random.RandomState(0), dtype=float)
    expected = {attr: np.zeros((300, *value.shape)) for attr, value in state.items()}
    expected = {"output": np.zeros_like(J), **expected}
    for k in range(len(J)):
        neuron.step(0.001, J[k], expected["output"][k], **state)
        for attr in state:
            expected[attr][k] = state[attr]
    assert expected["output"].any()
    for attr, values in zip(expected, simulate(neuron, J, expected), strict=True):
        assert_array_equal(values, expected[attr])


def test_initial_state():
    """An oscillator that starts at z = 2i is at its peak 3/4 of a cycle later."""
    state = {"voltage": Choice([0.0]), "current": Choice([2.0])}
    neuron = ResonateAndFire(10, tau=1e9, threshold=1.99, initial_state=state)
    output, voltage, _ = simulate(neuron, np.zeros(2), ["output", "voltage", "current"], 90)
    assert voltage[:, 0].max() == pytest.approx(2, rel=1e-2)
    assert np.argmax(voltage[:, 0]) + 1 == pytest.approx(75, abs=1)
    assert np.flatnonzero(output[:, 0]).item() + 1 in (75, 76)


@pytest.mark.parametrize("neuron", resonators, ids=name)
def test_fewer_than_4_steps_a_cycle(neuron):
    neuron = settled(neuron)
    highest = np.max(neuron.frequency)
    dt = 0.2501 / highest
    with pytest.raises(BuildError, match=r"steps in a cycle.* 4: use a frequency") as error:
        simulate(neuron, np.zeros(N), ["output"], 1, dt)
    for part in ("Neurons", "frequency", f"{highest:g} Hz", f"{dt:g} s"):
        assert part in str(error.value)
    simulate(neuron, np.zeros(N), ["output"], 1, 0.25 / highest)


@pytest.mark.parametrize("neuron", rateless, ids=name)
def test_has_no_rate_to_decode(neuron):
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(N, 1, neuron_type=neuron)
        nengo.Probe(ensemble)
    with pytest.raises(BuildError, match=r"has no firing rate.*`ensemble\.neurons`"):
        nengo.Simulator(net, progress_bar=False)


@pytest.mark.parametrize("neuron", rateless, ids=name)
def test_current_is_the_input(neuron):
    """Neither gains nor biases come from Nengo's tuning curves; a bias that is given counts."""
    with nengo.Network(seed=1) as net:
        plain = nengo.Ensemble(N, 2, neuron_type=neuron)
        given = {"gain": np.full(N, 2), "bias": np.arange(N)}
        biased = nengo.Ensemble(N, 2, neuron_type=neuron, **given)
    with nengo.Simulator(net, progress_bar=False) as sim:
        assert_array_equal(sim.data[plain].gain, np.ones(N))
        assert_array_equal(sim.data[plain].bias, np.zeros(N))
        assert_array_equal(sim.data[biased].gain, given["gain"])
        assert_array_equal(sim.data[biased].bias, given["bias"])


@pytest.mark.parametrize("neuron", NEURONS, ids=name)
def test_is_a_value(neuron):
    copy = pickle.loads(pickle.dumps(neuron))
    assert copy == neuron
    assert hash(copy) == hash(neuron)
    for param in neuron._params:
        with pytest.raises(ValidationError):
            setattr(neuron, param.name, getattr(neuron, param.name))


# --- phasor ---------------------------------------------------------------------------------------


@few
@given(
    st.lists(st.complex_numbers(max_magnitude=1e3), min_size=1, max_size=5), st.floats(1e-6, 0.5)
)
def test_phasor_has_length_one_or_none(z, floor):
    z = np.array(z)
    J = np.concatenate([z.real, z.imag])
    output = np.full_like(J, np.nan)
    Phasor(floor).step(0.001, J, output)
    got = phases.from_rows(output)
    heard = np.abs(z) > floor * (1 + 1e-9)
    np.testing.assert_allclose(got[heard], z[heard] / np.abs(z[heard]), rtol=1e-9)
    assert_array_equal(got[np.abs(z) < floor * (1 - 1e-9)], 0)


@pytest.mark.parametrize("n_neurons", [1, 3, 7])
def test_phasor_needs_pairs(n_neurons):
    with pytest.raises(BuildError, match=rf"Neurons.*{n_neurons} neurons.*n units needs 2n"):
        simulate(Phasor(), np.zeros(n_neurons), ["output"], 1)
    with pytest.raises(ValidationError, match=rf"Phasor\.n_neurons: {n_neurons} neurons"):
        Phasor().step(0.001, np.zeros(n_neurons), np.zeros(n_neurons))


@pytest.mark.parametrize("optimize", [True, False])
def test_parallel_phasor_layers_stay_apart(optimize):
    """Nengo's optimizer joins equal layers; the halves of two joined ones would be mixed up."""
    rng = np.random.RandomState(0)
    z = rng.normal(size=(3, N)) + 1j * rng.normal(size=(3, N))
    with nengo.Network() as net:
        probes = []
        for layer in z:
            node = nengo.Node(np.concatenate([layer.real, layer.imag]))
            ensemble = nengo.Ensemble(2 * N, 1, neuron_type=Phasor())
            nengo.Connection(node, ensemble.neurons, synapse=None)
            probes.append(nengo.Probe(ensemble.neurons))
    with nengo.Simulator(net, progress_bar=False, optimize=optimize) as sim:
        sim.run_steps(3)
    for probe, layer in zip(probes, z, strict=True):
        np.testing.assert_allclose(
            phases.from_rows(sim.data[probe]), [layer / np.abs(layer)] * 3, rtol=1e-12
        )


# --- parameters -----------------------------------------------------------------------------------


def test_all_types_are_in_the_registry():
    assert {type(neuron) for neuron in NEURONS} == set(neurons.NEURON_TYPES)
    for cls in neurons.NEURON_TYPES:
        attrs = {p.name for p in cls(**TYPES[cls].needed)._params}
        assert attrs == set(TYPES[cls].refused) | {"initial_state"}


@pytest.mark.parametrize(("cls", "needed", "attr", "value"), REFUSED)
def test_parameters_are_checked(cls, needed, attr, value):
    with pytest.raises(ValidationError) as error:
        cls(**{**needed, attr: value})
    assert str(error.value).startswith(f"{cls.__name__}.{attr}: ")
    if isinstance(value, float | int):
        assert str(value) in str(error.value) or "type" in str(error.value)

"""The rules of the fixed-point neurons, in plain Python integers beside the emulator.

Those of resonate-and-fire neurons are the rules of Lava's fixed-point process: what is converted to
a whole number is rounded towards zero, and so is each product after its shift.
"""

import math
from pathlib import Path

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from nengo_phasor import AdaptiveSpiking, ResonateAndFire

pytest.importorskip("nengo_loihi")

from nengo_phasor.loihi import fixed_point, oscillators
from tests.loihi.common import DT, loihi, spiking

N_STEPS = 10_000
N_INPUTS = 6
HIGHEST = 2**23 - 1
LOWEST = -HIGHEST


# -------------------------------------------------------------- the rules, one number at a time


def product(state: int, factor: int) -> int:
    """Shifted right by 12 bits, towards zero."""
    size = abs(state * factor) >> 12
    return size if state * factor >= 0 else -size


class Bits:
    """Clips to 24 bits, and counts."""

    def __init__(self):
        self.clipped = 0

    def __call__(self, value: int) -> int:
        self.clipped += not LOWEST <= value <= HIGHEST
        return min(max(value, LOWEST), HIGHEST)


def resonator_step(real, imag, arrived, cos, sin, threshold, bits):
    """Return spike, real and imaginary part after a step, from those before."""
    new_real = bits(product(real, cos) - product(imag, sin) + arrived)
    new_imag = bits(product(real, sin) + product(imag, cos))
    return new_real >= threshold and imag < 0 <= new_imag, new_real, new_imag


def resonator(arrivals, scale, neuron, start, bits):
    """Yield spike, real and imaginary part after each step."""
    size, angle = math.exp(-DT / neuron.tau), 2 * math.pi * neuron.frequency * DT
    cos, sin = int(size * math.cos(angle) * 4096), int(size * math.sin(angle) * 4096)
    threshold = int(neuron.threshold * scale)
    state = start
    for arrived in arrivals:
        spike, *state = resonator_step(*state, arrived, cos, sin, threshold, bits)
        yield spike, *state


def kept(tau):
    return 0 if tau is None else round(math.exp(-DT / tau) * 4096)


def adaptive(arrivals, scale, neuron, start, bits, bias, synapse):
    """Yield spike, voltage, refraction and adaptation after each step."""
    keep = 0 if synapse is None else kept(synapse.tau)
    phi, eta, gamma = kept(neuron.tau_phi), kept(neuron.tau_eta), kept(neuron.tau_gamma)
    shift = 0  # m_f is held with as many bits as fit
    while 0 < neuron.m_f * 2**shift < 0.5:
        shift += 1
    m_f, theta_0, bias = (
        round(neuron.m_f * 2**shift * 4096),
        round(neuron.theta_0 * scale),
        round(bias * scale),
    )
    state = (0, *start)
    for arrived in arrivals:
        constants = keep, bias, phi, eta, gamma, m_f, shift, theta_0
        spike, *state = adaptive_step(*state, arrived, *constants, bits)
        yield spike, *state[1:]


def adaptive_step(
    synapse, voltage, refraction, adaptation, arrived,
    keep, bias, phi, eta, gamma, m_f, shift, theta_0, bits,
):  # fmt: skip
    """Return spike, synapse, voltage, refraction and adaptation after a step."""
    synapse = bits(product(synapse, keep) + arrived)
    current = bits(synapse + bias)
    voltage = product(voltage, phi) + product(current, 4096 - phi)
    refraction = product(refraction, eta)
    threshold = theta_0 + adaptation
    spike = 2 * (voltage - refraction) > threshold
    if spike:
        refraction = bits(refraction + threshold)
        adaptation = bits(adaptation + (product(threshold, m_f) >> shift))
    return spike, synapse, voltage, refraction, product(adaptation, gamma)


# ---------------------------------------------------------------------- beside the emulator's


def started(**states):
    return {name: np.array([value]) for name, value in states.items()}


RESONATORS = {
    "5 Hz": (ResonateAndFire(5), 0.01),
    "7 Hz, short memory": (ResonateAndFire(7, tau=0.06, threshold=0.02, amplitude=2.5), 0.01),
    "10 Hz": (ResonateAndFire(10), 0.01),
    "13.7 Hz": (ResonateAndFire(13.7, threshold=0.3), 0.02),
    "20 Hz": (ResonateAndFire(20), 0.02),
    "40 Hz": (ResonateAndFire(40), 0.04),
    "100 Hz": (ResonateAndFire(100), 0.1),
    "100 Hz, long memory": (ResonateAndFire(100, tau=0.4), 0.1),
    "started": (ResonateAndFire(10, initial_state=started(voltage=-0.7, current=0.2)), 0.01),
    "clipped": (ResonateAndFire(5), 0.9),
}
"""Neurons, and the probability of a spike of an input in a step."""

STARTED = started(voltage=-0.4, refraction=0.2, adaptation=0.3)
ADAPTIVE = {
    "default": (AdaptiveSpiking(), 0.02, 0.0, nengo.Lowpass(0.05)),
    "precise": (AdaptiveSpiking(m_f=0.003), 0.02, 0.0, nengo.Lowpass(0.05)),
    "no membrane": (AdaptiveSpiking(m_f=0.45, tau_phi=None), 0.02, 0.0, nengo.Lowpass(0.02)),
    "m_f above 1": (AdaptiveSpiking(m_f=1.7, theta_0=0.1), 0.02, 0.0, nengo.Lowpass(0.05)),
    "no adaptation": (AdaptiveSpiking(m_f=0, theta_0=0.2), 0.02, 0.0, nengo.Lowpass(0.05)),
    "bias": (AdaptiveSpiking(0.2, theta_0=0.05, tau_gamma=0.1), 0.02, 0.21, nengo.Lowpass(0.03)),
    "no synapse": (AdaptiveSpiking(tau_phi=0.02, amplitude=0.1), 0.1, -0.02, None),
    "started": (AdaptiveSpiking(initial_state=STARTED), 0.02, 0.0, nengo.Lowpass(0.05)),
    "clipped": (AdaptiveSpiking(), 0.9, 0.0, nengo.Lowpass(0.2)),
}
"""Neurons, the probability of a spike of an input in a step, their bias, and their synapse."""


class Run:
    """Single neurons in one network, each with inputs of its own; all that is known of them."""

    def __init__(self, table):
        rng = np.random.RandomState(3)
        self.rasters, self.ensembles, self.probes = {}, {}, {}
        with nengo.Network(seed=0) as net:
            for key, (neuron, rate, *more) in table.items():
                bias, synapse = more or (0.0, None)
                raster = rng.rand(N_STEPS, N_INPUTS) < rate
                if key == "clipped" and isinstance(neuron, ResonateAndFire):
                    raster &= np.arange(N_STEPS)[:, None] % 200 < 100  # half of each cycle
                ensemble = nengo.Ensemble(1, 1, neuron_type=neuron, gain=[1.0], bias=[bias])
                weights = rng.normal(0.2 if key == "clipped" else 0.05, 0.1, (1, N_INPUTS))
                if isinstance(neuron, AdaptiveSpiking):  # a weight of dt adds 1 to the current
                    weights *= 0.005 if synapse is None else 0.1
                nengo.Connection(
                    spiking(raster), ensemble.neurons, transform=weights, synapse=synapse
                )
                self.rasters[key], self.ensembles[key] = raster, ensemble
                self.probes[key] = [
                    nengo.Probe(ensemble.neurons, state) for state in ("output", *neuron.state)
                ]
        self.sim = loihi(net, N_STEPS)

    def compare(self, key, neuron, rule, *more):
        """Assert that integers, spikes and the number of clipped values are the rule's."""
        (block,) = self.sim.model.objs[self.ensembles[key]]["in"]
        weights = np.concatenate(block.synapses[0].weights)
        assert weights.shape == (N_INPUTS, 1)
        assert weights.dtype == np.int32
        arrivals = [0, *(self.rasters[key] @ weights)[:-1, 0].tolist()]  # a step later
        scale = block.compartment.scale
        values = [np.ravel((neuron.initial_state or {}).get(k, 0))[0] for k in neuron.state]
        start = [round(value * scale) for value in values]
        bits = Bits()
        expected = np.array(list(rule(arrivals, scale, neuron, start, bits, *more)))
        spikes, *states = (self.sim.data[probe][:, 0] for probe in self.probes[key])
        found = [spikes > 0, *(np.rint(state * scale) for state in states)]
        assert_array_equal(np.transpose(found), expected)
        assert expected[:, 0].sum() > 20
        clipped = self.sim.compartments.clipped[self.ensembles[key].neurons]
        assert clipped == bits.clipped
        assert (clipped > 0) == (key == "clipped")
        neurons = str(self.ensembles[key].neurons)
        warned = [w for w in self.sim.warned if w.startswith(f"{neurons}: states did not fit")]
        assert len(warned) == (clipped > 0)


@pytest.fixture(scope="module")
def resonators():
    return Run(RESONATORS)


@pytest.fixture(scope="module")
def adaptives():
    return Run(ADAPTIVE)


@pytest.mark.parametrize("key", RESONATORS)
def test_resonate_and_fire(resonators, key):
    resonators.compare(key, RESONATORS[key][0], resonator)


@pytest.mark.parametrize("key", ADAPTIVE)
def test_adaptive(adaptives, key):
    neuron, _, *more = ADAPTIVE[key]
    adaptives.compare(key, neuron, adaptive, *more)


# -------------------------------------------------------------------------------- the arithmetic


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(st.integers(LOWEST, HIGHEST), min_size=1), st.integers(-8 * 4096, 8 * 4096))
def test_times(states, factor):
    result = fixed_point.times(np.array(states, np.int32), factor / 4096)
    assert result.dtype == np.int32
    assert result.tolist() == [product(state, factor) for state in states]


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1))
def test_clip(states):
    bits = Bits()
    clipped, outside = fixed_point.clip(np.array(states, np.int32))
    assert clipped.dtype == np.int32
    assert clipped.tolist() == [bits(state) for state in states]
    assert np.count_nonzero(outside) == bits.clipped


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(st.floats(-2, 2), min_size=1))
def test_factor(numbers):
    result = fixed_point.factor(numbers)
    assert (result * 4096).tolist() == [round(x * 4096) for x in numbers]


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(st.floats(-2, 2), min_size=1))
def test_truncated_factor(numbers):
    result = fixed_point.truncated_factor(numbers)
    assert (result * 4096).tolist() == [int(x * 4096) for x in numbers]


def test_borders_of_the_bits():
    states = [2**23 - 1, 2**23, -(2**23) + 1, -(2**23)]
    clipped = [2**23 - 1, 2**23 - 1, -(2**23) + 1, -(2**23) + 1]
    assert fixed_point.clip(np.array(states))[0].tolist() == clipped
    assert fixed_point.times(np.int32([-1, 1, -4097, 4097]), 4095 / 4096).tolist() == [
        0,
        0,
        -4095,
        4095,
    ]


# ------------------------------------------------------------------- thresholds met exactly

few = st.integers(-3, 3)  # so that most borders are met by chance


@settings(deadline=None, derandomize=True, max_examples=1000)
@given(*[few] * 3, st.integers(0, 4096), st.integers(-4096, 4096), st.integers(1, 3))
def test_a_step_of_a_resonator(real, imag, arrived, cos, sin, threshold):
    c = fixed_point.ResonateAndFireConstants(
        np.reshape([cos, sin], (2, 1, 1)) / 4096, np.int32([threshold])
    )
    z = np.int32([[real], [imag]])
    spiked, new, outside = fixed_point.resonate_and_fire(np.int32([arrived]), z, c)
    expected = resonator_step(real, imag, arrived, cos, sin, threshold, Bits())
    assert (spiked[0], *new[:, 0]) == expected
    assert not outside.any()


@pytest.mark.parametrize(
    ("before", "after", "spikes"),
    [
        ((0, -5), (5, 0), True),  # the threshold exactly, the zero exactly
        ((0, -4), (4, 0), False),  # less than the threshold
        ((0, 0), (5, 0), False),  # was not below zero
        ((-5, 0), (5, -5), False),  # is below zero
        ((5, -1), (5, 5), True),
    ],
)
def test_borders_of_a_resonators_spike(before, after, spikes):
    """A quarter of a turn without decay, and what arrives on top."""
    c = fixed_point.ResonateAndFireConstants(np.reshape([0.0, 1.0], (2, 1, 1)), np.int32([5]))
    arrived = after[0] + before[1]
    z = np.int32(before).reshape(2, 1)
    spiked, new, _ = fixed_point.resonate_and_fire(np.int32([arrived]), z, c)
    assert (new[0, 0], new[1, 0]) == (after[0], before[0])
    assert bool(spiked[0]) == spikes


@settings(deadline=None, derandomize=True, max_examples=1000)
@given(
    *[few] * 6,
    *[st.integers(0, 4096)] * 4,
    st.integers(0, 4096),
    st.integers(0, 3),
    st.integers(1, 3),
)
def test_a_step_of_an_adaptive_neuron(s, v, r, a, arrived, bias, keep, phi, eta, gamma, m_f, k, t):
    a = abs(a)
    factors = [x / 4096 for x in (phi, eta, gamma, m_f)]
    c = fixed_point.AdaptiveConstants(keep / 4096, np.int32([bias]), *factors, k, np.int32(t))
    states = (np.int32([x]) for x in (s, v, r, a))
    spiked, *new, outside = fixed_point.adaptive_spike(np.int32([arrived]), *states, c)
    constants = keep, bias, phi, eta, gamma, m_f, k, t
    expected = adaptive_step(s, v, r, a, arrived, *constants, Bits())
    assert [spiked[0], *np.ravel(new)] == list(expected)
    assert not outside.any()


@pytest.mark.parametrize(("voltage", "spikes"), [(5, False), (6, True)])
def test_border_of_an_adaptive_neurons_spike(voltage, spikes):
    """More than half the threshold above the refraction, zero here; the threshold is 10."""
    one, none = 4096 / 4096, np.int32([0])
    c = fixed_point.AdaptiveConstants(0.0, none, one, one, one, 0.0, 0, np.int32(10))
    spiked, *_ = fixed_point.adaptive_spike(none, none, np.int32([voltage]), none, none, c)
    assert bool(spiked[0]) == spikes


# ------------------------------------------------------------------ what the formats do to time


@pytest.mark.parametrize("tau_in_periods", [1, 5])
@pytest.mark.parametrize("frequency", [5, 10, 20, 40, 100, 250])
def test_phase_error_is_what_a_neuron_shows(frequency, tau_in_periods):
    """One spike a cycle, for as long as the neuron remembers: its phase where the spike comes."""
    neuron = ResonateAndFire(frequency, tau_in_periods / frequency)
    period = round(1 / frequency / DT)
    size = 2**16
    arrivals = [size * (step % period == 0) for step in range(40 * tau_in_periods * period + 1)]
    bits = Bits()
    *_, (_, real, imag) = resonator(arrivals, size, neuron, (0, 0), bits)
    assert bits.clipped == 0
    c = fixed_point.resonate_and_fire_constants(neuron.constants(DT), size)
    # each step rounds two products of two parts; how much of it is still there is a geometric sum
    rounding = 2 * np.sqrt(2) / (1 - np.hypot(*c.turn.ravel())) / np.hypot(real, imag)
    assert np.arctan2(imag, real) / np.pi == pytest.approx(
        oscillators.phase_error(c, period), abs=np.arcsin(rounding) / np.pi
    )
    assert abs(oscillators.phase_error(c, period)) <= oscillators.PHASE_TOLERANCE


def held(neuron):
    """Return by how much frequency and tau are off, as parts of themselves, and the phase."""
    c = fixed_point.resonate_and_fire_constants(neuron.constants(DT), 1.0)
    cos, sin = c.turn.ravel()
    return (
        math.atan2(sin, cos) / (2 * math.pi * DT) / neuron.frequency - 1,
        -DT / math.log(math.hypot(cos, sin)) / neuron.tau - 1,
        oscillators.phase_error(c, 1 / (neuron.frequency * DT)).item(),
    )


@pytest.mark.parametrize("frequency", [5, 10, 20, 40, 100])
def test_the_cost_of_truncation_is_documented(frequency):
    frequency_off, tau_off, phase = held(ResonateAndFire(frequency))
    row = f"| {frequency} Hz | {frequency_off:.2%} | {tau_off:.1%} | {phase:.3f} |"
    docs = Path(__file__).resolve().parents[2] / "docs" / "loihi.md"
    assert row.replace("%", " %").replace("-", "−") in docs.read_text()


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.floats(1, 249), st.floats(1, 20))
def test_truncation_only_slows_down(frequency, tau_in_periods):
    """Both parts become smaller, each by less than a unit: what that does to size and angle."""
    neuron = ResonateAndFire(frequency, tau_in_periods / frequency)
    c = neuron.constants(DT)
    cos, sin = fixed_point.resonate_and_fire_constants(c, 1.0).turn.ravel()
    size = math.hypot(c.cos, c.sin)
    assert size - math.sqrt(2) / 4096 < math.hypot(cos, sin) <= size
    turned = math.atan2(sin, cos) - math.atan2(c.sin, c.cos)
    assert -math.asin(1 / 4096 / size) <= turned <= math.asin(1 / 4096 / size)


def test_an_exact_rotation_has_no_phase_error():
    """A quarter of a turn that keeps a half: both factors are exact in 12 bits."""
    c = fixed_point.ResonateAndFireConstants(np.reshape([0.0, 0.5], (2, 1, 1)), 1)
    assert oscillators.phase_error(c, 4) == pytest.approx(0, abs=1e-12)
    assert oscillators.phase_error(c, 3.9) != pytest.approx(0, abs=1e-3)


def spikes_behind(frequency, size):
    """Return whether peaks of a size, in thresholds, spike, for all places between two steps."""
    c = ResonateAndFire(frequency, tau=1e3).constants(DT)
    c = fixed_point.resonate_and_fire_constants(c._replace(threshold=1.0), 2**18)
    step = complex(*c.turn.ravel())
    after = 2**18 * size * np.exp(1j * np.linspace(1e-3, np.angle(step) - 1e-3, 100))
    before = after / step
    z = np.rint([before.real, before.imag]).astype(np.int32)
    spiked, *_ = fixed_point.resonate_and_fire(
        np.zeros(100, np.int32),
        z,
        c._replace(turn=np.broadcast_to(c.turn.reshape(2, 1, 1), (2, 1, 100))),
    )
    return spiked


FEW_STEPS = {100: None, 102: None, 105: 1.27, 125: 1.41, 200: 3.24, 240: 15.9}
"""Frequencies, and from how many thresholds on spikes are sure where that is too many."""


@pytest.mark.parametrize("frequency", FEW_STEPS)
def test_few_steps_a_cycle(frequency):
    """The chip compares the step behind the peak: a warning says what may be lost by that."""
    sure = 1 / math.cos(2 * math.pi * frequency * DT)
    assert spikes_behind(frequency, 1.02 * sure).all()
    assert not spikes_behind(frequency, 0.98 * sure).all()
    with nengo.Network() as net:
        nengo.Ensemble(2, 1, neuron_type=ResonateAndFire(frequency), label="fast")
    warned = [w for w in loihi(net, 1).warned if "steps per cycle" in w]
    assert bool(warned) == (FEW_STEPS[frequency] is not None)
    for warning in warned:
        for part in ("fast", f"{1000 / frequency:.3g} steps", f"{FEW_STEPS[frequency]:.3g} thr"):
            assert part in warning
    assert not [w for w in loihi(net, 1, "simreal").warned if "steps per cycle" in w]


@pytest.mark.parametrize("tau", [0.0025, 0.015, 0.05, 0.1, 0.4])
def test_decays(tau):
    """A refractory response fades as e^(-t/tau), up to the rounding of factor and products."""
    neuron, scale = AdaptiveSpiking(tau_eta=tau), 2**20
    factor, half = math.exp(-DT / tau), 0.5 / 4096
    lost = 1 / (1 - (factor + half))  # the sum of what each product loses, less than 1
    history = adaptive([0] * 400, scale, neuron, (0, scale, 0), Bits(), 0.0, None)
    for step, (spiked, _, refraction, _) in enumerate(history, 1):
        assert not spiked
        exact = scale * factor**step
        assert exact * (1 - half / factor) ** step - lost <= refraction
        assert refraction <= exact * (1 + half / factor) ** step


@pytest.mark.parametrize("m_f", [0.0, 1e-4, 0.003, 0.1, 0.5, 0.99, 1.0, 3.0])
def test_precision_of_m_f(m_f):
    """To a 4096th of itself, however small."""
    neuron = AdaptiveSpiking(m_f=m_f, theta_0=0.1)
    c = fixed_point.adaptive_constants(neuron.constants(DT), np.zeros(1), [0.0], 2**20)
    assert c.m_f / 2**c.m_f_shift == pytest.approx(m_f, rel=1 / 4096, abs=0)
    assert c.m_f < 8

"""The rules of the fixed-point neurons, in plain Python integers beside the emulator."""

import math

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from nengo_phasor import AdaptiveSpiking, ResonateAndFire

pytest.importorskip("nengo_loihi")

from nengo_phasor.loihi import compartments, fixed_point
from tests.loihi.common import DT, loihi, spiking

N_STEPS = 10_000
N_INPUTS = 6
LOWEST, HIGHEST = -(2**23), 2**23 - 1


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


def resonator(arrivals, scale, neuron, start, bits):
    """Yield spike, real and imaginary part after each step."""
    size, angle = math.exp(-DT / neuron.tau), 2 * math.pi * neuron.frequency * DT
    cos, sin = round(size * math.cos(angle) * 4096), round(size * math.sin(angle) * 4096)
    threshold = round(neuron.threshold * scale)
    real, imag = start
    for arrived in arrivals:
        before = imag
        real, imag = (
            bits(product(real, cos) - product(imag, sin) + arrived),
            bits(product(real, sin) + product(imag, cos)),
        )
        yield real >= threshold and before < 0 <= imag, real, imag


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
    filtered = 0
    voltage, refraction, adaptation = start
    for arrived in arrivals:
        filtered = bits(product(filtered, keep) + arrived)
        current = bits(filtered + bias)
        voltage = product(voltage, phi) + product(current, 4096 - phi)
        refraction = product(refraction, eta)
        threshold = theta_0 + adaptation
        spike = 2 * (voltage - refraction) > threshold
        if spike:
            refraction = bits(refraction + threshold)
            adaptation = bits(adaptation + (product(threshold, m_f) >> shift))
        adaptation = product(adaptation, gamma)
        yield spike, voltage, refraction, adaptation


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


def test_borders_of_the_bits():
    assert fixed_point.clip(np.array([2**23 - 1, 2**23, -(2**23), -(2**23) - 1]))[0].tolist() == [
        2**23 - 1,
        2**23 - 1,
        -(2**23),
        -(2**23),
    ]
    assert fixed_point.times(np.int32([-1, 1, -4097, 4097]), 4095 / 4096).tolist() == [
        0,
        0,
        -4095,
        4095,
    ]


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
        compartments.phase_error(c, period), abs=np.arcsin(rounding) / np.pi
    )
    assert abs(compartments.phase_error(c, period)) <= compartments.PHASE_TOLERANCE


def test_an_exact_rotation_has_no_phase_error():
    """A quarter of a turn that keeps a half: both factors are exact in 12 bits."""
    c = fixed_point.ResonateAndFireConstants(np.reshape([0.0, 0.5], (2, 1, 1)), 1)
    assert compartments.phase_error(c, 4) == pytest.approx(0, abs=1e-12)
    assert compartments.phase_error(c, 3.9) != pytest.approx(0, abs=1e-3)


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

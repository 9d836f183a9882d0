import cmath
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_phasor import AdaptiveSpiking, ResonateAndFire, dynamics, phases
from nengo_phasor.surrogates import heaviside

few = settings(deadline=None, max_examples=40)

frequencies = st.floats(0.5, 100)
taus = st.floats(1e-3, 100)
dts = st.floats(1e-5, 2e-3)
numbers = st.floats(-10, 10)
periods = st.one_of(st.integers(4, 120), st.floats(4, 120))


# --- resonance ------------------------------------------------------------------------------------


@few
@given(frequencies, taus, dts, numbers, numbers, numbers)
def test_resonator_is_one_complex_number(frequency, tau, dt, voltage, current, J):
    z = cmath.exp((-1 / tau + 2j * math.pi * frequency) * dt) * complex(voltage, current) + J * dt
    step = dynamics.rotation(frequency, tau, dt)
    assert dynamics.resonate(J, voltage, current, step, dt) == pytest.approx((z.real, z.imag))


def test_steps_compose():
    """The step is exact: ten steps are one of ten times the length."""
    voltage, current = 0.3, -0.8
    step = dynamics.rotation(12.0, 0.04, 0.001)
    for _ in range(10):
        voltage, current = dynamics.resonate(0.0, voltage, current, step, 0.001)
    long_step = dynamics.rotation(12.0, 0.04, 0.01)
    assert (voltage, current) == pytest.approx(
        dynamics.resonate(0.0, 0.3, -0.8, long_step, 0.01), rel=1e-12
    )


@pytest.mark.parametrize(
    ("before", "after", "spikes"),
    [
        (0.3 - 0.1j, 0.3 + 0.1j, True),
        (0.3 - 0.1j, 0.3 + 0j, True),  # on the axis is across it
        (0.3 - 0.1j, 0.2 + 0j, True),  # at the threshold is enough
        (0.3 - 0.1j, 0.199 + 0j, False),
        (0.3 - 0.1j, 0.1201 + 0.16j, True),  # it was at the threshold where it crossed
        (0.3 - 0.1j, 0.12 + 0.159j, False),
        (0.1 - 0.1j, 0.3 + 0.1j, True),  # the new voltage counts
        (0.3 - 0j, 0.3 + 0.1j, False),  # was on it already
        (0.3 + 0.1j, 0.3 + 0.2j, False),
        (0.3 + 0.1j, 0.3 - 0.1j, False),  # downwards
        (-0.3 - 0.1j, -0.3 + 0.1j, False),
    ],
)
def test_spike_is_an_upward_crossing_at_a_voltage(before, after, spikes):
    # no time passes between the two states: only the crossing is looked at
    z = np.array([after.real, after.imag])

    def resonate(*_):
        return z[0], z[1]

    c = dynamics.ResonateAndFireConstants(1.0, 0.0, 0.01, 0.2, 100.0, 0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamics.resonance, "resonate", resonate)
        output, voltage, current = dynamics.resonate_and_fire(
            0.0, np.float64(before.real), np.float64(before.imag), c, heaviside
        )
    assert output == 100.0 * spikes
    assert (voltage, current) == (after.real, after.imag)


# --- phasors --------------------------------------------------------------------------------------


@few
@given(numbers, numbers, st.floats(1e-9, 1))
def test_unit_phasor(real, imag, floor):
    z = complex(real, imag)
    got = complex(*dynamics.unit_phasor(np, np.float64(real), np.float64(imag), floor))
    if abs(z) > floor * (1 + 1e-9):
        assert got == pytest.approx(z / abs(z))
    elif abs(z) < floor * (1 - 1e-9):
        assert got == 0


def test_length_of_the_floor_has_no_phase():
    real = np.array([0.25, np.nextafter(0.25, 1)])
    assert dynamics.unit_phasor(np, real, 0 * real, 0.25)[0].tolist() == [0, 1]


# --- the rhythm -----------------------------------------------------------------------------------


@few
@given(periods, st.integers(1, 2000))
def test_phase_of_a_step_is_that_of_its_middle(period, step):
    exact = 2 * (((step - Fraction(1, 2)) / Fraction(period)) % 1) - 1
    got = dynamics.cycle_phase(np, np.float64(step), period)
    assert -1 <= got < 1
    assert abs(phases.difference(got, float(exact))) < 3 * phases.STEP_TOLERANCE / period


@few
@given(periods, st.floats(-1, 1), st.integers(1, 20))
def test_spike_of_a_phase_is_in_the_step_that_contains_its_time(period, phase, n_cycles):
    """Against rational numbers: in step s if (c + (phase + 1)/2) period is in [s - 1, s)."""
    times = [(c + (Fraction(phase) + 1) / 2) * Fraction(period) for c in range(-1, n_cycles)]
    expected = {math.floor(t + Fraction(phases.STEP_TOLERANCE)) + 1 for t in times}
    steps = np.arange(1, math.floor(n_cycles * period) - 1)
    got = steps[dynamics.spikes_at_phase(np, phase, steps.astype(float), period)]
    assert got.tolist() == sorted(s for s in expected if steps[0] <= s <= steps[-1])


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_spike_on_the_border_of_two_steps_is_in_one(step, monkeypatch):
    """In the step that begins there. The tolerance is away, so that floats meet it exactly."""
    monkeypatch.setattr(dynamics.rhythm, "STEP_TOLERANCE", 0.0)
    steps = np.arange(1.0, 9.0)
    got = steps[dynamics.spikes_at_phase(np, (step - 1) / 2 - 1, steps, 4)]
    assert got.tolist() == [step, step + 4]


def test_missing_phase_never_spikes():
    steps = np.arange(1.0, 300.0)
    assert not dynamics.spikes_at_phase(np, np.nan, steps, 100.0).any()


@pytest.mark.parametrize("period", [4, 5, 12.5, 100, 1000 / 7, 99.9])
def test_arc_of_0_leaves_all_and_of_1_none(period):
    steps = np.arange(1.0, 1001.0)
    assert dynamics.outside_arc(np, steps, 0, period).all()
    assert not dynamics.outside_arc(np, steps, 1, period).any()


@few
@given(st.integers(4, 200), st.data())
def test_arc_is_its_fraction_of_every_cycle(period, data):
    """Also where its borders are in the middle of a step."""
    n_inside = data.draw(st.integers(0, period))
    steps = np.arange(1.0, 50 * period + 1)
    inside = ~dynamics.outside_arc(np, steps, n_inside / period, period).reshape(50, period)
    assert (inside.sum(axis=1) == n_inside).all()
    assert (inside == inside[0]).all()


@pytest.mark.parametrize("period", [4, 12.5, 100])
def test_arc_has_its_first_border_but_not_its_last(period):
    """It is [-arc, arc), met exactly here."""
    for step in np.arange(1.0, 20.0):
        phase = dynamics.cycle_phase(np, step, period)
        assert dynamics.outside_arc(np, step, abs(phase), period) == (phase > 0)


# --- the local field ------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [0, 0.1, 0.5, 0.9, 1])
def test_field_against_complex_numbers(window):
    dt, frequency, memory = 0.002, 8.0, 0.3
    rng = np.random.RandomState(0)
    activity = 300 * (rng.rand(400) < 0.06) * (np.arange(400) < 300)
    c = dynamics.field_constants(window, frequency, memory, dt)
    factor = cmath.exp((-1 / memory + 2j * math.pi * frequency) * dt)
    z, state = 0j, (0.0, 0.0)
    for a in activity:
        z *= factor
        expected = window == 1 or (z != 0 and abs(cmath.phase(z)) < math.pi * window)
        z += a * dt
        silent, *state = dynamics.rhythm_silences(np, np.float64(a), *state, c)
        assert bool(silent) == expected
        assert complex(*state) == pytest.approx(z)


def test_empty_window_silences_nothing_however_weak_the_rhythm():
    c = dynamics.field_constants(0.0, 10.0, 0.3, 0.001)
    for exponent in np.arange(-60.0, 1.0):
        for angle in np.linspace(-1, 1, 41):
            z = np.float32(10**exponent) * np.exp(1j * np.pi * angle)
            silent, *_ = dynamics.rhythm_silences(
                np, np.float32(0), np.float32(z.real), np.float32(z.imag), c
            )
            assert not silent


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("amplitude", [0.3, 1.0, 7.0])
def test_a_step_on_the_windows_border_is_silent(dtype, amplitude):
    """Behind a single spike, whose phase is j/50 after j steps of a hundredth of the period."""
    for n in range(1, 50):
        c = dynamics.field_constants(n / 50, 10.0, 0.3, 0.001)
        state, silent = (dtype(amplitude), dtype(0)), []
        for _ in range(100):
            now, *state = (dtype(x) for x in dynamics.rhythm_silences(np, dtype(0), *state, c))
            silent.append(bool(now))
        assert silent == [j <= n or j >= 100 - n for j in range(1, 101)]


def test_no_rhythm_no_silence():
    c = dynamics.field_constants(0.9, 10.0, 0.3, 0.001)
    assert not dynamics.rhythm_silences(np, np.float64(1000), 0.0, 0.0, c)[0]


# --- the assumed reference ------------------------------------------------------------------------


@few
@given(st.lists(st.integers(0, 2), min_size=12, max_size=40))
def test_every_neuron_stands_for_one_spike_between_references(spikes):
    """From after one reference to the next, whatever is heard, the sum is one spike."""
    heard, total, at_reference = 0.0, 0.0, [k % 6 == 5 for k in range(len(spikes))]
    for x, reference in zip(spikes, at_reference, strict=True):
        out, heard = dynamics.assume_reference(np, np.float64(x), heard, reference)
        total += out
        assert out == x or reference
        if reference:
            assert total == 1
            total = 0.0


# --- chance ---------------------------------------------------------------------------------------


def lowbias32(x):
    """The published hash, on Python's integers."""
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


@few
@given(*[st.integers(0, 2**32 - 1)] * 3, st.integers(0, 2**31))
def test_choice_is_a_hash_of_key_step_and_neuron(key, step, index, limit):
    value = lowbias32(lowbias32(lowbias32(key) ^ step) ^ index)
    dropped = dynamics.dropped_at_random(*(np.uint32([v]) for v in (key, step, index, limit)))
    assert dropped == (value // 2 < limit)


def choices(probability, keys=1, steps=200, neurons=200):
    limit = np.uint32([round(probability * 2**31)])
    key, step, index = np.ix_(*(np.arange(n, dtype=np.uint32) for n in (keys, steps, neurons)))
    return dynamics.dropped_at_random(key, step, index, limit)


@pytest.mark.parametrize("probability", [0.01, 0.3, 0.5, 0.9])
def test_choices_have_their_probability(probability):
    dropped = choices(probability, keys=5)
    error = math.sqrt(probability * (1 - probability) / dropped.size)
    assert abs(dropped.mean() - probability) < 4 * error


def test_chance_0_and_1_are_certain():
    assert not choices(0).any()
    assert choices(1).all()


def test_hash_is_uniform():
    """Chi-square over 256 bins of the value, through the limits; the seed is fixed by the keys."""
    limits = np.arange(1, 256, dtype=np.uint32) * np.uint32(2**23)
    key, step, index, limit = np.ix_(
        np.uint32([7]), np.arange(100, dtype=np.uint32), np.arange(256, dtype=np.uint32), limits
    )
    below = dynamics.dropped_at_random(key, step, index, limit).sum(axis=(0, 1, 2))
    counts = np.diff([0, *below, 25600])
    chi_square = np.sum((counts - 100) ** 2 / 100)
    assert 255 - 4 * math.sqrt(2 * 255) < chi_square < 255 + 4 * math.sqrt(2 * 255)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("distance", [1, 2, 16])
def test_neighbours_are_independent(axis, distance):
    """Next item, next step, next neuron: no correlation, at 4 standard errors."""
    dropped = np.moveaxis(choices(0.5, keys=40, steps=60, neurons=60), axis, 0)
    a, b = dropped[:-distance].ravel() - 0.5, dropped[distance:].ravel() - 0.5
    assert abs(np.mean(a * b) / 0.25) < 4 / math.sqrt(a.size)


def test_step_functions_change_no_argument():
    rng = np.random.RandomState(0)
    arrays = [rng.uniform(0.1, 1, size=5) for _ in range(3)]
    copies = [a.copy() for a in arrays]
    c = dynamics.ResonateAndFireConstants(
        *dynamics.rotation(10, 0.5, 0.001), 0.001, 0.1, 1000.0, 1e-6
    )
    dynamics.resonate_and_fire(*arrays, c, heaviside)
    dynamics.rhythm_silences(np, *arrays, dynamics.field_constants(0.5, 10, 0.3, 0.001))
    dynamics.unit_phasor(np, *arrays[:2], 0.1)
    dynamics.assume_reference(np, *arrays[:2], True)
    neuron = AdaptiveSpiking()
    dynamics.adaptive_spike(arrays[0], *arrays, neuron.constants(0.001), heaviside)
    dynamics.adaptive_transfer(np, arrays[0], neuron.transfer)
    dynamics.adaptive_transfer_inverse(np, arrays[0], neuron.transfer)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


# --- borders --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("early", "spikes"), [(0, True), (0.5, True), (2, False)])
def test_a_crossing_on_a_steps_border_is_before_it(early, spikes):
    """Up to rounding: so far before the border, in tolerances. It is seen once."""
    neuron = ResonateAndFire(10.0, tau=1e6, threshold=0.5)
    angle = 2 * math.pi * 0.01
    z = cmath.exp(-1j * angle * (1 + early * phases.STEP_TOLERANCE))
    voltage, current = np.float64(z.real), np.float64(z.imag)
    seen = []
    for _ in range(2):
        output, voltage, current = dynamics.resonate_and_fire(
            0.0, voltage, current, neuron.constants(0.001), heaviside
        )
        seen.append(bool(output))
    assert seen == [spikes, not spikes]


def test_leaky_rate_just_above_its_floor():
    """The closed form from the first input above 1 on, and nothing at 1 or below, without NaN."""
    tau = 0.02
    above = [1 + 2.0**-52, 1 + 1e-12, 1 + 1e-6, 1.5]
    with np.errstate(all="raise"):
        found = dynamics.leaky_rate(np, np.array([-3.0, 0.0, 1.0, *above]), tau)
    assert found[:3].tolist() == [0, 0, 0]
    assert found[3:] == pytest.approx([1 / (tau * math.log1p(1 / (x - 1))) for x in above])


def test_a_transfer_function_of_what_is_no_number():
    """NaN stays NaN, so that no diverged network has rates; minus infinity is silent."""
    c = dynamics.transfer_constants(0.1, 0.1, 0.015, 0.05, 0.05)
    with np.errstate(all="ignore"):
        current = dynamics.adaptive_transfer(np, np.array([np.nan, -np.inf, -1.0, 1.0]), c)
    assert np.isnan(current[0])
    np.testing.assert_allclose(current[1:], [0, 0, 1], atol=1e-12)


def test_a_transfer_function_begins_where_the_activation_does():
    """Where its limit at 0 is a current: with none at 0, as the neuron has no spikes there."""
    c = dynamics.transfer_constants(0.1, 0.1, 0.015, 0.05, tau_beta=0.01)
    none, least = dynamics.adaptive_transfer(np, np.array([0.0, 1e-300]), c)
    assert none == 0
    assert least > 0.2

import cmath
import itertools
import math
import tracemalloc
from fractions import Fraction

import nengo
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nengo.exceptions import ValidationError

from nengo_phasor import phases

few = settings(deadline=None, max_examples=40)
nan = math.nan

phase = st.floats(-1, 1, exclude_max=True)
shape = hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)
phase_arrays = hnp.arrays(float, shape, elements=phase)
whole_steps = st.integers(4, 120)
any_steps = st.floats(4, 120)
dts = st.floats(1e-5, 1e-2)


def distance(a, b):
    """Distance around the circle, by way of the angle between phasors."""
    return np.abs(np.angle(np.exp(1j * np.pi * (np.asarray(a) - b)))) / np.pi


def owned_steps(cycle, period, start=0):
    """Rows of a cycle by the definition: those whose middle is in it."""
    begin, end = start + cycle * period, start + (cycle + 1) * period
    return [k for k in range(math.ceil(end)) if begin <= k + Fraction(1, 2) < end]


# --- the convention -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "time"), [(-1, 2.0), (-0.5, 2.025), (0, 2.05), (0.5, 2.075), (0.99, 2.0995)]
)
def test_phase_is_a_time_in_the_cycle(phase, time):
    assert phases.to_times(phase, frequency=10, n_cycles=1, t0=2) == pytest.approx([time])
    assert phases.from_times(time, frequency=10, t0=2) == pytest.approx(phase)


@pytest.mark.parametrize(
    ("phase", "z"), [(0, 1), (0.5, 1j), (-0.5, -1j), (-1, -1), (0.25, (1 + 1j) / math.sqrt(2))]
)
def test_phase_is_a_phasor(phase, z):
    assert phases.to_complex(phase) == pytest.approx(z)
    assert phases.from_complex(7 * z) == pytest.approx(phase)


@pytest.mark.parametrize(
    ("angle", "wrapped"),
    [(1, -1), (-1, -1), (0.3, 0.3), (1.5, -0.5), (-1.5, 0.5), (3, -1), (-7.25, 0.75), (nan, nan)],
)
def test_wrap(angle, wrapped):
    np.testing.assert_allclose(phases.wrap(angle), wrapped)


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64]), shape, elements=st.floats(-99, 99, width=32)
    )
)
@few
def test_wrap_stays_in_range_and_moves_by_whole_turns(angle):
    wrapped = phases.wrap(angle)
    assert wrapped.dtype == angle.dtype
    assert np.all((wrapped >= -1) & (wrapped < 1))
    np.testing.assert_array_equal(phases.wrap(wrapped), wrapped)
    turns = (angle.astype(float) - wrapped) / 2
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("end", [-1, 1, -3, 3])
@pytest.mark.parametrize("towards", [-10, 10])
def test_wrap_next_to_the_border(dtype, end, towards):
    wrapped = phases.wrap(np.nextafter(dtype(end), dtype(towards)))
    assert -1 <= wrapped < 1
    assert distance(wrapped, 1) < 1e-6


@given(phase_arrays, phase)
@few
def test_difference_is_the_way_from_b_to_a(b, a):
    way = phases.difference(a, b)
    assert np.all((way >= -1) & (way < 1))
    np.testing.assert_allclose(distance(b + way, a), 0, atol=1e-9)


# --- complex values -------------------------------------------------------------------------------


@given(phase_arrays)
@few
def test_complex_round_trip(p):
    z = phases.to_complex(p)
    expected = [cmath.exp(1j * math.pi * value) for value in p.ravel()]
    np.testing.assert_allclose(z.ravel(), expected, atol=1e-12)
    decoded = phases.from_complex(z)
    assert np.all((decoded >= -1) & (decoded < 1))
    np.testing.assert_allclose(distance(decoded, p), 0, atol=1e-12)


def test_a_missing_spike_is_the_complex_value_0():
    np.testing.assert_array_equal(phases.to_complex([nan, 0]), [0, 1])
    np.testing.assert_array_equal(phases.from_complex([0, 1]), [nan, 0])


def test_single_precision_stays_single():
    z = phases.to_complex(np.array([0.5, nan], dtype=np.float32))
    assert z.dtype == np.complex64
    assert phases.from_complex(z).dtype == np.float32


# --- circular mean --------------------------------------------------------------------------------


@given(
    hnp.arrays(float, (3, 4, 2), elements=phase),
    hnp.arrays(float, (4, 1), elements=st.floats(0.1, 2)),
)
@few
def test_circular_mean_is_the_phase_of_the_sum(p, weights):
    mean = phases.circular_mean(p, axis=1, weights=weights)
    assert mean.shape == (3, 2)
    for i, j in itertools.product(range(3), range(2)):
        z = sum(weights[k, 0] * cmath.exp(1j * math.pi * p[i, k, j]) for k in range(4))
        if abs(z) > 1e-6:
            assert distance(mean[i, j], cmath.phase(z) / math.pi) < 1e-6


@pytest.mark.parametrize(
    ("p", "weights", "mean"),
    [
        ([0.2, 0.4], None, 0.3),
        ([0.9, -0.8], None, -0.95),  # across the border
        ([0.2, nan, 0.4], None, 0.3),
        ([0.2, nan, 0.4], [1, 5, 0], 0.2),
        ([0, 0.5], [1, math.sqrt(3)], 1 / 3),
        ([nan, nan], None, nan),
        ([0.3, -0.7], None, nan),  # opposite: no mean
        ([0.3, -0.7, -0.3, 0.7], None, nan),
        ([0.3, -0.7], [2, 1], 0.3),
        ([0, 1 / 1.5, -1 / 1.5], None, nan),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_circular_mean_analytic(p, weights, mean, dtype):
    p = np.array(p, dtype=dtype)
    weights = None if weights is None else np.array(weights, dtype=dtype)
    np.testing.assert_allclose(phases.circular_mean(p, weights=weights), mean, atol=1e-6)


def test_circular_mean_over_several_axes():
    p = np.random.default_rng(0).uniform(-1, 1, (2, 3, 4))
    both = phases.circular_mean(p, axis=(0, 2))
    np.testing.assert_allclose(both, [phases.circular_mean(p[:, k]) for k in range(3)])


# --- spike times ----------------------------------------------------------------------------------


@given(phase_arrays, st.floats(0.1, 250), st.integers(1, 5), st.floats(0, 10))
@few
def test_times_round_trip(p, frequency, n_cycles, t0):
    times = phases.to_times(p, frequency, n_cycles, t0)
    assert times.shape == (*p.shape, n_cycles)
    for index in np.ndindex(times.shape):
        *unit, cycle = index
        expected = t0 + cycle / frequency + (p[tuple(unit)] + 1) / 2 / frequency
        assert times[index] == pytest.approx(expected, abs=1e-9)
    decoded = phases.from_times(times, frequency, t0)
    assert np.all(distance(decoded, p[..., None]) < 1e-9 * frequency + 1e-9)


def test_times_of_missing_spikes():
    times = phases.to_times([nan, 0.0], frequency=10, n_cycles=2)
    np.testing.assert_allclose(times, [[nan, nan], [0.05, 0.15]])
    np.testing.assert_allclose(phases.from_times(times, 10), [[nan, nan], [0, 0]], atol=1e-12)


# --- rasters --------------------------------------------------------------------------------------


@given(phase_arrays, any_steps, dts, st.integers(1, 9))
@few
def test_a_spike_is_in_the_step_that_contains_its_time(p, steps, dt, n_cycles):
    assume(np.all(p + 2.2e-4 / steps < 1))  # up to rounding, 1 is -1: a cycle begins with it
    frequency = 1 / (steps * dt)
    raster = phases.to_raster(p, frequency, n_cycles, dt)
    assert np.all(raster.sum(axis=-2) == n_cycles)
    found = np.sort(phases.to_steps(p, frequency, n_cycles, dt), axis=-1)
    rows = np.moveaxis(raster, -1, -2)
    np.testing.assert_array_equal(
        np.nonzero(rows)[-1].reshape(found.shape), np.minimum(found, rows.shape[-1] - 1)
    )
    times = phases.to_times(p, frequency, n_cycles) / dt
    assert np.all((found <= times + 1.1e-4) & (times < found + 1 + 1e-9))


@given(phase_arrays, whole_steps, dts, st.integers(1, 6))
@few
def test_raster_round_trip_is_within_half_a_step(p, steps, dt, n_cycles):
    frequency = 1 / (steps * dt)
    raster = phases.to_raster(p, frequency, n_cycles, dt)
    *batch, n = p.shape
    assert raster.shape == (*batch, steps * n_cycles, n)
    decoded = phases.from_raster(raster, frequency, dt)
    assert decoded.shape == (*batch, n_cycles, n)
    assert np.all((decoded >= -1) & (decoded < 1))
    # half a step is 1/steps in phase; the tolerance at a step's beginning is 1e-4 steps
    off = np.abs(decoded - p[..., None, :])
    near_end = p[..., None, :] > 1 - 3e-4 / steps
    assert np.all((off <= 1.0003 / steps) | near_end)


@given(phase_arrays, any_steps, dts, st.integers(1, 9))
@few
def test_raster_round_trip_with_any_steps_per_cycle(p, steps, dt, n_cycles):
    frequency = 1 / (steps * dt)
    raster = phases.to_raster(p, frequency, n_cycles, dt)
    decoded = phases.from_raster(raster, frequency, dt)
    assert decoded.shape == (*p.shape[:-1], n_cycles, p.shape[-1])
    off = distance(decoded, p[..., None, :])
    inside = distance(p, 1) > 2 / steps
    assert np.all(off[np.broadcast_to(inside[..., None, :], off.shape)] <= 1.0003 / steps)


@given(
    st.integers(0, 2**32 - 1),
    st.fractions(4, 20, max_denominator=30),
    st.floats(0, 0.3),
    st.integers(0, 30),
)
@example(seed=255, period=Fraction(4), density=0.25, start=1)
@example(seed=0, period=Fraction(101, 6), density=0.25, start=0)
@few
def test_raster_decoding_against_a_loop(seed, period, density, start):
    """Any raster, with no, one or many spikes a cycle; a late first cycle."""
    dt, batch, n = 0.002, 2, 3
    frequency = float(1 / period) / dt
    rng = np.random.default_rng(seed)
    n_steps = start + math.floor(4 * period) + 1 + int(rng.integers(4))
    raster = (rng.uniform(size=(batch, n_steps, n)) < density) * rng.normal(size=n) / dt
    n_cycles = (n_steps - start) // period
    # a neuron that spikes in every step of a cycle is refused as no raster of spikes
    cycles = [owned_steps(cycle, period, start) for cycle in range(n_cycles)]
    assume(not any(raster[:, steps].all(axis=1).any() for steps in cycles))
    decoded = phases.from_raster(raster, frequency, dt, t0=start * dt, missing=9)

    assert decoded.shape == (batch, n_cycles, n)
    for item, cycle, unit in np.ndindex(decoded.shape):
        steps = owned_steps(cycle, period, start)
        spikes = [k for k in steps if raster[item, k, unit] != 0]
        if spikes:
            expected = 2 * ((spikes[0] + Fraction(1, 2) - start) / period - cycle) - 1
            got = decoded[item, cycle, unit]
            assert got != 9
            assert abs(phases.difference(got, float(expected))) < 1e-9, "1 is the phase that -1 is"
        else:
            assert decoded[item, cycle, unit] == 9


@pytest.mark.parametrize("frequency", [7, 10, 30, 33.3])
def test_raster_does_not_drift(frequency):
    p = np.linspace(-0.9, 0.9, 37)
    raster = phases.to_raster(p, frequency, 3000, 0.001)
    decoded = phases.from_raster(raster, frequency, 0.001)
    assert decoded.shape == (3000, 37)
    assert distance(decoded, p).max() <= 0.001 * frequency * 1.0003
    np.testing.assert_allclose(phases.circular_mean(decoded[-1000:], axis=0), p, atol=3.4e-2)


@pytest.mark.parametrize(("p", "row"), [(-1, 0), (-0.99, 0), (-0.979, 1), (0, 50), (0.99, 99)])
def test_rows_of_a_raster(p, row):
    raster = phases.to_raster([p], frequency=10, n_cycles=3, dt=0.001)
    np.testing.assert_array_equal(np.flatnonzero(raster[:, 0]), [row, row + 100, row + 200])


def test_raster_leaves_out_missing_spikes():
    p = np.array([[nan, 0.0], [0.5, nan]])
    raster = phases.to_raster(p, frequency=10, n_cycles=2, dt=0.001)
    np.testing.assert_array_equal(raster.sum(axis=1), [[0, 2], [2, 0]])
    np.testing.assert_allclose(phases.from_raster(raster, 10, 0.001), np.stack([p, p], 1) + 0.01)
    replaced = phases.from_raster(raster, 10, 0.001, missing=0.0)
    np.testing.assert_allclose(replaced[:, 0], [[0, 0.01], [0.51, 0]])


def test_from_raster_takes_the_first_spike_of_a_cycle():
    raster = np.zeros((200, 1))
    raster[[24, 49, 98, 149], 0] = 1000.0
    decoded = phases.from_raster(raster, frequency=10, dt=0.001)
    np.testing.assert_allclose(decoded[:, 0], [-0.51, -0.01])


def test_from_raster_decodes_the_cycles_asked_for():
    raster = phases.to_raster([0.3], frequency=10, n_cycles=5, dt=0.001)
    assert phases.from_raster(raster[:499], 10, 0.001).shape == (4, 1)
    assert phases.from_raster(raster, 10, 0.001, n_cycles=2).shape == (2, 1)
    # Beginning a quarter of a cycle later, the same spikes are half a unit earlier.
    late = phases.from_raster(raster, 10, 0.001, t0=0.025)
    np.testing.assert_allclose(late, np.full((4, 1), -0.19))


@pytest.mark.parametrize(("frequency", "dt"), [(10, 0.001), (7, 0.001), (40, 0.0005)])
def test_rasters_keep_nengos_time(frequency, dt):
    """Nengo's output at time t stands for the step that ends then."""
    p = [-0.6, 0.0, 0.72]
    times = phases.to_times(p, frequency, 3)

    def spikes(t):
        return np.any((times >= t - dt - 1e-9) & (times < t - 1e-9), axis=1) / dt

    with nengo.Network() as net:
        probe = nengo.Probe(nengo.Node(spikes))
    with nengo.Simulator(net, dt=dt, progress_bar=False) as sim:
        sim.run(3 / frequency + dt)
    expected = phases.to_raster(p, frequency, 3, dt)
    np.testing.assert_array_equal(sim.data[probe][: len(expected)] != 0, expected)


def test_from_raster_needs_little_memory():
    raster = np.zeros((8, 800, 256), dtype=np.float32)
    tracemalloc.start()
    phases.from_raster(raster, 10, 0.001)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < raster.nbytes / 2


# --- steps per cycle, errors ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frequency", "dt", "steps"), [(10, 0.001, 100), (7, 0.001, 1000 / 7), (250, 0.001, 4)]
)
def test_steps_per_cycle(frequency, dt, steps):
    assert phases.steps_per_cycle(frequency, dt) == pytest.approx(steps)


@given(dts)
@few
def test_four_steps_are_enough(dt):
    raster = phases.to_raster([-1, -0.5, 0, 0.5], 1 / (4 * dt), 1, dt)
    np.testing.assert_array_equal(raster, np.eye(4))


raster_3_cycles = np.zeros((300, 2))
voltages = np.tile([0, 0.1], (300, 1))


@pytest.mark.parametrize(
    ("call", "attr", "message"),
    [
        (lambda: phases.steps_per_cycle(251, 0.001), "frequency", "at most 250 Hz, or a dt of at"),
        (lambda: phases.steps_per_cycle(0, 0.001), "frequency", "positive and finite, got 0"),
        (lambda: phases.steps_per_cycle(nan, 0.001), "frequency", "got nan"),
        (lambda: phases.steps_per_cycle(10, -1), "dt", "got -1"),
        (lambda: phases.steps_per_cycle("10", 0.001), "frequency", "positive and finite, got '10'"),
        (lambda: phases.steps_per_cycle([10.0, 20.0], 0.001), "frequency", "got .10.0, 20.0."),
        (lambda: phases.to_times([0], -3, 1), "frequency", "got -3"),
        (lambda: phases.to_times([0], 3, 0), "n_cycles", "positive integer, got 0"),
        (lambda: phases.from_times([0], math.inf), "frequency", "got inf"),
        (lambda: phases.to_raster([0], 300, 1, 0.001), "frequency", "3.33 steps in a cycle"),
        (lambda: phases.to_raster([0], 10, 1.5, 0.001), "n_cycles", "got 1.5"),
        (lambda: phases.from_raster(raster_3_cycles, 300, 0.001), "frequency", "needs 4"),
        (lambda: phases.from_raster(raster_3_cycles, 10, 0.001, n_cycles=0), "n_cycles", "got 0"),
        (lambda: phases.from_raster(raster_3_cycles, 10, 0.001, 4), "raster", "300 steps, but 4"),
        (lambda: phases.from_raster(raster_3_cycles, 10, 0.001, 3, 0.01), "raster", "at step 310"),
        (lambda: phases.from_raster(raster_3_cycles[:99], 10, 0.001), "raster", "run for longer"),
        (lambda: phases.from_raster(raster_3_cycles, 10, 0.001, t0=-0.1), "t0", "got -0.1"),
        (lambda: phases.from_raster(np.zeros(300), 10, 0.001), "raster", r"got \(300,\)"),
        (lambda: phases.from_raster(voltages, 10, 0.001), "raster", "Probe `ensemble.neurons`"),
        (lambda: phases.to_raster(0.5, 10, 1, 0.001), "phase", "a list of length one"),
        (lambda: phases.from_rows(np.zeros((2, 3))), "rows", r"\(2, 3\).*as to_rows does"),
    ],
)
def test_errors_name_the_value_and_the_remedy(call, attr, message):
    with pytest.raises(ValidationError, match=message) as error:
        call()
    assert error.value.attr == attr


# --- borders of steps, up to rounding -------------------------------------------------------------


def test_4_steps_a_cycle_up_to_rounding():
    assert phases.steps_per_cycle(250 * (1 + 1e-5), 0.001) == pytest.approx(4, rel=1e-4)
    with pytest.raises(ValidationError, match="at most 250 Hz"):
        phases.steps_per_cycle(250 * (1 + 1e-4), 0.001)


@pytest.mark.parametrize(("early", "step"), [(0, 3), (0.5, 3), (2, 2)])
def test_a_spike_just_before_a_step_is_in_it(early, step):
    """So far before its border, in tolerances: 3 of 100 steps are phase -0.94."""
    phase = 2 * (3 - early * phases.STEP_TOLERANCE) / 100 - 1
    assert phases.to_steps([phase], 10, 1, 0.001).tolist() == [[step]]


@pytest.mark.parametrize(("late", "cycle"), [(0, 1), (0.5, 1), (2, 0)])
def test_a_cycle_that_begins_just_behind_the_middle_of_a_step_owns_it(late, cycle):
    """The middle of row 4 is where the second cycle of 4.5 steps begins, but for so much."""
    period = 4.5 + late * phases.STEP_TOLERANCE
    raster = np.arange(10)[:, None] == 4
    decoded = phases.from_raster(raster, 1 / (period * 0.001), 0.001, n_cycles=2)
    assert np.flatnonzero(~np.isnan(decoded[:, 0])).tolist() == [cycle]

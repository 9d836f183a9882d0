from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError
from numpy.testing import assert_array_equal

from nengo_phasor import (
    ArcSparsifier,
    FieldSparsifier,
    RandomSparsifier,
    ReactiveSparsifier,
    phases,
    synapses,
)
from tests.registry import N, name
from tests.relays import DT, simulate

few = settings(deadline=None, max_examples=40)


strengths = {
    ArcSparsifier: lambda s, **kwargs: ArcSparsifier(s, **kwargs),
    FieldSparsifier: lambda s, **kwargs: FieldSparsifier(s, **kwargs),
    RandomSparsifier: lambda s, **kwargs: RandomSparsifier(s, seed=3),
}
all_sparsifiers = pytest.mark.parametrize(
    "make", strengths.values(), ids=[c.__name__ for c in strengths]
)


def rhythm(frequency, n_steps=2000, n=50, centre=0.2, width=0.25, seed=0, dt=DT):
    """A raster of neurons whose phases are bunched around a centre."""
    phase = np.random.RandomState(seed).normal(centre, width, n)
    n_cycles = int(np.ceil(n_steps * dt * frequency))
    return phases.to_raster(phase, frequency, n_cycles, dt)[:n_steps].astype(float)


# --- sparsifiers ----------------------------------------------------------------------------------


@all_sparsifiers
@pytest.mark.parametrize("frequency", [10, 7, 80])  # 80 Hz: a step's middle is on the border
def test_0_removes_nothing_and_1_everything(make, frequency):
    raster = rhythm(frequency, 1000) + rhythm(3.3, 1000, width=2)
    raster[400:900] = 0  # a long silence
    assert_array_equal(make(0, frequency=frequency).filt(raster, dt=DT), raster)
    assert not make(1, frequency=frequency).filt(raster, dt=DT).any()


@all_sparsifiers
def test_stronger_removes_more(make):
    """What a weaker one leaves out, a stronger one leaves out, too."""
    raster = rhythm(10, 1000, width=0.6)
    kept = [make(s).filt(raster, dt=DT) > 0 for s in np.linspace(0, 1, 11)]
    counts = [np.count_nonzero(x) for x in kept]
    for weak, strong in pairwise(kept):
        assert not np.any(strong & ~weak)
    assert counts[0] > counts[3] > counts[6] > counts[9] > counts[10] == 0


@pytest.mark.parametrize("strength", [0.05, 0.3, 0.5, 0.75])
@pytest.mark.parametrize("frequency", [10, 7])
def test_strength_is_the_fraction_of_uniform_phases(strength, frequency):
    phase = np.random.RandomState(0).uniform(-1, 1, 2000)
    raster = phases.to_raster(phase, frequency, 4, DT)
    error = 4 * np.sqrt(strength * (1 - strength) / 2000)
    for sparsifier in (
        ArcSparsifier(strength, frequency),
        RandomSparsifier(strength, seed=1),
    ):
        removed = 1 - sparsifier.filt(raster, dt=DT).sum() / raster.sum()
        assert abs(removed - strength) < error


@settings(few, max_examples=20)
@given(
    st.floats(0, 1),
    st.floats(4, 50),
    st.lists(st.floats(-1, 0.999), min_size=1, max_size=20),
)
def test_arc_against_decoded_phases(arc, period, phase):
    """A spike is left out if the phase that it is decoded to is in [-arc, arc)."""
    dt = 1 / (10 * period)
    raster = phases.to_raster(np.array(phase), 10, 5, dt)
    got = ArcSparsifier(arc).filt(raster, dt=dt)
    for row, column in zip(*np.nonzero(raster), strict=True):
        alone = np.zeros_like(raster[:, :1])
        alone[row] = True
        cycle = int((row + 0.5) / period + 1e-9)
        begin = max(0, cycle - 1) / 10
        try:
            decoded = phases.from_raster(alone, 10, dt, t0=begin)
        except ValidationError:
            continue  # in the last cycle, which the raster ends within
        decoded = decoded[~np.isnan(decoded)]
        for p in decoded:
            if min(abs(p + arc), abs(p - arc)) > 1e-6:
                assert (got[row, column] == 0) == (-arc <= p < arc)


def field_by_hand(raster, window, frequency, dt):
    """The rule of the paper's section 2.2.2, causally, with angles and one spike at a time.

    A leaky oscillator that every spike kicks remembers the rhythm. It is at phase 0 when most
    spikes come, so the field, which integrates them, rises steepest then.
    """
    kept = np.zeros_like(raster)
    decay, turn = np.exp(-dt * frequency / 3), np.exp(2j * np.pi * frequency * dt)
    z = 0
    for k, row in enumerate(raster):
        z *= decay * turn
        silent = window == 1 or (z != 0 and abs(np.angle(z)) < np.pi * window)
        for j, x in enumerate(row):
            kept[k, j] = 0 if silent else x
            z += x / len(row) * dt
    return kept


@pytest.mark.parametrize("window", [0, 0.02, 0.2, 0.5, 0.8, 1])
@pytest.mark.parametrize(("frequency", "dt"), [(10, 0.001), (7, 0.002), (60, 0.004)])
def test_field_against_a_loop(window, frequency, dt):
    raster = rhythm(1.02 * frequency, 500, n=7, dt=dt) * (
        np.random.RandomState(1).rand(500, 7) < 0.8
    )
    raster *= 1 / dt
    got = FieldSparsifier(window, frequency).filt(raster, dt=dt)
    assert_array_equal(got, field_by_hand(raster, window, frequency, dt))


@pytest.mark.parametrize("window", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("centre", [-0.9, -0.4, 0, 0.7])
def test_field_silences_a_window_around_the_rhythm(window, centre):
    """In the steady state: as many steps as the window has, centred on the bunch, wherever."""
    raster = rhythm(10, 3000, centre=centre, width=0.1)
    witness = np.full((3000, 1), 1e-12)  # in every step, too weak to make a rhythm
    heard = FieldSparsifier(window).filt(np.hstack([raster, witness]), dt=DT)[2900:, -1] > 0
    silent = ~heard
    assert silent.sum() == pytest.approx(100 * window, abs=1)
    middle = phases.circular_mean((np.flatnonzero(silent) + 0.5) / 50 - 1)
    bunch = phases.circular_mean(phases.from_raster(raster[:100], 10, DT))
    assert abs(phases.difference(middle, bunch)) < 0.03


@settings(few, max_examples=10)
@given(st.integers(50, 399), st.integers(0, 2**31))
def test_field_is_causal(now, seed):
    """Another future changes neither the past nor the decision about the present."""
    rng = np.random.RandomState(seed)
    raster = rhythm(10, 400, n=8)
    other = raster.copy()
    other[now:] = rng.rand(400 - now, 8) < rng.rand()
    raster[now, 0] = other[now, 0] = 1
    a, b = (FieldSparsifier(0.4).filt(x, dt=DT) for x in (raster, other))
    assert_array_equal(a[:now], b[:now])
    assert a[now, 0] == b[now, 0]


def test_field_works_for_one_network_alone():
    """Items of a batch have their own rhythm: each is treated as if it were alone."""
    rasters = np.stack([rhythm(10, 600, centre=c, seed=i) for i, c in enumerate([-0.8, 0.1, 0.6])])
    synapse = FieldSparsifier(0.3)
    c = synapse.constants(DT, np.arange(50), np.arange(3)[:, None])
    state = [np.zeros((3, 1)), np.zeros((3, 1))]
    for k in range(600):
        tick = synapses.Tick(np.float64(k + 1), np.uint32([k + 1]))
        out, *state = synapse.advance(np, tick, rasters[:, k], c, *state)
        rasters[:, k] = np.where(rasters[:, k] > 0, 1 + out, 0)  # 1 is left out, 2 is not
    for i, centre in enumerate([-0.8, 0.1, 0.6]):
        alone = rhythm(10, 600, centre=centre, seed=i)
        assert_array_equal(rasters[i] == 2, synapse.filt(alone, dt=DT) == 1)
        assert 0 < np.mean(rasters[i][rasters[i] > 0] == 1) < 1


def test_field_of_one_neuron():
    raster = rhythm(10, 1000, n=1)
    kept = FieldSparsifier(0.1).filt(raster, dt=DT)
    assert kept.sum() == 1  # the first, before there is a rhythm


# --- at random ------------------------------------------------------------------------------------


def test_random_depends_on_neuron_step_and_seed_only():
    """Not on which other spikes there are, nor on the order in which it is asked."""
    synapse, rng = RandomSparsifier(0.5, seed=9), np.random.RandomState(0)
    full = synapse.filt(np.ones((200, 30)), dt=DT)
    raster = (rng.rand(200, 30) < 0.3).astype(float)
    assert_array_equal(synapse.filt(raster, dt=DT), raster * full)
    steps, neurons = np.nonzero(raster)
    order = rng.permutation(len(steps))
    steps, neurons = steps[order], neurons[order]
    tick = synapses.Tick(steps + 1.0, (steps + 1).astype(np.uint32))
    c = synapse.constants(DT, neurons, np.zeros_like(neurons))
    (values,) = synapse.advance(np, tick, np.ones(len(steps)), c)
    assert_array_equal(values, full[steps, neurons])


def overlap(a, b):
    """Whether the choices of a and b, at a probability of 1/2, agree by more than chance."""
    return abs(np.mean((a > 0) == (b > 0)) - 0.5) > 4 * 0.5 / np.sqrt(a.size)


def test_random_seeds():
    ones = np.ones((100, 40))
    a, b, c = (RandomSparsifier(0.5, seed=seed).filt(ones, dt=DT) for seed in (1, 1, 2))
    assert_array_equal(a, b)
    assert not overlap(a, c)


def test_random_seed_comes_from_the_network():
    ones = np.ones((100, 40))
    synapse = RandomSparsifier(0.5)
    first, again, other = (simulate(ones, synapse, seed, 2) for seed in (1, 1, 2))
    assert_array_equal(first, again)
    assert not overlap(first[0], first[1])  # two layers
    assert not overlap(first[0], other[0])
    assert not overlap(first[0], other[1])
    (single,) = simulate(ones, synapse, 1)
    assert_array_equal(single, first[0])  # a later layer does not change an earlier one
    for optimize in (True, False):
        assert_array_equal(simulate(ones, synapse, 1, 2, optimize=optimize), first)


def test_random_with_a_seed_of_its_own():
    ones = np.ones((50, 20))
    a, b = simulate(ones, RandomSparsifier(0.5, seed=4), 1, 2)
    assert_array_equal(a, b)
    assert_array_equal(a, simulate(ones, RandomSparsifier(0.5, seed=4), 99)[0])


def test_random_items_differ():
    synapse = RandomSparsifier(0.5, seed=0)
    c = synapse.constants(DT, np.arange(2000), np.arange(3)[:, None])
    tick = synapses.Tick(np.float64(1), np.uint32([1]))
    (kept,) = synapse.advance(np, tick, np.ones((3, 2000)), c)
    assert not overlap(kept[0], kept[1])
    assert not overlap(kept[0], kept[2])
    assert not overlap(kept[1], kept[2])


# --- what is left out ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize(
    "synapse", [ArcSparsifier(1), FieldSparsifier(1), RandomSparsifier(1, seed=0)], ids=name
)
def test_what_is_left_out_leaves_nothing_behind(synapse, value):
    """Zero times infinity is no number."""
    assert_array_equal(synapse.filt(np.full((50, N), value), dt=DT), np.zeros((50, N)))


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_the_field_outlives_what_is_no_spike(value):
    """Other steps are as if none of the layer had spiked in that one."""
    raster = rhythm(10, 600)
    raster[250] = 0
    expected = FieldSparsifier(0.3).filt(raster, dt=DT)
    raster[250, 0] = value
    found = FieldSparsifier(0.3).filt(raster, dt=DT)
    assert_array_equal(np.delete(found, 250, axis=0), np.delete(expected, 250, axis=0))
    assert np.count_nonzero(expected[251:]) < np.count_nonzero(raster[251:])


def test_masks_of_seeds_and_items_are_independent():
    """Each of 15 x 15 seeds and items has its own choices, as often equal to another's as chance.

    Seeds may be next to each other, or those that layers get.
    """
    seeds = [*range(12), 2**31 - 1, 123456, 123457]
    neurons, items = np.arange(400), np.arange(15)[:, None]
    masks = []
    for seed in seeds:
        sparsifier = RandomSparsifier(0.5, seed=seed)
        (output,) = sparsifier.advance(
            np,
            synapses.Tick(7.0, np.uint32([7])),
            np.ones((15, 400)),
            sparsifier.constants(DT, neurons, items),
        )
        masks.extend(2 * output - 1)
    masks = np.array(masks)
    agreement = (masks @ masks.T / 400)[np.triu_indices(len(masks), 1)]
    assert np.abs(agreement).max() < 6 / np.sqrt(400)  # 25,200 pairs: 6 standard deviations
    assert abs(agreement.std() * np.sqrt(400) - 1) < 0.05


def test_another_seed_of_the_same_class():
    class Mine(RandomSparsifier):
        pass

    mine = Mine(0.3, seed=1)
    assert "seed=1" in repr(mine)
    other = mine.with_seed(2)
    assert type(other) is Mine
    assert (other.probability, other.seed) == (0.3, 2)
    assert "seed=2" in repr(other)
    assert mine.seed == 1


def test_a_subclass_of_a_random_sparsifier_stays_one():
    """Nengo's builder gives it a seed, not another class."""

    class Keeps(RandomSparsifier):
        def advance(self, xp, tick, x, c):
            return (x,)

    raster = rhythm(10, 200)
    assert_array_equal(simulate(raster, Keeps(1))[0], raster)


@pytest.mark.parametrize("strength", [0, 0.8, 0.95, 1])
@pytest.mark.parametrize("tau", [0.005, 0.03])
def test_reactive_inhibition(strength, tau):
    """Against a loop over steps: how many spiked of late, each weighted by its age."""
    n, dt = 40, 0.001
    raster = phases.to_raster(np.random.RandomState(0).normal(0, 0.2, n), 10, 5, dt)
    sent = np.zeros_like(raster)
    for k in range(len(raster)):
        ages = dt * np.arange(k - 1, -1, -1)
        excited = np.exp(-ages / tau) @ sent[:k].mean(axis=1)
        sent[k] = raster[k] if excited <= 1 - strength and strength < 1 else 0
    found = ReactiveSparsifier(strength, tau, amplitude=2.0).filt(2 * raster / dt, dt=dt)
    assert_array_equal(found * dt / 2, sent)
    removed = 1 - sent.sum() / raster.sum()
    assert {0: removed == 0, 1: removed == 1}.get(strength, 0.05 < removed < 1)

import pickle
from itertools import pairwise

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_array_equal

from nengo_phasor import (
    ArcSparsifier,
    AssumeReference,
    FieldSparsifier,
    PhaseEncoder,
    RandomSparsifier,
    ResonateAndFire,
    phases,
    synapses,
)
from tests.registry import SYNAPSES, TYPES, N, inputs, name

few = settings(deadline=None, max_examples=40)
DT = 0.001

sparsifiers = [s for s in SYNAPSES if not isinstance(s, AssumeReference | PhaseEncoder)]
all_synapses = pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
strengths = {
    ArcSparsifier: lambda s, **kwargs: ArcSparsifier(s, **kwargs),
    FieldSparsifier: lambda s, **kwargs: FieldSparsifier(s, **kwargs),
    RandomSparsifier: lambda s, **kwargs: RandomSparsifier(s, seed=3),
}
all_sparsifiers = pytest.mark.parametrize(
    "make", strengths.values(), ids=[c.__name__ for c in strengths]
)


def simulate(series, synapse, seed=0, n_layers=1, **kwargs):
    """The probed relays behind as many synapses, one for each layer, that get the same series."""
    with nengo.Network(seed=seed) as net:
        node = nengo.Node(nengo.processes.PresentInput(series, DT))
        probes = []
        for _ in range(n_layers):
            relay = nengo.Node(size_in=series.shape[1])
            nengo.Connection(node, relay, synapse=synapse)
            probes.append(nengo.Probe(relay))
    with nengo.Simulator(net, progress_bar=False, **kwargs) as sim:
        sim.run_steps(len(series))
    return [sim.data[probe] for probe in probes]


def rhythm(frequency, n_steps=2000, n=50, centre=0.2, width=0.25, seed=0, dt=DT):
    """A raster of neurons whose phases are bunched around a centre."""
    phase = np.random.RandomState(seed).normal(centre, width, n)
    n_cycles = int(np.ceil(n_steps * dt * frequency))
    return phases.to_raster(phase, frequency, n_cycles, dt)[:n_steps].astype(float)


# --- own synapses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "found"),
    [(lambda x: x, "no tuple"), (lambda x: (x,), "1 values"), (lambda x: (x, x, x), "3 values")],
)
def test_advance_returns_the_output_and_the_states(wrong, found):
    """An array alone was taken apart: its first value for the output, its second for the state."""

    class Wrong(synapses.SpikeSynapse):
        state_shapes = {"seen": "neuron"}  # noqa: RUF012

        def constants(self, dt, neurons, items):
            return ()

        def advance(self, xp, tick, x, c, seen):
            return wrong(x)

    with pytest.raises(ValidationError, match=rf"Wrong\.advance: must .* 1 new states.*{found}"):
        simulate(np.ones((3, 2)), Wrong())


def test_states_are_one_a_neuron_or_one_in_all():
    with pytest.raises(ValidationError, match=r"Own\.state_shapes: .* got 'neurons' for 'seen'"):

        class Own(synapses.SpikeSynapse):
            state_shapes = {"seen": "neurons"}  # noqa: RUF012


# --- all synapses ---------------------------------------------------------------------------------


def test_all_types_are_in_the_registry():
    assert {type(synapse) for synapse in SYNAPSES} == set(synapses.SYNAPSES)
    for cls in synapses.SYNAPSES:
        entry = TYPES[cls]
        own = {p.name for p in cls(**entry.needed)._params}
        inherited = {p.name for p in nengo.synapses.Synapse()._params}
        assert own - inherited == set(entry.refused) - {"seed"}


@all_synapses
def test_no_delay(synapse):
    """What goes in with a step comes out with it: the relay equals the filtered series."""
    series = inputs(synapse, 400)
    if isinstance(synapse, RandomSparsifier) and synapse.seed is None:
        synapse = RandomSparsifier(synapse.probability, seed=5)
    (got,) = simulate(series, synapse)
    assert got.any()
    assert_array_equal(got, synapse.filt(series, dt=DT))
    if type(synapse) in strengths:
        assert np.all((got == 0) | (got == series))
        assert np.count_nonzero(got) < np.count_nonzero(series)


@all_synapses
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_filt_along_an_axis(synapse, axis):
    x = inputs(synapse, 200).reshape(200, 2, N // 2)
    expected = synapse.filt(x.reshape(200, N), dt=DT).reshape(200, 2, N // 2)
    given = np.moveaxis(x, 0, axis)
    copy = given.copy()
    got = synapse.filt(given, dt=DT, axis=axis)
    assert_array_equal(np.moveaxis(got, axis, 0), expected)
    assert_array_equal(given, copy)


def test_filt_of_one_train_and_other_types():
    raster = phases.to_raster([0.0, 0.5], 10, 3, DT)
    for x in (raster[:, 1], raster[:, 1].astype(int), raster[:, 1].tolist()):
        got = ArcSparsifier(0.4).filt(x, dt=DT)
        assert_array_equal(got, raster[:, 1])
    assert not ArcSparsifier(0.4).filt(raster[:, 0], dt=DT).any()


@all_synapses
@pytest.mark.parametrize("wrong", [{"filtfilt": True}, {"y0": 0.5}])
def test_filt_refuses(synapse, wrong):
    with pytest.raises(ValidationError, match=r"filt.*no backward pass and starts from rest"):
        synapse.filt(np.zeros((5, N)), dt=DT, **wrong)


@pytest.mark.parametrize("synapse", [s for s in SYNAPSES if hasattr(s, "frequency")], ids=name)
def test_fewer_than_4_steps_a_cycle(synapse):
    dt = 0.2501 / synapse.frequency
    with nengo.Network() as net:
        relay = nengo.Node(size_in=2)
        nengo.Connection(nengo.Node([0.0, 0.0]), relay, synapse=synapse)
    with pytest.raises(BuildError, match=r"steps in a cycle.* 4: use a frequency") as error:
        nengo.Simulator(net, dt=dt, progress_bar=False)
    for part in (type(synapse).__name__, f"{synapse.frequency:g} Hz", f"{dt:g} s"):
        assert part in str(error.value)
    nengo.Simulator(net, dt=0.25 / synapse.frequency, progress_bar=False).close()


@all_synapses
def test_loop_without_delay(synapse):
    """Nengo refuses it; with a filter somewhere in the loop it runs."""

    def build(other):
        with nengo.Network() as net:
            ensemble = nengo.Ensemble(2, 1, neuron_type=ResonateAndFire(), label="ring")
            relay = nengo.Node(size_in=2)
            nengo.Connection(ensemble.neurons, relay, synapse=synapse)
            nengo.Connection(relay, ensemble.neurons, synapse=other)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(3)

    with pytest.raises(BuildError, match="cycle"):
        build(None)
    build(0)


@all_synapses
def test_is_a_value(synapse):
    copy = pickle.loads(pickle.dumps(synapse))
    assert copy == synapse
    assert hash(copy) == hash(synapse)


def test_a_run_can_go_on():
    """States live in the simulator: two short runs are one long."""
    for synapse in SYNAPSES:
        series = inputs(synapse, 300)
        with nengo.Network(seed=0) as net:
            node = nengo.Node(nengo.processes.PresentInput(series, DT))
            relay = nengo.Node(size_in=N)
            nengo.Connection(node, relay, synapse=synapse)
            probe = nengo.Probe(relay)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(300)
            whole = sim.data[probe].copy()
            sim.reset()
            sim.run_steps(123)
            sim.run_steps(177)
            assert_array_equal(sim.data[probe], whole)


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


# --- the receiver ---------------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", [10, 7])
def test_assumed_spikes_equal_real_ones(frequency):
    """From the second cycle on: just as if the silent neurons had spiked at the reference."""
    phase = np.random.RandomState(0).uniform(-1, 0.99, 60)
    missing = np.where(np.arange(60) % 3 == 0, np.nan, phase)
    amplitude = 2.5
    heard, real = (
        phases.to_raster(p, frequency, 6, DT) * amplitude / DT
        for p in (missing, np.where(np.isnan(missing), 0, missing))
    )
    got = AssumeReference(frequency, amplitude).filt(heard, dt=DT)
    start = int(1 / frequency / DT) + 1
    np.testing.assert_allclose(got[start:], real[start:], atol=1e-9)
    # in the first, those of a later phase are not known of yet
    early = np.isnan(missing) | (missing <= 0)
    np.testing.assert_allclose(got[:, early], real[:, early], atol=1e-9)


@pytest.mark.parametrize("cycle", [2, 7])
def test_steady_state_drive_of_assumed_spikes(cycle):
    """A receiver's phase is that of sum_k W_k exp(i pi p_k), missing ones at p = 0."""
    rng = np.random.RandomState(1)
    phase, n_cycles, dt = rng.uniform(-1, 0.99, 40), 9, 0.0005
    missing = np.where(rng.rand(40) < 0.4, np.nan, phase)
    weights = rng.normal(0, 0.3, (15, 40)) + 0.1
    neuron = ResonateAndFire(10, tau=1e5, threshold=1e-3)
    outputs = []
    for p, synapse in ((missing, AssumeReference()), (np.nan_to_num(missing), None)):
        spikes = phases.to_raster(p, 10, n_cycles, dt) / dt
        with nengo.Network() as net:
            sent = nengo.Node(nengo.processes.PresentInput(spikes, dt))
            received = nengo.Node(size_in=40)
            ensemble = nengo.Ensemble(15, 1, neuron_type=neuron)
            nengo.Connection(sent, received, synapse=synapse)
            nengo.Connection(received, ensemble.neurons, transform=weights, synapse=None)
            states = [nengo.Probe(ensemble.neurons, s) for s in ("voltage", "current")]
        with nengo.Simulator(net, dt=dt, progress_bar=False) as sim:
            sim.run(n_cycles / 10)
        z = sim.data[states[0]] + 1j * sim.data[states[1]]
        steps = round(0.1 / dt)
        ends = z[steps - 1 :: steps]
        outputs.append(np.diff(ends, axis=0)[cycle - 1])
    assumed, real = outputs
    np.testing.assert_allclose(assumed, real, rtol=1e-3)
    # seen at the end of a cycle: a spike at p has turned by the rest of the cycle, -(p + 1) pi
    expected = np.conj(-weights @ np.exp(1j * np.pi * np.nan_to_num(missing)))
    assert np.abs(assumed - expected).max() < 2 * np.pi * 10 * dt * np.abs(weights).sum(1).max()


# --- the encoder ----------------------------------------------------------------------------------


@few
@given(
    st.one_of(st.integers(4, 80), st.floats(4, 80)),
    st.lists(
        st.one_of(st.floats(-1, 1), st.floats(-5, 5), st.just(np.nan)), min_size=1, max_size=9
    ),
)
def test_encoder_makes_the_raster(period, phase):
    dt = 1 / (10 * period)
    raster = phases.to_raster(phase, 10, 5, dt)[:-1]
    series = np.repeat([phase], len(raster), axis=0)
    assert_array_equal(PhaseEncoder(10, amplitude=3).filt(series, dt=dt), raster * 3 / dt)


def test_encoder_follows_its_input():
    """Each step goes by the phase of that step."""
    series = np.where(np.arange(300)[:, None] < 150, -0.5, 0.5)
    got = PhaseEncoder().filt(series, dt=DT)[:, 0]
    assert np.flatnonzero(got).tolist() == [25, 125, 175, 275]


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

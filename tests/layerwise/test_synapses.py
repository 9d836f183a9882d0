"""Synapses of any kind."""

import nengo
import numpy as np
import pytest
from nengo.processes import PresentInput
from nengo.synapses import Synapse
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    ArcSparsifier,
    AssumeReference,
    DifferenceSparsifier,
    FieldSparsifier,
    PhaseEncoder,
    RandomSparsifier,
    RhythmSparsifier,
    layerwise,
    phases,
)
from nengo_phasor.layerwise import synapses
from nengo_phasor.layerwise.signal import Signal
from nengo_phasor.synapses import SpikeSynapse, mean_over_neurons
from tests.layerwise.common import (
    DT,
    assert_same_as_nengo,
    batch,
    built,
    connect,
    layer,
    reference,
    source,
    span_of,
)
from tests.registry import SYNAPSES, N, inputs, name


@pytest.mark.parametrize(
    "synapse",
    [
        *SYNAPSES,
        nengo.Lowpass(0.01),
        nengo.Lowpass(0),
        nengo.Alpha(0.03),
        nengo.LinearFilter([0.5, 1], [0.001, 0.1, 1]),
    ],
    ids=name,
)
def test_synapses(synapse):
    """Behind a changing input, behind spikes that repeat, and behind a layer's spikes."""

    def build():
        changing = nengo.Node(PresentInput(inputs(synapse, 400), DT))
        spikes = source()
        first = layer(spikes)
        relays = [connect(x, nengo.Node(size_in=N), synapse=synapse) for x in (changing, spikes)]
        relays.append(connect(first, nengo.Node(size_in=N), synapse=synapse))
        return [*relays, layer(relays[1], seed=1), layer(relays[2], seed=2)]

    assert_same_as_nengo(build)


# --- of any kind ----------------------------------------------------------------------------------


class Echo(Synapse):
    """A user's synapse, as Nengo's documentation has it: what came five steps ago, and noise."""

    def make_state(self, shape_in, shape_out, dt, dtype=None, y0=0):
        return {"past": np.zeros((5, *shape_out)), "k": 0}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        past, k = state["past"], state["k"]

        def step(t, x):
            assert x.shape == shape_in == (N,)
            out = past[k % 5] + rng.normal(0, 1e-3, N) + t
            past[k % 5] = x
            x[...] = np.nan  # its own copy
            k[...] += 1
            return out

        return step


class Rectifying(nengo.Lowpass):
    """One of Nengo's with a step of its own."""

    def make_step(self, shape_in, shape_out, dt, rng, state):
        step = super().make_step(shape_in, shape_out, dt, rng, state)
        return lambda t, x: step(t, np.maximum(x, 0))


class Slower(nengo.Alpha):
    """One of Nengo's with other coefficients."""

    def _get_ss(self, dt):
        return super()._get_ss(dt / 2)


class Beat(SpikeSynapse):
    """A spike synapse without a state that speaks unasked."""

    def constants(self, dt, neurons, items):
        return 1 / dt

    def advance(self, xp, tick, x, c):
        return (x + xp.where(tick.step % 100.0 == 50.0, c, 0.0),)


class Shared(Beat):
    """One without a state in which the inputs depend on each other."""

    def advance(self, xp, tick, x, c):
        return (x - mean_over_neurons(xp, x),)


class Halving(Beat):
    """One that says that it is silent at zero."""

    silent_at_zero = True

    def advance(self, xp, tick, x, c):
        return (0.5 * x,)


class Speaking(ArcSparsifier):
    """One of ours that is no longer silent at zero."""

    def advance(self, xp, tick, x, c):
        (x,) = super().advance(xp, tick, x, c)
        return (x + 1.0,)


class OwnField(FieldSparsifier):
    """One of ours with a state and an advance of its own."""

    def advance(self, xp, tick, x, c, *state):
        kept, *state = super().advance(xp, tick, x, c, *state)
        return (x - kept, *state)


class OwnEncoder(PhaseEncoder):
    """One of ours with other constants."""

    def constants(self, dt, neurons, items):
        period, height = super().constants(dt, neurons, items)
        return period, 2 * height


class OwnSteps(ArcSparsifier):
    """One of ours that has a step of its own where Nengo looks for it."""

    def make_step(self, shape_in, shape_out, dt, rng, state):
        return lambda t, x: 3 * x


class OnlyNamed(AssumeReference):
    """One of ours by another name."""


OWN_SYNAPSES = (
    nengo.synapses.Triangle(0.02),
    Echo(seed=7),
    Rectifying(0.01),
    Slower(0.01),
    Beat(),
    Shared(),
    Halving(),
    Speaking(0.3),
    OwnField(0.3),
    OwnEncoder(),
    OwnSteps(0.3),
    OnlyNamed(),
)


@pytest.mark.parametrize("synapse", OWN_SYNAPSES, ids=lambda s: type(s).__name__)
def test_own_synapses(synapse):
    """Of every item as in Nengo: of a constant, of spikes that repeat, of a layer's; of probes."""
    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(N))
        spikes = connect(node, nengo.Node(size_in=N), synapse=PhaseEncoder())
        first = layer(spikes)
        relays = [connect(x, nengo.Node(size_in=N), synapse=synapse) for x in (node, spikes, first)]
        probes = [nengo.Probe(x) for x in (*relays, layer(relays[1], seed=1))]
        probes.append(nengo.Probe(first, synapse=synapse))
    x = np.random.RandomState(0).uniform(-1, 1, (3, 1, N))
    got = layerwise.Simulator(net).predict({node: x}, 250)
    for item in range(3):
        node.output = x[item, 0]
        expected = reference(net, 250)
        for probe in probes:
            assert expected[probe].any()
            assert_allclose(got[probe][item], expected[probe], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("synapse", "way"),
    [
        (ArcSparsifier(0.3), synapses.through_events),
        (RandomSparsifier(0.3), synapses.through_events),
        (FieldSparsifier(0.3), synapses.through_field),
        (RhythmSparsifier(0.3), synapses.through_window),
        (DifferenceSparsifier(0.3), synapses.through_difference),
        (AssumeReference(), synapses.through_assumption),
        (OnlyNamed(), synapses.through_assumption),
        (Halving(), synapses.through_events),
        *((s, synapses.through_steps) for s in (Beat(), Shared(), Speaking(0.3), OwnField(0.3))),
    ],
    ids=lambda x: type(x).__name__,
)
def test_fastest_way_of_events(synapse, way):
    """Only what a class says of its own ``advance`` makes it fast."""
    assert synapses.fastest(synapse, Signal.of(np.zeros((9, 2, N))).events()) is way


def test_what_a_class_says_of_another_advance():
    assert (ArcSparsifier.silent_at_zero, PhaseEncoder.nan_is_silent) == (True, True)
    assert not (SpikeSynapse.silent_at_zero)
    assert not (SpikeSynapse.nan_is_silent)
    assert not (PhaseEncoder.silent_at_zero)
    assert not (Speaking.silent_at_zero)
    assert OwnEncoder.nan_is_silent
    assert OwnSteps.silent_at_zero


# --- spike synapses -------------------------------------------------------------------------------


@pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
def test_ways_through_a_synapse_agree(synapse):
    """Sparse, dense and stepping through one item after the other."""
    x = batch(synapse, 350)
    items = np.array([0, 4, 2])
    span = span_of(350, items)
    dense = synapses.through_steps(synapse, Signal.of(x), span).dense()
    assert dense.any()
    got = synapses.through(built(synapse), Signal.of(x).events(), None, span)
    assert_array_equal(got.dense(), dense)
    if hasattr(synapse, "seed") and synapse.seed is None:
        return
    assert_array_equal(dense[:, 0], synapse.filt(x[:, 0], dt=DT))  # item 0 is Nengo's


@pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
def test_silence_through_a_synapse(synapse):
    nothing = Signal.of(np.zeros((120, 2, 3))).events()
    got = synapses.through(built(synapse), nothing, None, span_of(120, 2))
    expected = synapse.filt(np.zeros((120, 3)), dt=DT)
    for item in range(2):
        assert_array_equal(got.dense()[:, item], expected)


@pytest.mark.parametrize("window", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("strength", [0.02, 1.0, 30.0])
def test_difference_from_a_strong_mean(window, strength):
    """The mean input of a step already counts in it."""
    rng = np.random.RandomState(0)
    x = 1000.0 * (rng.uniform(size=(400, 3, 6)) < 0.05)
    x[..., -1] *= strength * rng.normal(size=(400, 3))
    synapse, span = DifferenceSparsifier(window), span_of(400, np.arange(3))
    dense = synapses.through_steps(synapse, Signal.of(x), span).dense()
    got = synapses.through(built(synapse), Signal.of(x).events(), None, span)
    assert_array_equal(got.dense(), dense)
    assert (np.count_nonzero(dense[..., :-1]) == 0) == (window == 1)


def test_repeated_signal_through_steps():
    """A signal of one cycle stands for all of them."""
    x = batch(FieldSparsifier(0.5), 100)
    got, expected = (
        synapses.through_steps(FieldSparsifier(0.3), Signal.of(signal), span_of(250)).dense()
        for signal in (x, np.tile(x, (3, 1, 1)))
    )
    assert_array_equal(got, expected)


def test_assumption_of_irregular_trains():
    """Several spikes in a cycle, some in the reference's step, and a window that ends early."""
    x = np.random.RandomState(0).poisson(0.02, (333, 2, 4)) * 1000.0
    x[50, :, 0] = 1000
    x, span = Signal.of(x), span_of(333, 2)
    dense = synapses.through_steps(AssumeReference(), x, span).dense()
    got = synapses.through(built(AssumeReference()), x.events(), None, span)
    assert dense.min() < 0
    np.testing.assert_allclose(got.dense(), dense, atol=1e-9)


@pytest.mark.parametrize("frequency", [10, 7, 1000 / 4, 33.3])
@pytest.mark.parametrize("n_steps", [1, 30, 100, 101, 457])
def test_encoded_constant(frequency, n_steps):
    """A cycle of whole steps is given once; NaN gives nothing."""
    phase = np.random.RandomState(0).uniform(-1, 1, (3, 8))
    phase[0, :4] = np.nan, -1, 1 - 1e-9, 3.25
    encoder = PhaseEncoder(frequency, amplitude=2)
    span = span_of(n_steps, dtype="float32")
    steps = synapses.through(built(encoder), Signal.of(phase[None]), None, span).dense()
    assert steps.dtype == np.float32
    period = 1 / (frequency * DT)
    assert len(steps) == (min(n_steps, round(period)) if period == int(period) else n_steps)
    expected = np.stack([encoder.filt(np.tile(p, (n_steps, 1)), dt=DT) for p in phase], axis=1)
    assert_array_equal(steps[np.arange(n_steps) % len(steps)], expected)


# --- filters and neurons --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "synapse",
    [
        nengo.Lowpass(0.01),
        nengo.Lowpass(0),
        nengo.Alpha(0.02),
        nengo.LinearFilter([1, 2], [0.1, 1]),
        nengo.Alpha(0.02).combine(nengo.Lowpass(0.005)),
    ],
    ids=str,
)
def test_filter_acts_a_step_later(synapse):
    """And goes on from where it stopped."""
    x = np.random.RandomState(0).normal(size=(50, 2, 3))
    expected = np.zeros((130, 2, 3))
    expected[1:] = synapse.filt(np.tile(x, (3, 1, 1)), dt=DT, y0=0)[:129]
    parts, before = [], None
    for n_steps in (50, 50, 30):
        span = span_of(n_steps, 2, before)
        parts.append(synapses.through(built(synapse, is_late=True), Signal.of(x), "key", span))
        before = span.after
    got = np.concatenate([part.dense() for part in parts])
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_phases_of_encoded_constant():
    phase = np.linspace(-1, 0.99, 9)[None]
    spikes = synapses.encode_constant(PhaseEncoder(), Signal.of(phase[None]), span_of(100, 1))
    decoded = phases.from_raster(spikes.dense()[:, 0], 10, DT)[0]
    assert np.abs(phases.difference(decoded, phase[0])).max() <= 0.01 + 1e-9

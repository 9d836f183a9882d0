import pickle

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
from tests.relays import DT, simulate

few = settings(deadline=None, max_examples=40)

all_synapses = pytest.mark.parametrize("synapse", SYNAPSES, ids=name)

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
    if type(synapse) in (ArcSparsifier, FieldSparsifier, RandomSparsifier):
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

"""Binding of phases in spikes and in the phase domain, against `vsa`."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    ArcSparsifier,
    BindingPhasor,
    BindingResonator,
    PhaseEncoder,
    ResonateAndFire,
    layerwise,
    phases,
    vsa,
)
from nengo_phasor.networks import PhaseBind

DT, CYCLE = 0.001, 100


def encoded(phase, frequency=10.0):
    """A relay of the spikes of phases."""
    source = nengo.Node(phase)
    relay = nengo.Node(size_in=source.size_out)
    nengo.Connection(source, relay, synapse=PhaseEncoder(frequency))
    return relay


def steps_off(raster, expected, cycle, frequency=10.0, dt=DT):
    """How far the spikes of a cycle are off the expected phases, in steps; NaN where missing."""
    decoded = phases.from_raster(raster, frequency, dt)[cycle]
    return phases.difference(decoded, expected) / (2 * frequency * dt)


class Bound:
    """Random pairs, bound and unbound in spikes; and unbound again what was bound."""

    def __init__(self, n, seed=0):
        self.x, self.y = np.random.default_rng(seed).uniform(-1, 1, (2, n))
        with nengo.Network(seed=0) as self.net:
            x, y, reference = encoded(self.x), encoded(self.y), encoded([0.0])
            bound = PhaseBind(x, y, reference)
            blocks = {
                "bound": bound,
                "unbound": PhaseBind(x, y, reference, unbind=True),
                "back": PhaseBind(bound.output, y, reference, unbind=True),
            }
            self.probes = {key: nengo.Probe(block.output) for key, block in blocks.items()}
        self.expected = {
            "bound": vsa.bind(self.x, self.y),
            "unbound": vsa.unbind(self.x, self.y),
            "back": self.x,
        }


@pytest.fixture(scope="module")
def pairs():
    """4,000 random pairs, and the spikes of each block in nengo.Simulator."""
    model = Bound(4000)
    with nengo.Simulator(model.net, progress_bar=False) as sim:
        sim.run_steps(6 * CYCLE)
    model.spikes = {key: sim.data[probe] for key, probe in model.probes.items()}
    return model


@pytest.mark.parametrize(
    ("key", "median", "most"), [("bound", 0.55, 1.5), ("unbound", 0.55, 1.5), ("back", 0.3, 0.5)]
)
def test_random_pairs(pairs, key, median, most):
    """One spike of each in a cycle; half a step off at the median, what unbinding undoes."""
    spikes = pairs.spikes[key][4 * CYCLE : 5 * CYCLE]
    counts = np.count_nonzero(spikes, axis=0)
    assert np.all(np.abs(counts - 1) <= 1)  # a spike on the border of two cycles may be in either
    off = np.abs(steps_off(pairs.spikes[key], pairs.expected[key], 4))
    assert not np.isnan(off).any()
    assert np.median(off) < median
    assert off.max() < most + 1e-6


@settings(deadline=None, max_examples=40)
@given(
    st.integers(4, 300),
    st.lists(st.tuples(st.floats(-1, 0.999), st.floats(-1, 0.999)), min_size=1, max_size=6),
    st.floats(-1, 0.999),
    st.booleans(),
)
def test_against_vsa(period, pair, shift, unbind):
    """Of any cycle; the reference may be anywhere, as it is the difference to it that counts."""
    x, y = np.array(pair).T
    frequency = 1 / (period * DT)
    expected = vsa.unbind(x, y) if unbind else vsa.bind(x, y)
    rasters = [phases.to_raster(phases.wrap(p + shift), frequency, 8, DT) for p in (x, y, 0 * x)]
    neurons, n = BindingResonator(frequency), 3 * len(x)
    added, subtracted = rasters[:0:-1] if unbind else rasters[1:]
    J = np.concatenate([rasters[0], added, subtracted], axis=1) / DT
    state = neurons.make_state(n, rng=np.random.RandomState(0), dtype=float)
    output = np.zeros_like(J)
    for current, out in zip(J, output, strict=True):
        neurons.step(DT, current, out, **state)
    assert not output[:, len(x) :].any()
    times = [np.flatnonzero(spikes[4 * period : 5 * period]) for spikes in output[:, : len(x)].T]
    assert [len(t) for t in times] == [1] * len(x)
    decoded = phases.wrap(2 * (np.concatenate(times) + 0.5) / period - 1)
    off = phases.difference(decoded, phases.wrap(expected + shift)) * period / 2
    # three spikes are in whole steps, each up to a step after its time, and the output is decoded
    assert np.abs(off).max() < 1.5 + 1e-3


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_phasors_against_vsa(seed, n):
    rng = np.random.default_rng(seed)
    x, y, r = rng.uniform(-1, 1, (3, n))
    z = np.exp(1j * np.pi * np.array([x, y, r])) * rng.uniform(0.1, 3, (3, n))
    output = np.zeros(6 * n)
    BindingPhasor().step(DT, np.concatenate([z.real.ravel(), z.imag.ravel()]), output)
    bound, *rest = phases.from_rows(output).reshape(3, n)
    assert_allclose(bound, phases.to_complex(vsa.unbind(vsa.bind(x, y), r)), atol=1e-12)
    assert not np.any(rest)


@pytest.mark.parametrize("row", range(3))
def test_what_has_no_phase_binds_nothing(row):
    """In spikes nothing reaches the neurons, whatever the other rows."""
    z = np.full((3, 2), 1.0)
    z[row] = 0.05, np.nan
    output = np.ones(12)
    BindingPhasor(floor=0.1).step(DT, np.concatenate([z.ravel(), 0 * z.ravel()]), output)
    assert not np.nan_to_num(output[[0, 6]]).any()
    neurons = BindingResonator(threshold=0.1)
    state = neurons.make_state(6, rng=np.random.RandomState(0), dtype=float)
    output = np.ones((300, 6))
    for k, out in enumerate(output):
        neurons.step(DT, z.ravel() * (k == 0) / DT, out, **state)
    assert not output.any()


def test_a_shift_of_all_shifts_the_output():
    """There is no clock: three signals at another time give the same, at that time."""
    found = []
    for delay in (0, 37):
        J = np.zeros((900, 3))
        for column, at in enumerate((13, 71, 50)):
            J[at + delay :: CYCLE, column] = 1 / DT
        neurons, output = BindingResonator(), np.zeros_like(J)
        state = neurons.make_state(3, rng=np.random.RandomState(0), dtype=float)
        for current, out in zip(J, output, strict=True):
            neurons.step(DT, current, out, **state)
        found.append(np.flatnonzero(output[300 + delay : 800 + delay, 0]))
    assert len(found[0]) == 5
    assert_array_equal(*found)


# --- substrates -----------------------------------------------------------------------------------


def test_layerwise_is_nengo():
    model = Bound(20, seed=1)
    with nengo.Simulator(model.net, progress_bar=False) as sim:
        sim.run_steps(5 * CYCLE)
    with layerwise.Simulator(model.net, dtype="float64", progress_bar=False) as fast:
        fast.run_steps(5 * CYCLE)
    for probe in model.probes.values():
        assert np.count_nonzero(sim.data[probe]) > 40
        assert_array_equal(fast.data[probe][0], sim.data[probe])


def test_nengo_dl_is_nengo():
    nengo_dl = pytest.importorskip("nengo_dl")
    model = Bound(20, seed=1)
    with model.net:
        nengo_dl.configure_settings(dtype="float64")
    with nengo.Simulator(model.net, progress_bar=False) as sim:
        sim.run_steps(5 * CYCLE)
    with nengo_dl.Simulator(model.net, progress_bar=False) as other:
        other.run_steps(5 * CYCLE)
    for probe in model.probes.values():
        assert_array_equal(other.data[probe], sim.data[probe])


def on_emulator(x_on_chip):
    """Binding on the emulator, of an encoder's spikes or of those of neurons on the chip."""
    nengo_loihi = pytest.importorskip("nengo_loihi")
    with nengo.Network(seed=0) as net:
        x, y, reference = encoded([0.3, -0.6]), encoded([0.5, 0.9]), encoded([0.0])
        neurons = nengo.Ensemble(2, 1, neuron_type=ResonateAndFire(), label="sender").neurons
        nengo.Connection(x, neurons, synapse=None)
        bound = PhaseBind(neurons if x_on_chip else x, y, reference)
        probe = nengo.Probe(bound.output)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(4 * CYCLE)
    with nengo_loihi.Simulator(net, target="sim", progress_bar=False) as emulated:
        emulated.run_steps(4 * CYCLE)
    return sim.data[probe], emulated.data[probe]


def test_emulator_runs_it_on_the_host():
    expected, found = on_emulator(False)
    assert expected.any()
    assert_array_equal(found, expected)


def test_emulator_refuses_late_spikes():
    with pytest.raises(
        BuildError, match=r"sender.*BindingResonator neurons.*late, here by \d steps.*on_chip = Fal"
    ):
        on_emulator(True)


# --- bad input ------------------------------------------------------------------------------------


@pytest.fixture
def net():
    with nengo.Network(seed=0) as net:
        yield net


@pytest.mark.parametrize("attr", ["x", "y", "reference"])
@pytest.mark.parametrize(
    ("bad", "remedy"),
    [
        (lambda: None, "give neurons, or a relay"),
        (lambda: 4, "give neurons, or a relay"),
        (lambda: nengo.Ensemble(4, 1), r"ensemble\.neurons"),
    ],
)
def test_missing_signals(net, attr, bad, remedy):
    sources = {"x": encoded(np.zeros(4)), "y": encoded(np.zeros(4)), "reference": encoded([0.0])}
    with pytest.raises(
        ValidationError, match=rf"PhaseBind\.{attr}: must send spikes, got .*: .*{remedy}"
    ):
        PhaseBind(**{**sources, attr: bad()})


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((4, 3, 1), r"PhaseBind\.y: must send as many spikes as x: 4, got 3 from "),
        ((4, 4, 4), r"PhaseBind\.reference: must send a single spike.*: 1, got 4 from "),
    ],
)
def test_sizes(net, sizes, message):
    with pytest.raises(ValidationError, match=message):
        PhaseBind(*(encoded(np.zeros(size)) for size in sizes))


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("sender", ["neurons", "encoder", "sparsifier"])
def test_different_frequencies(net, place, sender):
    """Directly, or through relays."""
    sources = [encoded(np.zeros(n)) for n in (4, 4, 1)]
    n = sources[place].size_out
    if sender == "neurons":
        sources[place] = nengo.Ensemble(n, 1, neuron_type=ResonateAndFire(20)).neurons
    elif sender == "encoder":
        relay = nengo.Node(size_in=n)
        nengo.Connection(encoded(np.zeros(n), 20), relay, synapse=None)
        sources[place] = relay
    else:
        relay = nengo.Node(size_in=n)
        nengo.Connection(sources[place], relay, synapse=ArcSparsifier(0.1, frequency=20))
        sources[place] = relay
    with pytest.raises(
        ValidationError, match=r"PhaseBind\.frequency: 10 Hz differs from the 20 Hz of .*=20"
    ):
        PhaseBind(*sources)


def test_same_frequency_that_is_not_the_default(net):
    sources = [encoded(np.zeros(n), 20) for n in (4, 4, 1)]
    assert PhaseBind(*sources, neuron_type=BindingResonator(20)).output.size_out == 4


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"unbind": 1}, r"PhaseBind\.unbind"),
        ({"neuron_type": ResonateAndFire()}, r"PhaseBind\.neuron_type: .*BindingResonator"),
    ],
)
def test_other_arguments(net, kwargs, message):
    with pytest.raises(ValidationError, match=message):
        PhaseBind(*(encoded(np.zeros(n)) for n in (4, 4, 1)), **kwargs)


@pytest.mark.parametrize(
    ("neurons", "n", "message"),
    [
        (BindingResonator(), 8, "8 neurons can't represent x, y and r: .* needs 3n"),
        (BindingPhasor(), 9, "9 neurons can't represent real and imaginary parts of.* needs 6n"),
    ],
)
def test_number_of_neurons(neurons, n, message):
    with nengo.Network() as net:
        nengo.Ensemble(n, 1, neuron_type=neurons)
    with pytest.raises(BuildError, match=message):
        nengo.Simulator(net, progress_bar=False)

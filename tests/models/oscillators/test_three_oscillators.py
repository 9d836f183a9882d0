import nengo
import numpy as np
import pytest
from click.testing import CliRunner

from nengo_phasor import ArcSparsifier, PhaseEncoder, ResonateAndFire, phases
from nengo_phasor.models.oscillators import commands, gui, measure, network

DT = network.DT


def run(seconds=1.0, simulator=nengo.Simulator, **sliders):
    """Return the spikes of the neurons, and what is sent of them, (n_steps, 3) of bool each."""
    net = gui.gui_model()
    for name, value in sliders.items():
        getattr(net, name).output = value
    with net:
        probes = nengo.Probe(net.neurons.neurons), nengo.Probe(net.sparsifier)
    with simulator(net, progress_bar=False) as sim:
        sim.run(seconds)
    return [sim.data[probe] != 0 for probe in probes]


def test_prints_phases():
    lines = CliRunner().invoke(commands.main, catch_exceptions=False).output.splitlines()
    assert lines[1] == "neuron 1: driven at phase +0.05, spikes at +0.05"
    assert len(lines) == 3


def test_last_phases():
    """Those of the drive, to the step and a half that a spike may be late."""
    found = measure.last_phases(0.5)
    np.testing.assert_allclose(found, network.PHASES, atol=1.5 * 2 * DT * network.FREQUENCY)


@pytest.mark.parametrize("threshold", [0.7, 2.0, 4.0, 5.0, 7.0])
def test_threshold_is_as_good_as_a_real_one(threshold):
    """Dividing the drive makes the spikes of neurons with that threshold, up to 1/64 of a spike."""
    with nengo.Network() as net:
        spikes = nengo.Node(size_in=3)
        nengo.Connection(nengo.Node(network.PHASES), spikes, synapse=PhaseEncoder())
        rounded = 1 / (np.round(64 / threshold) / 64)
        neurons = nengo.Ensemble(3, 1, neuron_type=ResonateAndFire(threshold=rounded))
        nengo.Connection(spikes, neurons.neurons, synapse=None)
        probe = nengo.Probe(neurons.neurons)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(2.0)
    expected = sim.data[probe] != 0
    found, _ = run(2.0, threshold=[threshold])
    np.testing.assert_array_equal(found, expected)
    assert found.any() == (threshold < 5.5)  # what unit spikes add up to, with tau of 5 cycles


@pytest.mark.parametrize("size", [0.0, 1 / 64, 0.5, 0.3, 1.0, 3.3, 3.99, 50.0])
def test_sizes_add_up(size):
    bits = network.in_binary(size)
    assert set(bits) <= {0, 1}
    assert bits @ network.SIZES == pytest.approx(min(size, 4 - 1 / 64), abs=1 / 128)


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.45, 1.0])
def test_sparsifier_is_the_library_s(strength):
    spikes, sent = run(1.0, strength=[strength])
    np.testing.assert_array_equal(sent, ArcSparsifier(strength).filt(spikes, dt=DT) != 0)
    assert spikes.sum() > 20


def test_strength_beyond_its_range_is_its_end():
    assert not run(0.3, strength=[1.7])[1].any()
    spikes, sent = run(0.3, strength=[-3.0])
    np.testing.assert_array_equal(spikes, sent)


def test_drive_has_the_frequency_that_is_set():
    """Over 10 s; at 10.5 Hz and low threshold, the hand goes round the clock every other second."""
    spikes, _ = run(10.0, frequency=[9.5, 10.0, 10.5], threshold=[0.5])
    assert list(spikes[1000:].sum(axis=0)) == pytest.approx([85.5, 90, 94.5], abs=1)
    steps = np.flatnonzero(spikes[5000:9000, 2])
    phase = np.unwrap(np.pi * phases.from_times(steps * DT, 10.0)) / np.pi
    assert abs(phase[-1] - phase[0]) / 2 == pytest.approx(
        0.5 * (steps[-1] - steps[0]) * DT, abs=0.05
    )


def test_detuned_drive_resonates_less():
    """At 2 spikes a threshold the tuned neuron spikes, the one 2 Hz off does not."""
    spikes, _ = run(4.0, frequency=[8.0, 10.0, 12.0])
    assert list(spikes[2000:].any(axis=0)) == [False, True, False]


def test_new_simulation_starts_anew():
    net = gui.gui_model()
    with net:
        probe = nengo.Probe(net.neurons.neurons)
    rasters = []
    for _ in range(2):
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run(0.457)
        rasters.append(sim.data[probe])
    np.testing.assert_array_equal(*rasters)


def test_on_the_emulator():
    """The same phases, a step or two later."""
    nengo_loihi = pytest.importorskip("nengo_loihi")
    host, chip = (
        phases.from_raster(run(1.0, simulator)[0], 10.0, DT)[-1]
        for simulator in (nengo.Simulator, nengo_loihi.Simulator)
    )
    np.testing.assert_allclose(host, network.PHASES, atol=0.02)
    np.testing.assert_allclose(chip, host, atol=0.05)

import json
import math

import nengo
import numpy as np
import pytest
from click.testing import CliRunner

from nengo_phasor import AdaptiveSpiking, models
from nengo_phasor.models.adaptive import neuron as room
from nengo_phasor.models.adaptive import neuron_measure
from nengo_phasor.models.adaptive.neuron_commands import main


def test_model_opens_as_nengo_gui_opens_it():
    """The node of the states shows what the neuron's are."""
    model = models.load("adaptive_neuron")
    with model:
        probe = nengo.Probe(model.states)
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run(1.5)
        sim.reset()
        sim.run(1.5)
    S, Shat, half = sim.data[probe].T
    np.testing.assert_array_equal(S, sim.data[model.seen["voltage"]][:, 0])
    np.testing.assert_array_equal(Shat, sim.data[model.seen["refraction"]][:, 0])
    theta = 0.1 + sim.data[model.seen["adaptation"]][:, 0]
    np.testing.assert_array_equal(half, theta / 2)
    assert np.count_nonzero(sim.data[model.seen["spikes"]]) > 50


def test_stimulus_steps_then_swings():
    levels, seconds = room.LEVELS, room.LEVEL_SECONDS
    ends = seconds * np.arange(1, len(levels) + 1)
    assert [room.stimulus(t - 0.01) for t in ends] == list(levels)
    assert room.stimulus(ends[-1]) == levels[-1]
    assert room.stimulus(1.5) == pytest.approx(2)


def test_current_is_the_input_s_image():
    """The post-synaptic current at the end of each level is f of it, within a spike's height."""
    neuron = AdaptiveSpiking(0.05)
    seen = room.trace(neuron, 1.0)
    for k, level in enumerate(room.LEVELS):
        last = seen["current"][200 * k + 150 : 200 * k + 199].mean()
        expected = neuron.rates([level], np.ones(1), np.zeros(1)).item()
        assert abs(last - expected) < neuron.transfer.height


@pytest.mark.parametrize("dt", [0.001, 0.0005])
def test_mean_currents_against_filters(dt):
    """The sum of kernels in a loop, and nengo.Lowpass, over whole windows of steady spikes."""
    neuron = AdaptiveSpiking(0.2)
    S = np.array([0.0, 0.5, 1.3, 3.0])
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(4, 1, neuron_type=neuron, gain=np.ones(4), bias=np.zeros(4))
        nengo.Connection(nengo.Node(S), ensemble.neurons, synapse=None)
        probe = nengo.Probe(ensemble.neurons)
    with nengo.Simulator(net, dt=dt, progress_bar=False) as sim:
        sim.run(4.0)
    spikes = sim.data[probe] * dt / neuron.amplitude
    rates = neuron_measure.firing_rates(neuron, S, dt, 1.0, 3.0)
    np.testing.assert_allclose(rates, spikes[round(1 / dt) :].sum(axis=0) / 3)
    lowpass = nengo.Lowpass(neuron.tau_beta).filt(sim.data[probe], dt=dt)
    kernel, current = np.zeros_like(spikes), 0.0
    for k, spike in enumerate(spikes):
        current = math.exp(-dt / neuron.tau_beta) * current + neuron.transfer.height * spike
        kernel[k] = current
    found = neuron_measure.mean_currents(neuron, rates, dt)
    for name, filtered in (("kernel", kernel), ("lowpass", lowpass)):
        measured = filtered[round(1 / dt) :].mean(axis=0)
        np.testing.assert_allclose(found[name], measured, atol=neuron.amplitude)
    ratio = found["kernel"][1:] / found["lowpass"][1:]
    np.testing.assert_allclose(ratio, 1 + dt / (2 * neuron.tau_beta), rtol=1e-4)


def test_results_command(tmp_path, monkeypatch):
    """The command that makes results/adaptive_transfer.json, in a shorter time."""
    monkeypatch.setattr(neuron_measure, "ERRORS", {0.1: {0.001: 0.017}})
    monkeypatch.setattr(neuron_measure, "OTHER_TAU_BETAS", (0.08,))
    monkeypatch.setattr(neuron_measure, "RATES", {0.1: 65})
    monkeypatch.setattr(neuron_measure, "DURATION", 2.0)
    output = tmp_path / "results.json"
    done = CliRunner().invoke(main, ["results", "--output", str(output)])
    assert done.exit_code == 0, done.output
    content = json.loads(output.read_text())
    two_and_a_half, five, others, rates = content["claims"]
    assert two_and_a_half["bound"] == five["bound"] == "<= 0.017"
    assert 0.005 < five["value"] < 0.03
    assert others["value"] < 0.02
    assert rates["value"] < 5
    errors = content["figures"]["errors"]["m_f 0.1, dt 1 ms"]
    assert errors["everywhere"] == pytest.approx(errors["height"] / 2, rel=0.05)
    assert done.output.count("\n") == 4


def test_figures_command(tmp_path, monkeypatch):
    monkeypatch.setattr(neuron_measure, "DURATION", 0.5)
    done = CliRunner().invoke(main, ["figures", "--output", str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    made = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert made == ["adaptive_neuron.png", "adaptive_transfer.png"]
    for path in (tmp_path / "new").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 150_000

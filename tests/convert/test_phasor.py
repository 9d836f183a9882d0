"""Spiking networks have the phases of those that they were made of."""

import nengo
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    FieldSparsifier,
    ResonateAndFire,
    convert,
    layerwise,
    phases,
)
from nengo_phasor.networks import PhasorClassifier
from tests.convert.phase_networks import SOURCES, connect, decoded, expected_layers, phase_network


@pytest.mark.parametrize("source", [*SOURCES, "projection"])
def test_phase_domain(source):
    """What the conversion starts from is what the definition says."""
    net = phase_network(source)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
    for probe, layer in zip(net.layer_probes, expected_layers(net.phases, 0, 0), strict=True):
        assert_allclose(phases.from_rows(sim.data[probe][-1]), layer.u, rtol=1e-9)


@pytest.mark.parametrize(
    ("source", "frequency", "steps", "n_cycles", "amplitude"),
    [
        ("array", 10, 200, 160, 1),
        *((source, 7, 60.3, 60, 3) for source in (*SOURCES, "projection")),
    ],
)
def test_spikes_converge_to_the_phases(source, frequency, steps, n_cycles, amplitude):
    """Within bounds to first order, and a quarter more.

    In the steady state the last spike of each input has decayed between not at all and by a cycle,
    T: exp(-T/tau) is within T/(2 tau) of its middle. What is left of the first quarter of the
    cycles, when the layers before were not yet steady, has decayed by exp(-3/4 n_cycles T/tau).
    """
    net = phase_network(source)
    tau = n_cycles / 6  # in cycles
    neuron = ResonateAndFire(frequency, tau / frequency, threshold=0.05, amplitude=amplitude)
    twin, new = convert.to_spiking(net, neuron)
    dt = 1 / (frequency * steps)
    decay = 1 / (2 * tau) + np.exp(-0.75 * n_cycles / tau)
    layers = expected_layers(net.phases, 2 / steps, decay)
    for probe, layer in zip(net.layer_probes, layers, strict=True):
        middle = decoded(twin, new[probe], frequency, dt, n_cycles)
        late = phases.difference(middle, phases.from_complex(layer.u)) + 1 / steps
        slack = 0.25 * (layer.high - layer.low) / 2
        assert np.all((layer.low - slack < late) & (late < layer.high + slack))
        assert np.median(layer.high - layer.low) < 25 / steps  # the bounds do say something


def test_same_in_nengo():
    """The twin as nengo.Simulator runs it, all nodes and relays included."""
    net = phase_network("projection")
    twin, new = convert.to_spiking(net, sparsifier=FieldSparsifier(0.1), assume_reference=True)
    with (
        nengo.Simulator(twin, progress_bar=False) as reference,
        layerwise.Simulator(twin, minibatch_size=None) as sim,
    ):
        reference.run(0.5)
        sim.run(0.5)
    for probe in (*net.layer_probes, net.input_probe):
        assert sim.data[new[probe]].any()
        assert_array_equal(sim.data[new[probe]], reference.data[new[probe]])


def test_classifier_takes_phases_for_phasors():
    """Data for a node without input: phasors before, phases after."""
    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(16))
        classifier = PhasorClassifier((8, 6, 3))
        connect(node, classifier.input)
        probe = nengo.Probe(classifier.output)
    phase = np.random.RandomState(0).normal(0, 0.2, (5, 1, 8))
    rows = layerwise.Simulator(net).predict({node: phases.to_rows(phase)})[probe]
    expected = phases.from_complex(phases.from_rows(rows[:, 0]))
    twin, new = convert.to_spiking(net, ResonateAndFire(tau=1, threshold=0.05))
    assert new[node].size_out == 8
    raster = layerwise.Simulator(twin, dt=0.0005).predict({new[node]: phase}, 10_000)[new[probe]]
    got = phases.from_raster(raster, 10, 0.0005)[:, -1]
    z = np.abs(np.cos(np.pi * phases.difference(got, expected)))
    assert np.median(1 - z) < 0.01

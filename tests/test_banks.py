"""Ensembles whose neurons have parameters of their own: banks of resonators."""

import nengo
import numpy as np
import pytest
from nengo.dists import Choice, Uniform
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_allclose, assert_array_equal

import nengo_phasor
from nengo_phasor import ArcSparsifier, BalancedResonateAndFire, ResonateAndFire, layerwise

FREQUENCIES = np.array([0.5, 3.0, 7.3, 20.7, 62.5, 200.0])
N, DT = len(FREQUENCIES), 0.001


def bank(neuron_type, J, n=N, seed=0, **kwargs):
    """Return a network of a bank that all gets the currents J, with its ensemble and probe."""
    with nengo.Network(seed=seed) as net:
        node = nengo.Node(nengo.processes.PresentInput(J, DT))
        net.bank = nengo.Ensemble(n, 1, neuron_type=neuron_type, **kwargs)
        nengo.Connection(node, net.bank.neurons, synapse=None, transform=np.ones((n, J.shape[1])))
        net.spikes = nengo.Probe(net.bank.neurons)
    return net


def built(neuron_type, n=N, seed=0, **kwargs):
    """Return the neuron type of an ensemble with its sampled parameters."""
    net = bank(neuron_type, np.zeros((1, 1)), n, seed, **kwargs)
    with nengo.Simulator(net, progress_bar=False) as sim:
        return sim.data[net.bank.neurons]


def test_each_resonator_against_the_closed_form():
    """A sum of decaying oscillations, each begun by a spike; a spike at each maximum."""
    times, weights = np.array([20, 65, 110, 300]), np.array([1.0, 0.7, -0.4, 1.2])
    J = np.zeros((900, 1))
    J[times, 0] = weights / DT
    taus = np.array([1.0, 0.5, 0.3, 0.2, 0.1, 0.05])
    net = bank(ResonateAndFire(FREQUENCIES, taus, 0.3), J)
    with net:
        voltages = nengo.Probe(net.bank.neurons, "voltage")
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(len(J))
    t = (np.arange(len(J))[:, None, None] - times) * DT
    rate = (-1 / taus + 2j * np.pi * FREQUENCIES)[:, None]
    z = (weights * np.where(t >= 0, np.exp(rate * np.maximum(t, 0)), 0)).sum(-1)
    assert_allclose(sim.data[voltages], z.real, atol=1e-12)
    crossed = (z.imag[1:] >= 0) & (z.imag[:-1] < 0) & (np.abs(z[1:]) >= 0.3) & (z.real[1:] > 0)
    border = np.abs(z.imag) < 1e-6 * np.abs(z)  # where rounding decides the step
    far = ~(border[1:] | border[:-1])
    assert_array_equal((sim.data[net.spikes][1:] > 0)[far], crossed[far])
    assert np.all(crossed.any(axis=0) == (np.arange(N) > 0))  # 0.5 Hz has not come round


def test_a_distribution_is_sampled_with_the_ensembles_seed():
    neuron = ResonateAndFire(Uniform(5, 15), threshold=Uniform(0.1, 0.2))
    first, again, other = (built(neuron, 50, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    for found in (first, other):
        assert found.frequency.shape == (50,)
        assert np.all((found.frequency >= 5) & (found.frequency <= 15))
        assert len(np.unique(found.frequency)) == 50
        assert_allclose(found.tau, 5 / found.frequency)
        assert not np.array_equal(found.frequency / 10, found.threshold)


@pytest.mark.parametrize("neuron", [ResonateAndFire(), BalancedResonateAndFire()])
def test_numbers_stay_numbers(neuron):
    assert built(neuron) == neuron


@pytest.mark.parametrize("cls", [ResonateAndFire, BalancedResonateAndFire])
def test_an_array_of_equal_numbers_is_a_number(cls):
    rng = np.random.RandomState(0)
    J = 60 * np.sin(2 * np.pi * 5 * np.arange(800)[:, None] * DT) + rng.normal(0, 50, (800, 1))
    spikes = []
    for frequency in (5.0, np.full(N, 5.0), Choice([5.0])):
        net = bank(cls(frequency), J)
        with layerwise.Simulator(net, dtype="float64") as sim:
            sim.run_steps(len(J))
        spikes.append(sim.data[net.spikes])
    assert spikes[0].any()
    assert_array_equal(spikes[0], spikes[1])
    assert_array_equal(spikes[0], spikes[2])


@pytest.mark.parametrize("optimize", [True, False])
def test_two_equal_banks_in_a_network(optimize):
    """Nengo would merge equal neurons into one operator, of twice as many."""
    neuron = ResonateAndFire(FREQUENCIES)
    J = np.random.RandomState(0).normal(0, 50, (400, 1))
    net = bank(neuron, J)
    with net:
        other = nengo.Ensemble(N, 1, neuron_type=neuron)
        nengo.Connection(net.bank.neurons, other.neurons, synapse=None)
        probe = nengo.Probe(other.neurons)
    with nengo.Simulator(net, progress_bar=False, optimize=optimize) as sim:
        sim.run_steps(400)
    with layerwise.Simulator(net, dtype="float64") as fast:
        fast.run_steps(400)
    assert sim.data[probe].any()
    assert_array_equal(sim.data[probe], fast.data[probe][0])


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (ResonateAndFire([5.0, 6.0]), r"frequency: has 2 values for 6 neurons.*distribution"),
        (ResonateAndFire(tau=[0.1]), r"tau: has 1 values for 6 neurons"),
        (ResonateAndFire(Uniform(-5, -1)), r"frequency: must be positive"),
        (ResonateAndFire([1, 2, 3, 4, 5, 251.0]), r"251 Hz.* steps in a cycle"),
        (BalancedResonateAndFire([5.0] * 7), r"frequency: has 7 values for 6 neurons"),
        (BalancedResonateAndFire(damping=Uniform(-5, -1)), r"damping: must be a finite number, 0"),
        (BalancedResonateAndFire([1, 2, 3, 4, 5, 160.0]), r"160 Hz turns by 1\.01 rad.*below 159"),
    ],
)
def test_what_does_not_fit_the_ensemble(neuron, message):
    with pytest.raises(BuildError, match=message) as error:
        built(neuron)
    assert "Neurons" in str(error.value)


def test_negative_damping():
    with pytest.raises(ValidationError, match=r"damping: .*got -0\.1"):
        BalancedResonateAndFire(damping=[1.0, -0.1])


def test_a_distribution_has_no_step_of_its_own():
    zeros = [np.zeros(N) for _ in range(4)]
    with pytest.raises(ValidationError, match=r"frequency: is Uniform.*sampled\(n_neurons, rng\)"):
        ResonateAndFire(Uniform(1, 2)).step(DT, *zeros)


@pytest.mark.parametrize("frequency", [FREQUENCIES, Uniform(5, 15)])
def test_no_common_phase_to_sparsify(frequency):
    net = bank(ResonateAndFire(frequency), np.zeros((1, 1)))
    with net:
        relay = nengo.Node(size_in=N)
        nengo.Connection(net.bank.neurons, relay, synapse=ArcSparsifier(0.1))
    with pytest.raises(BuildError, match=r"ArcSparsifier.*several frequencies.*RandomSparsifier"):
        nengo.Simulator(net, progress_bar=False)


def test_conversions_refuse_a_bank():
    with pytest.raises(ValidationError, match=r"(?s)neuron_type: .*several frequencies"):
        nengo_phasor.convert.to_spiking(nengo.Network(), ResonateAndFire(FREQUENCIES))

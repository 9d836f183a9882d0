import subprocess
import sys
from textwrap import dedent
from types import SimpleNamespace

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError
from numpy.testing import assert_allclose, assert_array_equal

import nengo_phasor
from nengo_phasor import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    ArcSparsifier,
    AttendingResonator,
    Phasor,
    ResonateAndFire,
    convert,
    dynamics,
    layerwise,
    metrics,
    phases,
)
from nengo_phasor.builders import SimRows
from nengo_phasor.networks import PhasorClassifier
from tests.registry import NEURONS, SYNAPSES, name

nengo_dl = pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")

from nengo_dl.builder import Builder  # noqa: E402
from nengo_dl.neuron_builders import SimNeuronsBuilder  # noqa: E402
from nengo_dl.process_builders import SimProcessBuilder  # noqa: E402

from nengo_phasor.dl import losses  # noqa: E402

# --- what is merged -------------------------------------------------------------------------------


def mergeable(builder, attribute, x, y):
    return builder.mergeable(*(SimpleNamespace(**{attribute: obj}) for obj in (x, y)))


@pytest.mark.parametrize("neuron", [n for n in NEURONS if not isinstance(n, Phasor)], ids=name)
def test_only_equal_neurons_are_merged(neuron):
    for other in (*NEURONS, nengo.LIF()):
        expected = neuron == other
        assert mergeable(SimNeuronsBuilder, "neurons", neuron, other) == expected
        assert mergeable(SimNeuronsBuilder, "neurons", other, neuron) == expected


def test_phasors_are_never_merged():
    op = SimpleNamespace(neurons=Phasor())
    assert not Builder.builders[SimRows].mergeable(op, op)


@pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
def test_spike_synapses_are_never_merged(synapse):
    for other in (*SYNAPSES, nengo.Lowpass(0.1), nengo.Alpha(0.1)):
        assert not mergeable(SimProcessBuilder, "process", synapse, other)
        assert not mergeable(SimProcessBuilder, "process", other, synapse)


def test_others_are_merged_as_before():
    assert mergeable(SimNeuronsBuilder, "neurons", nengo.LIF(), nengo.LIF(tau_rc=0.1))
    assert not mergeable(SimNeuronsBuilder, "neurons", nengo.LIF(), nengo.LIFRate())
    assert mergeable(SimProcessBuilder, "process", nengo.Lowpass(0.1), nengo.Lowpass(0.2))


# --- adaptive neurons -----------------------------------------------------------------------------


def adaptive_network(neuron):
    """Two layers, whose currents are their inputs: 3 - 6 - 4."""
    rng = np.random.RandomState(1)
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64", keep_history=True, stateful=False)
        net.node = nengo.Node(np.zeros(3))
        layers = []
        for n in (6, 4):
            ensemble = nengo.Ensemble(n, 1, neuron_type=neuron, gain=np.ones(n), bias=np.zeros(n))
            layers.append(ensemble.neurons)
        net.first = nengo.Connection(
            net.node, layers[0], transform=rng.uniform(-1, 1, (6, 3)), synapse=None
        )
        net.second = nengo.Connection(
            *layers, transform=rng.uniform(-1, 2, (4, 6)), synapse=neuron.tau_beta
        )
        net.probe = nengo.Probe(layers[1])
    return net


@pytest.mark.parametrize("cls", [AdaptiveSpiking, AdaptiveSpikingRate])
def test_adaptive_neurons_train_with_their_transfer_function(cls):
    """A step of gradient descent on the sum of outputs, against finite differences of f.

    At the third step Lowpass(tau_beta), which acts a step later, has let through 1 - d^2.
    """
    neuron = cls(0.2, tau_beta=0.05)
    net = adaptive_network(neuron)
    x = np.random.RandomState(2).uniform(-1, 1, (2, 1, 3))
    w, v = net.first.transform.init, net.second.transform.init
    c = neuron.transfer
    keep = 1 - np.exp(-2 * 0.001 / neuron.tau_beta)

    def total(w, v):
        first = dynamics.adaptive_transfer(np, x[:, 0] @ w.T, c)
        return dynamics.adaptive_transfer(np, keep * first @ v.T, c).sum() / len(x)

    def derivative(k, values, d=1e-6):
        found = np.zeros_like(values)
        for place in np.ndindex(values.shape):
            shift = np.zeros_like(values)
            shift[place] = d
            pairs = ((w + s * shift, v) if k == 0 else (w, v + s * shift) for s in (1, -1))
            up, down = (total(*pair) for pair in pairs)
            found[place] = (up - down) / (2 * d)
        return found

    def last(y_true, y_pred):
        return tf.reduce_sum(y_pred[:, -1], axis=-1)

    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.compile(tf.keras.optimizers.SGD(1.0), loss=last)
        data, target = np.repeat(x, 3, axis=1), np.zeros((2, 3, 4))
        loss = sim.fit({net.node: data}, {net.probe: target}, epochs=1, verbose=0).history["loss"]
        trained = [sim.data[connection].weights for connection in (net.first, net.second)]
    assert loss[0] == pytest.approx(total(w, v))
    for k, (old, new) in enumerate(zip((w, v), trained, strict=True)):
        gradient = derivative(k, old)
        assert np.count_nonzero(np.abs(gradient) > 1e-4) > 4
        assert_allclose(old - new, gradient, atol=1e-8)


def test_adaptive_neurons_run_with_spikes():
    """``predict`` gives spikes, whose mean is what the network was trained with."""
    net = adaptive_network(AdaptiveSpiking())
    x = np.random.RandomState(2).uniform(0, 1, (2, 1, 3))
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        output = sim.predict({net.node: np.repeat(x, 1500, axis=1)})[net.probe]
    height = AdaptiveSpiking().amplitude / 0.001
    assert_array_equal(np.unique(output), [0, height])
    c = AdaptiveSpiking().transfer
    first = dynamics.adaptive_transfer(np, x[:, 0] @ net.first.transform.init.T, c)
    S = first @ net.second.transform.init.T
    expected = dynamics.adaptive_transfer(np, S, c)
    assert_allclose(output[:, 500:].mean(axis=1)[S > 0.2], expected[S > 0.2], atol=0.07)
    assert np.count_nonzero(S > 0.2) >= 4


# --- the phasor's gradient ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_phasor_gradient_is_finite_everywhere(dtype):
    """At zero, below the floor and just above it."""
    lengths = np.array([0, 1e-30, 1e-8, 9.9e-7, 1.1e-6, 1e-3, 1, 1e3])
    z = (lengths[:, None] * np.exp(2j * np.pi * np.arange(8) / 8)).ravel()
    real, imag = (tf.constant(part.astype(dtype)) for part in (z.real, z.imag))
    with tf.GradientTape() as tape:
        tape.watch((real, imag))
        outputs = dynamics.unit_phasor(tf, real, imag, 1e-6)
    gradients = tape.gradient(outputs, (real, imag), [2.0 * tf.ones_like(x) for x in outputs])
    below = np.abs(z) < 1e-6
    for gradient in gradients:
        assert np.all(np.isfinite(gradient))
        assert_array_equal(np.asarray(gradient)[below], 0)
    # d(u v) / dz is the part of v that is across z, over |z|; v = 2 (1, 1)
    unit = z[~below] / np.abs(z[~below])
    across = 1j * unit
    part = 2 * (across.real + across.imag) * across / np.abs(z[~below])
    for gradient, expected in zip(gradients, (part.real, part.imag), strict=True):
        scale = 1e-3 / np.abs(z[~below])
        assert np.all(np.abs(np.asarray(gradient)[~below] - expected) < scale)


# --- training and running -------------------------------------------------------------------------


def garments(n_items, seed=0):
    """Phases of three kinds of things, and what they are."""
    rng = np.random.RandomState(seed)
    labels = rng.randint(3, size=n_items)
    patterns = np.random.RandomState(99).uniform(-0.6, 0.6, (3, 12))
    return patterns[labels] + rng.normal(0, 0.1, (n_items, 12)), labels


def test_training_a_phasor_classifier():
    """The loss falls, the classes are learnt, and freezing and conversion keep them."""
    x, labels = garments(256)
    targets = phases.to_rows(np.where(np.arange(3) == labels[:, None], 0.5, 0))[:, None]
    rows = phases.to_rows(x)[:, None]
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(stateful=False)
        node = nengo.Node(np.zeros(24))
        classifier = PhasorClassifier((12, 10, 3))
        nengo.Connection(node, classifier.input, synapse=None)
        probe = nengo.Probe(classifier.output)
    with nengo_dl.Simulator(net, minibatch_size=32, progress_bar=False) as sim:
        sim.compile(tf.keras.optimizers.Adam(0.02), loss=losses.PhaseCosine())
        history = sim.fit(rows, targets, epochs=12, verbose=0).history["loss"]
        trained = sim.predict(rows)[probe][:, 0]
        sim.freeze_params(net)
    assert history[-1] < 0.3 * history[0]
    got = phases.from_complex(phases.from_rows(trained))
    assert metrics.accuracy(metrics.phase_class(got), labels) > 0.98
    again = layerwise.Simulator(net).predict({node: rows})[probe][:, 0]
    assert_allclose(again, trained, atol=1e-4)
    twin, new = convert.to_spiking(net, ResonateAndFire(threshold=0.1))
    spikes = layerwise.Simulator(twin).predict({new[node]: x[:, None]}, 800)[new[probe]]
    classes = metrics.phase_class(phases.from_raster(spikes, 10, 0.001)[:, -1])
    assert metrics.accuracy(classes, labels) > 0.95


@pytest.mark.parametrize("synapse", [None, ArcSparsifier(0.2, 300)])
def test_a_rhythm_too_fast(synapse):
    neuron = ResonateAndFire(10 if synapse else 300)
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(2, 1, neuron_type=neuron)
        nengo.Connection(nengo.Node([0, 0]), ensemble.neurons, synapse=synapse)
    with pytest.raises(BuildError, match=r"300 Hz.*needs 4: use a frequency of at most 250 Hz"):
        nengo_dl.Simulator(net, progress_bar=False)


def test_just_works_in_a_fresh_interpreter():
    """After ``import nengo_phasor``, as its users write it."""
    script = """
        import nengo, nengo_phasor, numpy as np
        with nengo.Network(seed=0) as net:
            phases = nengo.Node(np.linspace(-0.9, 0.8, 5))
            spikes = nengo.Node(size_in=5)
            nengo.Connection(phases, spikes, synapse=nengo_phasor.PhaseEncoder())
            ens = nengo.Ensemble(4, 1, neuron_type=nengo_phasor.ResonateAndFire())
            w = np.random.RandomState(0).normal(size=(4, 5))
            nengo.Connection(spikes, ens.neurons, transform=w, synapse=None)
            probe = nengo.Probe(ens.neurons, synapse=nengo_phasor.ArcSparsifier(0.3))
        with nengo.Simulator(net, progress_bar=False) as reference:
            reference.run(0.4)
        import nengo_dl
        with nengo_dl.Simulator(net, progress_bar=False) as sim:
            sim.run(0.4)
        a, b = sim.data[probe], reference.data[probe]
        print(np.count_nonzero(a), np.abs(a - b).max())
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(script)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "native TensorFlow" not in done.stderr
    n_spikes, difference = done.stdout.split()[-2:]
    assert int(n_spikes) > 3
    assert float(difference) == 0


def test_is_loaded_with_nengo_dl():
    assert sys.modules["nengo_phasor.dl"] is nengo_phasor.dl


def test_a_nan_is_no_spike():
    """Nor does it come to others: of each spiking type, the neuron that gets it falls silent.

    Neurons that attend mix their inputs.
    """
    mix, n, n_steps = AttendingResonator, 6, 250
    kinds = [k for k in NEURONS if k.spiking and not isinstance(k, mix)]
    with nengo.Network(seed=0) as net:
        node, probes = nengo.Node(np.zeros(n)), []
        for kind in kinds:
            ensemble = nengo.Ensemble(
                n, 1, neuron_type=kind, gain=np.full(n, 9.0), bias=np.zeros(n)
            )
            nengo.Connection(node, ensemble.neurons, synapse=None)
            probes.append(nengo.Probe(ensemble.neurons))
    x = np.random.RandomState(0).normal(3, 90, (2, n_steps, n))
    x[1] = x[0]
    x[1, 20, 1] = np.nan
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(n_steps, data={node: x}, progress_bar=False)
    for probe in probes:
        clean, got = sim.data[probe]
        assert clean[20:].any()
        assert not got[20:, 1].any()
        assert_array_equal(np.delete(got, 1, axis=1), np.delete(clean, 1, axis=1))

import os
import subprocess
import sys

import nengo
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from nengo_phasor import (
    AdaptiveSpiking,
    AssumeReference,
    FieldSparsifier,
    PhaseEncoder,
    metrics,
    phases,
)
from nengo_phasor.layerwise import compiled, kernels
from tests.registry import NEURONS, SYNAPSES, N, inputs, name

DT = 0.001


def batch(obj, n_steps, n_items=3):
    """Inputs of shape (n_steps, n_items, N)."""
    return np.stack([inputs(obj, n_steps, seed=seed) for seed in range(n_items)], axis=1)


def test_spikes_there_and_back():
    dense = np.random.RandomState(0).poisson(0.1, (7, 3, 5)).astype(float)
    got = kernels.spikes(dense)
    assert sparse.issparse(got)
    assert got.has_canonical_format
    assert got.nnz == np.count_nonzero(dense)
    assert_array_equal(got.toarray().reshape(dense.shape), dense)


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 2, 3)])
def test_no_spikes(shape):
    assert kernels.spikes(np.zeros(shape)).shape == (shape[0] * shape[1], shape[2])


# --- spike synapses -------------------------------------------------------------------------------


@pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
def test_ways_through_a_synapse_agree(synapse):
    """Sparse, dense and stepping through one item after the other."""
    x = batch(synapse, 350)
    items = np.array([0, 4, 2])
    dense = kernels.through_steps(synapse, x, DT, items, 350)
    assert dense.any()
    got = kernels.through(synapse, kernels.spikes(x), DT, items, 350)
    assert_array_equal(got.toarray().reshape(x.shape), dense)
    if hasattr(synapse, "seed") and synapse.seed is None:
        return
    assert_array_equal(dense[:, 0], synapse.filt(x[:, 0], dt=DT))  # item 0 is Nengo's


@pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
def test_silence_through_a_synapse(synapse):
    got = kernels.through(synapse, kernels.spikes(np.zeros((120, 2, 3))), DT, np.arange(2), 120)
    expected = synapse.filt(np.zeros((120, 3)), dt=DT)
    for item in range(2):
        assert_array_equal(got.toarray().reshape(120, 2, 3)[:, item], expected)


def test_repeated_signal_through_steps():
    """A signal of one cycle stands for all of them."""
    x = batch(FieldSparsifier(0.5), 100)
    got, expected = (
        kernels.through_steps(FieldSparsifier(0.3), signal, DT, np.arange(3), 250)
        for signal in (x, np.tile(x, (3, 1, 1)))
    )
    assert_array_equal(got, expected)


def test_assumption_of_irregular_trains():
    """Several spikes in a cycle, some in the reference's step, and a window that ends early."""
    x = np.random.RandomState(0).poisson(0.02, (333, 2, 4)) * 1000.0
    x[50, :, 0] = 1000
    dense = kernels.through_steps(AssumeReference(), x, DT, np.arange(2), 333)
    got = kernels.through(AssumeReference(), kernels.spikes(x), DT, np.arange(2), 333)
    assert dense.min() < 0
    np.testing.assert_allclose(got.toarray().reshape(x.shape), dense, atol=1e-9)


@pytest.mark.parametrize("frequency", [10, 7, 1000 / 4, 33.3])
@pytest.mark.parametrize("n_steps", [1, 30, 100, 101, 457])
def test_encoded_constant(frequency, n_steps):
    """A cycle of whole steps is given once; NaN gives nothing."""
    phase = np.random.RandomState(0).uniform(-1, 1, (3, 8))
    phase[0, :4] = np.nan, -1, 1 - 1e-9, 3.25
    encoder = PhaseEncoder(frequency, amplitude=2)
    got = kernels.encode_constant(encoder, phase, DT, n_steps, "float32")
    assert got.dtype == np.float32
    steps = got.toarray().reshape(-1, 3, 8)
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
    constants = kernels.Filter.of(synapse, DT, x.dtype)
    state = np.zeros((constants.n_states, 2, 3))
    parts = [kernels.filtered(constants, x, n_steps, state) for n_steps in (50, 50, 30)]
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-12, atol=1e-12)


compiled_neurons = [n for n in NEURONS if type(n) in compiled.WINDOWS]


def initial_states(neuron, n_items=3, dtype=float):
    states = neuron.make_state(N, rng=np.random.RandomState(0), dtype=dtype)
    return np.repeat(np.array(list(states.values()))[:, None], n_items, axis=1)


@pytest.mark.parametrize("neuron", compiled_neurons, ids=name)
@pytest.mark.parametrize("n_inputs", [1, 40, 300])
def test_window_of_neurons(neuron, n_inputs):
    """Exactly the neurons' own steps and states, also for an input that repeats."""
    J, n_steps = batch(neuron, 300)[:n_inputs], 300
    states = initial_states(neuron)
    expected, others = np.zeros((n_steps, 3, N)), states.copy()
    got = kernels.spiking_window(neuron, DT, J, n_steps, states)
    for k in range(n_steps):
        arguments = dict(zip(neuron.state, others, strict=True))
        neuron.step(DT, J[k % n_inputs], expected[k], **arguments)
    assert_array_equal(got.toarray().reshape(n_steps, 3, N), expected)
    assert_array_equal(states, others)
    assert got.has_canonical_format
    assert got.nnz or n_inputs == 1


@pytest.mark.parametrize("neuron", compiled_neurons, ids=name)
def test_window_in_single_precision(neuron):
    J = batch(neuron, 400)
    got, double = (
        kernels.spiking_window(neuron, DT, J.astype(t), 400, initial_states(neuron, dtype=t))
        for t in ("float32", "float64")
    )
    assert got.dtype == np.float32
    assert metrics.spike_agreement(*(x.toarray().T for x in (got, double)), within=1) > 0.99


def test_window_of_many_spikes():
    """More than there is room for at first."""
    neuron = AdaptiveSpiking(0.03)
    J = np.full((1, 2, 9), 30.0)
    got = kernels.spiking_window(neuron, DT, J, 200, np.zeros((3, 2, 9)))
    assert got.nnz > 0.8 * 200 * 18
    assert_array_equal(np.diff(got.indptr) % 9, 0)


# --- convolution ----------------------------------------------------------------------------------

CONVOLUTIONS = [
    {"n_filters": 2, "input_shape": (6, 5, 3)},
    {"n_filters": 2, "input_shape": (3, 6, 5), "channels_last": False},
    {"n_filters": 3, "input_shape": (7, 6, 1), "strides": (2, 3)},
    {"n_filters": 3, "input_shape": (7, 6, 2), "strides": (2, 2), "padding": "same"},
    {"n_filters": 2, "input_shape": (2, 7, 6), "channels_last": False, "padding": "same"},
    {"n_filters": 2, "input_shape": (8, 8, 1), "kernel_size": (4, 2), "padding": "same"},
    {"n_filters": 4, "input_shape": (5, 2), "kernel_size": (2,), "strides": (1,)},
    {
        "n_filters": 4,
        "input_shape": (9, 2),
        "kernel_size": (1,),
        "strides": (4,),
        "padding": "same",
    },
    {"n_filters": 6, "input_shape": (4, 4, 4), "groups": 2},
    {"n_filters": 4, "input_shape": (4, 5, 4), "groups": 4, "channels_last": False},
    {"n_filters": 2, "input_shape": (4, 3, 3, 2), "kernel_size": (2, 2, 2), "strides": (1, 2, 1)},
]


@pytest.mark.parametrize("arguments", CONVOLUTIONS, ids=lambda a: "-".join(map(str, a.values())))
def test_convolution(arguments):
    """Against the operator of nengo.Simulator."""
    transform = nengo.Convolution(**arguments)
    if transform.dimensions > 2:  # beyond what Nengo runs: the definition, place by place
        kernel = transform.sample(rng=np.random.RandomState(0))
        x = np.random.RandomState(1).normal(size=transform.input_shape.shape)
        expected = np.zeros(transform.output_shape.shape)
        for place in np.ndindex(expected.shape[:-1]):
            corner = np.multiply(place, transform.strides)
            part = x[tuple(map(slice, corner, corner + transform.kernel_size))]
            expected[place] = np.tensordot(part, kernel, axes=kernel.ndim - 1)
        x, expected = x.ravel(), expected.ravel()
    else:
        with nengo.Network(seed=0) as net:
            x = np.random.RandomState(1).normal(size=transform.size_in)
            relay = nengo.Node(size_in=transform.size_out)
            connection = nengo.Connection(nengo.Node(x), relay, transform=transform, synapse=None)
            probe = nengo.Probe(relay)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(1)
        kernel, expected = sim.data[connection].weights, sim.data[probe][0]
    matrix = kernels.convolution_matrix(transform, kernel)
    assert matrix.shape == (transform.size_out, transform.size_in)
    np.testing.assert_allclose(matrix @ x, expected, rtol=1e-12, atol=1e-12)
    result = np.ones((1, 2, transform.size_out))
    signal = np.stack([x, 2 * x])[None]
    linear_map = kernels.convolution(transform, kernel, np.dtype(float))
    assert isinstance(linear_map, kernels.ConvolvedWith) == (
        transform.dimensions == 2 and transform.channels_last
    )
    assert kernels.size_out(linear_map, transform.size_in) == transform.size_out
    for sent in (signal, kernels.spikes(signal)):
        kernels.add(result, sent, linear_map)
    np.testing.assert_allclose(result[0, 0], 1 + 2 * expected, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(result[0, 1], 1 + 4 * expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("linear_map", ["identity", "dense", "sparse"])
def test_linear_maps(linear_map):
    """Dense and sparse signals, against a product."""
    rng = np.random.RandomState(0)
    matrix = {"identity": np.eye(5)}.get(linear_map, rng.normal(size=(5, 4)))
    given = {"identity": None, "dense": matrix, "sparse": sparse.csr_matrix(matrix)}[linear_map]
    x = rng.poisson(0.3, (7, 3, 5)).astype(float)
    result = np.full((7, 3, matrix.shape[1]), 0.5)
    for signal in (x, kernels.spikes(x)):
        kernels.add(result, signal, given)
    np.testing.assert_allclose(result, 0.5 + 2 * x @ matrix, rtol=1e-12)
    assert kernels.size_out(given, 5) == matrix.shape[1]


def test_phases_of_encoded_constant():
    phase = np.linspace(-1, 0.99, 9)[None]
    spikes = kernels.encode_constant(PhaseEncoder(), phase, DT, 100, "float64").toarray()
    decoded = phases.from_raster(spikes, 10, DT)[0]
    assert np.abs(phases.difference(decoded, phase[0])).max() <= 0.01 + 1e-9


SECOND = """
import numpy as np
from nengo_phasor import layerwise
from nengo_phasor.layerwise import compiled
from nengo_phasor.neurons import ResonateAndFire
c = ResonateAndFire().constants(0.001)
c = type(c)(*map(np.float64, c))
run = compiled.window_of(compiled.resonate_and_fire_row, {sources!r})
run(np.ones((3, 4)), 3, 4, np.zeros((2, 4)), c)
print(sum(run.stats.cache_hits.values()), sum(run.stats.cache_misses.values()))
"""


def test_second_process_compiles_nothing_unless_sources_changed(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def hits_and_misses(sources):
        code = SECOND.format(sources=sources)
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert hits_and_misses("as it is") == ["0", "1"]
    assert hits_and_misses("as it is") == ["1", "0"]
    assert hits_and_misses("changed") == ["0", "1"]
    assert hits_and_misses(None) == hits_and_misses(None) == ["0", "1"], "kept unasked"

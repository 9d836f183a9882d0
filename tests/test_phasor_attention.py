"""Attention between symbols of phasors: its equations, its gradients, its spiking twin."""

import inspect

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    ArcSparsifier,
    AttendingPhasor,
    AttendingResonator,
    PhaseEncoder,
    ResonateAndFire,
    RhythmSparsifier,
    convert,
    gradients,
    layerwise,
    phases,
    vsa,
)
from nengo_phasor.layerwise import portions
from nengo_phasor.networks import PhasorAttention

KINDS = pytest.mark.parametrize(
    ("beta", "n_context"), [(None, None), (3.0, None), (None, 4), (3.0, 2)]
)


def attending(n=3, size_in=5, size_out=7, seed=0, **kwargs):
    """A block between a node and a probe, and a second node for its context."""
    with nengo.Network(seed=seed) as net:
        net.config[nengo.Connection].synapse = None
        net.block = PhasorAttention(n, size_in, size_out, **kwargs)
        net.inputs = [nengo.Node(np.zeros(net.block.input.size_in))]
        nengo.Connection(net.inputs[0], net.block.input)
        if net.block.context is not net.block.input:
            net.inputs.append(nengo.Node(np.zeros(net.block.context.size_in)))
            nengo.Connection(net.inputs[1], net.block.context)
        net.seen = nengo.Probe(net.block.output)
    return net


def random_phases(net, n_items, seed=0):
    """Phases of each of the network's inputs, (n_items, n)."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (n_items, node.size_out // 2)) for node in net.inputs]


def fed(net, x):
    return {node: phases.to_rows(phase)[:, None] for node, phase in zip(net.inputs, x, strict=True)}


def output(net, x):
    """The phases that come out of the phase domain, (n_items, n * size_out)."""
    with layerwise.Simulator(net, dtype="float64", progress_bar=False) as sim:
        rows = sim.predict(fed(net, x))[net.seen][:, 0]
    assert_allclose(np.abs(phases.from_rows(rows)), 1)
    return phases.from_complex(phases.from_rows(rows))


def away(a, b):
    return np.abs(phases.difference(a, b))


# --- the phase domain -----------------------------------------------------------------------------


@KINDS
def test_against_the_equations(beta, n_context):
    """Symbol by symbol, with the similarity of `vsa`."""
    net = attending(beta=beta, n_context=n_context)
    x = random_phases(net, 2)
    with nengo.Simulator(net, progress_bar=False) as sim:
        layers = (net.block.queries, net.block.keys, net.block.values)
        W = [sim.data[layer.weights].weights.reshape(5, 7) for layer in layers]
    got = output(net, x).reshape(2, 3, 7)
    for item in range(2):
        symbols = [phase[item].reshape(-1, 5) for phase in (x[0], x[-1], x[-1])]
        q, k, v = (
            phases.from_complex(np.exp(1j * np.pi * p) @ w + 1)
            for p, w in zip(symbols, W, strict=True)
        )
        for i in range(3):
            total = np.zeros(7, complex)
            for j in range(len(k)):
                s = vsa.similarity(q[i], k[j])
                a = s if beta is None else np.exp(beta * s) / len(k)
                total += a * phases.to_complex(v[j])
            assert away(got[item, i], phases.from_complex(total)).max() < 1e-9


def test_parts():
    block = PhasorAttention(3, 4, label="first", seed=4)
    assert block.label == "first"
    assert block.seed == 4
    assert block.output_shape == (3, 1, 4)
    assert block.input.size_in == block.output.size_out == 2 * 3 * 4
    assert block.context is block.input
    assert block.units.neuron_type == AttendingPhasor(3, 3)
    assert block.queries.weights.transform.kernel_shape == (1, 1, 1, 4, 4)


def test_example_of_the_docstring():
    text = inspect.getdoc(PhasorAttention).partition("are the symbols::\n\n")[2]
    names = {}
    exec(inspect.cleandoc(text), names)
    with layerwise.Simulator(names["net"], progress_bar=False) as sim:
        x = phases.to_rows(np.random.default_rng(0).uniform(0, 0.5, (2, 1, 28 * 28)))
        seen = sim.predict({names["image"]: x})[names["output"]]
    assert_allclose(np.abs(phases.from_rows(seen)), 1, rtol=1e-5)


def test_without_phases_nothing_is_attended():
    """A value without a phase adds nothing; a query without one gets nothing."""
    rng = np.random.default_rng(0)
    z = np.exp(1j * np.pi * rng.uniform(-1, 1, (2 + 3 + 3, 4)))
    z[0] = z[-1] = 0

    def attended(neurons, z):
        out = np.zeros(2 * z.size)
        neurons.step(0.001, rows(z), out)
        return phases.from_rows(out).reshape(z.shape)

    y = attended(AttendingPhasor(2, 3), z)
    assert not y[0].any()
    assert_allclose(y[1], attended(AttendingPhasor(2, 2), z[[0, 1, 2, 3, 5, 6]])[1])
    assert not y[2:].any()


def rows(z):
    return np.concatenate([z.real.ravel(), z.imag.ravel()])


# --- training -------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [None, 2.5])
def test_gradients_against_finite_differences(beta):
    rng = np.random.default_rng(0)
    neurons = AttendingPhasor(2, 3, beta)
    z = rng.normal(size=(4, 2, 8, 5))  # items, parts, symbols, units
    by_output = rng.normal(size=(4, 2, 2, 5))

    def loss(z):
        out = np.zeros((4, z[0].size))
        neurons.step(0.001, z.reshape(4, -1), out)
        return np.sum(out.reshape(z.shape)[:, :, :2] * by_output, axis=(1, 2, 3))

    found = np.stack(
        gradients.attend_phasors(
            np, z[:, 0], z[:, 1], by_output[:, 0], by_output[:, 1], 2, beta, 1e-6
        ),
        axis=1,
    )
    for place in np.ndindex(z.shape[1:]):
        step = np.zeros_like(z)
        step[(slice(None), *place)] = 1e-6
        expected = (loss(z + step) - loss(z - step)) / 2e-6
        assert_allclose(found[(slice(None), *place)], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("beta", "n_context"), [(None, None), (3.0, 4)])
def test_gradients_as_in_nengo_dl(beta, n_context):
    """One step of gradient descent moves all weights and biases alike."""
    nengo_dl = pytest.importorskip("nengo_dl")
    tf = pytest.importorskip("tensorflow")
    net = attending(beta=beta, n_context=n_context)
    x, rng = fed(net, random_phases(net, 4)), np.random.default_rng(1)
    y = {net.seen: phases.to_rows(rng.uniform(-1, 1, (4, 3 * 7)))[:, None]}
    connections = [c for c in net.all_connections if c.has_weights]

    def moved(sim):
        def arrays():
            return {c: np.array(sim.data[c].weights, float) for c in connections}

        sim.compile(tf.keras.optimizers.SGD(1.0), loss={net.seen: "mse"})
        before = arrays()
        sim.fit(x, y, verbose=0)
        return {c: before[c] - value for c, value in arrays().items()}

    with nengo_dl.Simulator(net, minibatch_size=4, seed=0, progress_bar=False) as sim:
        expected = moved(sim)
    with layerwise.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        found = moved(sim)
    for layer in (net.block.queries, net.block.keys, net.block.values):
        for connection in (layer.weights, layer.bias):
            size = np.abs(expected[connection]).max()
            assert size > 1e-5
            assert_allclose(found[connection], expected[connection], rtol=1e-3, atol=1e-4 * size)


def test_it_learns_to_look_up():
    """Keys say which value a query asks for: the mean of all values would not do."""
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    n, d = 4, 16
    net = attending(n, d, d, beta=3.0, n_context=n)
    keys = vsa.random(8, d // 2, seed=1)
    chosen = np.array([rng.permutation(8)[:n] for _ in range(300)])
    values = rng.uniform(-1, 1, (300, n, d // 2))
    context = np.concatenate([keys[chosen], values], axis=-1)
    order = np.argsort(rng.random((300, n)), axis=1)
    asked = np.take_along_axis(context, order[..., None], axis=1)
    query = np.concatenate([asked[..., : d // 2], np.zeros((300, n, d // 2))], axis=-1)
    with net:
        wanted = nengo.Node(size_in=net.block.output.size_out // 2)
        places = np.arange(2 * n * d).reshape(2, n, d)[..., d // 2 :].ravel()
        wanted = nengo.Probe(net.block.output[places])
    x = fed(net, [query.reshape(300, -1), context.reshape(300, -1)])
    y = phases.to_rows(asked[..., d // 2 :].reshape(300, -1))[:, None]
    with layerwise.Simulator(net, minibatch_size=25, progress_bar=False, seed=0) as sim:
        sim.compile(tf.keras.optimizers.Adam(0.01), loss={wanted: "mse"})
        before = sim.evaluate(x, {wanted: y}, verbose=0)["loss"]
        sim.fit(x, {wanted: y}, epochs=30, verbose=0)
        after = sim.evaluate(x, {wanted: y}, verbose=0)["loss"]
    assert before > 0.8
    assert after < 0.3


# --- spikes ---------------------------------------------------------------------------------------


def twin(net, *args, **kwargs):
    """The spiking network, its inputs, and the probe of its output."""
    spiking, new = convert.to_spiking(net, *args, **kwargs)
    return spiking, [new[node] for node in net.inputs], new[net.seen]


@pytest.mark.parametrize(("beta", "n_context"), [(None, None), (3.0, None), (3.0, 10)])
def test_spiking_twin(beta, n_context):
    """At 100 steps a cycle, of 16 symbols of 16 units: within a step for most, 3 for 95 %."""
    net = attending(16, 16, 16, seed=1, beta=beta, n_context=n_context)
    x = random_phases(net, 6, seed=3)
    spiking, inputs, probe = twin(net)
    data = {node: phase[:, None] for node, phase in zip(inputs, x, strict=True)}
    with layerwise.Simulator(spiking, dtype="float64", progress_bar=False) as sim:
        spikes = sim.predict(data, n_steps=2000)[probe]
    decoded = phases.from_raster(spikes, 10, 0.001)[:, -2]
    off = away(decoded, output(net, x)) * 50
    assert not np.isnan(off).any()
    assert np.median(off) < 0.8
    assert np.mean(off < 1) > 0.6
    assert np.quantile(off, 0.95) < 3


def test_similarity_is_a_slow_signal():
    """It is that of the phases, and constant once the rhythm is steady."""
    rng = np.random.default_rng(0)
    n, m, d = 3, 4, 50
    neurons, symbols = AttendingResonator(n, m), rng.uniform(-1, 1, (n + 2 * m, d))
    raster = phases.to_raster(symbols.ravel(), 10, 4, 0.001)
    state = neurons.make_state(symbols.size, rng=np.random.RandomState(0), dtype=float)
    output, seen = np.zeros(symbols.size), []
    for spikes in raster:
        neurons.step(0.001, spikes / 0.001, output, **state)
        seen.append(state["held"].mean(axis=1))
    expected = vsa.similarity(symbols[:n, None], symbols[None, n : n + m])
    assert_allclose(seen[-1], expected, atol=0.01)  # phases are in whole steps of 0.02
    assert np.ptp(seen[200:], axis=0).max() < 1e-12


def test_a_missing_spike_leaves_what_is_held():
    """A query that falls silent attends as before."""
    neurons = AttendingResonator(1, 2)
    raster = phases.to_raster([0.1, 0.3, -0.8, 0.2, 0.7], 10, 6, 0.001)
    raster[300:, 0] = False
    state = neurons.make_state(5, rng=np.random.RandomState(0), dtype=float)
    output = np.zeros(raster.shape)
    for spikes, out in zip(raster, output, strict=True):
        neurons.step(0.001, spikes / 0.001, out, **state)
    times = np.flatnonzero(output[:, 0])
    assert np.all(np.abs(np.diff(times)[2:] - 100) <= 1)
    assert times[-1] > 500


def test_unit_has_the_mean_state():
    """Of a rhythm: the last of (n + 2 m) d + 1 neurons."""
    neurons, n, m, d = AttendingResonator(3, 4, beta=2.0), 3, 4, 5
    phase = np.random.default_rng(0).uniform(-0.4, 0.4, (n + 2 * m) * d)
    raster = np.pad(phases.to_raster(phase, 10, 4, 0.001), ((0, 0), (0, 1)))
    state = neurons.make_state(len(phase) + 1, rng=np.random.RandomState(0), dtype=float)
    output = np.zeros(raster.shape)
    for spikes, out in zip(raster, output, strict=True):
        neurons.step(0.001, spikes / 0.001, out, **state)
        for name in ("voltage", "current"):
            assert_allclose(state[name][-1], state[name][: n * d].mean(), atol=1e-12)
    assert np.count_nonzero(output[200:, -1]) == 2
    with nengo.Network(seed=0) as net:
        node = nengo.Node(nengo.processes.PresentInput(raster / 0.001, 0.001))
        ensemble = nengo.Ensemble(len(phase) + 1, 1, neuron_type=neurons)
        nengo.Connection(node, ensemble.neurons, synapse=None)
        probe = nengo.Probe(ensemble.neurons)
    with layerwise.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(len(raster))
    assert_array_equal(sim.data[probe][0], output)


@pytest.mark.parametrize("substrate", ["layerwise", "nengo_dl"])
@pytest.mark.parametrize(("beta", "n_context"), [(None, None), (3.0, 4)])
def test_the_twin_is_the_same_everywhere(substrate, beta, n_context):
    """Spike for spike, with neurons of other parameters, which those that attend share."""
    net = attending(beta=beta, n_context=n_context, seed=1)
    neuron_type = ResonateAndFire(20, threshold=0.2, amplitude=2)
    spiking, inputs, probe = twin(net, neuron_type)
    for node, phase in zip(inputs, random_phases(net, 1), strict=True):
        node.output = phase[0]
    (attending_type,) = (
        e.neuron_type for e in spiking.all_ensembles if type(e.neuron_type) is AttendingResonator
    )
    m = n_context or 3
    assert attending_type == AttendingResonator(3, m, beta, 20, threshold=0.2, amplitude=2)
    if substrate == "nengo_dl":
        nengo_dl = pytest.importorskip("nengo_dl")
        with spiking:
            nengo_dl.configure_settings(dtype="float64")
        other = nengo_dl.Simulator(spiking, progress_bar=False)
    else:
        other = layerwise.Simulator(spiking, dtype="float64", progress_bar=False)
    with nengo.Simulator(spiking, progress_bar=False) as sim, other:
        sim.run_steps(300)
        other.run_steps(300)
        found = np.reshape(other.data[probe], sim.data[probe].shape)
    assert np.count_nonzero(sim.data[probe]) > 40
    assert_array_equal(found, sim.data[probe])


def test_blocks_of_time_and_items_change_nothing(monkeypatch):
    """Many items and steps, of which a few run at once."""
    net = attending(beta=2.0, seed=1)
    (x,) = random_phases(net, 7)
    spiking, (node,), probe = twin(net)
    found = []
    for size in (portions.BLOCK_BYTES, 40_000):
        monkeypatch.setattr(portions, "BLOCK_BYTES", size)
        with layerwise.Simulator(spiking, progress_bar=False) as sim:
            found.append(sim.predict({node: x[:, None]}, n_steps=500)[probe])
    assert np.count_nonzero(found[0]) > 500
    assert_array_equal(*found)


def test_a_sparsifier_in_the_block():
    """It acts on queries, keys and values as on every layer, and on the output."""
    net = attending(8, 16, 16, seed=1)
    x = random_phases(net, 2)
    counts = []
    for sparsifier in (None, ArcSparsifier(0.3)):
        spiking, (node,), probe = twin(net, sparsifier=sparsifier)
        with layerwise.Simulator(spiking, progress_bar=False) as sim:
            counts.append(np.count_nonzero(sim.predict({node: x[0][:, None]}, 1000)[probe]))
    assert 0 < counts[1] < 0.9 * counts[0]


def test_a_rhythm_without_a_clock():
    """Its unit is the last neuron: it has the mean state, and spikes once a cycle."""
    net = attending(8, 16, 16, beta=3.0, seed=1)
    (x,) = random_phases(net, 1)
    spiking, new = convert.to_spiking(net, rhythm=RhythmSparsifier(0.2), assume_reference=True)
    new[net.inputs[0]].output = 0.4 * x[0]
    layer = new[net.block.units.neurons].layer
    with spiking:
        unit = nengo.Probe(new[net.block.units.neurons].reference)
        voltage = nengo.Probe(layer, "voltage")
    with nengo.Simulator(spiking, progress_bar=False) as sim:
        sim.run_steps(1500)
    states = sim.data[voltage]
    assert_allclose(states[:, -1], states[:, : 8 * 16].mean(axis=1), atol=1e-12)
    times = np.flatnonzero(sim.data[unit][500:])
    assert len(times) == 10
    assert np.all(np.abs(np.diff(times) - 100) <= 1)
    spiking.probes.remove(voltage)
    with layerwise.Simulator(spiking, dtype="float64", progress_bar=False) as other:
        other.run_steps(1500)
    for probe in (unit, new[net.seen]):
        assert_array_equal(other.data[probe][0], sim.data[probe])


def on_emulator(on_chip):
    """The twin on the emulator, with layers on the chip or none."""
    nengo_loihi = pytest.importorskip("nengo_loihi")
    net = attending(2, 2, 2)
    spiking, (node,), probe = twin(net)
    node.output = random_phases(net, 1)[0][0]
    with spiking:
        nengo.Ensemble(1, 1, neuron_type=ResonateAndFire(9), label="on the chip")
    nengo_loihi.add_params(spiking)
    for ensemble in spiking.all_ensembles:
        if ensemble.neuron_type == ResonateAndFire():
            spiking.config[ensemble].on_chip = on_chip
    with nengo.Simulator(spiking, progress_bar=False) as sim:
        sim.run_steps(300)
    with nengo_loihi.Simulator(spiking, target="sim", progress_bar=False) as emulated:
        emulated.run_steps(300)
    return sim.data[probe], emulated.data[probe]


def test_emulator_runs_it_on_the_host():
    expected, found = on_emulator(False)
    assert expected.any()
    assert_array_equal(found, expected)


def test_emulator_refuses_late_spikes():
    with pytest.raises(BuildError, match=r"AttendingResonator neurons.*late, here by \d steps"):
        on_emulator(True)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_symbols": 0}, "n_symbols: must be a positive integer, got 0"),
        ({"size_in": 0}, "size_in: must be a positive integer, got 0"),
        ({"size_out": 0}, "size_out: must be a positive integer, got 0"),
        ({"size_out": 2.5}, "size_out: must be a positive integer, got 2.5"),
        ({"n_context": 0}, "n_context: must be a positive integer, got 0"),
        ({"n_symbols": True}, "n_symbols: must be a positive integer, got True"),
    ],
)
def test_bad_sizes(kwargs, message):
    """Attention over nothing, among others."""
    with pytest.raises(ValidationError, match=rf"PhasorAttention\.{message}"):
        PhasorAttention(**{"n_symbols": 3, "size_in": 4, **kwargs})


@pytest.mark.parametrize("beta", [0, -1, np.nan, np.inf, "sharp"])
def test_bad_sharpness(beta):
    with pytest.raises(ValidationError, match=r"beta.*"):
        PhasorAttention(3, 4, beta=beta)


@pytest.mark.parametrize(
    ("neurons", "n_neurons", "multiple"),
    [(AttendingPhasor(2, 4), n, 20) for n in (2, 41, 36)] + [(AttendingResonator(2, 4), 12, 10)],
)
def test_number_of_neurons(neurons, n_neurons, multiple):
    with nengo.Network() as net:
        nengo.Ensemble(n_neurons, 1, neuron_type=neurons)
    with pytest.raises(BuildError, match=f"{n_neurons} neurons.*a multiple of {multiple}"):
        nengo.Simulator(net, progress_bar=False)


@pytest.mark.parametrize("sender", ["neurons", "encoder"])
def test_different_frequencies(sender):
    """Of neurons that send to a block, or of an encoder before a relay."""
    with nengo.Network() as net:
        attend = nengo.Ensemble(6, 1, neuron_type=AttendingResonator(2, 2)).neurons
        if sender == "neurons":
            keys = nengo.Ensemble(2, 1, neuron_type=ResonateAndFire(20)).neurons
        else:
            keys, source = nengo.Node(size_in=2), nengo.Node([0.1, 0.2])
            nengo.Connection(source, keys, synapse=PhaseEncoder(20))
        nengo.Connection(keys, attend[2:4], synapse=None)
    with pytest.raises(BuildError, match=r"has 20 Hz, but .*which attend, have 10 Hz.*the same"):
        nengo.Simulator(net, progress_bar=False)

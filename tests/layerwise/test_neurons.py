"""Neurons of any type."""

from collections import namedtuple

import nengo
import numpy as np
import pytest
from nengo.dists import Choice, Uniform
from nengo.exceptions import BuildError, ValidationError
from nengo.neurons import NeuronType
from nengo.processes import PresentInput
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    AdaptiveSpiking,
    BindingResonator,
    PhaseEncoder,
    ResonateAndFire,
    layerwise,
    metrics,
    phases,
)
from nengo_phasor.inheritance import entry
from nengo_phasor.layerwise import compiled, recurrent, rows
from tests.layerwise.common import (
    DT,
    assert_same_as_nengo,
    batch,
    connect,
    neurons,
    reference,
    span_of,
    weights,
)
from tests.registry import NEURONS, N, inputs, name, settled

OTHER_NEURONS = (
    nengo.LIF(),
    nengo.LIF(tau_rc=0.01, tau_ref=0.001, amplitude=2, min_voltage=-1),
    nengo.LIFRate(amplitude=0.5),
    nengo.RectifiedLinear(),
    nengo.SpikingRectifiedLinear(amplitude=0.1),
    nengo.AdaptiveLIF(inc_n=0.1),
    nengo.AdaptiveLIFRate(inc_n=0.1),
    nengo.Sigmoid(tau_ref=0.02),
    nengo.Tanh(),
    nengo.Izhikevich(reset_recovery=2),
    nengo.RegularSpiking(nengo.LIFRate()),
    nengo.RegularSpiking(nengo.AdaptiveLIFRate(), amplitude=2),
    nengo.PoissonSpiking(nengo.LIFRate()),
    nengo.PoissonSpiking(nengo.Tanh(tau_ref=0.02)),
    nengo.StochasticSpiking(nengo.RectifiedLinear()),
)


class Own(NeuronType):
    """A user's neuron, which rests on what Nengo promises: each item's own arrays, step by step."""

    negative = False
    spiking = True
    state = {"voltage": Uniform(0, 1)}  # noqa: RUF012

    def gain_bias(self, max_rates, intercepts):
        return np.ones_like(max_rates), np.full_like(max_rates, 0.5)

    def max_rates_intercepts(self, gain, bias):
        return np.ones_like(gain), np.zeros_like(gain)

    def step(self, dt, J, output, voltage):
        assert J.shape == output.shape == voltage.shape == (N,)
        voltage[...] = 0.95 * voltage + 0.05 * J
        output[...] = (voltage > 1) / dt
        voltage[output > 0] = 0


class Winner(Own):
    """Only the strongest neuron of the layer spikes."""

    def step(self, dt, J, output, voltage):
        voltage += dt * J
        output[...] = (np.arange(len(J)) == np.argmax(voltage)) / dt
        voltage[np.argmax(voltage)] = 0


class Latching(Own):
    """Writes only what changes: Nengo's output stays from step to step. It changes its input."""

    def step(self, dt, J, output, voltage):
        J *= 3
        voltage += dt * J
        output[voltage > 1.2] = 1 / dt
        output[J < -6] = 0


class Noisy(Own):
    """Draws from the generator that Nengo's builder hands it, and has states of other shapes."""

    state = {"voltage": Choice([0.1]), "count": Choice([0])}  # noqa: RUF012

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        state = super().make_state(n_neurons, rng=rng, dtype=dtype)
        return {**state, "past": np.zeros((4, n_neurons)), "k": np.zeros((), int), "rng": rng}

    def step(self, dt, J, output, voltage, count, past, k, rng):
        past[k % 4] = J + rng.normal(0, 0.3, J.shape)
        k += 1
        voltage += dt * 9 * past.mean(axis=0)
        output[...] = np.floor(voltage).clip(0) / dt
        count += voltage > 1
        voltage[voltage > 1] = 0


class RateOwn(Own):
    """No spikes."""

    spiking = False
    state = {}  # noqa: RUF012

    def step(self, dt, J, output):
        output[...] = J - J.mean()


class OwnStep(ResonateAndFire):
    """One of ours with a step of its own."""

    def step(self, dt, J, output, voltage, current):
        assert J.ndim == 1
        super().step(dt, J + 0.1 / dt, output, voltage, current)


class OwnConstants(ResonateAndFire):
    """One of ours whose neurons differ, for which the compiled loop has no room."""

    def constants(self, dt):
        c = super().constants(dt)
        return c._replace(threshold=np.linspace(0.05, 0.5, N))


class OwnStepOfNengos(nengo.LIF):
    """One of Nengo's with a step that looks at the layer."""

    def step(self, dt, J, output, voltage, refractory_time):
        assert J.ndim == 1
        super().step(dt, J + J.mean(), output, voltage, refractory_time)


class OwnDefaults(AdaptiveSpiking):
    """Nothing but other defaults: the compiled loop holds."""

    def __init__(self):
        super().__init__(m_f=0.2)


class TwoStages(nengo.RegularSpiking):
    """Spikes of a user's own rates."""

    def step(self, dt, J, output, voltage):
        assert J.ndim == 1
        super().step(dt, 30 * np.abs(J), output, voltage)


OWN_NEURONS = (
    Own(),
    Winner(),
    Latching(),
    Noisy(),
    RateOwn(),
    OwnStep(),
    OwnConstants(),
    OwnStepOfNengos(),
    OwnDefaults(),
    TwoStages(RateOwn()),
    nengo.RegularSpiking(RateOwn(), amplitude=0.1),
)


def test_all_neuron_types_are_tested():
    tested = {type(neuron) for neuron in (*NEURONS, *OTHER_NEURONS)}
    # other tests, such as those of the docs' examples, register types of their own
    shipped = {n for n in rows.TABLE if n.__module__.split(".")[0] in ("nengo", "nengo_phasor")}
    assert shipped <= tested
    assert {n for n in vars(nengo.neurons).values() if is_nengos_own(n)} <= tested


def is_nengos_own(cls):
    """Whether this is a type of Nengo's with a step."""
    return (
        isinstance(cls, type)
        and issubclass(cls, NeuronType)
        and cls not in (NeuronType, nengo.Direct, nengo.neurons.RatesToSpikesNeuronType)
    )


@pytest.mark.parametrize("neuron", OWN_NEURONS, ids=lambda n: type(n).__name__)
def test_own_neurons_of_every_item(neuron):
    """Each item of a batch runs as if alone in Nengo, window by window, in blocks and chunks."""
    with nengo.Network(seed=4) as net:
        node = nengo.Node(np.zeros(N))
        ensemble = nengo.Ensemble(N, 1, neuron_type=neuron, gain=np.ones(N), bias=np.ones(N))
        hidden = connect(node, ensemble.neurons)
        after = connect(hidden, neurons(N), transform=weights(N, N) / 9, synapse=nengo.Alpha(0.01))
        probes = [nengo.Probe(hidden), nengo.Probe(after)]
    data = {node: np.stack([4 * inputs(nengo.LIF(), 200, seed=k) for k in range(5)])}
    sim = layerwise.Simulator(net, threads=2)
    whole, parts, state = sim.predict(data), [], None
    for first, last in ((0, 70), (70, 71), (71, 200)):
        seen, state = sim.advance({node: data[node][:, first:last]}, last - first, state)
        parts.append(seen)
    later, _ = sim.advance({node: data[node][[3, 1]]}, 200, state[np.array([3, 1])])
    for probe in probes:
        assert whole[probe].any()
        assert_array_equal(np.concatenate([part[probe] for part in parts], axis=1), whole[probe])
    for item in range(5):
        node.output = PresentInput(np.concatenate([data[node][item]] * 2), DT)
        expected = reference(net, 400)
        for probe in probes:
            assert_allclose(whole[probe][item], expected[probe][:200], rtol=1e-9, atol=1e-9)
            if item in (1, 3):
                got = later[probe][0 if item == 3 else 1]
                assert_allclose(got, expected[probe][200:], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("base", [Own, Winner, Latching, ResonateAndFire, nengo.Izhikevich])
def test_who_inherits_a_fast_way(base):
    """A class without a method of its own: in all other cases nothing is known of it."""

    class Same(base):
        """Other parameters' defaults at most."""

    class Other(base):
        def step(self, *args, **kwargs):
            super().step(*args, **kwargs)

    known = entry(rows.TABLE, base)
    assert (known is None) == issubclass(base, Own)
    assert entry(rows.TABLE, Same) == known
    assert entry(rows.TABLE, Other) is None


class Elementwise(Own):
    """A step for arrays of any shape."""

    def constants(self, dt):
        return Height(1 / dt)

    def step(self, dt, J, output, voltage):
        seen.add(J.ndim)
        voltage[...] = 0.95 * voltage + 0.05 * J
        output[...] = (voltage >= 1) / dt
        voltage[output > 0] = 0


Height = namedtuple("Height", "height")
seen = set()


def elementwise_row(J, states, fired, c):
    """The loop over a row of such neurons."""
    for j in range(len(J)):
        states[0, j] = 0.95 * states[0, j] + 0.05 * J[j]
        fired[j] = states[0, j] >= 1
        if fired[j]:
            states[0, j] = 0


@pytest.mark.parametrize(
    ("row", "ways"),
    [
        (None, {1}),
        (layerwise.Row(), {2}),
        (layerwise.Row(compiled.window_of(elementwise_row)), set()),
    ],
    ids=["by itself", "in batches", "compiled"],
)
def test_registered(monkeypatch, row, ways):
    """The same spikes whatever is registered, and it is used."""
    monkeypatch.setattr(rows, "TABLE", dict(rows.TABLE))
    if row is not None:
        layerwise.register(Elementwise, row)
    with nengo.Network(seed=4) as net:
        node = nengo.Node(np.zeros(N))
        probe = nengo.Probe(connect(node, neurons(N, Elementwise())))
    x = np.random.RandomState(0).uniform(0, 4, (3, 1, N))
    sim = layerwise.Simulator(net)
    seen.clear()
    got = sim.predict({node: x}, 150)[probe]
    assert seen == ways
    for item in range(3):
        node.output = x[item, 0]
        expected = reference(net, 150)[probe]
        assert expected.any()
        assert_array_equal(got[item], expected)


@pytest.mark.parametrize(
    "value",
    [np.zeros((N, 3)), np.zeros((3, N)), np.zeros(()), np.zeros(N, int), np.random.RandomState(0)],
    ids=["several a neuron", "several of all", "one in all", "integers", "a generator"],
)
def test_states_that_are_not_one_number_a_neuron(monkeypatch, value):
    """Exact by the type's own step; a row has no place for them."""

    class Odd(Own):
        state = {}  # noqa: RUF012

        def make_state(self, n_neurons, rng=np.random, dtype=None):
            return {"odd": value}

        def step(self, dt, J, output, odd):
            assert np.shape(odd) == np.shape(value)
            output[...] = J > 0.5

    monkeypatch.setattr(rows, "TABLE", dict(rows.TABLE))
    with nengo.Network(seed=0) as net:
        probe = nengo.Probe(connect(nengo.Node(np.linspace(0, 1, N)), neurons(N, Odd())))
    with layerwise.Simulator(net, minibatch_size=None) as sim:
        sim.run_steps(3)
    assert_array_equal(sim.data[probe], reference(net, 3)[probe])
    layerwise.register(Odd, layerwise.Row())
    with pytest.raises(BuildError, match=r"Odd neurons .*'odd'.*layerwise\.register\(Odd"):
        layerwise.Simulator(net)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (nengo.LIF(), layerwise.Row()),
            r"neuron_type: must be a subclass.*NeuronType, got LIF\(\)",
        ),
        ((int, layerwise.Row()), "neuron_type: must be a subclass.*NeuronType, got <class 'int'>"),
        ((nengo.LIF, None), r"row: must be a Row, got None"),
        ((Own, layerwise.Row(print)), r"row: has a compiled loop, but Own has no constants\(dt\)"),
    ],
)
def test_what_is_registered(arguments, message):
    with pytest.raises(ValidationError, match=message):
        layerwise.register(*arguments)


def test_a_nan_is_no_spike():
    """Of no spiking type of ours; neurons that do not depend on it are as if it was not there."""
    for neuron in (settled(n) for n in compiled_neurons if n.spiking):
        J = batch(neuron, 200)
        expected, _, _ = run_layer(neuron, J, 200)
        J[50, :, 1] = np.nan
        got, _, states = run_layer(neuron, J, 200)
        got, expected = (x.toarray().reshape(200, 3, N) for x in (got, expected))
        assert not got[50:, :, 1].any()
        expected[50:, :, 1] = 0
        assert_array_equal(got, expected)
        output = np.zeros((200, 3, N))
        for k in range(200):
            neuron.step(DT, J[k], output[k], **dict(zip(neuron.state, states, strict=True)))
        assert_array_equal(output, expected)


@pytest.mark.parametrize("neuron", [*NEURONS, *OTHER_NEURONS], ids=name)
@pytest.mark.parametrize("biased", [False, True])
def test_neurons(neuron, biased):
    """Driven by currents, with Nengo's gains and biases, or given ones."""
    parameters = {"gain": np.linspace(0.5, 2, N), "bias": np.linspace(-1, 9, N)}
    if not biased:
        parameters = {"max_rates": np.linspace(30, 45, N)}

    def build():
        node = nengo.Node(PresentInput(inputs(neuron, 400), DT))
        drive = {"transform": 1 if neuron in NEURONS else 0.005}
        return [connect(node, neurons(N, neuron, **parameters), **drive)]

    assert_same_as_nengo(build)


compiled_neurons = [n for n in NEURONS if (row := entry(rows.TABLE, type(n))) and row.window]


def run_layer(neuron, J, n_steps):
    """Return the output of neurons for a batch of currents, and the states they end in."""
    with nengo.Network(seed=0) as net:
        n = J.shape[-1]
        ensemble = nengo.Ensemble(n, 1, neuron_type=neuron, gain=np.ones(n), bias=np.zeros(n))
    (layer,) = layerwise.Simulator(net, dtype=J.dtype).parts.layers.values()
    assert layer.window
    span = span_of(n_steps, J.shape[1], dtype=J.dtype)
    got = layer.run(J, ensemble, span)
    states = [s.initial_value for s in layer.stages[0].state.values()]
    initial = np.repeat(np.array(states)[:, None], J.shape[1], axis=1)
    return got.values, span.states[ensemble], initial


@pytest.mark.parametrize("neuron", compiled_neurons, ids=name)
@pytest.mark.parametrize("n_inputs", [1, 40, 300])
def test_window_of_neurons(neuron, n_inputs):
    """Exactly the neurons' own steps and states, also for an input that repeats."""
    neuron, J, n_steps = settled(neuron), batch(neuron, 300)[:n_inputs], 300
    got, states, others = run_layer(neuron, J, n_steps)
    expected = np.zeros((n_steps, 3, N))
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
    got, double = (run_layer(neuron, J.astype(t), 400)[0] for t in ("float32", "float64"))
    assert got.dtype == np.float32
    assert metrics.spike_agreement(*(x.toarray().T for x in (got, double)), within=1) > 0.99


@pytest.mark.parametrize("n_neurons", [3, 4, 15, 211, 387])
def test_window_of_layers_that_bind(n_neurons):
    """Item by item their own steps, of any size, with the unit of a rhythm or without it."""
    neuron, n_steps, shape = BindingResonator(), 400, (400, 3, n_neurons)
    spikes = phases.to_raster(np.random.RandomState(0).uniform(-1, 1, shape[1:]), 10, 4, DT)
    J = spikes.reshape(shape) / DT
    J[..., 3 * (n_neurons // 3) :] = 0
    got, states, others = run_layer(neuron, J, n_steps)
    expected = np.zeros(shape)
    for k in range(n_steps):
        for item in range(3):
            neuron.step(DT, J[k, item], expected[k, item], *others[:, item])
    assert_array_equal(got.toarray().reshape(shape), expected)
    assert_allclose(states, others, rtol=0, atol=1e-12)  # a mean may be added up in another order
    rows = expected.sum(axis=(0, 1)) * DT
    n = n_neurons // 3
    assert rows[:n].all()
    assert not rows[n : 3 * n].any()
    assert np.all(rows[3 * n :] >= 6)


def test_a_layer_that_binds_in_a_loop(monkeypatch):
    """Connected to itself, it runs in one compiled loop, with its unit."""
    used, run = [], recurrent.RecurrentLayer.run
    monkeypatch.setattr(recurrent.RecurrentLayer, "run", lambda *a: used.append(a) or run(*a))
    rng, n = np.random.RandomState(0), 22
    with nengo.Network(seed=0) as net:
        spikes = nengo.Node(size_in=n - 1)
        given = nengo.Node(rng.uniform(-1, 1, n - 1))
        nengo.Connection(given, spikes, synapse=PhaseEncoder())
        layer = nengo.Ensemble(n, 1, neuron_type=BindingResonator()).neurons
        nengo.Connection(spikes, layer[: n - 1], synapse=None)
        nengo.Connection(layer, layer, transform=rng.normal(0, 0.2, (n, n)), synapse=0.01)
        probe = nengo.Probe(layer)
    expected = reference(net, 600)[probe]
    with layerwise.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(600)
    assert_array_equal(sim.data[probe][0], expected)
    assert used
    assert expected[:, :7].any()
    assert expected[:, -1].any()


def test_window_of_many_spikes():
    """More than there is room for at first."""
    got, _, _ = run_layer(AdaptiveSpiking(0.03), np.full((1, 2, 9), 30.0), 200)
    assert got.nnz > 0.8 * 200 * 18
    assert_array_equal(np.diff(got.indptr) % 9, 0)

"""A user's types in NengoDL: they run by their own equations, as in Nengo, or are refused."""

import warnings

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import synapses
from tests.registry import TYPES, N, inputs

nengo_dl = pytest.importorskip("nengo_dl")
tf = pytest.importorskip("tensorflow")

from nengo_dl.neuron_builders import TFNeuronBuilder  # noqa: E402
from nengo_dl.process_builders import GenericProcessBuilder  # noqa: E402

from nengo_phasor import dl  # noqa: E402
from nengo_phasor.dl.tables import NEURONS, PROCESSES  # noqa: E402

N_STEPS, DT = 200, 0.001
NEURON_TYPES = [cls for cls in TYPES if issubclass(cls, nengo.neurons.NeuronType)]
SPIKE_SYNAPSES = [cls for cls in TYPES if issubclass(cls, synapses.SpikeSynapse)]


def both(*objects, series=None):
    """What Nengo and NengoDL make of neurons or synapses, and if anything ran in Python."""
    with nengo.Network(seed=1) as net:
        nengo_dl.configure_settings(dtype="float64")
        probes = []
        for obj in objects:
            signal = inputs(obj, N_STEPS) if series is None else series
            node = nengo.Node(nengo.processes.PresentInput(signal, DT))
            if isinstance(obj, nengo.neurons.NeuronType):
                ones = np.ones(N)
                target = nengo.Ensemble(N, 1, neuron_type=obj, gain=ones, bias=0 * ones).neurons
                nengo.Connection(node, target, synapse=None)
            else:
                target = nengo.Node(size_in=N)
                nengo.Connection(node, target, synapse=obj)
            probes.append(nengo.Probe(target))
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with nengo_dl.Simulator(net, progress_bar=False) as deep:
            deep.run_steps(N_STEPS)
    fell_back = [str(w.message) for w in caught if "native TensorFlow" in str(w.message)]
    return [sim.data[p] for p in probes], [deep.data[p] for p in probes], fell_back


# --- subclasses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("parent", NEURON_TYPES)
def test_a_subclass_of_neurons(parent):
    """One that changes nothing runs as its parent; one with another step by that step."""

    class Same(parent):
        pass

    class Half(parent):
        def step(self, dt, J, output, **state):
            super().step(dt, J, output, **state)
            output[...] *= 0.5

    needed = TYPES[parent].needed
    expected, found, fell_back = both(parent(**needed), Same(**needed), Half(**needed))
    assert expected[0].any()
    assert_array_equal(expected[1], expected[0])
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, atol=1e-9)
    assert not np.allclose(found[2], found[0])
    assert len(fell_back) == 1
    assert "Half does not have" in fell_back[0]
    assert "nengo_phasor.dl.register(Half, builder)" in fell_back[0]


@pytest.mark.parametrize("parent", [cls for cls in NEURON_TYPES if hasattr(cls, "constants")])
def test_neurons_with_other_constants(parent):
    """The step is the parent's, in TensorFlow; its constants are the subclass's."""

    class Loud(parent):
        def constants(self, dt):
            c = super().constants(dt)
            return c._replace(height=3 * c.height)

    needed = TYPES[parent].needed
    expected, found, fell_back = both(parent(**needed), Loud(**needed))
    assert_array_equal(found[1], 3 * found[0])
    assert_array_equal(found[1], expected[1])
    assert found[1].any()
    assert not fell_back


@pytest.mark.parametrize("parent", SPIKE_SYNAPSES)
def test_a_subclass_of_spike_synapses(parent):
    """By its own ``advance``, or by its own ``make_step``; or as its parent."""

    class Same(parent):
        pass

    class Double(parent):
        def advance(self, xp, tick, x, c, *state):
            output, *new = super().advance(xp, tick, x, c, *state)
            return 2.0 * output, *new

    class Nothing(parent):
        def make_step(self, shape_in, shape_out, dt, rng, state):
            return lambda t, x: 0.0 * x

    arguments = {**TYPES[parent].needed, **({"seed": 3} if "seed" in TYPES[parent].refused else {})}
    objects = [cls(**arguments) for cls in (parent, Same, Double, Nothing)]
    expected, found, _ = both(*objects)
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, atol=1e-9)
    assert found[0].any()
    assert_array_equal(found[1], found[0])
    assert_array_equal(found[2], 2 * found[0])
    assert not found[3].any()
    assert PROCESSES.builder_of(Double) is PROCESSES.builder_of(parent)
    assert PROCESSES.builder_of(Nothing) is GenericProcessBuilder


@pytest.mark.parametrize("parent", [nengo.Lowpass, nengo.Alpha])
def test_a_filter_with_its_own_step(parent):
    """NengoDL ran it as the plain filter."""

    class Nothing(parent):
        def make_step(self, shape_in, shape_out, dt, rng, state):
            return lambda t, x: 0.0 * x

    class Same(parent):
        pass

    series = np.random.RandomState(0).rand(N_STEPS, N)
    expected, found, _ = both(Nothing(0.02), Same(0.02), parent(0.02), parent(0.03), series=series)
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, atol=1e-9)
    assert not found[0].any()
    assert_allclose(found[1], found[2])


# --- types of others ------------------------------------------------------------------------------


class Leak(nengo.neurons.NeuronType):
    """A neuron as Nengo's documentation says."""

    negative = False
    spiking = True
    state = {"voltage": nengo.dists.Uniform(0, 0.9)}  # noqa: RUF012
    tau = nengo.params.NumberParam("tau", low=0, low_open=True)

    def __init__(self, tau=0.02):
        super().__init__()
        self.tau = tau

    def gain_bias(self, max_rates, intercepts):
        return np.ones_like(max_rates), np.zeros_like(max_rates)

    def max_rates_intercepts(self, gain, bias):
        return np.ones_like(gain), np.zeros_like(gain)

    def rates(self, x, gain, bias):
        return np.maximum(self.current(x, gain, bias), 0)

    def step(self, dt, J, output, voltage):
        voltage[...] += dt / self.tau * (J - voltage)
        output[...] = (voltage > 1) / dt
        voltage[output > 0] = 0


OTHERS = {
    "a user's": (Leak(), Leak(), Leak(0.05)),
    "Izhikevich": (nengo.Izhikevich(), nengo.Izhikevich(coupling=0.3)),
    "AdaptiveLIF": (nengo.AdaptiveLIF(), nengo.AdaptiveLIF(tau_n=0.05)),
    "AdaptiveLIFRate": (nengo.AdaptiveLIFRate(),),
    "Sigmoid, Tanh": (nengo.Sigmoid(), nengo.Tanh()),
}


@pytest.mark.parametrize("key", OTHERS)
def test_neurons_without_a_builder(key):
    """By their own step, and several of a type at once."""
    levels = np.random.RandomState(0).uniform(0.5, 8, N)
    expected, found, fell_back = both(*OTHERS[key], series=np.tile(levels, (N_STEPS, 1)))
    for a, b in zip(found, expected, strict=True):
        assert b.any()
        assert_allclose(a, b, atol=1e-9)
    assert bool(fell_back) == (key != "Sigmoid, Tanh")


class Dice(Leak):
    """Its state is a random number generator, as Nengo allows."""

    state = {"rng": None}  # noqa: RUF012

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        return {"rng": np.random.RandomState(3)}

    def step(self, dt, J, output, rng):
        output[...] = (rng.rand(len(J)) < 0.5) / dt


class Shared(Leak):
    """Its state is one number for all neurons, as Nengo allows."""

    state = {"mean": None}  # noqa: RUF012

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        return {"mean": np.zeros((), dtype)}

    def step(self, dt, J, output, mean):
        mean[...] = 0.9 * mean + 0.1 * J.mean()
        output[...] = (mean < J) / dt


@pytest.mark.parametrize("cls", [Dice, Shared])
def test_a_state_that_nengo_dl_does_not_hand_on(cls):
    """NengoDL failed when it ran, for want of an argument or of an axis."""
    with nengo.Network() as net:
        nengo.Ensemble(3, 1, neuron_type=cls())
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
    message = rf"{cls.__name__} .*'(rng|mean)'.*dl.register\({cls.__name__}, builder\)"
    with pytest.raises(BuildError, match=message):
        nengo_dl.Simulator(net, progress_bar=False)


class LeakBuilder(TFNeuronBuilder):
    """Takes its constant from the first of the merged operators, as the documentation allows."""

    def step(self, J, dt, voltage):
        voltage += dt / self.ops[0].neurons.tau * (J - voltage)
        spikes = tf.cast(voltage > 1, J.dtype)
        return spikes / dt, voltage * (1 - spikes)


def test_a_registered_type():
    """It runs in TensorFlow with its subclasses; only equal ones are merged."""

    class Same(Leak):
        pass

    dl.register(Leak, LeakBuilder)
    try:
        levels = np.random.RandomState(0).uniform(0.5, 8, N)
        objects = (Leak(), Leak(), Leak(0.05), Same(0.03))
        expected, found, fell_back = both(*objects, series=np.tile(levels, (N_STEPS, 1)))
    finally:
        del NEURONS.builders[Leak]
    for a, b in zip(found, expected, strict=True):
        assert b.any()
        assert_allclose(a, b, atol=1e-9)
    assert not fell_back


class Late(synapses.SpikeSynapse):
    """Lets a spike through once it has come a number of times; a state for each neuron."""

    state_shapes = {"count": "neuron"}  # noqa: RUF012

    def constants(self, dt, neurons, items):
        return 0.5 + neurons % 2

    def advance(self, xp, tick, x, c, count):
        count = count + xp.where(x > 0.0, xp.ones_like(x), xp.zeros_like(x))
        return xp.where(count > c, x, xp.zeros_like(x)), count


def test_a_spike_synapse_needs_no_builder():
    series = inputs(synapses.ArcSparsifier(0.1), N_STEPS)
    (expected,), (found,), _ = both(Late(), series=series)
    assert 0 < np.count_nonzero(expected) < np.count_nonzero(series)
    assert_array_equal(found, expected)


class Numbers(synapses.SpikeSynapse):
    """Python's numbers alone, an integer among them, and one beside an array."""

    state_shapes = {"count": "neuron"}  # noqa: RUF012

    def constants(self, dt, neurons, items):
        return 0.1 / 3 / dt

    def advance(self, xp, tick, x, height, count):
        count = count + xp.where(x > 0, 1, 0) + xp.where(x > 0, 1 / 3, 0.0)
        return xp.where(count > 2.5, height, 0.0), xp.where(count > 2.5, 0, count)


@pytest.mark.parametrize(
    "synapse",
    [
        Numbers(),
        synapses.PhaseEncoder(amplitude=0.1 / 3),
        synapses.AssumeReference(amplitude=0.1 / 3),
    ],
    ids=lambda synapse: type(synapse).__name__,
)
def test_numbers_are_of_double_precision(synapse):
    """TensorFlow makes those in ``where`` single: they were rounded, or refused beside a state."""
    series = inputs(synapses.ArcSparsifier(0.1), N_STEPS)
    (expected,), (found,), _ = both(synapse, series=series)
    assert expected.any()
    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


class NumPyOnly(synapses.SpikeSynapse):
    """A synapse whose ``advance`` is deaf to the array library."""

    def constants(self, dt, neurons, items):
        return ()

    def advance(self, xp, tick, x, c):
        return (np.sort(x),)


def test_a_spike_synapse_that_tensorflow_cannot_run():
    with nengo.Network() as net:
        nengo.Connection(nengo.Node([0.0, 1]), nengo.Node(size_in=2), synapse=NumPyOnly())
    nengo.Simulator(net, progress_bar=False).close()
    with pytest.raises(BuildError, match=r"NumPyOnly.advance does not.*xp.*dl.register\(NumPyOnly"):
        nengo_dl.Simulator(net, progress_bar=False)


@pytest.mark.parametrize(
    ("cls", "builder", "attr"),
    [
        (Leak(), LeakBuilder, "cls"),
        (nengo.Ensemble, LeakBuilder, "cls"),
        (Leak, lambda ops: None, "builder"),
        (Leak, Leak, "builder"),
    ],
)
def test_register_refuses(cls, builder, attr):
    with pytest.raises(ValidationError, match=f"{attr}: must be a subclass of"):
        dl.register(cls, builder)
    assert Leak not in NEURONS.builders

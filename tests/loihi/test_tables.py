"""The open tables: own types on the chip, subclasses, and what the chip does not know."""

import copy
import inspect
import re
import warnings
from pathlib import Path

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    ArcSparsifier,
    FieldSparsifier,
    PhaseEncoder,
    ResonateAndFire,
    SurrogateLIF,
)
from nengo_phasor.synapses import SpikeSynapse

nengo_loihi = pytest.importorskip("nengo_loihi")

from nengo_phasor import loihi as chip  # noqa: E402
from nengo_phasor.loihi import install, tables  # noqa: E402
from tests.loihi.common import DT, loihi, numpy, rhythmic, spiking  # noqa: E402
from tests.registry import NEURONS, TYPES, N, inputs, name  # noqa: E402

N_STEPS = 300


@pytest.fixture(autouse=True)
def tables_as_they_were(monkeypatch):
    monkeypatch.setattr(tables, "COMPARTMENTS", copy.copy(tables.COMPARTMENTS))
    monkeypatch.setattr(tables, "GATES", copy.copy(tables.GATES))


def behind_spikes(neuron, n=12, synapse=None, scale=1.0):
    """Neurons behind rhythmic spikes, and a stock ensemble: something is on the chip."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        nengo.Ensemble(3, 1)
        pre = spiking(rhythmic(rng, N_STEPS, n))
        net.ensemble = nengo.Ensemble(
            n, 1, neuron_type=neuron, gain=np.ones(n), bias=np.zeros(n), label="own"
        )
        weights = scale * rng.normal(0.1, 0.5, (n, n))
        nengo.Connection(pre, net.ensemble.neurons, transform=weights, synapse=synapse)
        net.probe = nengo.Probe(net.ensemble.neurons)
    return net


# ------------------------------------------------------------------------------------- subclasses


class MyResonator(ResonateAndFire):
    """Adds nothing."""


class MyAdaptive(AdaptiveSpiking):
    """Adds nothing."""


class Deaf(ResonateAndFire):
    """Steps otherwise than its parent."""

    def step(self, dt, J, output, voltage, current):
        super().step(dt, 0.1 * J, output, voltage, current)


class High(ResonateAndFire):
    """Steps as its parent, with other constants."""

    def constants(self, dt):
        return super().constants(dt)._replace(threshold=1.0)


@pytest.mark.parametrize("target", ["sim", "simreal"])
@pytest.mark.parametrize(
    ("mine", "parent", "options"),
    [
        (MyResonator(), ResonateAndFire(), {}),
        (MyAdaptive(), AdaptiveSpiking(), {"synapse": 0.02, "scale": 0.05}),
    ],
)
def test_a_subclass_runs_as_its_parent(mine, parent, options, target):
    """To the bit, and on the chip."""
    nets = [behind_spikes(neuron, **options) for neuron in (mine, parent)]
    sims = [loihi(net, N_STEPS, target) for net in nets]
    assert sims[0].model.split.on_chip(nets[0].ensemble)
    found, expected = (sim.data[net.probe] for sim, net in zip(sims, nets, strict=True))
    assert np.count_nonzero(expected) > 30
    assert_array_equal(found, expected)


def test_a_subclass_has_its_own_constants():
    net = behind_spikes(High())
    expected, found = numpy(net, N_STEPS).data, loihi(net, N_STEPS + 1, "simreal").data
    parents = behind_spikes(ResonateAndFire())
    other = numpy(parents, N_STEPS).data[parents.probe]
    assert np.count_nonzero(expected[net.probe]) > 10
    assert_allclose(found[net.probe][1:], expected[net.probe], rtol=1e-6)
    assert np.count_nonzero(expected[net.probe]) < np.count_nonzero(other)


class MyLIF(nengo.LIF):
    """Adds nothing to a type of Nengo's."""


class Halved(nengo.LIF):
    """nengo-loihi would run it as a plain LIF."""

    def step(self, dt, J, output, **state):
        super().step(dt, 0.5 * J, output, **state)


class Other(nengo.neurons.NeuronType):
    """Of a kind of its own, as Nengo's documentation says."""

    negative = False
    spiking = True
    state = {"voltage": nengo.dists.Choice([0])}  # noqa: RUF012

    def gain_bias(self, max_rates, intercepts):
        return np.ones_like(max_rates), np.zeros_like(max_rates)

    def max_rates_intercepts(self, gain, bias):
        return np.ones_like(gain), np.zeros_like(gain)

    def step(self, dt, J, output, voltage):
        voltage[...] = 0.9 * voltage + J * dt
        output[...] = (voltage > 1) / dt
        voltage[output > 0] = 0


@pytest.mark.parametrize("neuron", [Deaf(), Halved(), Other(), nengo.AdaptiveLIF()], ids=name)
def test_a_step_that_the_chip_does_not_know(neuron):
    """Refused, with the type and the call; by that call on the host, where it is Nengo's."""
    net = behind_spikes(neuron, scale=3.0)
    with pytest.raises(BuildError) as error:
        loihi(net, 1)
    cls = type(neuron)
    for part in ("own", f"'{cls.__name__}'", f"loihi.register({cls.__name__}", "on_chip = False"):
        assert part in str(error.value)
    chip.register(cls)
    sim = loihi(net, N_STEPS)
    assert not sim.model.split.on_chip(net.ensemble)
    assert_array_equal(sim.data[net.probe], numpy(net, N_STEPS).data[net.probe])


@pytest.mark.parametrize("neuron", [nengo.LIF(), MyLIF(), nengo_loihi.LoihiLIF()], ids=name)
def test_what_nengo_loihi_knows_it_runs(neuron):
    sims = [loihi(net, N_STEPS) for net in map(behind_spikes, (neuron, nengo.LIF()))]
    found, expected = (list(sim.data.values())[-1] for sim in sims)
    assert_array_equal(found, expected)


# ------------------------------------------------------------------------------------ every type


PLACED = [n for n in NEURONS if not getattr(n, "graded", False)]  # graded spikes are refused


@pytest.mark.parametrize("neuron", PLACED, ids=name)
def test_every_type_runs(neuron):
    """On the chip if it has an entry there; else on the host by default, as in Nengo."""
    values = inputs(neuron, N_STEPS, DT)
    on_chip = TYPES[type(neuron)].chip is not None
    with nengo.Network(seed=0) as net:
        nengo.Ensemble(3, 1)
        ensemble = nengo.Ensemble(
            N, 1, neuron_type=neuron, gain=np.ones(N), bias=np.zeros(N), label="some"
        )
        if not on_chip:
            node = nengo.Node(nengo.processes.PresentInput(values, DT))
            nengo.Connection(node, ensemble.neurons, synapse=None)
        probe = nengo.Probe(ensemble.neurons)
    target = "simreal" if on_chip else "sim"
    sim = loihi(net, N_STEPS, target)
    assert sim.model.split.on_chip(ensemble) == on_chip
    if not on_chip:
        expected = numpy(net, N_STEPS).data[probe]
        assert np.any(expected)
        assert_array_equal(sim.data[probe], expected)
        net.config[ensemble].on_chip = True
        with pytest.raises(BuildError, match=f"some.*'{type(neuron).__name__}'.*loihi.register"):
            loihi(net, 1)


def test_neurons_of_the_host_send_spikes_to_the_chip():
    with nengo.Network(seed=0) as net:
        pre = nengo.Ensemble(
            10, 1, neuron_type=SurrogateLIF(), gain=np.ones(10), bias=np.linspace(1.5, 3, 10)
        )
        post = nengo.Ensemble(
            5, 1, neuron_type=AdaptiveSpiking(), gain=np.ones(5), bias=np.zeros(5)
        )
        nengo.Connection(
            pre.neurons, post.neurons, transform=0.002 * np.ones((5, 10)), synapse=0.02
        )
        probe = nengo.Probe(post.neurons)
    expected, found = numpy(net, N_STEPS), loihi(net, N_STEPS, "simreal")
    assert np.count_nonzero(expected.data[probe]) > 10
    assert_allclose(found.data[probe], expected.data[probe], rtol=1e-5)


# ------------------------------------------------------------------------------ own compartments


class Leaky(SurrogateLIF):
    """A user's neuron: it keeps a part of what comes, and resets where it spikes."""

    def constants(self, dt):
        return (np.array([0.9]),)

    def step(self, dt, J, output, voltage):
        voltage[...] = 0.9 * voltage + J * dt
        output[...] = (voltage >= 1) / dt
        voltage[output > 0] = 0


class LeakyCompartment(chip.NeuronCompartment):
    """Of the chip."""

    states = ("voltage",)

    @property
    def per_weight(self):
        return 1 / self.dt

    @property
    def threshold(self):
        return 1.0

    def headroom(self, fans):
        return float(10 * np.max(fans[0], initial=0.0) * self.dt)

    def fix(self):
        self.one = round(self.scale)

    def advance(self, arrived, states):
        if self.is_fixed:
            voltage = chip.fixed_point.times(states[0], chip.fixed_point.factor(0.9)) + arrived
            voltage, outside = chip.fixed_point.clip(voltage)
            spiked = voltage >= self.one
            return chip.Advanced(spiked, np.where(spiked, 0, voltage)[None], outside[None])
        voltage = np.float32(0.9) * states[0] + arrived * self.dt
        spiked = voltage >= 1
        return chip.Advanced(spiked, np.where(spiked, 0, voltage)[None])


@pytest.mark.parametrize("target", ["simreal", "sim"])
def test_own_compartments(target):
    chip.register(Leaky, LeakyCompartment)
    net = behind_spikes(Leaky(), scale=2.0)
    with net:
        voltage = nengo.Probe(net.ensemble.neurons, "voltage")
    expected, sim = numpy(net, N_STEPS).data, loihi(net, N_STEPS + 1, target)
    assert sim.model.split.on_chip(net.ensemble)
    (block,) = sim.model.objs[net.ensemble]["in"]
    assert type(block.compartment) is LeakyCompartment
    assert np.count_nonzero(expected[net.probe]) > 30
    if target == "simreal":
        assert_allclose(sim.data[net.probe][1:], expected[net.probe], rtol=1e-6)
    else:
        same = (sim.data[net.probe][1:] > 0) == (expected[net.probe] > 0)
        assert np.mean(same) > 0.99
    quiet = expected[voltage][:, 0] < 0.9
    assert np.mean(np.abs(sim.data[voltage][1:] - expected[voltage])[quiet]) < 0.05


def test_own_compartments_take_no_filter_that_they_do_not_name():
    chip.register(Leaky, LeakyCompartment)
    with pytest.raises(BuildError, match=r"Lowpass.*Leaky.*must be None"):
        loihi(behind_spikes(Leaky(), synapse=0.005), 1)


@pytest.mark.parametrize("to_neurons", [True, False])
def test_own_compartments_without_a_filter_take_no_encoded_values(to_neurons):
    chip.register(Leaky, LeakyCompartment)
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(2, 2, neuron_type=Leaky(), gain=np.ones(2), bias=np.zeros(2))
        node = nengo.Node([0.3, 0.5])
        nengo.Connection(node, ensemble.neurons if to_neurons else ensemble)
    nengo_loihi.add_params(net)
    net.config[ensemble].on_chip = True
    with pytest.raises(BuildError, match=r"Leaky neurons have no filter.*ensemble\.neurons"):
        loihi(net, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: chip.register(ResonateAndFire()),
        lambda: chip.register(int),
        lambda: chip.register(Other, Other),
        lambda: chip.register(Other, 3),
        lambda: chip.register_gate(nengo.Lowpass),
        lambda: chip.register_gate(ArcSparsifier(0.3)),
        lambda: chip.register_gate(FieldSparsifier),
    ],
)
def test_nonsense_is_not_registered(call):
    with pytest.raises(ValidationError, match=r"(must be a subclass|must not have states)"):
        call()


# -------------------------------------------------------------------------------------- own gates


class EveryOther(SpikeSynapse):
    """A user's sparsifier: the spikes of even steps pass."""

    def constants(self, dt, neurons, items):
        return ()

    def advance(self, xp, tick, x, c):
        return (x * (tick.step % 2 == 0),)


class Odd(EveryOther):
    """Others pass."""

    def advance(self, xp, tick, x, c):
        return (x * (tick.step % 2 == 1),)


class Clocked(EveryOther):
    """A step of its own, from Nengo's time."""

    def make_step(self, shape_in, shape_out, dt, rng, state):
        return lambda t, x: x * (np.rint(t / dt) % 3 > 0)


@pytest.mark.parametrize(
    ("synapse", "on_chip"),
    [(EveryOther(), False), (EveryOther(), True), (Odd(), False), (Clocked(), False)],
    ids=["on the host", "on the chip", "another advance", "another step"],
)
def test_own_gates(synapse, on_chip):
    """On the chip once registered, on the host before, or with another equation: as in Nengo."""
    if on_chip or type(synapse) is not EveryOther:
        chip.register_gate(EveryOther)
    net = behind_spikes(ResonateAndFire())
    with net:
        relay = nengo.Node(size_in=12)
        nengo.Connection(net.ensemble.neurons, relay, synapse=synapse)
        post = nengo.Ensemble(6, 1, neuron_type=ResonateAndFire())
        weights = np.random.RandomState(1).normal(0.1, 0.5, (6, 12))
        nengo.Connection(relay, post.neurons, transform=weights, synapse=None)
        probe = nengo.Probe(post.neurons)
    late = 2 if on_chip else 3
    expected, sim = numpy(net, N_STEPS).data[probe], loihi(net, N_STEPS + late, "simreal")
    assert (relay in sim.model.split.passthrough.to_remove) == on_chip
    assert np.count_nonzero(expected) > 10
    assert_allclose(sim.data[probe][late:], expected, rtol=1e-6)


# --------------------------------------------------------------------------------------- learning


def late_error(neuron, simulator, rate=1e-4):
    """Return the error at the end of learning a communication channel."""
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t: np.sin(6 * t))
        pre, out = nengo.Ensemble(80, 1, neuron_type=neuron), nengo.Node(size_in=1)
        nengo.Connection(node, pre)
        rule = nengo.PES(rate / neuron.amplitude**2)
        link = nengo.Connection(
            pre, out, function=lambda x: 0 * x, learning_rule_type=rule, synapse=0.02
        )
        error = nengo.Node(size_in=1)
        nengo.Connection(out, error)
        nengo.Connection(node, error, transform=-1)
        nengo.Connection(error, link.learning_rule)
        probe = nengo.Probe(error, synapse=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with simulator(net, progress_bar=False) as sim:
            sim.run(2.0)
    return np.abs(sim.data[probe][-500:]).mean()


@pytest.mark.parametrize(
    "neuron",
    [
        nengo.LIF(),
        nengo.LIF(amplitude=0.02),
        nengo.LIF(amplitude=5.0),
        AdaptiveSpiking(),
        AdaptiveSpiking(amplitude=1.0),
    ],
    ids=name,
)
def test_pes_knows_the_amplitude(neuron):
    """It changes with its square: at a rate divided by that, all learn as in Nengo."""

    def on_chip(net, progress_bar):
        return nengo_loihi.Simulator(net, target="sim")

    expected, found = (late_error(neuron, sim) for sim in (nengo.Simulator, on_chip))
    not_learned = np.mean(np.abs(np.sin(6 * np.arange(1.5, 2, DT))))
    assert expected < 0.4 * not_learned
    assert found < 0.5 * not_learned


@pytest.mark.parametrize("rule", [nengo.BCM(), nengo.Voja(), [nengo.PES()]], ids=str)
def test_other_rules_are_refused(rule):
    with nengo.Network() as net:
        a, b = nengo.Ensemble(10, 1), nengo.Ensemble(10, 1)
        solver = {"solver": nengo.solvers.LstsqL2(weights=True)} if "BCM" in str(rule) else {}
        nengo.Connection(a, b, learning_rule_type=rule, **solver)
    with pytest.raises(BuildError, match=r"can't learn.*nengo\.PES can.*on_chip = False"):
        loihi(net, 1)


# ------------------------------------------------------------------ names that are nengo-loihi's


@pytest.mark.parametrize("names", install.RELIED_ON, ids=lambda names: names[0].__name__)
def test_private_names_are_there(names):
    place, *attributes = names
    source = inspect.getsource(place)
    for attribute in attributes:
        assert hasattr(place, attribute) or f"self.{attribute}" in source


def test_no_other_private_names_are_used():
    """Every attribute with an underscore in `loihi` is our own or in the table."""
    folder = Path(install.__file__).parent
    known = {attribute for _, *attributes in install.RELIED_ON for attribute in attributes}
    sources = "\n".join(path.read_text() for path in folder.glob("*.py"))
    assigned = " ".join(line.partition(" = ")[0] for line in sources.splitlines() if " = " in line)
    defined = {*re.findall(r"def (_\w+)", sources), *re.findall(r"self\.(_\w+)", assigned)}
    used = set(re.findall(r"\w\.(_[a-z]\w*)", sources))
    assert used - defined <= known
    assert known <= set(re.findall(r"_[a-z]\w*", sources))


def test_an_encoder_reaches_a_subclass():
    """The case of the issue: phases, encoded, into a subclass of ours."""
    with nengo.Network(seed=0) as net:
        node, relay = nengo.Node([0.3]), nengo.Node(size_in=1)
        nengo.Connection(node, relay, synapse=PhaseEncoder())
        ensemble = nengo.Ensemble(1, 1, neuron_type=MyResonator())
        nengo.Connection(relay, ensemble.neurons, synapse=None)
        probe = nengo.Probe(ensemble.neurons)
    expected = numpy(net, N_STEPS).data[probe]
    assert np.count_nonzero(expected) == np.count_nonzero(loihi(net, N_STEPS).data[probe]) == 2


def test_a_rate_twin_that_spikes_is_no_resident_of_the_chip():
    """A subclass of a type of the host stays there, whatever its step."""

    class Mine(AdaptiveSpikingRate):
        def step(self, dt, J, output):
            output[...] = 2 * J

    net = behind_spikes(Mine(), scale=1e-3)
    sim = loihi(net, N_STEPS)
    assert not sim.model.split.on_chip(net.ensemble)
    assert_array_equal(sim.data[net.probe], numpy(net, N_STEPS).data[net.probe])

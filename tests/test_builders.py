"""The registration of our types with Nengo's builder, beyond the tests of each type."""

import warnings

import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.builder.neurons import SimNeurons
from nengo.builder.processes import SimProcess
from nengo.exceptions import BuildError

from nengo_phasor import (
    ArcSparsifier,
    AssumeReference,
    PhaseEncoder,
    Phasor,
    RandomSparsifier,
    ResonateAndFire,
)
from tests.registry import NEURONS, SYNAPSES, N, name, settled


def built(net, **kwargs):
    model = Model(**kwargs)
    model.build(net)
    return model


@pytest.mark.parametrize("neuron", NEURONS, ids=name)
def test_neurons_are_one_operator(neuron):
    """With the signals that may be probed; a subclass is built alike."""
    neuron = settled(neuron)

    class Special(type(neuron)):
        pass

    for cls in (type(neuron), Special):
        special = object.__new__(cls)
        special.__setstate__(neuron.__getstate__())
        with nengo.Network() as net:
            ensemble = nengo.Ensemble(N, 1, neuron_type=special, gain=np.ones(N), bias=np.ones(N))
        model = built(net)
        (op,) = (op for op in model.operators if isinstance(op, SimNeurons))
        signals = model.sig[ensemble.neurons]
        assert op.neurons is special
        assert op.J is signals["in"]
        assert op.output is signals["out"]
        assert op.state == {name: signals[name] for name in neuron.state}


@pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
def test_synapses_set_their_output(synapse):
    """Not 'update', which Nengo gives its filters and which is a delay."""
    with nengo.Network() as net:
        relay = nengo.Node(size_in=3)
        nengo.Connection(nengo.Node(np.zeros(3)), relay, synapse=synapse)
        nengo.Probe(relay, synapse=synapse)
    ops = [op for op in built(net).operators if isinstance(op, SimProcess)]
    assert [op.mode for op in ops] == ["set", "set"]
    assert all(type(op.process) is type(synapse) for op in ops)
    assert all(s.initial_value.sum() == 0 for op in ops for s in op.state.values())


def test_random_seeds_are_distinct_and_the_synapse_unchanged():
    synapse = RandomSparsifier(0.5)
    with nengo.Network(seed=0) as net:
        for _ in range(50):
            nengo.Connection(nengo.Node([0.0]), nengo.Node(size_in=1), synapse=synapse)
    seeds = [op.process.seed for op in built(net).operators if isinstance(op, SimProcess)]
    assert len(set(seeds)) == 50
    # far enough apart that items of a batch, whose keys follow each other, don't meet
    assert np.diff(np.sort(seeds)).min() > 100_000
    assert synapse.seed is None


def test_random_seed_in_a_subnetwork():
    """The seed of the whole counts; a given seed stays."""
    given = RandomSparsifier(0.5, seed=77)

    def seeds(seed):
        with nengo.Network(seed=seed) as net, nengo.Network(seed=5):
            for synapse in (RandomSparsifier(0.5), given):
                nengo.Connection(nengo.Node([0.0]), nengo.Node(size_in=1), synapse=synapse)
        return [op.process.seed for op in built(net).operators if isinstance(op, SimProcess)]

    assert seeds(1) == seeds(1)
    assert seeds(1)[0] != seeds(2)[0]
    assert seeds(1)[1] == seeds(2)[1] == 77


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: nengo.Ensemble(3, 1, neuron_type=Phasor(), label="odd"), ["odd", "3 neurons"]),
        (
            lambda: nengo.Ensemble(3, 1, neuron_type=ResonateAndFire(300), label="fast"),
            ["fast", "frequency", "300 Hz", "0.001 s", "at most 250 Hz", "at most 0.000833"],
        ),
        (
            lambda: nengo.Connection(
                nengo.Node([0.0]), nengo.Node(size_in=1), synapse=ArcSparsifier(0.5, 300)
            ),
            ["ArcSparsifier", "300 Hz", "at most 250 Hz"],
        ),
        (
            lambda: nengo.Connection(
                nengo.Node([0.0]), nengo.Ensemble(2, 1, neuron_type=ResonateAndFire(), label="ring")
            ),
            ["Connection", "ring", "ResonateAndFire", "`ensemble.neurons`"],
        ),
        (
            lambda: nengo.Connection(
                nengo.Node([0.0]), nengo.Ensemble(2, 1, neuron_type=Phasor(), label="units")
            ),
            ["Connection", "units", "Phasor", "`ensemble.neurons`"],
        ),
        (
            lambda: nengo.Probe(nengo.Node([0.0]), synapse=PhaseEncoder(300)),
            ["PhaseEncoder", "300 Hz", "at most 250 Hz"],
        ),
    ],
)
def test_errors_name_object_value_and_remedy(make, parts):
    with nengo.Network() as net:
        make()
    with pytest.raises(BuildError) as error:
        built(net)
    for part in parts:
        assert part in str(error.value)


def rhythms(encoder, neurons, sparsifier, assumption):
    """Phases, a relay, neurons, a relay with and one without those left out; their frequencies."""
    with nengo.Network() as net:
        driven, sent, heard = (nengo.Node(size_in=1, label=label) for label in ("in", "out", "end"))
        layer = nengo.Ensemble(1, 1, neuron_type=ResonateAndFire(neurons), label="layer").neurons
        nengo.Connection(nengo.Node([0.0]), driven, synapse=PhaseEncoder(encoder))
        nengo.Connection(driven, layer, synapse=None)
        nengo.Connection(layer, sent, synapse=ArcSparsifier(0.1, sparsifier))
        nengo.Connection(sent, heard, synapse=AssumeReference(assumption))
    return net


@pytest.mark.parametrize(
    ("frequencies", "what"),
    [
        ((20, 10, 10, 10), "PhaseEncoder"),
        ((10, 10, 20, 10), "ArcSparsifier"),
        ((10, 10, 10, 20), "AssumeReference"),
    ],
)
def test_warns_of_another_rhythm(frequencies, what):
    with pytest.warns(UserWarning, match=rf"{what}.* of 20 Hz, but .*layer.* of 10 Hz") as warned:
        built(rhythms(*frequencies))
    assert len([w for w in warned if "Hz" in str(w.message)]) == 1


def test_one_rhythm_needs_no_warning():
    """Nor do other neurons' rhythms, which don't tell what these ones' phases are."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        built(rhythms(20, 20, 20, 20))
        with nengo.Network() as both:
            slow, fast = rhythms(10, 10, 10, 10), rhythms(20, 20, 20, 20)
            nengo.Connection(slow.all_nodes[1], fast.all_ensembles[0].neurons, synapse=None)
        built(both)


@pytest.mark.parametrize("neuron", [ResonateAndFire(), Phasor()], ids=name)
@pytest.mark.parametrize("behind_a_relay", [False, True])
def test_warns_of_a_synapse_that_nobody_chose(neuron, behind_a_relay):
    def warned(**synapse):
        with nengo.Network() as net:
            target = nengo.Ensemble(2, 1, neuron_type=neuron, label="layer").neurons
            if behind_a_relay:
                relay = nengo.Node(size_in=2)
                nengo.Connection(relay, target, synapse=None)
                target = relay
            nengo.Connection(nengo.Node([0.0, 0.0], label="source"), target, **synapse)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            built(net)
        return [str(w.message) for w in caught if "synapse" in str(w.message)]

    (message,) = warned()
    for part in ("source", "Lowpass(tau=0.005)", "layer", "set synapse=None on the connection"):
        assert part in message
    assert not warned(synapse=None)
    assert not warned(synapse=nengo.Lowpass(0.005)), "it was chosen"


def test_what_comes_to_an_encoder_may_be_filtered():
    with nengo.Network() as net:
        phase, spikes = nengo.Node(size_in=1), nengo.Node(size_in=1)
        nengo.Connection(nengo.Node([0.3]), phase)
        nengo.Connection(phase, spikes, synapse=PhaseEncoder())
        nengo.Connection(
            spikes, nengo.Ensemble(1, 1, neuron_type=ResonateAndFire()).neurons, synapse=None
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        built(net)


def warned_of_phases(output, *, synapse=None, to_ensemble=False, n_relays=0, transform=1.0):
    """Return the warnings when a node is connected to resonate-and-fire neurons."""
    with nengo.Network() as net:
        layer = nengo.Ensemble(1, 1, neuron_type=ResonateAndFire(), encoders=[[1.0]], label="layer")
        source = nengo.Node(output, label="source")
        for _ in range(n_relays):
            relay = nengo.Node(size_in=1)
            nengo.Connection(source, relay, synapse=synapse)
            source, synapse = relay, None
        target = layer if to_ensemble else layer.neurons
        nengo.Connection(source, target, synapse=synapse, transform=transform)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        built(net)
    return [str(w.message) for w in caught if "phases" in str(w.message)]


PHASES = nengo.processes.PresentInput([[0.5], [-0.2], [0.0]], 0.1)
RASTER = nengo.processes.PresentInput([[0.0], [1.0], [0.0]], 0.001)


@pytest.mark.parametrize(
    ("output", "how"),
    [
        ([0.3], {}),
        ([-1.0], {"to_ensemble": True}),
        ([0.3], {"n_relays": 2}),
        ([0.3], {"synapse": 0.01, "transform": 2.0}),
        (PHASES, {}),
    ],
)
def test_warns_of_phases_without_an_encoder(output, how):
    (message,) = warned_of_phases(output, **how)
    for part in ("source", "layer", "synapse=PhaseEncoder()", "nengo.Node(lambda t: ...)"):
        assert part in message


@pytest.mark.parametrize(
    ("output", "how"),
    [
        ([0.3], {"synapse": PhaseEncoder(), "n_relays": 1}),
        ([0.0], {}),  # stands for data to come
        ([1.0], {}),
        ([20.0], {}),
        (lambda t: 0.3, {}),
        (RASTER, {}),
        (nengo.processes.WhiteSignal(1.0, 5), {}),
    ],
)
def test_currents_and_spikes_are_no_phases(output, how):
    assert not warned_of_phases(output, **how)


def visits(make, monkeypatch):
    """Return how often the ends of connections are looked at while a network is built."""
    net, count = make(), []
    for end in ("pre_obj", "post_obj"):
        get = getattr(nengo.Connection, end).fget
        monkeypatch.setattr(
            nengo.Connection, end, property(lambda c, get=get: count.append(c) or get(c))
        )
    built(net)
    monkeypatch.undo()
    return len(count)


def chain(n):
    """Layers one after the other."""
    with nengo.Network() as net:
        source = nengo.Node(size_in=1)
        for _ in range(n):
            layer = nengo.Ensemble(1, 1, neuron_type=ResonateAndFire()).neurons
            relay = nengo.Node(size_in=1)
            nengo.Connection(source, layer, synapse=None)
            nengo.Connection(layer, relay, synapse=ArcSparsifier(0.1))
            source = relay
    return net


def hub(n):
    """Layers that all reach each other through one relay."""
    with nengo.Network() as net:
        middle = nengo.Node(size_in=1)
        for _ in range(n):
            layer = nengo.Ensemble(1, 1, neuron_type=ResonateAndFire()).neurons
            nengo.Connection(layer, middle, synapse=ArcSparsifier(0.1))
            nengo.Connection(middle, layer, synapse=0.005)
    return net


@pytest.mark.parametrize("make", [chain, hub])
def test_checks_take_time_in_proportion_to_the_network(make, monkeypatch):
    small, large = (visits(lambda n=n: make(n), monkeypatch) for n in (20, 80))
    assert large < 4.2 * small


def test_a_network_that_grew_is_checked_again():
    """What a build remembers is its own."""
    net = rhythms(10, 10, 10, 10)
    built(net)
    with net:
        nengo.Connection(nengo.Node([0.0]), net.all_nodes[0], synapse=PhaseEncoder(20))
    with pytest.warns(UserWarning, match="of 20 Hz, but"):
        built(net)

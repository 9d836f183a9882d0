"""What a converted network has of the one in the phase domain, and what is refused."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, ValidationError
from nengo.processes import WhiteNoise
from numpy.testing import assert_array_equal

from nengo_phasor import (
    ArcSparsifier,
    AssumeReference,
    PhaseEncoder,
    Phasor,
    RandomSparsifier,
    ResonateAndFire,
    convert,
    layerwise,
    phases,
)
from nengo_phasor.networks import PhasorDense, real_weights
from tests.convert.phase_networks import (
    connect,
    decoded,
    expected_layers,
    phase_network,
    phasor_ensemble,
)

# --- structure ------------------------------------------------------------------------------------


def snapshot(net):
    return [
        (obj, {k: repr(getattr(obj, k)) for k in obj.params})
        for obj in (*net.all_objects, *net.all_networks)
        if hasattr(obj, "params")
    ], [len(x) for x in net.objects.values()]


def test_network_is_not_changed():
    net = phase_network("projection")
    before = snapshot(net)
    twin, _ = convert.to_spiking(net, sparsifier=ArcSparsifier(0.2), assume_reference=True)
    assert snapshot(net) == before
    assert not set(net.all_objects) & set(twin.all_objects)


@pytest.mark.parametrize("sparsifier", [None, RandomSparsifier(0.3)])
@pytest.mark.parametrize("assume_reference", [False, True])
def test_mapping_is_complete(sparsifier, assume_reference):
    net = phase_network("projection")
    neuron = ResonateAndFire(threshold=0.2)
    twin, new = convert.to_spiking(net, neuron, sparsifier, assume_reference)
    assert set(new) == {net, *net.all_objects, *net.all_networks}
    assert new[net] is twin
    for old in new:
        assert type(new[old]) is (nengo.Network if isinstance(old, nengo.Network) else type(old))
        assert new[old] in (twin, *twin.all_objects, *twin.all_networks)
    assert len({id(obj) for obj in new.values()}) == len(new)
    for old in (net, *net.all_networks):
        assert new[old].label == old.label
        assert new[old].seed == old.seed
        for kind in (nengo.Ensemble, nengo.Network, nengo.Node, nengo.Probe, nengo.Connection):
            assert {new[obj] for obj in old.objects[kind]} <= set(new[old].objects[kind])
    for old in net.all_ensembles:
        assert new[old].n_neurons == old.n_neurons // 2
        assert new[old].neuron_type is neuron
        assert new[old].label == old.label
    kinds = [type(c.synapse) for c in twin.all_connections]
    assert kinds.count(RandomSparsifier) == (3 if sparsifier else 0)
    assert kinds.count(AssumeReference) == (3 if assume_reference else 0)
    assert set(kinds) - {RandomSparsifier, AssumeReference} == {type(None), PhaseEncoder}


def test_random_sparsifiers_differ_between_layers():
    """The same layer twice in parallel, but not the same spikes left out."""
    with nengo.Network(seed=0) as net:
        node = nengo.Node(phases.to_rows(np.random.RandomState(0).normal(0, 0.1, 30)))
        ensembles = [phasor_ensemble(30) for _ in range(2)]
        for ensemble in ensembles:
            connect(node, ensemble.neurons)
        probes = [nengo.Probe(ensemble.neurons) for ensemble in ensembles]
    data = []
    for sparsifier in (None, RandomSparsifier(0.5)):
        twin, new = convert.to_spiking(net, sparsifier=sparsifier)
        with layerwise.Simulator(twin, minibatch_size=None) as sim:
            sim.run(0.5)
        data.append([sim.data[new[probe]] for probe in probes])
    assert_array_equal(*data[0])
    assert not np.array_equal(*data[1])


def test_sparsifier_is_seen_by_probes_and_receivers():
    net = phase_network("array")
    _, whole, _ = layers = expected_layers(net.phases, 0.01, 0.1)
    arc = float(np.median(np.abs(phases.from_complex(whole.u))))
    twin, new = convert.to_spiking(net, sparsifier=ArcSparsifier(arc))
    with layerwise.Simulator(twin, minibatch_size=None) as sim:
        sim.run(1.0)
    for probe, layer in zip(net.layer_probes, layers, strict=True):
        phase = phases.from_raster(sim.data[new[probe]], 10, 0.001)
        assert not np.any((phase >= -arc) & (phase < arc))
        outside = np.abs(phases.from_complex(layer.u)) > arc + 0.15
        assert np.isfinite(phase[-1][outside]).all()
    # a layer of which everything is left out sends nothing on
    with nengo.Network() as net:
        first, second = phasor_ensemble(2), phasor_ensemble(2)
        connect(nengo.Node(phases.to_rows([0.5, -0.3])), first.neurons)
        connect(first.neurons, second.neurons)
        probe = nengo.Probe(second.neurons)
    for sparsifier, assume, n_spikes in ((ArcSparsifier(1), False, 0), (None, False, 8)):
        twin, new = convert.to_spiking(net, None, sparsifier, assume)
        twin_probe = new[probe]
        with layerwise.Simulator(twin, minibatch_size=None) as sim:
            sim.run(0.55)
        assert np.count_nonzero(sim.data[twin_probe]) == pytest.approx(n_spikes, abs=2)


def test_assumed_reference_stands_in_for_silence():
    """All spikes of the first layer are left out: the second one hears phase 0 from each."""
    weights = np.array([[1.0, 0.5], [-0.3, 0.4]])
    with nengo.Network() as net:
        first, second = phasor_ensemble(2), phasor_ensemble(2, bias=[0, 0, 0.5, 1], gain=[1] * 4)
        connect(nengo.Node(phases.to_rows([0.5, -0.3])), first.neurons)
        connect(first.neurons, second.neurons, weights)
    twin, new = convert.to_spiking(net, ResonateAndFire(tau=3), ArcSparsifier(1), True)
    with twin:
        probe = nengo.Probe(new[second].neurons)
    got = decoded(twin, probe, 10, 0.0005, 100)
    expected = phases.from_complex(weights.sum(axis=0) + np.array([0.5j, 1j]))
    assert np.abs(phases.difference(got, expected)).max() < 0.02


def test_probes_keep_their_settings():
    with nengo.Network() as net:
        plain = nengo.Node([1.0, 2.0, 3.0])
        node = nengo.Node(phases.to_rows([0.5, -0.3]))
        ensemble = phasor_ensemble(2)
        connect(node, ensemble.neurons)
        settings = {"synapse": nengo.Alpha(0.02), "sample_every": 0.01, "label": "seen"}
        old = [nengo.Probe(x, **settings) for x in (ensemble.neurons, node, plain, plain[1:])]
    twin, new = convert.to_spiking(net)
    for probe, size in zip(old, (2, 2, 3, 2), strict=True):
        assert (new[probe].synapse, new[probe].sample_every, new[probe].label) == tuple(
            settings.values()
        )
        assert new[probe].size_in == size
    with nengo.Simulator(twin, progress_bar=False) as sim:
        sim.run(0.1)
    assert sim.data[new[old[0]]].shape == (10, 2)


def test_weights_of_any_form():
    """A scalar, a diagonal, none, a dense block matrix, a convolution: all the same twin."""
    weights = np.random.RandomState(0).normal(size=(3, 3))
    forms = {
        "none": (None, None),
        "scalar": (0.4, None),
        "diagonal": ([1, 2, -3] * 2, np.diag([1, 2, -3])),
        "dense": (np.kron(np.eye(2), weights.T), weights.T),
        "convolution": (real_weights(3, 3, weights), weights.T),
    }
    for transform, expected in forms.values():
        with nengo.Network() as net:
            ensemble = phasor_ensemble(3)
            old = nengo.Connection(
                nengo.Node(np.ones(6)), ensemble.neurons, transform=transform, synapse=None
            )
        _, new = convert.to_spiking(net)
        transform_of_twin = new[old].transform
        if expected is None:
            assert transform_of_twin.size_in == transform_of_twin.size_out == 3
            assert getattr(transform_of_twin, "init", 1) == (transform or 1)
        else:
            assert_array_equal(transform_of_twin.init, expected)


def test_weights_from_a_distribution_are_those_that_nengo_samples():
    with nengo.Network(seed=4) as net:
        layer = PhasorDense(5, 4)
        connect(nengo.Node(np.ones(10)), layer.input)
    _, new = convert.to_spiking(net)
    with nengo.Simulator(net, progress_bar=False) as sim:
        assert_array_equal(new[layer.weights].transform.init, sim.data[layer.weights].weights[0].T)


def test_plain_nodes_stay():
    """What is computed before there are phasors: functions, synapses, slices, transforms."""
    with nengo.Network() as net:
        a, b = nengo.Node([1.0, 2.0, 3.0]), nengo.Node(size_in=2)
        node = nengo.Node(lambda t, x: phases.to_rows(x), size_in=2)
        before = nengo.Connection(a[1:], b, function=np.square, synapse=0.01, transform=0.1)
        nengo.Connection(b, node, synapse=None)
        connect(node, phasor_ensemble(2).neurons)
        probe = nengo.Probe(b)
    twin, new = convert.to_spiking(net)
    assert new[before].function is before.function
    assert new[before].synapse == before.synapse
    data = []
    for network, p in ((net, probe), (twin, new[probe])):
        with nengo.Simulator(network, progress_bar=False) as sim:
            sim.run(0.05)
        data.append(sim.data[p])
    assert data[0].any()
    assert_array_equal(*data)


def test_phasor_of_length_0_is_at_the_reference():
    with nengo.Network() as net:
        node = nengo.Node([0.0, -2.0, 0.0, 0.0])
        connect(node, phasor_ensemble(2).neurons)
    _, new = convert.to_spiking(net)
    assert_array_equal(new[node].output, [0, -1])


def test_nothing_to_convert():
    twin, new = convert.to_spiking(nengo.Network(label="empty", seed=3))
    assert (twin.label, twin.seed) == ("empty", 3)
    assert len(new) == 1


# --- errors ---------------------------------------------------------------------------------------


def between(**kwargs):
    """A connection between two layers with something about it."""
    a, b = phasor_ensemble(2, label="a"), phasor_ensemble(2, label="b")
    pre, post = kwargs.pop("pre", lambda x: x), kwargs.pop("post", lambda x: x)
    nengo.Connection(pre(a.neurons), post(b.neurons), **{"synapse": None, **kwargs})


def convolution(*args, **kwargs):
    return nengo.Convolution(2, (2, 2), kernel_size=(1,), **{"strides": (1,), **kwargs})


def from_node(output, n=2, **kwargs):
    connect(nengo.Node(output, label="source", **kwargs), phasor_ensemble(n).neurons)


CANT = {
    "other neurons": (lambda: nengo.Ensemble(4, 1, label="x"), ["x", "LIF", "use Phasor"]),
    "gain": (
        lambda: phasor_ensemble(2, label="x", gain=[2] * 4, bias=[0] * 4),
        ["x", "gains", "weights"],
    ),
    "synapse": (lambda: between(synapse=0.01), ["Connection", "Lowpass(tau=0.01)", "change"]),
    "pre slice": (
        lambda: between(pre=lambda x: x[[0, 1, 1, 2]]),
        ["Connection", "slices of phasors"],
    ),
    "post slice": (lambda: between(post=lambda x: x[::-1]), ["Connection", "slices of phasors"]),
    "learning rule": (
        lambda: between(transform=np.eye(4), learning_rule_type=nengo.BCM()),
        ["Connection", "learning rules"],
    ),
    "function": (
        lambda: nengo.Connection(
            nengo.Node(np.ones(4)), phasor_ensemble(2).neurons, function=np.negative, synapse=None
        ),
        ["Connection", "functions"],
    ),
    "complex weights": (
        lambda: between(transform=[[0, 0, -1, 0], [0, 0, 0, -1], [1, 0, 0, 0], [0, 1, 0, 0]]),
        ["Connection", "Dense", "real_weights"],
    ),
    "unequal weights": (lambda: between(transform=[1, 2, 1, 3]), ["Connection", "real_weights"]),
    "sparse": (
        lambda: between(transform=nengo.Sparse((4, 4), indices=[(0, 0), (2, 2)])),
        ["Connection", "Sparse", "real_weights"],
    ),
    "channels first": (
        lambda: between(transform=convolution(channels_last=False)),
        ["Connection", "Convolution", "real_weights"],
    ),
    "groups": (lambda: between(transform=convolution(groups=2)), ["Convolution", "real_weights"]),
    "wide kernel": (
        lambda: between(transform=nengo.Convolution(4, (2, 2), kernel_size=(2,), strides=(1,))),
        ["Convolution", "real_weights"],
    ),
    "odd values": (
        lambda: nengo.Connection(
            nengo.Node(np.ones(3), label="source"),
            phasor_ensemble(2).neurons,
            transform=np.ones((4, 3)),
            synapse=None,
        ),
        ["source", "3 values"],
    ),
    "process": (
        lambda: from_node(WhiteNoise(), size_out=4),
        ["source", "WhiteNoise", "PresentInput"],
    ),
    "node that takes phasors": (
        lambda: connect(phasor_ensemble(2).neurons, nengo.Node(lambda t, x: x, size_in=4)),
        ["Connection", "takes phasors"],
    ),
    "encoded": (
        lambda: connect(nengo.Node([1.0]), phasor_ensemble(2)),
        ["Connection", "connect `ensemble.neurons` instead of the ensemble"],
    ),
    "encoded by encoders of one's own": (
        lambda: connect(nengo.Node([1.0]), phasor_ensemble(2, encoders=np.ones((4, 1)))),
        ["Connection", "between nodes", "connect `ensemble.neurons`"],
    ),
    "decoded": (lambda: connect(phasor_ensemble(2), nengo.Node(size_in=1)), ["no firing rate"]),
    "probe of a slice": (
        lambda: nengo.Probe(phasor_ensemble(2).neurons[:2]),
        ["Probe", "whole output"],
    ),
    "probe of an input": (
        lambda: nengo.Probe(phasor_ensemble(2).neurons, "input"),
        ["Probe", "whole output"],
    ),
    "probe of a connection": (
        lambda: nengo.Probe(connect(nengo.Node([1.0]), nengo.Node(size_in=1))),
        ["Probe", "whole output"],
    ),
}


@pytest.mark.parametrize(("build", "parts"), CANT.values(), ids=CANT)
def test_what_cant_be_converted(build, parts):
    with nengo.Network() as net:
        build()
    before = len(net.all_objects)
    with pytest.raises(BuildError) as error:
        convert.to_spiking(net)
    for part in parts:
        assert part in str(error.value)
    assert len(net.all_objects) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model.keras",), "network: must be a nengo.Network, got 'model.keras'"),
        ((nengo.Network(), nengo.LIF()), r"neuron_type: .*ResonateAndFire.*, got LIF\(\)"),
        ((nengo.Network(), ResonateAndFire), "neuron_type: .*got <class .*ResonateAndFire'>"),
        ((nengo.Network(), None, 0.1), r"sparsifier: .*ArcSparsifier\(0.1\), got 0.1"),
        ((nengo.Network(), None, ArcSparsifier), "sparsifier: .*got <class .*ArcSparsifier'>"),
        ((nengo.Network(), None, nengo.Lowpass(0.1)), r"sparsifier: .*got Lowpass\(tau=0.1\)"),
        (
            (nengo.Network(), None, PhaseEncoder()),
            r"sparsifier: .*got PhaseEncoder\(frequency=10\)",
        ),
    ],
)
def test_arguments_of_another_kind(arguments, message):
    """A number for a sparsifier would be a Lowpass to Nengo, and an encoder no sparsifier."""
    with pytest.raises(ValidationError, match=message):
        convert.to_spiking(*arguments)


def test_one_rhythm():
    with pytest.raises(ValidationError, match=r"ArcSparsifier\.frequency: is 10 Hz.* 20 Hz"):
        convert.to_spiking(nengo.Network(), ResonateAndFire(20), ArcSparsifier(0.2))
    convert.to_spiking(nengo.Network(), ResonateAndFire(20), ArcSparsifier(0.2, 20))
    convert.to_spiking(nengo.Network(), ResonateAndFire(20), RandomSparsifier(0.2))


def test_layers_of_one_seeded_sparsifier_have_masks_of_their_own():
    """Three layers of equal size: each leaves out other spikes, in every run the same ones."""
    with nengo.Network(seed=0) as net:
        layers = [nengo.Ensemble(12, 1, neuron_type=Phasor()) for _ in range(3)]
    seeds = []
    for _ in range(2):
        twin, _ = convert.to_spiking(net, sparsifier=RandomSparsifier(0.5, seed=7))
        seeds.append([c.synapse.seed for c in twin.all_connections if c.synapse is not None])
    assert len(set(seeds[0])) == len(layers)
    assert seeds[0] == seeds[1]
    other, _ = convert.to_spiking(net, sparsifier=RandomSparsifier(0.5, seed=8))
    assert not {c.synapse.seed for c in other.all_connections if c.synapse} & set(seeds[0])


def test_a_rhythm_that_needs_a_finer_step():
    """Weights don't depend on dt: what is meant for 0.1 ms converts, and runs at 0.1 ms."""
    with nengo.Network(seed=0) as net:
        fast = nengo.Node(np.zeros(2), label="fast")
        nengo.Connection(fast, nengo.Node(size_in=2), synapse=PhaseEncoder(1000.0))
        nengo.Ensemble(4, 1, neuron_type=Phasor())
    twin, _ = convert.to_spiking(net, ResonateAndFire(1000.0))
    nengo.Simulator(twin, dt=1e-4, progress_bar=False).close()

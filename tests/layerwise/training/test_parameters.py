"""What trains, and how it is saved, loaded and written into the network."""

from types import SimpleNamespace

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import SurrogateLIF, layerwise, surrogates
from tests.layerwise.training.common import compiled, data, sgd, small, tf, values

SPIKES = SurrogateLIF(0.01, surrogate=surrogates.FastSigmoid())


def every_kind(neuron_type=SPIKES):
    """A network with what trains of every kind, in a network of networks, with a loop."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        net.x = nengo.Node(np.zeros(16), label="x")
        with nengo.Network(label="inner") as net.inner:
            net.maps = nengo.Ensemble(
                8, 1, neuron_type=neuron_type, gain=np.full(8, 1.5), bias=np.full(8, 1.2)
            )
            with nengo.Network(label="innermost") as net.innermost:
                net.cells = nengo.Ensemble(10, 2, neuron_type=nengo.LIFRate(), radius=1.5)
                net.loop = nengo.Connection(net.cells, net.cells, synapse=0.01, transform=0.3)
        net.a = nengo.Connection(
            net.x,
            net.maps.neurons,
            transform=nengo.Convolution(2, (4, 4, 1), strides=(2, 2), padding="same"),
            synapse=None,
        )
        net.b = nengo.Connection(
            net.maps.neurons, net.cells, transform=0.002 * rng.normal(size=(2, 8)), synapse=0.005
        )
        net.out = nengo.Node(size_in=3)
        net.c = nengo.Connection(
            net.cells,
            net.out,
            function=lambda x: x[::-1] ** 2,
            transform=[[1, 0.5], [0, 1], [0.3, 0]],
            synapse=0.003,
        )
        net.d = nengo.Connection(net.x[:3], net.out, transform=rng.normal(size=3), synapse=None)
        net.e = nengo.Connection(net.x[4], net.out[1], transform=0.7, synapse=None)
        net.f = nengo.Connection(
            net.x[:4],
            net.out,
            transform=nengo.Sparse((3, 4), [(0, 1), (2, 3)], rng.normal(size=2)),
            synapse=None,
        )
        net.plain = nengo.Connection(net.x[:3], net.out, synapse=None)
        net.p = nengo.Probe(net.out)
    return net


def given(n_steps=12):
    rng = np.random.RandomState(1)
    return rng.uniform(0, 1, (6, n_steps, 16)), rng.normal(size=(6, n_steps, 3))


def trained(net, optimizer="adam", epochs=3):
    sim = compiled(net, optimizer, dtype="float64")
    x, y = given()
    sim.fit({net.x: x}, {net.p: y}, epochs=epochs, shuffle=False, verbose=0)
    return sim


def test_all_of_it_trains():
    net = every_kind()
    sim = trained(net)
    assert {parameter.obj for parameter in sim.parameters} == {
        *net.all_ensembles,
        *net.all_connections,
    } - {net.plain}
    before = values(compiled(every_kind(), dtype="float64"))
    for parameter, a, b in zip(sim.parameters, values(sim), before, strict=True):
        assert np.any(a != b), parameter


def test_frozen_parameters_run_everywhere():
    """nengo.Simulator, and layerwise anew, run the network as it was trained."""
    net = every_kind()
    sim = trained(net)
    x, _ = given(40)
    expected = sim.predict({net.x: x})[net.p]
    with layerwise.Simulator(net, dtype="float64") as untrained:
        assert not np.allclose(untrained.predict({net.x: x})[net.p], expected)
    sim.freeze_params(net)
    with layerwise.Simulator(net, dtype="float64") as fresh:
        assert_allclose(fresh.predict({net.x: x})[net.p], expected, rtol=1e-9, atol=1e-12)
    net.x.output = lambda t: x[2, round(t / 0.001) - 1]
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run_steps(40)
    assert_allclose(reference.data[net.p], expected[2], rtol=1e-9, atol=1e-12)


def test_some_are_frozen():
    """One object, a list, a network within: only what is named."""
    net = every_kind()
    sim = trained(net)
    before = net.maps.bias.copy(), net.b.transform
    sim.freeze_params(net.inner)
    assert not np.any(net.maps.bias == before[0])
    assert net.b.transform is before[1]
    sim.freeze_params([net.b, net.e])
    assert_array_equal(net.b.transform.init, sim.data[net.b].weights)
    assert net.e.transform.init == pytest.approx(sim.data[net.e].weights.item())


def test_get_nengo_params():
    net = every_kind()
    net.cells.label, net.maps.label = "cells", "maps"
    sim = trained(net)
    one = sim.get_nengo_params(net.maps)
    assert_array_equal(one["bias"], sim.data[net.maps].bias)
    listed = sim.get_nengo_params([net.maps, net.cells])
    named = sim.get_nengo_params([net.maps, net.cells], as_dict=True)
    assert_array_equal(listed[1]["encoders"], named["cells"]["encoders"])
    net.cells.label = "maps"
    with pytest.raises(ValidationError, match=r"same labels: \['maps', 'maps'\]"):
        sim.get_nengo_params([net.maps, net.cells], as_dict=True)


def test_saved_and_loaded(tmp_path):
    net = every_kind()
    sim = trained(net)
    sim.save_params(tmp_path / "weights")
    other = every_kind()
    fresh = compiled(other, dtype="float64")
    fresh.load_params(tmp_path / "weights")
    for a, b in zip(values(sim), values(fresh), strict=True):
        assert_array_equal(a, b)
    x, _ = given(20)
    assert_array_equal(fresh.predict({other.x: x})[other.p], sim.predict({net.x: x})[net.p])


def test_data_are_of_what_is_trained():
    """As Nengo would have built it, and as before where nothing trains."""
    net = every_kind()
    sim = trained(net)
    sim.freeze_params(net)
    with nengo.Simulator(net, progress_bar=False) as reference:
        for ensemble in net.all_ensembles:
            for attr in ("bias", "gain", "encoders", "scaled_encoders"):
                expected = getattr(reference.data[ensemble], attr)
                assert_allclose(getattr(sim.data[ensemble], attr), expected, rtol=1e-9)
        for connection in (net.a, net.b, net.d, net.e):
            found, expected = (s.data[connection].weights for s in (sim, reference))
            assert found.shape == expected.shape
            assert_allclose(found, expected, rtol=1e-9)
        found = sim.data[net.f].weights.toarray()
        assert_allclose(found, reference.data[net.f].weights.toarray(), rtol=1e-9)


def test_compiled_anew():
    """Another loss and optimiser go on from what was trained."""
    net = every_kind()
    sim = trained(net)
    before = values(sim)
    sim.compile("sgd", loss={net.p: "mae"})
    for a, b in zip(values(sim), before, strict=True):
        assert_array_equal(a, b)


def test_validation():
    """What Keras says of other data is what the network does with them."""
    net = every_kind()
    x, y = given()
    sim = compiled(net, sgd(0.01), dtype="float64")
    history = sim.fit(
        {net.x: x}, {net.p: y}, validation_data=({net.x: x[:3]}, {net.p: y[:3]}), verbose=0
    ).history
    seen = sim.predict({net.x: x[:3]})[net.p]
    assert history["val_loss"][0] == pytest.approx(np.mean((seen - y[:3]) ** 2), rel=1e-5)
    part = sim.fit({net.x: x}, {net.p: y}, validation_split=0.5, verbose=0).history
    seen = sim.predict({net.x: x[3:]})[net.p]
    assert part["val_loss"][0] == pytest.approx(np.mean((seen - y[3:]) ** 2), rel=1e-5)


def test_sequence():
    """Batches by name, with constants for a number of steps of their own."""
    x, y = data(n_items=12, n_steps=1)
    net, other = small(SPIKES), small(SPIKES)

    class Batches(tf.keras.utils.Sequence):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            items = slice(4 * index, 4 * index + 4)
            return {"eyes": x[items], "n_steps": np.full((4, 1), 9)}, {"seen": y[items]}

    a, b = compiled(net, "adam", dtype="float64"), compiled(other, "adam", dtype="float64")
    a.fit(Batches(), shuffle=False, verbose=0)
    b.fit({other.x: x}, {other.p: y}, n_steps=9, shuffle=False, verbose=0)
    for p, q in zip(values(a), values(b), strict=True):
        assert_array_equal(p, q)
    assert a.get_name(net.x) == "eyes"


# --- what is said to train ------------------------------------------------------------------------

CONFIGS = {
    "nothing said": lambda net, settings: None,
    "nothing trains but": lambda net, settings: [
        settings(net, False),
        set_trainable(net, net.a, True),
        set_trainable(net, net.maps.neurons, True),
    ],
    "all but": lambda net, settings: [
        settings(net, None),
        set_trainable(net, net.a, False),
        set_trainable(net, net.cells, False),
        set_trainable(net, net.maps.neurons, False),
    ],
    "a class": lambda net, settings: [
        settings(net, None),
        set_trainable(net, nengo.Ensemble, False),
    ],
    "a network within": lambda net, settings: [
        settings(net, None),
        settings(net.inner, False),
        set_trainable(net.inner, net.cells, True),
    ],
    "innermost wins": lambda net, settings: [
        settings(net, False),
        settings(net.inner, True),
        settings(net.innermost, False),
        set_trainable(net.innermost, net.loop, True),
    ],
    "a neuron's own": lambda net, settings: [
        settings(net, None),
        set_trainable(net, net.cells, False),
        set_trainable(net, net.cells.neurons, True),
    ],
}


def set_trainable(net, obj, value):
    net.config[obj].trainable = value


def by_layerwise(net, trainable):
    with net:
        layerwise.configure_settings(trainable=trainable)


def by_nengo_dl(net, trainable):
    nengo_dl = pytest.importorskip("nengo_dl")
    with net:
        nengo_dl.configure_settings(trainable=trainable)


def said(net, obj, name):
    """The name of a parameter, the same for each network of a kind."""
    objects = [*net.all_ensembles, *net.all_connections]
    return objects.index(obj), name


@pytest.mark.parametrize("settings", [by_layerwise, by_nengo_dl])
@pytest.mark.parametrize("configure", CONFIGS.values(), ids=CONFIGS)
def test_configured(configure, settings):
    """As NengoDL marks its signals, whichever of the two functions said so."""
    net, other = every_kind(), every_kind()
    configure(net, settings)
    configure(other, by_nengo_dl)
    found = {said(net, *parameter) for parameter in compiled(net).parameters}
    assert found == marked_by_nengo_dl(other)


def marked_by_nengo_dl(net):
    """What NengoDL says trains, without the seconds that its graph takes."""
    tensor_graph = pytest.importorskip("nengo_dl.tensor_graph")
    model = nengo.builder.Model(dt=0.001)
    model.build(net)
    model.toplevel = net
    tensor_graph.TensorGraph.mark_signals(SimpleNamespace(model=model, inference_only=False))
    signals = {}
    for ensemble in net.all_ensembles:
        signals[ensemble, "bias"] = model.sig[ensemble.neurons]["bias"]
        if any(c.post_obj is ensemble for c in net.all_connections):
            signals[ensemble, "encoders"] = model.sig[ensemble]["encoders"]
    for connection in net.all_connections:
        if model.sig[connection].get("weights") is not None:
            signals[connection, "weights"] = model.sig[connection]["weights"]
    return {said(net, *key) for key, signal in signals.items() if signal.trainable}


@pytest.mark.parametrize("places", [np.array([3, 0, 0]), np.array([4, 1, 2]), [1, 1, 1]])
@pytest.mark.parametrize("recurrent", [False, True])
def test_places_train_as_a_matrix_that_takes_them(places, recurrent):
    """Gradients pass a slice by places, which may repeat, as they pass its matrix."""
    found = []
    for by_matrix in (False, True):
        net = small(SPIKES)
        with net:
            taken = net.e.neurons if by_matrix else net.e.neurons[places]
            ends = (net.e.neurons[:3], 0.01) if recurrent else (net.out, None)
            transform = np.eye(5)[places] if by_matrix else None
            link = nengo.Connection(taken, ends[0], transform=transform, synapse=ends[1])
            layerwise.configure_settings()
            net.config[link].trainable = False
        sim = compiled(net, sgd(), dtype="float64")
        x, y = data()
        sim.fit({net.x: x}, {net.p: y}, verbose=0, shuffle=False)
        found.append(values(sim))
    for a, b in zip(*found, strict=True):
        assert_allclose(a, b, rtol=1e-12, atol=1e-15)


def test_a_layer_connected_to_some_of_its_neurons_by_their_places():
    net = small(SPIKES)
    with net:
        nengo.Connection(
            net.e.neurons[np.arange(5)], net.e.neurons, transform=np.eye(5), synapse=0.01
        )
    x, y = data()
    history = compiled(net).fit({net.x: x}, {net.p: y}, verbose=0)
    assert np.isfinite(history.history["loss"][0])

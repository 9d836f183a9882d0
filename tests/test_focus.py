"""Focus: which window of an image, and the network that codes precisely there."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import layerwise, saving
from nengo_phasor.arousal import Focus
from nengo_phasor.convert import focusing

FOCUS = Focus(low=0.6, high=0.1, size=0.5, steps=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": 0}, "low"),
        ({"high": 0.6}, r"high.*less than low, 0.6"),
        ({"size": 0}, "size"),
        ({"size": 1.0}, "size"),
        ({"steps": 1}, "steps"),
        ({"steps": 2.5}, "steps"),
    ],
)
def test_parameters(change, message):
    with pytest.raises(ValidationError, match=message):
        Focus(**{"low": 0.6, "high": 0.1, **change})


def test_places_cover_the_image():
    assert_allclose(FOCUS.places[[0, 1, 3, 8]], [[0, 0], [0, 0.25], [0.25, 0], [0.5, 0.5]])
    assert len(FOCUS.places) == 9
    covered = np.any([FOCUS.window((7, 5), place) for place in FOCUS.places], axis=0)
    assert covered.all()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.1, 0.9), st.integers(0, 3))
def test_window_has_the_positions_whose_middle_it_has(height, width, size, k):
    focus = Focus(0.6, 0.1, size, steps=2)
    top, left = focus.places[k]
    for (y, x), inside in np.ndenumerate(focus.window((height, width), (top, left))):
        row, column = (y + 0.5) / height, (x + 0.5) / width
        if min(abs(row - top), abs(row - top - size)) < 1e-6:
            continue  # on the border
        if min(abs(column - left), abs(column - left - size)) < 1e-6:
            continue
        assert inside == (top <= row < top + size and left <= column < left + size)


def test_chosen_window_has_most_spikes():
    """A blob of spikes in one corner of each image, on a weaker background."""
    spikes = np.random.default_rng(0).integers(0, 3, (4, 8, 8, 5))
    corners = [(0, 0), (0, 4), (4, 0), (4, 4)]
    for item, (top, left) in zip(spikes, corners, strict=True):
        item[top : top + 4, left : left + 4] += 2
    assert_allclose(FOCUS.places[FOCUS.chosen(spikes)], np.array(corners) / 8)


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        (np.ones((2, 8, 8)), "spikes"),
        (-np.ones((2, 8, 8, 3)), "spikes"),
        (np.full((2, 8, 8, 3), np.nan), "spikes"),
        (np.ones((2, 1, 1, 3)), "maps of 1 x 1 positions are too few"),
    ],
)
def test_bad_spikes(spikes, message):
    with pytest.raises(ValidationError, match=message):
        FOCUS.chosen(spikes)


@pytest.mark.parametrize("place", [(0.6, 0.0), (-0.1, 0.0), (0.5,), "middle"])
def test_window_outside_the_image(place):
    with pytest.raises(ValidationError, match="place"):
        FOCUS.window((8, 8), place)


@pytest.fixture(scope="module")
def converted():
    """Two convolutions, a pooling and a dense layer, with random weights."""
    pytest.importorskip("nengo_dl")
    import tensorflow as tf

    from nengo_phasor import convert
    from nengo_phasor.dl.activations import HalfSigmoid

    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    image = layers.Input((8, 8, 2), name="image")
    x = layers.Conv2D(3, 3, padding="same", name="first")(image)
    x = HalfSigmoid(name="one")(layers.MaxPooling2D(2, name="pool")(x))
    x = HalfSigmoid(name="two")(layers.Conv2D(4, 3, padding="same", name="second")(x))
    x = HalfSigmoid(name="three")(layers.Dense(6, name="dense")(layers.Flatten()(x)))
    return convert.to_adaptive(tf.keras.Model(image, layers.Dense(3, name="classes")(x)))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).uniform(0, 2, (2, 128)).astype(np.float32)


def spikes_and_outputs(network, images, kind=layerwise.Simulator, n_steps=80):
    """The spikes of each layer, (n_items, n_steps, n), and the read-out."""
    with network:
        probes = {name: nengo.Probe(e.neurons) for name, e in network.layers.items()}
    with kind(network, minibatch_size=len(images), dt=0.001, progress_bar=False) as sim:
        data = {network.input: np.repeat(images[:, None], n_steps, axis=1)}
        seen = sim.predict(data) if kind is not layerwise.Simulator else sim.predict(data, n_steps)
    return {name: np.asarray(seen[p]) for name, p in probes.items()}, seen[network.output]


@pytest.mark.parametrize("substrate", ["layerwise", "nengo_dl"])
def test_split_layer_sends_what_it_sent(converted, images, substrate):
    """The same neurons in two ensembles: every spike at the same step."""
    kind = layerwise.Simulator if substrate == "layerwise" else pytest.importorskip(substrate)
    kind = getattr(kind, "Simulator", kind)
    plain, outputs = spikes_and_outputs(converted.copy(), images, kind)
    network, inside = converted.copy(), np.random.default_rng(2).random(48) < 0.4
    focusing.split(network, "one", inside, 2 * [converted.neurons["one"]])
    parts, same = spikes_and_outputs(network, images, kind)
    assert list(parts) == ["one, inside", "one, around", "two", "three"]
    assert np.count_nonzero(plain["one"]) > 50
    assert_array_equal(parts["one, inside"], plain["one"][..., inside])
    assert_array_equal(parts["one, around"], plain["one"][..., ~inside])
    assert_array_equal(parts["two"], plain["two"])
    assert_allclose(same, outputs, atol=1e-5)


def test_split_layer_in_nengo(converted, images):
    network = converted.copy()
    focusing.split(network, "two", np.arange(64) % 3 == 0, 2 * [converted.neurons["two"]])
    seen = []
    for net in (converted.copy(), network):
        net.input.output = images[0]
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(80)
        seen.append(sim.data[net.output])
    assert_allclose(*seen, atol=1e-9)


def test_focused_network(converted, images):
    """Fine in the window of every map, coarse around it, fine in layers without maps."""
    focused = converted.focused(FOCUS, FOCUS.places[1])
    assert {name: (e.n_neurons, e.neuron_type.m_f) for name, e in focused.layers.items()} == {
        "one, inside": (2 * 2 * 3, 0.1),
        "one, around": (12 * 3, 0.6),
        "two, inside": (2 * 2 * 4, 0.1),
        "two, around": (12 * 4, 0.6),
        "three": (6, 0.1),
    }
    assert converted.layers["one"].neuron_type.m_f == converted.neurons["one"].m_f, "is as it was"
    fine, coarse = converted.copy(), converted.copy()
    for network, m_f in ((fine, 0.1), (coarse, 0.6)):
        network.layers["one"].neuron_type = converted.neurons["one"].at_precision(m_f)
    inside = np.repeat(FOCUS.window((4, 4), FOCUS.places[1]).ravel(), 3)
    seen = spikes_and_outputs(focused.network, images)[0]
    assert_array_equal(seen["one, inside"], spikes_and_outputs(fine, images)[0]["one"][..., inside])
    assert_array_equal(
        seen["one, around"], spikes_and_outputs(coarse, images)[0]["one"][..., ~inside]
    )


def test_saved_network_can_be_focused(converted, tmp_path):
    saving.save(tmp_path / "network.npz", converted)
    focused = saving.load(tmp_path / "network.npz").focused(FOCUS, (0, 0))
    assert "two, inside" in focused.layers


def test_focus_must_be_one(converted):
    with pytest.raises(ValidationError, match="focus"):
        converted.focused(0.5, (0, 0))

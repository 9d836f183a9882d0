"""Networks in files: what is loaded runs like what was saved, and no file runs code."""

import json

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

import nengo_phasor
from nengo_phasor import ArcSparsifier, PhaseEncoder, ResonateAndFire, convert, networks
from nengo_phasor.files import DatasetError, load_params, save_params
from tests.registry import NEURONS, SYNAPSES, N, name


def run(net, probes, n_steps=150):
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(n_steps)
    return [sim.data[probe] for probe in probes]


def again(net, path):
    nengo_phasor.save(path, net)
    return nengo_phasor.load(path)


class Own(nengo.LIF):
    """A user's neurons."""


def network_of_all():
    """Every type, transform, kind of end and attribute."""
    with nengo.Network(label="all", seed=3) as net:
        net.phases = nengo.Node(np.linspace(-0.9, 0.9, N), label="phases")
        shown = nengo.Node(nengo.processes.PresentInput(np.eye(N), 0.01))
        net.seen = {}
        for neuron in NEURONS:
            spikes = nengo.Node(size_in=N)
            encoder = PhaseEncoder(getattr(neuron, "rhythm", None) or 10.0)
            nengo.Connection(net.phases, spikes, synapse=encoder)
            layer = nengo.Ensemble(N, 1, neuron_type=neuron, gain=np.ones(N), bias=np.ones(N))
            nengo.Connection(spikes, layer.neurons, transform=nengo.dists.Gaussian(0, 2))
            nengo.Connection(shown[::-1], layer.neurons, transform=3.0, synapse=0.01)
            net.seen[repr(neuron)] = nengo.Probe(layer.neurons)
        with nengo.Network(label="inner") as net.inner:
            for synapse in SYNAPSES:
                relay = nengo.Node(size_in=2)
                nengo.Connection(spikes[[0, 3]], relay, synapse=synapse)
                nengo.Probe(relay, sample_every=0.002)
        form = nengo.Convolution(2, (3, 2), kernel_size=(2,), strides=(1,), init=np.ones((2, 2, 2)))
        net.folded = nengo.Node(size_in=4)
        nengo.Connection(spikes, net.folded, transform=form, synapse=nengo.Alpha(0.02))
        sparse = nengo.Sparse((1, N), indices=[(0, 1), (0, 4)], init=[0.5, 2.0])
        ensemble = nengo.Ensemble(20, 1, label="decoded")
        nengo.Connection(spikes, ensemble, transform=sparse)
        nengo.Probe(ensemble, synapse=0.01)
        net.sizes, net.names, net.table = (1, 2.5), ["a", None], np.arange(3)
        net.code = np.sin  # is left out
    return net


def test_every_type_runs_as_before(tmp_path):
    net = network_of_all()
    back = again(net, tmp_path / "net.npz")
    assert (back.label, back.seed, [n.label for n in back.networks]) == ("all", 3, ["inner"])
    for kind in ("ensembles", "nodes", "connections", "probes"):
        olds, news = getattr(net, f"all_{kind}"), getattr(back, f"all_{kind}")
        assert len(olds) == len(news) > 0
    for old, new in zip(net.all_ensembles, back.all_ensembles, strict=True):
        assert repr(new.neuron_type) == repr(old.neuron_type)
    for old, new in zip(net.all_connections, back.all_connections, strict=True):
        assert repr(new.synapse) == repr(old.synapse)
    found = run(net, net.all_probes), run(back, back.all_probes)
    assert sum(np.any(x) for x in found[0]) > len(NEURONS)
    for a, b in zip(*found, strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert back.phases in back.nodes
    assert list(back.seen) == list(net.seen)
    assert list(back.seen.values()) == back.probes[: len(net.seen)]
    assert (back.sizes, back.names, back.table.tolist()) == ((1, 2.5), ["a", None], [0, 1, 2])
    assert not hasattr(back, "code")


def test_a_spiking_twin(tmp_path):
    with nengo.Network(seed=0) as net:
        given = nengo.Node(np.zeros(8))
        classifier = networks.PhasorClassifier((4, 6, 3))
        nengo.Connection(given, classifier.input, synapse=None)
        output = nengo.Probe(classifier.output)
    twin, new = convert.to_spiking(net, sparsifier=ArcSparsifier(0.1), assume_reference=True)
    twin.input, twin.output = new[given], new[output]
    back = again(twin, tmp_path / "twin.npz")
    for one in (twin, back):
        one.input.output = np.array([0.3, -0.2, 0.1, 0.4])
    (expected,), (found,) = run(twin, [twin.output], 400), run(back, [back.output], 400)
    assert expected.any()
    assert_array_equal(found, expected)


def test_a_converted_model(tmp_path):
    tf = pytest.importorskip("nengo_dl") and pytest.importorskip("tensorflow")
    from nengo_phasor.dl.activations import HalfSigmoid

    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(4, activation=HalfSigmoid()),
            layers.Dense(6),
            layers.ReLU(6, 0.1),
            layers.Dense(2),
        ]
    )
    converted = convert.to_adaptive(model)
    back = again(converted, tmp_path / "converted.npz")
    assert list(back.layers) == list(converted.layers)
    for one in (converted, back):
        one.input.output = np.linspace(-1, 3, 5)
        one.set_precision(0.2)
    expected = run(converted.network, [converted.output])
    assert_array_equal(run(back.network, [back.output]), expected)
    with pytest.raises(ValidationError, match="without its Keras model"):
        back.verify(np.zeros((1, 5)))


# --- what is refused ------------------------------------------------------------------------------


def small(**kwargs):
    with nengo.Network() as net:
        nengo.Ensemble(3, 1, **kwargs)
    return net


def test_own_types_are_named(tmp_path):
    path = tmp_path / "own.npz"
    nengo_phasor.save(path, small(neuron_type=Own(tau_rc=0.03)))
    with pytest.raises(DatasetError, match=r"own.npz.*class .*test_saving.Own.*types=\[Own\]"):
        nengo_phasor.load(path)
    back = nengo_phasor.load(path, types=[Own])
    assert back.ensembles[0].neuron_type == Own(tau_rc=0.03)


def test_functions_are_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "net.npz"
    nengo_phasor.save(path, small())
    before = path.read_bytes()
    with nengo.Network() as net:
        nengo.Node(lambda t: np.sin(t), label="sine")
    with pytest.raises(ValidationError, match=r"sine.*has a function, which is code"):
        nengo_phasor.save(path, net)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.npz"]


@pytest.mark.parametrize("value", [None, "net", nengo.LIF()])
def test_what_is_no_network(value, tmp_path):
    with pytest.raises(ValidationError, match="network: must be a Network or Converted"):
        nengo_phasor.save(tmp_path / "net.npz", value)


def altered(change):
    def write(path):
        nengo_phasor.save(path, small())
        arrays = load_params(path)
        header = json.loads(str(arrays["nengo_phasor"]))
        change(header)
        save_params(path, **{**arrays, "nengo_phasor": np.array(json.dumps(header))})

    return write


def _truncated(path):
    nengo_phasor.save(path, small())
    path.write_bytes(path.read_bytes()[:-40])


def _typed(path):
    def change(header):
        parameters = header["network"]["objects"][0]["parameters"]
        parameters["neuron_type"] = {"type": path, "arguments": {}}

    return altered(change)


BAD = {
    "missing": (lambda path: None, "can't be read"),
    "text": (lambda path: path.write_text("network"), "not an npz file"),
    "truncated": (_truncated, "npz file"),
    "arrays": (lambda path: save_params(path, a=np.ones(2)), "not a network.*nengo_phasor.save"),
    "no json": (lambda path: save_params(path, nengo_phasor=np.ones(2)), "not a network"),
    "newer": (altered(lambda h: h.update(format=2)), "format 2.*update nengo_phasor"),
    "lacking": (altered(lambda h: h["network"].pop("objects")), "damaged.*save the network again"),
    "a function": (_typed("nengo.utils.filter_design.cont2discrete"), "damaged"),
    "a program": (_typed("subprocess.Popen"), "class subprocess.Popen"),
    "a class": (_typed("nengo.simulator.Simulator"), "damaged"),
    "unknown": (_typed("nengo.neurons.None_such"), "damaged"),
    "elsewhere": (_typed("nengo.no_module.LIF"), "damaged"),
    "negative": (
        altered(lambda h: h["network"]["objects"][0]["parameters"].update(n_neurons=-1)),
        "can't be loaded: .*n_neurons",
    ),
}


@pytest.mark.parametrize(("write", "message"), BAD.values(), ids=BAD)
def test_files_that_are_none(write, message, tmp_path):
    """One line that names the file and says what to do."""
    path = tmp_path / "bad.npz"
    write(path)
    with pytest.raises(DatasetError, match=f"bad.npz.*{message}") as error:
        nengo_phasor.load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("neuron", NEURONS, ids=name)
def test_a_subclass_of_any_type_is_not_taken_for_its_parent(neuron, tmp_path):
    Special = type("Special", (type(neuron),), {"__module__": __name__})
    special = object.__new__(Special)
    special.__setstate__(neuron.__getstate__())
    path = tmp_path / "net.npz"
    nengo_phasor.save(path, small(neuron_type=special))
    with pytest.raises(DatasetError, match=r"test_saving.Special"):
        nengo_phasor.load(path)
    assert type(nengo_phasor.load(path, [Special]).ensembles[0].neuron_type) is Special


def test_resonators_keep_their_constants(tmp_path):
    back = again(small(neuron_type=ResonateAndFire(7, tau=0.3)), tmp_path / "net.npz")
    assert back.ensembles[0].neuron_type == ResonateAndFire(7, tau=0.3)

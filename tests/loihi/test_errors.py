"""Bad input: each an error that names the object and the remedy, before anything runs."""

import warnings

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, SimulationError

from nengo_phasor import (
    AdaptiveSpiking,
    ArcSparsifier,
    FieldSparsifier,
    PhaseEncoder,
    RandomSparsifier,
    ResonateAndFire,
)

nengo_loihi = pytest.importorskip("nengo_loihi")

from tests.loihi.common import DT, loihi, spiking  # noqa: E402


def ensemble(neuron_type=None, n=3, label="odd", **kwargs):
    kwargs = {"gain": np.ones(n), "bias": np.zeros(n), **kwargs}
    return nengo.Ensemble(n, 1, neuron_type=neuron_type or ResonateAndFire(), label=label, **kwargs)


def behind(pre, neuron_type=None, n=3, **kwargs):
    """Neurons behind others, or a node of spikes."""
    post = ensemble(neuron_type, n, label="post")
    kwargs = {"synapse": None, **kwargs}
    return nengo.Connection(pre, post.neurons, label="odd", **kwargs)


def chip(n=3):
    return ensemble(n=n, label="pre").neurons


def relay(n=3, encoder=None):
    node = nengo.Node(size_in=n)
    nengo.Connection(nengo.Node(np.zeros(n)), node, synapse=encoder or PhaseEncoder())
    return node


class Doubling(nengo.transforms.Transform):
    """A transform that nobody knows."""

    size_in = size_out = 3

    def sample(self, rng=np.random):
        return 2.0 * np.eye(3)


def convolution(**kwargs):
    return nengo.Convolution(2, (4, 4, 2), **{"kernel_size": (2, 2), **kwargs})


CASES = {
    # frequencies and time constants
    "low frequency": (
        lambda: ensemble(ResonateAndFire(0.5)),
        ["0.5 Hz", "tau = 10 s", "12 bits", "higher frequency", "on_chip = False"],
    ),
    "high frequency": (
        lambda: ensemble(ResonateAndFire(300)),
        ["300 Hz", "at most 250 Hz", "at most 0.000833"],
    ),
    "4 steps per cycle": (
        lambda: ensemble(ResonateAndFire(250)),
        ["odd", "4 steps per cycle", "shorter dt", "lower frequency", "on_chip = False"],
    ),
    "no memory": (
        lambda: ensemble(ResonateAndFire(10, tau=1e-4)),
        ["odd", "10 Hz", "tau = 0.0001 s"],
    ),
    "long memory": (
        lambda: ensemble(ResonateAndFire(10, tau=1000.0)),
        ["10 Hz", "tau = 1000 s", "shorter tau"],
    ),
    "long membrane": (
        lambda: ensemble(AdaptiveSpiking(tau_phi=1000.0)),
        ["tau_phi of 1000 s", "Shorten it", "on_chip = False"],
    ),
    "graded spikes": (
        lambda: ensemble(AdaptiveSpiking(graded=True)),
        ["graded", "carries no number", "graded = False", "on_chip = False"],
    ),
    "long refraction": (
        lambda: ensemble(AdaptiveSpiking(tau_eta=20.0)),
        ["tau_eta of 20 s", "Shorten it"],
    ),
    "long adaptation": (
        lambda: ensemble(AdaptiveSpiking(tau_gamma=20.0)),
        ["tau_gamma of 20 s", "Shorten it"],
    ),
    "a sparsifier on the chip": (
        lambda: nengo.Connection(chip(), relay_to(chip()), synapse=ArcSparsifier(0.5, 300.0)),
        ["300 Hz", "at most 250 Hz", "Connection"],
    ),
    "a sparsifier on the host": (
        lambda: nengo.Connection(chip(), relay_to(chip()), synapse=FieldSparsifier(0.5, 300.0)),
        ["300 Hz", "at most 250 Hz", "FieldSparsifier"],
    ),
    # weights
    "large weights": (
        lambda: behind(chip(), transform=1e6),
        ["post", "threshold of 0.1", "largest weight of 1e+06", "Make the weights smaller"],
    ),
    "one large weight": (
        lambda: behind(chip(), AdaptiveSpiking(), transform=np.diag([1, 1, 1e4])),
        ["post", "threshold of 0.1", "largest weight of 1e+04", "Make the weights smaller"],
    ),
    "many weights": (
        lambda: behind(
            chip(400),
            ResonateAndFire(100, tau=2.0, threshold=0.3),
            n=2,
            transform=np.ones((2, 400)),
        ),
        ["post", "24 bits", "Shorten tau", "fewer or smaller weights", "on_chip = False"],
    ),
    "a large bias": (
        lambda: nengo.Connection(
            chip(),
            ensemble(AdaptiveSpiking(), bias=np.array([0, 0, 1e6])).neurons,
            transform=1e-3,
            synapse=None,
        ),
        ["24 bits", "smaller bias"],
    ),
    "small weights": (
        lambda: behind(chip(), transform=1e-7),
        ["post", "up to 0.1", "largest weight of 1e-07", "24 bits", "Make the weights larger"],
    ),
    "weights that are not finite": (
        lambda: behind(chip(), transform=np.diag([1.0, np.inf, 1.0])),
        ["post", "not finite", "connections"],
    ),
    "weights that are no numbers": (
        lambda: behind(chip(), AdaptiveSpiking(), transform=np.diag([1.0, np.nan, 1.0])),
        ["post", "not finite", "connections"],
    ),
    # synapses and transforms
    "Alpha before adaptive neurons": (
        lambda: behind(chip(), AdaptiveSpiking(), synapse=nengo.Alpha(0.01)),
        ["Alpha", "AdaptiveSpiking", "a nengo.Lowpass or None", "on_chip = False"],
    ),
    "Alpha behind neurons of the host": (
        lambda: behind(spiking(np.zeros((1, 3))), AdaptiveSpiking(), synapse=nengo.Alpha(0.01)),
        ["Alpha", "AdaptiveSpiking", "a nengo.Lowpass or None"],
    ),
    "Lowpass before resonators": (
        lambda: behind(chip(), synapse=0.005),
        ["Lowpass", "ResonateAndFire", "must be None", "shift the phase"],
    ),
    "Lowpass behind a relay": (
        lambda: behind(relay(), synapse=0.005),
        ["Lowpass", "ResonateAndFire", "must be None", "shift the phase"],
    ),
    "Lowpass behind neurons of the host": (
        lambda: behind(spiking(np.zeros((1, 3))), synapse=0.005),
        ["Lowpass", "ResonateAndFire", "must be None", "shift the phase"],
    ),
    "a transform": (
        lambda: behind(chip(), transform=Doubling()),
        ["Doubling", "Dense", "Convolution", "on_chip = False"],
    ),
    "a transform behind a relay": (
        lambda: behind(relay(), transform=Doubling()),
        ["Doubling", "Dense", "Convolution", "on_chip = False"],
    ),
    "a convolution of one dimension": (
        lambda: behind(
            chip(8), n=14, transform=nengo.Convolution(2, (8, 1), kernel_size=(2,), strides=(1,))
        ),
        ["Convolution", "two dimensions", "on_chip = False"],
    ),
    "a convolution in groups": (
        lambda: behind(chip(32), n=18, transform=convolution(groups=2)),
        ["Convolution", "one group", "on_chip = False"],
    ),
    # sparsifiers
    "a weighted sparsifier": (
        lambda: behind(chip(), transform=0.5 * np.eye(3), synapse=ArcSparsifier(0.5)),
        ["ArcSparsifier", "unweighted connection to a relay", "nengo.Node(size_in=...)"],
    ),
    "a weighted sparsifier before stock neurons": (
        lambda: behind(chip(), nengo.LIF(), transform=0.5, synapse=RandomSparsifier(0.5)),
        ["RandomSparsifier", "unweighted connection to a relay"],
    ),
    "a weighted sparsifier behind a relay": (
        lambda: behind(relay(), transform=0.5, synapse=ArcSparsifier(0.5)),
        ["ArcSparsifier", "unweighted connection to a relay"],
    ),
    "what no neuron can do by itself": (
        lambda: behind(chip(), synapse=FieldSparsifier(0.5)),
        ["FieldSparsifier", "unweighted connection to a relay"],
    ),
    # what they connect
    "to an ensemble": (
        lambda: nengo.Connection(chip()[:1], ensemble(), synapse=None),
        ["code in phase", "ensemble.neurons"],
    ),
    "from a relay to an ensemble": (
        lambda: nengo.Connection(relay(1), ensemble(), synapse=None),
        ["code in phase", "ensemble.neurons"],
    ),
    "from an ensemble": (
        lambda: nengo.Connection(ensemble(), ensemble(AdaptiveSpiking(), label="post")),
        ["odd", "code in phase", "ensemble.neurons"],
    ),
    "to a part of the neurons": (
        lambda: nengo.Connection(chip(), ensemble(n=5).neurons[:3], synapse=None),
        ["part of the neurons", "rows of zeros"],
    ),
    "to neurons by their places": (
        lambda: nengo.Connection(chip(), ensemble(n=5).neurons[np.arange(3)], synapse=None),
        ["part of the neurons", "rows of zeros"],
    ),
    "from a relay to a part": (
        lambda: nengo.Connection(relay(), ensemble(n=5).neurons[1:4], synapse=None),
        ["part of the neurons", "rows of zeros"],
    ),
    # probes
    "a probe of the input": (
        lambda: nengo.Probe(ensemble().neurons, "input"),
        ["Probe", "'input'", "'output', 'voltage', 'current'"],
    ),
    "a probe that sparsifies": (
        lambda: nengo.Probe(ensemble().neurons, synapse=ArcSparsifier(0.5)),
        ["Probe", "ArcSparsifier", "relay"],
    ),
}
"""What is wrong, and what the error says."""


def relay_to(neurons):
    """A relay before neurons."""
    node = nengo.Node(size_in=neurons.size_in)
    nengo.Connection(node, neurons, synapse=None)
    return node


@pytest.mark.parametrize("key", CASES)
def test_build_errors(key):
    make, parts = CASES[key]
    with nengo.Network(seed=0) as net, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make()
    with pytest.raises(BuildError) as error:
        loihi(net, 1)
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("neuron_type", [ResonateAndFire(0.5), AdaptiveSpiking(tau_eta=20.0)])
def test_off_the_chip_all_is_possible(neuron_type):
    """The remedy that most errors name."""
    with nengo.Network() as net:
        nengo_loihi.add_params(net)
        other = ensemble(neuron_type)
        net.config[other].on_chip = False
        ensemble()
        probe = nengo.Probe(other.neurons)
    assert loihi(net, 5).data[probe].shape == (5, 3)


@pytest.mark.parametrize("neuron_type", [ResonateAndFire(), AdaptiveSpiking()])
def test_real_hardware(neuron_type):
    with nengo.Network() as net:
        ensemble(neuron_type)
    with pytest.raises(BuildError) as error:
        nengo_loihi.Simulator(net, target="loihi")
    for part in ("odd", type(neuron_type).__name__, "target='sim'", "on_chip = False"):
        assert part in str(error.value)


def test_real_hardware_without_our_neurons_on_it():
    """What is wrong then is nengo-loihi's to say: there is no hardware."""
    with nengo.Network() as net:
        nengo_loihi.add_params(net)
        other = ensemble()
        net.config[other].on_chip = False
        nengo.Ensemble(3, 1)
    with pytest.raises(AssertionError, match="NxSDK"):
        nengo_loihi.Simulator(net, target="loihi")


@pytest.mark.parametrize("value", [0.3, -0.01, -1000.0, 1500.0])
def test_analog_values(value):
    """Found when they come: what a node will say is not known before."""
    with nengo.Network() as net:
        node = nengo.Node(lambda t: value * (t > 0.0045), label="node")
        nengo.Connection(node, ensemble(n=1).neurons, synapse=None)
    with pytest.raises(SimulationError) as error:
        loihi(net, 10)
    for part in ("node", "odd", f"{value:.4g}", "t = 0.005 s", "1000", "PhaseEncoder"):
        assert part in str(error.value)


def test_analog_neurons_of_the_host():
    with nengo.Network() as net:
        nengo_loihi.add_params(net)
        rates = ensemble(nengo.RectifiedLinear(), bias=np.full(3, 2.5), label="rates")
        net.config[rates].on_chip = False
        behind(rates.neurons)
    with pytest.raises(SimulationError, match=r"2\.5 can't be sent"):
        loihi(net, 10)


def test_overflow_is_counted_for_each_ensemble_and_warned_about_once():
    with nengo.Network() as net:
        raster = np.ones((1, 3))
        wide, calm = (ensemble(ResonateAndFire(5), n=1, label=key) for key in ("wide", "calm"))
        node = nengo.Node(lambda t: np.full(3, 4 / DT) * (t % 0.2 < 0.1))
        nengo.Connection(node, wide.neurons, transform=raster, synapse=None)
        nengo.Connection(relay(), calm.neurons, transform=raster, synapse=None)
        probe = nengo.Probe(wide.neurons, "voltage")
    sim = loihi(net, 1000)
    clipped = sim.compartments.clipped
    assert clipped[wide.neurons] > 10
    (warning,) = (w for w in sim.warned if "did not fit" in w)
    for part in ("wide", "counts how often", "weights smaller", "spikes"):
        assert part in warning
    highest = (2**23 - 1) / sim.model.objs[wide]["in"][0].compartment.scale
    assert np.max(sim.data[probe]) == pytest.approx(highest)
    assert clipped[calm.neurons] == 0


def test_weights_of_nothing():
    """Too small to tell from none, they add nothing."""
    with nengo.Network() as net:
        post = behind(relay(), transform=1e-13).post
        probe = nengo.Probe(post, "voltage")
    assert not np.any(loihi(net, 300).data[probe])


def test_warns_of_another_rhythm():
    with nengo.Network() as net:
        behind(relay(encoder=PhaseEncoder(20)))
        nengo.Probe(behind(relay()).post)
    (warning,) = (w for w in loihi(net, 1).warned if "rhythm" in w)
    for part in ("PhaseEncoder", "20 Hz", "post", "10 Hz", "same frequency"):
        assert part in warning

"""What passes silently elsewhere: phases that are no spikes, weights before spike synapses, units.

Each mistake has a test that it is noticed, and one that what is meant is not.
"""

import re
import warnings

import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.exceptions import BuildError, ValidationError
from nengo.processes import PresentInput

from nengo_phasor import (
    AdaptiveSpiking,
    AssumeReference,
    PhaseEncoder,
    ResonateAndFire,
    SurrogateLIF,
    convert,
    metrics,
    networks,
    phases,
    vsa,
)
from tests.registry import SYNAPSES, name

PHASES = np.array([-0.4, -0.1, 0.2, 0.4])
WEIGHTS = np.random.RandomState(0).normal(size=(4, 4))


def neurons(neuron_type=None, n=4):
    return nengo.Ensemble(n, 1, neuron_type=neuron_type or ResonateAndFire()).neurons


def relay(source=None, **kwargs):
    node = nengo.Node(size_in=4)
    nengo.Connection(source or nengo.Node(PHASES), node, **kwargs)
    return node


def build(make):
    with nengo.Network() as net:
        make()
    Model().build(net)


def build_quietly(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        build(make)


# --- weights before a spike synapse ---------------------------------------------------------------

MIXING = {
    "dense": WEIGHTS,
    "drawn": nengo.dists.Gaussian(0, 1),
    "sparse": nengo.Sparse((4, 4), indices=[(0, 1), (1, 0)], init=[1.0, 2.0]),
    "convolution": nengo.Convolution(2, (2, 2), kernel_size=(1,), strides=(1,)),
}
SOURCES = {
    "neurons": lambda: neurons(),
    "relay": lambda: relay(synapse=PhaseEncoder()),
}


@pytest.mark.parametrize("synapse", SYNAPSES, ids=name)
@pytest.mark.parametrize("transform", MIXING.values(), ids=MIXING)
def test_spike_synapses_behind_weights_are_refused(synapse, transform):
    """On their way to neurons of any type, and from neurons that spike to a relay."""
    kwargs = {"transform": transform, "synapse": synapse}
    ends = [
        *((source, neurons) for source in SOURCES.values()),
        (lambda: neurons(AdaptiveSpiking()), lambda: neurons(SurrogateLIF())),
        (lambda: neurons(nengo.LIF()), lambda: nengo.Node(size_in=4)),
    ]
    for pre, post in ends:
        with pytest.raises(BuildError, match=r"<Connection from .*after its weights"):
            build(lambda pre=pre, post=post: nengo.Connection(pre(), post(), **kwargs))


@pytest.mark.parametrize("transform", [None, 0.5, [1.0, 2.0, 0.5, 1.0], np.eye(4)])
def test_what_only_scales_is_meant(transform):
    build_quietly(
        lambda: nengo.Connection(
            neurons(SurrogateLIF()),
            neurons(SurrogateLIF()),
            transform=transform,
            synapse=AssumeReference(),
        )
    )


def test_phases_may_be_weighted_before_they_are_encoded():
    build_quietly(lambda: relay(nengo.Node(PHASES), transform=WEIGHTS, synapse=PhaseEncoder()))


def test_spikes_are_not_encoded_again():
    with pytest.warns(UserWarning, match=r"PhaseEncoder\(.*\) turns phases into spikes.*already"):
        build(lambda: relay(neurons(), synapse=PhaseEncoder()))
    build_quietly(lambda: relay(neurons(nengo.RectifiedLinear()), synapse=PhaseEncoder()))


# --- degrees and radians --------------------------------------------------------------------------

UNITS = {"degrees": 180 * PHASES, "radians": np.pi * PHASES, "just outside": [0.1, np.nan, -1.01]}
TAKERS = {
    "to_complex": phases.to_complex,
    "to_rows": phases.to_rows,
    "to_times": lambda x: phases.to_times(x, 10, 1),
    "to_raster": lambda x: phases.to_raster(x, 10, 1, 0.001),
    "to_vector": vsa.to_vector,
}


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize("x", UNITS.values(), ids=UNITS)
def test_phases_of_another_unit(take, x):
    with pytest.warns(UserWarning, match=r"outside \[-1, 1\).*Divide degrees by 180"):
        given = take(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(given, take(phases.wrap(x)), atol=1e-9)
        take([1.0, -1.0, 0.0, np.nan, 1 + 1e-8])


@pytest.mark.parametrize("x", [180 * PHASES, PresentInput([PHASES, 180 * PHASES], 0.1)])
def test_encoders_of_another_unit(x):
    with pytest.warns(UserWarning, match=r"Node.*outside \[-1, 1\)"):
        build(lambda: relay(nengo.Node(x), synapse=PhaseEncoder()))
    build_quietly(
        lambda: relay(nengo.Node(180 * PHASES), transform=1 / 180, synapse=PhaseEncoder())
    )


# --- rasters for phases, one size for several, paths for models -----------------------------------


@pytest.mark.parametrize("height", [True, 1, 1.0, 1000.0])
def test_a_raster_has_no_class(height):
    raster = phases.to_raster(PHASES, 10, 2, 0.001) * np.array(height)
    with pytest.raises(ValidationError, match=r"phase: is a spike raster.*from_raster"):
        metrics.phase_class(raster)


@pytest.mark.parametrize("x", [180 * PHASES, np.pi * PHASES, [0.2, 1.4]])
def test_classes_of_another_unit(x):
    with pytest.raises(ValidationError, match=r"phase: must be in \[-1, 1\).*divide degrees"):
        metrics.phase_class(x)


@pytest.mark.parametrize("x", [[0.0, 0.0], [0.5, 0.0], [1.0, 0.2, 0.3], [-0.5, 1.0]])
def test_phases_have_a_class(x):
    assert metrics.phase_class(x) == np.argmax(np.sin(np.pi * np.array(x)))


@pytest.mark.parametrize(
    ("arguments", "given"), [((784, 10), "784, 10"), ((784,), "784"), (([784],), r"\[784\]")]
)
def test_sizes_are_one_sequence(arguments, given):
    message = rf"such as PhasorClassifier\(\(784, 10\)\), got {given}$"
    with pytest.raises(ValidationError, match=message):
        networks.PhasorClassifier(*arguments)


@pytest.mark.parametrize("operation", [vsa.bind, vsa.unbind, vsa.similarity])
@pytest.mark.parametrize("sizes", [(3, 4), (4, 3), (3, 1), (1, 3)])
def test_symbols_of_different_sizes(operation, sizes):
    """One phase is not the same phase for all."""
    with pytest.raises(ValidationError, match=f"has {sizes[1]} phases, but . has {sizes[0]}"):
        operation(*map(vsa.identity, sizes))


@pytest.mark.parametrize(
    ("convert", "said"),
    [
        (convert.to_spiking, "got 'model.npz': load it first"),
        (convert.to_adaptive, "there is no file 'model.npz'"),  # which takes paths
    ],
)
def test_a_path_is_no_model(convert, said):
    with pytest.raises(ValidationError, match=said):
        convert("model.npz")


# --- in layerwise ---------------------------------------------------------------------------------


def given_network(make):
    with nengo.Network() as net:
        net.node = nengo.Node(np.zeros(4), label="given")
        make(net.node)
    return net


def predict(net, x, n_steps=20):
    layerwise = pytest.importorskip("nengo_phasor.layerwise")
    return layerwise.Simulator(net).predict({net.node: x}, n_steps)


def test_data_that_look_like_phases():
    direct = given_network(lambda node: nengo.Connection(node, neurons(), synapse=None))
    with pytest.warns(UserWarning, match=r"given.*looks like phases.*PhaseEncoder\(\)"):
        predict(direct, PHASES[None, None])
    encoded = given_network(
        lambda node: nengo.Connection(relay(node, synapse=PhaseEncoder()), neurons(), synapse=None)
    )
    with pytest.warns(UserWarning, match=r"data for .*given.*outside \[-1, 1\)"):
        predict(encoded, 180 * PHASES[None, None])
    other = given_network(lambda node: nengo.Connection(node, neurons(nengo.LIF()), synapse=None))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        predict(encoded, PHASES[None, None])
        predict(direct, 3 * PHASES[None, None])
        predict(direct, np.tile(PHASES, (1, 20, 1)))
        predict(other, PHASES[None, None])


def classifier():
    with nengo.Network() as net:
        net.node = nengo.Node(np.zeros(8), label="given")
        layers = networks.PhasorClassifier((4, 3))
        nengo.Connection(net.node, layers.input, synapse=None)
        net.output = nengo.Probe(layers.output)
    return net


TO_ROWS = re.escape("(n_items, n_steps")


def test_data_that_are_phases_in_place_of_phasors():
    with pytest.raises(ValidationError, match=rf"given.*{TO_ROWS}.*to_rows\(phases\)"):
        predict(classifier(), PHASES[None, None])
    with pytest.raises(ValidationError, match=r"need \(n_items, n_steps or 1, 8\)$"):
        predict(classifier(), np.zeros((1, 1, 5)))


def test_training_data_that_are_phases_in_place_of_phasors():
    nengo_dl = pytest.importorskip("nengo_dl")
    net = classifier()
    targets = {net.output: phases.to_rows(np.zeros((2, 1, 3)))}
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.compile("sgd", loss="mse")
        with pytest.raises(ValidationError, match=rf"given.*{TO_ROWS}.*8\).*to_rows\(phases\)"):
            sim.fit({net.node: np.tile(PHASES, (2, 1, 1))}, targets, verbose=0)
        with pytest.raises(ValidationError, match=r"need \(n_items, n_steps, 8\)$"):
            sim.fit({net.node: np.zeros((2, 1, 5))}, targets, verbose=0)

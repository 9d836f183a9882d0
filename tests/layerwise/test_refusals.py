"""What it can't run, and what there is little of."""

import nengo
import numpy as np
import pytest
from nengo.builder import Builder
from nengo.builder.operator import Copy
from nengo.exceptions import BuildError, SimulationError
from numpy.testing import assert_array_equal

from nengo_phasor import (
    ArcSparsifier,
    layerwise,
)
from tests.layerwise.common import (
    connect,
    layer,
    neurons,
    source,
)
from tests.registry import N


def test_nothing_to_run():
    with layerwise.Simulator(nengo.Network()) as sim:
        sim.run(0.1)
    assert not any(isinstance(obj, nengo.Probe) for obj in sim.data)
    assert len(sim.trange()) == 100


def test_no_probes():
    with nengo.Network() as net:
        layer(source())
    with layerwise.Simulator(net) as sim:
        sim.run(0.1)
    assert not any(isinstance(obj, nengo.Probe) for obj in sim.data)


def test_relay_without_input():
    with nengo.Network() as net:
        relay = connect(nengo.Node(size_in=2), nengo.Node(size_in=2), synapse=ArcSparsifier(0.5))
        probe, other = nengo.Probe(relay), nengo.Probe(neurons(3))
    with layerwise.Simulator(net, minibatch_size=None) as sim:
        sim.run_steps(10)
    assert_array_equal(sim.data[probe], np.zeros((10, 2)))
    assert_array_equal(sim.data[other], np.zeros((10, 3)))


def test_function_that_returns_nothing():
    with nengo.Network() as net:
        nengo.Node(lambda t: None if t > 0.002 else 1.0, size_out=1, label="forgetful")
    with pytest.raises(SimulationError, match=r"forgetful.*None at t = 0.003"):
        layerwise.Simulator(net).run(0.01)


def learning_outside():
    a, b = nengo.Ensemble(5, 1), nengo.Ensemble(5, 1)
    with nengo.Network():
        c = nengo.Connection(a, b, learning_rule_type=nengo.PES())
    nengo.Connection(nengo.Node([1.0]), c.learning_rule)


class BuiltOtherwise(nengo.LIF):
    """Neurons that a user's builder makes into operators of another kind."""


@Builder.register(BuiltOtherwise)
def build_otherwise(model, neuron_type, neurons):
    model.add_op(Copy(model.sig[neurons]["in"], model.sig[neurons]["out"]))


class OfNoProcess(nengo.synapses.Synapse):
    """A synapse that a user's builder makes into operators of another kind."""


@Builder.register(OfNoProcess)
def build_of_no_process(model, synapse, sig_in, sig_out=None, mode="set"):
    return sig_in


REFUSED = {
    "synapse in a loop": (
        lambda: connect((x := neurons(label="ring")), x, synapse=nengo.synapses.Triangle(0.01)),
        ["Connection", "Triangle", "in a loop", "nengo.Simulator"],
    ),
    "process in a loop": (
        lambda: connect(
            (x := nengo.Node(nengo.processes.FilteredNoise(), size_in=N, size_out=N)),
            x,
            synapse=0.1,
        ),
        ["Node", "FilteredNoise", "in a loop", "nengo.Simulator"],
    ),
    "neurons": (lambda: neurons(neuron_type=BuiltOtherwise()), ["Ensemble", "BuiltOtherwise"]),
    "direct mode": (lambda: nengo.Ensemble(1, 1, neuron_type=nengo.Direct()), ["Direct()"]),
    "noise": (lambda: neurons(noise=nengo.processes.WhiteNoise()), ["Ensemble", "noise"]),
    "learning": (
        lambda: connect(neurons(), neurons(), learning_rule_type=nengo.BCM(), transform=np.eye(N)),
        ["Connection", "learning rules"],
    ),
    "learning rule as target": (learning_outside, ["LearningRule", "as a target"]),
    "synapse": (
        lambda: connect(source(), nengo.Node(size_in=N), synapse=OfNoProcess()),
        ["Connection", "OfNoProcess"],
    ),
    "probe synapse": (
        lambda: nengo.Probe(source(), synapse=OfNoProcess()),
        ["Probe", "OfNoProcess"],
    ),
    "transform": (
        lambda: connect(
            nengo.Node(np.zeros(16)),
            nengo.Node(size_in=72),
            transform=nengo.ConvolutionTranspose(2, (4, 4, 1)),
        ),
        ["Connection", "ConvolutionTranspose"],
    ),
    "function": (
        lambda: connect(nengo.Node([1.0]), nengo.Node(size_in=1), function=np.sin),
        ["Connection", "functions on connections from nodes"],
    ),
    "weight solver": (
        lambda: connect(
            nengo.Ensemble(5, 1),
            nengo.Ensemble(5, 1),
            solver=nengo.solvers.LstsqL2(weights=True),
        ),
        ["Connection", "solvers for whole weight matrices"],
    ),
    "decoded probe": (lambda: nengo.Probe(nengo.Ensemble(5, 1)), ["Probe", "Ensemble"]),
    "state": (lambda: nengo.Probe(neurons(), "voltage"), ["Probe", "'voltage'"]),
    "input": (lambda: nengo.Probe(neurons(), "input"), ["Probe", "'input'"]),
    "connection": (
        lambda: nengo.Probe(nengo.Connection(nengo.Node([1.0]), nengo.Node(size_in=1))),
        ["Probe", "Connection"],
    ),
}


def test_circle_in_which_nothing_waits():
    """Nengo can't step it either; the message says what to give it."""
    with nengo.Network() as net:
        connect((x := neurons(label="ring")), x, synapse=None)
    with pytest.raises(BuildError, match=r"circle <Ensemble 'ring'> -> .*nengo\.Lowpass"):
        layerwise.Simulator(net)


@pytest.mark.parametrize(("build", "parts"), REFUSED.values(), ids=REFUSED)
def test_refuses(build, parts):
    """With the object, what of it, and the simulator to use instead."""
    with nengo.Network() as net:
        build()
    with pytest.raises(BuildError) as error:
        layerwise.Simulator(net)
    for part in ("layerwise can't run", *parts, "use nengo.Simulator or nengo_dl.Simulator"):
        assert part in str(error.value)


def test_rhythm_too_fast():
    with nengo.Network() as net:
        source(frequency=300)
    with pytest.raises(BuildError, match="steps in a cycle"):
        layerwise.Simulator(net)

"""What is given for nodes, and how long."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError
from numpy.testing import assert_array_equal

from nengo_phasor import (
    PhaseEncoder,
    layerwise,
)
from tests.layerwise.common import (
    connect,
    fed_data,
    fed_network,
    layer,
)
from tests.registry import N


def test_missing_phases_make_no_spikes():
    net = fed_network()
    data = fed_data(net, 2, 120)
    data[net.phases][0, 0, :] = np.nan
    data[net.phases][1, 0, 2] = np.nan
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(N))
        spikes = connect(node, nengo.Node(size_in=N), synapse=PhaseEncoder())
        probe = nengo.Probe(spikes)
        out = nengo.Probe(layer(spikes))
    phase = next(iter(data.values()))
    for x in (phase, np.repeat(phase, 120, axis=1)):
        got = layerwise.Simulator(net).predict({node: x}, 120)
        assert not got[probe][0].any()
        assert not got[out][0].any()
        assert got[probe][1].any(axis=0).tolist() == [True, True, False, True, True, True]
        assert np.isfinite(got[out]).all()


@pytest.mark.parametrize("convert", [np.asarray, np.ndarray.tolist, lambda x: x.astype("float16")])
def test_types_of_data(convert):
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(3))
        probe = nengo.Probe(node)
    for x in (np.arange(6).reshape(2, 1, 3), np.eye(3)[:2, None] > 0):
        got = layerwise.Simulator(net).predict({node: convert(x)}, 5)[probe]
        assert got.dtype == np.float64
        assert_array_equal(got, np.repeat(x, 5, axis=1))


def test_data_are_not_changed():
    net = fed_network()
    data = fed_data(net, 2, 50)
    copies = {k: v.copy() for k, v in data.items()}
    layerwise.Simulator(net).predict(data)
    for node in data:
        assert_array_equal(data[node], copies[node])


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda net, d: {}, ["data", "empty", "run"]),
        (lambda net, d: {**d, net.spikes: d[net.phases]}, ["Probe", "takes no data", "node"]),
        (lambda net, d: {**d, "phases": d[net.phases]}, ["phases", "takes no data"]),
        (lambda net, d: {**d, net.mixed.target: d[net.phases]}, ["Node", "takes no data"]),
        (lambda net, d: {net.phases: np.zeros(3)}, ["(3,)", f"(n_items, n_steps or 1, {N})"]),
        (lambda net, d: {net.phases: np.zeros((3, N))}, [f"(3, {N})", "n_items"]),
        (lambda net, d: {net.phases: np.float64(0)}, ["()", "n_items"]),
        (lambda net, d: {net.phases: np.zeros((3, 1, N + 1))}, [f"(3, 1, {N + 1})"]),
        (lambda net, d: {**d, net.phases: np.zeros((3, 1, N))}, ["have", "items"]),
        (lambda net, d: {**d, net.phases: np.zeros((2, 49, N))}, ["49 steps", "of 50", "1 for"]),
        (lambda net, d: {net.phases: 1j * d[net.phases]}, ["complex128", "real numbers"]),
        (lambda net, d: {net.phases: d[net.phases].astype(str)}, ["<U", "real numbers"]),
        (lambda net, d: {net.phases: d[net.phases].astype(object)}, ["object", "real numbers"]),
    ],
)
def test_data_are_checked(change, parts):
    net = fed_network()
    sim = layerwise.Simulator(net, minibatch_size=2)
    data = change(net, fed_data(net, 2, 50))
    with pytest.raises(ValidationError) as error:
        sim.predict(data)
    for part in ("data", *parts):
        assert part in str(error.value)


def test_items_of_a_run_are_counted():
    net = fed_network()
    with (
        layerwise.Simulator(net, minibatch_size=4) as sim,
        pytest.raises(ValidationError, match=r"2 items.*needs 4 \(minibatch_size"),
    ):
        sim.run_steps(50, fed_data(net, 2, 50))


@pytest.mark.parametrize("n_steps", [0, -3, 10.5])
def test_a_window_has_a_step(n_steps):
    net = fed_network()
    with pytest.raises(
        ValidationError, match=f"n_steps: must be a positive integer, got {n_steps}"
    ):
        layerwise.Simulator(net).run_steps(n_steps)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "int32"}, r'dtype: must be "float64" or "float32", got int32'),
        ({"dtype": "float16"}, "dtype"),
        ({"minibatch_size": 0}, "minibatch_size: must be a positive integer, got 0"),
        ({"minibatch_size": "4"}, "minibatch_size: must be a positive integer, got '4'"),
        ({"threads": 0}, "threads: must be a positive integer, got 0"),
        ({"dt": "1 ms"}, "dt: must be positive and finite, got '1 ms'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValidationError, match=message):
        layerwise.Simulator(nengo.Network(), **arguments)


def test_a_network_is_a_network():
    with pytest.raises(ValidationError, match=r"must be a nengo\.Network, got 'model\.keras'"):
        layerwise.Simulator("model.keras")


def test_how_long_a_constant_lasts():
    """One step shows nothing of spiking neurons; of others it shows all."""
    net = fed_network()
    data = fed_data(net, 2, 1)
    with pytest.raises(ValidationError, match=r"n_steps: is missing.*constants.*number of steps"):
        layerwise.Simulator(net).predict(data)
    for ensemble in net.all_ensembles:
        ensemble.neuron_type = nengo.RectifiedLinear()
    assert all(len(x[0]) == 1 for x in layerwise.Simulator(net).predict(data).values())


def test_data_are_given_by_node():
    sim = layerwise.Simulator(fed_network())
    for run in (sim.predict, lambda x: sim.run_steps(10, x)):
        with pytest.raises(ValidationError, match=r"data: must be {node: array}, got a ndarray"):
            run(np.zeros((2, 1, 3)))

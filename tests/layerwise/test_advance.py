"""Going on from a state."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, ValidationError
from numpy.testing import assert_array_equal

from nengo_phasor import (
    AdaptiveSpiking,
    layerwise,
)
from nengo_phasor.layerwise import portions
from tests.layerwise.common import DT, fed_data, fed_network, filtered_network
from tests.registry import N


def test_windows_one_after_the_other_are_one_window():
    net = filtered_network()
    data = {net.node: np.random.RandomState(0).normal(2, 2, (5, 1, N))}
    sim = layerwise.Simulator(net, dtype="float64")
    whole, parts, state = sim.predict(data, 300), [], None
    for n_steps in (120, 1, 179):
        seen, state = sim.advance(data, n_steps, state)
        parts.append(seen)
    assert state.n_steps == 300
    for probe in net.seen:
        assert whole[probe].any()
        assert_array_equal(np.concatenate([p[probe] for p in parts], axis=1), whole[probe])


@pytest.mark.parametrize("n_data", [1, 200])
def test_blocks_of_time_change_nothing(monkeypatch, n_data):
    net = filtered_network()
    data = {net.node: np.random.RandomState(0).normal(2, 2, (3, n_data, N))}
    with net:
        rare = nengo.Probe(net.node, sample_every=7 * DT)
    sim = layerwise.Simulator(net, dtype="float64")
    whole = sim.predict(data, 200)
    monkeypatch.setattr(portions, "BLOCK_BYTES", 8 * N * 33)
    for probe, expected in whole.items():
        assert_array_equal(sim.predict(data, 200)[probe], expected)
    assert whole[rare].shape == (3, 200 // 7, N)


def test_some_items_go_on():
    net = filtered_network()
    data = {net.node: np.random.RandomState(0).normal(2, 2, (40, 1, N))}
    sim = layerwise.Simulator(net, dtype="float64")  # two chunks
    whole = sim.predict(data, 100)
    _, state = sim.advance(data, 60)
    chosen = np.array([3, 21, 39])
    seen, _ = sim.advance({net.node: data[net.node][chosen]}, 40, state[chosen])
    for probe in net.seen:
        assert_array_equal(seen[probe], whole[probe][chosen, 60:])


def test_states_that_can_not_go_on():
    net = filtered_network()
    sim, data = layerwise.Simulator(net), {net.node: np.ones((3, 1, N))}
    _, state = sim.advance(data, 5)
    with pytest.raises(ValidationError, match=r"items other than the 3.*state\[items\]"):
        sim.advance(data, 5, state[:2])
    other = filtered_network()
    with pytest.raises(ValidationError, match="of another network: it has nothing of"):
        layerwise.Simulator(other).advance({other.node: data[net.node]}, 5, state)
    with pytest.raises(ValidationError, match="is empty"):
        sim.advance({}, 5)
    net = fed_network()
    with pytest.raises(BuildError, match=r"state of its PhaseEncoder is not kept: use predict"):
        layerwise.Simulator(net).advance(fed_data(net, 2, 5), 5)


def test_precision_is_that_of_the_simulators_building():
    net = filtered_network()
    data = {net.node: np.random.RandomState(0).normal(2, 2, (2, 1, N))}
    sim = layerwise.Simulator(net)
    before = sim.predict(data, 200)
    for ensemble in net.all_ensembles:
        if isinstance(ensemble.neuron_type, AdaptiveSpiking):
            ensemble.neuron_type = ensemble.neuron_type.at_precision(0.4)
    again, after = sim.predict(data, 200), layerwise.Simulator(net).predict(data, 200)
    assert_array_equal(again[net.seen[0]], before[net.seen[0]])
    assert np.count_nonzero(after[net.seen[0]]) < 0.5 * np.count_nonzero(before[net.seen[0]])

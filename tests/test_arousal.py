import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import AdaptiveSpiking, layerwise, metrics
from nengo_phasor.arousal import Arousal, classify

few = settings(deadline=None, max_examples=40)
DT = 0.001
AROUSAL = Arousal(low=0.5, high=0.1, wait=0.002, duration=0.003, threshold=1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": 0}, "low"),
        ({"high": -0.1}, "high"),
        ({"high": 0.5}, r"high.*less than low, 0.5"),
        ({"high": 0.6}, r"high.*less than low"),
        ({"wait": -0.1}, "wait"),
        ({"duration": 0}, "duration"),
        ({"threshold": -1}, "threshold"),
        ({"wait": "long"}, "wait"),
    ],
)
def test_parameters(change, message):
    settings = {"low": 0.5, "high": 0.1, "wait": 0.1, "duration": 0.05, **change}
    with pytest.raises(ValidationError, match=message):
        Arousal(**settings)


def test_is_inert():
    assert Arousal(0.5, 0.1, 0.002, 0.003, 1.0) == AROUSAL
    assert Arousal(0.5, 0.1, 0.002, 0.003) != AROUSAL
    assert repr(AROUSAL) == "Arousal(low=0.5, high=0.1, wait=0.002, duration=0.003, threshold=1.0)"
    with pytest.raises(nengo.exceptions.ReadonlyError):
        AROUSAL.threshold = 2


def test_margin_by_hand():
    """Steps 2 to 4 count; what leads in turns leads by little."""
    outputs = np.array(
        [
            [[9, 0, 0], [9, 0, 0], [1, 2, 0], [1, 4, 0], [1, 0, 0], [9, 0, 0]],
            [[0, 0, 0], [0, 0, 0], [6, 0, 0], [0, 6, 0], [1, 0, -3], [0, 0, 9]],
            [[0, 0, 0], [0, 0, 0], [-5, -1, -4], [-5, -1, -4], [-5, -1, -4], [0, 0, 0]],
        ]
    )
    assert_allclose(AROUSAL.margin(outputs), [2 - 1, (7 - 6) / 3, 3])
    assert_array_equal(AROUSAL.uncertain(outputs), [True, True, False])  # at the threshold, too
    # the same steps of half the length: twice as many, from the 4th on
    slow = np.repeat(outputs, 2, axis=1)
    assert_allclose(AROUSAL.margin(slow, DT / 2), AROUSAL.margin(outputs))


def test_margin_in_single_precision():
    outputs = np.random.RandomState(0).normal(size=(5, 9, 4)).astype(np.float32)
    assert_allclose(AROUSAL.margin(outputs), AROUSAL.margin(outputs.astype(float)), rtol=1e-12)


@pytest.mark.parametrize("shape", [(3, 4, 10), (3, 10, 1), (10, 4), (3,)])
def test_outputs_that_are_too_few(shape):
    with pytest.raises(ValidationError, match=r"outputs.*at least 5 steps.*got \(" + str(shape[0])):
        AROUSAL.uncertain(np.zeros(shape))


def test_duration_shorter_than_a_step():
    with pytest.raises(ValidationError, match=r"duration.*0.0004 s, which is less than a step"):
        Arousal(0.5, 0.1, 0.1, 0.0004, 1.0).uncertain(np.zeros((1, 200, 2)))


def test_unfitted():
    unfitted = Arousal(0.5, 0.1, 0.002, 0.003)
    with pytest.raises(ValidationError, match=r"threshold.*fit the object to the training set"):
        unfitted.uncertain(np.zeros((1, 10, 2)))
    with pytest.raises(ValidationError, match=r"threshold.*is missing"):
        classify(unfitted, lambda *_: pytest.fail("ran all the same"), 1, 10)


def items(margins, predicted, n_classes=3, n_steps=6):
    """Outputs with these margins, and these classes in the last step."""
    outputs = np.zeros((len(margins), n_steps, n_classes))
    outputs[:, :, 1] = np.asarray(margins)[:, None]
    outputs[:, -1] = 10.0 * np.eye(n_classes)[predicted]
    return outputs


def test_fit_by_hand():
    margins = [0.5, 0.1, 0.3, 0.9, 0.2, 0.7]
    outputs = items(margins, predicted=[0, 1, 2, 0, 1, 2])
    labels = [1, 1, 1, 1, 0, 2]  # low precision is wrong for items 0, 2, 3 and 4
    precise = [1, 0, 1, 1, 1, 2]  # and high precision right for 0, 2 and 3 of these
    unfitted = Arousal(0.5, 0.1, 0.002, 0.003)
    for fraction, threshold in ((1, 0.9), (0.7, 0.9), (0.6, 0.5), (1 / 3, 0.3), (0.01, 0.3)):
        fitted = unfitted.fit(outputs, labels, precise, fraction=fraction)
        assert fitted.threshold == pytest.approx(threshold)
        assert (fitted.low, fitted.high, fitted.wait, fitted.duration) == (0.5, 0.1, 0.002, 0.003)
    assert unfitted.threshold is None
    fitted = unfitted.fit(outputs, labels, precise, fraction=0.6)
    assert_array_equal(fitted.uncertain(outputs), [True, True, True, False, True, False])


def test_fit_where_high_precision_is_no_use():
    outputs = items([0.5, 0.1], predicted=[0, 1])
    assert AROUSAL.fit(outputs, labels=[0, 2], precise=[0, 1]).threshold == 0


@few
@given(
    st.lists(
        st.tuples(st.floats(0, 10), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)),
        min_size=1,
        max_size=40,
    ),
    st.floats(0.01, 1),
)
def test_fit_meets_its_target(rows, fraction):
    """It covers the fraction, and no smaller threshold would."""
    margins, predicted, labels, precise = map(np.array, zip(*rows, strict=True))
    outputs = items(margins, predicted)
    fitted = AROUSAL.fit(outputs, labels, precise, fraction=fraction)
    rescued = (precise == labels) & (predicted != labels)
    if not rescued.any():
        assert fitted.threshold == 0
        return
    assert fitted.uncertain(outputs)[rescued].mean() >= fraction
    assert (fitted.margin(outputs)[rescued] < fitted.threshold).mean() < fraction


@few
@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=40),
    st.floats(0, 10),
    st.floats(0, 10),
)
def test_a_higher_threshold_highlights_more(margins, a, b):
    outputs = items(margins, [0] * len(margins))
    fewer, more = (
        Arousal(0.5, 0.1, 0.002, 0.003, threshold).uncertain(outputs)
        for threshold in sorted((a, b))
    )
    assert np.all(fewer <= more)


def test_fit_chooses_the_wait():
    """At 2 steps all margins are alike; from 4 on they tell; from 7 on no better."""
    outputs = np.zeros((4, 12, 2))
    outputs[:, :4, 0] = 1
    outputs[:, 4:, 0] = np.array([1, 5, 6, 7])[:, None]
    labels, precise = [1, 0, 0, 0], [1, 0, 0, 0]
    unfitted = Arousal(0.5, 0.1, 0.0, 0.002)
    fitted = unfitted.fit(outputs, labels, precise, waits=[0.007, 0.002, 0.004])
    assert (fitted.wait, fitted.threshold) == (0.004, 1.0)
    assert metrics.selectivity(fitted.uncertain(outputs)) == 0.25
    alone = unfitted.fit(outputs, labels, precise, waits=[0.002])
    assert metrics.selectivity(alone.uncertain(outputs)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [1, 1]}, r"labels.*for each of 3 items.*got shape \(2,\)"),
        ({"precise": [[1, 1, 1]]}, r"precise.*got shape \(1, 3\)"),
        ({"fraction": 0}, r"fraction.*\(0, 1\], got 0"),
        ({"fraction": 1.5}, r"fraction.*got 1.5"),
        ({"waits": [0.002, 0.005]}, r"outputs.*at least 8 steps"),
    ],
)
def test_fit_of_what_does_not_fit(change, message):
    settings = {"labels": [1, 1, 1], "precise": [1, 1, 1], **change}
    with pytest.raises(ValidationError, match=message):
        AROUSAL.fit(items([0.1, 0.2, 0.3], [0, 0, 0]), **settings)


class Fake:
    """A network of one integrator an item, whose outputs depend on all that it was run with.

    Items of even index are certain.
    """

    def __init__(self):
        self.calls = []

    def run(self, chosen, n_steps, m_f, state):
        self.calls.append((list(chosen), n_steps, m_f))
        start = np.zeros(len(chosen)) if state is None else state[chosen]
        level = start[:, None] + np.cumsum(np.full((len(chosen), n_steps), 1 / m_f), axis=1)
        outputs = np.stack([level, level - 2 + 5.0 * (chosen[:, None] % 2 == 0)], axis=2)
        return outputs, np.full(len(chosen), 100 * n_steps / m_f) + chosen, level[:, -1]


def test_classify():
    fake = Fake()
    arousal = Arousal(0.5, 0.1, 0.002, 0.003, threshold=2.5)
    outputs, spikes, highlighted = classify(arousal, fake.run, n_items=5, n_steps=9)
    assert_array_equal(highlighted, [False, True, False, True, False])
    assert fake.calls == [([0, 1, 2, 3, 4], 5, 0.5), ([0, 2, 4], 4, 0.5), ([1, 3], 4, 0.1)]
    assert outputs.shape == (5, 9, 2)
    for item in range(5):  # one after the other, step by step
        level = 0.0
        for step in range(9):
            m_f = 0.1 if step >= 5 and item % 2 else 0.5
            level += 1 / m_f
            assert outputs[item, step, 0] == pytest.approx(level)
    assert_allclose(spikes[::2], 100 * 9 / 0.5 + 2 * np.array([0, 2, 4]))
    assert_allclose(spikes[1::2], 100 * (5 / 0.5 + 4 / 0.1) + 2 * np.array([1, 3]))
    assert metrics.selectivity(highlighted) == 0.4


@pytest.mark.parametrize(("threshold", "m_f"), [(0.0, 0.5), (100.0, 0.1)])
def test_classify_runs_nothing_for_no_items(threshold, m_f):
    fake = Fake()
    classify(Arousal(0.5, 0.1, 0.002, 0.003, threshold), fake.run, n_items=3, n_steps=9)
    assert fake.calls == [([0, 1, 2], 5, 0.5), ([0, 1, 2], 4, m_f)]


def test_classify_leaves_time_for_arousal():
    with pytest.raises(ValidationError, match=r"n_steps.*more than the 5 steps.*got 5"):
        classify(AROUSAL, lambda *_: pytest.fail("ran all the same"), 1, 5)


def by_hand(x, weights, read_out, m_f_of_step):
    """Adaptive neurons and a low-pass read-out, one item, step by step, from the equations."""
    S, Shat, rise, y, sent = 0.0, 0.0, 0.0, np.zeros(len(read_out)), 0
    outputs = []
    for m_f in m_f_of_step:
        outputs.append(y)
        S = S * np.exp(-DT / 0.0025) + weights @ x * (1 - np.exp(-DT / 0.0025))
        Shat = Shat * np.exp(-DT / 0.05)
        theta = m_f + rise
        spikes = S - Shat > theta / 2
        Shat = Shat + spikes * theta
        rise = (rise + spikes * m_f * theta) * np.exp(-DT / 0.015)
        height = AdaptiveSpiking(m_f).amplitude / DT
        y = y * np.exp(-DT / 0.05) + (1 - np.exp(-DT / 0.05)) * height * (read_out @ spikes)
        sent += spikes.sum()
    return np.array(outputs), sent


def test_precision_changes_in_mid_window():
    """In layerwise: those chosen run on at high precision from where they stand."""
    rng = np.random.RandomState(3)
    weights, read_out = rng.uniform(-1, 1, (12, 4)), rng.uniform(-1, 1, (3, 12))
    x = rng.uniform(0, 1, (6, 4))
    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(4))
        ensemble = nengo.Ensemble(12, 1, gain=np.ones(12), bias=np.zeros(12))
        output, count = nengo.Node(size_in=3), nengo.Node(size_in=1)
        nengo.Connection(node, ensemble.neurons, transform=weights, synapse=None)
        nengo.Connection(ensemble.neurons, output, transform=read_out, synapse=0.05)
        nengo.Connection(ensemble.neurons, count, transform=np.ones((1, 12)), synapse=None)
        probes = nengo.Probe(output), nengo.Probe(count)

    def run(items, n_steps, m_f, state):
        ensemble.neuron_type = AdaptiveSpiking(m_f)
        simulator = layerwise.Simulator(net, dtype="float64")
        seen, after = simulator.advance({node: x[items, None]}, n_steps, state and state[items])
        spikes = metrics.spike_counts(seen[probes[1]], amplitude=AdaptiveSpiking(m_f).amplitude)
        return seen[probes[0]], spikes[:, 0], after

    unfitted = Arousal(0.4, 0.05, wait=0.03, duration=0.02)
    margins = unfitted.margin(run(np.arange(6), 50, 0.4, None)[0])
    arousal = Arousal(0.4, 0.05, 0.03, 0.02, threshold=np.median(margins))
    outputs, spikes, highlighted = classify(arousal, run, n_items=6, n_steps=120)
    assert highlighted.sum() == 3
    for item in range(6):
        m_f_of_step = np.where((np.arange(120) >= 50) & highlighted[item], 0.05, 0.4)
        expected, sent = by_hand(x[item], weights, read_out, m_f_of_step)
        assert_allclose(outputs[item], expected, atol=1e-9)
        assert spikes[item] == pytest.approx(sent)
    assert spikes[highlighted].min() > spikes[~highlighted].max()

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.exceptions import ValidationError
from numpy.testing import assert_allclose, assert_array_equal

from nengo_phasor import metrics

nan = np.nan


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ([0.0, 0.5, -0.5], 1),
        ([0.1, 0.4, 0.7], 1),
        ([0.9, 0.05, -0.2], 0),
        ([-0.5, nan, -0.2], 1),  # a missing spike is at phase 0
        ([nan, 0.1, nan], 1),
        ([nan, nan, nan], 0),
    ],
)
def test_class_is_nearest_to_a_quarter(phase, expected):
    assert metrics.phase_class(phase) == expected


def test_classes_of_a_batch():
    phase = np.random.RandomState(0).uniform(-1, 1, (7, 4, 5))
    nearest = np.abs(np.exp(1j * np.pi * phase) - 1j).argmin(axis=-1)
    assert_array_equal(metrics.phase_class(phase), nearest)


def test_accuracy():
    predicted = np.array([[0, 1], [2, 2], [1, 0], [1, 1]])
    assert_array_equal(metrics.accuracy(predicted, [0, 2, 0, 1]), [0.75, 1.0 - 0.25])
    assert metrics.accuracy([1, 2, 3], [1, 2, 0]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("predicted", "labels", "shape"),
    [
        ([1, 2, 0], [1, 2], r"\(2,\)"),
        ([1, 2, 0], [1], r"\(1,\)"),  # which would be compared with each
        ([1, 2, 0], np.eye(3), r"\(3, 3\)"),
    ],
)
def test_accuracy_needs_a_label_for_each(predicted, labels, shape):
    with pytest.raises(
        ValidationError, match=rf"labels.*not a one-hot vector.*for each of 3 items.*{shape}"
    ):
        metrics.accuracy(predicted, labels)


def test_accuracy_takes_labels_in_a_column():
    assert metrics.accuracy([1, 2, 3], [[1], [2], [0]]) == pytest.approx(2 / 3)


def test_accuracy_over_time():
    outputs = np.array(
        [
            [[0, 0, 0], [0.1, 0.2, 0], [0, 3, 2]],  # equal outputs: the first
            [[-2, -1, -3], [1, 1, 2], [0, 0, 1]],
        ]
    )
    assert_array_equal(metrics.accuracy_over_time(outputs, [1, 2]), [0, 1, 1])
    assert_array_equal(metrics.accuracy_over_time(outputs, [0, 1]), [1, 0, 0])


ACCURACY = [0.1, 0.5, 0.985, 0.97, 1.0, 0.99]


@pytest.mark.parametrize(
    ("fraction", "step"),
    [(0.05, 1), (0.3, 2), (0.98, 3), (0.99, 5), (1, 5)],
)
def test_matching_time(fraction, step):
    """The end of the first step that reaches it, be there less afterwards."""
    assert metrics.matching_time(ACCURACY, 0.002, fraction) == pytest.approx(0.002 * step)
    percent = 100 * np.array(ACCURACY)
    assert metrics.matching_time(percent, 0.002, fraction) == pytest.approx(0.002 * step)
    rest = percent[step - 1 :]
    expected = np.sqrt(np.mean((rest - rest.mean()) ** 2))
    assert metrics.stability(percent, fraction) == pytest.approx(expected)


def test_matching_time_by_default():
    assert metrics.matching_time(ACCURACY) == pytest.approx(0.005)
    assert metrics.stability(ACCURACY) == pytest.approx(0.005)


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=30), st.floats(0.01, 1))
def test_before_the_matching_time_accuracy_is_lower(accuracy, fraction):
    step = round(metrics.matching_time(accuracy, 1.0, fraction))
    needed = fraction * max(accuracy)
    assert accuracy[step - 1] >= needed
    assert all(a < needed for a in accuracy[: step - 1])


@pytest.mark.parametrize("measure", [metrics.matching_time, metrics.stability])
@pytest.mark.parametrize(
    ("accuracy", "settings", "message"),
    [
        (ACCURACY, {"fraction": 0}, r"fraction.*\(0, 1\], got 0"),
        (ACCURACY, {"fraction": 1.01}, r"fraction.*got 1.01"),
        ([], {}, r"accuracy.*shape \(n_steps,\), got \(0,\)"),
        ([ACCURACY], {}, r"got \(1, 6\)"),
        ([0.0, 0.0], {}, "never above 0, got a maximum of 0.0"),
        ([0.5, nan], {}, "accuracy.*must be finite, got nan"),
    ],
)
def test_no_matching_time(measure, accuracy, settings, message):
    with pytest.raises(ValidationError, match=message):
        measure(accuracy, **settings)


def test_spikes_and_rate_by_hand():
    """Three neurons of amplitude 2, at 0.5 ms; two items with 6 and 1 spikes."""
    output = np.zeros((2, 4, 3))
    output[0, [0, 1, 3], 0] = 2 / 0.0005
    output[0, 2, 2] = 3 * 2 / 0.0005  # three in a step
    output[1, 0, 1] = 2 / 0.0005
    counts = metrics.spike_counts(output, dt=0.0005, amplitude=2)
    assert_allclose(counts, [[3, 0, 3], [0, 1, 0]])
    # a node that gets their sum, which counts them as well
    summed = metrics.spike_counts(output.sum(axis=-1, keepdims=True), 0.0005, 2)
    assert_allclose(summed, [[6], [1]])
    spikes = metrics.spikes_per_inference({"a": counts, "b": summed})
    assert_allclose(spikes, [12, 2])
    # 7 spikes a item on average, 4 neurons, 2 ms
    assert metrics.firing_rate(spikes, 4, 0.002) == pytest.approx(7 / 4 / 0.002)
    assert metrics.firing_rate(7, 4, 0.002) == pytest.approx(7 / 4 / 0.002)


def test_single_precision_counts_exactly():
    output = np.full((1, 100_000, 2), np.float32(0.7 / 0.001))
    assert_allclose(metrics.spike_counts(output, amplitude=0.7), [[100_000] * 2], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(10),), r"output: needs .*got \(10,\).*\(n_steps, 1\)"),
        ((np.zeros((10, 2)), 0), "dt: must be positive and finite, got 0"),
        ((np.zeros((10, 2)), 0.001, 0), "amplitude: must be positive and finite, got 0"),
    ],
)
def test_spikes_that_cannot_be_counted(arguments, message):
    with pytest.raises(ValidationError, match=message):
        metrics.spike_counts(*arguments)


def test_rate_of_nothing():
    with pytest.raises(ValidationError, match=r"counts.*at least one layer"):
        metrics.spikes_per_inference({})
    with pytest.raises(ValidationError, match=r"n_neurons.*a positive integer, got 0"):
        metrics.firing_rate([1, 2], 0, 0.5)
    with pytest.raises(ValidationError, match=r"window.*positive and finite, got -1"):
        metrics.firing_rate([1, 2], 5, -1)


def test_selectivity():
    assert metrics.selectivity([True, False, False, True, False]) == 0.4
    with pytest.raises(ValidationError, match=r"boolean.*got 2 .*of type int"):
        metrics.selectivity([3, 4])  # indices would be taken for a mask
    with pytest.raises(ValidationError, match=r"boolean.*got 0 values of type bool"):
        metrics.selectivity(np.zeros(0, bool))


def test_fraction_removed():
    spikes = np.zeros((2, 10, 3))
    spikes[0, :4, 0] = spikes[1, 2, :] = 1000
    sent = spikes.copy()
    sent[0, :2, 0] = 0
    assert metrics.fraction_removed(sent, spikes) == pytest.approx(2 / 7)
    assert metrics.fraction_removed(spikes, spikes) == 0
    assert metrics.fraction_removed(0 * spikes, spikes) == 1
    # layers of different sizes count together
    assert metrics.fraction_removed([sent, [1, 0]], [spikes, [1, 1]]) == pytest.approx(3 / 9)


def test_fraction_of_no_spikes():
    with pytest.raises(ValidationError, match=r"all_spikes.*no spikes"):
        metrics.fraction_removed(np.zeros((3, 2)), np.zeros((3, 2)))


def test_agreement_of_different_runs():
    with pytest.raises(ValidationError, match=r"b: has shape \(4, 2\), but a has shape \(5, 2\)"):
        metrics.spike_agreement(np.zeros((5, 2)), np.zeros((4, 2)))


def agreement_by_hand(a, b, within):
    """Spike by spike."""

    def found(x, y):
        hits = [
            any(y[s, n] for s in range(max(0, step - within), min(len(y), step + within + 1)))
            for step, n in np.argwhere(x)
        ]
        return np.mean(hits) if hits else float(not np.any(y))

    return min(found(a, b), found(b, a))


@pytest.mark.parametrize("within", [0, 1, 3])
@pytest.mark.parametrize("density", [0, 0.02, 0.3])
def test_spike_agreement(within, density):
    rng = np.random.RandomState(0)
    for _ in range(5):
        a, b = rng.rand(2, 20, 3) < density
        expected = agreement_by_hand(a, b, within)
        assert metrics.spike_agreement(a * 1000.0, b, within) == pytest.approx(expected)


def test_spike_agreement_with_silence():
    spikes = np.eye(4)
    assert metrics.spike_agreement(spikes, np.zeros((4, 4))) == 0
    assert metrics.spike_agreement(np.zeros((4, 4)), spikes) == 0
    assert metrics.spike_agreement(spikes, np.roll(spikes, 1, axis=0), 1) == 0.75
    assert metrics.spike_agreement(spikes, spikes, within=10) == 1

import numpy as np
import pytest
from nengo.exceptions import ValidationError
from numpy.testing import assert_array_equal

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
        ([1.4, -1.5, 0.3], 1),  # outside [-1, 1)
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

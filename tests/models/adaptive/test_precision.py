import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_phasor.models.adaptive import precision
from tests.models.adaptive.seen import seen

POINTS = {
    0.1: {"accuracy": 0.99, "firing_rate": 30.0},
    0.2: {"accuracy": 0.992, "firing_rate": 15.0},
    0.4: {"accuracy": 0.98, "firing_rate": 8.0},
    0.8: {"accuracy": 0.985, "firing_rate": 4.0},
}


@pytest.mark.parametrize(
    ("accuracy", "m_f"), [(0.985, 0.2), (0.98, 0.8), (0.9, 0.8), (0.99, 0.2), (0.991, 0.2)]
)
def test_coarsest(accuracy, m_f):
    """Up to there no precision misses the accuracy; if the finest does, the best is taken."""
    assert precision.coarsest(POINTS, accuracy) == m_f


@pytest.mark.parametrize(("rate", "m_f"), [(100, 0.1), (15, 0.2), (14, 0.4), (1, 0.8)])
def test_finest(rate, m_f):
    assert precision.finest(POINTS, rate) == m_f


def test_fit_arousal_saves_spikes_and_keeps_accuracy():
    """One of ten is wrong at low precision, and has the smallest margin."""
    labels = np.arange(10) % 3
    wrong = labels.copy()
    wrong[4] = (labels[4] + 1) % 3
    margins = np.arange(1.0, 11.0)
    margins[4] = 0.5
    runs = {
        0.1: seen(labels, np.full((10, 1), 100)),
        0.5: seen(wrong, np.full((10, 1), 10), margins),
        0.9: seen((labels + 1) % 3, np.full((10, 1), 1), margins),
    }
    fitted = precision.fit_arousal(
        runs, 0.1, labels, 5, 1.0, waits=(0.0,), durations=(0.01,), fractions=(1.0,)
    )
    assert (fitted.arousal.low, fitted.arousal.high) == (0.5, 0.1)
    assert fitted.arousal.uncertain(runs[0.5].outputs, 0.01).tolist() == [k == 4 for k in range(10)]
    assert fitted.accuracy == 1.0
    # nine at 10 spikes, and one that sends 10/2 in the first half and 100/2 in the second
    assert fitted.firing_rate == pytest.approx((9 * 10 + 55) / 10 / 5 / 0.02)
    with pytest.raises(ValidationError, match="no precision is lower"):
        precision.fit_arousal({0.1: runs[0.1]}, 0.1, labels, 5, 1.0)

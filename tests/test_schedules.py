import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nengo.exceptions import ValidationError

from nengo_phasor import schedules

all_types = pytest.mark.parametrize("cls", schedules.SCHEDULES, ids=lambda cls: cls.__name__)

# sigma / sigma_0 in six epochs; portions of epochs with spikes counted: 0, .2, .4, .6, .8, 1
EXPECTED = {
    schedules.Constant: [1, 1, 1, 1, 1, 1],
    schedules.Linear: [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1],
    schedules.Quadratic: [1 / 6, 4 / 6, 9 / 6, 16 / 6, 25 / 6, 6],
    schedules.Alternating: [0, 0, 0, 1, 1, 1],
    schedules.AlternatingLinear: [0, 0, 0, 4 / 6, 5 / 6, 1],
}


def test_all_are_known():
    assert set(schedules.SCHEDULES) == set(schedules.Schedule.__subclasses__()) == set(EXPECTED)


@all_types
def test_equations(cls):
    schedule = cls(2e-4, 6)
    got = [schedule(epoch) for epoch in range(1, 7)]
    np.testing.assert_allclose(got, 2e-4 * np.array(EXPECTED[cls]))


@pytest.mark.parametrize(
    ("cls", "sigma_0", "n_epochs", "last"),
    [
        (schedules.Constant, 0.00055, 19, 0.00055),
        (schedules.Linear, 0.00006, 20, 0.00006),
        (schedules.Quadratic, 0.000008, 15, 0.00012),
        (schedules.Alternating, 0.0015, 20, 0.0015),
        (schedules.AlternatingLinear, 0.0004, 16, 0.0004),
    ],
)
def test_the_papers_runs_end_at(cls, sigma_0, n_epochs, last):
    """Table 1: the weight in the last epoch."""
    assert cls(sigma_0, n_epochs)(n_epochs) == pytest.approx(last)


@given(st.integers(2, 200))
def test_the_portion_of_epochs_included_grows_linearly(n_epochs):
    """Up to any epoch, as many as the portions up to it sum to, rounded down."""
    schedule = schedules.Alternating(1.0, n_epochs)
    counted, portions = 0, Fraction(0)
    for epoch in range(1, n_epochs + 1):
        counted += schedule(epoch)
        portions += Fraction(epoch - 1, n_epochs - 1)
        assert counted == portions.numerator // portions.denominator
    assert schedule(1) == 0
    assert schedule(n_epochs) == 1


@all_types
@given(sigma_0=st.floats(0, 1), n_epochs=st.integers(1, 60))
def test_never_negative_and_never_above_the_last(cls, sigma_0, n_epochs):
    schedule = cls(sigma_0, n_epochs)
    values = [schedule(epoch) for epoch in range(1, n_epochs + 1)]
    assert min(values) >= 0
    assert max(values) == values[-1]


@all_types
@pytest.mark.parametrize("sigma_0", [-1e-9, "much", None, float("nan"), float("inf")])
def test_sigma_0_is_checked(cls, sigma_0):
    with pytest.raises(ValidationError, match=rf"{cls.__name__}\.sigma_0"):
        cls(sigma_0, 10)


@all_types
@pytest.mark.parametrize("n_epochs", [0, -3, 2.5, None])
def test_n_epochs_is_checked(cls, n_epochs):
    with pytest.raises(ValidationError, match=rf"{cls.__name__}\.n_epochs"):
        cls(1e-4, n_epochs)


@all_types
@pytest.mark.parametrize("epoch", [0, 11])
def test_no_such_epoch(cls, epoch):
    with pytest.raises(
        ValidationError, match=f"is 10, so there is no epoch {epoch}: create a schedule"
    ):
        cls(1e-4, 10)(epoch)


@all_types
def test_are_values(cls):
    schedule = cls(1e-4, 10)
    assert schedule == pickle.loads(pickle.dumps(schedule)) != cls(1e-4, 11)


def test_base_class_has_no_shape():
    with pytest.raises(NotImplementedError, match="shape"):
        schedules.Schedule(1.0, 1)(1)

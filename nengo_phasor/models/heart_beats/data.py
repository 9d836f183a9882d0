"""The heart beats: events of two leads, and the wave of each step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nengo_phasor import datasets
from nengo_phasor.files import UNMARKED

STEPS = 1300
"""The number of steps of a sequence; the published figures drop the last of 1,301."""

HELD_OUT = 61
"""The number of training sequences that are set aside for validation."""

SPLIT_SEED = 0
"""The seed of the choice of these, which is the same for all runs."""


class Sequences(NamedTuple):
    """Sequences of events, and the wave of each step.

    Attributes
    ----------
    x : (n, 1300, 4) ndarray of float32
        The events.
    y : (n, 1300) ndarray of int64
        The wave of each step; `UNMARKED` where the source does not say it.
    """

    x: np.ndarray
    y: np.ndarray


class Parts(NamedTuple):
    """The sequences for training, for choosing an epoch, and for tests."""

    train: Sequences
    validation: Sequences
    test: Sequences


def load(folder=None) -> Parts:
    """Return the sequences; ``folder`` is that of the data set (see `nengo_phasor.datasets`)."""
    data = datasets.qtdb(folder)
    order = np.random.RandomState(SPLIT_SEED).permutation(len(data.x_train))
    held, kept = np.sort(order[:HELD_OUT]), np.sort(order[HELD_OUT:])
    return Parts(
        sequences(data.x_train[kept], data.y_train[kept]),
        sequences(data.x_train[held], data.y_train[held]),
        sequences(data.x_test, data.y_test),
    )


def sequences(x: np.ndarray, y: np.ndarray) -> Sequences:
    """Return sequences without their last step."""
    return Sequences(x[:, :STEPS].astype(np.float32), y[:, :STEPS])


def as_published(y: np.ndarray) -> np.ndarray:
    """Return labels as the published figures count them: unmarked steps are class 0."""
    return np.where(y == UNMARKED, 0, y)

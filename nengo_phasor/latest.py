"""The phases of neurons' latest spikes, step by step: what displays of a rhythm remember."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nengo_phasor import phases
from nengo_phasor.checks import check_positive_integer

LATE = 1.5
"""Cycles without a spike after which it is missing."""


class LatestPhases:
    """The phases of neurons' latest spikes, and whether they are recent.

    Parameters
    ----------
    n_neurons : int
    frequency : float
        Of the rhythm, in Hz.
    dt : float
        The time step, in seconds.
    """

    def __init__(self, n_neurons: int, frequency: float, dt: float):
        phases.steps_per_cycle(frequency, dt)
        self.frequency, self.dt = frequency, dt
        check_positive_integer(n_neurons, "n_neurons")
        self.phase = np.full(n_neurons, np.nan)
        self.time = np.full(n_neurons, -np.inf)
        self.now = 0.0

    def update(self, t: float, spiked: NDArray[np.bool_]) -> bool:
        """Take in a step's spikes; return whether anything is different now.

        A time before the last one is that of a new simulation: nothing is known of it yet.
        """
        if t < self.now:
            self.phase[:], self.time[:] = np.nan, -np.inf
        before, new = self.recent, t < self.now or bool(np.any(spiked))
        self.now = t
        self.phase[spiked] = phases.from_times(t - 0.5 * self.dt, self.frequency)
        self.time[spiked] = t
        return new or not np.array_equal(before, self.recent)

    @property
    def recent(self) -> NDArray[np.bool_]:
        """Which neurons spiked within the last `LATE` cycles."""
        return self.now - self.time < LATE / self.frequency

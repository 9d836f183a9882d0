"""The phases of neurons' latest spikes, for displays of a rhythm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nengo_phasor import phases
from nengo_phasor.checks import check_positive_integer

LATE = 1.5
"""The number of cycles without a spike after which the spike counts as missing."""


class LatestPhases:
    """The phases of neurons' latest spikes, and whether they are recent.

    Parameters
    ----------
    n_neurons : int
        The number of neurons.
    frequency : float
        The frequency of the rhythm, in Hz.
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
        """Store the spikes of a step; return whether anything has changed.

        A time before the previous one begins a new simulation, which resets everything.
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
        """Whether each neuron spiked within the last `LATE` cycles."""
        return self.now - self.time < LATE / self.frequency

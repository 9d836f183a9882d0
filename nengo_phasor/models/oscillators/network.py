"""The functions of nodes around the neurons: a drive and a sparsifier that change at run time."""

from __future__ import annotations

import numpy as np

from nengo_phasor import ArcSparsifier, phases
from nengo_phasor.synapses import Tick

N = 3
FREQUENCY = 10.0
DT = 0.001

PHASES = (-0.4, 0.05, 0.5)
THRESHOLD, STRENGTH = 2.0, 0.1

SIZES = 2.0 ** np.arange(1, -7, -1)
"""The sizes of the drive's spikes, which can be summed to any size. All spikes to a chip must have
the same size, so each of these sizes has a connection of its own, with a weight."""


def in_binary(size: float) -> np.ndarray:
    """Return which of `SIZES`, (n_sizes,), sum to a size, or to the nearest possible sum."""
    number = min(round(size / SIZES[-1]), 2 ** len(SIZES) - 1)
    return (number >> np.arange(len(SIZES))[::-1]) & 1


class Drive:
    """A node's function that drives each neuron with one spike per cycle, as a sum of sizes.

    Its input is phases (in units of pi), frequencies (in Hz), and the threshold as a divisor.
    """

    size_in = 2 * N + 1
    size_out = N * len(SIZES)

    def __init__(self):
        self.now, self.cycles, self.n_spikes = 0.0, np.zeros(N), np.zeros(N)

    def __call__(self, t, x):
        phase, frequency, threshold = x[:N], x[N:-1], x[-1]
        if t < self.now:  # a new simulation
            self.__init__()
        self.now = t
        self.cycles += np.maximum(frequency, 0.0) * DT
        due = np.floor(self.cycles - 0.5 * (phase + 1.0) - phases.STEP_TOLERANCE) + 1.0
        spikes = due > self.n_spikes
        self.n_spikes = np.maximum(due, self.n_spikes)
        return np.outer(spikes, in_binary(1 / max(threshold, SIZES[-1]))).ravel() / DT


class Sparsifier:
    """A node's function: an `ArcSparsifier` whose strength can be changed at run time.

    Its input is spikes, followed by the strength.
    """

    size_in = N + 1

    def __call__(self, t, x):
        synapse = ArcSparsifier(float(np.clip(x[-1], 0, 1)), FREQUENCY)
        constants = synapse.constants(DT, np.arange(N), np.zeros(1, int))
        tick = Tick(np.rint(t / DT), np.uint32([round(t / DT)]))
        return synapse.advance(np, tick, x[:N], constants)[0]

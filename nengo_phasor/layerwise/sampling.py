"""Which steps a probe sees, as in Nengo."""

from __future__ import annotations

import numpy as np


def period(sample_every: float | None, dt: float) -> float:
    """Return the number of steps from one sample to the next, which is at least one."""
    return 1.0 if sample_every is None else max(1.0, sample_every / dt)


def n_samples(sample_every: float | None, dt: float, start: int, n_steps: int) -> int:
    """Return the number of samples in the ``n_steps`` steps after step ``start``."""
    steps = period(sample_every, dt)
    return int((start + n_steps) // steps - start // steps)


def sampled(sample_every: float | None, dt: float, start: int, n_steps: int) -> np.ndarray:
    """Return which of the ``n_steps`` steps after step ``start`` are sampled, counted from 0."""
    steps = np.arange(start + 1, start + n_steps + 1)
    return np.flatnonzero(steps % period(sample_every, dt) < 1)

"""What is measured of a network: classes, accuracy, spikes."""

from __future__ import annotations

import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike, NDArray

from nengo_phasor import phases


def phase_class(phase: ArrayLike) -> NDArray[np.int_]:
    """Return the output whose phase is nearest to 1/2.

    Parameters
    ----------
    phase : (..., n_classes) array_like
        Phases of the outputs, in units of pi; NaN, a missing spike, is taken for the reference,
        phase 0.

    Returns
    -------
    (...) ndarray of int
        ``argmax_k sin(pi p_k)``, the class that phase-shift keying of 90 degrees codes
        (Olin-Ammentorp 2023, section 2.1).
    """
    return np.argmax(phases.to_complex(phase).imag, axis=-1)


def accuracy(predicted: ArrayLike, labels: ArrayLike) -> NDArray:
    """Return the fraction of right predictions over the first axis, that of the items.

    Parameters
    ----------
    predicted : (n_items, ...) array_like
        Classes, such as `phase_class` of decoded phases, which gives one for each cycle.
    labels : (n_items,) array_like
        The right classes.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    return np.mean(predicted == labels.reshape(-1, *(1,) * (predicted.ndim - 1)), axis=0)


def fraction_removed(sent: ArrayLike, all_spikes: ArrayLike) -> float:
    """Return the fraction of spikes that are missing from ``sent``, nonzero values being spikes.

    Parameters
    ----------
    sent, all_spikes : array_like or sequence of array_like
        Spikes with and without a sparsifier; several layers' count together.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there are no spikes to remove.
    """
    left, total = (sum(map(np.count_nonzero, x)) for x in (sent, all_spikes))
    if not total:
        raise ValidationError("has no spikes: lower the thresholds or run longer", "all_spikes")
    return 1.0 - left / total


def spike_agreement(a: ArrayLike, b: ArrayLike, within: int = 0) -> float:
    """Return the fraction of spikes that another run of the same network has too.

    Parameters
    ----------
    a, b : (..., n_steps, n) array_like
        Spikes of the two runs, anything other than 0.
    within : int
        By how many time steps a spike may be earlier or later.

    Returns
    -------
    float
        Of the spikes of ``a`` found in ``b`` and of ``b`` found in ``a``, the smaller fraction; 1
        if neither has any.
    """
    a, b = np.asarray(a) != 0, np.asarray(b) != 0

    def widened(x):
        wide = x.copy()
        for shift in range(1, within + 1):
            wide[..., shift:, :] |= x[..., :-shift, :]
            wide[..., :-shift, :] |= x[..., shift:, :]
        return wide

    found = [
        np.sum(x & widened(y)) / np.sum(x) if np.any(x) else float(not np.any(y))
        for x, y in ((a, b), (b, a))
    ]
    return float(min(found))

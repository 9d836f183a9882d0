"""Measures of a network's performance: classes, accuracy, time and spikes.

Values that are not finite raise a `nengo.exceptions.ValidationError`, because a network that
diverged has no classes, accuracy or spikes.

For energy see `nengo_phasor.energy`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike, NDArray

from nengo_phasor import phases
from nengo_phasor.checks import (
    ROUNDING,
    check_array,
    check_classes,
    check_integer,
    check_is,
    check_items,
    check_number,
    check_positive,
    check_positive_integer,
    check_spikes,
)
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)


def phase_class(phase: ArrayLike) -> NDArray[np.int_]:
    """Return the class: the index of the output whose phase is nearest to 1/2.

    Parameters
    ----------
    phase : (..., n_classes) array_like
        The phases of the outputs, in units of pi. NaN, a missing spike, is treated as the
        reference, phase 0.

    Returns
    -------
    (...) ndarray of int
        ``argmax_k sin(pi p_k)``, the class coded by phase-shift keying of 90 degrees
        (Olin-Ammentorp 2023, section 2.1).

    Raises
    ------
    nengo.exceptions.ValidationError
        If a phase is not a number, is infinite or is outside [-1, 1]; if there are no phases; or if
        the array is a spike raster rather than phases.
    """
    phase = check_array(phase, "phase", "(..., n_classes)", kinds="biuf", missing=True)
    is_high = np.any(phase >= 1) and np.all((phase == 0) | (phase == phase.max()))
    if is_high or phase.dtype == bool:
        raise ValidationError(
            "is a spike raster, not phases: decode it with phases.from_raster(raster, "
            "frequency, dt), which returns the phases of each cycle",
            "phase",
        )
    outside = phase[np.abs(phase) > 1 + ROUNDING]
    if outside.size:
        raise ValidationError(
            f"must be in [-1, 1), in units of pi, got {outside[0]:g}: divide degrees by 180 and "
            "radians by pi, or call phases.wrap",
            "phase",
        )
    return np.argmax(phases.to_complex(phase).imag, axis=-1)


def accuracy(predicted: ArrayLike, labels: ArrayLike) -> NDArray:
    """Return the fraction of correct predictions over the first axis, which is that of the items.

    Parameters
    ----------
    predicted : (n_items, ...) array_like
        The predicted classes, such as the result of `phase_class`, which has one class per cycle.
    labels : (n_items,) array_like
        The correct classes.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there is not one label for each item, or a value is not a class number.
    """
    predicted = check_array(predicted, "predicted", kinds="iu", low=0)
    if not predicted.size:
        raise ValidationError("is empty: give at least one item", "predicted")
    labels = check_classes(labels, "labels", len(predicted))
    return np.mean(predicted == labels.reshape(-1, *(1,) * (predicted.ndim - 1)), axis=0)


def accuracy_over_time(outputs: ArrayLike, labels: ArrayLike) -> NDArray:
    """Return the accuracy in each time step, taking the highest output as the predicted class.

    Parameters
    ----------
    outputs : (n_items, n_steps, n_classes) array_like
        The outputs of the read-out, as returned by `.layerwise.Simulator.predict`. If outputs are
        equal, the first counts as the highest.
    labels : (n_items,) array_like
        The correct classes.

    Returns
    -------
    (n_steps,) ndarray
        The fraction of items that are classified correctly. To combine parts of a data set, weight
        them by their sizes.

    Raises
    ------
    nengo.exceptions.ValidationError
        If an output is not finite, or there is not one class label for each item.
    """
    outputs = check_array(outputs, "outputs", "(n_items, n_steps, n_classes)")
    labels = check_classes(labels, "labels", len(outputs), outputs.shape[-1])
    return accuracy(np.argmax(outputs, axis=-1), labels)


def matching_time(accuracy: ArrayLike, dt: float = 0.001, fraction: float = 0.99) -> float:
    """Return the time at which the accuracy first reaches a fraction of its maximum.

    Parameters
    ----------
    accuracy : (n_steps,) array_like
        The accuracy in each time step, from the onset of the input; see `accuracy_over_time`.
    dt : float
        The time step, in seconds.
    fraction : float
        The fraction of the maximum to reach, in (0, 1]. The paper's own number is missing from the
        text that this was built from.

    Returns
    -------
    float
        The time of the end of that step, in seconds. `stability` tells whether the accuracy then
        stays there.

    Raises
    ------
    nengo.exceptions.ValidationError
        If dt is not positive, fraction is not in (0, 1], or accuracy is not one finite number of 0
        or more per step or is never above 0.

    References
    ----------
    Zambrano et al. (2017), Efficient Computation in Adaptive Artificial Spiking Neural Networks,
    "AdSNN evaluation".
    """
    check_positive(dt, "dt")
    return dt * (_matching_step(accuracy, fraction) + 1)


def stability(accuracy: ArrayLike, fraction: float = 0.99) -> float:
    """Return the standard deviation of the accuracy from its `matching_time` to the end.

    The result is in the unit of the accuracy. The parameters and errors are those of
    `matching_time`.
    """
    return float(np.std(np.asarray(accuracy)[_matching_step(accuracy, fraction) :]))


def _matching_step(accuracy, fraction):
    check_number(fraction, "fraction", low=0, low_open=True, high=1)
    accuracy = check_array(accuracy, "accuracy", "(n_steps,)", low=0)
    if not np.max(accuracy) > 0:
        raise ValidationError(
            f"is never above 0, got a maximum of {np.max(accuracy)}: run longer, or compare with "
            "the correct labels",
            "accuracy",
        )
    return int(np.argmax(accuracy >= fraction * np.max(accuracy)))


def spike_counts(output: ArrayLike, dt: float = 0.001, amplitude: float = 1.0) -> NDArray:
    """Return the number of spikes that each neuron sent for each item.

    Parameters
    ----------
    output : (..., n_steps, n) array_like
        Spikes of height amplitude/dt, as returned by `.layerwise.Simulator.predict`; several spikes
        in one step add up. Sums of spikes, such as the input of a node that counts those of a
        layer, are also allowed.
    dt : float
        The time step, in seconds.
    amplitude : float
        The amplitude of the spikes, which is that of the neuron type.

    Returns
    -------
    (..., n) ndarray of float
        The numbers of spikes, which are whole numbers up to rounding.

    Raises
    ------
    nengo.exceptions.ValidationError
        If output has fewer than two dimensions or is not finite, or dt or amplitude is not greater
        than 0.
    """
    check_positive(dt, "dt")
    check_positive(amplitude, "amplitude")
    return np.sum(check_spikes(output, "output"), axis=-2, dtype=float) * dt / amplitude


def spikes_per_inference(counts: Mapping[Hashable, ArrayLike]) -> NDArray:
    """Return the number of spikes that all layers of a network sent for each item.

    Parameters
    ----------
    counts : {object: (n_items, n) array_like}
        The spike counts of each layer; see `spike_counts`.

    Returns
    -------
    (n_items,) ndarray

    Raises
    ------
    nengo.exceptions.ValidationError
        If there are no layers, if the layers differ in their number of items, or if a count is
        negative or not finite.
    """
    check_is(counts, "counts", Mapping)
    if not counts:
        raise ValidationError("is empty: give the spike counts of at least one layer", "counts")
    layers = [check_array(x, "counts", "(n_items, n)", low=0) for x in counts.values()]
    check_items("counts", layers)
    return sum(np.sum(layer, axis=-1) for layer in layers)


def firing_rate(n_spikes: ArrayLike, n_neurons: int, window: float) -> float:
    """Return the firing rate in Hz, averaged over the items, the neurons and the window.

    Parameters
    ----------
    n_spikes : (n_items,) array_like
        The number of spikes of all neurons for each item, as returned by `spikes_per_inference`, or
        its mean.
    n_neurons : int
        The number of neurons, including silent ones.
    window : float
        The time in which the spikes were sent, in seconds.

    Raises
    ------
    nengo.exceptions.ValidationError
        If n_spikes is negative or not finite, n_neurons is not a positive integer, or window is not
        one finite number greater than 0.

    References
    ----------
    Zambrano et al. (2017), Efficient Computation in Adaptive Artificial Spiking Neural Networks,
    "AdSNN evaluation".
    """
    check_positive_integer(n_neurons, "n_neurons")
    check_positive(window, "window")
    n_spikes = check_array(np.atleast_1d(n_spikes), "n_spikes", "(n_items,)", low=0)
    return float(np.mean(n_spikes) / (n_neurons * window))


def selectivity(highlighted: ArrayLike) -> float:
    """Return the fraction of items that arousal highlights; see `.arousal`.

    Parameters
    ----------
    highlighted : (n_items,) array_like of bool
        Whether each item continues at high precision.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the values are not booleans, or there are none.
    """
    highlighted = np.asarray(highlighted)
    if highlighted.dtype != bool or not highlighted.size:
        raise ValidationError(
            f"must be one boolean for each item, got {highlighted.size} values of type "
            f"{highlighted.dtype}",
            "highlighted",
        )
    return float(np.mean(highlighted))


def fraction_removed(sent: Iterable[ArrayLike], all_spikes: Iterable[ArrayLike]) -> float:
    """Return the fraction of spikes missing from ``sent``, where non-zero values are spikes.

    Parameters
    ----------
    sent, all_spikes : array_like or sequence of array_like
        The spikes with and without a sparsifier. Those of several layers are added.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there are no spikes to remove, or a value is not finite.
    """
    left, total = _n_spikes(sent, "sent"), _n_spikes(all_spikes, "all_spikes")
    if not total:
        raise ValidationError("has no spikes: lower the thresholds or run longer", "all_spikes")
    return 1.0 - left / total


def _n_spikes(layers, attr):
    if not np.iterable(layers):
        raise ValidationError(
            f"must be an array of spikes, or a sequence of them, got {layers!r}", attr
        )
    return sum(np.count_nonzero(check_array(layer, attr, kinds="biuf")) for layer in layers)


def spike_agreement(a: ArrayLike, b: ArrayLike, within: int = 0) -> float:
    """Return the fraction of spikes that two runs of the same network have in common.

    Parameters
    ----------
    a, b : (..., n_steps, n) array_like
        The spikes of the two runs; every non-zero value is a spike.
    within : int
        The number of time steps by which a spike may be earlier or later.

    Returns
    -------
    float
        The smaller of the fraction of ``a``'s spikes found in ``b`` and that of ``b``'s spikes
        found in ``a``; 1 if neither has any spikes.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the runs differ in shape, a value is not finite, or within is not an integer of 0 or
        more.
    """
    check_integer(within, "within", low=0)
    a, b = check_spikes(a, "a") != 0, check_spikes(b, "b") != 0
    if a.shape != b.shape:
        raise ValidationError(
            f"has shape {b.shape}, but a has shape {a.shape}: give two runs of equal steps and "
            "neurons",
            attr="b",
        )

    def widened(x):
        wide = x.copy()
        for shift in range(1, min(within + 1, x.shape[-2])):
            wide[..., shift:, :] |= x[..., :-shift, :]
            wide[..., :-shift, :] |= x[..., shift:, :]
        return wide

    found = [
        np.sum(x & widened(y)) / np.sum(x) if np.any(x) else float(not np.any(y))
        for x, y in ((a, b), (b, a))
    ]
    return float(min(found))

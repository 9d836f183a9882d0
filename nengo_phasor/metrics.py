"""What is measured of a network: classes, accuracy, time, spikes.

What is not finite is refused with a `nengo.exceptions.ValidationError`: a network that diverged has
no class, no accuracy and no spikes.

For its energy see `nengo_phasor.energy`.
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
from nengo_phasor.listing import public_names


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

    Raises
    ------
    nengo.exceptions.ValidationError
        If a phase is no number, infinite, or outside [-1, 1], or there are none; or if it is a
        raster, which has spikes in place of phases.
    """
    phase = check_array(phase, "phase", "(..., n_classes)", kinds="biuf", missing=True)
    is_high = np.any(phase >= 1) and np.all((phase == 0) | (phase == phase.max()))
    if is_high or phase.dtype == bool:
        raise ValidationError(
            "is a raster of spikes, not phases: decode it with phases.from_raster(raster, "
            "frequency, dt), which gives phases for each cycle",
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
    """Return the fraction of right predictions over the first axis, that of the items.

    Parameters
    ----------
    predicted : (n_items, ...) array_like
        Classes, such as `phase_class` of decoded phases, which gives one for each cycle.
    labels : (n_items,) array_like
        The right classes.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there is not one label for each prediction, or something is no number of a class.
    """
    predicted = check_array(predicted, "predicted", kinds="iu", low=0)
    if not predicted.size:
        raise ValidationError("has no items to be right about", "predicted")
    labels = check_classes(labels, "labels", len(predicted))
    return np.mean(predicted == labels.reshape(-1, *(1,) * (predicted.ndim - 1)), axis=0)


def accuracy_over_time(outputs: ArrayLike, labels: ArrayLike) -> NDArray:
    """Return the accuracy in each time step, the class being that of the highest output.

    Parameters
    ----------
    outputs : (n_items, n_steps, n_classes) array_like
        Of the read-out, as `.layerwise.Simulator.predict` gives it. Of equal outputs the first
        counts as the highest.
    labels : (n_items,) array_like
        The right classes.

    Returns
    -------
    (n_steps,) ndarray
        Fractions of the items. To put parts of a data set together, weight them by their sizes.

    Raises
    ------
    nengo.exceptions.ValidationError
        If an output is not finite, or there is not one label of a class for each item.
    """
    outputs = check_array(outputs, "outputs", "(n_items, n_steps, n_classes)")
    labels = check_classes(labels, "labels", len(outputs), outputs.shape[-1])
    return accuracy(np.argmax(outputs, axis=-1), labels)


def matching_time(accuracy: ArrayLike, dt: float = 0.001, fraction: float = 0.99) -> float:
    """Return the time at which the accuracy first reaches a fraction of its maximum.

    Parameters
    ----------
    accuracy : (n_steps,) array_like
        In each time step, from the onset of the input; see `accuracy_over_time`.
    dt : float
        The time step in seconds.
    fraction : float
        In (0, 1]. The paper's own number is lost in the text that this was built from.

    Returns
    -------
    float
        In seconds: the end of that step. Whether the accuracy stays is told by `stability`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If dt is not positive, fraction not in (0, 1], or accuracy isn't one finite number a step,
        of 0 or more, or is never above 0.

    References
    ----------
    Zambrano et al. (2017), Efficient Computation in Adaptive Artificial Spiking Neural Networks,
    "AdSNN evaluation".
    """
    check_positive(dt, "dt")
    return dt * (_matching_step(accuracy, fraction) + 1)


def stability(accuracy: ArrayLike, fraction: float = 0.99) -> float:
    """Return the standard deviation of the accuracy from its `matching_time` to the end.

    In the unit of the accuracy; parameters and errors as there.
    """
    return float(np.std(np.asarray(accuracy)[_matching_step(accuracy, fraction) :]))


def _matching_step(accuracy, fraction):
    check_number(fraction, "fraction", low=0, low_open=True, high=1)
    accuracy = check_array(accuracy, "accuracy", "(n_steps,)", low=0)
    if not np.max(accuracy) > 0:
        raise ValidationError(
            f"has no maximum to reach: {np.max(accuracy)}; run longer, or compare with the right "
            "labels",
            "accuracy",
        )
    return int(np.argmax(accuracy >= fraction * np.max(accuracy)))


def spike_counts(output: ArrayLike, dt: float = 0.001, amplitude: float = 1.0) -> NDArray:
    """Return how many spikes each neuron sent for each item.

    Parameters
    ----------
    output : (..., n_steps, n) array_like
        Spikes of amplitude/dt, as `.layerwise.Simulator.predict` gives them; several in one step
        add up. Or their sums, such as the input of a node that counts a layer.
    dt : float
        The time step in seconds.
    amplitude : float
        Of the spikes: the neuron type's.

    Returns
    -------
    (..., n) ndarray of float
        Whole numbers, up to rounding.

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
    """Return how many spikes a network sent for each item, all layers together.

    Parameters
    ----------
    counts : {object: (n_items, n) array_like}
        Of each layer, `spike_counts`.

    Returns
    -------
    (n_items,) ndarray

    Raises
    ------
    nengo.exceptions.ValidationError
        If there is no layer, they differ in their number of items, or counts are not finite or
        negative.
    """
    check_is(counts, "counts", Mapping)
    if not counts:
        raise ValidationError("has no layers to count the spikes of", "counts")
    layers = [check_array(x, "counts", "(n_items, n)", low=0) for x in counts.values()]
    check_items("counts", layers)
    return sum(np.sum(layer, axis=-1) for layer in layers)


def firing_rate(n_spikes: ArrayLike, n_neurons: int, window: float) -> float:
    """Return the average firing rate in Hz, over the items, the neurons and the window.

    Parameters
    ----------
    n_spikes : (n_items,) array_like
        Spikes of all neurons for each item: `spikes_per_inference`. Or their mean.
    n_neurons : int
        How many neurons sent them, silent ones included.
    window : float
        The time in which they were sent, in seconds.

    Raises
    ------
    nengo.exceptions.ValidationError
        If n_spikes is negative or not finite, n_neurons not a positive integer, or window not one
        finite number greater than 0.

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
    """Return the fraction of the items that arousal highlights; see `.arousal`.

    Parameters
    ----------
    highlighted : (n_items,) array_like of bool

    Raises
    ------
    nengo.exceptions.ValidationError
        If it isn't of booleans, or there are none.
    """
    highlighted = np.asarray(highlighted)
    if highlighted.dtype != bool or not highlighted.size:
        raise ValidationError(
            f"needs a boolean for each item, got {highlighted.size} of {highlighted.dtype}",
            "highlighted",
        )
    return float(np.mean(highlighted))


def fraction_removed(sent: Iterable[ArrayLike], all_spikes: Iterable[ArrayLike]) -> float:
    """Return the fraction of spikes that are missing from ``sent``, nonzero values being spikes.

    Parameters
    ----------
    sent, all_spikes : array_like or sequence of array_like
        Spikes with and without a sparsifier; several layers' count together.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there are no spikes to remove, or something is not finite.
    """
    left, total = _n_spikes(sent, "sent"), _n_spikes(all_spikes, "all_spikes")
    if not total:
        raise ValidationError("has no spikes: lower the thresholds or run longer", "all_spikes")
    return 1.0 - left / total


def _n_spikes(layers, attr):
    if not np.iterable(layers):
        raise ValidationError(f"must be spikes of layers, got {layers!r}", attr)
    return sum(np.count_nonzero(check_array(layer, attr, kinds="biuf")) for layer in layers)


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

    Raises
    ------
    nengo.exceptions.ValidationError
        If the runs differ in shape, something is not finite, or within is no integer of 0 or more.
    """
    check_integer(within, "within", low=0)
    a, b = check_spikes(a, "a") != 0, check_spikes(b, "b") != 0
    if a.shape != b.shape:
        raise ValidationError(
            f"has shape {b.shape}, a has {a.shape}: give two runs of the same steps and neurons",
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


def __dir__():
    return public_names(__name__)

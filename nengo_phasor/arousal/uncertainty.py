"""Precise coding for only those inputs that are hard to classify.

All inputs are first presented at low precision, which costs few spikes. Inputs whose two highest
outputs stay close to each other then continue at high precision; the others continue as before
(Zambrano et al. 2017, "Arousal").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from nengo.exceptions import ValidationError
from nengo.params import FrozenObject
from numpy.typing import ArrayLike, NDArray

from nengo_phasor import metrics
from nengo_phasor.checks import (
    Number,
    check_array,
    check_classes,
    check_is,
    check_number,
    check_positive,
    check_positive_integer,
)
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

Run = Callable[[NDArray[np.int_], int, float, Any], tuple[ArrayLike, ArrayLike, Any]]


class Arousal(FrozenObject):
    """Decides when an input should be coded more precisely.

    Parameters
    ----------
    low, high : float
        The values of m_f at low precision, with which every input begins, and at high precision.
        ``high`` must be less than ``low``, since a smaller m_f is more precise.
    wait : float
        The time that the outputs are given to settle, in seconds from the onset of the input.
    duration : float
        The time over which the outputs are averaged after that, in seconds.
    threshold : float, optional
        An input is uncertain if its two highest averages differ by no more than this. Without a
        threshold the object must be fitted before use (see `fit`).

    Raises
    ------
    nengo.exceptions.ValidationError
        If low, high or duration is not greater than 0, wait or threshold is less than 0, or high is
        not less than low.

    References
    ----------
    Zambrano et al. (2017), Efficient Computation in Adaptive Artificial Spiking Neural Networks,
    "Arousal".
    """

    low = Number("low", low=0, low_open=True)
    high = Number("high", low=0, low_open=True)
    wait = Number("wait", low=0)
    duration = Number("duration", low=0, low_open=True)
    threshold = Number("threshold", low=0, optional=True)

    def __init__(
        self,
        low: float,
        high: float,
        wait: float,
        duration: float,
        threshold: float | None = None,
    ):
        super().__init__()
        self.low = low
        self.high = high
        self.wait = wait
        self.duration = duration
        self.threshold = threshold
        if high >= low:
            raise ValidationError(
                f"must be less than low, {low}, for the greater precision, got {high}", "high", self
            )

    def _with(self, wait: float, threshold: float | None) -> Arousal:
        return type(self)(self.low, self.high, wait, self.duration, threshold)

    def steps(self, dt: float = 0.001) -> tuple[int, int]:
        """Return the index of the first step that is averaged, and that of the step after the last.

        Raises
        ------
        nengo.exceptions.ValidationError
            If dt is not positive, or the duration is shorter than half a step.
        """
        check_positive(dt, "dt", self)
        start, length = round(self.wait / dt), round(self.duration / dt)
        if length < 1:
            raise ValidationError(
                f"is {self.duration} s, which is less than a step of {dt} s", "duration", self
            )
        return start, start + length

    def margin(self, outputs: ArrayLike, dt: float = 0.001) -> NDArray:
        """Return the difference between the highest and the second highest average output.

        Parameters
        ----------
        outputs : (n_items, n_steps, n_classes) array_like
            The outputs of the read-out at low precision, from the onset of the input. Each output
            is averaged before the two highest are chosen, so an output that is highest only now and
            then does not count as certain.
        dt : float
            The time step, in seconds.

        Returns
        -------
        (n_items,) ndarray of float

        Raises
        ------
        nengo.exceptions.ValidationError
            If there are fewer than two outputs, or fewer steps than wait and duration take, or if
            an output is not finite.
        """
        outputs = check_array(outputs, "outputs", obj=self)
        start, stop = self.steps(dt)
        shape = outputs.shape
        if len(shape) != 3 or not shape[0] or shape[1] < stop or shape[2] < 2:
            raise ValidationError(
                f"need shape (n_items, at least {stop} steps, at least 2 classes), got "
                f"{outputs.shape}",
                "outputs",
                self,
            )
        highest = np.sort(np.mean(outputs[:, start:stop], axis=1, dtype=float), axis=1)
        return highest[:, -1] - highest[:, -2]

    def uncertain(self, outputs: ArrayLike, dt: float = 0.001) -> NDArray[np.bool_]:
        """Return whether each input is uncertain.

        The parameters and errors are those of `margin`. An input is uncertain if its margin does
        not exceed the threshold.

        Raises
        ------
        nengo.exceptions.ValidationError
            If there is no threshold.
        """
        self.check_fitted()
        return self.margin(outputs, dt) <= self.threshold

    def check_fitted(self) -> None:
        """Raise a `nengo.exceptions.ValidationError` if there is no threshold."""
        if self.threshold is None:
            raise ValidationError(
                "is missing: fit the object to the training set and use the result of fit, or "
                "give a threshold",
                "threshold",
                self,
            )

    def fit(
        self,
        outputs: ArrayLike,
        labels: ArrayLike,
        precise: ArrayLike,
        dt: float = 0.001,
        fraction: float = 0.99,
        waits: Sequence[float] = (),
    ) -> Arousal:
        """Return a copy with the smallest threshold that rescues the given fraction of items.

        An item can be rescued if low precision classifies it wrongly in the last step and high
        precision classifies it correctly. The threshold is the smallest for which the given
        fraction of these items is uncertain, or 0 if there are no such items. With a fraction of 1,
        a single odd item could make half of the others uncertain.

        Use the training set, or a part of it: a threshold chosen on the test set would make the
        results on it worthless.

        Parameters
        ----------
        outputs : (n_items, n_steps, n_classes) array_like
            The outputs of the read-out at low precision, over the whole window.
        labels : (n_items,) array_like of int
            The correct classes.
        precise : (n_items,) array_like of int
            The classes predicted at high precision.
        dt : float
            The time step, in seconds.
        fraction : float
            The fraction of rescuable items that must be uncertain, in (0, 1].
        waits : sequence of float, optional
            The waits to choose from, in seconds, in place of this object's own. The best wait
            leaves the fewest items uncertain; of equally good waits the shortest is taken. Longer
            waits often leave fewer items uncertain, so give only waits that leave high precision
            the time it needs.

        Raises
        ------
        nengo.exceptions.ValidationError
            If the numbers of items differ, a class is not among the outputs, fraction is not in
            (0, 1] or a wait is negative, and for the reasons given in `margin`.
        """
        outputs = check_array(outputs, "outputs", "(n_items, n_steps, n_classes)", self)
        n_items, _, n_classes = outputs.shape
        labels = check_classes(labels, "labels", n_items, n_classes, self)
        precise = check_classes(precise, "precise", n_items, n_classes, self)
        check_number(fraction, "fraction", self, low=0, low_open=True, high=1)
        check_array(waits, "waits", "(n,)", self, low=0)
        rescued = (precise == labels) & (np.argmax(outputs[:, -1], axis=-1) != labels)
        candidates = {}
        for wait in sorted(waits) or (self.wait,):
            unfitted = self._with(wait, None)
            margins = unfitted.margin(outputs, dt)
            fitted = self._with(wait, _smallest_threshold(margins[rescued], fraction))
            candidates[fitted] = metrics.selectivity(margins <= fitted.threshold)
        return min(candidates, key=lambda fitted: candidates[fitted])


class Aroused(NamedTuple):
    """The result of `classify`.

    Attributes
    ----------
    outputs : (n_items, n_steps, n_classes) ndarray
        The outputs of the read-out; see `.metrics.accuracy_over_time`.
    spikes : (n_items,) ndarray of float
        The number of spikes sent for each item over the whole window; see `.metrics.firing_rate`.
    highlighted : (n_items,) ndarray of bool
        Whether each item continued at high precision; see `.metrics.selectivity`.
    """

    outputs: NDArray
    spikes: NDArray
    highlighted: NDArray


def classify(arousal: Arousal, run: Run, n_items: int, n_steps: int, dt: float = 0.001) -> Aroused:
    """Run all items at low precision, then continue the uncertain ones at high precision.

    Parameters
    ----------
    arousal : `Arousal`
        A fitted object, which decides which items are uncertain.
    run : callable
        ``run(items, n_steps, m_f, state)`` simulates the items with the given indices for the given
        number of steps at the precision m_f. It returns their outputs, of shape (len(items),
        n_steps, n_classes), the number of spikes sent for each item, of shape (len(items),), and
        the final state of the network. ``state`` is None when the run starts from rest. Otherwise
        it is the state returned by the first run, which contained all items: select the part that
        belongs to the given items.
    n_items, n_steps : int
        The number of items, and the number of time steps from the onset of the input.
    dt : float
        The time step, in seconds.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the arousal is not fitted, or leaves no steps to continue with; if n_items or n_steps is
        not a positive integer, or dt is not positive; or if the values returned by ``run`` have the
        wrong shape or are not finite.

    Examples
    --------
    With `.layerwise`, a network made by `.convert`, and a probe that counts its spikes. States take
    memory, so classify large sets in batches::

        def run(items, n_steps, m_f, state):
            converted.set_precision(m_f)
            simulator = layerwise.Simulator(converted.network)
            data = {converted.input: x[items, None]}
            seen, state = simulator.advance(data, n_steps, state and state[items])
            amplitude = AdaptiveSpiking(m_f).amplitude
            sent = metrics.spike_counts(seen[count], amplitude=amplitude)[:, 0]
            return seen[converted.output], sent, state
    """
    check_is(arousal, "arousal", Arousal)
    if not callable(run):
        raise ValidationError(f"must be a function, got {run!r}", "run")
    check_positive_integer(n_items, "n_items")
    check_positive_integer(n_steps, "n_steps")
    arousal.check_fitted()
    _, first = arousal.steps(dt)
    if n_steps <= first:
        raise ValidationError(
            f"must be more than the {first} steps that wait and duration take, got {n_steps}",
            "n_steps",
        )
    everything = np.arange(n_items)

    def ran(items, steps, m_f, state):
        outputs, sent, state = run(items, steps, m_f, state)
        shape = f"({len(items)}, {steps}, n_classes)"
        outputs = check_array(outputs, "outputs of run", shape)
        return outputs, check_array(sent, "spikes of run", f"({len(items)},)", low=0), state

    start, sent, state = ran(everything, first, arousal.low, None)
    spikes = np.array(sent, dtype=float)
    highlighted = arousal.uncertain(start, dt)
    outputs = np.empty((n_items, n_steps, start.shape[2]), start.dtype)
    outputs[:, :first] = start
    for m_f, chosen in ((arousal.low, ~highlighted), (arousal.high, highlighted)):
        items = everything[chosen]
        if len(items):
            rest, sent, _ = ran(items, n_steps - first, m_f, state)
            outputs[items, first:] = rest
            spikes[items] += sent
    return Aroused(outputs, spikes, highlighted)


def _smallest_threshold(margins: NDArray, fraction: float) -> float:
    """Return the smallest margin that is at least as great as the given fraction of margins."""
    covered = np.arange(1, len(margins) + 1) / max(len(margins), 1)
    return float(np.sort(margins)[np.searchsorted(covered, fraction)]) if len(margins) else 0.0

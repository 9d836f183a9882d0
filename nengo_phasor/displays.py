"""Displays for Nengo GUI: nodes that draw their input.

Each function creates a `nengo.Node` in the current network. Connect the objects to be shown to it,
without a synapse, and choose "HTML" from its menu in Nengo GUI. A display does not affect the
network, and draws only when it is shown in Nengo GUI.

The drawings are in `.drawings`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import nengo
import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import NDArray

from nengo_phasor.checks import check_number, check_positive, check_positive_integer
from nengo_phasor.drawings import classes_svg, clock_svg, dial_svg, image_svg
from nengo_phasor.latest import LatestPhases
from nengo_phasor.listing import shows_public_names
from nengo_phasor.phases import STEP_TOLERANCE

__dir__ = shows_public_names(__name__)

REFRESH = 0.02
"""The shortest simulated time between two drawings, in seconds; the browser draws no faster."""


class Display:
    """A node's function that stores its input, and draws it on request.

    Nengo GUI reads ``_nengo_html_`` after every step. Subclasses define `take`, which stores the
    input, and `drawing`. A change is drawn `REFRESH` after the last drawing.
    """

    size_in: int

    def __init__(self):
        self.now = 0.0
        self._drawn: str | None = None
        self._changed, self._drawn_at = True, -np.inf

    def __call__(self, t: float, x: NDArray):
        """Store the time (s) and the input; return the node's output, if it has one."""
        if t < self.now:  # a new simulation
            self._drawn_at = -np.inf
        self.now = t
        return self.take(t, x)

    def take(self, t: float, x: NDArray):
        """Store the input at a time (s); return the node's output, if it has one."""
        raise NotImplementedError("Displays must define take")

    def drawing(self) -> str:
        """Return the drawing of the stored input."""
        raise NotImplementedError("Displays must define drawing")

    def changed(self) -> None:
        """Request a new drawing, as soon as one is due."""
        self._changed = True

    @property
    def _nengo_html_(self) -> str:
        if self._drawn is None or (self._changed and self.now - self._drawn_at > 0.999 * REFRESH):
            self._drawn, self._changed, self._drawn_at = self.drawing(), False, self.now
        return self._drawn


def _node(display: Display, label: str, size_out: int = 0) -> nengo.Node:
    return nengo.Node(display, size_in=display.size_in, size_out=size_out, label=label)


def _range(low: float, high: float) -> tuple[float, float]:
    check_number(low, "low")
    check_number(high, "high")
    if high <= low:
        raise ValidationError(f"must be greater than low, {low}, got {high}", attr="high")
    return low, high


def _names(names: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(names, Collection) or isinstance(names, str) or len(names) < 2:
        raise ValidationError(f"must be at least two names, got {names!r}", attr="names")
    return tuple(map(str, names))


# ------------------------------------------------------------------------------------ phase clock


class PhaseClock(Display):
    """The function of the node that `phase_clock` creates."""

    def __init__(self, n_neurons: int, frequency: float, sparsified: bool, dt: float, unit: bool):
        super().__init__()
        self.latest = LatestPhases(n_neurons, frequency, dt)
        self.unit = LatestPhases(1, frequency, dt) if unit else None
        self.size_in = n_neurons * (1 + sparsified) + bool(unit)
        self.sent = np.zeros(n_neurons, dtype=bool)

    def take(self, t, x):
        if self.unit is not None:
            x, unit = x[:-1], x[-1:]
            if self.unit.update(t, unit != 0):
                self.changed()
        spiked = np.reshape(x, (-1, len(self.sent))) != 0
        own, sent = spiked.any(axis=0), spiked[-1]
        self.sent[own] = sent[own]
        if self.latest.update(t, own):
            self.changed()

    def drawing(self):
        unit = np.nan if self.unit is None else self.unit.phase[0]
        return clock_svg(self.latest.phase, self.sent & self.latest.recent, unit)


def phase_clock(
    n_neurons: int,
    frequency: float = 10.0,
    sparsified: bool = False,
    dt: float = 0.001,
    label: str = "phase clock",
    unit: bool = False,
) -> nengo.Node:
    """Create a display of each neuron's phase, as a hand on the unit circle.

    A hand fades when its spike is missing: when the sparsifier removed it, or when no spike has
    arrived for one and a half cycles. It stays at the last phase. The black mark on the right is
    the reference, phase 0; phases increase counter-clockwise.

    Parameters
    ----------
    n_neurons : int
        The number of neurons whose spikes the node takes; connect ``ensemble.neurons`` to it.
    frequency : float
        The frequency of the rhythm, in Hz.
    sparsified : bool
        Whether the node takes n_neurons further values: the spikes that are sent, after a
        sparsifier.
    dt : float
        The time step of the simulation, in seconds.
    label : str
        The label of the node.
    unit : bool
        Whether the node takes one more value, the last: the spikes of a layer's rhythm unit (see
        `.networks.LocalRhythm`). Its hand is red and extends beyond the circle.

    Raises
    ------
    nengo.exceptions.ValidationError
        If n_neurons is not a positive integer, frequency or dt is not positive, or a cycle has
        fewer than 4 steps.

    Examples
    --------
    ::

        clock = displays.phase_clock(3, sparsified=True)
        nengo.Connection(neurons, clock[:3], synapse=None)
        nengo.Connection(neurons, clock[3:], synapse=ArcSparsifier(0.1))
    """
    return _node(PhaseClock(n_neurons, frequency, sparsified, dt, unit), label)


# ------------------------------------------------------------------------------------------ images


class Image(Display):
    """The function of the node that `image` creates."""

    def __init__(self, shape: Sequence[int], low: float, high: float, names: Sequence[str] | None):
        super().__init__()
        if np.shape(shape) not in ((2,), (3,)) or (len(shape) == 3 and shape[2] not in (1, 3)):
            raise ValidationError(
                f"must be (height, width), with 1 or 3 channels if any, got {shape}", "shape"
            )
        for size in shape:
            check_positive_integer(size, "shape")
        shape = tuple(map(int, shape))
        self.shape = shape[:2] if shape[-1] == 1 and len(shape) == 3 else shape
        self.range = _range(low, high)
        self.names = () if names is None else _names(names)
        self.size_in = int(np.prod(self.shape)) + len(self.names)
        self.values = np.zeros(self.size_in)

    def take(self, t, x):
        if not np.array_equal(x, self.values):
            self.values = np.array(x)
            self.changed()

    def drawing(self):
        n_pixels = int(np.prod(self.shape))
        pixels, classes = self.values[:n_pixels].reshape(self.shape), self.values[n_pixels:]
        caption = None
        if self.names:
            caption = self.names[np.argmax(classes)] if np.any(classes) else "–"
        return image_svg(pixels, *self.range, caption)


def image(
    shape: Sequence[int],
    low: float = 0.0,
    high: float = 1.0,
    label: str = "image",
    names: Sequence[str] | None = None,
) -> nengo.Node:
    """Create a display of an image, such as a digit or a garment.

    Parameters
    ----------
    shape : sequence of int
        The height and the width, followed by 3 for an RGB image. The node takes the flat image,
        with channels last.
    low, high : float
        The values shown as black and as white. Values outside this range are clipped.
    label : str
        The label of the node.
    names : sequence of str, optional
        The names of classes. If given, the node takes a value for each class after the image, and
        the name of the class with the highest value is shown below the image. While all values are
        0, no name is shown.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the shape is not that of an image, high is not greater than low, or there are fewer than
        two names.
    """
    return _node(Image(shape, low, high, names), label)


# ----------------------------------------------------------------------------------------- classes


class Classes(Display):
    """The function of the node that `classes` creates."""

    def __init__(self, names: Sequence[str], low: float, high: float, lead: float):
        super().__init__()
        self.names = _names(names)
        check_number(lead, "lead", low=0)
        self.lead = lead
        self.range = _range(low, high)
        self.size_in = len(self.names)
        self.values = np.zeros(self.size_in)

    def take(self, t, x):
        self.values = np.array(x)
        self.changed()

    @property
    def winner(self) -> int | None:
        """The index of the class to be named, or None."""
        second, first = np.sort(self.values)[-2:]
        leads = first > second and first - second >= self.lead
        return int(np.argmax(self.values)) if leads else None

    def drawing(self):
        return classes_svg(self.names, self.values, *self.range, self.winner)


def classes(
    names: Sequence[str],
    low: float = 0.0,
    high: float = 1.0,
    label: str = "class",
    lead: float = 0.0,
) -> nengo.Node:
    """Create a display of a classifier's outputs, with a bar for each and the name of the highest.

    Parameters
    ----------
    names : sequence of str
        The names of the classes. The node takes a value for each class.
    low, high : float
        The values of an empty and of a full bar.
    label : str
        The label of the node.
    lead : float
        The amount by which the highest value must exceed all others for its class to be named, so
        that no class is named before there is a decision. If the highest values are equal, no class
        is named.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there are fewer than two names, high is not greater than low, or lead is less than 0.
    """
    return _node(Classes(names, low, high, lead), label)


class PhaseClasses(Classes):
    """The function of the node that `phase_classes` creates."""

    def __init__(self, names: Sequence[str], frequency: float, dt: float):
        super().__init__(names, -1.0, 1.0, 0.0)
        self.latest = LatestPhases(len(self.names), frequency, dt)

    @property
    def winner(self):
        """The index of the class to be named; None in the first cycle."""
        one_cycle = self.latest.now > (1.0 - STEP_TOLERANCE) / self.latest.frequency
        return super().winner if one_cycle else None

    def take(self, t, x):
        if self.latest.update(t, x != 0):
            heard = np.where(self.latest.recent, self.latest.phase, 0.0)
            self.values = np.cos(np.pi * (heard - 0.5))
            self.changed()
        return self.values


def phase_classes(
    names: Sequence[str], frequency: float = 10.0, dt: float = 0.001, label: str = "class"
) -> nengo.Node:
    r"""Create a display of a phasor classifier's decision: the output nearest to phase 1/2.

    The node takes the spikes of the outputs. It outputs the similarities that it draws,
    :math:`\cos(\pi (p - 1/2))`, where a missing spike counts as a spike of phase 0; see
    `.metrics.phase_class`. No class is named before the first cycle is over.

    Parameters
    ----------
    names : sequence of str
        The names of the classes.
    frequency : float
        The frequency of the rhythm, in Hz.
    dt : float
        The time step of the simulation, in seconds.
    label : str
        The label of the node.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there are fewer than two names, frequency or dt is not positive, or a cycle has fewer
        than 4 steps.
    """
    display = PhaseClasses(names, frequency, dt)
    return _node(display, label, display.size_in)


# --------------------------------------------------------------------------------------- precision


class PrecisionDial(Display):
    """The function of the node that `precision_dial` creates."""

    size_in = 1

    def __init__(self, low: float, high: float):
        super().__init__()
        check_positive(low, "low")
        check_positive(high, "high")
        if high >= low:
            raise ValidationError(
                f"must be less than low, {low}, for the greater precision, got {high}", "high"
            )
        self.low, self.high = low, high
        self.m_f = low

    def take(self, t, x):
        if x[0] != self.m_f and x[0] > 0:
            self.m_f = float(x[0])
            self.changed()

    def drawing(self):
        return dial_svg(self.m_f, self.low, self.high)


def precision_dial(low: float, high: float, label: str = "precision") -> nengo.Node:
    """Create a display of the precision m_f of adaptive neurons, for `.arousal.Arousal`.

    Parameters
    ----------
    low, high : float
        The values of m_f at low precision and, smaller, at high precision, which are the ends of
        the dial. The node takes the m_f in use; the needle does not move for values of 0 or less.
    label : str
        The label of the node.

    Raises
    ------
    nengo.exceptions.ValidationError
        If high is not between 0 and low.
    """
    return _node(PrecisionDial(low, high), label)

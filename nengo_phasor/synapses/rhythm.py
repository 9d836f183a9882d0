"""Synapses that follow a layer's rhythm unit: its own rhythm, in place of a global clock.

Their last input is that of the unit, and the others are the layer's spikes; see
`nengo_phasor.networks.LocalRhythm`, which connects them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from nengo.exceptions import ValidationError

from nengo_phasor import dynamics
from nengo_phasor.checks import Number
from nengo_phasor.listing import Described
from nengo_phasor.phases import steps_per_cycle
from nengo_phasor.synapses.base import RhythmicSynapse, SpikeSynapse


class FollowsUnit(SpikeSynapse):
    """Base class of synapses whose last input belongs to a layer's rhythm unit, and passes.

    Attributes
    ----------
    follows : "spikes" or "field"
        What the last input is: the unit's spikes, or the layer's mean input, which drives it.
    """

    follows = "spikes"

    def is_unit(self, neurons):
        """Return which of the inputs is the unit's: the last.

        Raises
        ------
        nengo.exceptions.ValidationError
            If there is no layer beside the unit.
        """
        if np.size(neurons) < 2:
            raise ValidationError(
                f"needs the layer's spikes and then the unit's {self.follows}, got "
                f"{np.size(neurons)} input: use nengo_phasor.networks.LocalRhythm",
                attr="shape_in",
                obj=self,
            )
        return neurons == np.max(neurons)

    def passed(self, xp, x, silent, is_unit):
        """Return the spikes outside the silence, and the input of the unit."""
        return xp.where(silent & ~is_unit, xp.zeros_like(x), x)


class WindowConstants(NamedTuple):
    """The constants of `RhythmSparsifier`: steps in a cycle, and which input is the unit's."""

    period: float
    is_unit: np.ndarray


class RhythmSparsifier(FollowsUnit, RhythmicSynapse):
    """Removes the layer's spikes within a window around the spikes of its rhythm unit.

    The unit resonates as the layer's mean does, and spikes once a cycle. Its latest spike predicts
    its next, one period later. All spikes of the layer within a window centred on that moment are
    removed, and so are those before the unit's first spike, because until then their phases relate
    to nothing.

    The last input is the unit's spikes and passes; `.networks.LocalRhythm` connects it.

    Parameters
    ----------
    window : float
        The strength of the sparsifier: the fraction of the period that the window covers, from 0
        (removes nothing) to 1 (removes everything).
    frequency : float
        The frequency of the rhythm, in Hz.

    Raises
    ------
    nengo.exceptions.ValidationError
        If window is not in [0, 1] or frequency is not greater than 0. When the network is built: if
        a cycle has fewer than 4 time steps, or there is no layer beside the unit.

    References
    ----------
    Olin-Ammentorp (2023), Sparsifying Spiking Networks through Local Rhythms, section 3, proposes
    feedback within a layer, without giving a mechanism.
    """

    state_shapes = {"since": "all"}  # noqa: RUF012

    window = Number("window", low=0, high=1)

    def __init__(self, window: float, frequency: float = 10.0):
        super().__init__(frequency)
        self.window = window

    def constants(self, dt, neurons, items):
        return WindowConstants(steps_per_cycle(self.frequency, dt), self.is_unit(neurons))

    def advance(self, xp, tick, x, c, since):
        since = dynamics.steps_since(xp, x[..., -1:] > 0, since)
        return self.passed(xp, x, self.silences(xp, since, c), c.is_unit), since

    def silences(self, xp, since, c: WindowConstants):
        """Return whether steps are silent, given those `.dynamics.steps_since` the unit's spike."""
        near = dynamics.around_spikes(xp, since - 1.0, self.window, c.period)
        return near | ((since < 1) & (self.window > 0))


class DifferenceConstants(NamedTuple):
    """The constants of `DifferenceSparsifier`."""

    field: dynamics.FieldConstants
    is_unit: np.ndarray


class DifferenceSparsifier(FollowsUnit, RhythmicSynapse):
    r"""Removes the layer's spikes that do not differ from the layer's mean field.

    The mean field z_I is the state of a resonator that receives the layer's mean input. A neuron
    spikes when the phase of its own state z is zero. The spike is removed if the phase of z_I is
    within half a window of zero as well:

    .. math:: \left|\frac{z}{|z|} - \frac{z_I}{|z_I|}\right| < 2 \sin\frac{\pi w}{2}

    This rule predicts nothing. The last input is the layer's mean input and passes;
    `.networks.LocalRhythm` connects it.

    Parameters
    ----------
    window : float
        The strength w of the sparsifier: the fraction of the circle, from 0 (removes nothing) to 1
        (removes everything).
    frequency : float
        The frequency of the neurons, in Hz.
    tau : float, optional
        The time constant of the neurons, in seconds. By default 5 periods.

    Raises
    ------
    nengo.exceptions.ValidationError
        If window is not in [0, 1], or frequency or tau is not greater than 0. When the network is
        built: if a cycle has fewer than 4 time steps, or there is no layer beside the mean input.
    """

    follows = "field"
    state_shapes = {"voltage": "all", "current": "all"}  # noqa: RUF012

    window = Number("window", low=0, high=1)
    tau = Number("tau", low=0, low_open=True)

    def __init__(self, window: float, frequency: float = 10.0, tau: float | None = None):
        super().__init__(frequency)
        self.window = window
        self.tau = 5 / frequency if tau is None else tau

    def constants(self, dt, neurons, items):
        steps_per_cycle(self.frequency, dt)
        field = dynamics.field_constants(self.window, self.frequency, self.tau, dt)
        return DifferenceConstants(field, self.is_unit(neurons))

    def advance(self, xp, tick, x, c, voltage, current):
        drive = dynamics.field_drive(xp, x[..., -1:])
        field = dynamics.resonate(drive, voltage, current, c.field.rotation, c.field.dt)
        silent = dynamics.field_rises(xp, *field, c.field)
        return self.passed(xp, x, silent, c.is_unit), *field


class AssumeRhythm(Described, FollowsUnit):
    """Assumes, on the receiver's side, that each silent neuron spiked with its layer's rhythm unit.

    It does as `.AssumeReference` does, with the unit's spikes in place of a clock's reference: in
    the step of each of them it adds a spike for every neuron that has been silent since the
    previous one, and subtracts one for every additional spike of the others.

    Put it after a sparsifier, on a connection between two relays. The last input is the unit's
    spikes and passes; `.networks.LocalRhythm` connects it.

    Parameters
    ----------
    amplitude : float
        The amplitude of the spikes, as in `.ResonateAndFire`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If amplitude is not greater than 0. When the network is built: if there is no layer beside
        the unit.
    """

    state_shapes = {"heard": "neuron"}  # noqa: RUF012

    amplitude = Number("amplitude", low=0, low_open=True)

    def __init__(self, amplitude: float = 1.0):
        super().__init__()
        self.amplitude = amplitude

    def constants(self, dt, neurons, items):
        return self.amplitude / dt, self.is_unit(neurons)

    def advance(self, xp, tick, x, c, heard):
        height, is_unit = c
        spikes, heard = dynamics.assume_reference(xp, x / height, heard, x[..., -1:] > 0)
        return xp.where(is_unit, x, spikes * height), heard

"""Synapses that replace missing spikes, or turn phases into spikes."""

from __future__ import annotations

from nengo_phasor import dynamics
from nengo_phasor.checks import Number
from nengo_phasor.phases import steps_per_cycle
from nengo_phasor.synapses.base import RhythmicSynapse


class AssumeReference(RhythmicSynapse):
    """Assumes, on the receiver's side, that each silent neuron spiked at the reference.

    In the step of phase 0 it adds a spike for every neuron that has been silent since the previous
    reference, and subtracts one for every additional spike of the others. Over a cycle, a silent
    neuron thus represents phase 0, and a neuron that spiked, before or after the reference,
    represents its own phase. No spikes are sent for this: the receiver adds the sum of its weights
    once a cycle, and each spike subtracts its own contribution.

    Put it after a sparsifier, on a connection between two relays.

    Parameters
    ----------
    frequency : float
        The frequency of the rhythm, in Hz.
    amplitude : float
        The amplitude of the spikes, as in `.ResonateAndFire`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If frequency or amplitude is not greater than 0. When the network is built: if a cycle has
        fewer than 4 time steps.

    References
    ----------
    Olin-Ammentorp (2023), Sparsifying Spiking Networks through Local Rhythms, section 1.2:
    downstream neurons interpret missing input as the group's phase.
    """

    state_shapes = {"heard": "neuron"}  # noqa: RUF012

    amplitude = Number("amplitude", low=0, low_open=True)

    def __init__(self, frequency: float = 10.0, amplitude: float = 1.0):
        super().__init__(frequency)
        self.amplitude = amplitude

    def constants(self, dt, neurons, items):
        return steps_per_cycle(self.frequency, dt), self.amplitude / dt

    def advance(self, xp, tick, x, c, heard):
        period, height = c
        at_reference = dynamics.spikes_at_phase(xp, xp.zeros_like(tick.step), tick.step, period)
        spikes, heard = dynamics.assume_reference(xp, x / height, heard, at_reference)
        return spikes * height, heard


class PhaseEncoder(RhythmicSynapse):
    """Turns each phase into one spike per cycle.

    The spike falls into the time step that contains its time; see `.phases`. A phase outside
    [-1, 1) is wrapped to the same direction; NaN makes no spike.

    Parameters
    ----------
    frequency : float
        The frequency of the rhythm, in Hz.
    amplitude : float
        The amplitude of a spike, which is an output of amplitude/dt for one step.

    Raises
    ------
    nengo.exceptions.ValidationError
        If frequency or amplitude is not greater than 0. When the network is built: if a cycle has
        fewer than 4 time steps.
    """

    nan_is_silent = True

    amplitude = Number("amplitude", low=0, low_open=True)

    def __init__(self, frequency: float = 10.0, amplitude: float = 1.0):
        super().__init__(frequency)
        self.amplitude = amplitude

    def constants(self, dt, neurons, items):
        return steps_per_cycle(self.frequency, dt), self.amplitude / dt

    def advance(self, xp, tick, x, c):
        period, height = c
        spike = dynamics.spikes_at_phase(xp, x, tick.step, period)
        return (xp.where(spike, height, 0.0),)

"""Synapses that remove spikes: by phase, by the layer's field, or at random."""

from __future__ import annotations

import numpy as np

from nengo_phasor import dynamics
from nengo_phasor.checks import Number
from nengo_phasor.listing import Described
from nengo_phasor.phases import steps_per_cycle
from nengo_phasor.synapses.base import RhythmicSynapse, SpikeSynapse


class ArcSparsifier(RhythmicSynapse):
    r"""Removes the spikes whose phase is within an arc around the reference.

    A spike of phase p, in units of pi, is removed if :math:`-arc \leq p < arc`.

    Parameters
    ----------
    arc : float
        The strength of the sparsifier: the fraction of the circle that the arc covers, from 0
        (removes nothing) to 1 (removes everything).
    frequency : float
        The frequency of the rhythm, in Hz.

    Raises
    ------
    nengo.exceptions.ValidationError
        If arc is not in [0, 1] or frequency is not greater than 0. When the network is built: if a
        cycle has fewer than 4 time steps.

    References
    ----------
    Olin-Ammentorp (2023), Sparsifying Spiking Networks through Local Rhythms, section 2.2.1.
    """

    silent_at_zero = True

    arc = Number("arc", low=0, high=1)

    def __init__(self, arc: float, frequency: float = 10.0):
        super().__init__(frequency)
        self.arc = arc

    def constants(self, dt, neurons, items):
        return steps_per_cycle(self.frequency, dt)

    def advance(self, xp, tick, x, c):
        return (xp.where(dynamics.outside_arc(xp, tick.step, self.arc, c), x, xp.zeros_like(x)),)


class FieldSparsifier(RhythmicSynapse):
    """Removes the spikes that arrive while the layer's local field rises most steeply.

    The spikes of the layer add up to a local field. Its rhythm so far predicts when in the current
    cycle the field will rise most steeply. All spikes within a window centred on that moment are
    removed. The prediction is causal and made from each layer's own spikes; see
    `.dynamics.rhythm_silences`. The first spikes pass, because no prediction exists before them.

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
        a cycle has fewer than 4 time steps.

    References
    ----------
    Olin-Ammentorp (2023), Sparsifying Spiking Networks through Local Rhythms, section 2.2.2, which
    determines the moments after the fact.
    """

    memory = 3.0
    """The number of periods after which the field's memory of the rhythm has decayed to 1/e."""

    state_shapes = {"voltage": "all", "current": "all"}  # noqa: RUF012

    window = Number("window", low=0, high=1)

    def __init__(self, window: float, frequency: float = 10.0):
        super().__init__(frequency)
        self.window = window

    def constants(self, dt, neurons, items):
        steps_per_cycle(self.frequency, dt)
        return dynamics.field_constants(
            self.window, self.frequency, self.memory / self.frequency, dt
        )

    def advance(self, xp, tick, x, c, voltage, current):
        activity = dynamics.mean_over_neurons(xp, x)
        silent, *state = dynamics.rhythm_silences(xp, activity, voltage, current, c)
        return (xp.where(silent, xp.zeros_like(x), x), *state)


class RandomSparsifier(SpikeSynapse):
    """Removes each spike with the same probability, as a control.

    The choice depends only on the seed, the time step, the neuron and the item of the batch, so
    that every substrate removes the same spikes. Nengo's own simulator runs item 0.

    Parameters
    ----------
    probability : float
        The strength of the sparsifier: the probability that a spike is removed, from 0 (removes
        nothing) to 1 (removes everything).
    seed : int, optional
        The seed of the random choice. By default it is derived from the network's seed when the
        network is built.

    Raises
    ------
    nengo.exceptions.ValidationError
        If probability is not in [0, 1].

    References
    ----------
    Olin-Ammentorp (2023), Sparsifying Spiking Networks through Local Rhythms, section 2.2.3.
    """

    silent_at_zero = True

    probability = Number("probability", low=0, high=1)

    def __init__(self, probability: float, seed: int | None = None):
        super().__init__(seed=seed)
        self.probability = probability

    @property
    def limit(self) -> np.ndarray:
        """The probability in the form that `.dynamics.dropped_at_random` takes."""
        return np.array([round(self.probability * 2**31)], np.uint32)

    def constants(self, dt, neurons, items):
        key = dynamics.random_key(np.uint32([self.seed or 0]), items.astype(np.uint32))
        return key, neurons.astype(np.uint32)

    def advance(self, xp, tick, x, c):
        dropped = dynamics.dropped_at_random(c[0], tick.count, c[1], self.limit)
        return (xp.where(dropped, xp.zeros_like(x), x),)


class ReactiveSparsifier(Described, SpikeSynapse):
    r"""Removes the spikes that arrive while an inhibitory neuron is excited by those before.

    The spikes that the layer sends excite an inhibitory neuron, whose potential g is the fraction
    of the layer that sent a spike of late:

    .. math:: \tau \dot{g} = -g + \frac{\tau}{n} \sum_k s_k

    While g is above 1 - strength, it inhibits the whole layer. So the first spikes of a cycle pass
    and the later ones do not: a loop of excitation and inhibition, as that of gamma oscillations
    (PING). The inhibition acts from the next time step on. It knows no rhythm and predicts nothing.

    Parameters
    ----------
    strength : float
        The strength of the sparsifier, from 0 (removes nothing, as long as each neuron spikes once
        in several tau) to 1 (removes everything).
    tau : float
        The time constant of the inhibitory neuron, in seconds.
    amplitude : float
        The amplitude of the spikes, as in `.ResonateAndFire`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If strength is not in [0, 1], or tau or amplitude is not greater than 0.

    References
    ----------
    Whittington et al. (2000), Inhibition-based rhythms: experimental and mathematical observations
    on network dynamics.
    """

    always_shown = ("strength",)
    state_shapes = {"inhibition": "all"}  # noqa: RUF012

    strength = Number("strength", low=0, high=1)
    tau = Number("tau", low=0, low_open=True)
    amplitude = Number("amplitude", low=0, low_open=True)

    def __init__(self, strength: float, tau: float = 0.01, amplitude: float = 1.0):
        super().__init__()
        self.strength = strength
        self.tau = tau
        self.amplitude = amplitude

    def constants(self, dt, neurons, items):
        return np.exp(-dt / self.tau), dt / self.amplitude

    def advance(self, xp, tick, x, c, inhibition):
        keep, per_spike = c
        silent = (inhibition > 1 - self.strength) | (self.strength == 1)
        sent = xp.where(silent, xp.zeros_like(x), x)
        fraction = per_spike * dynamics.mean_over_neurons(xp, sent)
        return sent, dynamics.excite(inhibition, fraction, keep)

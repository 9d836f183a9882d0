"""Synapses that remove spikes, replace missing spikes, or turn phases into spikes.

They are Nengo synapses. Put one on the connection from a layer's neurons to a relay (a Node without
output), and put the weights on the connection from the relay, because a connection's synapse acts
after its transform. Unlike Nengo's filters they act within the time step, so that the spikes they
pass keep their phase. A loop therefore needs another synapse, one with a delay.

Each synapse provides the constants of a time step and one pure function, ``advance``, which every
substrate runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from nengo.base import Process
from nengo.exceptions import ValidationError
from nengo.synapses import Synapse

from nengo_phasor import dynamics
from nengo_phasor.checks import Number
from nengo_phasor.listing import Described, shows_public_names
from nengo_phasor.phases import steps_per_cycle

__dir__ = shows_public_names(__name__)

Array = Any


class Tick(NamedTuple):
    """The number of a time step, as a float and as an unsigned integer; the first step is 1."""

    step: Array
    count: Array


class SpikeSynapse(Synapse):
    """Base class of synapses that act on single spikes, in the time step in which they arrive.

    Attributes
    ----------
    state_shapes : {str: "neuron" or "all"}
        The name of each state, with "neuron" if it has one value per neuron or "all" if it has a
        single value.
    silent_at_zero : bool
        Whether a synapse without states treats each input independently and maps 0 to 0.
        `.layerwise` then processes only the spikes. It is False unless the class sets it; a class
        that overrides ``advance`` must set it again.
    nan_is_silent : bool
        Whether an input of NaN, a missing value, has an output of 0. `.layerwise` then accepts NaN
        in the data of nodes that have no other synapse. It is also False unless the class sets it.
    """

    state_shapes: dict[str, str] = {}  # noqa: RUF012
    silent_at_zero = False
    nan_is_silent = False

    def __init_subclass__(cls, **kwargs):
        """Reset the inherited class attributes if the class overrides ``advance``.

        Raises
        ------
        nengo.exceptions.ValidationError
            If a state's shape is neither "neuron" nor "all".
        """
        super().__init_subclass__(**kwargs)
        for name, shape in cls.state_shapes.items():
            if shape not in ("neuron", "all"):
                raise ValidationError(
                    f'must be "neuron" or "all" for each state, got {shape!r} for {name!r}',
                    attr="state_shapes",
                    obj=cls,
                )
        if "advance" in vars(cls):
            for name in ("silent_at_zero", "nan_is_silent"):
                setattr(cls, name, vars(cls).get(name, False))

    def constants(self, dt: float, neurons: np.ndarray, items: np.ndarray) -> Any:
        """Return the constants of a step of ``dt`` seconds, given the places of the inputs.

        ``neurons`` and ``items`` are the indices of the neurons and of the items of the batch.
        Their shapes together broadcast to that of the input.
        """
        raise NotImplementedError("Spike synapses must provide constants")

    def advance(self, xp, tick: Tick, x: Array, c: Any, *state: Array) -> tuple[Array, ...]:
        """Return a tuple of this step's output for the input x and the new states.

        ``x`` and the states have shape (..., n_neurons), or (..., 1) for a state with a single
        value. ``xp`` is the array library; in its ``where`` plain numbers have double precision.
        """
        raise NotImplementedError("Spike synapses must provide advance")

    def advanced(self, xp, tick: Tick, x: Array, c: Any, *state: Array) -> Sequence[Array]:
        """Return the result of ``advance`` after checking it; simulators call this method.

        Raises
        ------
        nengo.exceptions.ValidationError
            If the result is not a tuple of the output and of as many states as the class names.
        """
        result = self.advance(xp, tick, x, c, *state)
        if not isinstance(result, tuple | list) or len(result) != 1 + len(state):
            found = f"{len(result)} values" if isinstance(result, tuple | list) else "no tuple"
            raise ValidationError(
                f"must return a tuple of the output and {len(state)} new states, or "
                f"`return output,` if there are no states; it returned {found}",
                attr="advance",
                obj=self,
            )
        return result

    def make_state(self, shape_in, shape_out, dt, dtype=None, y0=None):
        """Return the initial states, which are all zero."""
        self.constants(dt, np.arange(shape_in[0]), np.zeros(1, int))
        sizes = {"neuron": shape_in[0], "all": 1}
        return {k: np.zeros(sizes[v], dtype=dtype) for k, v in self.state_shapes.items()}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """Return a function of the time and the input that advances the states in place."""
        c = self.constants(dt, np.arange(shape_in[0]), np.zeros(1, int))

        def step(t, x):
            number = np.rint(t / dt)
            tick = Tick(number, np.uint32([number]))
            output, *new = self.advanced(np, tick, x, c, *state.values())
            for old, value in zip(state.values(), new, strict=True):
                old[...] = value
            return output

        return step

    def with_seed(self, seed: int) -> SpikeSynapse:
        """Return a copy of this synapse with another seed."""
        copy = type(self).__new__(type(self))
        state = {k: v for k, v in self.__getstate__().items() if not k.startswith("_FrozenObject")}
        copy.__setstate__({**state, "seed": seed})
        return copy

    def filt(self, x, dt=None, axis=0, y0=0, copy=True, filtfilt=False):
        """Apply the synapse to the raster ``x`` along ``axis``, whose first entry is time step 1.

        Raises
        ------
        nengo.exceptions.ValidationError
            If ``filtfilt`` is set or ``y0`` is not 0, because this is not a linear filter.
        """
        if filtfilt or np.any(y0):
            raise ValidationError("has no backward pass and starts from rest", "filtfilt", self)
        x = np.moveaxis(np.array(x, dtype=float), axis, 0)
        flat = x.reshape(len(x), -1)
        out = Process.apply(self, flat, d=flat.shape[1], dt=dt)
        return np.moveaxis(out.reshape(x.shape), 0, axis)


class RhythmicSynapse(Described, SpikeSynapse):
    """Base class of spike synapses that follow a rhythm.

    Parameters
    ----------
    frequency : float
        The frequency of the rhythm, in Hz.
    """

    always_shown = ("frequency",)

    frequency = Number("frequency", low=0, low_open=True)

    def __init__(self, frequency: float = 10.0):
        super().__init__()
        self.frequency = frequency


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
        activity = mean_over_neurons(xp, x)
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


def mean_over_neurons(xp, x: Array) -> Array:
    """Return the mean over the last axis, which is kept with size 1."""
    mean = getattr(xp, "reduce_mean", None) or xp.mean
    return mean(x, -1, keepdims=True)


SYNAPSES = (ArcSparsifier, FieldSparsifier, RandomSparsifier, AssumeReference, PhaseEncoder)

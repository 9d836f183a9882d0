"""Synapses that leave out spikes, assume the ones left out, or make spikes of phases.

They are Nengo synapses: put one on the connection from a layer's neurons to a relay (a Node without
output), and the weights on the connection from there, because a connection's synapse acts after its
transform. Unlike Nengo's filters they act within the time step: what they let through keeps its
phase. So in a loop there must be some other synapse, which delays.

Each gives the constants of a time step and one pure function, ``advance``, which every substrate
runs.
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
from nengo_phasor.listing import public_names
from nengo_phasor.phases import steps_per_cycle

Array = Any


class Tick(NamedTuple):
    """The number of a time step, the first being 1: as a float, and as an unsigned integer."""

    step: Array
    count: Array


class SpikeSynapse(Synapse):
    """Base class of the synapses that act on single spikes, in the time step they come in.

    Attributes
    ----------
    state_shapes : {str: "neuron" or "all"}
        Names the states and says whether each is one value a neuron or one in all.
    silent_at_zero : bool
        Whether, of a synapse without states, an input's output depends on no other input, and is 0
        where it is 0. Then `.layerwise` looks at spikes alone. False unless the class says so: one
        that has an ``advance`` of its own says it anew.
    nan_is_silent : bool
        Whether an input of NaN, one that is missing, has an output of 0. Then `.layerwise` takes
        NaN in the data of nodes that have no other synapse. False unless the class says so, too.
    """

    state_shapes: dict[str, str] = {}  # noqa: RUF012
    silent_at_zero = False
    nan_is_silent = False

    def __init_subclass__(cls, **kwargs):
        """Let what was said of another ``advance`` not stand for one of the class's own.

        Raises
        ------
        nengo.exceptions.ValidationError
            If a state is neither a value a neuron nor one in all.
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
        """Return what a step of ``dt`` seconds needs, given the inputs' places.

        ``neurons`` and ``items`` are the indices of neuron and item of the batch, in shapes that
        together broadcast to the input's.
        """
        raise NotImplementedError("Spike synapses must provide constants")

    def advance(self, xp, tick: Tick, x: Array, c: Any, *state: Array) -> tuple[Array, ...]:
        """Return this step's output for the input x, and the new states.

        ``x`` and the states have shape (..., n_neurons), or (..., 1) for a state that is one in
        all; ``xp`` is the array library, in whose ``where`` plain numbers have double precision.
        """
        raise NotImplementedError("Spike synapses must provide advance")

    def advanced(self, xp, tick: Tick, x: Array, c: Any, *state: Array) -> Sequence[Array]:
        """Return what ``advance`` does, which simulators call by this name.

        Raises
        ------
        nengo.exceptions.ValidationError
            If that is not the output and as many states as the class names.
        """
        result = self.advance(xp, tick, x, c, *state)
        if not isinstance(result, tuple | list) or len(result) != 1 + len(state):
            found = f"{len(result)} values" if isinstance(result, tuple | list) else "no tuple"
            raise ValidationError(
                f"must return a tuple of the output and {len(state)} new states, as in "
                f"`return output,` where there are none; it returned {found}",
                attr="advance",
                obj=self,
            )
        return result

    def make_state(self, shape_in, shape_out, dt, dtype=None, y0=None):
        """Return the states, all zero."""
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
        """Return this synapse, of whatever class, with another seed."""
        copy = type(self).__new__(type(self))
        state = {k: v for k, v in self.__getstate__().items() if not k.startswith("_FrozenObject")}
        copy.__setstate__({**state, "seed": seed})
        return copy

    def filt(self, x, dt=None, axis=0, y0=0, copy=True, filtfilt=False):
        """Apply the synapse to the raster ``x`` along ``axis``, whose first entry is step 1.

        Raises
        ------
        nengo.exceptions.ValidationError
            If ``filtfilt`` is set or ``y0`` is not 0: this is no linear filter.
        """
        if filtfilt or np.any(y0):
            raise ValidationError("has no backward pass and starts from rest", "filtfilt", self)
        x = np.moveaxis(np.array(x, dtype=float), axis, 0)
        flat = x.reshape(len(x), -1)
        out = Process.apply(self, flat, d=flat.shape[1], dt=dt)
        return np.moveaxis(out.reshape(x.shape), 0, axis)


class RhythmicSynapse(SpikeSynapse):
    """Base class of the spike synapses that keep a rhythm.

    Parameters
    ----------
    frequency : float
        Of the rhythm, in Hz.
    """

    frequency = Number("frequency", low=0, low_open=True)

    def __init__(self, frequency: float = 10.0):
        super().__init__()
        self.frequency = frequency


class ArcSparsifier(RhythmicSynapse):
    r"""Leaves out the spikes whose phase is within an arc around the reference.

    A spike of phase p, in units of pi, is left out where :math:`-arc \leq p < arc`.

    Parameters
    ----------
    arc : float
        Strength, from 0 (leaves out nothing) to 1 (everything): the fraction of the circle that the
        arc takes up.
    frequency : float
        Of the rhythm, in Hz.

    Raises
    ------
    nengo.exceptions.ValidationError
        If arc is not in [0, 1] or frequency not greater than 0. When the network is built: if dt
        leaves fewer than 4 steps to a cycle.

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
    """Leaves out the spikes that come while the layer's own field rises steepest.

    The spikes of the layer add up to a local field, whose rhythm so far predicts when in this cycle
    it will rise steepest. Within a window centred on that moment all spikes are left out. The
    prediction is causal and each network's own; see `.dynamics.rhythm_silences`. There is none
    before the first spikes, so these pass.

    Parameters
    ----------
    window : float
        Strength, from 0 (leaves out nothing) to 1 (everything): the fraction of the period that the
        window takes up.
    frequency : float
        Of the rhythm, in Hz.

    Raises
    ------
    nengo.exceptions.ValidationError
        If window is not in [0, 1] or frequency not greater than 0. When the network is built: if dt
        leaves fewer than 4 steps to a cycle.

    References
    ----------
    Olin-Ammentorp (2023), Sparsifying Spiking Networks through Local Rhythms, section 2.2.2, which
    finds the moments after the fact.
    """

    memory = 3.0
    """Number of periods after which the field has forgotten all but 1/e of the rhythm."""

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
    """Leaves out each spike with the same probability: the control.

    The choice depends on the seed, the time step, the neuron and the item of the batch alone, so
    that every substrate leaves out the same spikes; Nengo's own simulator runs item 0.

    Parameters
    ----------
    probability : float
        Strength, from 0 (leaves out nothing) to 1 (everything).
    seed : int, optional
        By default made from the network's seed when the network is built.

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
        """The probability as `.dynamics.dropped_at_random` takes it."""
        return np.array([round(self.probability * 2**31)], np.uint32)

    def constants(self, dt, neurons, items):
        key = dynamics.random_key(np.uint32([self.seed or 0]), items.astype(np.uint32))
        return key, neurons.astype(np.uint32)

    def advance(self, xp, tick, x, c):
        dropped = dynamics.dropped_at_random(c[0], tick.count, c[1], self.limit)
        return (xp.where(dropped, xp.zeros_like(x), x),)


class AssumeReference(RhythmicSynapse):
    """A receiver's synapse: assumes that a neuron which it did not hear spiked at the reference.

    In the step of phase 0 it adds a spike of every neuron that it has not heard since the last one,
    and takes one away for every further spike of the others. So over a cycle a silent neuron stands
    for phase 0, and one that spiked, now or later, for its own phase. Nothing is sent for this: the
    receiver adds the sum of its weights once a cycle, and each spike takes its share off again.

    Put it after a sparsifier, on a connection between two relays.

    Parameters
    ----------
    frequency : float
        Of the rhythm, in Hz.
    amplitude : float
        Of the spikes, as in `.ResonateAndFire`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If frequency or amplitude is not greater than 0. When the network is built: if dt leaves
        fewer than 4 steps to a cycle.

    References
    ----------
    Olin-Ammentorp (2023), Sparsifying Spiking Networks through Local Rhythms, section 1.2:
    downstream neurons take missing input for the group's phase.
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
    """Makes a spike a cycle of each phase that comes in.

    The spike falls into the step that contains its time; see `.phases`. A phase beyond [-1, 1) is
    that of the same direction, NaN makes no spike.

    Parameters
    ----------
    frequency : float
        Of the rhythm, in Hz.
    amplitude : float
        A spike is an output of amplitude/dt for one step.

    Raises
    ------
    nengo.exceptions.ValidationError
        If frequency or amplitude is not greater than 0. When the network is built: if dt leaves
        fewer than 4 steps to a cycle.
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
    """Return the mean over the last axis, which stays."""
    mean = getattr(xp, "reduce_mean", None) or xp.mean
    return mean(x, -1, keepdims=True)


SYNAPSES = (ArcSparsifier, FieldSparsifier, RandomSparsifier, AssumeReference, PhaseEncoder)


def __dir__():
    return public_names(__name__)

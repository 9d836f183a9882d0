"""What all spike synapses share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from nengo.base import Process
from nengo.exceptions import ValidationError
from nengo.synapses import Synapse

from nengo_phasor.checks import Number
from nengo_phasor.listing import Described

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

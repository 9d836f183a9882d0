"""How `.layerwise` runs neurons: any type by its own ``step``, and those it knows more of, faster.

What it knows stands in a table, open to users by `register`.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.exceptions import BuildError, ValidationError
from nengo.neurons import NeuronType

from nengo_phasor.checks import check_is, check_subclass
from nengo_phasor.inheritance import entry
from nengo_phasor.layerwise import compiled
from nengo_phasor.layerwise.signal import Signal
from nengo_phasor.neurons import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    Phasor,
    ResonateAndFire,
    SurrogateLIF,
)


class Row(NamedTuple):
    """What `.layerwise` knows of a neuron type: that its ``step`` may run a whole batch at once.

    It says that ``step`` takes arrays of shape (n_items, n_neurons) in place of (n_neurons,),
    writes all of its output, draws nothing at random, and treats each item by itself; and that each
    state is one real number a neuron, which is looked at when a network is built.

    Parameters
    ----------
    window : callable, optional
        A compiled loop over a whole window, as ``compiled.window_of`` makes it of a loop over a row
        of neurons, to run in place of ``step``. The type's ``constants(dt)`` returns a NamedTuple
        of numbers for it, with ``height``: the output of a spike, which is all that there may be
        besides 0.
    """

    window: Callable | None = None


TABLE: dict[type, Row] = {}


def register(neuron_type: type, row: Row) -> None:
    """Let layerwise run a neuron type faster than item by item.

    Without an entry a type runs by its own ``step``, for each item by itself, as in
    `nengo.Simulator`: that is exact for every type, and slow. An entry also stands for the
    subclasses, except for one that has a method or a property of the type anew: register it too if
    the entry holds for it.

    Parameters
    ----------
    neuron_type : type
        A class derived from `nengo.neurons.NeuronType`.
    row : `.Row`
        What holds for it.

    Raises
    ------
    nengo.exceptions.ValidationError
        If neuron_type is no class of neurons, or row no `.Row`, or has a loop for which the type
        has no ``constants``.

    Examples
    --------
    A type whose ``step`` works on arrays of any shape, element by element::

        nengo_phasor.layerwise.register(MyNeurons, nengo_phasor.layerwise.Row())
    """
    check_subclass(neuron_type, "neuron_type", NeuronType)
    check_is(row, "row", Row)
    if row.window and not hasattr(neuron_type, "constants"):
        raise ValidationError(
            f"has a compiled loop, and {neuron_type.__name__} no constants(dt) for it: give the "
            "class this method",
            attr="row",
        )
    TABLE[neuron_type] = row


for _type in (
    Phasor,
    AdaptiveSpikingRate,
    nengo.AdaptiveLIF,
    nengo.AdaptiveLIFRate,
    nengo.Izhikevich,
    nengo.LIF,
    nengo.LIFRate,
    nengo.RectifiedLinear,
    nengo.RegularSpiking,
    nengo.Sigmoid,
    nengo.SpikingRectifiedLinear,
    nengo.Tanh,
):
    register(_type, Row())
register(ResonateAndFire, Row(compiled.window_of(compiled.resonate_and_fire_row, compiled.SOURCES)))
register(SurrogateLIF, Row(compiled.window_of(compiled.leaky_spike_row, compiled.SOURCES)))
register(AdaptiveSpiking, Row(compiled.window_of(compiled.adaptive_spike_row, compiled.SOURCES)))


class Layer:
    """The neurons of an ensemble, as Nengo built them.

    Parameters
    ----------
    stages : list of `nengo.builder.neurons.SimNeurons`
        The operators that the input current goes through: one for most types, two where one type
        makes rates and another spikes of them.
    dtype : numpy.dtype
        Of currents, states and output.

    Raises
    ------
    nengo.exceptions.BuildError
        If a registered type has a state that is not one real number a neuron.
    """

    def __init__(self, stages: list[SimNeurons], dtype: np.dtype):
        self.stages = stages
        self.dtype = dtype
        self.neurons = [stage.neurons for stage in stages]
        rows = [entry(TABLE, type(neurons)) for neurons in self.neurons]
        self.spiking = self.neurons[-1].spiking
        for stage, row in zip(stages, rows, strict=True):
            if row is not None:
                _check_states(stage)
        self.in_batches = None not in rows
        self.window = rows[0].window if self.in_batches and len(stages) == 1 else None

    def run(self, J: np.ndarray, key, span) -> Signal:
        """Return the output for a current of shape (n_steps, n_items, n), which may repeat.

        ``span`` is the `.span.Span` of the window, whose states under ``key`` are advanced.
        """
        if self.window:
            return self._run_compiled(J, span.arrays(key, self._initial()), span)
        output = np.empty((span.n_steps, *J.shape[1:]), self.dtype)
        if self.in_batches:
            states = span.arrays(key, self._initial())
            self._advance(J, output, self._divided(states, J.shape[1:]), span)
        else:
            for item, cells in enumerate(span.objects(key, self._cells)):
                self._advance(J[:, item], output[:, item], cells, span)
        whole = Signal.of(output)
        return whole.events() if self.spiking else whole

    def _initial(self) -> np.ndarray:
        """Return the states at rest of all neurons of an item, (n_states, n)."""
        n = self.stages[0].J.size
        states = [s.initial_value for stage in self.stages for s in stage.state.values()]
        return np.reshape(states, (-1, n))

    def _divided(self, states, shape):
        """Return states of a batch, (n_states, n_items, n), as `_cells` has an item's."""
        states = iter(states)
        return [
            (np.zeros(shape, self.dtype), {name: next(states) for name in stage.state})
            for stage in self.stages
        ]

    def _cells(self):
        """Return an item at rest: of each stage its output, which stays, and its states."""
        cells = []
        for stage in self.stages:
            state = {
                name: _array(signal.initial_value, self.dtype)
                for name, signal in stage.state.items()
            }
            output = np.zeros(stage.output.shape, self.dtype)
            cells.append((output, {**state, **deepcopy(stage.state_extra)}))
        return cells

    def _advance(self, J, output, cells, span):
        """Step through the window as Nengo does, writing the output."""
        with np.errstate(invalid="raise", divide="ignore"):
            for k in range(len(output)):
                span.check()
                current = J[k % len(J)].copy()
                for neurons, (out, state) in zip(self.neurons, cells, strict=True):
                    neurons.step(span.dt, current, out, **state)
                    current = out
                output[k] = current

    def _run_compiled(self, J, states, span):
        """Return the spikes of a compiled loop, advancing the states in place."""
        number = self.dtype.type
        c = self.neurons[0].constants(span.dt)
        _, n_items, n = J.shape
        flat = np.ascontiguousarray(J).reshape(len(J), -1)
        columns, starts = self.window(
            flat, span.n_steps, n, states.reshape(len(states), -1), type(c)(*map(number, c))
        )
        values = np.full(len(columns), c.height, number)
        return Signal.of_rows(starts, columns, values, n_items, n)


def _check_states(stage):
    """Refuse states of which a row can't hold one for each item."""
    odd = [
        name
        for name, signal in stage.state.items()
        if signal.shape != stage.J.shape or signal.initial_value.dtype.kind != "f"
    ]
    for state in (*odd, *stage.state_extra):
        name = type(stage.neurons).__name__
        raise BuildError(
            f"{name} neurons have the state {state!r}, which is not one real number a neuron: "
            f"layerwise runs them exactly without layerwise.register({name}, ...), so leave it out"
        )


def _array(value, dtype):
    """Return a copy of a state as Nengo holds it, its numbers in this precision."""
    value = np.array(value)
    return value.astype(dtype) if value.dtype.kind == "f" else value

"""How `.layerwise` runs neurons: any type by its own step, and those it knows more of, faster."""

from __future__ import annotations

from copy import copy, deepcopy
from functools import cached_property

import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.exceptions import BuildError

from nengo_phasor.layerwise.rows import known
from nengo_phasor.layerwise.signal import Signal


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
        rows = [known(neurons) for neurons in self.neurons]
        self.spiking = self.neurons[-1].spiking
        for stage, row in zip(stages, rows, strict=True):
            if row is not None and not row.packed:
                _check_states(stage)
        self.in_batches = all(row is not None and not row.packed for row in rows)
        only = rows[0] if len(rows) == 1 else None
        self.window = only and only.window
        self.packed = only and only.packed
        self.each = only.each if only else ()
        self.by_parameters = only and only.by_parameters

    def run(self, J: np.ndarray, key, span) -> Signal:
        """Return the output for a current of shape (n_steps, n_items, n), which may repeat.

        ``span`` is the `.span.Span` of the window, whose states under ``key`` are advanced.
        """
        if self.window:
            states = span.arrays(key, self.initial)
            return self.run_compiled(J, states, span, np.empty((0, *states.shape[:1], 0), J.dtype))
        if self.packed:
            return self.run_packed(J, span.arrays(key, self.packed_initial)[0], span)
        output = np.empty((span.n_steps, *J.shape[1:]), self.dtype)
        if self.in_batches:
            states = span.arrays(key, self.initial)
            self._advance(J, output, self.divided(states, J.shape[1:]), span)
        else:
            for item, cells in enumerate(span.objects(key, self.item)):
                self._advance(J[:, item], output[:, item], cells, span)
        whole = Signal.of(output)
        return whole.events() if self.spiking else whole

    def cells(self, key, span) -> Cells:
        """Return the neurons to be stepped one by one."""
        return Cells(self, key, span)

    def constants(self, dt: float):
        """Return the constants of a compiled loop, in this precision."""
        c = self.neurons[0].constants(dt)
        n = self.stages[0].J.size
        each = {name: np.broadcast_to(getattr(c, name), n) for name in self.each}
        arrays = {name: np.array(x, self.dtype) for name, x in each.items()}
        numbers = {k: self.dtype.type(x) for k, x in c._asdict().items() if k not in arrays}
        return type(c)(**arrays, **numbers)

    def with_values(self, values: dict[str, np.ndarray]) -> Layer:
        """Return a layer with other values of its neurons' parameters."""
        other = copy(self)
        other.neurons = [self.neurons[0].with_values(**values)]
        return other

    @cached_property
    def initial(self) -> np.ndarray:
        """Return the states at rest of all neurons of an item, (n_states, n)."""
        n = self.stages[0].J.size
        states = [s.initial_value for stage in self.stages for s in stage.state.values()]
        return np.reshape(states, (-1, n))

    @cached_property
    def packed_initial(self) -> np.ndarray:
        """Return all states of an item at rest, one after another, (1, k)."""
        states = [np.ravel(s.initial_value) for s in self.stages[0].state.values()]
        return np.concatenate(states)[None]

    def divided(self, states, shape):
        """Return states of a batch, (n_states, n_items, n), as `item` has an item's."""
        states = iter(states)
        return [
            (np.zeros(shape, self.dtype), {name: next(states) for name in stage.state})
            for stage in self.stages
        ]

    def item(self):
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

    def run_packed(self, J: np.ndarray, states: np.ndarray, span) -> Signal:
        """Return the spikes of a loop over items with packed states, (n_items, k)."""
        c = self.constants(span.dt)
        columns, starts = self.packed(  # type: ignore[misc]
            self.neurons[0], J, span.n_steps, states, c
        )
        values = np.full(len(columns), c.height)
        return Signal.of_rows(starts, columns, values, *J.shape[1:])

    def run_compiled(self, J: np.ndarray, states: np.ndarray, span, trace: np.ndarray) -> Signal:
        """Return the spikes of the compiled loop, advancing the states in place.

        ``trace`` takes the states before each step, (n_steps, n_states, n_items * n), or is empty.
        """
        c = self.constants(span.dt)
        _, n_items, n = J.shape
        flat = np.ascontiguousarray(J).reshape(len(J), -1)
        columns, starts, *own = self.window(  # type: ignore[misc]
            flat, span.n_steps, n, states.reshape(len(states), -1), trace, c
        )
        (values,) = own or [np.full(len(columns), c.height)]
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


class Cells:
    """Neurons of a layer to be stepped one by one, for a batch of items.

    Parameters
    ----------
    layer : `.Layer`
        The neurons.
    key
        That of their states in the span.
    span : `.span.Span`
        The steps and items.
    """

    def __init__(self, layer: Layer, key, span):
        self.neurons = layer.neurons
        self.states = np.empty((0, 0))
        if layer.in_batches:
            initial = layer.initial
            states = span.arrays(key, initial)
            shape = (span.n_items, layer.stages[0].J.size)
            self.states = states.reshape(len(states), int(np.prod(shape)))
            self.groups: list = [(slice(None), layer.divided(states, shape))]
        else:
            self.groups = list(enumerate(span.objects(key, layer.item)))

    def step(self, J: np.ndarray, output: np.ndarray, dt: float) -> None:
        """Write the output of a step, (n_items, n), given the currents."""
        for items, cells in self.groups:
            current = J[items]
            for neurons, (out, state) in zip(self.neurons, cells, strict=True):
                neurons.step(dt, current, out, **state)
                current = out
            output[items] = current


def _array(value, dtype):
    """Return a copy of a state as Nengo holds it, its numbers in this precision."""
    value = np.array(value)
    return value.astype(dtype) if value.dtype.kind == "f" else value

"""How `.layerwise` trains neurons: a layer forward, keeping what its way back needs, and back."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import BuildError

from nengo_phasor.layerwise.backward import window_back_of
from nengo_phasor.layerwise.banks import N_CONSTANTS, Backward
from nengo_phasor.layerwise.neurons import Cells, Layer
from nengo_phasor.layerwise.rows import known
from nengo_phasor.layerwise.signal import Signal
from nengo_phasor.layerwise.span import Span
from nengo_phasor.layerwise.vectors import aligned_empty


class ThroughTime:
    """Neurons with a state, which train by a loop back through time.

    Parameters
    ----------
    layer : `.neurons.Layer`
        The neurons, of a type whose row has a ``window``.
    back : callable
        The row's ``back``.
    """

    def __init__(self, layer: Layer, back: Callable):
        self.layer = layer
        surrogate = getattr(layer.neurons[0], "surrogate", None)
        self.loop = window_back_of(back, surrogate, layer.dtype)

    def of(self, layer: Layer) -> ThroughTime:
        """Return the same for a layer with other values of its neurons' parameters."""
        other = copy(self)
        other.layer = layer
        return other

    def constants_back(self, dt: float) -> Any:
        """Return what the loop takes as constants; a bank's receives the gradients by its own."""
        c = self.layer.constants(dt)
        if not self.layer.by_parameters:
            return c
        n = self.layer.stages[0].J.size
        return Backward(c, np.zeros((N_CONSTANTS, n), self.layer.dtype))

    def by_parameters(self, c: Any, dt: float) -> dict[str, np.ndarray]:
        """Return the gradients by the neurons' parameters, given the constants that went back."""
        if not self.layer.by_parameters:
            return {}
        by_each = self.layer.by_parameters(self.layer.neurons[0], dt, c.by_constants)
        return {name: by.astype(self.layer.dtype) for name, by in by_each.items()}

    def run(self, J: np.ndarray, key, span: Span) -> tuple[Signal, Any]:
        """Return the output, and what the way back needs: the states before each step."""
        states = span.arrays(key, self.layer.initial)
        shape = (span.n_steps, len(states), int(np.prod(J.shape[1:])))
        trace = np.empty(shape, self.layer.dtype)
        return self.layer.run_compiled(J, states, span, trace), trace

    def back(self, J: np.ndarray, trace, by_output: np.ndarray, key, span, c) -> np.ndarray:
        """Return the gradient by the current, in its shape, given that by the output.

        ``c`` are the `constants_back`.
        """
        by_states = self.by_states(key, span, J.shape[-1])
        return self.back_through(J, trace, by_output, by_states, c)

    def by_states(self, key, span: Span, n: int) -> np.ndarray:
        """Return the gradients by the states of n neurons after a span, to be taken back."""
        return span.arrays(key, np.zeros((len(self.layer.initial), n)))

    def back_through(self, J, trace, by_output, by_states, c) -> np.ndarray:
        """Take the gradients by the states, in place, back through some steps; see `back`."""
        by_J = aligned_empty(J.shape, self.layer.dtype)
        by_J[...] = 0
        self.loop(
            np.ascontiguousarray(J).reshape(len(J), -1),
            trace,
            np.ascontiguousarray(by_output).reshape(len(by_output), -1),
            by_states.reshape(len(by_states), -1),
            by_J.reshape(len(by_J), -1),
            c,
        )
        return by_J

    def cells(self, key, span: Span) -> Cells:
        """Return the neurons to be stepped one by one."""
        return Cells(self.layer, key, span)


class Pointwise:
    """Neurons without a state: their output repeats where their input does.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
        The neurons.
    pull : callable
        Their row's ``pull``.
    dtype : numpy.dtype
        Of currents and output.
    """

    def __init__(self, neurons: nengo.neurons.NeuronType, pull: Callable, dtype: np.dtype):
        self.neurons = neurons
        self.dtype = dtype
        self.pull = pull

    def of(self, layer: Layer) -> Pointwise:
        """Return itself: these neurons have no parameters that train."""
        return self

    def constants_back(self, dt: float) -> None:
        """Return None: there are no constants."""

    def by_parameters(self, c: None, dt: float) -> dict[str, np.ndarray]:
        """Return nothing."""
        return {}

    def run(self, J: np.ndarray, key, span: Span) -> tuple[Signal, None]:
        """Return the output, and nothing."""
        output = np.empty(J.shape, self.dtype)
        with np.errstate(over="ignore", divide="ignore"):
            for current, out in zip(J, output, strict=True):
                self.neurons.step(span.dt, current.copy(), out)
        return Signal.of(output), None

    def back(self, J: np.ndarray, kept: None, by_output: np.ndarray, key, span, c) -> np.ndarray:
        """Return the gradient by the current, given that by the output."""
        return self.back_through(J, kept, by_output, None, c)

    def by_states(self, key, span: Span, n: int) -> None:
        """Return None: there are no states."""

    def cells(self, key, span: Span) -> Pointwise:
        """Return the neurons to be stepped one by one."""
        return self

    states = np.empty((0, 0))

    def step(self, J: np.ndarray, output: np.ndarray, dt: float) -> None:
        """Write the output of a step."""
        with np.errstate(over="ignore", divide="ignore"):
            self.neurons.step(dt, J, output)

    def back_through(self, J, trace, by_output, by_states, c) -> np.ndarray:
        """Return the gradient by the current, given that by the output."""
        with np.errstate(over="ignore", divide="ignore"):
            by_J = self.pull(self.neurons, J, by_output)
        return np.asarray(by_J, self.dtype)


def trained(layer: Layer, ensemble: nengo.Ensemble) -> ThroughTime | Pointwise:
    """Return a layer as training runs it.

    Raises
    ------
    nengo.exceptions.BuildError
        If its neurons can't be trained.
    """
    neurons = layer.neurons[0]
    row = known(neurons) if len(layer.neurons) == 1 else None
    if row and row.trains_as and (other := row.trains_as(neurons)) is not None:
        neurons, row = other, known(other)
    if row and row.pull:
        return Pointwise(neurons, row.pull, layer.dtype)
    if row and row.back and _has_slope(neurons):
        return ThroughTime(layer, row.back)
    name = type(ensemble.neuron_type).__name__
    why = (
        "have no surrogate: give them one of nengo_phasor.surrogates"
        if row and row.back
        else "have no derivative here: register a Row with `back` or `pull` by "
        f"nengo_phasor.layerwise.register({name}, row), or train with nengo_dl.Simulator"
    )
    raise BuildError(f"{ensemble}: layerwise can't train it: its {name} neurons {why}")


def _has_slope(neurons) -> bool:
    """Return whether spikes have a derivative: not if a surrogate is possible but missing."""
    return getattr(neurons, "surrogate", True) is not None

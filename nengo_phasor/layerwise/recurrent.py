"""Runs layers that are connected to themselves in `.layerwise`, each as one compiled loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import nengo
import numpy as np
from nengo.ensemble import Neurons

from nengo_phasor.layerwise import maps
from nengo_phasor.layerwise.compiled import compiled_of
from nengo_phasor.layerwise.loops import Loop, LoopRun
from nengo_phasor.layerwise.signal import Signal, is_whole
from nengo_phasor.layerwise.trained import ThroughTime


def run_of(loop: Loop, window, cells: dict) -> LoopRun:
    """Return the object that runs a loop: compiled if possible, otherwise step by step.

    A loop can be compiled if it consists of one layer whose neurons are compiled and whose
    connections have dense weights. The parameters are those of `.LoopRun`.
    """
    kind = RecurrentLayer if _is_compiled(loop, window) else LoopRun
    return kind(loop, window, cells)


def _is_compiled(loop, window) -> bool:
    """Return whether a loop is one layer that dense weights connect from neurons to neurons."""
    if len(loop.members) != 1 or not isinstance(loop.members[0], nengo.Ensemble):
        return False
    (layer,), parts = loop.members, window.parts
    trained = getattr(window, "trained", {}).get(layer)
    window = parts.layers[layer].window
    if not window or window.graded or not isinstance(trained, ThroughTime | None):
        return False
    return all(_is_plain(c, parts) for c in loop.within[layer])


def _is_plain(connection, parts) -> bool:
    weights, places = parts.maps[connection]
    ends = connection.pre_obj, connection.post_obj
    return (
        all(isinstance(end, Neurons) for end in ends)
        and is_whole(connection.pre_slice)
        and isinstance(weights, maps.Dense)
        and isinstance(places, maps.Identity)
    )


class RecurrentLayer(LoopRun):
    """A window of time of a layer that is connected to itself; see `.LoopRun`."""

    def run(self, keep: bool = False) -> dict[nengo.Ensemble, Signal]:
        """Return the layer's output; if ``keep``, store what the backward pass needs."""
        (layer,), span = self.loop.members, self.span
        neurons = self.parts.layers[layer]
        given = self._from_outside(layer)
        states = span.arrays(layer, neurons.initial)
        shape = span.n_steps, span.n_items * layer.n_neurons
        current, fired = np.empty(shape, span.dtype), np.zeros(shape, np.uint8)
        trace = np.empty((shape[0] if keep else 0, len(states), shape[1]), span.dtype)
        filters, each = self._stacked(span)
        c = neurons.constants(span.dt)
        _loop_of(neurons.window)(
            np.ascontiguousarray(given).reshape(len(given), -1),
            span.n_items,
            states.reshape(len(states), -1),
            trace,
            current,
            fired,
            *self._constants,
            filters,
            c,
        )
        _unstack(filters, each)
        self.currents[layer], self.traces[layer] = current, trace
        output = (fired * c.height).astype(span.dtype).reshape(shape[0], span.n_items, -1)
        return {layer: Signal.of(output).events()}

    def back(self, gradients: dict, way) -> None:
        """Propagate the gradient of the layer's output back to its inputs and its weights."""
        (layer,), span = self.loop.members, self.span
        trained, by_output = way.window.trained[layer], gradients[layer]
        by_states = trained.by_states(layer, way.span, layer.n_neurons)
        shape = span.n_steps, span.n_items, layer.n_neurons
        by_J = np.zeros(shape, span.dtype)
        by_y = np.empty((len(self.filters), *shape), span.dtype)
        filters, each = self._stacked(way.span)
        c = trained.constants_back(span.dt)
        _loop_back_of(trained.loop)(
            self.currents[layer],
            self.traces[layer],
            np.ascontiguousarray(by_output).reshape(len(by_output), -1),
            span.n_items,
            by_states.reshape(len(by_states), -1),
            by_J.reshape(len(by_J), -1),
            by_y.reshape(*by_y.shape[:2], -1),
            *self._constants,
            filters,
            c,
        )
        _unstack(filters, each)
        way.neurons(layer, c)
        by_each = dict(zip(self.filters, by_y, strict=True))
        self._weights_and_outside({layer: by_J}, by_each, way)

    @property
    def _order(self):
        return max(len(f.A) for f in self.filters.values())

    @property
    def _constants(self):
        """Weights and filters of all connections, (n_connections, ...), padded with zeros."""
        weights = np.stack([self.parts.maps[c][0].weights for c in self.filters])
        A = np.zeros((len(weights), self._order, self._order), weights.dtype)
        B, C = np.zeros(A.shape[:2], A.dtype), np.zeros(A.shape[:2], A.dtype)
        for k, f in enumerate(self.filters.values()):
            order = len(f.A)
            A[k, :order, :order], B[k, :order], C[k, :order] = f.A, f.B, f.C
        return weights, A, B, C, np.array([f.D for f in self.filters.values()], A.dtype)

    def _stacked(self, span):
        """Return the filters' states in one array, (n_connections, n_states, n), and one by one."""
        each = [self._filter_state(c, span) for c in self.filters]
        width = each[0][0].size
        together = np.zeros((len(each), self._order + 1, width), span.dtype)
        for target, state in zip(together, each, strict=True):
            flat = state.reshape(len(state), -1)
            target[: len(flat) - 1], target[-1] = flat[:-1], flat[-1]
        return together, each


def _unstack(together, each) -> None:
    """Write the filters' states back."""
    for source, state in zip(together, each, strict=True):
        flat = state.reshape(len(state), -1)
        flat[:-1], flat[-1] = source[: len(flat) - 1], source[-1]


def _run(given, n_items, states, trace, currents, fired, weights, A, B, C, D, filters, c):
    """Step a layer that is connected to itself.

    The last row of a filter's states is its next output.
    """
    n_steps, width = currents.shape
    n, order = width // n_items, A.shape[1]
    y, old = np.empty(width, given.dtype), np.empty(order, given.dtype)
    for k in range(n_steps):
        J = currents[k]
        J[:] = given[k % len(given)]
        for f in range(len(weights)):
            for j in range(width):
                J[j] += filters[f, order, j]
        if len(trace):
            trace[k] = states
        advance(J, states, fired[k], n, c)  # noqa: F821 - given by _loop_of
        for f in range(len(weights)):
            y[:] = 0
            for spike in range(width):
                if fired[k, spike]:
                    item = spike // n
                    row, target = weights[f, spike - item * n], y[item * n : (item + 1) * n]
                    for j in range(n):
                        target[j] += c.height * row[j]
            for j in range(width):
                due = D[f] * y[j]
                for a in range(order):
                    old[a] = filters[f, a, j]
                for a in range(order):
                    x = B[f, a] * y[j]
                    for b in range(order):
                        x += A[f, a, b] * old[b]
                    filters[f, a, j] = x
                    due += C[f, a] * (old[a] if D[f] != 0 else x)
                filters[f, order, j] = due


def _run_back(
    currents, trace, by_output, n_items, by_states, by_J, by_y, weights, A, B, C, D, by_filters, c
):
    """Propagate gradients back through `_run`.

    ``by_y`` receives the gradients with respect to the weighted spikes, before the filters.
    """
    n_steps, width = currents.shape
    n, order = width // n_items, A.shape[1]
    by_row, new = np.empty(width, currents.dtype), np.empty(order, currents.dtype)
    transposed = np.ascontiguousarray(weights.transpose((0, 2, 1)))  # sums by rows are vectorised
    for k in range(n_steps - 1, -1, -1):
        by_row[:] = by_output[k % len(by_output)]
        for f in range(len(weights)):
            for j in range(width):
                due = by_filters[f, order, j]
                by_y[f, k, j] = D[f] * due
                for a in range(order):
                    new[a] = by_filters[f, a, j] + (C[f, a] * due if D[f] == 0 else 0)
                    by_y[f, k, j] += B[f, a] * new[a]
                for a in range(order):
                    x = C[f, a] * due if D[f] != 0 else 0 * due
                    for b in range(order):
                        x += A[f, b, a] * new[b]
                    by_filters[f, a, j] = x
            for item in range(n_items):
                source, target = by_y[f, k, item * n :], by_row[item * n : (item + 1) * n]
                for j in range(n):
                    row, value = transposed[f, j], source[j]
                    for i in range(n):
                        target[i] += row[i] * value
        back_row(  # noqa: F821 - given by _loop_back_of
            currents[k],
            trace[k],
            by_row,
            by_states,
            by_J[k],
            c,
            slope,  # noqa: F821
        )
        for f in range(len(weights)):
            by_filters[f, order] = by_J[k]


@cache
def _loop_of(window: Any) -> Callable:
    """Return the compiled `_run` for the row of neurons of a compiled window."""
    return compiled_of(_run, None, advance=window.advance)


@cache
def _loop_back_of(loop: Any) -> Callable:
    """Return the compiled `_run_back` for the row of neurons of a compiled backward loop."""
    return compiled_of(_run_back, None, back_row=loop.back_row, slope=loop.slope)

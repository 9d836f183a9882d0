"""The recurrent parts of a network in `.layerwise`: stepped together, forward and back.

Nodes and ensembles that depend on each other cannot be run one after the other over a whole window.
They run step by step, for all items at once. In each step, the outputs of filters are known from
the previous step, so the remaining objects have an order.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.exceptions import BuildError
from nengo.synapses import LinearFilter

from nengo_phasor.inheritance import rewritten
from nengo_phasor.layerwise import backward, maps, signal_loops
from nengo_phasor.layerwise.processes import call
from nengo_phasor.layerwise.signal import Signal
from nengo_phasor.layerwise.synapses import Filter


class Loop(NamedTuple):
    """Nodes and ensembles that depend on each other, in the order of a step.

    ``within`` are the connections among them, by target.
    """

    members: tuple
    within: dict[Any, list[nengo.Connection]]

    def __str__(self) -> str:
        return " -> ".join(map(str, self.members))


def loop_of(members: set, incoming: dict) -> Loop:
    """Return the loop of some nodes and ensembles.

    Raises
    ------
    nengo.exceptions.BuildError
        If a circle of connections has no filter, so that Nengo cannot step it either, or if the
        loop contains an object that cannot be stepped here.
    """
    within = {
        obj: [c for c in connections if _vertex(c.pre_obj) in members]
        for obj, connections in incoming.items()
        if obj in members
    }
    for obj in members:
        _check(obj, within[obj])
    graph = {
        obj: {_vertex(c.pre_obj) for c in connections if c.synapse is None}
        for obj, connections in within.items()
    }
    try:
        return Loop(tuple(TopologicalSorter(graph).static_order()), within)
    except CycleError as error:
        raise BuildError(
            f"layerwise can't run the circle {' -> '.join(map(str, error.args[1]))}: nothing in it "
            "waits for a step. Give one of its connections a synapse, such as nengo.Lowpass"
        ) from None


def _check(obj, within) -> None:
    """Reject an object or a synapse that cannot be stepped."""
    others = [
        c
        for c in within
        if c.synapse is not None
        and (not isinstance(c.synapse, LinearFilter) or rewritten(type(c.synapse), LinearFilter))
    ]
    if others:
        what = f"{others[0]}: layerwise can't run its synapse, {others[0].synapse}, in a loop"
        raise BuildError(f"{what}; use nengo.Simulator or nengo_dl.Simulator")
    if isinstance(obj, nengo.Node) and isinstance(obj.output, nengo.Process):
        what = f"{obj}: layerwise can't run its process, {obj.output}, in a loop"
        raise BuildError(f"{what}; use nengo.Simulator or nengo_dl.Simulator")


class LoopRun:
    """A window of time of a loop, for a chunk of items.

    Parameters
    ----------
    loop : `.Loop`
        The loop to run.
    window : `.Window`
        The window, which has the signals from outside the loop, and the parts.
    cells : {nengo.Ensemble: callable}
        ``cells(ensemble, span)`` returns an ensemble's neurons to be stepped, such as
        `.neurons.Cells`.
    """

    def __init__(self, loop: Loop, window, cells: dict):
        self.loop = loop
        self.window = window
        self.parts = window.parts
        self.span = window.span
        self.make_cells = cells
        self.filters = {
            c: Filter.of(built.process, self.span.dt, self.span.dtype)
            for connections in loop.within.values()
            for c in connections
            if (built := self.parts.synapses[c]) is not None
        }
        self.outputs: dict[Any, np.ndarray] = {}
        self.currents: dict[Any, np.ndarray] = {}
        self.traces: dict[Any, np.ndarray] = {}

    def run(self, keep: bool = False) -> dict[Any, Signal]:
        """Return the output of each member; if ``keep``, store what the backward pass needs."""
        n_steps, n_items, dtype = self.span.n_steps, self.span.n_items, self.span.dtype
        members = self.loop.members
        given = {obj: self._from_outside(obj) for obj in members}
        states = {c: self._filter_state(c, self.span) for c in self.filters}
        cells = {obj: make(obj, self.span) for obj, make in self.make_cells.items()}
        self.outputs = {obj: np.empty((n_steps, n_items, _size(obj)), dtype) for obj in members}
        if keep:
            self.currents = {e: np.empty_like(self.outputs[e]) for e in cells}
            self.traces = {e: np.empty((n_steps, *c.states.shape), dtype) for e, c in cells.items()}
        for k in range(n_steps):
            self.span.check()
            for obj in members:
                x = given[obj][k % len(given[obj])].copy()
                self._add_within(x, obj, k, states)
                if isinstance(obj, nengo.Node):
                    self._node(obj, k, x)
                    continue
                if keep:
                    self.currents[obj][k] = x
                    self.traces[obj][k] = cells[obj].states
                cells[obj].step(x, self.outputs[obj][k], self.span.dt)
            for c, state in states.items():
                y = self._weighted(c, k)[None]
                flat = [a.reshape(len(a), -1) for a in (y, np.empty_like(y), state)]
                signal_loops.filter_steps(*flat, *self.filters[c])
        return {obj: self._signal(obj, x) for obj, x in self.outputs.items()}

    def _signal(self, obj, output) -> Signal:
        spikes = isinstance(obj, nengo.Ensemble) and self.parts.layers[obj].spiking
        return Signal.of(output).events() if spikes else Signal.of(output)

    def _node(self, node, k, x) -> None:
        """Write a node's output in a step."""
        output = self.outputs[node][k]
        if node.output is None:
            output[...] = x
            return
        for item, given in enumerate(x):
            call(node, self.span.time(k), (given.copy(),), output[item])

    def _from_outside(self, obj) -> np.ndarray:
        """Return what an object receives from outside the loop: a node's input or a current."""
        window, within = self.window, self.loop.within[obj]
        outside = [c for c in window.incoming[obj] if c not in within]
        if isinstance(obj, nengo.Node):
            return window.total(list(map(window.term, outside)), np.zeros(obj.size_in)).dense()
        return window.current(obj, outside).dense()

    def _filter_state(self, connection, span) -> np.ndarray:
        n_states = self.filters[connection].n_states
        size = self.parts.maps[connection][0].size_out
        return span.arrays(connection, np.zeros((n_states, size)))

    def _weighted(self, connection, k) -> np.ndarray:
        """Return the weighted source of a connection in a step, (n_items, n)."""
        source = self.outputs[_vertex(connection.pre_obj)][k]
        if not isinstance(connection.pre_obj, nengo.Ensemble):
            source = source[:, np.arange(source.shape[1])[connection.pre_slice]]
        return _applied(self.parts.maps[connection][0], source)

    def _add_within(self, x, obj, k, states) -> None:
        """Add what comes from within the loop to an object's input in a step."""
        encoded = None
        for c in self.loop.within[obj]:
            y = states[c][-1] if c in states else self._weighted(c, k)
            z = _applied(self.parts.maps[c][1], y)
            if c.post_obj is obj and isinstance(obj, nengo.Ensemble):
                encoded = z if encoded is None else encoded + z
            else:
                x += z
        if encoded is not None:
            x += encoded @ self.parts.encoders[obj].weights

    # ---------------------------------------------------------------------------- backward pass

    def back(self, gradients: dict, way) -> None:
        """Propagate the gradients of the members' outputs back to their inputs and their weights.

        ``gradients`` have the shape (n_steps or 1, n_items, n). ``way`` is the `.adjoint.WayBack`.
        """
        n_steps, n_items, dtype = self.span.n_steps, self.span.n_items, self.span.dtype
        trained = {e: way.window.trained[e] for e in self.make_cells}
        by_states = {e: t.by_states(e, way.span, e.n_neurons) for e, t in trained.items()}
        constants = {e: t.constants_back(self.span.dt) for e, t in trained.items()}
        by_input = {
            obj: np.zeros((n_steps, n_items, obj.size_in or _size(obj)), dtype)
            for obj in self.loop.members
        }
        for e in trained:
            by_input[e] = np.zeros((n_steps, n_items, e.n_neurons), dtype)
        by_y = {
            c: np.zeros((n_steps, n_items, self.parts.maps[c][0].size_out), dtype)
            for connections in self.loop.within.values()
            for c in connections
        }
        states = {c: self._filter_state(c, way.span) for c in self.filters}
        for k in range(n_steps - 1, -1, -1):
            way.span.check()
            by_output = {obj: np.array(g[k % len(g)]) for obj, g in gradients.items()}
            for c, state in states.items():
                flat = (np.zeros_like(by_y[c][k : k + 1]), by_y[c][k : k + 1], state)
                backward.filter_back(*(a.reshape(len(a), -1) for a in flat), *self.filters[c])
                self._give(by_output, c, by_y[c][k])
            for obj in reversed(self.loop.members):
                by_x = by_output[obj]
                if obj in trained:
                    step = self.currents[obj][k : k + 1], self.traces[obj][k : k + 1]
                    by_x = trained[obj].back_through(
                        *step, by_x[None], by_states[obj], constants[obj]
                    )[0]
                by_input[obj][k] = by_x
                self._back_within(obj, k, by_x, by_y, states, by_output)
        for e, c in constants.items():
            way.neurons(e, c)
        self._weights_and_outside(by_input, by_y, way)

    def _back_within(self, obj, k, by_x, by_y, states, by_output):
        """Propagate the gradient of an object's input in a step back to its inputs in the loop."""
        by_encoded = None
        for c in self.loop.within[obj]:
            by_z = by_x
            if c.post_obj is obj and isinstance(obj, nengo.Ensemble):
                if by_encoded is None:
                    by_encoded = by_x @ self.parts.encoders[obj].weights.T
                by_z = by_encoded
            by_z = self.parts.maps[c][1].pull(by_z[None])[0]
            if c in states:
                states[c][-1] = by_z
            else:
                by_y[c][k] = by_z
                self._give(by_output, c, by_z)

    def _give(self, by_output, connection, by_y) -> None:
        """Add the gradient of a connection's weighted signal to the gradient of its source."""
        pulled = self.parts.maps[connection][0].pull(by_y[None])[0]
        target = by_output[_vertex(connection.pre_obj)]
        if isinstance(connection.pre_obj, nengo.Ensemble):
            target += pulled
        else:
            columns = np.arange(target.shape[1])[connection.pre_slice]
            np.add.at(target.T, columns, pulled.T)

    def _weights_and_outside(self, by_input, by_y, way) -> None:
        """Add the gradients of weights in the loop, and pass the others on to the outside."""
        for obj, within in self.loop.within.items():
            for c in within:
                way.weights(c, way.window.source(c), by_y[c])
            outside = [c for c in way.window.incoming[obj] if c not in within]
            if isinstance(obj, nengo.Node):
                way.terms(outside, by_input[obj])
            else:
                way.currents(obj, by_input[obj], outside)


def _applied(linear, x: np.ndarray) -> np.ndarray:
    """Return the result of a linear map for one step, (n_items, n)."""
    if isinstance(linear, maps.Identity):
        return x
    if isinstance(linear, maps.Dense):
        return x @ linear.weights
    result = np.zeros((1, len(x), linear.size_out), x.dtype)
    linear.add(result, Signal.of(x[None]))
    return result[0]


def _vertex(obj):
    return obj.ensemble if isinstance(obj, nengo.ensemble.Neurons) else obj


def _size(obj) -> int:
    return obj.size_out if isinstance(obj, nengo.Node) else obj.n_neurons

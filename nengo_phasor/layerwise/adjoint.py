"""One window of `.layerwise` in training: forward, keeping what the way back needs, and back.

The way back takes the gradients of a loss, by what the probes saw, through the network from its
last layer to its first, each over the whole window from its last step to its first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import nengo
import numpy as np

from nengo_phasor.layerwise import backward, maps, synapses
from nengo_phasor.layerwise.feedforward import vertex
from nengo_phasor.layerwise.loops import Loop, LoopRun
from nengo_phasor.layerwise.recurrent import run_of
from nengo_phasor.layerwise.signal import Signal, is_whole
from nengo_phasor.layerwise.span import Span
from nengo_phasor.layerwise.synapses import folded
from nengo_phasor.layerwise.window import Window


class Parameter(NamedTuple):
    """An array that trains: the "weights" of a connection, or the "bias", the "encoders" or a
    parameter of an ensemble's neurons.
    """

    obj: nengo.Connection | nengo.Ensemble
    name: str


class TrainingWindow(Window):
    """A window whose layers run as they train.

    Parameters
    ----------
    simulator, span, data, parts
        As of `.Window`.
    probes : list of nengo.Probe
        What is to be seen.
    trained : {nengo.Ensemble: `.trained.ThroughTime` or `.trained.Pointwise`}
        The layers through which gradients have to go; others run as always.
    """

    def __init__(self, simulator, span: Span, data, parts, probes, trained):
        super().__init__(simulator, span, data, parts)
        self.probes = probes
        self.trained = {e: layer.of(parts.layers[e]) for e, layer in trained.items()}
        self.kept: dict[nengo.Ensemble, Any] = {}
        self.runs: dict[tuple, LoopRun] = {}

    def loop(self, loop: Loop) -> None:
        """Run nodes and ensembles that depend on each other, keeping what the way back needs."""
        if not any(obj in self.trained for obj in loop.members):
            super().loop(loop)
            return
        cells = {e: self.trained[e].cells for e in loop.members if e in self.trained}
        run = self.runs[loop.members] = run_of(loop, self, cells)
        self.signals.update(run.run(keep=True))

    def ensemble(self, ensemble: nengo.Ensemble) -> Signal:
        """Return the output of an ensemble's neurons."""
        if ensemble not in self.trained:
            return super().ensemble(ensemble)
        J = self.current(ensemble).dense()
        output, kept = self.trained[ensemble].run(J, ensemble, self.span)
        self.kept[ensemble] = J, kept
        return output


class WayBack:
    """The way of gradients back through a window.

    Parameters
    ----------
    window : `.TrainingWindow`
        The window, which has run.
    span : `.Span`
        Has the gradients by the states after the window, and takes those before it.
    reached : set
        The nodes and ensembles that depend on what trains.
    wanted : iterable of `.Parameter`
        What trains.
    whole : bool
        Whether there is nothing before and after the window, so that what no gradient comes to by
        the probes, none comes to.
    """

    def __init__(
        self,
        window: TrainingWindow,
        span: Span,
        reached: set,
        wanted: Iterable[Parameter],
        whole: bool,
    ):
        self.whole = whole
        self.window = window
        self.parts = window.parts
        self.span = span
        self.reached = reached
        self.wanted = set(wanted)
        self.by_signal: dict[Any, np.ndarray] = {}
        self.result: dict[Parameter, np.ndarray] = {}

    def run(self, by_probes: dict[nengo.Probe, np.ndarray]) -> dict[Parameter, np.ndarray]:
        """Return the gradients by what trains, given those by what probes see in each step.

        These have the shape (n_steps, n_items, n).
        """
        for probe, gradient in by_probes.items():
            if vertex(probe.obj) in self.reached:
                self.probe(probe, gradient)
        for obj in reversed(self.window.order):
            self.span.check()
            if isinstance(obj, Loop):
                self.loop(obj)
            elif obj in self.reached and (gradient := self.taken(obj)) is not None:
                (self.node if isinstance(obj, nengo.Node) else self.ensemble)(obj, gradient)
        return self.result

    def taken(self, obj) -> np.ndarray | None:
        """Return the gradient by an object's output, if any comes to it."""
        if obj in self.by_signal or self.whole:
            return self.by_signal.pop(obj, None)
        return self._nothing(obj)

    def _nothing(self, obj):
        x = self.window.signals[obj]
        return np.zeros((x.n_steps, x.n_items, x.size), self.span.dtype)

    def loop(self, loop: Loop) -> None:
        """Take the gradients by a loop's outputs to what it gets from outside."""
        inside = [obj for obj in loop.members if obj in self.by_signal]
        if not (self.reached & set(loop.members)) or (self.whole and not inside):
            return
        gradients = {obj: self.by_signal.pop(obj, None) for obj in loop.members}
        self.window.runs.pop(loop.members).back(
            {obj: self._nothing(obj) if g is None else g for obj, g in gradients.items()}, self
        )

    def probe(self, probe: nengo.Probe, gradient: np.ndarray) -> None:
        """Take a probe's gradient to its target."""
        source = vertex(probe.obj)
        x = self.window.signals[source]
        columns = slice(None) if probe.slice is None else probe.slice
        filtered = self.parts.synapses[probe] is not None
        if len(gradient) == 1 and (filtered or x.n_steps < self.span.n_steps):
            gradient = np.broadcast_to(gradient, (self.span.n_steps, *gradient.shape[1:]))
        if (built := self.parts.synapses[probe]) is not None:
            gradient = synapses.back(built, x.select(columns), gradient, probe, self.span)
        self.give(source, folded(gradient, x.n_steps), columns)

    def node(self, node: nengo.Node, gradient: np.ndarray) -> None:
        """Take the gradient by a node's output to what it gets."""
        if isinstance(node.output, nengo.Process):
            pool = self.parts.processes[node].process
            x = self.window.total(
                [self.window.term(c) for c in self.window.incoming[node]], np.zeros(node.size_in)
            ).dense()
            gradient = _to_maxima(pool, x, gradient)
        self.terms(self.window.incoming[node], gradient)

    def ensemble(self, ensemble: nengo.Ensemble, gradient: np.ndarray) -> None:
        """Take the gradient by an ensemble's output to what its neurons get."""
        J, kept = self.window.kept.pop(ensemble)
        layer = self.window.trained[ensemble]
        c = layer.constants_back(self.span.dt)
        by_J = layer.back(J, kept, gradient, ensemble, self.span, c)
        self.neurons(ensemble, c)
        self.currents(ensemble, by_J, self.window.incoming[ensemble])

    def neurons(self, ensemble: nengo.Ensemble, c) -> None:
        """Add the gradients by the neurons' own parameters, if they train."""
        by_each = self.window.trained[ensemble].by_parameters(c, self.span.dt)
        for name, gradient in by_each.items():
            if (parameter := Parameter(ensemble, name)) in self.wanted:
                self.add(parameter, gradient)

    def currents(self, ensemble: nengo.Ensemble, by_J: np.ndarray, connections: list) -> None:
        """Take the gradient by neurons' currents to what trains, and to some connections."""
        if (bias := Parameter(ensemble, "bias")) in self.wanted:
            self.add(bias, by_J.sum(axis=(0, 1)))
        encoders = self.parts.encoders[ensemble]
        if (parameter := Parameter(ensemble, "encoders")) in self.wanted:
            x = self.window.encoded(ensemble, self.window.incoming[ensemble])
            assert x is not None  # what comes to no encoder does not train it
            self.add(parameter, encoders.gradient(x, folded(by_J, x.n_steps)))
        self.terms([c for c in connections if c.post_obj is not ensemble], by_J)
        encoded = [c for c in connections if c.post_obj is ensemble and self.leads_on(c)]
        if encoded:
            self.terms(encoded, encoders.pull(by_J))

    def leads_on(self, connection: nengo.Connection) -> bool:
        """Return whether anything that trains is at a connection or before it."""
        trains = Parameter(connection, "weights") in self.wanted
        return trains or vertex(connection.pre_obj) in self.reached

    def terms(self, connections: list[nengo.Connection], gradient: np.ndarray) -> None:
        """Take the gradient by a sum to the connections that it is of."""
        for connection in filter(self.leads_on, connections):
            weights, places = self.parts.maps[connection]
            x = self.window.source(connection)
            by_y = gradient
            if (built := self.parts.synapses[connection]) is not None:
                y = self.window.total([(x, weights)])
                by_y = synapses.back(built, y, places.pull(by_y), connection, self.span)
            else:
                by_y = places.pull(folded(by_y, x.n_steps))
            self.weights(connection, x, by_y)
            if vertex(connection.pre_obj) in self.reached:
                decoded = isinstance(connection.pre_obj, nengo.Ensemble)
                columns = slice(None) if decoded else connection.pre_slice
                self.give(vertex(connection.pre_obj), weights.pull(by_y), columns)

    def weights(self, connection: nengo.Connection, x: Signal, by_y: np.ndarray) -> None:
        """Add the gradient by a connection's weights, if they train."""
        if (parameter := Parameter(connection, "weights")) in self.wanted:
            weights, _ = self.parts.maps[connection]
            assert not isinstance(weights, maps.Identity)  # which has nothing that trains
            self.add(parameter, weights.gradient(x, by_y))

    def give(self, source, gradient: np.ndarray, columns) -> None:
        """Add the gradient by some of an object's values to that by all of them."""
        if not is_whole(columns):
            n = self.window.signals[source].size
            gradient = _placed(gradient, np.arange(n)[columns], n)
        before = self.by_signal.get(source)
        self.by_signal[source] = gradient if before is None else before + gradient

    def add(self, parameter: Parameter, gradient: np.ndarray) -> None:
        """Add to the gradient by what trains."""
        before = self.result.get(parameter)
        self.result[parameter] = gradient if before is None else before + gradient


def reached(order: list, incoming: dict, wanted: Iterable[Parameter]) -> set:
    """Return the nodes and ensembles that depend on what trains; of a loop all or none."""
    training = {parameter.obj for parameter in wanted}
    found: set = set()
    for stage in order:
        members = stage.members if isinstance(stage, Loop) else (stage,)
        connections = [c for obj in members for c in incoming[obj]]
        sources = {vertex(c.pre_obj) for c in connections}
        if training.intersection((*members, *connections)) or sources & found:
            found.update(members)
    return found


def _placed(gradient: np.ndarray, places: np.ndarray, n: int) -> np.ndarray:
    """Return the gradient by n values, given that by those at some places, which may repeat."""
    whole = np.zeros((*gradient.shape[:-1], n), gradient.dtype)
    if len(np.unique(places)) == len(places):  # which is much faster
        whole[..., places] = gradient
    else:
        np.add.at(np.moveaxis(whole, -1, 0), places, np.moveaxis(gradient, -1, 0))
    return whole


def _to_maxima(pool, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return the gradient by a pool's input, given that by its output."""
    result = np.zeros(x.shape, x.dtype)  # contiguous, whatever x is
    flat = (np.ascontiguousarray(a).reshape(-1, a.shape[-1]) for a in (x, result, gradient))
    backward.to_maxima(*flat, *pool.places, pool.input_shape[1])
    return result

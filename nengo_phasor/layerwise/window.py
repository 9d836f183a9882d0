"""Runs one window of `.layerwise` for one chunk of items, with the signals of all objects."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

import nengo
import numpy as np

from nengo_phasor.layerwise import maps, processes, synapses
from nengo_phasor.layerwise.feedforward import Parts, is_pool, vertex
from nengo_phasor.layerwise.loops import Loop
from nengo_phasor.layerwise.recurrent import run_of
from nengo_phasor.layerwise.signal import Signal
from nengo_phasor.layerwise.span import Span
from nengo_phasor.layerwise.vectors import aligned_empty

NARROW = 20
"""How many times wider the sum of signals is than a dense one that counts as events."""


class Window:
    """A window of time for one chunk of items.
    Parameters
    ----------
    simulator : `.Simulator`
        The simulator whose network runs.
    span : `.Span`
        The steps and items.
    data : {nengo.Node: (n_items, n_steps or 1, n) ndarray}
        The outputs of nodes, which replace their own.
    parts : `.feedforward.Parts`, optional
        What runs. By default the simulator's.
    """

    def __init__(
        self,
        simulator,
        span: Span,
        data: dict[nengo.Node, np.ndarray],
        parts: Parts | None = None,
    ):
        self.network = simulator.network
        self.model = simulator.model
        self.incoming = simulator.incoming
        self.parts = simulator.parts if parts is None else parts
        self.may_be_missing = simulator.may_be_missing
        self.order = simulator.order
        self.span = span
        self.data = data
        self.probes = simulator.network.all_probes
        self.signals: dict = {}

    def run(self, advanced: Callable[[], None] = lambda: None) -> dict[nengo.Probe, Signal]:
        """Return the probed values, calling ``advanced`` after each node and ensemble."""
        for obj in self.order:
            self.span.check()
            if isinstance(obj, Loop):
                self.loop(obj)
            else:
                run = self.node if isinstance(obj, nengo.Node) else self.ensemble
                self.signals[obj] = run(obj)
            advanced()
        return {probe: self.probe(probe) for probe in self.probes}

    def loop(self, loop: Loop) -> None:
        """Run nodes and ensembles that depend on each other."""
        layers = self.parts.layers
        run = run_of(loop, self, {e: layers[e].cells for e in loop.members if e in layers})
        self.signals.update(run.run())

    def node(self, node: nengo.Node) -> Signal:
        """Return a node's output."""
        span = self.span
        if node in self.data:
            return Signal.of(self.data[node].transpose(1, 0, 2).astype(span.dtype))
        if isinstance(node.output, np.ndarray):
            output = node.output.astype(span.dtype)
            return Signal.of(np.broadcast_to(output, (1, span.n_items, node.size_out)))
        x: Any = None
        if node.size_in or node.output is None:
            terms = [self.term(c) for c in self.incoming[node]]
            x = _sum_of_events(terms) or self.total(terms, np.zeros(node.size_in))
        if node.output is None:
            return x
        if not isinstance(node.output, nengo.Process):
            return processes.of_function(node, x, span)
        built = self.parts.processes[node]
        if is_pool(built.process) and not built.is_late:
            return processes.pooled(built.process, x)
        output = processes.by_own_step(built, x, node.size_out, span)
        if node not in self.may_be_missing:
            processes.check_finite(node, output, span)
        return output

    def ensemble(self, ensemble: nengo.Ensemble) -> Signal:
        """Return the output of an ensemble's neurons."""
        J = self.current(ensemble).dense()
        return self.parts.layers[ensemble].run(J, ensemble, self.span)

    def current(self, ensemble: nengo.Ensemble, connections: list | None = None) -> Signal:
        """Return the input current of an ensemble's neurons from some or all connections to it."""
        incoming = self.incoming[ensemble] if connections is None else connections
        terms = [self.term(c) for c in incoming if c.post_obj is not ensemble]
        encoded = self.encoded(ensemble, incoming)
        if encoded is not None:
            terms.append((encoded, self.parts.encoders[ensemble]))
        return self.total(terms, self.parts.biases[ensemble])

    def encoded(self, ensemble: nengo.Ensemble, connections: list) -> Signal | None:
        """Return the value that some connections send to an ensemble's encoders, if any do."""
        terms = [self.term(c) for c in connections if c.post_obj is ensemble]
        return self.total(terms, np.zeros(ensemble.size_in)) if terms else None

    def term(self, connection: nengo.Connection) -> tuple[Signal, maps.LinearMap]:
        """Return a connection's signal and the linear map through which it reaches its target."""
        x = self.source(connection)
        weights, places = self.parts.maps[connection]
        if connection.synapse is None and isinstance(places, maps.Identity):
            return x, weights
        return self.through(connection, self.total([(x, weights)])), places

    def source(self, connection: nengo.Connection) -> Signal:
        """Return the signal that a connection takes from its pre object."""
        x = self.signals[vertex(connection.pre_obj)]
        if isinstance(connection.pre_obj, nengo.Ensemble):  # decoders select for themselves
            return x
        return x.select(connection.pre_slice)

    def total(self, terms: list[tuple[Signal, maps.LinearMap]], bias=0.0) -> Signal:
        """Return the sum of a bias and of signals, each passed through its linear map."""
        if len(terms) == 1 and not np.any(bias):
            ((x, linear_map),) = terms
            image = linear_map.image(x)
            if image is not None:
                return image
        period = max((x.n_steps for x, _ in terms), default=1)
        if any(period % x.n_steps for x, _ in terms):
            period = self.span.n_steps
        size = terms[0][1].size_out if terms else len(bias)
        result = aligned_empty((period, self.span.n_items, size), self.span.dtype)
        result[...] = bias
        for x, linear_map in terms:
            if x.n_steps == period:
                linear_map.add(result, x)
            else:
                _add_repeated(result, self.total([(x, linear_map)]).dense())
        return Signal.of(result)

    def through(self, obj, x: Signal) -> Signal:
        """Return a signal after it has passed the synapse of a connection or a probe."""
        synapse = self.parts.synapses[obj]
        return x if synapse is None else synapses.through(synapse, x, obj, self.span)

    def probe(self, probe: nengo.Probe) -> Signal:
        """Return the values that a probe records."""
        x = self.signals[vertex(probe.obj)]
        return self.through(probe, x if probe.slice is None else x.select(probe.slice))


def _sum_of_events(terms: list[tuple[Signal, maps.LinearMap]]) -> Signal | None:
    """Return the sum of signals, each passed through its linear map, if it consists of events.

    Beside events, a dense signal that is much narrower than the sum, such as a layer's mean input,
    counts as events, too.
    """
    if not any(x.is_sparse for x, _ in terms):
        return None
    events = [x.events() if x.size * NARROW <= m.size_out else x for x, m in terms]
    period = max(x.n_steps for x in events)
    if not all(x.is_sparse and period % x.n_steps == 0 for x in events):
        return None
    parts = []
    for x, (_, linear_map) in zip(events, terms, strict=True):
        if (image := linear_map.image(x.repeated(period))) is None:
            return None
        parts.append(image.values)
    return Signal(reduce(add, parts), events[0].n_items)


def _add_repeated(result, y):
    """Add a dense signal, repeated as often as it takes to fill the result."""
    whole = len(result) // len(y) * len(y)
    result[:whole].reshape(-1, *y.shape)[...] += y
    result[whole:] += y[: len(result) - whole]

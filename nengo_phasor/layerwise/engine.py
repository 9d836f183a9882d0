"""The engine of training in `.layerwise`: a batch forward and back, in chunks of items and time."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cached_property
from threading import Event
from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.exceptions import BuildError

from nengo_phasor.layerwise import adjoint, synapses
from nengo_phasor.layerwise.adjoint import Parameter, TrainingWindow, WayBack
from nengo_phasor.layerwise.blas import one_thread_each
from nengo_phasor.layerwise.feedforward import Parts, is_pool, vertex
from nengo_phasor.layerwise.loops import Loop
from nengo_phasor.layerwise.portions import width
from nengo_phasor.layerwise.sampling import n_samples, sampled
from nengo_phasor.layerwise.span import Span, State
from nengo_phasor.layerwise.trained import trained

CHUNK_BYTES = 2**22
"""Size aimed at for the largest array of a chunk of items."""

N_CHUNKS, MIN_ITEMS, MIN_BYTES = 4, 8, 2**21
"""Into how many chunks a batch is cut at least, where each has so many items and bytes.

Smaller ones would mostly wait for each other's Python code.

Gradients are added up chunk by chunk. So chunks depend on the batch alone, never on the number of
threads: the same seed gives the same weights, to the bit, on any number of them.
"""

MIN_ITEMS_OF_LOOPS = 64
"""The same where there are loops, whose every step is Python's work."""


MMAP_THRESHOLD, TRIM_THRESHOLD = (-3, 2**26), (-1, 2**28)
"""Options of the GNU C library's `mallopt`, and the bytes to set them to."""


def keep_freed_memory() -> None:
    """Let the C library use freed arrays again, where it has the option.

    By default it gives large ones back to the system, and every chunk of every batch would wait
    for the same pages anew: a quarter of the time, measured.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        for option in (MMAP_THRESHOLD, TRIM_THRESHOLD):
            mallopt(*option)


class Seen(NamedTuple):
    """What came of a batch: what probes saw, the way back, and where the network stands.

    ``back`` takes the gradients of a loss by what probes saw, in its shape, and returns those by
    what trains.
    """

    outputs: dict[nengo.Probe, np.ndarray]
    back: Callable[[dict[nengo.Probe, np.ndarray]], dict[Parameter, np.ndarray]]
    state: State


class Engine:
    """Runs and trains a network of a simulator.

    Parameters
    ----------
    simulator : `.Simulator`
        The simulator.
    parameters : list of `.Parameter`
        What trains.
    probes : list of nengo.Probe
        What the losses and metrics see.
    summed : set of nengo.Probe
        Those whose losses and metrics only see the sum over time.

    Raises
    ------
    nengo.exceptions.BuildError
        If there is anything between what trains and the probes that no gradient can pass.
    """

    def __init__(
        self,
        simulator,
        parameters: list[Parameter],
        probes: list[nengo.Probe],
        summed: set[nengo.Probe],
    ):
        keep_freed_memory()
        self.simulator = simulator
        self.summed = summed
        self.parameters = parameters
        self.probes = probes
        reached = adjoint.reached(simulator.order, simulator.incoming, parameters)
        self.reached = reached & _leading(simulator, probes)
        self.trained = {}
        for obj in self.reached:
            self._check(obj)
            if isinstance(obj, nengo.Ensemble):
                self.trained[obj] = trained(simulator.parts.layers[obj], obj)
        for probe in probes:
            if vertex(probe.obj) in self.reached:
                self._check_synapse(probe)

    def _check(self, obj):
        """Refuse what no gradient can pass."""
        if isinstance(obj, nengo.Node) and obj.output is not None:
            built = self.simulator.parts.processes.get(obj)
            if built is None or built.is_late or not is_pool(built.process):
                _refuse(obj, f"its output, {obj.output}, has no derivative here")
        for connection in self.simulator.incoming[obj]:
            if self._leads_on(connection):
                self._check_synapse(connection)

    def _leads_on(self, connection):
        trains = Parameter(connection, "weights") in self.parameters
        return trains or vertex(connection.pre_obj) in self.reached

    def _check_synapse(self, obj):
        built = self.simulator.parts.synapses[obj]
        if built is not None and not synapses.goes_back(built):
            _refuse(obj, f"its synapse, {built.process}, has no derivative here")

    def run(
        self,
        data: dict[nengo.Node, np.ndarray],
        n_steps: int,
        parts: Parts,
        block: int | None = None,
        state: State | None = None,
    ) -> Seen:
        """Run a batch as training does, from rest or from a state.

        Parameters
        ----------
        data : {nengo.Node: (n_items, n_steps or 1, n) ndarray}
            Outputs of nodes, in place of their own.
        n_steps : int
            Length of the window.
        parts : `.Parts`
            What runs, with the numbers that train.
        block : int, optional
            Number of steps whose states and currents are kept at a time: the way back runs the
            others again. By default all.
        state : `.State`, optional
            Where to go on from.
        """
        n_items = len(next(iter(data.values())))
        start = state.n_steps if state else 0
        dtype = self.simulator.dtype
        outputs = {
            p: np.zeros((n_items, self._length(p, start, n_steps), p.size_in), dtype)
            for p in self.probes
        }
        chunks = [
            Chunk(self, parts, data, items, _blocks(n_steps, block), state)
            for items in self._items(data, n_steps, n_items)
        ]
        states = self._each(lambda chunk: chunk.forward(outputs), chunks)

        def back(gradients: dict[nengo.Probe, np.ndarray]) -> dict[Parameter, np.ndarray]:
            results = self._each(lambda chunk: chunk.back(gradients), chunks)
            return _summed(results)

        return Seen(outputs, back, State.joined(states))

    def _length(self, probe, start, n_steps):
        """Return how many values in time the losses of a probe see."""
        if probe in self.summed:
            return 1
        return n_samples(probe.sample_every, self.simulator.dt, start, n_steps)

    def _items(self, data, n_steps, n_items) -> list[np.ndarray]:
        """Return the items of each chunk."""
        widest = width(self.simulator.network, self.simulator.incoming, data)
        item_bytes = n_steps * widest * self.simulator.dtype.itemsize
        most = CHUNK_BYTES // item_bytes
        loops = any(isinstance(stage, Loop) for stage in self.simulator.order)
        least = MIN_ITEMS_OF_LOOPS if loops else MIN_ITEMS
        n_chunks = max(1, min(N_CHUNKS, n_items * item_bytes // MIN_BYTES))
        size = max(1, min(most, max(least, -(-n_items // n_chunks))))
        return [np.arange(i, min(i + size, n_items)) for i in range(0, n_items, size)]

    def _each(self, function, chunks: list[Chunk]) -> list:
        """Return what a function returns of each chunk, in threads of our own, not of BLAS."""
        with one_thread_each():
            if len(chunks) == 1:
                return [function(chunks[0])]
            futures = [self._pool.submit(function, chunk) for chunk in chunks]
            try:
                return [future.result() for future in futures]
            except BaseException:
                for chunk in chunks:
                    chunk.stopped.set()
                wait(futures)
                raise

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """Threads that stay: to start them takes longer than some batches."""
        return ThreadPoolExecutor(self.simulator.threads)


class Chunk:
    """Some items of a batch, on their way forward and back, block of steps by block."""

    def __init__(self, engine: Engine, parts, data, items, blocks, state):
        self.engine = engine
        self.parts = parts
        self.items = items
        self.blocks = blocks
        self.data = {node: x[items] for node, x in data.items()}
        self.stopped = Event()
        self.before: list[State | None] = [state[items] if state else None]
        self.window: TrainingWindow | None = None

    def forward(self, outputs: dict[nengo.Probe, np.ndarray]) -> State:
        """Run the blocks; write what the probes see; return where the items stand."""
        places = dict.fromkeys(outputs, 0)
        for block in self.blocks:
            self.window, seen = self._run(block, self.before[-1])
            span = self.window.span
            for probe, x in seen.items():
                if probe in self.engine.summed:
                    outputs[probe][self.items[0] : self.items[-1] + 1] += x.summed(span.n_steps)
                    continue
                steps = sampled(probe.sample_every, span.dt, span.start, span.n_steps)
                first, last = places[probe], places[probe] + len(steps)
                target = outputs[probe][self.items[0] : self.items[-1] + 1, first:last]
                x.write(target, steps, span.n_steps)
                places[probe] = last
            self.before.append(span.after)
        self.before.pop()
        return span.after

    def back(self, gradients: dict[nengo.Probe, np.ndarray]) -> dict[Parameter, np.ndarray]:
        """Return the gradients by what trains."""
        whole, after, results = len(self.blocks) == 1, None, []
        ends = {probe: gradient.shape[1] for probe, gradient in gradients.items()}
        for block, before in zip(reversed(self.blocks), reversed(self.before), strict=True):
            window, self.window = self.window, None
            if window is None:
                window, _ = self._run(block, before)
            span = self._span(block, after)
            by_probes = {
                probe: self._by_steps(probe, gradient, window.span, ends)
                for probe, gradient in gradients.items()
            }
            way = WayBack(window, span, self.engine.reached, self.engine.parameters, whole)
            results.append(way.run(by_probes))
            after = span.after
        return _summed(results)

    def _span(self, block: range, before: State | None) -> Span:
        simulator = self.engine.simulator
        kind = simulator.dt, simulator.dtype
        return Span(len(block), self.items, *kind, before, self.stopped, simulator.seed)

    def _run(self, block: range, before: State | None):
        """Return the window of a block, and what the probes see."""
        span = self._span(block, before)
        data = {
            node: x[:, block.start : block.stop] if x.shape[1] > 1 else x
            for node, x in self.data.items()
        }
        engine = self.engine
        window = TrainingWindow(
            engine.simulator, span, data, self.parts, engine.probes, engine.trained
        )
        return window, window.run()

    def _by_steps(self, probe, gradient, span, ends):
        """Return the gradient by what a probe sees in each step of a block, sampled or not.

        That by a sum is the same in all steps, and stands for them.
        """
        if probe in self.engine.summed:
            return gradient[self.items].transpose(1, 0, 2)
        steps = sampled(probe.sample_every, span.dt, span.start, span.n_steps)
        last = ends[probe]
        ends[probe] = first = last - len(steps)
        part = gradient[self.items, first:last].transpose(1, 0, 2)
        if len(steps) == span.n_steps:
            return part
        whole = np.zeros((span.n_steps, *part.shape[1:]), part.dtype)
        whole[steps] = part
        return whole


def _blocks(n_steps: int, size: int | None) -> list[range]:
    size = size or n_steps
    return [range(first, min(first + size, n_steps)) for first in range(0, n_steps, size)]


def _summed(results: Iterable[dict]) -> dict:
    """Return the sum of gradients, in their order."""
    total: dict[Any, np.ndarray] = {}
    for result in results:
        for key, value in result.items():
            total[key] = total[key] + value if key in total else value
    return total


def _leading(simulator, probes: list[nengo.Probe]) -> set:
    """Return the nodes and ensembles that probes depend on; of a loop all or none."""
    found = {vertex(probe.obj) for probe in probes}
    for stage in reversed(simulator.order):
        members = stage.members if isinstance(stage, Loop) else (stage,)
        if found.intersection(members):
            found.update(members)
            found.update(vertex(c.pre_obj) for obj in members for c in simulator.incoming[obj])
    return found


def _refuse(obj, why):
    raise BuildError(f"{obj}: layerwise can't train through it: {why}; use nengo_dl.Simulator")

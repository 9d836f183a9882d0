"""A simulator for feed-forward spiking networks: one layer over the whole window at a time.

Nengo advances the whole network step by step. Without recurrence that is not necessary: a layer's
input over the whole window is one product of its presynaptic spikes, which are sparse, with the
weights, and the loops over neurons and steps are compiled. So whole test sets run in batches, many
times as fast, and with the same spikes.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.exceptions import BuildError, SimulationError, ValidationError
from nengo.rc import rc

from nengo_phasor.checks import check_positive, check_positive_integer
from nengo_phasor.layerwise import feedforward
from nengo_phasor.layerwise.feeding import Feeding
from nengo_phasor.layerwise.span import Span, State
from nengo_phasor.layerwise.window import Window
from nengo_phasor.synapses import SpikeSynapse

CHUNK_BYTES = 2**26
"""Size aimed at for the largest array of a chunk of items; each thread has a few of these."""

BLOCK_BYTES = 12 * 2**20
"""The same where a window can be cut into blocks of time: what allocators still use again."""

MIN_SHARE = 16
"""Fewest items worth a thread: with smaller arrays, threads wait for each other's Python."""

MOST_STEPS = 2**31 - 1
"""The number of a step is an integer of 32 bits in `.dynamics.dropped_at_random`."""


class Simulator:
    """Runs a feed-forward network over a window of time, a layer at a time, for a batch of inputs.

    It may have nodes, ensembles of neurons of any type, any synapses, and dense, sparse and
    convolution transforms. What `.layerwise.register` knows of a neuron type, and what a synapse's
    class says of itself, makes it fast; any other type runs by its own ``step``, and any other
    synapse by its own ``make_step``, for each item as in `nengo.Simulator`. Functions of nodes are
    taken to have no memory: they are called once for each step and item. Random neurons draw the
    same for every item, as each run of Nengo's does. Random processes that have a seed give the
    same as in Nengo; the others' seeds come from the network's.

    Parameters
    ----------
    network : nengo.Network
        A network without loops.
    dt : float
        The time step in seconds.
    minibatch_size : int
        Number of items that `run` and `run_steps` take. `predict` takes any number.
    dtype : str, optional
        "float64" or "float32"; by default Nengo's own. Only in double precision are the spikes
        exactly `nengo.Simulator`'s.
    threads : int, optional
        By default as many as there are processors.

    Raises
    ------
    nengo.exceptions.BuildError
        If the network has a loop or anything else that can't be run a layer at a time. The message
        names the object and the simulator to use instead.
    nengo.exceptions.ValidationError
        If network is none, dtype is another, dt is not greater than 0, or minibatch_size or threads
        is no whole number of 1 or more.
    """

    def __init__(
        self,
        network: nengo.Network,
        dt: float = 0.001,
        minibatch_size: int = 1,
        dtype: str | None = None,
        threads: int | None = None,
    ):
        if not isinstance(network, nengo.Network):
            raise ValidationError(f"must be a nengo.Network, got {network!r}", "network", self)
        self.network = network
        self.dt = dt
        self.minibatch_size = minibatch_size
        self.dtype = np.dtype(dtype or rc.float_dtype)
        self.threads = os.cpu_count() if threads is None else threads
        if self.dtype.name not in ("float64", "float32"):
            raise ValidationError(f'must be "float64" or "float32", got {dtype}', "dtype", self)
        check_positive(dt, "dt", self)
        for attr in ("minibatch_size", "threads"):
            check_positive_integer(getattr(self, attr), attr, self)
        self.incoming = feedforward.incoming(network)
        self.order = feedforward.layer_order(self.incoming)
        self.model = Model(dt=dt)
        self.model.build(network)
        self.parts = feedforward.parts(network, self.model, self.dtype)
        self.may_be_missing = feedforward.may_be_missing(network)
        self._feeding = Feeding(network, self.dtype, self.may_be_missing)
        self.n_steps = 0
        self.data: dict[Any, np.ndarray] = {}

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *exc) -> None:
        """Keep the data; there is nothing to close."""

    def reset(self) -> None:
        """Forget the last run."""
        self.n_steps = 0
        self.data = {}

    def trange(self, sample_every: float | None = None) -> np.ndarray:
        """Return the times of the last run's steps, in seconds."""
        return self.dt * (1 + _sampled(sample_every, self.dt, 0, self.n_steps))

    def run(self, time_in_seconds: float, data: dict | None = None) -> None:
        """Run for a time; see `run_steps`."""
        check_positive(time_in_seconds, "time_in_seconds", self)
        self.run_steps(int(np.round(time_in_seconds / self.dt)), data)

    def run_steps(self, n_steps: int, data: dict | None = None) -> None:
        """Run from rest for a number of steps, and keep what was probed in ``data``.

        Parameters
        ----------
        n_steps : int
            Length of the window.
        data : {nengo.Node: (minibatch_size, n_steps or 1, n) array_like}, optional
            Outputs of nodes without input, in place of their own. A single step stands for a
            constant.

        Raises
        ------
        nengo.exceptions.SimulationError
            If there was a run already: a second would not go on from where it stopped.
        nengo.exceptions.ValidationError
            If the data are of the wrong shape or type or for an object that takes none, or if
            n_steps is less than 1.
        """
        if self.n_steps:
            raise SimulationError(
                "layerwise.Simulator computes one window from rest; call reset() before another "
                "run, or run for longer"
            )
        arrays = self._feeding.arrays({} if data is None else data)
        self.data, _ = self._predict(arrays, n_steps, self.minibatch_size)
        self.n_steps = n_steps

    def predict(self, data: dict, n_steps: int | None = None) -> dict[Any, np.ndarray]:
        """Return what the probes see for each item of the data.

        Parameters
        ----------
        data : {nengo.Node: (n_items, n_steps or 1, n) array_like}
            Outputs of nodes without input, in place of their own.
        n_steps : int, optional
            Length of the window. By default the data's. Spiking neurons need to be told how long a
            constant lasts.

        Returns
        -------
        {nengo.Probe: (n_items, n_steps, n) ndarray}

        Raises
        ------
        nengo.exceptions.ValidationError
            If the data are of the wrong shape or type or for an object that takes none, or if
            n_steps is less than 1, or is missing where the data are constants for spiking neurons.
        """
        data, n_items = self._feeding.batch(data)
        steps = max(x.shape[1] for x in data.values()) if n_steps is None else n_steps
        if n_steps is None and steps == 1 and any(x.spiking for x in self.parts.layers.values()):
            raise ValidationError(
                "is missing: the data are constants, and one step is not enough for spiking "
                "neurons. Say for how many steps to run",
                attr="n_steps",
                obj=self,
            )
        return self._predict(data, steps, n_items)[0]

    def advance(
        self, data: dict, n_steps: int, state: State | None = None
    ) -> tuple[dict[Any, np.ndarray], State]:
        """Return what the probes see, and where the network stands then, to go on from there.

        The states of all neurons and filters are kept for each item, so take batches of a size that
        fits into memory. Another simulator can go on from a state if its network has the same
        objects: `nengo_phasor.convert` changes the precision of a network in place.

        Parameters
        ----------
        data, n_steps
            As in `predict`.
        state : `.State`, optional
            Where to go on from; by default from rest. ``state[items]`` is that of some items.

        Raises
        ------
        nengo.exceptions.BuildError
            If the network has a synapse or process whose state is not kept.
        nengo.exceptions.SimulationError
            If a node's function or process returns what is no finite number.
        nengo.exceptions.ValidationError
            As in `predict`, or if there are no items, or if the state is of another network, time
            step, or number of items.
        """
        data, n_items = self._feeding.batch(data)
        if not n_items:
            raise ValidationError("have no items, which have no state", "data", self)
        self._check_state(state, n_items)
        return self._predict(data, n_steps, n_items, state, keep=True)

    def _check_state(self, state, n_items):
        found = self.parts.not_kept()
        if found:
            obj, process = found
            raise BuildError(f"{obj}: the state of {process} is not kept; use predict")
        if state is None:
            return
        if not isinstance(state, State):
            raise ValidationError(f"must be a State, got {state!r}", "state", self)
        expected = self.parts.with_state()
        for obj in (*expected.difference(state.values), *set(state.values).difference(expected)):
            has = "something" if obj in state.values else "nothing"
            raise ValidationError(f"is of another network: it has {has} of {obj}", "state", self)
        if state.dt != self.dt:
            raise ValidationError(
                f"is of another time step: {state.dt:g} s, not {self.dt:g} s", "state", self
            )
        if any(value.shape[1] != n_items for value in state.values.values()):
            raise ValidationError(
                f"is of other items than the {n_items} of the data; choose them with state[items]",
                attr="state",
                obj=self,
            )

    def _predict(self, data, n_steps, n_items, state=None, keep=False):
        start = state.n_steps if state else 0
        self._check_length(n_steps, start)
        self._feeding.check_window(data, n_steps, n_items)
        size, block = self._portions(data, n_steps, n_items)
        shapes = {
            p: (n_items, _n_samples(p.sample_every, self.dt, start, n_steps), p.size_in)
            for p in self.network.all_probes
        }
        n_values = sum(map(math.prod, shapes.values())) + size * block * self._width(data)
        self._check_memory(n_values, n_steps)
        results = {p: np.zeros(shape, self.dtype) for p, shape in shapes.items()}
        stopped = Event()

        def run_chunk(first_item):
            items = np.arange(first_item, min(first_item + size, n_items))
            reached = state[items] if state else None
            written = dict.fromkeys(results, 0)
            for first in range(0, n_steps, block):
                last = min(first + block, n_steps)
                steps = {n: slice(first, last) if x.shape[1] > 1 else [0] for n, x in data.items()}
                chunk = {node: x[items][:, steps[node]] for node, x in data.items()}
                span = Span(last - first, items, self.dt, self.dtype, reached, stopped)
                for probe, x in Window(self, span, chunk).run().items():
                    sampled = _sampled(probe.sample_every, self.dt, span.start, span.n_steps)
                    a, b = written[probe], written[probe] + len(sampled)
                    x.write(results[probe][items[0] : items[-1] + 1, a:b], sampled, span.n_steps)
                    written[probe] = b
                reached = span.after
            return reached if keep else None

        with ThreadPoolExecutor(self.threads) as pool:
            try:
                states = list(pool.map(run_chunk, range(0, n_items, size)))
            except BaseException:
                stopped.set()
                raise
        return results, State.joined(states) if keep else None

    def _portions(self, data, n_steps, n_items):
        """Return how many items, and how many steps of them, run at once."""
        step_bytes = self._width(data) * self.dtype.itemsize
        share = max(MIN_SHARE, -(-n_items // self.threads))
        in_blocks = self.parts.not_kept() is None
        most = BLOCK_BYTES if in_blocks else CHUNK_BYTES
        size = max(1, min(most // (n_steps * step_bytes), share))
        block = max(1, min(most // (size * step_bytes), n_steps)) if in_blocks else n_steps
        return size, block

    def _width(self, data):
        """Return the width of the widest signal that is dense over the whole window."""
        network = self.network
        changing = (
            n for n in network.all_nodes if not isinstance(n.output, np.ndarray | type(None))
        )
        sums = (n for n in network.all_nodes if len(self.incoming[n]) > 1)
        filters = (
            c
            for c in network.all_connections
            if c.synapse is not None and not isinstance(c.synapse, SpikeSynapse)
        )
        widths = [
            1,
            *(e.n_neurons for e in network.all_ensembles),
            *(max(x.size_in, x.size_out) for x in (*changing, *sums, *filters)),
            *(x.shape[2] for x in data.values() if x.shape[1] > 1),
        ]
        return max(widths)

    def _check_length(self, n_steps, start):
        check_positive_integer(n_steps, "n_steps", self)
        if start + n_steps > MOST_STEPS:
            raise ValidationError(
                f"must be {MOST_STEPS - start} or less, got {n_steps}", "n_steps", self
            )

    def _check_memory(self, n_values, n_steps):
        """Refuse a window that can't be held, before memory is taken."""
        needed, there = n_values * self.dtype.itemsize, _memory()
        if needed > there:
            raise ValidationError(
                f"is too much: {n_steps} steps need {needed / 2**30:.3g} GB, and there are "
                f"{there / 2**30:.3g}. Run fewer steps or items at a time, or let probes sample",
                attr="n_steps",
                obj=self,
            )


def _memory() -> float:
    """Return the machine's memory in bytes; infinity where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # os.sysconf is POSIX's
        return float("inf")


def _period(sample_every, dt):
    """Return how many steps go by from one sample to the next, as in Nengo: at least one."""
    return 1.0 if sample_every is None else max(1.0, sample_every / dt)


def _n_samples(sample_every, dt, start, n_steps):
    """Return how many steps after step ``start`` are sampled."""
    period = _period(sample_every, dt)
    return int((start + n_steps) // period - start // period)


def _sampled(sample_every, dt, start, n_steps):
    """Return which steps after step ``start`` are sampled, from 0."""
    steps = np.arange(start + 1, start + n_steps + 1)
    return np.flatnonzero(steps % _period(sample_every, dt) < 1)

"""A simulator for feed-forward spiking networks: one layer over the whole window at a time.

Nengo advances the whole network step by step. Without recurrence that is not necessary: a layer's
input over the whole window is one product of its presynaptic spikes, which are sparse, with the
weights, and the loops over neurons and steps are compiled. So whole test sets run in batches, many
times as fast, and with the same spikes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.exceptions import BuildError, SimulationError, ValidationError
from nengo.rc import rc
from nengo.synapses import LinearFilter

from nengo_phasor import compat
from nengo_phasor.checks import check_positive, check_positive_integer
from nengo_phasor.layerwise import feedforward
from nengo_phasor.layerwise.window import State, Window
from nengo_phasor.pooling import MaxPool
from nengo_phasor.synapses import SpikeSynapse

sparse = compat.require("scipy.sparse")

CHUNK_BYTES = 2**26
"""Size aimed at for the largest array of a chunk of items; each thread has a few of these."""

BLOCK_BYTES = 12 * 2**20
"""The same where a window can be cut into blocks of time: what allocators still use again."""


MIN_SHARE = 16
"""Fewest items worth a thread: with smaller arrays, threads wait for each other's Python."""


class Simulator:
    """Runs a feed-forward network over a window of time, a layer at a time, for a batch of inputs.

    It may have nodes, ensembles of the types in `.feedforward.ELEMENTWISE_NEURONS`, dense, sparse
    and convolution transforms, Nengo's linear filters and nengo_phasor's synapses. Functions of
    nodes are taken to have no memory: they are called once for each step and item. Random processes
    that have a seed give the same as in Nengo; the others' seeds come from the network's.

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
        self.neurons = {e: e.neuron_type for e in network.all_ensembles}
        self.maps, self.synapses = {}, {}
        for connection in network.all_connections:
            self.maps[connection] = (
                feedforward.weights(self.model, connection, self.dtype),
                feedforward.places(self.model, connection, self.dtype),
            )
            self.synapses[connection] = feedforward.synapse(self.model, connection, "weighted")
        for probe in network.all_probes:
            self.synapses[probe] = feedforward.synapse(self.model, probe, "filtered")
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
        sampled = _is_sampled(sample_every, self.dt, self.n_steps)
        return self.dt * (1 + np.flatnonzero(sampled))

    def run(self, time_in_seconds: float, data: dict | None = None) -> None:
        """Run for a time; see `run_steps`."""
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
        self.data, _ = self._predict(
            self._arrays({} if data is None else data), n_steps, self.minibatch_size
        )
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
        data, n_items = self._batch(data)
        steps = max(x.shape[1] for x in data.values()) if n_steps is None else n_steps
        if n_steps is None and steps == 1 and any(n.spiking for n in self.neurons.values()):
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
        nengo.exceptions.ValidationError
            As in `predict`, or if the state is of another network or of other items.
        """
        data, n_items = self._batch(data)
        self._check_state(state, n_items)
        return self._predict(data, n_steps, n_items, state, keep=True)

    def _without_kept_state(self):
        """Return an object whose state can't go on from one window to the next, if there is one."""
        for obj, synapse in self.synapses.items():
            if isinstance(synapse, SpikeSynapse):
                return obj, synapse
        for node in self.network.all_nodes:
            if isinstance(node.output, nengo.Process) and not isinstance(node.output, MaxPool):
                return node, node.output
        return None

    def _check_state(self, state, n_items):
        found = self._without_kept_state()
        if found:
            obj, process = found
            raise BuildError(f"{obj}: the state of {process} is not kept; use predict")
        if state is None:
            return
        missing = [e for e in self.network.all_ensembles if e not in state.values]
        if missing:
            raise ValidationError(
                f"is of another network: it has nothing of {missing[0]}", "state", self
            )
        if any(value.shape[1] != n_items for value in state.values.values()):
            raise ValidationError(
                f"is of other items than the {n_items} of the data; choose them with state[items]",
                attr="state",
                obj=self,
            )

    def _predict(self, data, n_steps, n_items, state=None, keep=False):
        check_positive_integer(n_steps, "n_steps", self)
        for node, x in data.items():
            if len(x) != n_items or x.shape[1] not in (1, n_steps):
                raise ValidationError(
                    f"for {node} have {len(x)} items of {x.shape[1]} steps; needs {n_items} "
                    f"(minibatch_size, in a run) of {n_steps}, or of 1 for a constant",
                    attr="data",
                    obj=self,
                )
        step_bytes = self._width(data) * self.dtype.itemsize
        share = max(MIN_SHARE, -(-n_items // self.threads))
        in_blocks = self._without_kept_state() is None
        most = BLOCK_BYTES if in_blocks else CHUNK_BYTES
        size = max(1, min(most // (n_steps * step_bytes), share))
        block = max(1, min(most // (size * step_bytes), n_steps)) if in_blocks else n_steps
        starts = range(0, n_items, size)
        sampled = {
            p: np.flatnonzero(_is_sampled(p.sample_every, self.dt, n_steps))
            for p in self.network.all_probes
        }
        results = {
            p: np.zeros((n_items, len(steps), p.size_in), self.dtype)
            for p, steps in sampled.items()
        }

        def run_chunk(start):
            items = np.arange(start, min(start + size, n_items))
            reached = state[items] if state else None
            for first in range(0, n_steps, block):
                last = min(first + block, n_steps)
                steps = {n: slice(first, last) if x.shape[1] > 1 else [0] for n, x in data.items()}
                chunk = {node: x[items][:, steps[node]] for node, x in data.items()}
                window = Window(self, last - first, items, chunk, reached)
                for probe, x in window.run().items():
                    a, b = np.searchsorted(sampled[probe], [first, last])
                    result = results[probe][items[0] : items[-1] + 1, a:b]
                    _write(result, x, sampled[probe][a:b] - first, last - first)
                reached = window.after
            return reached if keep else None

        with ThreadPoolExecutor(self.threads) as pool:
            states = list(pool.map(run_chunk, starts))
        return results, State.joined(states) if keep else None

    def _width(self, data):
        """Return the width of the widest signal that is dense over the whole window."""
        network = self.network
        changing = (
            n for n in network.all_nodes if not isinstance(n.output, np.ndarray | type(None))
        )
        sums = (n for n in network.all_nodes if len(self.incoming[n]) > 1)
        filters = (c for c in network.all_connections if isinstance(c.synapse, LinearFilter))
        widths = [
            1,
            *(e.n_neurons for e in network.all_ensembles),
            *(max(x.size_in, x.size_out) for x in (*changing, *sums, *filters)),
            *(x.shape[2] for x in data.values() if x.shape[1] > 1),
        ]
        return max(widths)

    def _batch(self, data):
        """Return the data as arrays, and their number of items."""
        data = self._arrays(data)
        if not data:
            raise ValidationError("is empty; use run for a network without data", "data", self)
        return data, len(next(iter(data.values())))

    def _arrays(self, data):
        """Return the data as arrays, if the network can take them."""
        if not isinstance(data, Mapping):
            raise ValidationError(
                f"must be {{node: array}}, got a {type(data).__name__}", "data", self
            )
        arrays = {node: np.asarray(x) for node, x in data.items()}
        for node, x in arrays.items():
            if node not in self.network.all_nodes or node.size_in:
                raise ValidationError(
                    f"{node} takes no data: give them to a node without input", "data", self
                )
            if x.ndim != 3 or x.shape[2] != node.size_out:
                raise ValidationError(
                    f"for {node} are of shape {x.shape}; needs (n_items, n_steps or 1, "
                    f"{node.size_out})",
                    attr="data",
                    obj=self,
                )
            if not np.can_cast(x.dtype, self.dtype, "same_kind"):
                raise ValidationError(
                    f"for {node} are of type {x.dtype}; needs real numbers", "data", self
                )
        return arrays


def _write(result, x, steps, n_steps):
    """Write the sampled steps of a signal, (n_steps, n_items, n), to (n_items, n_samples, n)."""
    if sparse.issparse(x) and len(steps) == n_steps == x.shape[0] // len(result):
        step, item = np.divmod(np.repeat(np.arange(x.shape[0]), np.diff(x.indptr)), len(result))
        result[item, step, x.indices] = x.data
        return
    x = x.toarray().reshape(-1, len(result), x.shape[-1]) if sparse.issparse(x) else x
    result[...] = x[steps % len(x)].transpose(1, 0, 2)


def _is_sampled(sample_every, dt, n_steps):
    """Return of each step whether it is sampled, as in Nengo."""
    period = 1 if sample_every is None else sample_every / dt
    return np.arange(1, n_steps + 1) % period < 1

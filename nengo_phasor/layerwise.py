"""A simulator for feed-forward spiking networks: one layer over the whole window at a time.

Nengo advances the whole network step by step. Without recurrence that is not necessary: a layer's
input over the whole window is one product of its presynaptic spikes, which are sparse, with the
weights. So whole test sets run in batches, many times as fast, and with the same spikes.

In here a signal is either an array of shape (n_steps, n_items, n), where a single step stands for a
constant, or, for spikes, a sparse matrix of n_steps n_items rows, an item's neighbour being the
next row.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.exceptions import SimulationError, ValidationError
from nengo.rc import rc
from nengo.synapses import LinearFilter

from nengo_phasor import compat, feedforward, kernels
from nengo_phasor.feedforward import vertex
from nengo_phasor.neurons import ResonateAndFire
from nengo_phasor.synapses import PhaseEncoder

sparse = compat.require("scipy.sparse")

CHUNK_BYTES = 2**26
"""Size aimed at for the largest array of a chunk of items; each thread has a few of these."""


MIN_SHARE = 128
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
        If dtype is another, or if minibatch_size or threads is less than 1.
    """

    def __init__(
        self,
        network: nengo.Network,
        dt: float = 0.001,
        minibatch_size: int = 1,
        dtype: str | None = None,
        threads: int | None = None,
    ):
        self.network = network
        self.dt = dt
        self.minibatch_size = minibatch_size
        self.dtype = np.dtype(dtype or rc.float_dtype)
        self.threads = os.cpu_count() if threads is None else threads
        if self.dtype.name not in ("float64", "float32"):
            raise ValidationError(f'must be "float64" or "float32", got {dtype}', "dtype", self)
        for attr in ("minibatch_size", "threads"):
            if getattr(self, attr) < 1:
                raise ValidationError(f"must be at least 1, got {getattr(self, attr)}", attr, self)
        self.incoming = feedforward.incoming(network)
        self.order = feedforward.layer_order(self.incoming)
        self.model = Model(dt=dt)
        self.model.build(network)
        self.weights, self.synapses, self.places = {}, {}, {}
        for connection in network.all_connections:
            self.weights[connection] = feedforward.weights(self.model, connection, self.dtype)
            self.synapses[connection] = feedforward.synapse(self.model, connection, "weighted")
            self.places[connection] = feedforward.places(self.model, connection, self.dtype)
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
        """Run from rest for a number of steps, and keep what was probed in `data`.

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
        self.data = self._predict(self._arrays(data or {}), n_steps, self.minibatch_size)
        self.n_steps = n_steps

    def predict(self, data: dict, n_steps: int | None = None) -> dict[Any, np.ndarray]:
        """Return what the probes see for each item of the data.

        Parameters
        ----------
        data : {nengo.Node: (n_items, n_steps or 1, n) array_like}
            Outputs of nodes without input, in place of their own.
        n_steps : int, optional
            Length of the window. By default the data's.

        Returns
        -------
        {nengo.Probe: (n_items, n_steps, n) ndarray}

        Raises
        ------
        nengo.exceptions.ValidationError
            If the data are of the wrong shape or type or for an object that takes none, or if
            n_steps is less than 1.
        """
        if not data:
            raise ValidationError("is empty; use run for a network without data", "data", self)
        data = self._arrays(data)
        steps = max(x.shape[1] for x in data.values()) if n_steps is None else n_steps
        return self._predict(data, steps, len(next(iter(data.values()))))

    def _predict(self, data, n_steps, n_items):
        if n_steps < 1:
            raise ValidationError(f"must be at least 1, got {n_steps}", "n_steps", self)
        for node, x in data.items():
            if len(x) != n_items or x.shape[1] not in (1, n_steps):
                raise ValidationError(
                    f"for {node} have {len(x)} items of {x.shape[1]} steps; needs {n_items} "
                    f"(minibatch_size, in a run) of {n_steps}, or of 1 for a constant",
                    attr="data",
                    obj=self,
                )
        item_bytes = n_steps * self._width(data) * self.dtype.itemsize
        share = max(MIN_SHARE, -(-n_items // self.threads))
        size = max(1, min(CHUNK_BYTES // item_bytes, share))
        starts = range(0, n_items, size)
        samples = {
            p: np.count_nonzero(_is_sampled(p.sample_every, self.dt, n_steps))
            for p in self.network.all_probes
        }
        results = {p: np.empty((n_items, n, p.size_in), self.dtype) for p, n in samples.items()}

        def run_chunk(start):
            items = np.arange(start, min(start + size, n_items))
            window = _Window(self, n_steps, items, {n: x[items] for n, x in data.items()})
            for probe, values in window.run().items():
                results[probe][items] = values

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(run_chunk, starts))
        return results

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
            *(x.size_out for x in (*changing, *sums, *filters)),
            *(x.shape[2] for x in data.values() if x.shape[1] > 1),
        ]
        return max(widths)

    def _arrays(self, data):
        """Return the data as arrays, if the network can take them."""
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


class _Window:
    """One window of one chunk of items: the signals of all objects."""

    def __init__(self, simulator, n_steps, items, data):
        self.simulator = simulator
        self.model = simulator.model
        self.dt = simulator.dt
        self.dtype = simulator.dtype
        self.n_steps = n_steps
        self.items = items
        self.data = data
        self.signals = {}

    def run(self):
        """Return the probes' values, of shape (n_items, n_samples, n)."""
        for obj in self.simulator.order:
            run = self.node if isinstance(obj, nengo.Node) else self.ensemble
            self.signals[obj] = run(obj)
        return {probe: self.probe(probe) for probe in self.simulator.network.all_probes}

    def node(self, node):
        """Return a node's output."""
        if node in self.data:
            return self.data[node].transpose(1, 0, 2).astype(self.dtype)
        if node.output is None:
            return self.input(node, self.simulator.incoming[node])
        if isinstance(node.output, np.ndarray):
            output = node.output.astype(self.dtype)
            return np.broadcast_to(output, (1, len(self.items), node.size_out))
        run = self.process if isinstance(node.output, nengo.Process) else self.function
        if node.size_in == 0:
            output = run(node, None).astype(self.dtype)
            return np.repeat(output[:, None], len(self.items), axis=1)
        x = self.input(node, self.simulator.incoming[node])
        x = self.repeated(self.dense(x), self.n_steps)
        items = [run(node, x[:, item]).astype(self.dtype) for item in range(len(self.items))]
        return np.stack(items, axis=1)

    def process(self, node, x):
        """Return the output, of shape (n_steps, n), of a process for one item."""
        rng = np.random.RandomState(self.model.seeds[node])
        settings = {"d": node.size_out, "dt": self.dt, "rng": rng}
        if x is None:
            return node.output.run_steps(self.n_steps, **settings)
        return node.output.apply(x, **settings)

    def function(self, node, x):
        """Return the output, of shape (n_steps, n), of a function for one item."""
        output = np.empty((self.n_steps, node.size_out))
        for k in range(self.n_steps):
            time = self.dt * (k + 1)
            value = node.output(time) if x is None else node.output(time, x[k].copy())
            if value is None and node.size_out:
                raise SimulationError(f"{node}: its function returned None at t = {time:g} s")
            if node.size_out:
                output[k] = value
        return output

    def ensemble(self, ensemble):
        """Return the output of an ensemble's neurons."""
        built = self.model.params[ensemble]
        incoming = self.simulator.incoming[ensemble]
        signals = [self.deliver(c) for c in incoming if c.post_obj is not ensemble]
        encoded = [c for c in incoming if c.post_obj is ensemble]
        if encoded:
            encoders = built.scaled_encoders.astype(self.dtype)
            signals.append(self.product(self.input(ensemble, encoded), encoders))
        J = self.dense(self.total(signals, built.bias))
        states = {
            name: self.model.sig[ensemble.neurons][name].initial_value.astype(self.dtype)
            for name in ensemble.neuron_type.state
        }
        if type(ensemble.neuron_type) is ResonateAndFire:
            exact = self.dtype == np.float64
            run = kernels.resonate_and_fire_window if exact else kernels.resonate_and_fire_blocks
            return run(ensemble.neuron_type, self.dt, J, self.n_steps, states)
        shape = J.shape[1:]
        states = {name: np.tile(value, (shape[0], 1)) for name, value in states.items()}
        output = np.zeros((self.n_steps, *shape), self.dtype)
        for k in range(self.n_steps):
            current = J[k % len(J)].copy()
            ensemble.neuron_type.step(self.dt, current, output[k], **states)
        return kernels.spikes(output) if ensemble.neuron_type.spiking else output

    def input(self, obj, connections):
        """Return the sum of what the connections bring to the object."""
        return self.total([self.deliver(c) for c in connections], np.zeros(obj.size_in))

    def total(self, signals, bias):
        """Return the sum of signals and a bias; one signal alone may stay sparse."""
        if len(signals) == 1 and not np.any(bias):
            return signals[0]
        signals = [self.dense(x) for x in signals]
        period = max((len(x) for x in signals), default=1)
        if any(period % len(x) for x in signals):
            period = self.n_steps
        result = np.tile(bias.astype(self.dtype), (period, len(self.items), 1))
        for x in signals:
            result += x if len(x) in (1, period) else self.repeated(x, period)
        return result

    def deliver(self, connection):
        """Return what a connection brings to its post object."""
        x = self.signals[vertex(connection.pre_obj)]
        if not isinstance(connection.pre_obj, nengo.Ensemble):  # decoders select for themselves
            x = x if connection.pre_slice == slice(None) else x[..., connection.pre_slice]
        y = self.product(x, self.simulator.weights[connection])
        y = self.through(self.simulator.synapses[connection], y)
        return self.product(y, self.simulator.places[connection])

    def product(self, x, matrix):
        """Return matrix @ x for every step and item; a matrix of None is the identity."""
        if matrix is None:
            return x
        if sparse.issparse(x):
            y = x @ (matrix.T.tocsr() if sparse.issparse(matrix) else matrix.T)
            return y if sparse.issparse(y) else y.reshape(-1, len(self.items), len(matrix))
        flat = x.reshape(-1, x.shape[-1])
        return (matrix @ flat.T).T.reshape(*x.shape[:-1], matrix.shape[0])

    def through(self, synapse, x):
        """Return the signal after a synapse."""
        if synapse is None:
            return x
        if isinstance(synapse, LinearFilter):
            return kernels.filtered(synapse, self.dense(x), self.dt, self.n_steps)
        if sparse.issparse(x):
            x = self.repeated(x, self.n_steps)
            return kernels.through(synapse, x, self.dt, self.items, self.n_steps)
        if isinstance(synapse, PhaseEncoder) and len(x) == 1:
            return kernels.encode_constant(synapse, x[0], self.dt, self.n_steps, self.dtype)
        return kernels.spikes(kernels.through_steps(synapse, x, self.dt, self.items, self.n_steps))

    def dense(self, x):
        """Return a signal as an array."""
        return x.toarray().reshape(-1, len(self.items), x.shape[-1]) if sparse.issparse(x) else x

    def repeated(self, x, n_steps):
        """Return the first ``n_steps`` steps of a signal that repeats."""
        if sparse.issparse(x):
            times = -(-n_steps * len(self.items) // x.shape[0])
            return sparse.vstack([x] * times, "csr")[: n_steps * len(self.items)]
        return np.take(x, np.arange(n_steps) % len(x), axis=0)

    def probe(self, probe):
        """Return what a probe sees of its target."""
        obj = probe.obj
        x = self.signals[vertex(obj)]
        if probe.slice is not None:
            x = x[..., probe.slice]
        x = self.dense(self.through(self.simulator.synapses[probe], x))
        steps = np.flatnonzero(_is_sampled(probe.sample_every, self.dt, self.n_steps))
        return x[steps % len(x)].transpose(1, 0, 2)


def _is_sampled(sample_every, dt, n_steps):
    """Return of each step whether it is sampled, as in Nengo."""
    period = 1 if sample_every is None else sample_every / dt
    return np.arange(1, n_steps + 1) % period < 1

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
from graphlib import CycleError, TopologicalSorter
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.exceptions import BuildError, SimulationError, ValidationError
from nengo.rc import rc
from nengo.synapses import LinearFilter
from nengo.transforms import NoTransform

from nengo_phasor import compat, kernels
from nengo_phasor.neurons import Phasor, ResonateAndFire
from nengo_phasor.synapses import PhaseEncoder, SpikeSynapse

sparse = compat.require("scipy.sparse")

ELEMENTWISE_NEURONS = (
    nengo.LIF,
    nengo.LIFRate,
    nengo.RectifiedLinear,
    nengo.SpikingRectifiedLinear,
    Phasor,
    ResonateAndFire,
)
"""Neuron types whose step treats each item of a batch by itself."""

SYNAPSES = (type(None), LinearFilter, SpikeSynapse)
TRANSFORMS = (
    nengo.Dense,
    nengo.Sparse,
    nengo.Convolution,
    NoTransform,
)

CHUNK_BYTES = 2**25
"""Size aimed at for the largest array of a chunk of items; each thread has a few of these."""


class Simulator:
    """Runs a feed-forward network over a window of time, a layer at a time, for a batch of inputs.

    It may have nodes, ensembles of the types in `ELEMENTWISE_NEURONS`, dense, sparse and
    convolution transforms, Nengo's linear filters and nengo_phasor's synapses. Functions of nodes
    are taken to have no memory: they are called once for each step and item.

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
        self.threads = threads or os.cpu_count() or 1
        self.incoming = _incoming(network)
        self.order = _layer_order(network, self.incoming)
        self.model = Model(dt=dt)
        self.model.build(network)
        self.synapses = {c: self._built_synapse(c) for c in network.all_connections}
        self.matrices = {c: self._matrix(c) for c in network.all_connections}
        self.n_steps = 0
        self.data: dict[Any, np.ndarray] = {}

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *exc) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the last run."""
        self.n_steps = 0
        self.data = {}

    def trange(self, sample_every: float | None = None) -> np.ndarray:
        """Return the times of the last run's steps, in seconds."""
        period = 1 if sample_every is None else sample_every / self.dt
        steps = np.arange(1, self.n_steps + 1)
        return self.dt * steps[steps % period < 1]

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
            If the data are of the wrong shape or for an object that takes none.
        """
        if self.n_steps:
            raise SimulationError(
                "layerwise.Simulator computes one window from rest; call reset() before another "
                "run, or run for longer"
            )
        data = {} if data is None else data
        if any(len(x) != self.minibatch_size for x in data.values()):
            sizes = sorted({len(x) for x in data.values()})
            raise ValidationError(
                f"has {sizes} items, minibatch_size is {self.minibatch_size}", attr="data", obj=self
            )
        self.data = self._predict(data, n_steps, self.minibatch_size)
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
            If the data are of the wrong shape or for an object that takes none.
        """
        if not data:
            raise ValidationError("is empty; use run for a network without data", "data", self)
        n_items = len(next(iter(data.values())))
        steps = max(np.shape(x)[1] for x in data.values()) if n_steps is None else n_steps
        return self._predict(data, steps, n_items)

    def _predict(self, data, n_steps, n_items):
        data = {node: self._checked(node, x, n_steps, n_items) for node, x in data.items()}
        widest = (
            max(e.n_neurons for e in self.network.all_ensembles)
            if self.network.all_ensembles
            else 1
        )
        item_bytes = n_steps * widest * self.dtype.itemsize
        size = max(1, min(CHUNK_BYTES // item_bytes, -(-n_items // self.threads)))
        starts = range(0, n_items, size)
        probes = self.network.all_probes
        results = {
            p: np.empty((n_items, _n_samples(p, n_steps, self.dt), p.size_in), self.dtype)
            for p in probes
        }

        def run_chunk(start):
            items = np.arange(start, min(start + size, n_items))
            window = _Window(self, n_steps, items, {n: x[items] for n, x in data.items()})
            for probe, values in window.run().items():
                results[probe][items] = values

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(run_chunk, starts))
        return results

    def _checked(self, node, x, n_steps, n_items):
        x = np.asarray(x)
        if node not in self.network.all_nodes or node.size_in:
            raise ValidationError(
                f"{node} takes no data: it is no node without input", "data", self
            )
        if x.shape not in ((n_items, n_steps, node.size_out), (n_items, 1, node.size_out)):
            raise ValidationError(
                f"for {node} is of shape {x.shape}; needs (n_items, n_steps, size_out) = "
                f"{(n_items, n_steps, node.size_out)}, or 1 step for a constant",
                attr="data",
                obj=self,
            )
        return x

    def _built_synapse(self, connection):
        """Return the connection's synapse as built: a random one has its seed."""
        signal = self.model.sig[connection]["weighted"]
        built = (op.process for op in self.model.operators if getattr(op, "output", None) is signal)
        return connection.synapse and next(built)

    def _matrix(self, connection):
        """Return the connection's weights as a matrix on column vectors; None is the identity."""
        weights, transform = self.model.params[connection].weights, connection.transform
        if weights is None:
            return None
        if isinstance(transform, nengo.Convolution):
            return kernels.convolution_matrix(transform, weights).astype(self.dtype)
        if isinstance(transform, nengo.Sparse):
            return sparse.csr_matrix(
                weights if sparse.issparse(weights) else weights.toarray(), dtype=self.dtype
            )
        if np.ndim(weights) < 2:
            size = connection.size_out
            return sparse.diags(np.broadcast_to(weights, size), dtype=self.dtype).tocsr()
        return np.ascontiguousarray(weights, dtype=self.dtype)


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
            return self.total(node, self.simulator.incoming[node], np.zeros(node.size_in))
        if isinstance(node.output, np.ndarray):
            return np.broadcast_to(node.output, (1, len(self.items), node.size_out))
        if isinstance(node.output, nengo.Process):
            process = node.output.run_steps(self.n_steps, dt=self.dt)
            return np.repeat(process[:, None, :], len(self.items), axis=1)
        times = self.dt * np.arange(1, self.n_steps + 1)
        if node.size_in == 0:
            values = np.array([np.broadcast_to(node.output(t), node.size_out) for t in times])
            return np.repeat(values[:, None, :], len(self.items), axis=1)
        x = self.dense(self.total(node, self.simulator.incoming[node], np.zeros(node.size_in)))
        x = self.repeated(x, self.n_steps)
        return np.array(
            [[node.output(t, item.copy()) for item in row] for t, row in zip(times, x, strict=True)]
        )

    def ensemble(self, ensemble):
        """Return the output of an ensemble's neurons."""
        built = self.model.params[ensemble]
        incoming = self.simulator.incoming[ensemble]
        J = self.dense(
            self.total(ensemble, [c for c in incoming if c.post_obj is not ensemble], built.bias)
        )
        encoded = [c for c in incoming if c.post_obj is ensemble]
        if encoded:
            x = self.dense(self.total(ensemble, encoded, np.zeros(ensemble.size_in)))
            J = J + x @ built.scaled_encoders.T.astype(self.dtype)
        states = {
            name: self.model.sig[ensemble.neurons][name].initial_value.astype(self.dtype)
            for name in ensemble.neuron_type.state
        }
        if isinstance(ensemble.neuron_type, ResonateAndFire):
            return kernels.resonate_and_fire_window(
                ensemble.neuron_type, self.dt, J, self.n_steps, states
            )
        shape = J.shape[1:]
        states = {name: np.tile(value, (shape[0], 1)) for name, value in states.items()}
        output = np.zeros((self.n_steps, *shape), self.dtype)
        for k in range(self.n_steps):
            current = J[k % len(J)].copy()
            ensemble.neuron_type.step(self.dt, current, output[k], **states)
        return kernels.spikes(output) if ensemble.neuron_type.spiking else output

    def total(self, obj, connections, bias):
        """Return the sum of the connections' signals and a bias; one alone may stay sparse."""
        signals = [self.deliver(c, len(bias)) for c in connections]
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

    def deliver(self, connection, size):
        """Return what a connection brings to its post object, which has ``size`` inputs."""
        x = self.signals[_vertex(connection.pre_obj)]
        if connection.pre_slice != slice(None):
            x = x[..., connection.pre_slice]
        matrix = self.simulator.matrices[connection]
        y = x if matrix is None else self.product(x, matrix)
        y = self.through(self.simulator.synapses[connection], y)
        if connection.post_slice == slice(None):
            return y
        y = self.dense(y)
        placed = np.zeros((*y.shape[:-1], size), self.dtype)
        placed[..., connection.post_slice] = y
        return placed

    def product(self, x, matrix):
        """Return matrix @ x for every step and item."""
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
        if isinstance(synapse, PhaseEncoder) and x.shape[0] == 1:
            return kernels.encode_constant(synapse, x[0], self.dt, self.n_steps, self.dtype)
        if sparse.issparse(x) and not synapse.state_shapes:
            x = self.repeated(x, self.n_steps)
            return kernels.through_spikes(synapse, x, self.dt, self.items)
        return kernels.spikes(
            kernels.through_steps(synapse, self.dense(x), self.dt, self.items, self.n_steps)
        )

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
        x = self.dense(self.signals[getattr(obj, "ensemble", obj)])
        if probe.slice is not None:
            x = x[..., probe.slice]
        x = np.broadcast_to(
            self.dense(self.through(probe.synapse, x)), (self.n_steps, *x.shape[1:])
        )
        if probe.sample_every is not None:
            period = probe.sample_every / self.dt
            x = x[np.arange(1, self.n_steps + 1) % period < 1]
        return x.transpose(1, 0, 2)


def _n_samples(probe, n_steps, dt):
    period = 1 if probe.sample_every is None else probe.sample_every / dt
    return int(np.sum(np.arange(1, n_steps + 1) % period < 1))


def _vertex(obj):
    """Return the ensemble of neurons, and other objects as they are."""
    return getattr(obj, "ensemble", obj)


def _incoming(network):
    """Return the connections to each node and ensemble."""
    incoming = {obj: [] for obj in (*network.all_nodes, *network.all_ensembles)}
    for connection in network.all_connections:
        _check_connection(connection)
        incoming[_vertex(connection.post_obj)].append(connection)
    return incoming


def _layer_order(network, incoming):
    """Return nodes and ensembles, each after all it gets input from."""
    for obj in incoming:
        if isinstance(obj, nengo.Ensemble):
            _refuse(not isinstance(obj.neuron_type, ELEMENTWISE_NEURONS), obj, f"{obj.neuron_type}")
            _refuse(obj.noise is not None, obj, "noise")
    for probe in network.all_probes:
        _refuse(probe.attr not in ("output", "spikes", "rates"), probe, f"probes of {probe.attr!r}")
        _refuse(isinstance(probe.obj, nengo.Ensemble), probe, "decoded probes")
        _refuse(not isinstance(probe.synapse, SYNAPSES), probe, f"{probe.synapse}")
    graph = {
        obj: {_vertex(c.pre_obj) for c in connections} for obj, connections in incoming.items()
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise BuildError(
            f"layerwise can't run recurrence: {' -> '.join(map(str, error.args[1]))}; "
            "use nengo.Simulator or nengo_dl.Simulator"
        ) from None


def _check_connection(connection):
    _refuse(connection.learning_rule_type is not None, connection, "learning rules")
    _refuse(not isinstance(connection.synapse, SYNAPSES), connection, f"{connection.synapse}")
    _refuse(not isinstance(connection.transform, TRANSFORMS), connection, f"{connection.transform}")
    _refuse(
        isinstance(connection.pre_obj, nengo.Node) and connection.function is not None,
        connection,
        "functions on connections from nodes",
    )
    _refuse(
        not hasattr(connection.post_obj, "size_in"),
        connection,
        f"{connection.post_obj} as a target",
    )


def _refuse(unable, obj, what):
    if unable:
        raise BuildError(
            f"{obj}: layerwise can't run {what}; use nengo.Simulator or nengo_dl.Simulator"
        )

"""One window of `.layerwise`, for one chunk of items: the signals of all objects of a network.

A signal is either an array of shape (n_steps, n_items, n), where fewer steps than the window's are
for what repeats, or, for spikes, a sparse matrix of n_steps n_items rows, an item's neighbour being
the next row.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.exceptions import SimulationError
from nengo.synapses import LinearFilter

from nengo_phasor import compat
from nengo_phasor.layerwise import compiled, kernels
from nengo_phasor.layerwise.feedforward import vertex
from nengo_phasor.pooling import MaxPool
from nengo_phasor.synapses import PhaseEncoder

sparse = compat.require("scipy.sparse")


class State(NamedTuple):
    """Where a network stands after some steps, for a batch of items: index it to choose some.

    ``values`` are of shape (n_states, n_items, n).
    """

    n_steps: int
    values: dict[Any, np.ndarray]

    def __getitem__(self, items) -> State:
        """Return the state of some of the items."""
        return State(self.n_steps, {key: value[:, items] for key, value in self.values.items()})

    @classmethod
    def joined(cls, states: list[State]) -> State:
        """Return the state of all items of several states."""
        values = {
            key: np.concatenate([state.values[key] for state in states], axis=1)
            for key in states[0].values
        }
        return cls(states[0].n_steps, values)


class Window:
    """One window of one chunk of items."""

    def __init__(self, simulator, n_steps, items, data, state: State | None):
        self.simulator = simulator
        self.model = simulator.model
        self.dt = simulator.dt
        self.dtype = simulator.dtype
        self.n_steps = n_steps
        self.items = items
        self.data = data
        self.before = state
        self.states = {}
        self.signals = {}

    def run(self) -> dict[nengo.Probe, Any]:
        """Return what the probes see, as signals."""
        for obj in self.simulator.order:
            run = self.node if isinstance(obj, nengo.Node) else self.ensemble
            self.signals[obj] = run(obj)
        return {probe: self.probe(probe) for probe in self.simulator.network.all_probes}

    @property
    def after(self) -> State:
        """Where the network stands after the window."""
        return State((self.before.n_steps if self.before else 0) + self.n_steps, self.states)

    def state(self, key, initial):
        """Return the state to go on from, to be advanced in place; ``initial`` is (k, n)."""
        if self.before:
            value = np.array(self.before.values[key], self.dtype, order="C")
        else:
            value = np.repeat(np.asarray(initial, self.dtype)[:, None], len(self.items), axis=1)
        self.states[key] = value
        return value

    # ------------------------------------------------------------------------------- nodes

    def node(self, node):
        """Return a node's output."""
        if node in self.data:
            return self.data[node].transpose(1, 0, 2).astype(self.dtype)
        if node.output is None:
            return self.input(self.simulator.incoming[node], np.zeros(node.size_in))
        if isinstance(node.output, np.ndarray):
            output = node.output.astype(self.dtype)
            return np.broadcast_to(output, (1, len(self.items), node.size_out))
        run = self.process if isinstance(node.output, nengo.Process) else self.function
        if node.size_in == 0:
            output = run(node, None).astype(self.dtype)
            return np.repeat(output[:, None], len(self.items), axis=1)
        x = self.dense(self.input(self.simulator.incoming[node], np.zeros(node.size_in)))
        if isinstance(node.output, MaxPool):
            return kernels.max_pooled(node.output, x)
        x = self.repeated(x, self.n_steps)
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
        start = self.before.n_steps if self.before else 0
        for k in range(self.n_steps):
            time = self.dt * (start + k + 1)
            value = node.output(time) if x is None else node.output(time, x[k].copy())
            if value is None and node.size_out:
                raise SimulationError(f"{node}: its function returned None at t = {time:g} s")
            if node.size_out:
                output[k] = value
        return output

    # --------------------------------------------------------------------------- ensembles

    def ensemble(self, ensemble):
        """Return the output of an ensemble's neurons."""
        neurons = self.simulator.neurons[ensemble]
        J = self.dense(self.current(ensemble))
        signals = self.model.sig[ensemble.neurons]
        initial = [signals[name].initial_value for name in neurons.state]
        states = self.state(ensemble, np.reshape(initial, (-1, ensemble.n_neurons)))
        if type(neurons) in compiled.WINDOWS:
            return kernels.spiking_window(neurons, self.dt, J, self.n_steps, states)
        output = np.zeros((self.n_steps, *J.shape[1:]), self.dtype)
        for k in range(self.n_steps):
            current = J[k % len(J)].copy()
            neurons.step(
                self.dt, current, output[k], **dict(zip(neurons.state, states, strict=True))
            )
        return kernels.spikes(output) if neurons.spiking else output

    def current(self, ensemble):
        """Return the input current of an ensemble's neurons."""
        built = self.model.params[ensemble]
        incoming = self.simulator.incoming[ensemble]
        terms = [self.term(c) for c in incoming if c.post_obj is not ensemble]
        encoded = [c for c in incoming if c.post_obj is ensemble]
        if encoded:
            x = self.input(encoded, np.zeros(ensemble.size_in))
            encoders = np.ascontiguousarray(built.scaled_encoders.T, self.dtype)
            terms.append((x, encoders))
        return self.total(terms, built.bias)

    # ------------------------------------------------------------------------- connections

    def input(self, connections, bias):
        """Return the sum of what the connections bring, and a bias."""
        return self.total([self.term(c) for c in connections], bias)

    def term(self, connection):
        """Return a signal and the linear map through which it reaches its post object."""
        x = self.signals[vertex(connection.pre_obj)]
        if not isinstance(connection.pre_obj, nengo.Ensemble):  # decoders select for themselves
            x = x if connection.pre_slice == slice(None) else x[..., connection.pre_slice]
        weights, places = self.simulator.maps[connection]
        if connection.synapse is None and places is None:
            return x, weights
        return self.through(connection, self.total([(x, weights)])), places

    def total(self, terms, bias=0.0):
        """Return the sum of signals through their linear maps, and a bias."""
        if len(terms) == 1 and not np.any(bias):
            x, linear_map = terms[0]
            if linear_map is None:
                return x
            if sparse.issparse(x) and sparse.issparse(linear_map):
                return x @ linear_map
        period = max((self.n_rows(x) for x, _ in terms), default=1)
        if any(period % self.n_rows(x) for x, _ in terms):
            period = self.n_steps
        size = kernels.size_out(terms[0][1], terms[0][0].shape[-1]) if terms else np.shape(bias)[0]
        result = np.zeros((period, len(self.items), size), self.dtype)
        if np.any(bias):
            result += np.asarray(bias, self.dtype)
        for x, linear_map in terms:
            if self.n_rows(x) == period:
                kernels.add(result, x, linear_map)
            else:
                y = self.dense(self.total([(x, linear_map)]))
                whole = period // len(y) * len(y)
                result[:whole].reshape(-1, *y.shape)[...] += y
                result[whole:] += y[: period - whole]
        return result

    def through(self, obj, x):
        """Return a signal after the synapse of a connection or a probe."""
        synapse = self.simulator.synapses[obj]
        if synapse is None:
            return x
        if isinstance(synapse, LinearFilter):
            x = self.dense(x)
            constants = kernels.Filter.of(synapse, self.dt, self.dtype)
            state = self.state(obj, np.zeros((constants.n_states, x.shape[-1])))
            return kernels.filtered(constants, x, self.n_steps, state)
        if sparse.issparse(x):
            x = self.repeated(x, self.n_steps)
            return kernels.through(synapse, x, self.dt, self.items, self.n_steps)
        if isinstance(synapse, PhaseEncoder) and len(x) == 1:
            return kernels.encode_constant(synapse, x[0], self.dt, self.n_steps, self.dtype)
        return kernels.spikes(kernels.through_steps(synapse, x, self.dt, self.items, self.n_steps))

    def n_rows(self, x):
        """Return a signal's number of steps."""
        return x.shape[0] // len(self.items) if sparse.issparse(x) else len(x)

    def dense(self, x):
        """Return a signal as an array."""
        return x.toarray().reshape(-1, len(self.items), x.shape[-1]) if sparse.issparse(x) else x

    def repeated(self, x, n_steps):
        """Return the first ``n_steps`` steps of a signal that repeats."""
        if n_steps == self.n_rows(x):
            return x
        if sparse.issparse(x):
            times = -(-n_steps // self.n_rows(x))
            return sparse.vstack([x] * times, "csr")[: n_steps * len(self.items)]
        return np.take(x, np.arange(n_steps) % len(x), axis=0)

    def probe(self, probe):
        """Return what a probe sees of its target."""
        x = self.signals[vertex(probe.obj)]
        if probe.slice is not None:
            x = x[..., probe.slice]
        return self.through(probe, x)

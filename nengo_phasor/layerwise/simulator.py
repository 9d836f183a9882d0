"""A simulator for spiking networks that runs one layer over the whole window at a time.

Nengo advances the whole network step by step. Without loops that is not necessary: a layer's input
over the whole window is one product of its presynaptic spikes, which are sparse, with the weights,
and the loops over neurons and steps are compiled. Whole test sets thus run in batches, many times
as fast and with the same spikes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.exceptions import (
    BuildError,
    ReadonlyError,
    SimulationError,
    ValidationError,
)
from nengo.rc import rc
from nengo.utils.progress import ProgressBar

from nengo_phasor.checks import check_integer, check_positive, check_positive_integer
from nengo_phasor.layerwise import feedforward
from nengo_phasor.layerwise.batch import run_batch
from nengo_phasor.layerwise.feeding import Feeding
from nengo_phasor.layerwise.recorded import SimulationData
from nengo_phasor.layerwise.sampling import sampled
from nengo_phasor.layerwise.span import State, check_state
from nengo_phasor.layerwise.training import Training

MOST_STEPS = 2**31 - 1
"""The largest number of steps, since `.dynamics.dropped_at_random` takes it as 32-bit integer."""


class Simulator(Training):
    """Runs and trains a network over a window of time, a layer at a time, for a batch of inputs.

    It has the interface of `nengo.Simulator`, and for data that of `nengo_dl.Simulator`: a script
    changes the name and passes ``minibatch_size=None``. The network may have nodes, ensembles of
    neurons of any type, any synapses, and dense, sparse and convolution transforms. Neuron types
    registered with `.layerwise.register` and synapses whose class declares the required properties
    are fast. Any other neuron type runs by its own ``step``, and any other synapse by its own
    ``make_step``, for each item as in `nengo.Simulator`. Functions of nodes are assumed to have no
    memory: they are called once for each step and item. Random neurons draw the same numbers for
    every item, as in each run of Nengo. Random processes with a seed give the same output as in
    Nengo; the others use the simulator's seed.

    Parameters
    ----------
    network : nengo.Network
        The network.
    dt : float
        The time step, in seconds.
    seed : int, optional
        The seed of random processes that have none. By default the network's seed plus 1, as in
        Nengo.
    minibatch_size : int, optional
        The number of items that `run` and `run_steps` take, 1 by default. Data have an axis of
        items, (minibatch_size, n_steps, n). None means one item whose data have Nengo's own shape,
        (n_steps, n). `predict` takes any number of items, and its data always have this axis.
    progress_bar : bool or nengo.utils.progress.ProgressBar
        Whether runs that take longer than a second show a progress bar, or the bar to use.
    dtype : str, optional
        The precision, "float64" or "float32". By default it is Nengo's own. Only in double
        precision are the spikes exactly those of `nengo.Simulator`.
    threads : int, optional
        The number of threads. By default it is the number of processors.

    Attributes
    ----------
    network, model
        The network, and the `nengo.builder.Model` that Nengo built it into.
    data : mapping
        The data by Nengo object: the values seen by each probe, and the built form of each ensemble
        and connection (``sim.data[ensemble].encoders``, ``sim.data[connection].weights``).
    n_steps : int
        The number of steps that were run.
    closed : bool
        Whether the simulator was closed. Its data are kept.

    Raises
    ------
    nengo.exceptions.BuildError
        If a part of the network can't be run here. The message names the object and the simulator
        to use instead.
    nengo.exceptions.ValidationError
        If network is not a network, dtype is neither "float64" nor "float32", dt is not greater
        than 0, seed is not an integer of 0 or more, or minibatch_size or threads is not a positive
        integer.
    """

    def __init__(
        self,
        network: nengo.Network,
        dt: float = 0.001,
        seed: int | None = None,
        minibatch_size: int | None = 1,
        progress_bar: bool | ProgressBar | None = True,
        dtype: str | None = None,
        threads: int | None = None,
    ):
        if not isinstance(network, nengo.Network):
            path = isinstance(network, str | os.PathLike)
            remedy = ": load it first, with nengo_phasor.load" if path else ""
            raise ValidationError(
                f"must be a nengo.Network, got {network!r}{remedy}", "network", self
            )
        self.network = network
        self.minibatch_size = minibatch_size
        self.progress_bar = progress_bar
        self.dtype = np.dtype(dtype or rc.float_dtype)
        self.threads = os.cpu_count() if threads is None else threads
        if self.dtype.name not in ("float64", "float32"):
            raise ValidationError(f'must be "float64" or "float32", got {dtype}', "dtype", self)
        check_positive(dt, "dt", self)
        for attr in ("minibatch_size", "threads"):
            if getattr(self, attr) is not None:
                check_positive_integer(getattr(self, attr), attr, self)
        self.incoming = feedforward.incoming(network)
        self.order = feedforward.layer_order(self.incoming)
        self.model = Model(dt=dt)
        self.model.build(network)
        self._parts = feedforward.parts(network, self.model, self.dtype)
        self.may_be_missing = feedforward.may_be_missing(network)
        self._feeding = Feeding(network, self.dtype, self.may_be_missing)
        nothing = {
            p: np.zeros((minibatch_size or 1, 0, p.size_in), self.dtype) for p in network.all_probes
        }
        self.data = SimulationData(self.model.params, nothing, minibatch_size is not None)
        self.closed = False
        self.reset(self.model.seeds[network] + 1 if seed is None else seed)

    def __repr__(self) -> str:
        """Describe the network, the settings, and the simulated time."""
        network = self.network
        return (
            f"<layerwise.Simulator of {network}: {len(network.all_ensembles)} ensembles, "
            f"{len(network.all_connections)} connections, dt={self.dt:g} s, "
            f"minibatch_size={self.minibatch_size}, {self.dtype}; "
            f"{'closed' if self.closed else 'open'}, at {self.time:g} s>"
        )

    def __enter__(self) -> Simulator:
        self._check_open()
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    @property
    def dt(self) -> float:
        """The time step, in seconds."""
        return self.model.dt

    @dt.setter
    def dt(self, dt):
        raise ReadonlyError(attr="dt", obj=self)

    @property
    def time(self) -> float:
        """The simulated time, in seconds."""
        return self.n_steps * self.dt

    def close(self) -> None:
        """Close the simulator, which can't run afterwards. The data are kept."""
        self.closed = True

    def reset(self, seed: int | None = None) -> None:
        """Return to time 0 and discard the probed data.

        Parameters
        ----------
        seed : int, optional
            The new seed of random processes that have none. By default it is unchanged.

        Raises
        ------
        nengo.exceptions.SimulatorClosed
            If the simulator was closed.
        nengo.exceptions.ValidationError
            If the seed is not an integer of 0 or more.
        """
        self._check_open()
        if seed is not None:
            check_integer(seed, "seed", self, low=0, high=2**32 - 1)
            self.seed = seed
        self.n_steps = 0
        self._reached: State | None = None
        self.clear_probes()

    def clear_probes(self) -> None:
        """Discard the probed data, without changing the time."""
        self.data.clear()

    def trange(self, sample_every: float | None = None) -> np.ndarray:
        """Return the times of the simulated steps, in seconds.

        Parameters
        ----------
        sample_every : float, optional
            The sampling interval of a probe, in seconds, for the times of its samples.
        """
        return self.dt * (1 + sampled(sample_every, self.dt, 0, self.n_steps))

    def run(
        self,
        time_in_seconds: float,
        data: Mapping | None = None,
        progress_bar: bool | ProgressBar | None = None,
    ) -> None:
        """Run for a time in seconds; see `run_steps`."""
        check_positive(time_in_seconds, "time_in_seconds", self)
        self.run_steps(int(np.round(time_in_seconds / self.dt)), data, progress_bar)

    def step(self) -> None:
        """Run one step; see `run_steps`. Running a whole window at once is much faster."""
        self.run_steps(1, progress_bar=False)

    def run_steps(
        self,
        n_steps: int,
        data: Mapping | None = None,
        progress_bar: bool | ProgressBar | None = None,
    ) -> None:
        """Run for a number of steps, and add the probed values to ``data``.

        Parameters
        ----------
        n_steps : int
            The length of the window, in time steps.
        data : {nengo.Node: (minibatch_size, n_steps or 1, n) array_like}, optional
            The outputs of nodes without input, which replace their own. A single step represents a
            constant. If minibatch_size is None, the shape is (n_steps or 1, n).
        progress_bar : bool or nengo.utils.progress.ProgressBar, optional
            The progress bar. By default that of the simulator.

        Raises
        ------
        nengo.exceptions.SimulationError
            If the simulator has run before and the network has a synapse or process whose state is
            not kept, so that a second run can't continue.
        nengo.exceptions.SimulatorClosed
            If the simulator was closed.
        nengo.exceptions.ValidationError
            If the data have the wrong shape or type or are for an object that takes none, or if
            n_steps is less than 1.
        """
        self._check_open()
        found = self.parts.not_kept()
        if self.n_steps and found:
            obj, process = found
            raise SimulationError(
                f"{obj}: layerwise does not keep the state of its {type(process).__name__} from "
                "one run, or step, to the next. Run for longer at once, call reset() before "
                "another run, or use nengo.Simulator"
            )
        arrays = self._feeding.arrays(
            {} if data is None else data, one_item=self.minibatch_size is None
        )
        seen, self._reached = self._predict(
            arrays, n_steps, self.minibatch_size or 1, self._reached, found is None, progress_bar
        )
        self.data.extend(seen)
        self.n_steps += n_steps

    def predict(
        self,
        data: Mapping,
        n_steps: int | None = None,
        progress_bar: bool | ProgressBar | None = None,
    ) -> dict[Any, np.ndarray]:
        """Return the values seen by the probes for each item of the data.

        Parameters
        ----------
        data : {nengo.Node: (n_items, n_steps or 1, n) array_like}
            The outputs of nodes without input, which replace their own.
        n_steps : int, optional
            The length of the window, in time steps. By default it is that of the data. It is
            required if the data are constants and the network has spiking neurons.
        progress_bar : bool or nengo.utils.progress.ProgressBar, optional
            The progress bar. By default that of the simulator.

        Returns
        -------
        {nengo.Probe: (n_items, n_steps, n) ndarray}

        Raises
        ------
        nengo.exceptions.SimulatorClosed
            If the simulator was closed.
        nengo.exceptions.ValidationError
            If the data have the wrong shape or type or are for an object that takes none, or if
            n_steps is less than 1, or is missing where the data are constants for spiking neurons.
        """
        self._check_open()
        data, n_items = self._feeding.batch(data)
        steps = max(x.shape[1] for x in data.values()) if n_steps is None else n_steps
        if n_steps is None and steps == 1 and any(x.spiking for x in self.parts.layers.values()):
            raise ValidationError(
                "is missing: the data are constants, and one step is not enough for spiking "
                "neurons. Give the number of steps to run",
                attr="n_steps",
                obj=self,
            )
        return self._predict(data, steps, n_items, progress_bar=progress_bar)[0]

    def advance(
        self, data: Mapping, n_steps: int, state: State | None = None
    ) -> tuple[dict[Any, np.ndarray], State]:
        """Return the values seen by the probes and the final state, from which to continue.

        The states of all neurons and filters are kept for each item, so use batches that fit into
        memory. Another simulator can continue from a state if its network has the same objects:
        `nengo_phasor.convert` changes the precision of a network in place.

        Parameters
        ----------
        data, n_steps
            The data and the length of the window, as in `predict`.
        state : `.State`, optional
            The state from which to continue. By default the network starts from rest.
            ``state[items]`` selects the state of some items.

        Raises
        ------
        nengo.exceptions.BuildError
            If the network has a synapse or process whose state is not kept.
        nengo.exceptions.SimulationError
            If a node's function or process returns values that are not finite.
        nengo.exceptions.SimulatorClosed
            If the simulator was closed.
        nengo.exceptions.ValidationError
            For the reasons given in `predict`, or if there are no items, or if the state is that of
            another network, time step, or number of items.
        """
        self._check_open()
        data, n_items = self._feeding.batch(data)
        if not n_items:
            raise ValidationError("must have at least one item", "data", self)
        found = self.parts.not_kept()
        if found:
            obj, process = found
            raise BuildError(
                f"{obj}: the state of its {type(process).__name__} is not kept: use predict"
            )
        if state is not None:
            check_state(state, self.parts.with_state(), n_items, self.dt)
        return self._predict(data, n_steps, n_items, state, keep=True)

    def _predict(self, data, n_steps, n_items, state=None, keep=False, progress_bar=None):
        self._check_length(n_steps, state.n_steps if state else 0)
        self._feeding.check_window(data, n_steps, n_items)
        bar = self.progress_bar if progress_bar is None else progress_bar
        return run_batch(self, data, n_steps, n_items, state, keep, bar)

    def _check_length(self, n_steps, start):
        check_positive_integer(n_steps, "n_steps", self)
        if start + n_steps > MOST_STEPS:
            raise ValidationError(
                f"must be {MOST_STEPS - start} or less, got {n_steps}", "n_steps", self
            )

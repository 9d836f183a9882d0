"""nengo-loihi's emulator without a Python loop over spikes: the same results in less time.

It also runs models that nengo-loihi's own emulator can't: those with compartments of our neurons
(`.compartments`), and those with spikes that are sparsified or delayed on their way.
`nengo_loihi.Simulator` uses it automatically for such models. For any other model, replace
`nengo_loihi.Simulator` by `Simulator`::

    from nengo_phasor.loihi import emulator

    with emulator.Simulator(network, target="sim") as sim:
        sim.run(1.0)

It differs only in its emulator, which is `EmulatorInterface` here. This keeps nengo-loihi's order
of events and its exact arithmetic, with integers and with floats: currents are added spike by
spike in the same order, and random numbers are drawn in the same order if any of them matters. For
the following it uses nengo-loihi's own code:

- synapses that its flat arrays can't represent (an axon that reaches a compartment twice, or
  indices that point outside of the block);
- compartments with noise, or of a network that is not discretised (``target="simreal"``);
- the update of learned weights.

Weights are read when the simulator is created; afterwards only learning may change them.
"""

from __future__ import annotations

import warnings
from itertools import groupby
from typing import Any

import nengo_loihi
import numpy as np
from nengo.exceptions import SimulatorClosed
from nengo_loihi.builder.discretize import Q_BITS, U_BITS
from nengo_loihi.emulator import interface
from nengo_loihi.simulator import StepRunner

from nengo_phasor.listing import shows_public_names
from nengo_phasor.loihi.compartments import STATE_KEY, NeuronCompartment
from nengo_phasor.loihi.delivery import SynapseState, Way

__dir__ = shows_public_names(__name__)

DECAY_BITS = 12
"""The number of bits of the chip's decays, which are in units of 1 / 2**12."""


class Simulator(nengo_loihi.Simulator):
    """`nengo_loihi.Simulator` with the faster `EmulatorInterface`.

    It takes the same parameters and gives the same data, bit for bit, and it can also be reset.
    With ``target="loihi"`` it is the same as nengo-loihi's.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        stock = self.sims.get("emulator")
        if stock is not None and not isinstance(stock, EmulatorInterface):
            stock.close()
            self.sims["emulator"] = EmulatorInterface(self.model, seed=stock.seed)
            self._runner = StepRunner(self.model, self.sims, self.precompute, self.timers)

    def reset(self, seed: int | None = None) -> None:
        """Reset states, probes and time to their initial values.

        Parameters
        ----------
        seed : int, optional
            The seed of random numbers from here on. By default it is the initial seed.

        Raises
        ------
        nengo.exceptions.SimulatorClosed
            If the simulator is closed.
        NotImplementedError
            If weights are learned, or the chip is not emulated.
        """
        if self.closed:
            raise SimulatorClosed("Cannot reset closed Simulator.")
        if "emulator" not in self.sims or self.sims["emulator"].synapses.traces:
            super().reset(seed)
        for sim in self.sims.values():
            sim.reset(seed)
        self.clear_probes()
        self._n_steps, self._time = 0, 0
        self._runner = StepRunner(self.model, self.sims, self.precompute, self.timers)


class EmulatorInterface(interface.EmulatorInterface):
    """nengo-loihi's `EmulatorInterface`, with faster compartments and synapses.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
        The model to simulate.
    seed : int, optional
        The seed of the noise and of stochastic rounding.
    """

    synapses: Any

    def __init__(self, model, seed: int | None = None):
        super().__init__(model, seed=seed)
        self._model = model
        ways = {
            axon: Way(axon.route, model.block_comp_map.get(block), block, model.dt)
            for block in self.block_info.blocks
            for axon in block.axons
            if getattr(axon, "route", None)
        }
        self.synapses = SynapseState(
            self.block_info,
            self.inputs,
            self.axons.slices,
            ways,
            pes_error_scale=self.synapses.pes_error_scale,
            strict=self.strict,
        )
        self._start(self.seed)

    def reset(self, seed: int | None = None) -> None:
        """Reset everything except learned weights to the initial values."""
        for spike_input in self.inputs:
            for ti in set(spike_input.spikes) - spike_input.permanent:
                del spike_input.spikes[ti]
        self._start(self.seed if seed is None else seed)

    def step(self) -> None:
        """Advance by a time step, as nengo-loihi does, skipping absent parts."""
        self.t += 1
        self.compartment.advance_input()
        self.synapses.inject_current(self.t, self.inputs, self.axons, self.compartment.spiked)
        self.synapses.update_input(self.compartment.input)
        if self.synapses.traces:
            self.synapses.update_traces(self.t, self.rng)
            self.synapses.update_weights(self.t, self.rng)
        self.compartment.update(self.rng)
        self.probes.update(self.t, self.compartment)

    def _start(self, seed):
        self.t = 0
        self.rng = np.random.RandomState(seed)
        self.synapses.reset()
        self.compartment = CompartmentState(
            self.block_info, strict=self.strict, draws=bool(self.synapses.traces)
        )
        self.probes = ProbeState(self.block_info, list(self._model.probes), self._model.dt)


class ProbeState(interface.ProbeState):
    """nengo-loihi's `ProbeState`, which also finds the states of our neurons."""

    def update(self, t, compartment):
        """Record the values that the probes see in a step."""
        for probe, blocks in self.probes.items():
            values = compartment.values(probe.key)
            parts = zip(self.outputs[probe], blocks.values(), probe.slice, strict=True)
            for output, where, place in parts:
                output.append(values[where][place].copy())


# ---------------------------------------------------------------------------------- compartments


class Group:
    """Neighbouring compartments of ours of the same kind, which are advanced together.

    Parameters
    ----------
    parts : list of (NeuronCompartment, slice)
        The compartments and their places.
    dtype : dtype
        The type of the states, which have shape (n_states, n).
    """

    def __init__(self, parts, dtype):
        self.parts = parts
        compartments = [compartment for compartment, _ in parts]
        self.compartment = compartments[0].joined(compartments)
        self.where = slice(parts[0][1].start, parts[-1][1].stop)
        self.states = np.concatenate([part.start(dtype) for part in compartments], axis=1)


def _neighbours(items):
    """Return runs of neighbouring compartments of ours of the same kind, in order."""
    runs = [list(run) for _, run in groupby(items, lambda item: type(item[0]))]
    return [run for run in runs if isinstance(run[0][0], NeuronCompartment)]


class CompartmentState(interface.CompartmentState):
    """nengo-loihi's `CompartmentState`, whose update of integers makes no temporary arrays.

    Parameters
    ----------
    block_info : nengo_loihi.emulator.interface.BlockInfo
        The blocks of the model.
    strict : bool
        Whether overflow raises an error instead of a warning.
    draws : bool
        Whether anything besides noise needs random numbers. If so, the numbers for the noise are
        drawn even if no compartment has noise.

    Attributes
    ----------
    groups : list of Group
        Our compartments.
    clipped : dict of {nengo.ensemble.Neurons: int}
        The number of values, over neurons and steps, that did not fit into their bits.
    """

    def __init__(self, block_info, strict=True, draws=True):
        super().__init__(block_info, strict=strict)
        self._draws = draws
        self.groups = [Group(parts, self.dtype) for parts in _neighbours(self.items())]
        self.clipped = {part.neurons: 0 for group in self.groups for part, _ in group.parts}
        n_ours = sum(group.compartment.n_compartments for group in self.groups)
        self._some_stock = n_ours < self.n_compartments
        kept_u = 2**DECAY_BITS - 1 - self.decay_u.astype(np.int64)
        kept_v = 2**DECAY_BITS - self.decay_v.astype(np.int64)
        self._is_fast = bool(
            self.dtype == np.int32
            and not np.any(self.noise.enabled)
            and min(kept_u.min(), kept_v.min()) >= 0
            and self.vmin.min() > np.iinfo(np.int32).min
        )
        # the fraction kept in a step; exact, as are its products with 32-bit integers
        self._kept_u, self._kept_v = kept_u / 2**DECAY_BITS, kept_v / 2**DECAY_BITS
        self._product = np.zeros(self.n_compartments)
        self._total = np.zeros_like(self.current)
        self._moved = np.zeros(self.n_compartments, dtype=np.int32)
        self._unsigned = self._moved.view(np.uint32)
        self._mask = np.zeros(self.n_compartments, dtype=bool)

    def update(self, rng):
        """Advance all compartments by a step."""
        arrived = [self.input[0, group.where] for group in self.groups]
        if self._some_stock:
            arrived = [brought.copy() for brought in arrived]
            for group in self.groups:
                self.input[0, group.where] = 0
            self._update_stock(rng)
        for group, brought in zip(self.groups, arrived, strict=True):
            spiked, group.states, outside = group.compartment.advance(brought, group.states)
            self.spiked[group.where] = spiked
            self.spike_count[group.where] += spiked
            if outside is not None and np.logical_or.reduce(outside, axis=None):
                self._note(group, outside)

    def values(self, key: str) -> np.ndarray:
        """Return the values that a probe of a key sees: an attribute, or a state of our neurons.

        A state is 0 for compartments that have no state of that name.
        """
        name = key.removeprefix(STATE_KEY)
        if name == key:
            return getattr(self, key)
        values = np.zeros(self.n_compartments, self.dtype)
        for group in self.groups:
            if name in group.compartment.states:
                values[group.where] = group.states[group.compartment.states.index(name)]
        return values

    def _note(self, group, outside):
        for compartment, where in group.parts:
            start = where.start - group.where.start
            n = np.count_nonzero(outside[:, start : start + compartment.n_compartments])
            if n and not self.clipped[compartment.neurons]:
                warnings.warn(
                    f"{compartment.neurons}: states did not fit into their bits and were clipped; "
                    "the emulator counts how often (compartment.clipped). Make the weights "
                    "smaller, or the spikes fewer",
                    stacklevel=2,
                )
            self.clipped[compartment.neurons] += n

    def _update_stock(self, rng):
        if not self._is_fast:
            super().update(rng)
            return
        if self._draws:
            self.noise.sample(rng)
        arrived = self.input[0]
        self._check(arrived, Q_BITS, "q0")
        self._decay(self.current, self._kept_u)
        self.current += arrived
        self._check(self.current, U_BITS, "current")
        total = np.add(self.current, self.bias, out=self._total)
        self._check(total, U_BITS, "u2")

        self._decay(self.voltage, self._kept_v)
        self.voltage += total
        np.maximum(self.voltage, self.vmin, out=self.voltage)
        np.minimum(self.voltage, self.vmax, out=self.voltage)
        np.copyto(self.voltage, 0, where=np.greater(self.ref_count, 0, out=self._mask))

        np.greater(self.voltage, self.vth, out=self.spiked)
        np.copyto(self.voltage, 0, where=self.spiked)
        np.copyto(self.ref_count, self.ref, where=self.spiked)
        self.ref_count -= 1
        np.maximum(self.ref_count, 0, out=self.ref_count)
        self.spike_count += self.spiked

    def _decay(self, state: np.ndarray, kept: np.ndarray) -> None:
        # nengo-loihi's shift of the magnitude rounds towards zero, and so does the conversion
        np.multiply(state, kept, out=self._product)
        np.copyto(state, self._product, casting="unsafe")

    def _check(self, state: np.ndarray, bits: int, name: str) -> None:
        # shifted up, the range starts at 0, and values below it are large as unsigned integers
        np.add(state, 2**bits, out=self._moved)
        if np.maximum.reduce(self._unsigned) >= 2 ** (bits + 1):
            self._overflow(state, bits=bits, name=name)

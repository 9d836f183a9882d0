"""Delivery of spikes for `.emulator`: all spikes of a step at once, along their routes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from operator import itemgetter

import numpy as np
from nengo_loihi.block import Axon, Synapse
from nengo_loihi.emulator import interface

from nengo_phasor.loihi.links import Link, joined, links
from nengo_phasor.loihi.relays import late_tick


class Way:
    """A route of spikes from a block, with its state.

    Parameters
    ----------
    route : `.builders.Route`
        The treatment of spikes on the route.
    indices : sequence of int or None
        The indices of the block's neurons in their ensemble; None for all neurons.
    block : nengo_loihi.block.LoihiBlock
        The source of the spikes.
    dt : float
        The time step, in seconds.
    """

    def __init__(self, route, indices, block, dt):
        self.route = route
        neurons = np.arange(block.n_neurons) if indices is None else np.array(list(indices))
        if route.gate is not None:
            self.constants = route.gate.constants(dt, neurons, np.zeros(1, int))
        self.reset()

    def reset(self) -> None:
        """Discard the waiting spikes."""
        self.waiting = deque([np.zeros(0, np.intp)] * self.route.delay)

    def passed(self, t: int, spiked: np.ndarray) -> np.ndarray:
        """Return the neurons whose spikes leave the route in step t, given those of step t - 1.

        ``spiked`` has shape (n_neurons,), the result has shape (n_spikes,).
        """
        gate = self.route.gate
        if gate is not None:
            tick = late_tick(t - 1, self.route.late)
            (spiked,) = gate.advanced(np, tick, spiked.astype(float), self.constants)
        self.waiting.append(spiked.nonzero()[0])
        return self.waiting.popleft()


class Fan:
    """The weights of a synapse as flat arrays, for looking up all spikes of a step at once.

    A row is the input that one spike adds to the compartments. There is one row for each array of
    weights and atom. An axon leads to the row of its array and the spike's atom, shifted by the
    axon's base.

    Parameters
    ----------
    synapse : nengo_loihi.block.Synapse
        A synapse for which `can_flatten` returns True.
    """

    def __init__(self, synapse: Synapse):
        self.synapse = synapse
        self.bases, first_rows = _axon_table(synapse)
        self.first_rows = first_rows * synapse.weights[0].shape[0]
        self.moved = bool(np.any(self.bases != 0))
        self.lengths = np.repeat(
            [weights.shape[1] for weights in synapse.weights], synapse.weights[0].shape[0]
        )
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.indices = _flat(synapse.indices).astype(np.intp)
        self.weights = _flat(synapse.weights)
        width = self.lengths[0]
        # integers may be added in any order
        self.dense = bool(
            np.issubdtype(self.weights.dtype, np.integer)
            and not self.moved
            and width > 0
            and np.all(self.lengths == width)
            and np.all(self.indices.reshape(-1, width) == np.arange(width))
        )
        self.table = self.weights.reshape(-1, width) if self.dense else None
        self.in_order = np.array_equal(self.first_rows, np.arange(len(self.first_rows)))

    def refresh(self) -> None:
        """Update the weights in place from the synapse."""
        self.weights[...] = _flat(self.synapse.weights)

    def add(self, current: np.ndarray, axons: np.ndarray, atoms: np.ndarray | None) -> int:
        """Add the weights of spikes to the compartments' input, in the order of the spikes.

        Parameters
        ----------
        current : (n_compartments,) ndarray
            The compartments' input, which is changed in place.
        axons, atoms : (n_spikes,) ndarray of int
            The places where the spikes arrive. If atoms is None, all atoms are 0.

        Returns
        -------
        int
            The number of weights that were added.
        """
        rows = axons if self.in_order else self.first_rows[axons]
        if atoms is not None:
            rows = rows + atoms
        if self.moved:
            bases = self.bases[axons]
            used = bases >= 0
            rows, bases = rows[used], bases[used]
        if self.table is not None:
            brought = self.table.take(rows, axis=0)
            current[: brought.shape[1]] += np.add.reduce(brought, axis=0, dtype=current.dtype)
            return brought.size
        lengths = self.lengths[rows]
        ends = np.cumsum(lengths)
        if not len(ends):
            return 0
        positions = np.repeat(self.starts[rows] - ends + lengths, lengths)
        positions += np.arange(ends[-1])
        targets = self.indices[positions]
        if self.moved:
            targets += np.repeat(bases, lengths)
        # unbuffered and one by one, because with floats the order determines the last bit
        np.add.at(current, targets, self.weights[positions])
        return len(targets)


def _flat(arrays: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays])


def _axon_table(synapse: Synapse) -> tuple[np.ndarray, np.ndarray]:
    """Return the base (-1 if unused) and the index of the weights of each axon."""
    bases = [synapse.axon_compartment_base(axon) for axon in range(synapse.n_axons)]
    weights = [synapse.axon_weight_idx(axon) for axon in range(synapse.n_axons)]
    return (
        np.array([-1 if base is None else base for base in bases], dtype=np.intp),
        np.array(weights, dtype=np.intp),
    )


def can_flatten(
    synapse: Synapse, axons: Iterable[Axon], n_compartments: int, dtype: np.dtype
) -> bool:
    """Return whether adding all spikes at once equals nengo-loihi's adding them one by one.

    NumPy's ``x[i] += w`` counts an index once even if ``i`` has it twice, counts negative indices
    from the end, and raises an error for others out of range. A `Fan` does none of this.

    Parameters
    ----------
    synapse : nengo_loihi.block.Synapse
        The synapse.
    axons : iterable of nengo_loihi.block.Axon
        All axons that lead to the synapse.
    n_compartments : int
        The number of compartments in the synapse's block.
    dtype : dtype
        The type of the compartments' input.
    """
    weights, indices = synapse.weights, synapse.indices
    if not weights or len(weights) != len(indices):
        return False
    n_atoms = weights[0].shape[0]
    for w, i in zip(weights, indices, strict=True):
        if w.dtype != dtype or w.shape != i.shape or w.shape[0] != n_atoms:
            return False
        ordered = np.sort(i, axis=1)
        if np.any(ordered[:, 1:] == ordered[:, :-1]):
            return False
    for axon in axons:
        atoms = axon.compartment_atoms
        if atoms is not None and np.any((np.asarray(atoms) < 0) | (np.asarray(atoms) >= n_atoms)):
            return False

    bases, arrays = _axon_table(synapse)
    bases, arrays = bases[bases >= 0], arrays[bases >= 0]
    if np.any((arrays < 0) | (arrays >= len(weights))):
        return False
    lowest = np.array([i.min(initial=n_compartments) for i in indices])
    highest = np.array([i.max(initial=-1 - n_compartments) for i in indices])
    return bool(
        np.all(bases + lowest[arrays] >= 0) and np.all(bases + highest[arrays] < n_compartments)
    )


class SynapseState(interface.SynapseState):
    """nengo-loihi's `SynapseState`, with a `Fan` for each synapse of a block where possible.

    Parameters
    ----------
    block_info : nengo_loihi.emulator.interface.BlockInfo
        The blocks of the model.
    inputs : list of nengo_loihi.inputs.SpikeInput
        The sources of spikes from outside the chip.
    axons : dict of {nengo_loihi.block.Axon: slice}
        All axons of blocks, with the places of their blocks' neurons.
    ways : dict of {nengo_loihi.block.Axon: Way}
        The axons whose spikes have a route.
    pes_error_scale : float
        The scale of the errors of PES learning rules.
    strict : bool
        Whether a loss on the chip, such as overflow, raises an error instead of a warning.

    Attributes
    ----------
    fans : dict of {Synapse: Fan}
        The synapses that get spikes as arrays. In nengo-loihi's own code no spikes reach them.
    arrived : list of (int, Synapse, ndarray, ndarray or None)
        The spikes of this step for the synapses of ``fans``: place among them, synapse, axons,
        atoms.
    from_inputs : list of (SpikeInput, list of Link, list of Axon)
        Each input, with the links and the axons through which its spikes pass.
    from_blocks, from_axons : list of (slice, list of Link), dict of {Axon: slice}
        The links and the axons through which the spikes of blocks pass.
    fired : list of (Link, ndarray)
        The spikes of this step for links.
    received : int
        The number of spikes received from inputs.
    """

    def __init__(self, block_info, inputs, axons, ways, pes_error_scale=1.0, strict=True):
        super().__init__(block_info, pes_error_scale=pes_error_scale, strict=strict)
        self.ways = ways
        leading = {synapse: [] for synapse in self.slices}
        for axon in (*axons, *(axon for i in inputs for axon in i.axons)):
            leading[axon.target].append(axon)
        # All or none of a block's synapses, because with floats their order matters.
        self.fans = {
            synapse: Fan(synapse)
            for block in block_info.blocks
            if all(can_flatten(s, leading[s], block.n_neurons, self.dtype) for s in block.synapses)
            for synapse in block.synapses
        }
        self.places = {synapse: k for k, synapse in enumerate(self.fans)}
        self.arrived, self.fired = [], []
        self._some_slow = len(self.fans) < len(self.slices)
        self._some_unused = {
            axon: axon.compartment_map is not None and bool(np.any(axon.compartment_map < 0))
            for leading_here in leading.values()
            for axon in leading_here
        }
        self.from_inputs = [
            (
                spike_input,
                self._links(spike_input.axons, spike_input.n_neurons),
                [axon for axon in spike_input.axons if not self._is_linked(axon)],
            )
            for spike_input in inputs
        ]
        sources = (
            (block_info.slices[block], self._links(block.axons, block.n_neurons))
            for block in block_info.blocks
        )
        self.from_blocks = joined((where, own) for where, own in sources if own)
        self.from_axons = {a: where for a, where in axons.items() if not self._is_linked(a)}
        self.reset()

    def _is_linked(self, axon: Axon) -> bool:
        fan = self.fans.get(axon.target)
        is_plain = axon not in self.ways and not self._some_unused[axon]
        return fan is not None and fan.dense and is_plain and axon.target not in self.traces

    def _links(self, axons: Iterable[Axon], n_neurons: int) -> list[Link]:
        return links(filter(self._is_linked, axons), self.fans, self.slices, n_neurons)

    @property
    def operations(self) -> dict[Synapse, int]:
        """The number of weights that spikes have passed, for the synapses of ``fans``."""
        counts = dict(self.added)
        for link in self._every_link():
            for synapse in link.synapses:
                counts[synapse] += link.n_spikes * self.fans[synapse].table.shape[1]
        return counts

    def _every_link(self) -> Iterator[Link]:
        for _, own, _ in self.from_inputs:
            yield from own
        for _, own in self.from_blocks:
            yield from own

    def reset(self) -> None:
        """Discard all spikes that are being delivered, and the counts."""
        for queue in (*self.spikes_in.values(), self.arrived, self.fired):
            queue.clear()
        for way in self.ways.values():
            way.reset()
        for link in self._every_link():
            link.n_spikes = 0
        self.added = dict.fromkeys(self.fans, 0)
        self.received = 0

    def inject_current(self, t, spike_inputs, all_axons, spiked):
        """Pass the spikes of inputs and axons to synapses, in nengo-loihi's order."""
        self.arrived.clear()
        self.fired.clear()
        if self._some_slow:
            for queue in self.spikes_in.values():
                queue.clear()
        if t >= 2:  # spikes of inputs take a step to arrive
            for spike_input, own, axons in self.from_inputs:
                compartments = np.asarray(spike_input.spike_idxs(t - 1), dtype=np.intp)
                self.received += len(compartments)
                self._fire(own, compartments)
                for axon in axons:
                    self._pass_on(axon, compartments)
        for where, own in self.from_blocks:
            self._fire(own, spiked[where].nonzero()[0])
        for axon, where in self.from_axons.items():
            if axon in self.ways:
                self._pass_on(axon, self.ways[axon].passed(t, spiked[where]))
            else:
                self._pass_on(axon, spiked[where].nonzero()[0])

    def _fire(self, own: list[Link], compartments: np.ndarray) -> None:
        if compartments.size:
            for link in own:
                self.fired.append((link, compartments))

    def _pass_on(self, axon: Axon, compartments: np.ndarray) -> None:
        if not compartments.size:
            return
        place = self.places.get(axon.target)
        if place is None:
            spikes = axon.map_spikes(compartments)
            self.spikes_in[axon.target].extend(s for s in spikes if s is not None)
            return
        axons, atoms = axon.map_axon(compartments), axon.compartment_atoms
        if atoms is not None:
            atoms = atoms[compartments]
        if self._some_unused[axon]:
            used = axons >= 0
            axons, atoms = axons[used], None if atoms is None else atoms[used]
        self.arrived.append((place, axon.target, axons, atoms))

    def update_input(self, input):
        """Add the weights of the spikes to the compartments' input."""
        now = input[0]
        for link, fired in self.fired:
            link.add(now, fired)
        self.arrived.sort(key=itemgetter(0))
        for _, synapse, axons, atoms in self.arrived:
            current = now[self.slices[synapse]]
            self.added[synapse] += self.fans[synapse].add(current, axons, atoms)
        if self._some_slow:
            super().update_input(input)

    def update_traces(self, t, rng):
        """Record which axons have spiked, then let nengo-loihi update the traces."""
        for _, synapse, axons, _ in self.arrived:
            if synapse in self.trace_spikes:
                spiked = self.trace_spikes[synapse]
                before = len(spiked)
                spiked.update(axons.tolist())
                for _ in range(before + len(axons) - len(spiked)):
                    self.error("Synaptic trace spikes lost")
        super().update_traces(t, rng)

    def update_weights(self, t, rng):
        """Let nengo-loihi update the learned weights, then update ours from them."""
        super().update_weights(t, rng)
        for synapse in self.pes_errors:
            if synapse in self.fans and t % synapse.learn_epoch == 0:
                self.fans[synapse].refresh()

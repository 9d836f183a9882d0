"""Alignment of the emulator's spikes with those of Nengo, and measures of their agreement.

::

    with nengo_loihi.Simulator(network, target="sim") as sim:
        sim.run(1.0)
    spikes = readout.in_time(sim, probe)
    phase = phases.from_raster(spikes, 10.0, sim.dt)

`compare` runs a network on both and reports their agreement for each layer.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import nengo
import numpy as np
from nengo_loihi import Simulator
from nengo_loihi.passthrough import base_obj
from numpy.typing import ArrayLike, NDArray

from nengo_phasor import phases
from nengo_phasor.listing import shows_public_names
from nengo_phasor.loihi.latency import latencies
from nengo_phasor.loihi.tables import compartments_of

__dir__ = shows_public_names(__name__)


def in_time(sim: Simulator, probe: nengo.Probe) -> NDArray:
    """Return a probe's data without the steps by which the chip is late.

    Parameters
    ----------
    sim : nengo_loihi.Simulator
        The simulator, after its run.
    probe : nengo.Probe
        A probe of neurons or nodes.

    Returns
    -------
    (n_steps - late, n) ndarray
        The data, in which row k corresponds to row k of `nengo.Simulator`.
    """
    return sim.data[probe][latency(sim, probe) :]


def latency(sim: Simulator, probe: nengo.Probe) -> int:
    """Return the number of steps by which a probe's data is late."""
    return latencies(sim.model)[base_obj(probe.target)]


class Agreement(NamedTuple):
    """The agreement of a layer's spikes with those expected.

    Attributes
    ----------
    expected : int
        The number of expected spikes.
    exact, near : int
        The numbers of these that were found in the same step, and within the tolerance.
    lost, extra : int
        The numbers of expected spikes that were not found, and of unexpected spikes.
    phase_error : float
        The median distance between the phases of spikes in the same cycle, in units of pi. It is
        NaN if there are no such spikes, or no rhythm.
    """

    expected: int
    exact: int
    near: int
    lost: int
    extra: int
    phase_error: float

    @property
    def matched(self) -> float:
        """The fraction of the expected or found spikes that have a partner."""
        return self.near / max(self.near + max(self.lost, self.extra), 1)


def agreement(
    expected: ArrayLike,
    found: ArrayLike,
    within: int = 1,
    frequency: float | None = None,
    dt: float = 0.001,
) -> Agreement:
    """Compare rasters; each spike has at most one partner, and the nearest are paired first.

    Parameters
    ----------
    expected, found : (..., n_steps, n) array_like
        The rasters, in which every non-zero value is a spike.
    within : int
        The largest distance between partners, in time steps.
    frequency : float, optional
        The frequency of the rhythm that phases refer to, in Hz.
    dt : float
        The time step, in seconds.
    """
    expected, found = np.asarray(expected) != 0, np.asarray(found) != 0
    a, b = (np.moveaxis(x, -2, 0).copy() for x in (expected, found))
    counts = []
    for shift in sorted(range(-within, within + 1), key=abs):
        early, late = (a, b) if shift >= 0 else (b, a)
        n = len(a) - abs(shift)
        pairs = early[:n] & late[abs(shift) :]
        early[:n] &= ~pairs
        late[abs(shift) :] &= ~pairs
        counts.append(int(np.count_nonzero(pairs)))
    error = np.nan
    if frequency is not None:
        apart = phase_errors(expected, found, frequency, dt)
        error = float(np.median(apart)) if len(apart) else np.nan
    return Agreement(
        int(np.count_nonzero(expected)),
        counts[0],
        sum(counts),
        int(np.count_nonzero(a)),
        int(np.count_nonzero(b)),
        error,
    )


def phase_errors(
    expected: ArrayLike, found: ArrayLike, frequency: float, dt: float = 0.001
) -> NDArray:
    """Return the distances between the phases of spikes in the same cycle, in units of pi.

    The parameters are those of `agreement`. There is one value for each neuron and cycle with
    spikes in both rasters.
    """
    decoded = (phases.from_raster(x, frequency, dt) for x in (expected, found))
    apart = np.abs(phases.difference(*decoded))
    return apart[~np.isnan(apart)]


class Layer(NamedTuple):
    """A layer's agreement with Nengo, its latency, and the number of its clipped states.

    Attributes
    ----------
    agreement : Agreement
        The agreement of the layer's spikes.
    late : int
        The number of steps by which the chip is late, which are not counted as errors.
    clipped : int
        The number of states, over neurons and steps, that were clipped.
    """

    agreement: Agreement
    late: int
    clipped: int


class Report(NamedTuple):
    """A comparison of the emulator with Nengo's simulator.

    Attributes
    ----------
    layers : dict of {nengo.Ensemble: Layer}
        The results of each layer of our neurons on the chip.
    overflows : int
        The number of overflow warnings of nengo-loihi's own compartments.
    """

    layers: Mapping[nengo.Ensemble, Layer]
    overflows: int

    def __str__(self):
        rows = [
            f"{ensemble.label or ensemble}: {a.expected} spikes, {a.matched:.2%} matched, "
            f"{a.lost} lost, {a.extra} extra, phase error {a.phase_error:.3f}, "
            f"{layer.late} steps late, {layer.clipped} clipped"
            for ensemble, layer in self.layers.items()
            for a in (layer.agreement,)
        ]
        return "\n".join([*rows, f"{self.overflows} overflows of other neurons"])


def compare(network: nengo.Network, n_steps: int, dt: float = 0.001, within: int = 1) -> Report:
    """Run a network on the emulator and in `nengo.Simulator`; compare every layer of our neurons.

    Parameters
    ----------
    network : nengo.Network
        The network, which must be seeded if anything in it is random.
    n_steps : int
        The number of time steps to run.
    dt : float
        The time step, in seconds.
    within : int
        The largest distance between partners, in time steps.

    Raises
    ------
    nengo.exceptions.BuildError
        If no part of the network is on the chip, or a part can't be put there.
    """
    ours = [e for e in network.all_ensembles if compartments_of(e.neuron_type)]
    with network:
        probes = {ensemble: nengo.Probe(ensemble.neurons) for ensemble in ours}
    try:
        with nengo.Simulator(network, dt=dt, progress_bar=False) as expected:
            expected.run_steps(n_steps)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with Simulator(network, dt=dt, target="sim") as sim:
                clipped = sim.sims["emulator"].compartment.clipped
                sim.run_steps(n_steps + max(latencies(sim.model).values()))
    finally:
        for probe in probes.values():
            network.probes.remove(probe)
    layers = {}
    for ensemble, probe in probes.items():
        if sim.model.split.on_chip(ensemble):
            layers[ensemble] = Layer(
                agreement(
                    expected.data[probe],
                    in_time(sim, probe)[:n_steps],
                    within,
                    getattr(ensemble.neuron_type, "rhythm", None),
                    dt,
                ),
                latency(sim, probe),
                clipped[ensemble.neurons],
            )
    overflows = sum(str(w.message).startswith("Overflow") for w in caught)
    return Report(layers, overflows)

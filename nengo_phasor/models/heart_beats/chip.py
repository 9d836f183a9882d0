"""The network on the emulated chip, in fixed point."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from tqdm import tqdm

from nengo_phasor.models.heart_beats.data import Sequences
from nengo_phasor.models.heart_beats.designs import Design
from nengo_phasor.models.heart_beats.measure import scores
from nengo_phasor.models.heart_beats.network import DT, network


def measure(design: Design, params: Mapping[str, np.ndarray], seen: Sequences) -> dict[str, float]:
    """Return the accuracies on the emulator and the spikes per sequence; each starts from rest.

    The host's events are spikes of amplitude 1, as are those of the chip. Outputs are late by the
    steps that spikes take to the chip and back, for which they are read later.
    """
    from nengo_phasor.loihi import emulator, readout

    now = [seen.x[0]]
    net = network(design, params, amplitude=1.0)
    net.events.output = lambda t: event(now[0], round(t / DT) - 1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*states did not fit")
        logits, spikes = [], 0
        with emulator.Simulator(net, dt=DT, target="sim", progress_bar=False) as sim:
            for x in tqdm(seen.x, unit="sequence"):
                now[0] = x
                sim.run_steps(len(x) + readout.latency(sim, net.logits))
                logits.append(readout.in_time(sim, net.logits))
                spikes += np.count_nonzero(sim.data[net.spikes])
                sim.reset()
    return {**scores(np.array(logits), seen.y), "spikes": float(spikes / len(seen.x))}


def event(x: np.ndarray, k: int) -> np.ndarray:
    """Return the events of a step, and nothing after the last one."""
    return x[k] if k < len(x) else np.zeros_like(x[0])

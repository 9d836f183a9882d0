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

    The host's events are spikes of amplitude 1, as are those of the chip.
    """
    from nengo_phasor.loihi import emulator

    now = [seen.x[0]]
    net = network(design, params, amplitude=1.0)
    net.events.output = lambda t: now[0][min(round(t / DT), len(now[0])) - 1]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*states did not fit")
        logits, spikes = [], 0
        with emulator.Simulator(net, dt=DT, target="sim", progress_bar=False) as sim:
            for x in tqdm(seen.x, unit="sequence"):
                now[0] = x
                sim.run_steps(len(x))
                logits.append(sim.data[net.logits].copy())
                spikes += np.count_nonzero(sim.data[net.spikes])
                sim.reset()
    return {**scores(np.array(logits), seen.y), "spikes": spikes / len(seen.x)}

"""Compare a network on the emulator with floating point: spikes, classes, operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from nengo_phasor import dynamics, energy, layerwise, metrics, phases
from nengo_phasor.loihi import emulator, readout, resources
from nengo_phasor.models.chip.pairs import DT, Pair, rhythm_pair
from nengo_phasor.models.rhythms.network import FREQUENCY
from nengo_phasor.models.shared.run_folder import kept

CHUNK = 50
DEVICE = "loihi"
COUNTS = ("expected", "exact", "near", "lost", "extra")
"""Fields of `nengo_phasor.loihi.readout.Agreement`."""


def arcs(
    params: Mapping[str, np.ndarray], x: np.ndarray, removed: Iterable[float]
) -> dict[float, float]:
    """Return, for each fraction, the arc that drops this fraction of the hidden spikes."""
    pair = rhythm_pair(params)
    with layerwise.Simulator(pair.network, dt=DT, progress_bar=False) as sim:
        spikes = sim.predict({pair.source: x[:, None]}, pair.n_steps)[pair.hidden]
    seen = phases.from_raster(spikes, FREQUENCY, DT)
    away = np.abs(seen[~np.isnan(seen)])
    return {fraction: float(np.quantile(away, fraction)) for fraction in removed}


def run(pair: Pair, x: np.ndarray, y: np.ndarray, folder: Path, name: str) -> dict[str, Any]:
    """Show images on both substrates; return accuracies, agreement, operations and energy.

    Finished parts, of `CHUNK` images each, are kept in the folder.
    """
    parts = [
        kept(
            folder / f"{name}-{start}.json",
            lambda start=start: show(pair, x[start : start + CHUNK]),
        )
        for start in tqdm(range(0, len(x), CHUNK), desc=name, unit=f"{CHUNK} images")
    ]
    return {"images": len(x), **_agreement(parts, y), **_costs(parts, len(x))}


def _agreement(parts: list[dict], y: np.ndarray) -> dict[str, Any]:
    """Return the agreement of classes and hidden spikes, from the results of `show`."""
    chip, floats, apart = (
        np.concatenate([part[key] for part in parts]) for key in ("chip", "floats", "apart")
    )
    counts = {key: int(sum(part[key] for part in parts)) for key in COUNTS}
    found = readout.Agreement(**counts, phase_error=np.nan)
    return {
        "accuracy": float(metrics.accuracy(chip, y)),
        "accuracy_in_floats": float(metrics.accuracy(floats, y)),
        "same_class": float(np.mean(chip == floats)),
        "hidden_spikes": found.expected / len(y),
        "hidden_removed": sum(part["removed"] for part in parts) / found.expected,
        "hidden_matched": found.matched,
        "hidden_lost": found.lost / len(y),
        "hidden_extra": found.extra / len(y),
        "phase_error": float(np.median(apart)) if len(apart) else None,
    }


def _costs(parts: list[dict], n_images: int) -> dict[str, Any]:
    """Return the cost of an image, from the results of `show`."""
    operations = {
        kind: float(sum(part["operations"][kind] for part in parts) / n_images)
        for kind in parts[0]["operations"]
    }
    return {
        "clipped": int(sum(part["clipped"] for part in parts)),
        "late": parts[0]["late"],
        "operations": operations,
        "resources": parts[0]["resources"],
        "energy": spent(operations),
    }


def show(pair: Pair, x: np.ndarray) -> dict[str, Any]:
    """Show a few images on both substrates; return the results that `run` keeps."""
    with layerwise.Simulator(pair.network, dt=DT, progress_bar=False) as sim:
        expected = sim.predict({pair.source: x[:, None]}, pair.n_steps)
    hidden, output, costs = emulated(pair, x)
    compared = readout.agreement(expected[pair.hidden], hidden)._asdict()
    apart = np.zeros(0)
    if pair.frequency is not None:
        apart = readout.phase_errors(expected[pair.hidden], hidden, pair.frequency, DT)
    return {
        "chip": pair.classes(output).tolist(),
        "floats": pair.classes(expected[pair.output]).tolist(),
        **{key: compared[key] for key in COUNTS},
        "apart": apart.round(6).tolist(),
        "removed": left_out(expected[pair.hidden], pair),
        **costs,
    }


def emulated(pair: Pair, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Show images on the emulator, one after the other.

    Returns
    -------
    hidden, output : (n_items, n_steps, n) ndarray
        The data of the probes, in time with the network in floating point.
    costs : dict
        The number of clipped states, the delays of the probes in steps, operations and resources.
    """
    original, shown = pair.source.output, [x[0]]
    pair.source.output = lambda t: shown[0]
    seen, done, clipped = {pair.hidden: [], pair.output: []}, [], 0
    try:
        with emulator.Simulator(pair.network, dt=DT, target="sim") as sim:
            late = {probe: readout.latency(sim, probe) for probe in seen}
            for item in x:
                shown[0] = item
                sim.reset()
                sim.run_steps(pair.n_steps + max(late.values()))
                for probe, rasters in seen.items():
                    rasters.append(readout.in_time(sim, probe)[: pair.n_steps])
                done.append(counted(sim))
                clipped += sum(sim.sims["emulator"].compartment.clipped.values())
            used = resources.resources(sim)._asdict()
    finally:
        pair.source.output = original
    costs = {
        "clipped": clipped,
        "late": {"hidden": late[pair.hidden], "output": late[pair.output]},
        "operations": {kind: sum(image[kind] for image in done) for kind in done[0]},
        "resources": used,
    }
    return np.array(seen[pair.hidden]), np.array(seen[pair.output]), costs


def counted(sim: emulator.Simulator) -> dict[str, int]:
    """Return the operations on the chip for an image, with those of the output's synapses."""
    counts = resources.operations(sim)._asdict()
    *_, last = counts.pop("synapse_by_block").values()
    return {**counts, "synapse_of_output": last}


def left_out(spikes: np.ndarray, pair: Pair) -> int:
    """Return how many of the spikes, (n_items, n_steps, n), the sparsifier drops."""
    if not pair.arc:
        return 0
    steps = np.arange(1, spikes.shape[-2] + 1)
    period = phases.steps_per_cycle(pair.frequency, DT)
    inside = ~dynamics.outside_arc(np, steps, pair.arc, period)
    return int(np.count_nonzero(spikes[..., inside, :]))


def spent(operations: Mapping[str, float]) -> dict[str, float]:
    """Return the energy of an image on Loihi in joules, by kind of operation."""
    counts = {kind: operations[kind] for kind in ("synapse", "update")}
    return {kind: float(value) for kind, value in energy.energy(counts, DEVICE).parts.items()}

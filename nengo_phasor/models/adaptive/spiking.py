"""Run converted networks in spikes, in layerwise: at one precision, or with arousal."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import nengo
import numpy as np

from nengo_phasor import arousal, datasets, metrics, saving
from nengo_phasor.models.shared.distribution import Spread

DT = 0.001
WINDOW = 500
"""The number of steps for which an input is shown; the paper's matching times go up to 372 ms."""

BIN = 10
"""The number of steps over which stored outputs are averaged."""

CHUNK = 250
"""The number of inputs that are run and stored at a time."""


NETWORK = "network.npz"
"""The file of the network, for other processes."""


class Seen(NamedTuple):
    """The stored results of spiking runs.

    ``classes`` (n_items, n_steps) are those of the highest output; ``outputs`` (n_items, n_bins,
    n_classes) are averaged over `BIN` steps each; ``spikes`` (n_items, n_layers) are numbers of
    spikes. ``highlighted`` (n_items,) marks items that arousal continued at high precision.
    """

    classes: np.ndarray
    outputs: np.ndarray
    spikes: np.ndarray
    highlighted: np.ndarray


class Spiking:
    """A converted network that runs in layerwise, with its spikes counted by layer.

    Parameters
    ----------
    converted : nengo_phasor.convert.adaptive.Converted
        The converted network, to which nodes that count spikes are added.
    spread : Spread, optional
        The function that `shared.distribution.processes` yields, which runs chunks of inputs in
        several processes.
    """

    def __init__(self, converted, spread: Spread | None = None):
        self.converted, self.spread = converted, spread
        self._plain = type(converted)(None, converted.copy()) if spread else None
        self.counts = {}
        with converted.network:
            for name, layer in converted.layers.items():
                count = nengo.Node(size_in=1, label=f"{name} spikes")
                ones = np.full((1, layer.n_neurons), DT)
                nengo.Connection(layer.neurons, count, transform=ones, synapse=None)
                self.counts[name] = nengo.Probe(count)

    @property
    def n_neurons(self) -> dict[str, int]:
        """Return the number of neurons in each layer."""
        return {name: layer.n_neurons for name, layer in self.converted.layers.items()}

    def advance(self, x: np.ndarray, n_steps: int, m_f: float, state=None):
        """Run inputs at a precision; return outputs, spikes by layer, and the final state."""
        from nengo_phasor import layerwise

        self.converted.set_precision(m_f)
        with layerwise.Simulator(
            self.converted.network, dt=DT, dtype="float32", progress_bar=False
        ) as sim:
            data = {self.converted.input: x.reshape(len(x), 1, -1)}
            seen, state = sim.advance(data, n_steps, state)
        amplitudes = [e.neuron_type.amplitude for e in self.converted.layers.values()]
        sums = [seen[probe].sum(axis=(1, 2), dtype=float) for probe in self.counts.values()]
        return seen[self.converted.output], np.stack(sums, axis=1) / amplitudes, state

    def fixed(self, x: np.ndarray, m_f: float, n_steps: int) -> tuple[Seen]:
        """Run inputs at one precision."""
        outputs, sent, _ = self.advance(x, n_steps, m_f)
        return (_kept(outputs, sent, np.zeros(len(x), bool)),)

    def aroused(self, x: np.ndarray, how: arousal.Arousal, n_steps: int) -> tuple[Seen, Seen]:
        """Run inputs at low precision, and with arousal, which begins the same way."""
        _, first = how.steps(DT)
        start, sent, state = self.advance(x, first, how.low)
        rest, sent_later, _ = self.advance(x, n_steps - first, how.low, state)
        spikes = sent + sent_later

        def run(items, n_steps, m_f, before):
            if before is None:
                return start, sent.sum(axis=1), state
            if m_f == how.low:
                return rest[items], sent_later[items].sum(axis=1), None
            outputs, sent_high, after = self.advance(x[items], n_steps, m_f, before[items])
            spikes[items] = sent[items] + sent_high
            return outputs, sent_high.sum(axis=1), after

        low = _kept(np.concatenate([start, rest], axis=1), spikes.copy(), np.zeros(len(x), bool))
        done = arousal.classify(how, run, len(x), n_steps, DT)
        return low, _kept(done.outputs, spikes, done.highlighted)

    def keep(self, x: np.ndarray, how: float | arousal.Arousal, n_steps: int, file: Path) -> None:
        """Run a chunk of inputs; write the results to a file. See `run` for the arguments."""
        run = self.aroused if isinstance(how, arousal.Arousal) else self.fixed
        fields = {
            f"{field}_{k}": value
            for k, seen in enumerate(run(x, how, n_steps))
            for field, value in seen._asdict().items()
        }
        datasets.save_params(file, **fields)

    def _saved(self, folder: Path) -> Path:
        """Return the file of the converted network, without the nodes that count."""
        file = (folder / NETWORK).resolve()
        if not file.exists():
            saving.save(file, self._plain)
        return file

    def run(
        self,
        x: np.ndarray,
        how: float | arousal.Arousal,
        folder: Path,
        name: str,
        n_steps: int = WINDOW,
    ) -> tuple[Seen, ...]:
        """Run inputs in chunks that are stored in the folder, so an interrupted run can continue.

        Parameters
        ----------
        x : (n_items, ...) ndarray
            The input of the model, in single precision.
        how : float or nengo_phasor.arousal.Arousal
            The precision m_f, or the arousal that changes it.
        folder : path
            The folder of the chunks, which must belong to the same network and inputs: see
            `run_folder.open_run`.
        name : str
            The name of this run within the folder.
        n_steps : int
            The number of steps for which an item is shown.

        Returns
        -------
        tuple of `Seen`
            The results at that precision, or at the arousal's low precision and with arousal.
        """
        from tqdm import tqdm

        folder.mkdir(parents=True, exist_ok=True)
        starts = range(0, len(x), CHUNK)
        parts = {start: x[start : start + CHUNK] for start in starts}
        files = {k: folder / f"{name}-{k}-{k + len(part)}.npz" for k, part in parts.items()}
        missing = [k for k, file in files.items() if not file.exists()]
        if self.spread and len(missing) > 1:
            network = self._saved(folder)
            tasks = [(network, parts[k], how, n_steps, files[k].resolve()) for k in missing]
            self.spread(keep_elsewhere, tasks, "chunk")
        chunks = []
        for start in tqdm(starts, desc=name, unit=f"{CHUNK} inputs"):
            file = files[start]
            if not file.exists():
                self.keep(parts[start], how, n_steps, file)
            saved = datasets.load_params(file)
            n_seen = len(saved) // len(Seen._fields)
            chunks.append([[saved[f"{f}_{k}"] for f in Seen._fields] for k in range(n_seen)])
        return tuple(
            Seen(*map(np.concatenate, zip(*parts, strict=True)))
            for parts in zip(*chunks, strict=True)
        )


@cache
def _loaded(network: Path) -> Spiking:
    """Return the network of a file, which stays in memory."""
    return Spiking(saving.load(network))


def keep_elsewhere(
    network: Path, x: np.ndarray, how: float | arousal.Arousal, n_steps: int, file: Path
) -> None:
    """Run a chunk of inputs in a network from a file, in any process: see `Spiking.keep`."""
    _loaded(network).keep(x, how, n_steps, file)


def _kept(outputs, spikes, highlighted):
    """Return the results of a run that are stored."""
    n_items, n_steps, n_classes = outputs.shape
    bins = outputs[:, : n_steps // BIN * BIN].reshape(n_items, -1, BIN, n_classes)
    classes = np.argmax(outputs, axis=-1).astype(np.uint16)
    return Seen(classes, bins.mean(axis=2), spikes, highlighted)


def summary(seen: Seen, labels: np.ndarray, n_neurons: Mapping[str, int]) -> dict[str, Any]:
    """Return the final accuracy, the accuracy over time, and firing rates, as in results files."""
    course = metrics.accuracy(seen.classes, labels)
    window = len(course) * DT
    sent = seen.spikes.sum(axis=1)
    return {
        "accuracy": float(course[-1]),
        "firing_rate": metrics.firing_rate(sent, sum(n_neurons.values()), window),
        "firing_rates": {
            name: metrics.firing_rate(seen.spikes[:, k], n, window)
            for k, (name, n) in enumerate(n_neurons.items())
        },
        "matching_time": metrics.matching_time(course, DT),
        "stability": metrics.stability(course),
        "spikes_per_inference": float(sent.mean()),
        "selectivity": metrics.selectivity(seen.highlighted),
        "accuracy_over_time": course[BIN - 1 :: BIN].tolist(),
    }

"""One window of a batch of items, in chunks of items, blocks of time, and threads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from threading import Event
from typing import Any

import nengo
import numpy as np
from nengo.utils.progress import Progress, ProgressBar, to_progressbar

from nengo_phasor.layerwise.blas import one_thread_each
from nengo_phasor.layerwise.portions import check_memory, portions, width
from nengo_phasor.layerwise.sampling import n_samples, sampled
from nengo_phasor.layerwise.span import Span, State
from nengo_phasor.layerwise.window import Window

UPDATE_INTERVAL = 0.1
"""Seconds from one update of the progress bar to the next."""

SHOWN_AFTER = 1.0
"""Seconds that a run takes before it has a progress bar."""


def run_batch(
    simulator,
    data: dict[nengo.Node, np.ndarray],
    n_steps: int,
    n_items: int,
    state: State | None = None,
    keep: bool = False,
    progress_bar: bool | ProgressBar | None = False,
) -> tuple[dict[nengo.Probe, np.ndarray], State | None]:
    """Return the values seen by a `.Simulator`'s probes and, if ``keep``, the final state.

    Parameters
    ----------
    simulator : `.Simulator`
        The simulator, with its network and settings.
    data : {nengo.Node: (n_items, n_steps or 1, n) ndarray}
        The outputs of nodes, which replace their own.
    n_steps, n_items : int
        The size of the batch.
    state : `.State`, optional
        The state from which to continue. By default the network starts from rest.
    keep : bool
        Whether the final state is returned; otherwise it is None.
    progress_bar : bool or nengo.utils.progress.ProgressBar
        The progress bar, as in `nengo.Simulator`.
    """
    network, dt, dtype = simulator.network, simulator.dt, simulator.dtype
    start = state.n_steps if state else 0
    widest = width(network, simulator.incoming, data)
    size, block = portions(
        widest * dtype.itemsize,
        n_steps,
        n_items,
        simulator.threads,
        in_blocks=simulator.parts.not_kept() is None,
    )
    shapes = {
        p: (n_items, n_samples(p.sample_every, dt, start, n_steps), p.size_in)
        for p in network.all_probes
    }
    n_values = sum(map(math.prod, shapes.values())) + size * block * widest
    check_memory(n_values * dtype.itemsize, n_steps)
    results = {p: np.zeros(shape, dtype) for p, shape in shapes.items()}
    stopped = Event()

    def run_chunk(first_item, advanced):
        items = np.arange(first_item, min(first_item + size, n_items))
        reached = state[items] if state else None
        written = dict.fromkeys(results, 0)
        for first in range(0, n_steps, block):
            last = min(first + block, n_steps)
            steps = {n: slice(first, last) if x.shape[1] > 1 else [0] for n, x in data.items()}
            chunk = {node: x[items][:, steps[node]] for node, x in data.items()}
            span = Span(last - first, items, dt, dtype, reached, stopped, simulator.seed)
            for probe, x in Window(simulator, span, chunk).run(advanced).items():
                taken = sampled(probe.sample_every, dt, span.start, span.n_steps)
                a, b = written[probe], written[probe] + len(taken)
                x.write(results[probe][items[0] : items[-1] + 1, a:b], taken, span.n_steps)
                written[probe] = b
            reached = span.after
        return reached if keep else None

    chunks = range(0, n_items, size)
    stages = len(chunks) * -(-n_steps // block) * len(simulator.order)
    states = in_threads(run_chunk, chunks, simulator.threads, stopped, progress_bar, stages)
    return results, State.joined(states) if keep else None


def in_threads(
    run: Callable[[int, Callable[[], None]], Any],
    chunks: Sequence[int],
    n_threads: int,
    stopped: Event,
    progress_bar: bool | ProgressBar | None,
    stages: int,
) -> list:
    """Return the results of ``run(chunk, advanced)`` for each chunk.

    Each call of ``advanced`` is one of ``stages`` in all. The progress bar is updated by this
    thread, not by one of its own as in Nengo, for which every short run would have to wait. The
    first error, or an interrupt, sets ``stopped`` and is raised.
    """
    bar = _Bar(progress_bar, stages)
    try:
        alone = (
            len(chunks) == 1
        )  # then BLAS may use all threads, and the limit is not worth its time
        blas = nullcontext() if alone else one_thread_each()
        with bar.progress, blas, ThreadPoolExecutor(n_threads) as pool:
            try:
                futures = [pool.submit(run, chunk, bar.progress.step) for chunk in chunks]
                for future in futures:
                    while wait([future], UPDATE_INTERVAL).not_done:
                        bar.update()
                    future.result()
                    bar.update()
            except BaseException:
                stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        bar.close()
    return [future.result() for future in futures]


class _Bar:
    """The progress of a run, and the bar that shows it once the run is long."""

    def __init__(self, progress_bar, stages):
        self.bar = to_progressbar(progress_bar)
        self.progress = Progress("Simulating", "Simulation", max(1, stages))
        self.due = SHOWN_AFTER
        self.is_shown = False

    def update(self):
        if self.progress.elapsed_seconds() > self.due:
            self.is_shown = True
            self.bar.update(self.progress)
            self.due = self.progress.elapsed_seconds() + UPDATE_INTERVAL

    def close(self):
        if self.is_shown:
            self.bar.update(self.progress)
            self.bar.close()

"""Many tasks in several processes: on this machine, or on those of a Dask scheduler."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import Any

from nengo_phasor import compat

ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}
"""Environment of processes that share a machine: two with one thread beat one with two."""

Spread = Callable[[Callable[..., Any], Sequence[tuple], str], None]


@contextmanager
def processes(workers: int, address: str | None = None) -> Iterator[Spread]:
    """Yield ``spread(function, tasks, unit)``, which calls a function in several processes.

    Each task is a tuple of arguments, which must be picklable. A bar shows how many are done, in
    the given unit. What a call raises is raised here.

    Parameters
    ----------
    workers : int
        The number of processes on this machine.
    address : str, optional
        The address of a Dask scheduler whose workers are used instead. They must see the same
        folders and have nengo_phasor installed.
    """
    dask = compat.require("dask.distributed")
    tqdm = compat.require("tqdm").tqdm
    with _cluster(dask, workers, address) as place, dask.Client(place) as client:

        def spread(function, tasks, unit):
            futures = [client.submit(function, *task, pure=False) for task in tasks]
            done = dask.as_completed(futures)
            for future in tqdm(done, total=len(futures), desc=f"{unit}s", unit=unit):
                future.result()

        yield spread


def _cluster(dask: ModuleType, workers: int, address: str | None) -> AbstractContextManager:
    """Return the address of a scheduler, or a temporary scheduler on this machine."""
    if address:
        return nullcontext(address)
    return dask.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address=None,
        memory_limit=0,
        env=ONE_THREAD,
        silence_logs=logging.CRITICAL,  # what a task raises is raised here, and need not be logged
    )

"""The search for the cost of a spike: many runs in many processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nengo_phasor.models.lenet.data import Parts
from nengo_phasor.models.lenet.designs import run_of
from nengo_phasor.models.lenet.runs import BASELINE, Run, name_of
from nengo_phasor.models.lenet.training import finished, parts_of, work
from nengo_phasor.models.shared.distribution import processes
from nengo_phasor.models.shared.run_folder import open_run

SETS = ("cifar10", "fashion_mnist")
SIGMAS = {
    "lenet": {
        "cifar10": {
            "constant": (4e-4,),
            "linear": (1e-3,),
            "quadratic": (6e-5,),
            "alternating": (1e-3,),
            "alternating linear": (1.5e-3,),
        },
        "fashion_mnist": {
            "constant": (2e-4,),
            "linear": (8e-4,),
            "quadratic": (5e-5,),
            "alternating": (5e-4,),
            "alternating linear": (1e-3,),
        },
    },
    "vgg": {
        "cifar10": {"linear": (2e-5, 4e-5)},
        "fashion_mnist": {"linear": (2e-5, 4e-5)},
    },
}
"""The values of sigma_0 to try, by network, data set and schedule."""


@dataclass(frozen=True)
class Study:
    """The settings of a search: the options of the command ``results``.

    The search is for the network ``design``. It uses ``images`` of the training sets, and
    ``test_images`` of the test sets, or all if it is None. Each of ``schedules`` is tried with each
    sigma_0 in `SIGMAS` times each of ``factors``, with the first seed; with the others, the
    baseline and the schedules in ``repeat`` are tried. ``data`` is the folder of the data sets,
    ``runs`` that of the runs. The runs are distributed to ``workers`` processes on this machine, or
    to those of the Dask scheduler at the address ``cluster``.
    """

    design: str
    images: int
    steps: int
    epochs: int
    seeds: Sequence[int]
    schedules: Sequence[str]
    repeat: Sequence[str]
    factors: Sequence[float]
    runs: Path
    resume: bool = False
    data: str | None = None
    test_images: int | None = None
    cluster: str | None = None
    workers: int = 2
    twin_epochs: int = 0
    level_epochs: int = 0

    def baseline(self, name: str) -> Run:
        """Return the run of a data set, with the first seed, in which spikes have no cost."""
        keys = ("images", "steps", "epochs", "twin_epochs", "level_epochs")
        size = {key: getattr(self, key) for key in keys}
        return run_of(self.design, data=name, seed=self.seeds[0], **size)

    def tried(self, name: str) -> dict[int, list[Run]]:
        """Return the runs of a data set, by seed."""
        first = grid(self.baseline(name), self.schedules, self.factors)
        again = [run for run in first if name_of(run) in {BASELINE, *self.repeat}]
        others = {seed: [replace(run, seed=seed) for run in again] for seed in self.seeds[1:]}
        return {self.seeds[0]: first, **others}

    def parts(self, name: str) -> Parts:
        """Return the images of a data set, with those of the test set that are shown."""
        parts, n = parts_of(self.baseline(name), self.data), self.test_images
        return parts._replace(x_test=parts.x_test[:n], y_test=parts.y_test[:n])


def grid(base: Run, schedules: Sequence[str], factors: Sequence[float]) -> list[Run]:
    """Return the baseline and the runs to try for each schedule, for one seed."""
    return [base] + [
        replace(base, schedule=schedule, sigma_0=float(f"{sigma_0 * factor:.3g}"))
        for schedule in schedules
        for sigma_0 in SIGMAS[base.design][base.data][schedule]
        for factor in factors
    ]


def search(study: Study, name: str) -> dict[int, dict[Run, list[dict]]]:
    """Do all runs of a data set in Dask processes; return their histories, by seed.

    Finished runs in the folder are not repeated, and others continue from their last epoch, so the
    search can be killed at any time.
    """
    tried = study.tried(name)
    runs = [run for same_seed in tried.values() for run in same_seed]
    for run in runs:
        open_run(study.runs / run.name, asdict(run), study.resume)
    todo = [run for run in runs if finished(study.runs / run.name) is None]
    if todo:
        folder = str(study.runs.resolve())
        with processes(study.workers, study.cluster) as spread:
            spread(work, [(run, folder, study.data) for run in todo], "run")
    return {
        seed: {run: finished(study.runs / run.name) for run in same_seed}
        for seed, same_seed in tried.items()
    }


def points(histories: Mapping[Run, list[dict]]) -> list[dict[str, Any]]:
    """Return every epoch of every run, from which the search chooses."""
    return [
        {"run": run, "epoch": k + 1, **epoch}
        for run, history in histories.items()
        for k, epoch in enumerate(history)
    ]

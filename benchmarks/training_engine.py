"""Training in NengoDL, in TensorFlow with time folded into the batch, and in layerwise.

    python benchmarks/training_engine.py

All start from the same weights, and train with the same batches. What is timed is a turn of some
batches, each a step of training as Keras makes it from tensors: forward, back and through the
optimiser, whose rate is 0: spikes stay as many as they are. Each engine and problem has a process
of its own, with two threads; its time is that of the clock, and that of the processors. That all
have the same loss and gradients is checked before. Peak memory is that of the whole process,
imports included.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median

import measure
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from training_problems import SEED, Convolutions, LeNet, Perceptron, Phasors, Problem, Recurrent

from nengo_phasor.results import Claim

WORKER = Path(__file__).with_name("training_worker.py")
ENGINES = ("nengo_dl", "tensorflow", "layerwise")
AS_IT_COMES = "nengo_dl, default settings"
CLOCKS = {"cpu": "processor time", "wall": "wall time"}
SAME = 1e-3
"""By how much gradients may differ, relative to their norm: a voltage at the threshold up to
rounding is a spike in one engine, and none in another."""

LENETS = {
    f"LeNet, {rate:.0%} spiking, {loss}": (rate, with_cost)
    for rate in (0.1, 0.04)
    for loss, with_cost in (("cross-entropy", False), ("with the cost of spikes", True))
}
PROBLEMS: dict[str, Problem] = {
    **{name: LeNet(16, 50, 4, 16, *kind) for name, kind in LENETS.items()},
    "VGG, 10% spiking": Convolutions(4, 50, 1, 4, 0.1),
    "MLP": Perceptron(100, 50, 8, 100),
    "phasor MLP": Phasors(1, 128, 100, 1),
    "recurrent": Recurrent(1300, 103, 6, 1),
}
TINY: dict[str, Problem] = {
    name: LeNet(4, 8, 1, 4, *LENETS[name], shape=(16, 16, 2)) for name in list(LENETS)[1:2]
} | {"recurrent": Recurrent(80, 8, 1, 1)}
"""For a test: every engine takes seconds to start."""

TARGETS = [
    *((name, "nengo_dl", ">= 5" if rate == 0.1 else ">= 7") for name, (rate, _) in LENETS.items()),
    *((name, "tensorflow", ">= 2") for name in (*LENETS, "MLP")),
    ("VGG, 10% spiking", "tensorflow", ">= 1"),
    ("phasor MLP", "tensorflow", ">= 0.9"),
]
"""Problems, what `layerwise` is compared with, and how many times as fast it is to be."""


class Worker:
    """An engine and a problem, in a process of its own. See `training_worker`."""

    def __init__(self, process: subprocess.Popen, gradients: Path):
        self.process = process
        self.file = gradients

    def start(self) -> None:
        """Wait until it is ready; read what it says of the first batch."""
        first = self._read()
        self.loss, self.rates = first["loss"], first["rates"]
        with np.load(self.file) as file:
            self.gradients = {name: file[name] for name in file.files}

    def turn(self) -> dict[str, float]:
        """Train for a turn; return the seconds that it took, by clock."""
        print(file=self.process.stdin, flush=True)
        return self._read()

    def peak_memory(self) -> float:
        """End the process; return its peak memory in GB."""
        self.process.stdin.close()
        return self._read()["peak_memory_gb"]

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.process.args)} ended before it was told to")
        return json.loads(line)


@contextmanager
def working(engine: str, folder: Path) -> Iterator[Worker]:
    """Start a worker on what is in a folder; end its process in the end."""
    gradients = folder / f"{engine}.npz"
    files = map(str, (folder / "problem", folder / "weights.npz", gradients))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, str(WORKER), engine, *files], **pipes) as process:
        try:
            yield Worker(process, gradients)
        finally:
            process.kill()


def measured(problem: Problem, repeats: int, engines: Iterable[str]) -> dict:
    """Return the figures of a problem: times of engines, in turn, and what they agree in."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        (folder / "problem").write_bytes(pickle.dumps(problem))
        np.savez(folder / "weights.npz", **problem.weights())
        workers = {name: stack.enter_context(working(name, folder)) for name in engines}
        for worker in workers.values():
            worker.start()
        seconds = in_turn(workers, repeats)
        reference = workers["tensorflow"]
        return {
            "settings": {"kind": type(problem).__name__, **asdict(problem)},
            "spiking_in_a_step": reference.rates,
            "load_average": os.getloadavg()[0],
            **{
                clock: measure.timing(seconds[clock], problem.n_items, reference="nengo_dl")
                for clock in CLOCKS
            },
            "milliseconds_per_item": {
                clock: {
                    name: 1000 * median(times) / problem.n_items
                    for name, times in seconds[clock].items()
                }
                for clock in CLOCKS
            },
            "loss": {name: worker.loss for name, worker in workers.items()},
            "difference_of_gradients": {
                name: difference(worker.gradients, reference.gradients)
                for name, worker in workers.items()
            },
            "peak_memory_gb": {name: worker.peak_memory() for name, worker in workers.items()},
        }


def in_turn(workers: Mapping[str, Worker], repeats: int) -> dict[str, measure.Seconds]:
    """Return what turns took, by clock and engine. The first is not counted."""
    seconds = {clock: {name: [] for name in workers} for clock in CLOCKS}
    for worker in workers.values():
        worker.turn()
    for _ in range(repeats):
        for name, worker in workers.items():
            time.sleep(measure.SETTLE)
            for clock, value in worker.turn().items():
                seconds[clock][name].append(value)
    return seconds


def difference(gradients: Mapping, others: Mapping) -> float:
    """Return the norm of the difference, in those of the others: the largest of all weights."""
    norm = np.linalg.norm
    return max(float(norm(gradients[k] - others[k]) / norm(others[k])) for k in others)


def claims(figures: Mapping[str, dict]) -> list[Claim]:
    """Return what was measured beside the targets."""
    found = [
        Claim(
            f"{name}: layerwise, times as fast as {than}, {words}",
            measure.times_as_fast(figures[name][clock]["seconds"], "layerwise", than=than),
            "",
            bound,
        )
        for name, than, bound in TARGETS
        if name in figures
        for clock, words in CLOCKS.items()
    ]
    seconds = figures["recurrent"]["cpu"]["seconds"]["layerwise"]
    found.append(Claim("recurrent: layerwise, processor time", median(seconds), "s", "<= 5"))
    for name, those in figures.items():
        bound, losses = f"<= {SAME:g}", those["loss"]
        apart = max(abs(loss / losses["tensorflow"] - 1) for loss in losses.values())
        found += [
            Claim(f"{name}: relative difference of the losses", apart, "", bound),
            Claim(
                f"{name}: relative difference of the gradients",
                max(those["difference_of_gradients"].values()),
                "",
                bound,
            ),
        ]
    return found


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    arguments = measure.parser(__doc__, "training_engine").parse_args(argv)
    problems = TINY if arguments.tiny else PROBLEMS
    engines = ENGINES if arguments.tiny else (*ENGINES, AS_IT_COMES)
    figures = {name: measured(p, arguments.repeats, engines) for name, p in problems.items()}
    settings = {"threads": 2, "load_average": os.getloadavg()}
    return measure.finish(arguments, settings, [SEED], figures, claims(figures))


if __name__ == "__main__":
    sys.exit(main())

"""Measure how training through time with surrogate gradients grows with the number of steps.

    python benchmarks/surrogate_training.py

It trains the spiking LeNet of `networks/sparse_lenet.py` on images of CIFAR-10's size, with the
number of its spikes in the loss. A training step is timed: the forward and backward pass of a
batch, and the update. Peak memory is that
of a whole process that trains on a few batches, including imports.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace

import measure
import numpy as np

from nengo_phasor.models.lenet import network, training
from nengo_phasor.models.lenet.runs import Run
from nengo_phasor.results import Claim

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

STEPS = (10, 25, 50)
MEMORY_BATCHES = 3


@dataclass(frozen=True)
class Problem:
    """A training problem with a number of time steps."""

    n_steps: int
    batch: int = 50
    shape: tuple[int, int, int] = (32, 32, 3)

    @property
    def run(self) -> Run:
        """Return the run with the settings of training."""
        return Run("random images", self.batch, self.n_steps, 1, batch_size=self.batch)


class Training:
    """One training of the network, a step at a time."""

    def __init__(self, problem: Problem, stack: ExitStack):
        weights = network.initial_weights(problem.shape, problem.run.seed)
        net = network.lenet(problem.shape, weights)
        simulator, _ = training.compiled(problem.run, net, problem.batch)
        sim = stack.enter_context(simulator)
        rng = np.random.RandomState(0)
        images = rng.normal(size=(problem.batch, 1, net.image.size_out)).astype(np.float32)
        classes = np.eye(network.CLASSES)[rng.randint(10, size=problem.batch)]
        self.model = sim.keras_model
        self.inputs = {
            sim.get_name(net.image): images.repeat(problem.n_steps, axis=1),
            "n_steps": np.full((problem.batch, 1), problem.n_steps, np.int32),
        }
        nothing = np.zeros((problem.batch, 1, 1), np.float32)
        self.targets = dict.fromkeys(map(sim.get_name, net.spikes.values()), nothing)
        self.targets[sim.get_name(net.logits)] = classes[:, None].astype(np.float32)

    def step(self) -> float:
        """Train on the batch; return the loss before the update."""
        return self.model.train_on_batch(self.inputs, self.targets)[0]


def memory(n_steps: int, batch: int, *shape: int) -> float:
    """Return the peak memory of this process after a few batches, in GB."""
    with ExitStack() as stack:
        training = Training(Problem(n_steps, batch, shape), stack)
        for _ in range(MEMORY_BATCHES):
            training.step()
    return measure.peak_memory()


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    arguments = measure.parser(__doc__, "surrogate_training").parse_args(argv)
    all_steps = (2, 4) if arguments.tiny else STEPS
    first = Problem(all_steps[0], 4, (16, 16, 1)) if arguments.tiny else Problem(all_steps[0])
    problems = {f"{n_steps} steps": replace(first, n_steps=n_steps) for n_steps in all_steps}
    with ExitStack() as stack:
        trainings = {name: Training(problem, stack) for name, problem in problems.items()}
        seconds = measure.interleaved(
            {name: training.step for name, training in trainings.items()}, arguments.repeats
        )
    sizes = first.batch, *first.shape
    peak = {
        name: measure.peak_memory_of(__file__, "--memory", str(problem.n_steps), *map(str, sizes))
        for name, problem in problems.items()
    }
    short, *_, long = problems
    growth = 1 / measure.times_as_fast(seconds, long, than=short)
    figures = {
        "training": measure.timing(seconds, first.batch, reference=short),
        "peak_memory_gb": peak,
    }
    claims = [
        Claim(f"time of a training step, {long} relative to {short}", growth, "", "<= 5.5"),
        Claim(f"peak memory of training, {long}", peak[long], "GB", "<= 4"),
    ]
    return measure.finish(arguments, asdict(first), [first.run.seed], figures, claims)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(memory(*map(int, sys.argv[2:])))
    else:
        sys.exit(main())

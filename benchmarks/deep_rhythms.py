"""Measure spiking inference of a convolutional phasor network at the size of CIFAR-10.

    python benchmarks/deep_rhythms.py

Images with random phases pass two convolutions with strides and a dense layer with random weights,
converted to resonate-and-fire neurons with a rhythm unit for each layer. The window of the
`RhythmSparsifier` sets how many spikes are removed; receivers assume that silent neurons spiked
with the unit. What matters for the time is the number of spikes, not what the weights have learned.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import pairwise

import measure
import nengo
import numpy as np

from nengo_phasor import RhythmSparsifier, convert, layerwise, networks
from nengo_phasor.results import Claim

SEED = 0
IMAGES = 10_000
"""The number of images in the target, those of CIFAR-10's test set."""


@dataclass(frozen=True)
class Problem:
    """What is run."""

    shape: tuple[int, int, int] = (32, 32, 3)
    maps: tuple[int, ...] = (32, 64)
    classes: int = 10
    batch: int = 64
    n_steps: int = 1000
    windows: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2)

    def network(self) -> nengo.Network:
        """Return the phase-domain network, with ``source``, ``layers`` and ``probe``."""
        with nengo.Network(seed=SEED) as net:
            net.source = nengo.Node(np.zeros(2 * int(np.prod(self.shape))))
            shape, net.layers = self.shape, []
            for n_filters in self.maps:
                net.layers.append(networks.PhasorConv(shape, n_filters, strides=2))
                shape = net.layers[-1].output_shape
            net.layers.append(networks.PhasorDense(int(np.prod(shape)), self.classes))
            nengo.Connection(net.source, net.layers[0].input, synapse=None)
            for pre, post in pairwise(net.layers):
                nengo.Connection(pre.output, post.input, synapse=None)
            net.probe = nengo.Probe(net.layers[-1].output)
        return net

    def phases(self) -> np.ndarray:
        """Return the images: random input phases, (batch, 1, n_inputs)."""
        shape = (self.batch, 1, int(np.prod(self.shape)))
        return np.random.RandomState(SEED).uniform(-0.3, 0.3, shape).astype(np.float32)


def spiking(problem: Problem, window: float, stack: ExitStack, counted: bool = False):
    """Return a run of the spiking network, which returns its outputs or, ``counted``, all spikes.

    The numbers of spikes are those that each image's hidden layers send.
    """
    net = problem.network()
    if counted:
        with net:
            probes = [nengo.Probe(layer.output) for layer in net.layers[:-1]]
    else:
        probes = [net.probe]
    twin, new = convert.to_spiking(net, rhythm=RhythmSparsifier(window), assume_reference=True)
    simulator = stack.enter_context(layerwise.Simulator(twin, dtype="float32", progress_bar=False))

    def run(n_items=problem.batch):
        data = {new[net.source]: problem.phases()[:n_items]}
        seen = simulator.predict(data, problem.n_steps)
        return [seen[new[probe]] for probe in probes]

    return run


def spikes_per_image(problem: Problem, window: float) -> float:
    """Return how many spikes the hidden layers send for an image."""
    with ExitStack() as stack:
        layers = spiking(problem, window, stack, counted=True)(n_items=2)
    return sum(np.count_nonzero(layer) for layer in layers) / len(layers[0])


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = measure.parser(__doc__, "deep_rhythms")
    parser.add_argument("--only", type=float, help="run this window; print its peak memory in GB")
    arguments = parser.parse_args(argv)
    problem = Problem((8, 8, 1), (2, 3), 4, 4, 300) if arguments.tiny else Problem()
    if arguments.only is not None:
        with ExitStack() as stack:
            spiking(problem, arguments.only, stack)()
        print(measure.peak_memory())
        return 0

    names = {f"window {window:g}": window for window in problem.windows}
    all_spikes, *_, fewest = names
    tiny = ["--tiny"] * arguments.tiny
    memory = measure.peak_memory_of(__file__, "--only", str(names[all_spikes]), *tiny)
    spikes = {name: spikes_per_image(problem, window) for name, window in names.items()}
    with ExitStack() as stack:
        runs = {name: spiking(problem, window, stack) for name, window in names.items()}
        seconds = measure.interleaved(runs, arguments.repeats)
    timing = measure.timing(seconds, problem.batch, reference=all_spikes)
    figures = {
        "inference": timing,
        "spikes_per_image": spikes,
        "removed": {name: 1 - n / spikes[all_spikes] for name, n in spikes.items()},
        "peak_memory_gb": memory,
    }
    minutes = IMAGES / min(timing["items_per_second"].values()) / 60
    claims = [
        Claim(f"time of {IMAGES:,} images", minutes, "min", "<= 15"),
        Claim(
            "speed with most spikes removed, relative to all spikes",
            timing["times_as_fast"][fewest],
            "",
            ">= 1",
        ),
        Claim("peak memory", memory, "GB", "<= 2"),
    ]
    return measure.finish(arguments, asdict(problem), [SEED], figures, claims)


if __name__ == "__main__":
    sys.exit(main())

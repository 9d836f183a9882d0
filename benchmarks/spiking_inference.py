"""Compare spiking inference of a phasor network: a plain step loop, NengoDL, layerwise.

    python benchmarks/spiking_inference.py

A classifier with random weights, converted to resonate-and-fire neurons, runs a batch of images
with random phases for several cycles, and returns the spikes of its outputs. Weights are read and
simulators built beforehand. Peak memory is that of a whole process, including imports.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import measure
import nengo
import numpy as np

import nengo_phasor
from nengo_phasor import ResonateAndFire, convert, networks
from nengo_phasor.results import Claim

SEED = 0
NEURONS = ResonateAndFire()
DT = 0.001
STEPS_PER_CYCLE = 100


@dataclass(frozen=True)
class Problem:
    """What is run."""

    sizes: tuple[int, ...] = (1024, 128, 10)
    batch: int = 128
    cycles: int = 8

    @property
    def n_steps(self) -> int:
        """Return the number of steps in the window."""
        return self.cycles * STEPS_PER_CYCLE

    def phases(self) -> np.ndarray:
        """Return the images: random input phases, (batch, n_inputs)."""
        shape = (self.batch, self.sizes[0])
        return np.random.RandomState(SEED).uniform(-1, 1, shape).astype(np.float32)

    def phase_network(self) -> tuple[nengo.Network, networks.PhasorClassifier]:
        """Return the phase-domain network, with ``source`` and ``probe``, and its classifier."""
        with nengo.Network(seed=SEED) as net:
            net.source = nengo.Node(np.zeros(2 * self.sizes[0]))
            classifier = networks.PhasorClassifier(self.sizes)
            nengo.Connection(net.source, classifier.input, synapse=None)
            net.probe = nengo.Probe(classifier.output)
        return net, classifier

    def network(self) -> tuple[nengo.Network, nengo.Node, nengo.Probe]:
        """Return the spiking network, the node that takes phases, and the probe of its output."""
        net, _ = self.phase_network()
        twin, new = convert.to_spiking(net, NEURONS)
        return twin, new[net.source], new[net.probe]

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return each layer's weights, (n_in, n_out), and bias."""
        net, classifier = self.phase_network()
        with nengo.Simulator(net, progress_bar=False) as sim:
            return [
                (sim.data[layer.weights].weights[0], sim.data[layer.bias].weights[0, 0])
                for layer in classifier.layers
            ]


# ------------ each returns a function that runs a batch, and registers what to close with the stack


def plain_loop(dtype: str):
    """Return a run of the network written directly in NumPy, step by step."""
    number = np.dtype(dtype).type

    def make(problem: Problem, stack: ExitStack):
        layers = [(w.astype(dtype), b.astype(dtype)) for w, b in problem.weights()]
        factor = np.exp((-1 / NEURONS.tau + 2j * np.pi * NEURONS.frequency) * DT)
        cos, sin = number(factor.real), number(factor.imag)
        spike_step = np.floor((problem.phases() + 1) / 2 * STEPS_PER_CYCLE)

        def run():
            voltages = [np.zeros((problem.batch, len(bias)), dtype) for _, bias in layers]
            currents = [np.zeros_like(v) for v in voltages]
            output = np.empty((problem.batch, problem.n_steps, problem.sizes[-1]), dtype)
            for step in range(problem.n_steps):
                in_cycle = step % STEPS_PER_CYCLE
                spikes = (spike_step == in_cycle).astype(dtype)
                for k, (weights, bias) in enumerate(layers):
                    drive = spikes @ weights
                    if in_cycle == STEPS_PER_CYCLE // 2:
                        drive += bias
                    voltage = cos * voltages[k] - sin * currents[k] + drive
                    current = sin * voltages[k] + cos * currents[k]
                    fires = (currents[k] < 0) & (current >= 0) & (voltage >= NEURONS.threshold)
                    voltages[k], currents[k] = voltage, current
                    spikes = fires.astype(dtype)
                output[:, step] = spikes / DT
            return output

        return run

    return make


def layerwise(dtype: str):
    """Return a run in `nengo_phasor.layerwise`, in a given precision."""

    def make(problem: Problem, stack: ExitStack):
        twin, source, probe = problem.network()
        phases = problem.phases()[:, None]
        simulator = stack.enter_context(
            nengo_phasor.layerwise.Simulator(twin, dt=DT, dtype=dtype, progress_bar=False)
        )
        return lambda: simulator.predict({source: phases}, problem.n_steps)[probe]

    return make


def in_nengo_dl(problem: Problem, stack: ExitStack):
    """Return a run in NengoDL, which receives constant phases at every step."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import nengo_dl

    twin, source, probe = problem.network()
    phases = np.repeat(problem.phases()[:, None], problem.n_steps, axis=1)
    simulator = stack.enter_context(
        nengo_dl.Simulator(twin, dt=DT, minibatch_size=problem.batch, progress_bar=False, seed=SEED)
    )
    return lambda: simulator.predict({source: phases}, verbose=0)[probe]


PRECISIONS = ("float32", "float64")
METHODS = {
    **{f"plain loop {dtype}": plain_loop(dtype) for dtype in PRECISIONS},
    **{f"layerwise {dtype}": layerwise(dtype) for dtype in PRECISIONS},
    "nengo_dl float32": in_nengo_dl,
}


def agreement(spikes: np.ndarray, others: np.ndarray) -> float:
    """Return the fraction of spikes with a counterpart within one step, in both directions.

    Both are of shape (n_items, n_steps, n).
    """

    def near(x):
        wide = np.pad(x != 0, ((0, 0), (1, 1), (0, 0)))
        return wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]

    return min(np.mean(near(b)[a != 0]) for a, b in ((spikes, others), (others, spikes)))


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = measure.parser(__doc__, "spiking_inference")
    parser.add_argument(
        "--only", choices=METHODS, help="run this once; print its peak memory in GB"
    )
    arguments = parser.parse_args(argv)
    problem = Problem((64, 16, 4), 8, 2) if arguments.tiny else Problem()
    if arguments.only:
        with ExitStack() as stack:
            METHODS[arguments.only](problem, stack)()
        print(measure.peak_memory())
        return 0

    tiny = ["--tiny"] * arguments.tiny
    memory = {name: measure.peak_memory_of(__file__, "--only", name, *tiny) for name in METHODS}
    with ExitStack() as stack:
        runs = {name: make(problem, stack) for name, make in METHODS.items()}
        reference = runs["layerwise float64"]()
        agreements = {name: agreement(run(), reference) for name, run in runs.items()}
        seconds = measure.interleaved(runs, arguments.repeats)
    figures = {
        "inference": measure.timing(seconds, problem.batch, reference="plain loop float32"),
        "peak_memory_gb": memory,
        "agreement_within_a_step": agreements,
        "spikes_per_output_and_cycle": np.count_nonzero(reference)
        / (problem.batch * problem.sizes[-1] * problem.cycles),
    }
    claims = []
    for dtype in PRECISIONS:
        ours, plain = f"layerwise {dtype}", f"plain loop {dtype}"
        ratio = measure.times_as_fast(seconds, ours, than=plain)
        claims.append(Claim(f"{ours}, speed relative to the {plain}", ratio, "", ">= 10"))
        claims.append(Claim(f"{ours}, peak memory", memory[ours], "GB", "<= 2"))
    claims += [
        Claim(
            f"{name}, fraction of spikes within one step of layerwise float64",
            value,
            "",
            ">= 0.999",
        )
        for name, value in agreements.items()
        if name != "layerwise float64"
    ]
    return measure.finish(arguments, asdict(problem), [SEED], figures, claims)


if __name__ == "__main__":
    sys.exit(main())

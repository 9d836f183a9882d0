"""Compare the time of a step of resonate-and-fire neurons in Nengo's simulator with LIF neurons.

    python benchmarks/neuron_step.py

Both the step of the simulator, for a network of one ensemble, and the neuron type's own are timed.
"""

from __future__ import annotations

import sys

import measure
import nengo
import numpy as np

from nengo_phasor import ResonateAndFire
from nengo_phasor.results import Claim

N_NEURONS = 10_000
STEPS = 500
"""The number of steps in a turn: 5 cycles."""
RATE = 10.0
"""The firing rate of both kinds of neurons, in Hz."""
SEED = 0

TYPES = {
    "LIF": nengo.LIF(initial_state={"voltage": nengo.dists.Uniform(0, 1)}),
    # without input: it oscillates from a random phase on and hardly decays
    "ResonateAndFire": ResonateAndFire(
        RATE,
        tau=1e4,
        initial_state={
            "voltage": nengo.dists.Uniform(-1, 1),
            "current": nengo.dists.Uniform(-1, 1),
        },
    ),
}


def drive(neuron_type: nengo.neurons.NeuronType) -> float:
    """Return the constant current at which the neurons spike at the common rate."""
    if isinstance(neuron_type, ResonateAndFire):
        return 0.0
    wait = 1 / RATE - neuron_type.tau_ref
    return 1 / (1 - np.exp(-wait / neuron_type.tau_rc))


def network(neuron_type: nengo.neurons.NeuronType, n_neurons: int) -> nengo.Network:
    """Return a network of one ensemble, without connections."""
    with nengo.Network(seed=SEED) as net:
        nengo.Ensemble(
            n_neurons,
            1,
            neuron_type=neuron_type,
            gain=np.ones(n_neurons),
            bias=np.full(n_neurons, drive(neuron_type)),
            encoders=np.ones((n_neurons, 1)),
        )
    return net


class OwnStep:
    """The neuron type's step alone, on a state that persists between calls."""

    def __init__(self, neuron_type: nengo.neurons.NeuronType, n_neurons: int):
        self.neuron_type = neuron_type
        self.state = neuron_type.make_state(n_neurons, np.random.RandomState(SEED))
        self.current = np.full(n_neurons, drive(neuron_type))
        self.output = np.zeros(n_neurons)
        self.spikes = 0

    def run(self, n_steps: int, dt: float = 0.001) -> None:
        """Run some steps."""
        for _ in range(n_steps):
            self.neuron_type.step(dt, self.current.copy(), self.output, **self.state)
            self.spikes += np.count_nonzero(self.output)


def spikes_per_second(neuron_type: nengo.neurons.NeuronType, n_neurons: int) -> float:
    """Return the mean rate over one second, after one second to settle."""
    step = OwnStep(neuron_type, n_neurons)
    step.run(1000)
    before = step.spikes
    step.run(1000)
    return (step.spikes - before) / n_neurons


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    arguments = measure.parser(__doc__, "neuron_step").parse_args(argv)
    n_neurons, steps = (500, 20) if arguments.tiny else (N_NEURONS, STEPS)

    simulators = {
        name: nengo.Simulator(network(kind, n_neurons), progress_bar=False)
        for name, kind in TYPES.items()
    }
    own = {name: OwnStep(kind, n_neurons) for name, kind in TYPES.items()}
    simulator = measure.interleaved(
        {
            name: lambda sim=sim: [sim.step() for _ in range(steps)]
            for name, sim in simulators.items()
        },
        arguments.repeats,
    )
    alone = measure.interleaved(
        {name: lambda step=step: step.run(steps) for name, step in own.items()}, arguments.repeats
    )
    figures = {
        "simulator_step": measure.timing(simulator, steps, reference="LIF"),
        "neuron_step": measure.timing(alone, steps, reference="LIF"),
        "spikes_per_second": {
            name: spikes_per_second(kind, n_neurons) for name, kind in TYPES.items()
        },
    }
    claims = [
        Claim(
            "time per step of ResonateAndFire neurons in nengo.Simulator, relative to LIF",
            measure.times_as_fast(simulator, "LIF", than="ResonateAndFire"),
            "",
            "<= 1.5",
        )
    ]
    settings = {"n_neurons": n_neurons, "steps": steps, "rate": RATE}
    return measure.finish(arguments, settings, [SEED], figures, claims)


if __name__ == "__main__":
    sys.exit(main())

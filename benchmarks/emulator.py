"""Steps per second of nengo-loihi's emulator and of ours, side by side on a stock LIF network.

    python benchmarks/emulator.py

1,024 LIF neurons, which bias alone makes spike at a rate of choice, drive 128, and these 10. All
are on the chip, so that a step is the emulator's alone. Both emulators run the same network and
have to end in the same state.
"""

from __future__ import annotations

import sys
from itertools import pairwise

import measure
import nengo
import numpy as np

import nengo_phasor  # noqa: F401  (nengo-loihi runs on NumPy 2)
from nengo_phasor.loihi import emulator
from nengo_phasor.results import Claim

import nengo_loihi  # isort: skip

SIZES = (1024, 128, 10)
FRACTIONS = (0.01, 0.02, 0.05, 0.1)
"""Of the inputs, that spike in a step."""
STEPS = 500
"""In a turn."""
SETTLE = 200
"""Steps before: the inputs start in unison, and their rates differ."""
SPREAD = 0.5
"""The inputs' rates differ from their mean by up to this fraction of it."""
DT = 0.001
SEED = 0

SIMULATORS = {"nengo_loihi": nengo_loihi.Simulator, "nengo_phasor": emulator.Simulator}


def network(sizes: tuple[int, ...], fraction: float) -> nengo.Network:
    """Return the network of layers in which a fraction of the first spikes in a step."""
    rng = np.random.RandomState(SEED)
    neuron_type = nengo.LIF(tau_ref=0.001)
    intervals = DT / (fraction * rng.uniform(1 - SPREAD, 1 + SPREAD, size=sizes[0]))
    drive = 1 / -np.expm1(-(intervals - neuron_type.tau_ref) / neuron_type.tau_rc)
    with nengo.Network(seed=SEED) as net:
        layers = [
            nengo.Ensemble(
                size,
                1,
                neuron_type=neuron_type,
                gain=np.ones(size),
                bias=drive if layer == 0 else np.zeros(size),
                encoders=np.ones((size, 1)),
            )
            for layer, size in enumerate(sizes)
        ]
        for pre, post in pairwise(layers):
            weights = rng.normal(
                scale=0.05 / np.sqrt(pre.n_neurons), size=(post.n_neurons, pre.n_neurons)
            )
            nengo.Connection(pre.neurons, post.neurons, transform=weights, synapse=0.005)
    return net


def state(simulator: nengo_loihi.Simulator) -> tuple[np.ndarray, ...]:
    """Return copies of what the compartments hold."""
    compartment = simulator.sims["emulator"].compartment
    return compartment.current.copy(), compartment.voltage.copy(), compartment.spike_count.copy()


def run(sizes: tuple[int, ...], fraction: float, steps: int, repeats: int) -> dict:
    """Return the figures of both emulators where a fraction of the inputs spikes in a step."""
    simulators = {
        name: kind(network(sizes, fraction), target="sim") for name, kind in SIMULATORS.items()
    }
    for simulator in simulators.values():
        simulator.run_steps(SETTLE)
    before = state(simulators["nengo_loihi"])[-1]
    seconds = measure.interleaved(
        {name: lambda sim=sim: sim.run_steps(steps) for name, sim in simulators.items()}, repeats
    )
    ends = {name: state(simulator) for name, simulator in simulators.items()}
    spikes = ends["nengo_loihi"][-1] - before
    n_steps = steps * (repeats + 1)
    for simulator in simulators.values():
        simulator.close()
    return {
        **measure.timing(seconds, steps, reference="nengo_loihi"),
        "inputs_spiking": float(spikes[: sizes[0]].sum() / sizes[0] / n_steps),
        "spikes_per_step": float(spikes.sum() / n_steps),
        "same_state": all(map(np.array_equal, ends["nengo_loihi"], ends["nengo_phasor"])),
    }


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    arguments = measure.parser(__doc__, "emulator").parse_args(argv)
    sizes, fractions, steps = (SIZES, FRACTIONS, STEPS)
    if arguments.tiny:
        sizes, fractions, steps = (64, 16, 4), (0.05,), 20
    figures = {
        f"{fraction:g} of the inputs spike": run(sizes, fraction, steps, arguments.repeats)
        for fraction in fractions
    }
    claims = [
        Claim(
            f"steps per second, in those of nengo-loihi's emulator, {name}",
            values["times_as_fast"]["nengo_phasor"],
            "",
            ">= 5",
        )
        for name, values in figures.items()
    ]
    same = np.mean([values["same_state"] for values in figures.values()])
    claims.append(Claim("fraction of runs that end in the same state", float(same), "", ">= 1"))
    settings = {"sizes": sizes, "fractions": fractions, "steps": steps}
    return measure.finish(arguments, settings, [SEED], figures, claims)


if __name__ == "__main__":
    sys.exit(main())

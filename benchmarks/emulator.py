"""Compare the speed of nengo-loihi's emulator with that of ours.

    python benchmarks/emulator.py

In a stock network, 1,024 LIF neurons, which spike at a chosen rate due to their bias, drive 128,
and these drive 10, all on the chip. In one of ours, 1,024 inputs that spike once per cycle, whose
spikes are on the chip beforehand, drive 128 resonate-and-fire neurons, and these drive 10.
nengo-loihi has no such neurons, so its delivery of spikes is combined with our compartments. Only
the steps of the emulator are timed. Both emulators run the same network and must end in the same
state.
"""

from __future__ import annotations

import sys
from itertools import pairwise

import measure
import nengo
import numpy as np

import nengo_phasor
from nengo_phasor.loihi import emulator
from nengo_phasor.results import Claim

import nengo_loihi  # isort: skip
from nengo_loihi.emulator import interface  # isort: skip

SIZES = (1024, 128, 10)
FRACTIONS = (0.01, 0.02, 0.05, 0.1)
"""The fractions of the inputs that spike in a step."""
STEPS = 500
"""The number of steps in a turn."""
SETTLE = 200
"""The number of steps before timing, since the inputs start in unison and their rates differ."""
SPREAD = 0.5
"""The largest deviation of an input's rate from the mean, as a fraction of the mean."""
DT = 0.001
SEED = 0


def lif(sizes: tuple[int, ...], fraction: float) -> nengo.Network:
    """Return LIF layers; a fraction of the neurons in the first layer spikes in each step."""
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


def resonators(sizes: tuple[int, ...], fraction: float) -> nengo.Network:
    """Return resonate-and-fire layers; a fraction of the inputs spikes in each step."""
    rng = np.random.RandomState(SEED)
    frequency = fraction / DT
    with nengo.Network(seed=SEED) as net:
        layer = nengo.Node(size_in=sizes[0])
        given = nengo.Node(rng.uniform(-1, 1, sizes[0]))
        nengo.Connection(given, layer, synapse=nengo_phasor.PhaseEncoder(frequency))
        for size_in, size in pairwise(sizes):
            neuron_type = nengo_phasor.ResonateAndFire(frequency)
            target = nengo.Ensemble(size, 1, neuron_type=neuron_type).neurons
            weights = rng.normal(scale=1 / np.sqrt(size_in), size=(size, size_in))
            nengo.Connection(layer, target, transform=weights, synapse=None)
            layer = target
    return net


def stock(net: nengo.Network) -> nengo_loihi.Simulator:
    """Return nengo-loihi's simulator, or ours with its delivery of spikes."""
    simulator = nengo_loihi.Simulator(net, target="sim")
    chip = simulator.sims["emulator"]
    if isinstance(chip, emulator.EmulatorInterface):
        chip.synapses = interface.SynapseState(chip.block_info, strict=chip.strict)
    return simulator


def ours(net: nengo.Network) -> nengo_loihi.Simulator:
    """Return our simulator."""
    return emulator.Simulator(net, target="sim")


NETWORKS = {"LIF": lif, "resonate-and-fire": resonators}
SIMULATORS = {"nengo_loihi": stock, "nengo_phasor": ours}


def bring_inputs(simulator: nengo_loihi.Simulator, steps: int) -> None:
    """Run the host, if there is one, before the chip."""
    if "host_pre" in simulator.sims:
        simulator.sims["host_pre"].run_steps(steps)
        simulator._runner._host2chip(simulator.sims["emulator"])


def state(simulator: nengo_loihi.Simulator) -> tuple[np.ndarray, ...]:
    """Return copies of the states of the compartments."""
    compartment = simulator.sims["emulator"].compartment
    ours = [group.states for group in getattr(compartment, "groups", ())]
    names = ("current", "voltage", "spike_count")
    return *map(np.copy, ours), *(getattr(compartment, name).copy() for name in names)


def run(make, sizes: tuple[int, ...], fraction: float, steps: int, repeats: int) -> dict:
    """Return the figures of both emulators when a fraction of the inputs spikes in each step."""
    simulators = {name: kind(make(sizes, fraction)) for name, kind in SIMULATORS.items()}
    chips = {name: simulator.sims["emulator"] for name, simulator in simulators.items()}
    n_steps = steps * (repeats + 1)
    for simulator in simulators.values():
        bring_inputs(simulator, SETTLE + n_steps)
        simulator.sims["emulator"].run_steps(SETTLE)
    before = state(simulators["nengo_loihi"])[-1]
    seconds = measure.interleaved(
        {name: lambda chip=chip: chip.run_steps(steps) for name, chip in chips.items()}, repeats
    )
    ends = {name: state(simulator) for name, simulator in simulators.items()}
    spikes = ends["nengo_loihi"][-1] - before
    for simulator in simulators.values():
        simulator.close()
    return {
        **measure.timing(seconds, steps, reference="nengo_loihi"),
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
        f"{name}, {fraction:g} of the inputs spike": run(
            make, sizes, fraction, steps, arguments.repeats
        )
        for name, make in NETWORKS.items()
        for fraction in fractions
    }
    claims = [
        Claim(
            f"speed relative to nengo-loihi's emulator, {name}",
            values["times_as_fast"]["nengo_phasor"],
            "",
            ">= 5",
        )
        for name, values in figures.items()
    ]
    same = np.mean([values["same_state"] for values in figures.values()])
    claims.append(
        Claim(
            "fraction of runs in which both emulators end in the same state",
            float(same),
            "",
            ">= 1",
        )
    )
    settings = {"sizes": sizes, "fractions": fractions, "steps": steps}
    return measure.finish(arguments, settings, [SEED], figures, claims)


if __name__ == "__main__":
    sys.exit(main())

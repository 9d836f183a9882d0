"""Three resonate-and-fire neurons to play with: their rhythm, their threshold, their sparsifier.

    nengo networks/three_oscillators.py                   Nengo GUI
    nengo networks/three_oscillators.py -b nengo_loihi    with the neurons on the emulated chip
    python networks/three_oscillators.py                  without it: prints each one's phase

Each neuron is driven by a spike a cycle. Sliders set

- phase: when in the cycle that spike comes, in units of pi; 0 is the reference.
- frequency: of the drive, in Hz. The neurons resonate at 10 Hz and the clock turns with 10 Hz: what
  is driven faster or slower resonates less, and its hand drifts around the clock.
- threshold: in what one spike of the drive adds to a voltage. The neurons' own is fixed; the drive
  is divided by the slider's value instead, which makes the same spikes, since they are linear up to
  the threshold and have no reset. So voltages are shown in thresholds.
- sparsifier's strength: the fraction of the circle, around the reference, in which spikes are left
  out.

Hands of the phase clock are grey where a spike is missing: the sparsifier left it out, or the
neuron did not reach its threshold.
"""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor import ArcSparsifier, ResonateAndFire, displays, phases
from nengo_phasor.synapses import Tick

N = 3
FREQUENCY = 10.0
DT = 0.001

PHASES = (-0.4, 0.05, 0.5)
THRESHOLD, STRENGTH = 2.0, 0.1
SIZES = 2.0 ** np.arange(1, -7, -1)
"""Of the drive's spikes, which add up to any size: those to a chip must all be alike by themselves,
so each of these has a line of its own, with a weight."""


def in_binary(size: float) -> np.ndarray:
    """Return which of `SIZES` add up to a size, (n_sizes,), to the nearest or the largest sum."""
    number = min(round(size / SIZES[-1]), 2 ** len(SIZES) - 1)
    return (number >> np.arange(len(SIZES))[::-1]) & 1


class Drive:
    """A node's function: a spike a cycle for each neuron, as spikes of sizes that add up to it.

    It takes phases (units of pi), frequencies (Hz), and the threshold that spikes are divided by.
    """

    size_in = 2 * N + 1
    size_out = N * len(SIZES)

    def __init__(self):
        self.now, self.cycles, self.n_spikes = 0.0, np.zeros(N), np.zeros(N)

    def __call__(self, t, x):
        phase, frequency, threshold = x[:N], x[N:-1], x[-1]
        if t < self.now:  # a new simulation
            self.__init__()
        self.now = t
        self.cycles += np.maximum(frequency, 0.0) * DT
        due = np.floor(self.cycles - 0.5 * (phase + 1.0) - phases.STEP_TOLERANCE) + 1.0
        spikes = due > self.n_spikes
        self.n_spikes = np.maximum(due, self.n_spikes)
        return np.outer(spikes, in_binary(1 / max(threshold, SIZES[-1]))).ravel() / DT


class Sparsifier:
    """A node's function: an `ArcSparsifier` whose strength can be changed while it runs.

    It takes spikes, and the strength.
    """

    size_in = N + 1

    def __call__(self, t, x):
        synapse = ArcSparsifier(float(np.clip(x[-1], 0, 1)), FREQUENCY)
        constants = synapse.constants(DT, np.arange(N), np.zeros(1, int))
        tick = Tick(np.rint(t / DT), np.uint32([round(t / DT)]))
        return synapse.advance(np, tick, x[:N], constants)[0]


def gui_model() -> nengo.Network:
    """Return the three oscillators, with nodes for sliders and a phase clock."""
    with nengo.Network(label="three oscillators") as net:
        net.phase = nengo.Node(PHASES, label="phase (units of pi)")
        net.frequency = nengo.Node([FREQUENCY] * N, label="frequency of the drive (Hz)")
        net.threshold = nengo.Node([THRESHOLD], label="threshold (spikes of the drive)")
        net.strength = nengo.Node([STRENGTH], label="sparsifier's strength")
        net.drive = nengo.Node(Drive(), Drive.size_in, Drive.size_out, label="drive")
        net.neurons = nengo.Ensemble(
            N, 1, neuron_type=ResonateAndFire(FREQUENCY, threshold=1.0), label="oscillators"
        )
        net.sparsifier = nengo.Node(Sparsifier(), Sparsifier.size_in, N, label="sparsifier")
        net.clock = displays.phase_clock(N, FREQUENCY, True, DT)
        for pre, post in (
            (net.phase, net.drive[:N]),
            (net.frequency, net.drive[N:-1]),
            (net.threshold, net.drive[-1]),
            (net.neurons.neurons, net.sparsifier[:N]),
            (net.strength, net.sparsifier[-1]),
            (net.neurons.neurons, net.clock[:N]),
            (net.sparsifier, net.clock[N:]),
        ):
            nengo.Connection(pre, post, synapse=None)
        weights = np.kron(np.eye(N), SIZES)
        nengo.Connection(net.drive, net.neurons.neurons, transform=weights, synapse=None)
    return net


def main(seconds: float = 1.0) -> None:
    """Run it, and print the phase of each neuron in the last cycle."""
    net = gui_model()
    with net:
        probe = nengo.Probe(net.neurons.neurons)
    with nengo.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.run(seconds)
    for k, phase in enumerate(phases.from_raster(sim.data[probe], FREQUENCY, DT)[-1]):
        print(f"neuron {k}: driven at phase {PHASES[k]:+.2f}, spikes at {phase:+.2f}")


if __name__ == "__main__":
    main()
else:
    model = gui_model()

"""Measure how the time to build a network grows with its number of ensembles.

    python benchmarks/build.py

Layers of resonate-and-fire neurons, each followed by a random sparsifier, are compared with the
same network of LIF neurons and Nengo's filters, which our checks do not concern.
"""

from __future__ import annotations

import sys
from statistics import median

import measure
import nengo

from nengo_phasor import RandomSparsifier, ResonateAndFire
from nengo_phasor.results import Claim

SIZES = (100, 300, 1000)
"""Numbers of ensembles."""
SEED = 0

KINDS = {
    "ResonateAndFire": (ResonateAndFire(), RandomSparsifier(0.1)),
    "LIF": (nengo.LIF(), nengo.Lowpass(0.005)),
}


def network(
    neuron_type: nengo.neurons.NeuronType, synapse: nengo.synapses.Synapse, n_ensembles: int
) -> nengo.Network:
    """Return a chain of layers of one neuron, each followed by the synapse."""
    with nengo.Network(seed=SEED) as net:
        source = nengo.Node(size_in=1)
        for _ in range(n_ensembles):
            layer = nengo.Ensemble(1, 1, neuron_type=neuron_type).neurons
            relay = nengo.Node(size_in=1)
            nengo.Connection(source, layer, synapse=None)
            nengo.Connection(layer, relay, synapse=synapse)
            source = relay
    return net


def build(net: nengo.Network) -> None:
    """Build a network, without sorting and merging operators as Nengo would to run it."""
    nengo.builder.Model().build(net)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    arguments = measure.parser(__doc__, "build").parse_args(argv)
    sizes = (5, 15) if arguments.tiny else SIZES
    figures = {}
    for n_ensembles in sizes:
        nets = {name: network(*kind, n_ensembles) for name, kind in KINDS.items()}
        seconds = measure.interleaved(
            {name: lambda net=net: build(net) for name, net in nets.items()}, arguments.repeats
        )
        figures[f"{n_ensembles} ensembles"] = measure.timing(seconds, n_ensembles, "LIF")
    few, most = (
        median(figures[f"{n} ensembles"]["seconds"]["ResonateAndFire"]) / n
        for n in (sizes[0], sizes[-1])
    )
    claims = [
        Claim(
            f"build time per ensemble, {sizes[-1]:,} ensembles relative to {sizes[0]:,}",
            most / few,
            "",
            "<= 1.5",
        )
    ]
    return measure.finish(arguments, {"sizes": sizes}, [SEED], figures, claims)


if __name__ == "__main__":
    sys.exit(main())

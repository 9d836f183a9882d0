"""Measure the start-up cost of layerwise in the first and the second process.

    python benchmarks/start.py

Each turn has a new, empty cache for Numba. A first process runs a neuron or a
network, then a second process does the same. Figures are CPU seconds of whole processes minus
those of one that imports nengo, measured in the same turn.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from statistics import median

import measure

from nengo_phasor.results import Claim

IMPORT = "import nengo"

NEURON = """
import nengo, nengo_phasor
from nengo_phasor import layerwise
with nengo.Network(seed=0) as net:
    neurons = nengo.Ensemble(1, 1, neuron_type=nengo_phasor.ResonateAndFire()).neurons
    nengo.Connection(nengo.Node([0.3]), neurons, synapse=None)
    nengo.Probe(neurons)
with layerwise.Simulator(net) as sim:
    sim.run(0.5)
"""

NETWORK = """
import nengo, nengo_phasor, numpy
from nengo_phasor import layerwise
from nengo_phasor.networks import PhasorClassifier
with nengo.Network(seed=0) as net:
    classifier = PhasorClassifier((64, 32, 10))
    nengo.Probe(classifier.output)
twin, mapping = nengo_phasor.convert.to_spiking(
    net, sparsifier=nengo_phasor.FieldSparsifier(0.2)
)
with layerwise.Simulator(twin) as sim:
    sim.run(0.5)
"""

TASKS = {"neuron": NEURON, "network": NETWORK}


def cpu_seconds(code: str, cache: str) -> float:
    """Return the CPU seconds, user and system, of a process that runs some code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def turn() -> dict[str, float]:
    """Return the CPU seconds of each process of a turn."""
    with tempfile.TemporaryDirectory() as cache:
        taken = {"import nengo": cpu_seconds(IMPORT, cache)}
        for task, code in TASKS.items():
            for process in ("first", "second"):
                taken[f"{task}, {process} process"] = cpu_seconds(code, cache)
    return taken


def main(arguments: list[str] | None = None) -> int:
    """Measure, write the results, and return the exit status."""
    options = measure.parser(__doc__, "start").parse_args(arguments)
    turns = [turn() for _ in range(1 if options.tiny else options.repeats)]
    seconds = {name: [taken[name] for taken in turns] for name in turns[0]}
    extra = {
        name: median(taken[name] - taken["import nengo"] for taken in turns)
        for name in list(seconds)[1:]
    }
    claims = [
        Claim(
            f"start: {task}, second process, CPU time in addition to import nengo",
            extra[f"{task}, second process"],
            "s",
            "<= 1.0",
        )
        for task in TASKS
    ]
    figures = {"cpu_seconds": seconds, "over_import_nengo": extra}
    return measure.finish(options, {}, [0], figures, claims)


if __name__ == "__main__":
    sys.exit(main())

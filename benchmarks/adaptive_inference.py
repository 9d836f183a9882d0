"""Inference of a converted network of adaptive spiking neurons: NengoDL and layerwise.

    python benchmarks/adaptive_inference.py

The small MNIST network of `networks/adaptive_digits.py`, with its committed weights, is shown
images for 500 ms, and outputs its readout. Then, with random weights, the growth of both with the
network's width and with the window is measured. Simulators are built beforehand. Peak memory is
that of a whole process, including imports.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace

import measure
import nengo
import numpy as np

import nengo_phasor
from nengo_phasor import convert, metrics
from nengo_phasor.convert.adaptive import Converted
from nengo_phasor.models.adaptive import digits
from nengo_phasor.models.adaptive.data import pixels
from nengo_phasor.models.adaptive.stack import Layout, keras_model
from nengo_phasor.results import Claim

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

SEED = 0
M_F = 0.3


@dataclass(frozen=True)
class Problem:
    """A problem: ``width`` scales the small network's layers; ``trained`` loads its weights."""

    width: float = 1.0
    n_steps: int = 500
    batch: int = 16
    trained: bool = False

    def converted(self) -> Converted:
        """Return the spiking network."""
        layout = digits.LAYOUTS["small"]
        layout = Layout(
            tuple(tuple(round(self.width * n) for n in group) for group in layout.convolutions),
            tuple(round(self.width * n) for n in layout.dense),
        )
        model = keras_model(layout, seed=SEED)
        if self.trained:
            from nengo_phasor.models.adaptive import training

            training.load_weights(digits.PARAMS["mnist"], model)
        return convert.to_adaptive(model, nengo_phasor.AdaptiveSpiking(M_F))

    def images(self) -> np.ndarray:
        """Return the committed digits in turn, (batch, 784)."""
        images = nengo_phasor.datasets.load_params(digits.PARAMS["mnist"])["images"]
        flat = pixels(images).reshape(len(images), -1)
        return flat[np.arange(self.batch) % len(flat)]

    def spikes(self) -> float:
        """Return the mean number of spikes per image."""
        converted = self.converted()
        with converted.network:
            probes = [nengo.Probe(ensemble.neurons) for ensemble in converted.layers.values()]
        few = self.images()[:10]
        with nengo_phasor.layerwise.Simulator(
            converted.network, dtype="float32", progress_bar=False
        ) as sim:
            seen = sim.predict({converted.input: few[:, None]}, self.n_steps)
        return sum(np.count_nonzero(seen[probe]) for probe in probes) / len(few)


def in_layerwise(problem: Problem, stack: ExitStack):
    """Return a run in `nengo_phasor.layerwise`, in single precision."""
    converted, images = problem.converted(), problem.images()[:, None]
    sim = stack.enter_context(
        nengo_phasor.layerwise.Simulator(converted.network, dtype="float32", progress_bar=False)
    )
    return lambda: sim.predict({converted.input: images}, problem.n_steps)[converted.output]


def in_nengo_dl(problem: Problem, stack: ExitStack):
    """Return a run in NengoDL, which receives the images at every step."""
    import nengo_dl

    converted = problem.converted()
    images = np.repeat(problem.images()[:, None], problem.n_steps, axis=1)
    with converted.network:
        nengo_dl.configure_settings(stateful=False)
    sim = stack.enter_context(
        nengo_dl.Simulator(
            converted.network, minibatch_size=problem.batch, progress_bar=False, seed=SEED
        )
    )
    return lambda: sim.predict({converted.input: images}, verbose=0)[converted.output]


METHODS = {"layerwise": in_layerwise, "nengo_dl": in_nengo_dl}


def compare(problem: Problem, repeats: int) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the figures of a problem, and the readout of each method."""
    arguments = [f"{problem.width}", f"{problem.n_steps}", f"{problem.batch}"]
    arguments += ["trained"] * problem.trained
    memory = {
        name: measure.peak_memory_of(__file__, "--only", name, *arguments) for name in METHODS
    }
    with ExitStack() as stack:
        runs = {name: make(problem, stack) for name, make in METHODS.items()}
        outputs = {name: run() for name, run in runs.items()}
        seconds = measure.interleaved(runs, repeats)
    spikes = problem.spikes()
    timing = measure.timing(seconds, problem.batch, reference="nengo_dl")
    figures = {
        **asdict(problem),
        "spikes_per_image": spikes,
        **timing,
        "spikes_per_second": {k: spikes * v for k, v in timing["items_per_second"].items()},
        "peak_memory_gb": memory,
    }
    return figures, outputs


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["--only"]:
        name, width, n_steps, batch, *trained = argv[1:]
        problem = Problem(float(width), int(n_steps), int(batch), bool(trained))
        with ExitStack() as stack:
            METHODS[name](problem, stack)()
        print(measure.peak_memory())
        return 0
    arguments = measure.parser(__doc__, "adaptive_inference").parse_args(argv)
    problem = Problem(trained=True)
    widths, windows = (0.5, 1.0, 2.0), (125, 250, 500)
    if arguments.tiny:
        problem = replace(problem, n_steps=20, batch=2)
        widths, windows = (0.25,), ()
    main_figures, outputs = compare(problem, arguments.repeats)
    random = replace(problem, trained=False)
    growth = {
        "with_width": [compare(replace(random, width=w), 1)[0] for w in widths],
        "with_window": [compare(replace(random, n_steps=n), 1)[0] for n in windows],
    }
    labels = np.argmax(outputs["nengo_dl"][:, -1], axis=-1)
    same = metrics.accuracy(np.argmax(outputs["layerwise"][:, -1], axis=-1), labels)
    ratio = main_figures["times_as_fast"]["layerwise"]
    claims = [
        Claim("speed of layerwise relative to NengoDL", ratio, "", ">= 3"),
        Claim(
            "fraction of images that layerwise and NengoDL classify alike", float(same), "", ">= 1"
        ),
    ]
    figures = {"inference": main_figures, "growth": growth}
    return measure.finish(arguments, asdict(problem), [SEED], figures, claims)


if __name__ == "__main__":
    sys.exit(main())

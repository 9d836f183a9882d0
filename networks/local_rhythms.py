"""Sparsifying spiking networks through local rhythms: the paper's system.

A phasor network is trained on FashionMNIST, turned into resonate-and-fire neurons, and sparsified
in three ways: by arc, by the layer's own field, at random (Olin-Ammentorp 2023).

    \b
    python networks/local_rhythms.py demo       the whole story in a few minutes
    python networks/local_rhythms.py results    the committed figures
    nengo networks/local_rhythms.py             Nengo GUI, from committed weights

"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import nengo
import numpy as np
import phasor_training
from tqdm import tqdm

import nengo_phasor
from nengo_phasor import convert, datasets, displays, metrics, phases, results
from nengo_phasor.models.shared.commands import COUNT, SEED, Commands, Seeds
from nengo_phasor.models.shared.run_folder import open_run
from nengo_phasor.networks import PhasorClassifier, RandomProjection, real_weights

SIZES = (1024, 128, 10)
PIXELS = 28 * 28
FREQUENCY = 10.0
DT = 0.001
CYCLES = 8
CYCLE = 7
"""The cycle that is decoded, the first being 0: the last one. Chosen before any was scored."""

SPARSIFIERS = {
    "arc": lambda strength: nengo_phasor.ArcSparsifier(strength, FREQUENCY),
    "field": lambda strength: nengo_phasor.FieldSparsifier(strength, FREQUENCY),
    "random": lambda strength: nengo_phasor.RandomSparsifier(strength),
}
RECEIVERS = {"silence": None, "reference": nengo_phasor.AssumeReference(FREQUENCY)}
"""What a receiver takes a missing spike for: nothing, or one at the reference phase."""

STRENGTHS = {
    "arc": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.19, 0.25, 0.32, 0.4, 0.6),
    "field": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.19, 0.25, 0.32, 0.4, 0.6),
    "random": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9),
}

PARAMS = Path(nengo_phasor.__file__).parent / "models" / "params" / "local_rhythms.npz"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    ``spread`` is the standard deviation of the input phases, ``gain`` that of the initial weights
    times the square root of their number, beside biases of 1. ``pull`` weights the hidden phases'
    distance
    from the reference in the loss. ``batches`` are of ``batch_size``.
    """

    optimizer: str
    learning_rate: float
    decay: bool
    batches: int
    spread: float
    gain: float
    pull: float
    batch_size: int = 128


RECIPES = {
    "paper": Recipe("RMSprop", 1e-3, False, 1000, spread=0.5, gain=0.5, pull=0.0),
    "long": Recipe("Adam", 1e-3, True, 12 * 468, spread=0.5, gain=0.5, pull=0.01),
}


# ------------------------------------------------------------------------------------- networks


def classifier(params: dict | None = None, gain: float = 1.0) -> PhasorClassifier:
    """Return the classifier, with given parameters or with random weights of a given gain."""
    net = PhasorClassifier(SIZES)
    for k, layer in enumerate(net.layers):
        n_in, n_out = SIZES[k : k + 2]
        if params is None:
            layer.weights.transform = real_weights(
                n_in, n_out, nengo.dists.Gaussian(0, gain * n_in**-0.5)
            )
        else:
            layer.weights.transform = real_weights(n_in, n_out, params[f"weights_{k}"])
            layer.bias.transform = real_weights(1, n_out, params[f"bias_{k}"])
    return net


def phase_network(params: dict | None = None, gain: float = 1.0, seed: int = 0) -> nengo.Network:
    """Return the network in the phase domain: ``input``, and probes ``hidden`` and ``output``."""
    with nengo.Network(label="local rhythms", seed=seed) as net:
        net.input = nengo.Node(np.zeros(2 * SIZES[0]), label="phasors")
        net.classifier = classifier(params, gain)
        nengo.Connection(net.input, net.classifier.input, synapse=None)
        hidden, output = net.classifier.layers
        net.hidden = nengo.Probe(hidden.output, label="hidden")
        net.output = nengo.Probe(output.output, label="output")
    return net


def gui_model(params: dict, arc: float = 0.1) -> nengo.Network:
    """Return the spiking network behind its random projection, shown a garment a second.

    Displays show the garment, the phases of both layers, with hands in grey for spikes that the
    sparsifier leaves out, and the class.
    """
    pixels = params["images"].reshape(-1, PIXELS) / 255
    with nengo.Network(label="local rhythms") as net:
        garment = nengo.Node(nengo.processes.PresentInput(pixels, 1.0), label="garment")
        project = projection(int(params["seed"]), float(params["spread"]))
        nengo.Connection(garment, project.input, synapse=None)
        layers = classifier(params)
        nengo.Connection(project.output, layers.input, synapse=None)
        probes = [nengo.Probe(layer.output) for layer in layers.layers]
    model, new = convert.to_spiking(
        net,
        nengo_phasor.ResonateAndFire(FREQUENCY),
        nengo_phasor.ArcSparsifier(arc, FREQUENCY),
        assume_reference=True,
    )
    model.garment, model.projection, model.classifier = map(new.get, (garment, project, layers))
    model.hidden, model.output = (new[layer.units] for layer in layers.layers)
    model.hidden.label, model.output.label = "hidden neurons", "outputs"
    sent = [new[probe].target for probe in probes]
    model.probes.clear()  # a GUI runs for as long as one likes, and they keep everything
    with model:
        model.image = displays.image((28, 28), label="what is shown")
        nengo.Connection(model.garment, model.image, synapse=None)
        model.hidden_clock = displays.phase_clock(SIZES[1], FREQUENCY, True, label="hidden phases")
        model.clock = displays.phase_clock(SIZES[2], FREQUENCY, True, label="output phases")
        for ensemble, relay, clock in zip(
            (model.hidden, model.output), sent, (model.hidden_clock, model.clock), strict=True
        ):
            n = ensemble.n_neurons
            nengo.Connection(ensemble.neurons, clock[:n], synapse=None)
            nengo.Connection(relay, clock[n:], synapse=None)
        names = datasets.DATASETS["fashion_mnist"].classes
        model.decision = displays.phase_classes(names, FREQUENCY, label="class: phase nearest 1/2")
        nengo.Connection(sent[-1], model.decision, synapse=None)
    return model


def layer_params(net: nengo.Network) -> dict[str, np.ndarray]:
    """Return a frozen network's weights and biases."""
    return {
        f"{name}_{k}": np.squeeze(getattr(layer, name).transform.init, axis=0).astype(np.float32)
        for k, layer in enumerate(net.classifier.layers)
        for name in ("weights", "bias")
    }


def projection(seed: int, spread: float) -> RandomProjection:
    """Return the fixed random projection from pixels to phases."""
    return RandomProjection(PIXELS, SIZES[0], spread=spread, seed=seed)


def encode(images: np.ndarray, seed: int, spread: float) -> np.ndarray:
    """Return the input phases of images, (n, 1024), in single precision."""
    pixels = images.reshape(len(images), PIXELS).astype(np.float32) / 255
    return projection(seed, spread).encode(pixels)


# ------------------------------------------------------------------------------------- training


def train(recipe: Recipe, seed: int, x: np.ndarray, y: np.ndarray, folder: Path) -> dict:
    """Train in NengoDL; return the parameters. ``x`` are phases, ``y`` labels."""
    from nengo_phasor.dl import losses

    net = phase_network(gain=recipe.gain, seed=seed)
    loss = {net.output: losses.PhaseCosine(), net.hidden: losses.ReferenceDistance()}
    weights = {net.output: 1.0, net.hidden: recipe.pull}
    phasor_training.fit(
        net, recipe, seed, lambda items, _: phases.to_rows(x[items]), y, loss, folder, weights
    )
    return layer_params(net)


# ----------------------------------------------------------------------------------- evaluation


def phase_outputs(params: dict, x: np.ndarray) -> np.ndarray:
    """Return the output phases in the phase domain, (n, 10)."""
    net = phase_network(params)
    with nengo_phasor.layerwise.Simulator(net, dtype="float32") as sim:
        rows = phases.to_rows(x).astype(np.float32)[:, None]
        return phases.from_complex(
            phases.from_rows(sim.predict({net.input: rows})[net.output][:, 0])
        )


def sweep_network(params: dict, points: list[tuple[str, str, float]]) -> nengo.Network:
    """Return the spiking network with one output layer for each (receiver, sparsifier, strength).

    They share the hidden layer, whose spikes do not depend on what is left out after it. ``input``
    takes phases, ``outputs`` and ``counts`` are lists of probes: of the spikes that are sent by
    each output layer, and of the numbers sent by hidden and output layer.
    """
    old = phase_network(params)
    twin, new = convert.to_spiking(old, nengo_phasor.ResonateAndFire(FREQUENCY))
    hidden, output = old.classifier.layers
    weights, bias = new[output.weights].transform, new[output.bias]
    twin.input, twin.outputs, twin.counts = new[old.input], [], []
    with twin:
        for receiver, name, strength in points:
            sparsifier = SPARSIFIERS[name](strength)
            sent, received = nengo.Node(size_in=SIZES[1]), nengo.Node(size_in=SIZES[1])
            nengo.Connection(new[hidden.units].neurons, sent, synapse=sparsifier)
            nengo.Connection(sent, received, synapse=RECEIVERS[receiver])
            units = nengo.Ensemble(SIZES[2], 1, neuron_type=nengo_phasor.ResonateAndFire(FREQUENCY))
            nengo.Connection(received, units.neurons, transform=weights, synapse=None)
            nengo.Connection(bias.pre, units.neurons, transform=bias.transform, synapse=None)
            decided, count = nengo.Node(size_in=SIZES[2]), nengo.Node(size_in=2)
            nengo.Connection(units.neurons, decided, synapse=sparsifier)
            for k, layer in enumerate((sent, decided)):
                nengo.Connection(
                    layer, count[k], transform=np.full((1, layer.size_in), DT), synapse=None
                )
            twin.outputs.append(nengo.Probe(decided))
            twin.counts.append(nengo.Probe(count))
    return twin


def sweep(params, x, y, points: list[tuple[str, str, float]], chunk: int = 250) -> list[dict]:
    """Return accuracy and spikes an image for each (receiver, sparsifier, strength).

    Spikes of both layers count; those of the hidden layer are counted by themselves, too.
    """
    net = sweep_network(params, points)
    n_steps = round(CYCLES / (FREQUENCY * DT))
    right, spikes = np.zeros((len(points), CYCLES)), np.zeros((len(points), 2))
    with nengo_phasor.layerwise.Simulator(net, dt=DT, dtype="float32") as sim:
        for start in tqdm(range(0, len(x), chunk), desc="images", unit=f"{chunk} images"):
            labels = y[start : start + chunk]
            seen = sim.predict({net.input: x[start : start + chunk, None]}, n_steps)
            for k, (output, count) in enumerate(zip(net.outputs, net.counts, strict=True)):
                decoded = phases.from_raster(seen[output], FREQUENCY, DT, CYCLES)
                right[k] += metrics.accuracy(metrics.phase_class(decoded), labels) * len(labels)
                spikes[k] += seen[count].sum(axis=(0, 1))
    return [
        {
            "strength": strength,
            "accuracy": float(right[k, CYCLE] / len(x)),
            "accuracy_per_cycle": (right[k] / len(x)).tolist(),
            "spikes": float(spikes[k].sum() / len(x)),
            "hidden_spikes": float(spikes[k, 0] / len(x)),
        }
        for k, (_, _, strength) in enumerate(points)
    ]


def accuracy_at(curve: list[dict], removed: float) -> float:
    """Return a curve's accuracy where a fraction of spikes is removed, between its points."""
    points = sorted((point["removed"], point["accuracy"]) for point in curve)
    return float(np.interp(removed, *zip(*points, strict=True)))


def evaluate(recipe: Recipe, seed: int, folder: Path, data, strengths: dict, resume: bool) -> dict:
    """Train and score; if asked to, go on from what an earlier run left in the folder."""
    settings = {**asdict(recipe), "seed": seed, "images": len(data.x_test), "strengths": strengths}
    open_run(folder, settings, resume)
    params_file, scores_file = folder / "params.npz", folder / "scores.json"
    if scores_file.exists():
        return json.loads(scores_file.read_text())
    if not params_file.exists():
        x = encode(data.x_train, seed, recipe.spread)
        params = train(recipe, seed, x, data.y_train, folder)
        datasets.save_params(params_file, **params, seed=seed, spread=recipe.spread)
    params = datasets.load_params(params_file)
    x, y = encode(data.x_test, seed, recipe.spread), data.y_test
    points = [("silence", "arc", 0.0)] + [
        (receiver, name, strength)
        for receiver in RECEIVERS
        for name in SPARSIFIERS
        for strength in strengths[name]
    ]
    dense, *scores = sweep(params, x, y, points)
    for score in (dense, *scores):
        score["removed"] = 1 - score["spikes"] / dense["spikes"]
    curves = {receiver: {name: [dense] for name in SPARSIFIERS} for receiver in RECEIVERS}
    for (receiver, name, _), score in zip(points[1:], scores, strict=True):
        curves[receiver][name].append(score)
    predicted = metrics.phase_class(phase_outputs(params, x))
    result = {
        "phase_accuracy": float(metrics.accuracy(predicted, y)),
        "spiking_accuracy": dense["accuracy"],
        "accuracy_per_cycle": dense["accuracy_per_cycle"],
        "spikes_per_image": dense["spikes"],
        "curves": curves,
    }
    results.write(scores_file, result)
    return result


# -------------------------------------------------------------------------------- command line


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the paper's system."""


def options(command):
    """Add the options that all commands share."""
    for option in (
        click.option("--data", type=click.Path(), help="Folder with FashionMNIST."),
        click.option("--images", default=None, type=COUNT, help="Score only so many test images."),
        click.option("--batches", default=None, type=COUNT, help="Train for so many batches."),
        click.option("--resume", is_flag=True, help="Go on from where an earlier run stopped."),
    ):
        command = option(command)
    return command


def prepare(recipe: str, data, images, batches):
    """Return the data set and the recipe, cut down as asked for."""
    loaded = datasets.fashion_mnist(data)
    loaded = replace(loaded, x_test=loaded.x_test[:images], y_test=loaded.y_test[:images])
    return loaded, replace(RECIPES[recipe], **({} if batches is None else {"batches": batches}))


@main.command()
@click.option("--output", default="runs/demo", type=Path, show_default=True)
@click.option("--recipe", default="long", type=click.Choice(list(RECIPES)), show_default=True)
@click.option("--seed", default=0, type=SEED, show_default=True)
@options
def demo(output, recipe, seed, data, images, batches, resume):
    """Train, turn to spikes, sparsify; write metrics.json, figures and index.html."""
    import local_rhythms_report as report

    loaded, settings = prepare(recipe, data, images, batches)
    scores = evaluate(settings, seed, output, loaded, STRENGTHS, resume)
    params = datasets.load_params(output / "params.npz")
    numbers = report.summary(scores)
    results.write(output / "metrics.json", {**numbers, "scores": scores})
    names = report.draw(scores, params, encode(loaded.x_test[:1000], seed, settings.spread), output)
    captions = {name: report.CAPTIONS[name] for name in names}
    page = results.write_page(output, report.TITLE, report.STORY, numbers, captions)
    for name, value in numbers.items():
        click.echo(f"{name:58s} {value:.2%}")
    click.echo(f"Look at {page}")


@main.command()
@click.option("--run", default="runs/local_rhythms/long-0", type=Path, show_default=True)
@click.option("--data", type=click.Path(), help="Folder with FashionMNIST.")
def export(run, data):
    """Make a run's weights the ones that Nengo GUI opens with, with a test image of each class."""
    trained = datasets.load_params(run / "params.npz")
    test = datasets.fashion_mnist(data)
    first = [int(np.flatnonzero(test.y_test == label)[0]) for label in range(SIZES[-1])]
    datasets.save_params(PARAMS, **trained, images=test.x_test[first])
    click.echo(f"wrote {PARAMS}")


@main.command("results")
@click.option("--output", default="results/local_rhythms.json", type=Path, show_default=True)
@click.option("--runs", default="runs/local_rhythms", type=Path, show_default=True)
@click.option("--seeds", default="0,1,2", type=Seeds(), show_default=True)
@options
def make_results(output, runs, seeds, data, images, batches, resume):
    """Train and score both recipes with several seeds; write the figures that are quoted."""
    import local_rhythms_report as report

    runs_of = {recipe: [] for recipe in RECIPES}
    used = {}
    for recipe in RECIPES:
        loaded, used[recipe] = prepare(recipe, data, images, batches)
        for seed in seeds:
            click.echo(f"recipe {recipe}, seed {seed}")
            folder = runs / f"{recipe}-{seed}"
            runs_of[recipe].append(evaluate(used[recipe], seed, folder, loaded, STRENGTHS, resume))
    settings = {
        "recipes": {name: asdict(recipe) for name, recipe in used.items()},
        "test_images": len(loaded.x_test),
        "cycle": CYCLE + 1,
    }
    claims = report.claims(runs_of)
    lost = {recipe: report.drops(runs_of[recipe]) for recipe in RECIPES}
    figures = {**runs_of, "lost_at_60_percent_removed": lost}
    results.write(output, results.report(settings, seeds, figures, claims))
    for claim in claims:
        click.echo(claim.verdict)


if __name__ == "__main__":
    main()
elif PARAMS.exists():
    model = gui_model(datasets.load_params(PARAMS))

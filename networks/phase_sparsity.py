"""Phase sparsity, trained: a network that learns which of its spikes to leave out.

The network of `local_rhythms`, with a cost of each hidden spike outside an arc around the reference
(Allred et al. 2020 make a network pay for its spikes; here it pays for those that a sparsifier
would not leave out). In training each layer hears what it will hear in spikes: the reference in
place of a spike within the arc, and inputs as loud as they are in some cycle after they began.

    \b
    python networks/phase_sparsity.py demo       one network in a few minutes
    python networks/phase_sparsity.py results    the committed figures
    nengo networks/phase_sparsity.py             Nengo GUI, from committed weights

"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import click
import local_rhythms
import nengo
import numpy as np
import phasor_training
from local_rhythms import CYCLE, CYCLES, FREQUENCY, SIZES

import nengo_phasor
from nengo_phasor import datasets, metrics, results, schedules
from nengo_phasor.models.shared.commands import SEED, Commands, Seeds
from nengo_phasor.models.shared.run_folder import open_run

HELD_OUT = 10_000
"""Number of training images that recipes are chosen on."""

STRENGTHS = (0.02, 0.05, 0.08, 0.1, 0.15, 0.2)
STRENGTH = 0.1
"""Of the arc in Nengo GUI. Chosen on held-out training images."""

SPARSIFIERS = ("arc", "field")

TAU = nengo_phasor.ResonateAndFire(FREQUENCY).tau * FREQUENCY
"""Of the spiking neurons, in cycles."""

PARAMS = Path(nengo_phasor.__file__).parent / "models" / "params" / "phase_sparsity.npz"


@dataclass(frozen=True, kw_only=True)
class Recipe(local_rhythms.Recipe):
    """How a network is trained: beside `local_rhythms.Recipe`, what spikes cost.

    ``sigma_0`` is the final weight of the share of spikes outside ``arc`` in the loss, to which it
    grows linearly over the epochs; ``width`` is that of the arc's border
    (see `nengo_phasor.dl.losses.SpikesOutsideArc`).
    """

    sigma_0: float
    arc: float = 0.15
    width: float = 0.3


SPARSE = Recipe(
    optimizer="Adam",
    learning_rate=1e-3,
    decay=True,
    batches=20 * 468,
    spread=0.5,
    gain=0.5,
    pull=0.0,
    sigma_0=0.3,
)
RECIPES = {"sparse": SPARSE, "sparser": replace(SPARSE, sigma_0=1.5)}


# ------------------------------------------------------------------------------------- training


def loudness(xp, phase, cycle, tau: float):
    r"""Return how loud a resonating neuron hears spikes at its reference, in a cycle.

    Their part of its state, beside that of as many spikes at the reference itself:

    .. math:: e^{-a/\tau} \frac{1 - e^{-n/\tau}}{1 - e^{-(m + 1)/\tau}}

    for the n spikes that have come by then, the last of them :math:`a = (-p/2) \bmod 1` cycles
    ago, if spikes of phase p come from the first cycle on: m + 1 of those before the reference, m
    of those after it.

    Parameters
    ----------
    xp
        The array library: ``numpy`` or ``tensorflow``.
    phase : array
        In units of pi, in [-1, 1).
    cycle : array
        Number of the cycle m, the first being 0.
    tau : float
        Of the neuron, in cycles.
    """
    one_less = (1.0 - xp.exp(-cycle / tau)) / (1.0 - xp.exp(-(cycle + 1.0) / tau))
    later = one_less * np.exp(-1.0 / tau)
    return xp.exp(0.5 * phase / tau) * xp.where(phase > 0, later, xp.ones_like(later))


def received(rows, arc: float):
    """Return what a receiver takes a layer's phasors for: the reference, for those in the arc.

    The gradient passes as if nothing were left out.
    """
    import tensorflow as tf

    real, imag = tf.split(rows, 2, axis=-1)
    inside = real > np.cos(np.pi * arc)
    heard = tf.concat(
        [tf.where(inside, tf.ones_like(real), real), tf.where(inside, tf.zeros_like(imag), imag)],
        axis=-1,
    )
    return rows + tf.stop_gradient(heard - rows)


def heard_inputs(values):
    """Return the phasors of inputs, as rows, as loud as they are at the reference of a cycle.

    ``values`` are phases and, in the last column, the number of the cycle.
    """
    import tensorflow as tf

    phase, cycle = values[:, :-1], values[:, -1:]
    loud = loudness(tf, phase, cycle, TAU)
    return tf.concat([loud * tf.cos(np.pi * phase), loud * tf.sin(np.pi * phase)], axis=-1)


def training_network(recipe: Recipe, seed: int) -> nengo.Network:
    """Return the network in the phase domain, its layers hearing what they will hear in spikes.

    ``input`` takes phases and a cycle; see `heard_inputs`.
    """
    import nengo_dl

    with nengo.Network(label="phase sparsity", seed=seed) as net:
        net.input = nengo.Node(np.zeros(SIZES[0] + 1), label="phases and cycle")
        net.classifier = local_rhythms.classifier(gain=recipe.gain)
        hidden, output = net.classifier.layers
        (wire,) = (c for c in net.classifier.connections if c.post is output.input)
        net.classifier.connections.remove(wire)
        for pre, heard, post in (
            (net.input, heard_inputs, hidden.input),
            (hidden.output, partial(received, arc=recipe.arc), output.input),
        ):
            listener = nengo_dl.TensorNode(heard, shape_in=(pre.size_out,), pass_time=False)
            nengo.Connection(pre, listener, synapse=None)
            nengo.Connection(listener, post, synapse=None)
        net.hidden = nengo.Probe(hidden.output, label="hidden")
        net.output = nengo.Probe(output.output, label="output")
    return net


def train(
    recipe: Recipe, seed: int, x: np.ndarray, y: np.ndarray, folder: Path
) -> tuple[dict, dict[str, np.ndarray]]:
    """Train in NengoDL; return the parameters, and losses by epoch. ``x`` are phases."""
    from nengo_phasor.dl import callbacks, losses

    def inputs(items, epoch):
        cycle = np.random.RandomState((seed, epoch, 1)).randint(CYCLES, size=(len(items), 1))
        return np.concatenate([x[items], cycle.astype(x.dtype)], axis=-1)

    net = training_network(recipe, seed)
    cost = losses.SpikesOutsideArc(recipe.arc, recipe.width)
    n_epochs = -(-recipe.batches // (len(y) // recipe.batch_size))
    schedule = schedules.Linear(recipe.sigma_0, n_epochs)
    history = phasor_training.fit(
        net,
        recipe,
        seed,
        inputs,
        y,
        {net.output: losses.PhaseCosine(), net.hidden: cost},
        folder,
        metrics={net.hidden: cost.share},
        callbacks=[callbacks.SparsitySchedule(schedule, cost)],
    )
    return local_rhythms.layer_params(net), history


# ----------------------------------------------------------------------------------- evaluation


def evaluate(recipe: Recipe, seed: int, folder: Path, data, resume: bool) -> dict:
    """Train and score; if asked to, go on from what an earlier run left in the folder.

    Receivers assume a missing spike at the reference.
    """
    images = [len(data.x_train), len(data.x_test)]
    settings = {**asdict(recipe), "seed": seed, "images": images, "strengths": STRENGTHS}
    open_run(folder, settings, resume)
    params_file, scores_file = folder / "params.npz", folder / "scores.json"
    if scores_file.exists():
        return json.loads(scores_file.read_text())
    if not params_file.exists():
        x = local_rhythms.encode(data.x_train, seed, recipe.spread)
        params, history = train(recipe, seed, x, data.y_train, folder)
        named = {f"history_{name}": values for name, values in history.items()}
        datasets.save_params(params_file, **params, **named, seed=seed, spread=recipe.spread)
    params = datasets.load_params(params_file)
    x, y = local_rhythms.encode(data.x_test, seed, recipe.spread), data.y_test
    points = [("reference", name, strength) for name in SPARSIFIERS for strength in STRENGTHS]
    dense, *scores = local_rhythms.sweep(params, x, y, [("silence", "arc", 0.0), *points])
    for score in (dense, *scores):
        score["removed"] = 1 - score["hidden_spikes"] / dense["hidden_spikes"]
    curves = {name: [dense] for name in SPARSIFIERS}
    for (_, name, _), score in zip(points, scores, strict=True):
        curves[name].append(score)
    predicted = metrics.phase_class(local_rhythms.phase_outputs(params, x))
    history = {
        k.removeprefix("history_"): params[k].tolist() for k in params if k.startswith("history_")
    }
    result = {
        "phase_accuracy": float(metrics.accuracy(predicted, y)),
        "spiking_accuracy": dense["accuracy"],
        "hidden_spikes_per_image": dense["hidden_spikes"],
        "curves": curves,
        "history": history,
    }
    results.write(scores_file, result)
    return result


# -------------------------------------------------------------------------------- command line


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the networks."""


def prepare(recipe: str, data, images, batches, validate: bool = False):
    """Return the data set and the recipe, cut down as asked for."""
    loaded = datasets.fashion_mnist(data)
    if validate:
        loaded = replace(
            loaded,
            x_train=loaded.x_train[:-HELD_OUT],
            y_train=loaded.y_train[:-HELD_OUT],
            x_test=loaded.x_train[-HELD_OUT:],
            y_test=loaded.y_train[-HELD_OUT:],
        )
    loaded = replace(loaded, x_test=loaded.x_test[:images], y_test=loaded.y_test[:images])
    return loaded, replace(RECIPES[recipe], **({} if batches is None else {"batches": batches}))


@main.command()
@click.option("--output", default="runs/phase_sparsity/demo", type=Path, show_default=True)
@click.option("--recipe", default="sparse", type=click.Choice(list(RECIPES)), show_default=True)
@click.option("--seed", default=0, type=SEED, show_default=True)
@click.option("--validate", is_flag=True, help="Hold out training images, and score on these.")
@local_rhythms.options
def demo(output, recipe, seed, validate, data, images, batches, resume):
    """Train, turn to spikes, sparsify; write metrics.json, figures and index.html."""
    import phase_sparsity_report as report

    loaded, settings = prepare(recipe, data, images, batches, validate)
    scores = evaluate(settings, seed, output, loaded, resume)
    numbers = report.summary(scores)
    results.write(output / "metrics.json", {**numbers, "scores": scores})
    trained = report.Trained(scores, datasets.load_params(output / "params.npz"))
    report.draw({recipe: trained}, loaded.x_test[:1000], output)
    page = results.write_page(output, report.TITLE, report.STORY, numbers, report.CAPTIONS)
    for name, value in numbers.items():
        click.echo(f"{name:58s} {value:.2%}")
    click.echo(f"Look at {page}")


@main.command()
@click.option("--run", default="runs/phase_sparsity/sparse-0", type=Path, show_default=True)
@click.option("--data", type=click.Path(), help="Folder with FashionMNIST.")
def export(run, data):
    """Make a run's weights, in half precision, the ones that Nengo GUI opens with."""
    trained = datasets.load_params(run / "params.npz", ("seed", "spread"))
    test = datasets.fashion_mnist(data)
    first = [int(np.flatnonzero(test.y_test == label)[0]) for label in range(10)]
    layers = {k: v.astype(np.float16) for k, v in trained.items() if v.ndim == 2}
    about = {name: trained[name] for name in ("seed", "spread")}
    datasets.save_params(PARAMS, **layers, **about, images=test.x_test[first])
    click.echo(f"wrote {PARAMS}")


@main.command("results")
@click.option("--output", default="results/phase_sparsity.json", type=Path, show_default=True)
@click.option("--runs", default="runs/phase_sparsity", type=Path, show_default=True)
@click.option("--figures", default="docs/figures", type=Path, show_default=True)
@click.option("--seeds", default="0,1,2", type=Seeds(), show_default=True)
@local_rhythms.options
def make_results(output, runs, figures, seeds, data, images, batches, resume):
    """Train and score both recipes with several seeds; write the figures that are quoted."""
    import phase_sparsity_report as report

    runs_of, used, networks = {}, {}, {}
    for recipe in RECIPES:
        loaded, used[recipe] = prepare(recipe, data, images, batches)
        folders = [runs / f"{recipe}-{seed}" for seed in seeds]
        runs_of[recipe] = []
        for seed, folder in zip(seeds, folders, strict=True):
            click.echo(f"recipe {recipe}, seed {seed}")
            runs_of[recipe].append(evaluate(used[recipe], seed, folder, loaded, resume))
        params = datasets.load_params(folders[0] / "params.npz")
        networks[recipe] = report.Trained(runs_of[recipe][0], params)
    settings = {
        "recipes": {name: asdict(recipe) for name, recipe in used.items()},
        "test_images": len(loaded.x_test),
        "cycle": CYCLE + 1,
    }
    claims = report.claims(runs_of)
    means = {recipe: report.means(runs) for recipe, runs in runs_of.items()}
    content = {"means": means, "best_dense": report.best_dense(means), **runs_of}
    results.write(output, results.report(settings, seeds, content, claims))
    report.draw(networks, loaded.x_test[:1000], figures)
    for claim in claims:
        click.echo(claim.verdict)


if __name__ == "__main__":
    main()
elif PARAMS.exists():
    committed = datasets.load_params(PARAMS)
    floats = {k: v.astype(np.float32) for k, v in committed.items() if v.ndim == 2}
    model = local_rhythms.gui_model({**committed, **floats}, STRENGTH)

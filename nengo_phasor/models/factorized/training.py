"""Training after deepening, compared with the network that was not deepened: handwritten digits.

Pixels drive integrate-and-fire neurons X, which drive a layer A, and A drives a readout, as in
`.network`. The single-layer network is trained and its weights from X to A are factorised; then
both networks are trained further, for the same number of epochs. Training is through time, with
surrogate gradients.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nengo
import numpy as np

import nengo_phasor
from nengo_phasor import SurrogateLIF, compat, convert
from nengo_phasor.models.shared.run_folder import kept, open_run

PIXELS, CLASSES = 64, 10
DT = 0.001
TEST = 500
"""The number of held-out digits, of 1,797 in all. They are the same for all seeds."""


SCALE = 0.01
"""The factor from spikes per second to logits."""


@dataclass(frozen=True)
class Recipe:
    """The network and its training.

    X fires at up to ``k`` Hz. The neurons between the factors would fire at ``max_rate``, in Hz, if
    all of X did. The single-layer network is trained for ``first`` epochs, then all networks for
    ``further`` epochs. Each of ``methods`` makes one deep network, with opponent pairs of neurons.
    """

    hidden: int = 32
    k: float = 500.0
    max_rate: float = 1000.0
    n_steps: int = 32
    methods: tuple[str, ...] = ("svd", "plu")
    first: int = 20
    further: int = 20
    learning_rate: float = 1e-3
    batch_size: int = 32


RECIPE = Recipe()


def settings() -> dict[str, Any]:
    """Return the settings on which the figures depend."""
    return {**asdict(RECIPE), "dt_s": DT, "test_images": TEST}


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return pixels in [0, 1] and classes: x_train, y_train, x_test, y_test."""
    loaded = compat.require("sklearn.datasets").load_digits()
    order = np.random.RandomState(0).permutation(len(loaded.target))
    x, y = (loaded.data / 16).astype(np.float32)[order], loaded.target[order]
    return x[TEST:], y[TEST:], x[:TEST], y[:TEST]


def network(recipe: Recipe, seed: int) -> nengo.Network:
    """Return the single-layer network: ``pixels``, ``weights`` (from X to A), and ``output``."""
    neurons = SurrogateLIF(tau_rc=None)
    with nengo.Network(label="digits", seed=seed) as net:
        net.pixels = nengo.Node(np.zeros(PIXELS), label="pixels")
        x, a = (
            nengo.Ensemble(n, 1, neuron_type=neurons, gain=np.ones(n), bias=np.zeros(n), label=name)
            for n, name in ((PIXELS, "X"), (recipe.hidden, "A"))
        )
        net.encoding = nengo.Connection(net.pixels, x.neurons, transform=recipe.k, synapse=None)
        net.weights = nengo.Connection(
            x.neurons, a.neurons, transform=_random(recipe.hidden, PIXELS), synapse=None
        )
        classes = nengo.Node(size_in=CLASSES, label="classes")
        nengo.Connection(
            a.neurons, classes, transform=_random(CLASSES, recipe.hidden), synapse=None
        )
        net.output = nengo.Probe(classes)
        net.x = x
    return net


def _random(n_out, n_in):
    return nengo.Dense((n_out, n_in), nengo.dists.Gaussian(0, n_in**-0.5))


def deepened(net: nengo.Network, recipe: Recipe, method: str):
    """Return the deep network, with the same attributes except ``weights``, and its report."""
    deep, _, report = convert.deepen(
        net,
        net.weights,
        method,
        negatives="pairs",
        max_input=recipe.k,
        max_rate=recipe.max_rate,
        neuron_type=SurrogateLIF(tau_rc=None),
    )
    return deep, report


def train(net: nengo.Network, recipe: Recipe, epochs: int, seed: int) -> None:
    """Train everything except X through time, with NengoDL; the network gets the weights.

    The loss is the cross-entropy of the classes' mean over the window.
    """
    import nengo_dl
    import tensorflow as tf

    crossentropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss(labels, outputs):
        return crossentropy(labels[:, 0, 0], SCALE * tf.reduce_mean(outputs, axis=1))

    x, y = digits()[:2]
    with net:
        nengo_dl.configure_settings(trainable=None, keep_history=True, stateful=False)
        net.config[net.x].trainable = False
        net.config[net.encoding].trainable = False
    n = len(x) // recipe.batch_size * recipe.batch_size
    with nengo_dl.Simulator(
        net, dt=DT, minibatch_size=recipe.batch_size, seed=seed, progress_bar=False
    ) as sim:
        sim.compile(tf.keras.optimizers.Adam(recipe.learning_rate), loss={net.output: loss})
        for epoch in range(epochs):
            order = np.random.RandomState((seed, epoch)).permutation(len(x))[:n]
            images = np.repeat(x[order, None], recipe.n_steps, axis=1)
            labels = np.repeat(y[order, None, None], recipe.n_steps, axis=1)
            sim.fit({net.pixels: images}, {net.output: labels}, shuffle=False, verbose=0)
        sim.freeze_params(net)


def accuracy(net: nengo.Network, recipe: Recipe) -> dict[str, float]:
    """Return the accuracy on the held-out digits and on the training digits."""
    x, y, x_test, y_test = digits()
    with nengo_phasor.layerwise.Simulator(net, dt=DT, dtype="float32", progress_bar=False) as sim:
        found = {}
        for name, images, labels in (("test", x_test, y_test), ("train", x, y)):
            seen = sim.predict({net.pixels: images[:, None]}, recipe.n_steps)[net.output]
            logits = seen.mean(axis=1)
            right = np.isfinite(logits).all(axis=1) & (logits.argmax(axis=1) == labels)
            found[name] = float(right.mean())
    return found


def measure_seed(recipe: Recipe, seed: int) -> dict[str, Any]:
    """Train one seed's networks; return accuracies after each stage, and the networks' sizes."""
    single = network(recipe, seed)
    train(single, recipe, recipe.first, seed)
    deep = {method: deepened(single, recipe, method) for method in recipe.methods}
    found = {"single, first": accuracy(single, recipe)}
    sizes = {"single": asdict(next(iter(deep.values()))[1].before)}
    for method, (net, report) in deep.items():
        sizes[method] = asdict(report.after)
        found[f"{method}, untrained"] = accuracy(net, recipe)
    for name, net in {"single": single, **{m: net for m, (net, _) in deep.items()}}.items():
        train(net, recipe, recipe.further, seed + 1)
        found[f"{name}, further"] = accuracy(net, recipe)
    return {"accuracies": found, "sizes": sizes}


def measure(seeds: list[int], folder: Path, resume: bool) -> dict[str, Any]:
    """Train the networks of all seeds; those whose results are in the folder are skipped.

    Returns
    -------
    dict
        "accuracies" by stage and set of images, as lists over the seeds; "sizes" of the networks of
        the first seed.
    """
    open_run(folder, settings(), resume)
    tqdm, found = compat.require("tqdm").tqdm, []
    for seed in tqdm(seeds, desc="digits", unit="seed"):
        file, make = folder / f"seed{seed}.json", partial(measure_seed, RECIPE, seed)
        found.append(kept(file, make, "accuracies", "sizes"))
    stages = found[0]["accuracies"]
    return {
        "accuracies": {
            stage: {which: [one["accuracies"][stage][which] for one in found] for which in seen}
            for stage, seen in stages.items()
        },
        "sizes": found[0]["sizes"],
    }

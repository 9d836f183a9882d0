"""Sparsifying spiking networks through local rhythms: the paper's system.

A phasor network is trained on FashionMNIST, turned into resonate-and-fire neurons, and sparsified in
three ways: by arc, by the layer's own field, at random (Olin-Ammentorp 2023).

    python networks/local_rhythms.py demo       the whole story in a few minutes
    python networks/local_rhythms.py results    the committed figures
    nengo networks/local_rhythms.py             Nengo GUI, from committed weights

"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import nengo
import numpy as np
from tqdm import tqdm

import nengo_phasor
from nengo_phasor import convert, datasets, metrics, phases, results
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
RECEIVERS = {"silence": False, "reference": True}
"""What a receiver takes a missing spike for."""

STRENGTHS = {
    "arc": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.18, 0.22, 0.27, 0.33, 0.4, 0.5, 0.7),
    "field": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.18, 0.22, 0.27, 0.33, 0.4, 0.5, 0.7),
    "random": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9),
}

PARAMS = Path(__file__).resolve().parent / "params" / "local_rhythms.npz"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    ``spread`` is the standard deviation of the input phases, ``gain`` that of the initial weights
    times the square root of their number, beside biases of 1. ``batches`` are of ``batch_size``.
    """

    loss: str
    optimizer: str
    learning_rate: float
    decay: bool
    batches: int
    spread: float
    gain: float
    batch_size: int = 128


RECIPES = {
    "paper": Recipe("PhaseCosine", "RMSprop", 1e-3, False, 1000, spread=0.5, gain=0.5),
    "long": Recipe("PhaseCosine", "Adam", 1e-3, True, 12 * 468, spread=0.5, gain=0.5),
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
    """Return the network in the phase domain, with ``input`` and the probes ``hidden``, ``output``."""
    with nengo.Network(label="local rhythms", seed=seed) as net:
        net.input = nengo.Node(np.zeros(2 * SIZES[0]), label="phasors")
        net.classifier = classifier(params, gain)
        nengo.Connection(net.input, net.classifier.input, synapse=None)
        hidden, output = net.classifier.layers
        net.hidden = nengo.Probe(hidden.output, label="hidden")
        net.output = nengo.Probe(output.output, label="output")
    return net


def gui_model(params: dict) -> nengo.Network:
    """Return the spiking network behind its random projection, shown a garment a second."""
    pixels = params["images"].reshape(-1, PIXELS) / 255
    with nengo.Network(label="local rhythms") as net:
        garment = nengo.Node(nengo.processes.PresentInput(pixels, 1.0), label="garment")
        project = projection(int(params["seed"]), float(params["spread"]))
        nengo.Connection(garment, project.input, synapse=None)
        layers = classifier(params)
        nengo.Connection(project.output, layers.input, synapse=None)
    return convert.to_spiking(
        net,
        nengo_phasor.ResonateAndFire(FREQUENCY),
        nengo_phasor.ArcSparsifier(0.1, FREQUENCY),
        assume_reference=True,
    )[0]


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


def train(recipe: Recipe, seed: int, x: np.ndarray, y: np.ndarray, folder: Path, resume: bool):
    """Train in NengoDL; return the parameters. A checkpoint is written after every epoch.

    ``x`` are phases, ``y`` labels. The same seed gives the same order of batches, however often training
    is interrupted and resumed.
    """
    import nengo_dl
    import tensorflow as tf

    net = phase_network(gain=recipe.gain, seed=seed)
    with net:
        nengo_dl.configure_settings(trainable=None, stateful=False, keep_history=False)
        net.config[nengo.Ensemble].trainable = False
    learning_rate = recipe.learning_rate
    if recipe.decay:
        learning_rate = tf.keras.optimizers.schedules.CosineDecay(learning_rate, recipe.batches)
    optimizer = getattr(tf.keras.optimizers, recipe.optimizer)(learning_rate)
    targets = phases.to_rows(np.where(np.arange(SIZES[-1]) == np.arange(SIZES[-1])[:, None], 0.5, 0))
    checkpoint = folder / "checkpoint.npz"
    with nengo_dl.Simulator(net, minibatch_size=recipe.batch_size, seed=seed, progress_bar=False) as sim:
        sim.compile(optimizer, loss={net.output: getattr(nengo_phasor.dl.losses, recipe.loss)()})
        optimizer.build(sim.keras_model.trainable_variables)
        variables = [*sim.keras_model.trainable_variables, *optimizer.variables]
        done, losses = 0, []
        if resume and checkpoint.exists():
            saved = datasets.load_params(checkpoint)
            done, losses = int(saved["done"]), list(saved["losses"])
            for k, variable in enumerate(variables):
                variable.assign(saved[f"variable_{k}"])
            print(f"resumed after {done} of {recipe.batches} batches")
        while done < recipe.batches:
            epoch = len(losses)
            order = np.random.RandomState((seed, epoch)).permutation(len(x))
            n_batches = min(len(x) // recipe.batch_size, recipe.batches - done)
            order = order[: n_batches * recipe.batch_size]
            print(f"epoch {epoch + 1}, batch {done + n_batches} of {recipe.batches}")
            history = sim.fit(
                phases.to_rows(x[order]).astype(np.float32)[:, None],
                {net.output: targets[y[order]][:, None]},
                shuffle=False,
                verbose=1 if sys.stdout.isatty() else 2,
            )
            done += n_batches
            losses.append(history.history["loss"][0])
            datasets.save_params(
                checkpoint,
                done=np.array(done),
                losses=np.array(losses),
                **{f"variable_{k}": v.numpy() for k, v in enumerate(variables)},
            )
        sim.freeze_params(net)
    return layer_params(net)


# ----------------------------------------------------------------------------------- evaluation


def phase_outputs(params: dict, x: np.ndarray) -> np.ndarray:
    """Return the output phases in the phase domain, (n, 10)."""
    net = phase_network(params)
    with nengo_phasor.layerwise.Simulator(net, dtype="float32") as sim:
        rows = phases.to_rows(x).astype(np.float32)[:, None]
        return phases.from_complex(phases.from_rows(sim.predict({net.input: rows})[net.output][:, 0]))


def spiking_outputs(
    params: dict, x: np.ndarray, sparsifier=None, assume_reference=False, chunk=500
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the spikes of hidden and output layer, (n, n_steps, units), of some inputs at a time."""
    net = phase_network(params)
    twin, new = convert.to_spiking(
        net, nengo_phasor.ResonateAndFire(FREQUENCY), sparsifier, assume_reference
    )
    n_steps = round(CYCLES / (FREQUENCY * DT))
    with nengo_phasor.layerwise.Simulator(twin, dt=DT, dtype="float32") as sim:
        for start in range(0, len(x), chunk):
            seen = sim.predict({new[net.input]: x[start : start + chunk, None]}, n_steps)
            yield seen[new[net.hidden]], seen[new[net.output]]


def spiking_scores(params, x, y, sparsifier=None, assume_reference=False) -> dict:
    """Return the accuracy at each cycle and the number of spikes per layer and image."""
    right, hidden_spikes, output_spikes, start = np.zeros(CYCLES), 0, 0, 0
    for hidden, output in spiking_outputs(params, x, sparsifier, assume_reference):
        labels = y[start : start + len(output)]
        classes = metrics.phase_class(phases.from_raster(output, FREQUENCY, DT, CYCLES))
        right += metrics.accuracy(classes, labels) * len(labels)
        hidden_spikes += np.count_nonzero(hidden)
        output_spikes += np.count_nonzero(output)
        start += len(labels)
    return {
        "accuracy": float(right[CYCLE] / len(x)),
        "accuracy_per_cycle": (right / len(x)).tolist(),
        "hidden_spikes": hidden_spikes / len(x),
        "output_spikes": output_spikes / len(x),
    }


def accuracy_at(curve: list[dict], removed: float) -> float:
    """Return a curve's accuracy where a fraction of spikes is removed, between its points."""
    points = sorted((point["removed"], point["accuracy"]) for point in curve)
    return float(np.interp(removed, *zip(*points, strict=True)))


def evaluate(recipe: Recipe, seed: int, folder: Path, data, strengths: dict) -> dict:
    """Train, or take up what was trained, and score; what is already in the folder is not redone."""
    params_file, scores_file = folder / "params.npz", folder / "scores.json"
    x_test, y_test = encode(data.x_test, seed, recipe.spread), data.y_test
    if not params_file.exists():
        x = encode(data.x_train, seed, recipe.spread)
        params = train(recipe, seed, x, data.y_train, folder, resume=True)
        datasets.save_params(params_file, **params, seed=seed, spread=recipe.spread)
    params = datasets.load_params(params_file)
    scores = json.loads(scores_file.read_text()) if scores_file.exists() else {}

    def score(key, compute):
        if key not in scores:
            scores[key] = compute()
            results.write(scores_file, scores)
        return scores[key]

    predicted = metrics.phase_class(phase_outputs(params, x_test))
    score("phase_accuracy", lambda: float(metrics.accuracy(predicted, y_test)))
    dense = score("dense", lambda: spiking_scores(params, x_test, y_test))
    all_spikes = dense["hidden_spikes"] + dense["output_spikes"]
    points = [
        (receiver, name, strength)
        for receiver in RECEIVERS
        for name in SPARSIFIERS
        for strength in strengths[name]
    ]
    for receiver, name, strength in tqdm(points, desc="sparsifiers", unit="point"):
        point = score(
            f"{receiver} {name} {strength}",
            lambda sparsifier=SPARSIFIERS[name](strength), receiver=receiver: spiking_scores(
                params, x_test, y_test, sparsifier, RECEIVERS[receiver]
            ),
        )
        sent = point["hidden_spikes"] + point["output_spikes"]
        point.update(strength=strength, removed=1 - sent / all_spikes)
    curves = {
        receiver: {
            name: [{"strength": 0, "removed": 0.0, **dense}]
            + [scores[f"{receiver} {name} {strength}"] for strength in strengths[name]]
            for name in SPARSIFIERS
        }
        for receiver in RECEIVERS
    }
    return {"phase_accuracy": scores["phase_accuracy"], "spiking": dense, "curves": curves}

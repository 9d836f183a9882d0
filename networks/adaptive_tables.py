"""Adaptive spiking neurons classify rows of features: what `adaptive_iris` and `adaptive_sonar` do.

Cross-validation: in turn each fold is held out, a network is trained on the others and turned to
spikes. A part of these others chooses the epoch, all of them choose the precision. The data sets
are so small that an epoch is one batch, and all folds are trained with one compiled graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import adaptive_common as common
import adaptive_runs
import click
import nengo
import numpy as np
from adaptive_spiking import DT, WINDOW, Seen, Spiking, summary
from tqdm import tqdm

import nengo_phasor
from nengo_phasor import convert, datasets, displays, metrics, results
from nengo_phasor.models.shared.commands import COUNT, Commands, Seeds
from nengo_phasor.models.shared.run_folder import open_run

VALIDATION = 0.2
"""The fraction of the samples not held out that chooses the epoch."""

PRECISIONS = (0.05, 0.1, 0.14, 0.17, 0.2, 0.3, 0.45, 0.7, 1.0)
"""The m_f to choose from."""

BOUNDS = {
    "difference between spikes and analog": ("<= 0.5", "0, Table 1"),
    "firing rate": ("<= 68", "all between 24 and 68 Hz"),
}


@dataclass(frozen=True)
class Table:
    """A data set of features, its network's hidden layers, and how that is trained."""

    name: str
    hidden: tuple[int, ...]
    epochs: int
    learning_rate: float
    weight_decay: float = 0.0

    @property
    def params(self) -> Path:
        """Committed weights."""
        return (
            Path(nengo_phasor.__file__).parent / "models" / "params" / f"adaptive_{self.name}.npz"
        )

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(datasets.DATASETS[self.name].classes)


def keras_model(table: Table, features: int):
    """Return the analog network: features in, logits out.

    Batch normalisation and the transfer function follow every hidden layer and the features
    themselves, which start a standard deviation above zero so that little of them is cut off.
    """
    import tensorflow as tf

    from nengo_phasor.dl.activations import HalfSigmoid

    layers = tf.keras.layers

    def activate(x, name, **options):
        norm = layers.BatchNormalization(momentum=0.9, scale=False, name=f"{name}_norm", **options)
        return HalfSigmoid(name=name)(norm(x))

    row = layers.Input((features,), name="row")
    x = activate(row, "features", beta_initializer="ones")
    for k, units in enumerate(table.hidden):
        x = layers.Dense(units, use_bias=False, name=f"dense{k + 1}_weights")(x)
        x = activate(x, f"dense{k + 1}")
    return tf.keras.Model(row, layers.Dense(table.classes, name="classes")(x))


def folds(y: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Return each sample's fold: of every class as many in each, and of all samples, up to one.

    Raises
    ------
    click.ClickException
        If a class has fewer samples than there are folds, or there are fewer than 2 folds.
    """
    fewest = int(np.bincount(y).min())
    if not 2 <= n_folds <= fewest:
        raise click.ClickException(
            f"--folds {n_folds} is not between 2 and {fewest}, the size of the smallest class"
        )
    shuffled = np.random.RandomState(seed).permutation(len(y))
    dealt = shuffled[np.argsort(y[shuffled], kind="stable")]
    fold = np.empty(len(y), int)
    fold[dealt] = np.arange(len(y)) % n_folds
    return fold


# ------------------------------------------------------------------------------------- training


class Trainer:
    """Trains a table's network as often as asked, all samples in one batch, with one graph."""

    def __init__(self, table: Table, features: int):
        import tensorflow as tf

        self.table, self.features = table, features
        self.model = keras_model(table, features)
        self.optimizer = tf.keras.optimizers.Adam(
            table.learning_rate, weight_decay=table.weight_decay or None
        )
        self.optimizer.build(self.model.trainable_variables)
        self.at_start = [variable.numpy() for variable in self.optimizer.variables]
        self.loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        part = (tf.TensorSpec((None, features)), tf.TensorSpec((None,), tf.int64))
        self.epoch = tf.function(self._epoch, input_signature=(*part, *part))

    def _epoch(self, x, y, x_validation, y_validation):
        """Learn once from all samples; return the loss on them and, after it, on the others."""
        import tensorflow as tf

        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.loss(y, self.model(x, training=True))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss, self.loss(y_validation, self.model(x_validation, training=False))

    def train(self, x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
        """Train; the model keeps the weights of the epoch whose validation loss was the lowest.

        The loss tells epochs apart that are equally accurate on the few validation samples.

        Returns
        -------
        (epochs, 2) ndarray
            Losses: training and validation.
        """
        import tensorflow as tf

        tf.keras.utils.set_random_seed(seed)
        best = keras_model(self.table, self.features).get_weights()
        self.model.set_weights(best)
        for variable, value in zip(self.optimizer.variables, self.at_start, strict=True):
            variable.assign(value)
        parts = [tf.constant(part) for part in datasets.split(x, y, VALIDATION, seed)]
        history = np.full((self.table.epochs, 2), np.inf)
        for k in range(self.table.epochs):
            history[k] = [float(loss) for loss in self.epoch(*parts)]
            if history[k, 1] <= history[: k + 1, 1].min():
                best = self.model.get_weights()
        self.model.set_weights(best)
        return history


# ------------------------------------------------------------------------------ cross-validation


def measure_fold(trainer: Trainer, x, y, held_out: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Train without a fold and run it in spikes; return what `pooled` needs, as arrays.

    Precisions and arousal are chosen on the samples that are not held out.
    """
    history = trainer.train(x[~held_out], y[~held_out], seed)
    model = trainer.model
    spiking = Spiking(convert.to_adaptive(model))
    spiking.converted.verify(x[held_out])
    n_neurons = sum(spiking.n_neurons.values())
    everything = {m_f: spiking.fixed(x, m_f, WINDOW)[0] for m_f in PRECISIONS}
    learned = {m_f: _items(seen, ~held_out) for m_f, seen in everything.items()}
    points = {m_f: summary(seen, y[~held_out], spiking.n_neurons) for m_f, seen in learned.items()}
    analog = np.argmax(model(x, training=False), axis=1)
    precise = common.affordable(points)
    sparse = common.finest(points, common.MARGIN * common.LOW_RATE)
    fitted = common.fit_arousal(
        learned, precise, y[~held_out], n_neurons, points[precise]["accuracy"]
    )
    how = fitted.arousal
    _, aroused = spiking.aroused(x[held_out], how, WINDOW)
    chosen = {"precise": precise, "sparse": sparse, "low": how.low}
    seen = {way: _items(everything[m_f], held_out) for way, m_f in chosen.items()}
    seen |= {str(m_f): _items(done, held_out) for m_f, done in everything.items()}
    seen["aroused"] = aroused
    return {
        **{variable.name: variable.numpy() for variable in model.variables},
        **{f"{way}.{name}": a for way, s in seen.items() for name, a in s._asdict().items()},
        **{f"m_f.{way}": np.array(m_f) for way, m_f in chosen.items()},
        "arousal": np.array([how.wait, how.duration, how.threshold]),
        "analog": analog[held_out],
        "held_out": np.flatnonzero(held_out),
        "history": history,
        "neurons": np.array(list(spiking.n_neurons.values())),
    }


def _items(seen: Seen, items: np.ndarray) -> Seen:
    return Seen(*(part[items] for part in seen))


def pooled(kept: list[Mapping[str, np.ndarray]], y: np.ndarray) -> dict[str, Any]:
    """Return what folds show together, as `adaptive_common.measure` does.

    Every fold's held-out samples count; with several seeds, every sample counts for each.
    """
    labels = np.concatenate([y[fold["held_out"]] for fold in kept])
    analog = np.concatenate([fold["analog"] for fold in kept])
    names = ["features", *(f"dense{k + 1}" for k in range(len(kept[0]["neurons"]) - 1))]
    neurons = dict(zip(names, map(int, kept[0]["neurons"]), strict=True))

    def seen(way):
        parts = [[fold[f"{way}.{name}"] for name in Seen._fields] for fold in kept]
        return Seen(*map(np.concatenate, zip(*parts, strict=True)))

    by_way = {way: seen(way) for way in common.WAYS}
    return {
        "analog": {"accuracy": float(metrics.accuracy(analog, labels))},
        "n_neurons": neurons,
        "n_test": len(labels),
        "differing_decisions": int(np.sum(by_way["precise"].classes[:, -1] != analog)),
        **{way: summary(done, labels, neurons) for way, done in by_way.items()},
        "held_out": {str(m_f): summary(seen(str(m_f)), labels, neurons) for m_f in PRECISIONS},
    }


def cross_validate(
    table: Table, n_folds: int, seeds: list[int], folder: Path, resume: bool
) -> dict[str, Any]:
    """Measure the network by cross-validation; what the folder has already is not done again.

    Returns
    -------
    dict
        As `pooled` has it; under "seeds" the same of each seed, shortened; under "chosen" the
        precisions of all folds.
    """
    data = datasets.load(table.name)
    x, y = data.x_train.astype(np.float32), data.y_train
    open_run(folder, {**asdict(table), "folds": n_folds}, resume)
    trainer = Trainer(table, x.shape[1])
    kept = {seed: [] for seed in seeds}
    todo = [(seed, fold) for seed in seeds for fold in range(n_folds)]
    for seed, fold in tqdm(todo, desc=table.name, unit="fold"):
        file = folder / f"seed{seed}-fold{fold}.npz"
        if not file.exists():
            held_out = folds(y, n_folds, seed) == fold
            own_seed = int(np.random.SeedSequence((seed, fold)).generate_state(1)[0])
            datasets.save_params(file, **measure_fold(trainer, x, y, held_out, own_seed))
        kept[seed].append(datasets.load_params(file))
    everything = [fold for seed in seeds for fold in kept[seed]]
    by_seed = {seed: pooled(kept[seed], y) for seed in seeds}
    shown = ("accuracy", "firing_rate", "matching_time")
    return {
        **pooled(everything, y),
        "seeds": {
            str(seed): {
                "analog": found["analog"],
                "differing_decisions": found["differing_decisions"],
                **{way: {key: found[way][key] for key in shown} for way in common.WAYS},
            }
            for seed, found in by_seed.items()
        },
        "chosen": {
            way: [float(fold[f"m_f.{way}"]) for fold in everything] for way in common.WAYS[:3]
        },
    }


def draw(table: Table, found: Mapping[str, Any], folder: Path, seed: int) -> Path:
    """Draw what was found, and a neuron of the first fold's network; return the page's path."""
    import adaptive_report as report
    from adaptive_training import load_weights

    rows = datasets.load(table.name).x_train.astype(np.float32)
    model = keras_model(table, rows.shape[1])
    kept = load_weights(folder / f"seed{seed}-fold0.npz", model)
    spiking = Spiking(convert.to_adaptive(model))
    row, m_f = rows[kept["held_out"][0]], float(kept["m_f.precise"])
    title = f"Adaptive spiking neurons: {table.name}"
    return report.write(found, spiking, row, m_f, folder, title)


# --------------------------------------------------------------------------------- Nengo GUI, CLI


def gui_model(table: Table, m_f: float = 0.1) -> nengo.Network:
    """Return the network in spikes, from committed weights, shown a new sample twice a second.

    The samples are those that were held out when it was trained, the classes in turn.
    """
    from adaptive_training import load_weights

    from nengo_phasor.models.shared.gui import keep_on_host

    data = datasets.load(table.name)
    model = keras_model(table, data.x_train.shape[1])
    held_out = load_weights(table.params, model)["held_out"]
    in_turn = held_out[np.argsort(_places_in_class(data.y_train[held_out]), kind="stable")]
    converted = convert.to_adaptive(model, nengo_phasor.AdaptiveSpiking(m_f))
    with converted.network as network:
        network.input.output = nengo.processes.PresentInput(data.x_train[in_turn], WINDOW * DT)
        network.readout, network.dense = network.output.target, network.layers["dense1"]
        network.probes.clear()  # a GUI runs for as long as one likes, and they keep everything
        keep_on_host(network, network.layers["features"])
        right = np.eye(table.classes)[data.y_train[in_turn]]
        network.truth = nengo.Node(nengo.processes.PresentInput(right, WINDOW * DT), label="label")
        network.right = displays.classes(data.classes, label="the right class")
        network.decision = displays.classes(data.classes, -5, 5, label="the network's class")
        nengo.Connection(network.truth, network.right, synapse=None)
        nengo.Connection(network.readout, network.decision, synapse=None)
    return network


def _places_in_class(labels):
    """Return of each sample how many of its class come before it."""
    return [np.sum(labels[:k] == label) for k, label in enumerate(labels)]


def command_line(table: Table, about: str) -> click.Group:
    """Return a network's commands."""
    runs = click.option(
        "--runs", default=f"runs/adaptive_{table.name}", type=Path, show_default=True
    )

    @click.group(cls=Commands, help=about)
    def main():
        """Run the network."""

    @main.command("results")
    @runs
    @click.option(
        "--folds",
        default=10,
        type=click.IntRange(2),
        show_default=True,
        help="Of the cross-validation.",
    )
    @click.option(
        "--seeds", default="0,1,2", type=Seeds(), show_default=True, help="Of folds and weights."
    )
    @click.option(
        "--epochs", default=table.epochs, type=COUNT, show_default=True, help="Train for so many."
    )
    @click.option("--resume", is_flag=True, help="Go on from where an earlier run stopped.")
    @click.option("--output", default=f"results/adaptive_{table.name}.json", show_default=True)
    def make_results(runs, folds, seeds, epochs, resume, output):
        """Cross-validate; write the figures that are quoted, beside what was promised."""
        used = replace(table, epochs=epochs)
        found = cross_validate(used, folds, seeds, runs, resume)
        claims = common.claims(found, f"{table.name}, {folds}-fold cross-validation", BOUNDS)
        settings = {
            "table": asdict(used),
            "folds": folds,
            "validation": VALIDATION,
            "window": WINDOW * DT,
            "precisions": PRECISIONS,
        }
        results.write(output, results.report(settings, seeds, found, claims))
        adaptive_runs.echo_accuracies(found)
        adaptive_runs.echo_claims(claims)
        click.echo(f"Look at {draw(used, found, runs, seeds[0])}")

    @main.command()
    @runs
    def export(runs):
        """Make the weights of a run's first fold those that are committed."""
        saved = datasets.load_params(runs / "seed0-fold0.npz", ["held_out"])
        weights = {name: array for name, array in saved.items() if ":" in name}
        datasets.save_params(table.params, **weights, held_out=saved["held_out"])
        click.echo(f"wrote {table.params}")

    return main

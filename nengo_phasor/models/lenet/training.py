"""One training run of a spiking network through time: cross-entropy plus the cost of spikes.

A run is identified by its `Run`. It keeps its files in a folder, and can be resumed after a kill.
Importing this module does not import TensorFlow.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import nengo
import numpy as np

import nengo_phasor
from nengo_phasor import compat, datasets, results
from nengo_phasor.models.lenet.batches import epoch_order
from nengo_phasor.models.lenet.data import Parts, load
from nengo_phasor.models.lenet.designs import DESIGNS
from nengo_phasor.models.lenet.measure import measure
from nengo_phasor.models.lenet.network import CLASSES, DT
from nengo_phasor.models.lenet.runs import SCHEDULES, Run
from nengo_phasor.models.shared import checkpoint, run_folder

HISTORY = "history.json"

LAST_RATE = 0.1
"""The learning rate at the end, as a fraction of that at the start; it falls as a cosine."""

SECONDS = "processor_seconds"
"""What an epoch's training took; it alone is not the same in a repeated run."""


def compiled(
    run: Run, net: nengo.Network, n_images: int
) -> tuple[nengo_phasor.layerwise.Simulator, dict]:
    """Return the simulator of a network, compiled for training, and its losses of spikes.

    The targets of the logits are one-hot, (n, 1, 10); those of spikes have no effect. ``n_images``
    is the number of training images, with which the learning rate falls to `LAST_RATE`.
    """
    tf = compat.require("tensorflow")

    from nengo_phasor.dl import losses

    def crossentropy(y_true, y_pred):
        logits = tf.reduce_mean(y_pred, axis=1)
        return tf.nn.softmax_cross_entropy_with_logits(y_true[:, 0], logits)

    tf.keras.utils.set_random_seed(run.seed)
    with net:
        nengo_phasor.layerwise.configure_settings(trainable=False)
        for connection in net.links.values():
            net.config[connection].trainable = True
    costs = {probe: losses.SpikeCount(probe, DT) for probe in net.spikes.values()}
    sim = nengo_phasor.layerwise.Simulator(
        net, dt=DT, minibatch_size=run.batch_size, dtype="float32", progress_bar=False
    )
    updates = run.epochs * (n_images // run.batch_size)
    rate = tf.keras.optimizers.schedules.CosineDecay(run.learning_rate, updates, LAST_RATE)
    optimizer = tf.keras.optimizers.Adam(rate, use_ema=True, ema_momentum=run.averaging)
    sim.compile(
        optimizer,
        loss={net.logits: crossentropy, **costs},
        metrics={probe: cost.spikes for probe, cost in costs.items()},
    )
    return sim, costs


def train(run: Run, parts: Parts, folder: Path) -> Iterator[dict]:
    """Train; yield the parts of the loss and the validation's `.measure.measure` of each epoch.

    Weights and a checkpoint are written to the folder after each epoch. Epochs in the folder are
    not repeated, but yielded first.

    Raises
    ------
    click.ClickException, nengo_phasor.datasets.DatasetError
        If files in the folder are damaged.
    """
    if (done := finished(folder)) is not None:
        yield from done
        return
    design, shape = DESIGNS[run.design], parts.x_train.shape[1:]
    start = design.start(run, parts, folder)
    net = design.network(shape, start)
    simulator, costs = compiled(run, net, len(parts.x_train))
    with simulator as sim:
        model = sim.keras_model
        state = checkpoint.Checkpoint(
            folder, [*model.trainable_variables, *model.optimizer.variables]
        )
        history = state.restored(history=[])["history"]
        yield from history
        for epoch in range(len(history), run.epochs):
            loss = fitted(run, parts, epoch, sim, net, costs)
            weights = {
                name: saved_form(sim.data[link].weights, start[name])
                for name, link in net.links.items()
            }
            datasets.save_params(folder / f"weights-{epoch + 1}.npz", **weights)
            trained = design.network(shape, weights)
            seen = measure(trained, parts.x_validation, parts.y_validation, run.steps)
            history.append({**loss, **seen})
            state.save(history=history)
            yield history[-1]
    results.write(folder / HISTORY, {"epochs": history})


def fitted(
    run: Run, parts: Parts, epoch: int, sim, net: nengo.Network, costs: Mapping
) -> dict[str, float]:
    """Train for an epoch, counted from 0; return the loss and its parts, and processor time.

    ``sim`` and ``costs`` are what `compiled` makes of ``net``. The schedule began with the twin, if
    there is one.
    """
    from nengo_phasor.dl import callbacks

    done = run.all_epochs - run.epochs + epoch
    schedule = SCHEDULES[run.schedule](run.sigma_0, run.all_epochs)
    names = [sim.get_name(probe) for probe in (net.logits, *costs)]
    began = time.process_time()
    seen = sim.fit(
        batches(run, parts, epoch, sim.get_name(net.image), names),
        callbacks=[callbacks.SparsitySchedule(schedule, *costs.values())],
        initial_epoch=done,
        epochs=done + 1,
        shuffle=False,
        verbose=0,
    ).history
    return {
        "loss": seen["loss"][0],
        "crossentropy": seen[f"{names[0]}_loss"][0],
        "sigma": seen["sigma"][0],
        SECONDS: time.process_time() - began,
    }


def finished(folder: Path) -> list[dict] | None:
    """Return the history of a run if it is finished, or None."""
    note = folder / HISTORY
    return run_folder.read(note, "epochs")["epochs"] if note.exists() else None


def work(run: Run, folder: str, data: str | None) -> None:
    """Do a run, in any process, unless it is finished."""
    place = Path(folder) / run.name
    if finished(place) is None:
        for _ in train(run, parts_of(run, data), place):
            pass


def parts_of(run: Run, data: str | None) -> Parts:
    """Return the images of a run as its network takes them; ``data`` is their folder."""
    return load(run.data, data, run.images, DESIGNS[run.design].prepared)


def saved_form(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return a connection's weights, dense ones transposed, in the form of the first ones."""
    return values.T if like.ndim == 2 else values.reshape(like.shape)


def batches(run: Run, parts: Parts, epoch: int, image: str, probes: list[str]):
    """Return an epoch's batches for Keras: the same for the same seed and epoch.

    ``image`` and ``probes`` are Keras' names of the input and of the probes, the logits first.
    An image is a constant, for all steps.
    """
    import tensorflow as tf

    order = epoch_order(len(parts.x_train), run.seed, epoch)
    augmented = DESIGNS[run.design].augmented
    targets = np.eye(CLASSES, dtype=np.float32)[parts.y_train]
    n_steps = np.full((run.batch_size, 1), run.steps, np.int32)
    nothing = np.zeros((run.batch_size, 1, 1), np.float32)

    class Batches(tf.keras.utils.Sequence):
        def __len__(self):
            return len(order) // run.batch_size

        def __getitem__(self, index):
            chosen = order[index * run.batch_size : (index + 1) * run.batch_size]
            rng = np.random.RandomState((run.seed, epoch, index))
            currents = augmented(parts.x_train[chosen], rng).reshape(run.batch_size, 1, -1)
            wanted = dict.fromkeys(probes, nothing)
            wanted[probes[0]] = targets[chosen][:, None]
            return {image: currents, "n_steps": n_steps}, wanted

    return Batches()

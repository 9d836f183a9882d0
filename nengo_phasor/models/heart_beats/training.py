"""Training through time, with checkpoints. Importing this module does not import TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nengo_phasor import compat, datasets, layerwise, results
from nengo_phasor.files import UNMARKED
from nengo_phasor.models.heart_beats.data import STEPS, Parts, Sequences, as_published
from nengo_phasor.models.heart_beats.designs import SCHEDULES, Design
from nengo_phasor.models.heart_beats.measure import measure
from nengo_phasor.models.heart_beats.network import DT, network, start, trained
from nengo_phasor.models.shared import checkpoint, run_folder

HISTORY, BEST = "history.json", "best.npz"

SECONDS = "processor_seconds"
"""What an epoch's training took; it alone is not the same in a repeated run."""


def train(design: Design, seed: int, parts: Parts, folder: Path) -> Iterator[dict]:
    """Train; yield each epoch's loss and measures on validation sequences.

    The parameters of the epoch with the highest accuracy on these, and a checkpoint, are written to
    the folder after each epoch. Epochs in the folder are not repeated, but yielded first.

    Raises
    ------
    click.ClickException, nengo_phasor.datasets.DatasetError
        If files in the folder are damaged.
    """
    if (folder / HISTORY).exists():
        yield from run_folder.read(folder / HISTORY, "epochs")["epochs"]
        return
    net = network(design, start(design, seed), seed)
    n_batches = len(parts.train.x) // design.batch_size
    with layerwise.Simulator(
        net, dt=DT, minibatch_size=design.batch_size, dtype="float32", progress_bar=False
    ) as sim:
        cost = compiled(design, seed, sim, net, n_batches)
        model = sim.keras_model
        state = checkpoint.Checkpoint(
            folder, [*model.trainable_variables, *model.optimizer.variables]
        )
        history = state.restored(history=[])["history"]
        yield from history
        for epoch in range(len(history), design.epochs):
            loss = fitted(design, seed, epoch, sim, net, cost, parts.train)
            params = trained(sim, net, design)
            history.append({**loss, **measure(design, params, parts.validation)})
            if is_best(history):
                datasets.save_params(folder / BEST, **params)
            state.save(history=history)
            yield history[-1]
    results.write(folder / HISTORY, {"epochs": history})


def is_best(history: list[dict]) -> bool:
    """Return whether the last epoch is the first with the highest validation accuracy so far."""
    accuracies = [epoch["accuracy"] for epoch in history]
    return int(np.argmax(accuracies)) == len(accuracies) - 1


def compiled(design: Design, seed: int, sim, net, n_batches: int):
    """Compile a simulator for training; return the loss of spikes."""
    tf = compat.require("tensorflow")

    from nengo_phasor.dl import losses

    tf.keras.utils.set_random_seed(seed)
    rate = tf.keras.optimizers.schedules.PolynomialDecay(
        design.learning_rate, design.epochs * n_batches, end_learning_rate=0.0
    )
    cost = losses.SpikeCount(net.spikes, DT)
    sim.compile(
        tf.keras.optimizers.Adam(rate),
        loss={
            net.logits: losses.StepCrossentropy(UNMARKED if design.marked else None),
            net.spikes: cost,
        },
        metrics={net.spikes: cost.spikes},
    )
    return cost


def fitted(design: Design, seed: int, epoch: int, sim, net, cost, seen: Sequences) -> dict:
    """Train for an epoch, counted from 0; return its loss and processor time."""
    from nengo_phasor.dl import callbacks

    schedule = SCHEDULES[design.schedule](design.sigma_0, design.epochs)
    order = np.random.RandomState((seed, epoch)).permutation(len(seen.x))
    chosen = order[: len(order) // design.batch_size * design.batch_size]
    labels = seen.y if design.marked else as_published(seen.y)
    began = time.process_time()
    found = sim.fit(
        {net.events: seen.x[chosen]},
        {
            net.logits: labels[chosen][..., None].astype(np.float32),
            net.spikes: np.zeros((len(chosen), 1, 1), np.float32),
        },
        n_steps=STEPS,
        callbacks=[callbacks.SparsitySchedule(schedule, cost)],
        initial_epoch=epoch,
        epochs=epoch + 1,
        shuffle=False,
        verbose=0,
    ).history
    return {
        "loss": found["loss"][0],
        "training_spikes": found[f"{sim.get_name(net.spikes)}_spikes"][0],
        "sigma": found["sigma"][0],
        SECONDS: time.process_time() - began,
    }

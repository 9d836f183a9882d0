"""Training of phasor classifiers in NengoDL, epoch by epoch, which can be resumed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nengo
import numpy as np

from nengo_phasor import phases
from nengo_phasor.models.shared.checkpoint import Checkpoint


def fit(
    net: nengo.Network,
    recipe: Any,
    seed: int,
    inputs: Callable[[np.ndarray, int], np.ndarray],
    y: np.ndarray,
    objective: Mapping[str, Mapping],
    folder: Path,
    callbacks: Sequence = (),
) -> dict[str, np.ndarray]:
    """Train a phasor classifier and freeze its weights; return the losses by epoch.

    A checkpoint is written after every epoch. The same seed gives the same order of batches,
    however often training is interrupted and resumed.

    Parameters
    ----------
    net : nengo.Network
        The network, with a node ``input`` and a probe ``output``, with two rows of one unit per
        class.
    recipe
        Has ``optimizer``, ``learning_rate``, ``decay``, ``batches``, ``batch_size``: see
        `.training.Recipe`.
    seed : int
        The seed of the order of the batches, and of weights without a seed of their own.
    inputs : callable
        A function of items' indices and an epoch, counted from 0, that returns the items' inputs.
    y : (n_items,) ndarray of int
        Labels. The target is phase 1/2 for the right class and 0 for the others.
    objective : mapping
        Keras' ``loss``, ``loss_weights`` and ``metrics``, each of them by probe. Losses of other
        probes than ``output`` have no targets.
    folder : path
        The folder of the checkpoint.
    callbacks : sequence of Keras' callbacks
        Callbacks, which receive the number of the epoch in the whole training.
    """
    import nengo_dl

    with net:
        nengo_dl.configure_settings(trainable=None, stateful=False, keep_history=False)
        net.config[nengo.Ensemble].trainable = False
    optimizer = _optimizer(recipe)
    targets = phases.to_rows(np.eye(net.output.size_in // 2) / 2)
    with nengo_dl.Simulator(
        net, minibatch_size=recipe.batch_size, seed=seed, progress_bar=False
    ) as sim:
        sim.compile(optimizer, **objective)
        optimizer.build(sim.keras_model.trainable_variables)
        checkpoint = Checkpoint(
            folder, [*sim.keras_model.trainable_variables, *optimizer.variables]
        )
        reached = checkpoint.restored(done=0, epoch=0, history={})
        done, epoch, history = (reached[name] for name in ("done", "epoch", "history"))
        if done:
            print(f"resumed after {done} of {recipe.batches} batches")
        while done < recipe.batches:
            order = _order(len(y), seed, epoch, recipe, done)
            done += len(order) // recipe.batch_size
            print(f"epoch {epoch + 1}, batch {done} of {recipe.batches}")
            x, labels = inputs(order, epoch), targets[y[order]]
            wanted = {net.output: labels, **_nothing(objective["loss"], net.output, len(labels))}
            for name, value in _epoch(sim, {net.input: x}, wanted, epoch, callbacks).items():
                history.setdefault(name, []).append(value)
            epoch += 1
            checkpoint.save(done=done, epoch=epoch, history=history)
        sim.freeze_params(net)
    return {name: np.array(values) for name, values in history.items()}


def _nothing(losses, output, n_items) -> dict[nengo.Probe, np.ndarray]:
    """Return a target of 0 for the probes whose losses have none, as Keras wants one for each."""
    return {probe: np.zeros((n_items, 1), np.float32) for probe in losses if probe != output}


def _epoch(sim, given, wanted, epoch, callbacks) -> dict[str, float]:
    """Train on the items in this order, (n_items, size); return the losses."""
    fitted = sim.fit(
        {node: x.astype(np.float32, copy=False)[:, None] for node, x in given.items()},
        {probe: y[:, None] for probe, y in wanted.items()},
        shuffle=False,
        verbose=1 if sys.stdout.isatty() else 2,
        initial_epoch=epoch,
        epochs=epoch + 1,
        callbacks=list(callbacks),
    )
    return {name: float(value) for name, (value,) in fitted.history.items()}


def _optimizer(recipe):
    import tensorflow as tf

    rate = recipe.learning_rate
    if recipe.decay:
        rate = tf.keras.optimizers.schedules.CosineDecay(rate, recipe.batches)
    return getattr(tf.keras.optimizers, recipe.optimizer)(rate)


def _order(n_items: int, seed: int, epoch: int, recipe, done: int) -> np.ndarray:
    """Return the items of an epoch's batches: all complete batches, or those that remain."""
    order = np.random.RandomState((seed, epoch)).permutation(n_items)
    n_batches = min(n_items // recipe.batch_size, recipe.batches - done)
    return order[: n_batches * recipe.batch_size]

"""Training of phasor classifiers in NengoDL, epoch by epoch, that resumes where it was stopped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nengo
import numpy as np

from nengo_phasor import datasets, phases


def fit(
    net: nengo.Network,
    recipe: Any,
    seed: int,
    inputs: Callable[[np.ndarray, int], np.ndarray],
    y: np.ndarray,
    loss: dict,
    folder: Path,
    loss_weights: dict | None = None,
    callbacks: Sequence = (),
    metrics: dict | None = None,
) -> dict[str, np.ndarray]:
    """Train a phasor classifier and freeze its weights; return the losses by epoch.

    A checkpoint is written after every epoch. The same seed gives the same order of batches,
    however often training is interrupted and resumed.

    Parameters
    ----------
    net : nengo.Network
        With a node ``input`` and probes ``output``, a unit for each class, and ``hidden``.
    recipe
        Has ``optimizer``, ``learning_rate``, ``decay``, ``batches`` and ``batch_size``: see
        `local_rhythms.Recipe`.
    seed : int
        Of the order of the batches, and of weights that have none.
    inputs : callable
        Takes items and an epoch, the first being 0; returns these items' inputs.
    y : (n_items,) ndarray of int
        Labels. The right class's target is phase 1/2, the others' is 0; the hidden layer has none.
    loss, loss_weights, metrics : dict
        By probe, as in Keras.
    folder : path
        Where the checkpoint is.
    callbacks : sequence of Keras' callbacks
        Called with the number of the epoch in the whole training.
    """
    import nengo_dl
    import tensorflow as tf

    with net:
        nengo_dl.configure_settings(trainable=None, stateful=False, keep_history=False)
        net.config[nengo.Ensemble].trainable = False
    learning_rate = recipe.learning_rate
    if recipe.decay:
        learning_rate = tf.keras.optimizers.schedules.CosineDecay(learning_rate, recipe.batches)
    optimizer = getattr(tf.keras.optimizers, recipe.optimizer)(learning_rate)
    targets = phases.to_rows(np.eye(net.output.size_in // 2) / 2)
    checkpoint = folder / "checkpoint.npz"
    with nengo_dl.Simulator(
        net, minibatch_size=recipe.batch_size, seed=seed, progress_bar=False
    ) as sim:
        sim.compile(optimizer, loss=loss, loss_weights=loss_weights, metrics=metrics)
        optimizer.build(sim.keras_model.trainable_variables)
        variables = [*sim.keras_model.trainable_variables, *optimizer.variables]
        done, epoch, history = 0, 0, {}
        if checkpoint.exists():
            saved = datasets.load_params(checkpoint)
            done, epoch = int(saved["done"]), int(saved["epoch"])
            history = {
                k.removeprefix("history_"): list(v)
                for k, v in saved.items()
                if k.startswith("history_")
            }
            for k, variable in enumerate(variables):
                variable.assign(saved[f"variable_{k}"])
            print(f"resumed after {done} of {recipe.batches} batches")
        while done < recipe.batches:
            order = np.random.RandomState((seed, epoch)).permutation(len(y))
            n_batches = min(len(y) // recipe.batch_size, recipe.batches - done)
            order = order[: n_batches * recipe.batch_size]
            print(f"epoch {epoch + 1}, batch {done + n_batches} of {recipe.batches}")
            fitted = sim.fit(
                {net.input: inputs(order, epoch).astype(np.float32)[:, None]},
                {
                    net.output: targets[y[order]][:, None],
                    net.hidden: np.zeros((len(order), 1, net.hidden.size_in), np.float32),
                },
                shuffle=False,
                verbose=1 if sys.stdout.isatty() else 2,
                initial_epoch=epoch,
                epochs=epoch + 1,
                callbacks=list(callbacks),
            )
            done, epoch = done + n_batches, epoch + 1
            for name, (value,) in fitted.history.items():
                history.setdefault(name, []).append(value)
            datasets.save_params(
                checkpoint,
                done=np.array(done),
                epoch=np.array(epoch),
                **{f"history_{name}": np.array(values) for name, values in history.items()},
                **{f"variable_{k}": v.numpy() for k, v in enumerate(variables)},
            )
        sim.freeze_params(net)
    return {name: np.array(values) for name, values in history.items()}

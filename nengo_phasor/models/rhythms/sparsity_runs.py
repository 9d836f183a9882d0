"""Train and score one network of `phase_sparsity`, and keep it in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nengo_phasor import datasets
from nengo_phasor.models.rhythms.network import encode
from nengo_phasor.models.rhythms.sparsity import Recipe, train
from nengo_phasor.models.rhythms.sweep import curves, phase_accuracy
from nengo_phasor.models.shared.run_folder import kept, open_run

STRENGTHS = (0.02, 0.05, 0.08, 0.1, 0.15, 0.2)
SPARSIFIERS = ("arc", "field")
HISTORY = "history_"
"""The prefix of the names of losses by epoch, which are stored beside the parameters."""


def evaluate(
    recipe: Recipe,
    seed: int,
    folder: Path,
    data: datasets.Dataset,
    strengths: Sequence[float],
    resume: bool,
) -> dict:
    """Train and score a network; with ``resume``, continue from the files in the folder.

    Receivers assume that a missing spike was at the reference.
    """
    images = [len(data.x_train), len(data.x_test)]
    settings = {**asdict(recipe), "seed": seed, "images": images, "strengths": strengths}
    open_run(folder, settings, resume)
    return kept(
        folder / "scores.json",
        lambda: scored(trained(recipe, seed, folder, data), data, strengths),
    )


def trained(recipe: Recipe, seed: int, folder: Path, data: datasets.Dataset) -> dict:
    """Return the network of the folder: its parameters, its encoding, and the losses by epoch."""
    file = folder / "params.npz"
    if not file.exists():
        x = encode(data.x_train, seed, recipe.spread)
        params, history = train(recipe, seed, x, data.y_train, folder)
        named = {HISTORY + name: values for name, values in history.items()}
        datasets.save_params(file, **params, **named, seed=seed, spread=recipe.spread)
    return datasets.load_params(file)


def scored(
    params: Mapping[str, np.ndarray], data: datasets.Dataset, strengths: Sequence[float]
) -> dict:
    """Return a network's accuracies, its curves by sparsifier, and its losses by epoch."""
    x = encode(data.x_test, int(params["seed"]), float(params["spread"]))
    points = [("reference", name, strength) for name in SPARSIFIERS for strength in strengths]
    found = curves(params, x, data.y_test, points, "hidden_spikes")
    dense = next(iter(found.values()))[0]
    history = {
        name.removeprefix(HISTORY): values.tolist()
        for name, values in params.items()
        if name.startswith(HISTORY)
    }
    return {
        "phase_accuracy": phase_accuracy(params, x, data.y_test),
        "spiking_accuracy": dense["accuracy"],
        "hidden_spikes_per_image": dense["hidden_spikes"],
        "curves": {name: curve for (_, name), curve in found.items()},
        "history": history,
    }

"""A run: a network that is trained, scored, and kept in a folder from which another can go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nengo_phasor import datasets
from nengo_phasor.models.rhythms.network import encode
from nengo_phasor.models.rhythms.sweep import RECEIVERS, SPARSIFIERS, curves, phase_accuracy
from nengo_phasor.models.rhythms.training import Recipe, train
from nengo_phasor.models.shared.run_folder import kept, open_run

Strengths = Mapping[str, Sequence[float]]
"""Of each sparsifier."""


def evaluate(
    recipe: Recipe,
    seed: int,
    folder: Path,
    data: datasets.Dataset,
    strengths: Strengths,
    resume: bool,
) -> dict:
    """Train and score; if asked to, go on from what an earlier run left in the folder."""
    settings = {**asdict(recipe), "seed": seed, "images": len(data.x_test), "strengths": strengths}
    open_run(folder, settings, resume)
    return kept(
        folder / "scores.json",
        lambda: scored(trained(recipe, seed, folder, data), data, strengths),
    )


def trained(recipe: Recipe, seed: int, folder: Path, data: datasets.Dataset) -> dict:
    """Return the folder's network: its parameters, the projection's seed and the phases' spread."""
    file = folder / "params.npz"
    if not file.exists():
        x = encode(data.x_train, seed, recipe.spread)
        params = train(recipe, seed, x, data.y_train, folder)
        datasets.save_params(file, **params, seed=seed, spread=recipe.spread)
    return datasets.load_params(file)


def scored(params: Mapping[str, np.ndarray], data: datasets.Dataset, strengths: Strengths) -> dict:
    """Return a network's accuracies, and its curves by receiver and sparsifier."""
    x = encode(data.x_test, int(params["seed"]), float(params["spread"]))
    points = [
        (receiver, name, strength)
        for receiver in RECEIVERS
        for name in SPARSIFIERS
        for strength in strengths[name]
    ]
    found = curves(params, x, data.y_test, points)
    dense = next(iter(found.values()))[0]
    return {
        "phase_accuracy": phase_accuracy(params, x, data.y_test),
        "spiking_accuracy": dense["accuracy"],
        "accuracy_per_cycle": dense["accuracy_per_cycle"],
        "spikes_per_image": dense["spikes"],
        "curves": {
            receiver: {name: found[receiver, name] for name in SPARSIFIERS}
            for receiver in RECEIVERS
        },
    }

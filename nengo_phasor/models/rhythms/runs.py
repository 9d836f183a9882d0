"""Train and score a network, and keep it in a folder from which a later run can continue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from nengo_phasor import datasets
from nengo_phasor.models.rhythms.network import CYCLE, encode
from nengo_phasor.models.rhythms.sweep import RECEIVERS, SPARSIFIERS, curves, phase_accuracy
from nengo_phasor.models.rhythms.training import Recipe, train
from nengo_phasor.models.shared.run_folder import kept, open_run

Strengths = Mapping[str, Sequence[float]]
"""The strengths of each sparsifier."""


def evaluate(
    recipe: Recipe,
    seed: int,
    folder: Path,
    data: datasets.Dataset,
    strengths: Strengths,
    resume: bool,
) -> dict:
    """Train and score a network; with ``resume``, continue from the files in the folder."""
    settings = {**asdict(recipe), "seed": seed, "images": len(data.x_test), "strengths": strengths}
    open_run(folder, settings, resume)
    return kept(
        folder / "scores.json",
        lambda: scored(trained(recipe, seed, folder, data), data, strengths),
    )


def of_all(
    recipes: Mapping[str, Any], seeds: Sequence[int], folder: Path, run: Callable[..., dict]
) -> dict[str, list[dict]]:
    """Return the scores of each recipe with each seed.

    ``run`` takes the recipe, the seed, and the folder of the run.
    """
    found: dict[str, list[dict]] = {name: [] for name in recipes}
    for name, recipe in recipes.items():
        for seed in seeds:
            click.echo(f"recipe {name}, seed {seed}")
            found[name].append(run(recipe, seed, folder / f"{name}-{seed}"))
    return found


def settings_of(recipes: Mapping[str, Any], data: datasets.Dataset) -> dict:
    """Return the settings on which the results of runs depend, besides the seeds."""
    return {
        "recipes": {name: asdict(recipe) for name, recipe in recipes.items()},
        "test_images": len(data.x_test),
        "cycle": CYCLE + 1,
    }


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

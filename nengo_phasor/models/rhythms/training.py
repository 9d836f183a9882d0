"""Training of the classifier in the phase domain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nengo_phasor import phases
from nengo_phasor.models.rhythms import fit
from nengo_phasor.models.rhythms.network import layer_params, phase_network


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    ``spread`` is the standard deviation of the input phases. ``gain`` is that of the initial
    weights times the square root of the number of inputs; biases start at 1. ``pull`` weights the
    hidden phases' distance from the reference in the loss. Training takes ``batches`` batches of
    ``batch_size`` items.
    """

    optimizer: str
    learning_rate: float
    decay: bool
    batches: int
    spread: float
    gain: float
    pull: float
    batch_size: int = 128


RECIPES = {
    "paper": Recipe("RMSprop", 1e-3, False, 1000, spread=0.5, gain=0.5, pull=0.0),
    "long": Recipe("Adam", 1e-3, True, 12 * 468, spread=0.5, gain=0.5, pull=0.01),
}


def shortened(recipe: Recipe, batches: int | None) -> Recipe:
    """Return the recipe with another number of batches, unless ``batches`` is None."""
    return recipe if batches is None else replace(recipe, batches=batches)


def train(recipe: Recipe, seed: int, x: np.ndarray, y: np.ndarray, folder: Path) -> dict:
    """Train with NengoDL on phases ``x`` and labels ``y``; return the parameters."""
    from nengo_phasor.dl import losses

    net = phase_network(gain=recipe.gain, seed=seed)
    objective = {
        "loss": {net.output: losses.PhaseCosine(), net.hidden: losses.ReferenceDistance()},
        "loss_weights": {net.output: 1.0, net.hidden: recipe.pull},
    }
    fit.fit(net, recipe, seed, lambda items, _: phases.to_rows(x[items]), y, objective, folder)
    return layer_params(net)

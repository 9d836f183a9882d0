"""Training in the phase domain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nengo
import numpy as np

from nengo_phasor import datasets, phases
from nengo_phasor.models.deep_rhythms.data import changed, encode
from nengo_phasor.models.deep_rhythms.designs import Design
from nengo_phasor.models.deep_rhythms.network import classifier
from nengo_phasor.models.rhythms.fit import fit


def train(design: Design, seed: int, data: datasets.Dataset, folder: Path) -> nengo.Network:
    """Return the trained network, with its weights frozen; see `.rhythms.fit.fit`."""
    from nengo_phasor.dl import losses

    recipe = design.recipe
    net = classifier(data.x_train.shape[1:], design.blocks, seed)

    def inputs(items: Sequence[int], epoch: int) -> np.ndarray:
        rng = np.random.RandomState((seed, epoch))
        return phases.to_rows(
            encode(changed(data.x_train[items], rng, recipe.shift, recipe.mirror))
        )

    objective = {
        "loss": {
            net.output: losses.QuadratureCrossentropy(),
            **{probe: losses.ReferenceDistance() for probe in net.hidden},
        },
        "loss_weights": {net.output: 1.0, **dict.fromkeys(net.hidden, recipe.pull)},
    }
    fit(net, recipe, seed, inputs, data.y_train, objective, folder)
    return net

"""The networks that are trained with a cost of spikes, and what is special about each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import nengo
import numpy as np

from nengo_phasor.models.lenet import start, twin
from nengo_phasor.models.lenet.data import Parts, with_bias_channel
from nengo_phasor.models.lenet.network import lenet
from nengo_phasor.models.lenet.runs import Run
from nengo_phasor.models.lenet.vgg import vgg
from nengo_phasor.models.shared.augmentation import mirrored_and_shifted


class Design(NamedTuple):
    """A network to train.

    ``network(shape, weights)`` builds it. ``start(run, parts, folder)`` returns the weights with
    which training starts. ``prepared(images)`` returns the currents. ``augmented(images, rng)``
    returns the images of a training batch, changed at random. ``compared(run, parts, runs)``
    measures what the results are compared with, or is None. ``settings`` are those of a `.Run` that
    are the same for all of the network's runs.
    """

    network: Callable[[tuple, dict[str, np.ndarray]], nengo.Network]
    start: Callable[[Run, Parts, Path], dict[str, np.ndarray]]
    prepared: Callable[[np.ndarray], np.ndarray]
    augmented: Callable[[np.ndarray, np.random.RandomState], np.ndarray]
    compared: Callable[[Run, Parts, Path], dict[str, Any]] | None
    settings: Mapping[str, Any]


def _unchanged(images: np.ndarray) -> np.ndarray:
    return images


DESIGNS = {
    "lenet": Design(
        lenet,
        start.start,
        with_bias_channel,
        partial(mirrored_and_shifted, shift=2),
        None,
        {},
    ),
    "vgg": Design(
        vgg,
        twin.start,
        _unchanged,
        partial(mirrored_and_shifted, shift=twin.SHIFT),
        twin.compared,
        {"learning_rate": 1e-3},
    ),
}


def run_of(design: str, **settings: Any) -> Run:
    """Return the run of a network with its own settings and these."""
    return Run(design=design, **DESIGNS[design].settings, **settings)

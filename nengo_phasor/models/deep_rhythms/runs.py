"""Train and score a network, and keep it in a folder from which a later run can continue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import nengo
import numpy as np
from tqdm import tqdm

import nengo_phasor
from nengo_phasor import datasets
from nengo_phasor.models.deep_rhythms import designs
from nengo_phasor.models.deep_rhythms.designs import Design
from nengo_phasor.models.deep_rhythms.network import classifier
from nengo_phasor.models.deep_rhythms.spikes import Point, mean_fields, phase_classes, score
from nengo_phasor.models.deep_rhythms.training import train
from nengo_phasor.models.rhythms.organic import ALL, with_removed
from nengo_phasor.models.rhythms.organic_claims import WINDOW
from nengo_phasor.models.shared.run_folder import kept, open_run

PIECE = 200
"""The number of images that are scored before the scores are written."""


def trained(
    design: Design, seed: int, folder: Path, data: datasets.Dataset, resume: bool
) -> nengo.Network:
    """Return the folder's network, trained first if it is not there yet."""
    settings = {
        **asdict(design.recipe),
        "seed": seed,
        "images": len(data.x_train),
        "weights": shapes(classifier(data.x_train.shape[1:], design.blocks, seed)),
    }
    open_run(folder, settings, resume)
    file = folder / "network.npz"
    if not file.exists():
        nengo_phasor.save(file, train(design, seed, data, folder))
    return nengo_phasor.load(file)


def evaluated(
    design: Design,
    net: nengo.Network,
    folder: Path,
    data: datasets.Dataset,
    compared: int,
    resume: bool,
) -> dict:
    """Return the scores of a trained network.

    Parameters
    ----------
    design : Design
        The network's row.
    net : nengo.Network
        The network.
    folder : path
        The folder that keeps the scores of each rule and piece of images.
    data : Dataset
        The images.
    compared : int
        The number of images on which rules are compared, up to whole pieces. All spikes, and the
        window of the design, are scored on all images.
    resume : bool
        Whether to continue from the files in the folder.
    """
    settings = {
        "images": len(data.x_test),
        "cycles": design.cycles,
        "network": float(sum(np.abs(c.transform.init).sum() for c in _weighted(net))),
    }
    open_run(folder, settings, resume)

    def scored(point: Point, n: int) -> dict:
        pieces = range(0, min(n, len(data.x_test)), PIECE)
        shown = tqdm(pieces, desc=f"{point.rule} {point.strength}", unit="piece", disable=None)
        return combined(point, [_piece(design, net, folder, data, point, k) for k in shown])

    dense, window = Point(ALL), Point(WINDOW, design.window)
    curves = {
        rule: [scored(Point(rule, strength), compared) for strength in levels]
        for rule, levels in {ALL: (0.0,), **designs.STRENGTHS}.items()
    }
    phase = kept(
        folder / "phase.json",
        lambda: {
            "phase_accuracy": float(np.mean(phase_classes(net, data.x_test) == data.y_test)),
            "mean_fields": mean_fields(net, data.x_test[:PIECE]),
        },
    )
    whole = {"all": scored(dense, len(data.x_test)), "window": scored(window, len(data.x_test))}
    return {**phase, "curves": with_removed(curves), **whole}


def _piece(design, net, folder, data, point, first) -> dict:
    """Return the scores of a piece of the images, which the folder keeps."""
    x, y = data.x_test[first : first + PIECE], data.y_test[first : first + PIECE]
    name = f"{point.rule} {point.strength:g} {first}.json"
    return kept(folder / name, lambda: score(net, x, y, point, design.cycles, chunk=100))


def combined(point: Point, pieces: Sequence[Mapping]) -> dict:
    """Return accuracy, and spikes and seconds per image, of all pieces."""
    images = sum(piece["images"] for piece in pieces)

    def mean(values):
        return sum(values) / images

    by_layer = [mean(layer) for layer in zip(*(piece["spikes"] for piece in pieces), strict=True)]
    return {
        "strength": point.strength,
        "images": images,
        "accuracy": mean(piece["right"] for piece in pieces),
        "hidden_spikes": sum(by_layer),
        "spikes_by_layer": by_layer,
        "unit_spikes": mean(piece["unit_spikes"] for piece in pieces),
        "processor_seconds": mean(piece["processor_seconds"] for piece in pieces),
    }


def shapes(net: nengo.Network) -> list[list[int]]:
    """Return the shapes of a network's weights and of what they apply to, and their strides."""
    return [
        [*t.kernel_shape, *t.strides, *t.input_shape.shape]
        for t in (c.transform for c in _weighted(net))
    ]


def _weighted(net):
    """Return the connections that have weights of their own."""
    return [c for c in net.all_connections if isinstance(c.transform, nengo.Convolution)]

"""Checks what users give `.layerwise` to train with: losses, data and targets.

Importing this module imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import isfunction
from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_phasor.checks import check_number, check_positive_integer

PER_FIT = "batch_size", "validation_batch_size", "epochs"
"""Arguments of Keras that are counts."""

CHOSEN_BY_SHAPE = "accuracy", "acc", "crossentropy", "ce"
"""Metrics that Keras chooses when it sees the shape of the data."""


def optimizer_of(given: Any, simulator) -> tf.keras.optimizers.Optimizer:
    """Return a Keras optimiser, given the optimiser or its name."""
    return _looked_up("optimizers", given, "optimizer", simulator)


def check_loss(loss: Any, probe: nengo.Probe, simulator) -> None:
    """Reject a loss that is not a Keras loss, the name of one, or a function."""
    _looked_up("losses", loss, f"loss of {probe}", simulator)


def check_metrics(metrics: Any, probe: nengo.Probe, simulator) -> None:
    """Reject metrics that Keras does not know."""
    for metric in metrics if isinstance(metrics, list | tuple) else [metrics]:
        if not isinstance(metric, str) or metric not in CHOSEN_BY_SHAPE:
            _looked_up("metrics", metric, f"metrics of {probe}", simulator)


def _looked_up(kind: str, given: Any, attr: str, simulator):
    """Return a Keras optimiser, loss or metric, given the object or its name."""
    try:
        found = getattr(tf.keras, kind).get(given)
    except (TypeError, ValueError):
        found = None
    if found is None or isinstance(found, str):
        raise ValidationError(
            f"must be one of tf.keras.{kind} or its name, got {given!r}", attr, simulator
        )
    return found


def check_weights(weights: Mapping, losses: Mapping, simulator) -> None:
    """Reject loss weights that are not finite numbers, or are for probes without a loss."""
    for probe, weight in weights.items():
        attr = f"loss_weights of {probe}"
        if probe not in losses:
            raise ValidationError("has no loss to weigh", attr, simulator)
        check_number(weight, attr, simulator)


def check_arguments(arguments: Mapping) -> None:
    """Reject numbers of items or epochs that are not positive integers."""
    for name in PER_FIT:
        if arguments.get(name) is not None:
            check_positive_integer(arguments[name], name)


def check_source(x: Any, simulator) -> None:
    """Reject an object that neither holds data nor yields them."""
    known = Mapping | tf.keras.utils.Sequence | tf.data.Dataset | Iterator
    if not isinstance(x, known):
        raise ValidationError(
            f"must be {{node: array}}, or a tf.keras.utils.Sequence, dataset or generator of "
            f"batches, got {type(x).__name__}",
            attr="x",
            obj=simulator,
        )


def check_target(
    target: Any,
    probe: nengo.Probe,
    loss: Any,
    n_items: int,
    n_samples: int,
    simulator,
) -> None:
    """Reject targets that do not match what a probe records.

    Parameters
    ----------
    target : array_like
        The targets, which should be real numbers of shape (n_items, n_steps, n). A built-in Keras
        loss that compares each value with its target needs n to be the probe's size, and n_steps
        to be the probe's number of steps or 1.
    probe : nengo.Probe
        The probe.
    loss : object
        The probe's loss.
    n_items, n_samples : int
        The number of items, and the number of steps that the probe records.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the targets have another shape, or are not finite real numbers.
    """
    target = np.asarray(target)
    attr, n = f"y for {probe}", probe.size_in
    if target.ndim != 3 or len(target) != n_items:
        raise ValidationError(
            f"is of shape {target.shape}; needs (n_items, n_steps, n), of as many items as the "
            f"data: {n_items}",
            attr=attr,
            obj=simulator,
        )
    if _compares(loss) and (target.shape[2] != n or target.shape[1] not in (1, n_samples)):
        raise ValidationError(
            f"is of shape {target.shape}, and its loss compares each value with its target: needs "
            f"({n_items}, {n_samples}, {n}), or 1 step for a constant",
            attr=attr,
            obj=simulator,
        )
    if target.dtype.kind not in "biuf":
        raise ValidationError(
            f"is of type {target.dtype}; needs real numbers", attr=attr, obj=simulator
        )
    wrong = ~np.isfinite(target)
    if wrong.any():
        item, step, place = np.argwhere(wrong)[0]
        raise ValidationError(
            f"has {target[item, step, place]} in item {item}, step {step}, place {place}; needs "
            "finite numbers",
            attr=attr,
            obj=simulator,
        )
    if hasattr(loss, "check_targets"):
        loss.check_targets(target, attr, n)


def _compares(loss: Any) -> bool:
    """Return whether a loss is a built-in Keras loss that compares each value with its target."""
    if loss is None:
        return False
    found = tf.keras.losses.get(loss)
    kind = found if isfunction(found) else type(found)
    own = getattr(tf.keras.losses, kind.__name__, None) is kind
    return own and "sparse" not in kind.__name__.lower()

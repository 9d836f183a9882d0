"""Losses for Keras, on phasors and on numbers of spikes.

Phasors are outputs of 2n values, read as an array of shape (2, n) like those of `.Phasor`.
"""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike

from nengo_phasor.checks import check_integer, check_positive
from nengo_phasor.dl.tables import NEURONS
from nengo_phasor.listing import shows_public_names
from nengo_phasor.neurons import ResonateAndFire

__dir__ = shows_public_names(__name__)

saved = tf.keras.utils.register_keras_serializable("nengo_phasor")
"""Registers a class, so that Keras can load the models in which it saved it."""


@saved
class PhaseCosine(tf.keras.losses.Loss):
    r"""One minus the mean cosine of the differences between the phases of outputs and targets.

    .. math:: 1 - \frac{1}{n} \sum_k \cos(\pi (p_k - q_k))

    Targets are phasors in the shape of the output. In Olin-Ammentorp (2023), section 2.1, the
    target of the correct class is phase 1/2, and that of the other classes is phase 0.
    """

    def call(self, y_true, y_pred):
        """Return the loss of each item and time step."""
        _check_targets(y_true, y_pred)
        units = tf.cast(tf.shape(_parts(y_pred)[0])[-1], y_pred.dtype)
        return 1.0 - tf.reduce_sum(y_true * y_pred, axis=-1) / units


@saved
class QuadratureCrossentropy(tf.keras.losses.Loss):
    r"""The cross-entropy of a classifier whose class is the output nearest to phase 1/2.

    The logits are the imaginary parts of the outputs, sin(pi p), times ``scale``.

    Parameters
    ----------
    scale : float
        The steepness. The greater it is, the less is gained by moving phases further than the
        decision requires.
    **kwargs
        The arguments of `tf.keras.losses.Loss`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If scale is not a finite number greater than 0.
    """

    def __init__(self, scale: float = 5.0, name: str = "quadrature_crossentropy", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        check_positive(scale, "scale", self)
        self.scale = scale

    def get_config(self) -> dict[str, Any]:
        """Return the scale, in addition to Keras' own parameters."""
        return {**super().get_config(), "scale": self.scale}

    def call(self, y_true, y_pred):
        """Return the loss of each item and time step; the targets are as in `PhaseCosine`."""
        _check_targets(y_true, y_pred)
        quadrature = _parts(y_pred)[1]
        classes = tf.split(y_true, 2, axis=-1)[1]
        return tf.nn.softmax_cross_entropy_with_logits(classes, self.scale * quadrature)


@saved
class ReferenceDistance(tf.keras.losses.Loss):
    r"""The distance of the output's phases from the reference, regardless of the targets.

    .. math:: \frac{1}{n} \sum_k \sqrt{1 - \cos(\pi p_k) + \epsilon}

    For small phases it is proportional to abs(p). Each phase is therefore either pulled to the
    reference, where a sparsifier may remove its spike, or stays away from it and carries
    information.

    Parameters
    ----------
    smoothing : float
        The constant epsilon, which keeps the gradient finite at phase 0.
    **kwargs
        The arguments of `tf.keras.losses.Loss`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If smoothing is not a finite number greater than 0.
    """

    def __init__(self, smoothing: float = 1e-3, name: str = "reference_distance", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        check_positive(smoothing, "smoothing", self)
        self.smoothing = smoothing

    def get_config(self) -> dict[str, Any]:
        """Return the smoothing, in addition to Keras' own parameters."""
        return {**super().get_config(), "smoothing": self.smoothing}

    def call(self, y_true, y_pred):
        """Return the distance of each item and time step."""
        cosine = _parts(y_pred)[0]
        return tf.reduce_mean(tf.sqrt(1.0 + self.smoothing - cosine), axis=-1)


def _parts(y_pred: tf.Tensor) -> list[tf.Tensor]:
    """Return the real and the imaginary parts of phasors."""
    size = y_pred.shape[-1]
    if size is not None and size % 2:
        raise ValidationError(
            f"has {size} values in its last dimension, which can't be real and imaginary parts: "
            "give this loss the outputs of Phasor neurons",
            attr="y_pred",
        )
    return tf.split(y_pred, 2, axis=-1)


def _check_targets(y_true: tf.Tensor, y_pred: tf.Tensor) -> None:
    """Check that targets are phasors, because class numbers would broadcast against the outputs."""
    given, needed = y_true.shape[-1], y_pred.shape[-1]
    if given != needed and None not in (given, needed):
        raise ValidationError(
            f"has {given} values in its last dimension, but the output has {needed}: give phasors, "
            "as returned by nengo_phasor.phases.to_rows",
            attr="y_true",
        )


@saved
class SpikesOutsideArc(tf.keras.losses.Loss):
    r"""The approximate fraction of a layer's spikes outside an arc, regardless of the targets.

    .. math:: \frac{\sigma}{n} \sum_k s\left(\frac{r_k - 1}{\text{width}}\right), \quad
              r_k = \frac{\sin(\pi |p_k| / 2)}{\sin(\pi \, \text{arc} / 2)}

    Here s is the logistic function. For small phases r is abs(p)/arc, so that every unit outside
    the arc costs about the same, and only units near its border are moved into it. The weight sigma
    is a variable for `.callbacks.SparsitySchedule`, which is initially 1.

    Parameters
    ----------
    arc : float
        The arc of the `nengo_phasor.ArcSparsifier`, between 0 and 1.
    width : float
        The width of the border, as a fraction of the arc. The smaller it is, the better the
        approximation of the exact fraction, but the fewer units have a gradient.
    **kwargs
        The arguments of `tf.keras.losses.Loss`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If arc is not between 0 and 1, or width is not greater than 0.
    """

    smoothing = 1e-6
    """Added to the squared distance from the reference to keep the gradient finite at phase 0."""

    def __init__(
        self, arc: float, width: float = 0.3, name: str = "spikes_outside_arc", **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        check_positive(arc, "arc", self)
        check_positive(width, "width", self)
        if arc >= 1:
            raise ValidationError(f"must be between 0 and 1, got {arc}", "arc", self)
        self.arc, self.width = arc, width
        self.sigma = tf.Variable(1.0, trainable=False, name="sigma")

    def get_config(self) -> dict[str, Any]:
        """Return arc and width, in addition to Keras' own; sigma is set by the schedule."""
        return {**super().get_config(), "arc": self.arc, "width": self.width}

    def share(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the approximate fraction of each item's spikes that is sent, at each time step."""
        cosine = _parts(y_pred)[0]
        border = np.sqrt(1.0 - np.cos(np.pi * self.arc))
        ratio = tf.sqrt(1.0 - cosine + self.smoothing) / border
        return tf.reduce_mean(tf.sigmoid((ratio - 1.0) / self.width), axis=-1)

    def call(self, y_true, y_pred):
        """Return the cost of each item and time step."""
        share = self.share(y_true, y_pred)
        return tf.cast(self.sigma, share.dtype) * share


class SpikeCount(tf.keras.losses.Loss):
    r"""The cost of a layer's spikes: the distance of each neuron's spike count from a band.

    .. math:: \sigma \, w \sum_i \max(0, n_i - \text{high}, \text{low} - n_i)

    With the default band from 0 to 0, it is :math:`\sigma w` times the number of spikes (Allred et
    al. 2020, equation 3). For a target number of spikes, set ``low`` and ``high`` to the same
    value. The weight sigma is a variable for `.callbacks.SparsitySchedule`, which is initially 1.

    Parameters
    ----------
    probe : nengo.Probe
        The probe to which the loss applies, which records the spikes of neurons in every step.
    dt : float
        The time step of the simulator, in seconds.
    weight : float
        The weight w of this layer.
    low, high : float or (n,) array_like
        The ends of the band, in spikes per neuron in the whole window. An infinite ``high`` means
        no upper bound.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the probe does not record spikes, is filtered, does not record every step, or records
        neurons without a derivative for training; if dt is not greater than 0, the weight is
        negative or infinite, low is negative or greater than high, or an end of the band is neither
        one number nor one number per neuron.
    """

    sums_over_time = True
    """That it takes a sum over time, as of one step, for all of the steps: layerwise gives that."""

    def __init__(
        self,
        probe: nengo.Probe,
        dt: float = 0.001,
        weight: float = 1.0,
        low: ArrayLike = 0.0,
        high: ArrayLike = 0.0,
        name: str = "spike_count",
    ):
        super().__init__(name=name)
        neurons = _spiking_neurons(probe)
        check_positive(dt, "dt", self)
        low, high = (
            self._checked(band, attr, probe.size_in)
            for attr, band in (("low", low), ("high", high))
        )
        weight = self._checked(weight, "weight", None)
        if np.isinf(weight):
            raise ValidationError(f"must be finite, got {weight}", attr="weight", obj=self)
        if not np.all((low <= high) & (low < np.inf)):
            raise ValidationError(f"must be from 0 to high, got {low}", attr="low", obj=self)
        self.height = getattr(neurons, "amplitude", 1.0) / dt
        self.weight, self.low, self.high = weight, low, high
        self.sigma = tf.Variable(1.0, trainable=False, name="sigma")

    def get_config(self) -> dict[str, Any]:
        """Raise an error, because a probe can't be saved with a Keras model.

        Raises
        ------
        NotImplementedError
            Always. Save the network's parameters, and create the loss again.
        """
        raise NotImplementedError(
            f"{type(self).__name__} refers to a probe of a Nengo network, which Keras can't save: "
            "save its parameters with sim.save_params, and create the loss again"
        )

    def _checked(self, values, attr, n_neurons):
        """Return one number, or one per neuron, as an array; check that all are 0 or more."""
        array = np.asarray(values)
        if array.dtype.kind not in "iuf" or not np.all(array >= 0):
            raise ValidationError(f"must be numbers of 0 or more, got {values}", attr, self)
        if array.shape not in ((), (n_neurons,)):
            wanted = "one number" if n_neurons is None else f"one number or {n_neurons}"
            raise ValidationError(
                f"must be {wanted}, got an array of shape {array.shape}", attr, self
            )
        return array.astype(float)

    def counts(self, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the number of spikes of each item and neuron, from (n_items, n_steps, n)."""
        if y_pred.shape.rank not in (3, None):
            raise ValidationError(
                f"has shape {tuple(y_pred.shape)}, but needs (n_items, n_steps, n_neurons)",
                "y_pred",
            )
        return tf.reduce_sum(y_pred, axis=1) / tf.cast(self.height, y_pred.dtype)

    def spikes(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the mean number of the layer's spikes per item, as a metric for Keras."""
        return tf.reduce_mean(tf.reduce_sum(self.counts(y_pred), axis=-1))

    def call(self, y_true, y_pred):
        """Return the cost of each item; the targets are ignored."""
        counts = self.counts(y_pred)
        low, high, weight = (
            tf.cast(value, counts.dtype)
            for value in (self.low, self.high, self.sigma * self.weight)
        )
        outside = tf.maximum(tf.maximum(counts - high, low - counts), 0.0)
        return weight * tf.reduce_sum(outside, axis=-1)


@saved
class StepCrossentropy(tf.keras.losses.Loss):
    """The mean cross-entropy of the classes of time steps, of those that have a label.

    The outputs are logits of shape (n_items, n_steps, n_classes), and the targets class numbers of
    shape (n_items, n_steps, 1).

    Parameters
    ----------
    unlabelled : int, optional
        The target of steps without a label, which do not count. By default, every step needs one.
    **kwargs
        The arguments of `tf.keras.losses.Loss`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If unlabelled is not an integer. When `.layerwise` gets targets: if one is neither
        ``unlabelled`` nor one of the classes.
    """

    def __init__(
        self, unlabelled: int | None = None, name: str = "step_crossentropy", **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        if unlabelled is not None:
            check_integer(unlabelled, "unlabelled", self, low=-(2**31), high=2**31 - 1)
        self.unlabelled = unlabelled

    def get_config(self) -> dict[str, Any]:
        """Return unlabelled, in addition to Keras' own parameters."""
        return {**super().get_config(), "unlabelled": self.unlabelled}

    def check_targets(self, target: np.ndarray, attr: str, n_classes: int) -> None:
        """Reject targets that are neither classes nor unlabelled."""
        known = target if self.unlabelled is None else target[target != self.unlabelled]
        wrong = known[(known < 0) | (known >= n_classes) | (known != np.round(known))]
        if wrong.size:
            raise ValidationError(
                f"has {wrong.flat[0]:g}, which is not one of {n_classes} classes, in {wrong.size} "
                "of its steps: if it marks steps without a label, pass it as "
                "StepCrossentropy(unlabelled=...), which leaves them out",
                attr=attr,
                obj=self,
            )

    def call(self, y_true, y_pred):
        """Return the loss of each item and time step, which is 0 without a label."""
        labels = tf.cast(y_true[..., 0], tf.int32)
        every = tf.ones_like(labels, bool)
        counts = every if self.unlabelled is None else tf.not_equal(labels, self.unlabelled)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.where(counts, labels, 0), y_pred)
        weights = tf.cast(counts, each.dtype)
        return each * weights / tf.maximum(tf.reduce_mean(weights), 1e-12)


def _spiking_neurons(probe: nengo.Probe) -> nengo.neurons.NeuronType:
    """Return the type of the spiking neurons that a probe records, or reject the probe."""

    def refuse(why):
        raise ValidationError(f"{probe} {why}", attr="probe")

    if not isinstance(probe, nengo.Probe):
        refuse("is not a probe: give the nengo.Probe of an ensemble's `neurons`")
    if not isinstance(probe.obj, Neurons) or probe.attr not in ("output", "spikes"):
        refuse(f"records the {probe.attr} of {probe.obj}: probe an ensemble's `neurons`")
    neurons = probe.obj.ensemble.neuron_type
    if not neurons.spiking:
        refuse(
            f"records {type(neurons).__name__} neurons, which don't spike: there is nothing to "
            "count"
        )
    if NEURONS.builder_of(type(neurons)) is NEURONS.generic:
        name = type(neurons).__name__
        refuse(
            f"records {name} neurons, which NengoDL runs in Python, without a derivative: register "
            f"a builder with nengo_phasor.dl.register({name}, builder)"
        )
    if isinstance(neurons, ResonateAndFire) and neurons.surrogate is None:
        refuse(f"records {neurons}, whose spikes have no derivative: give the neurons a surrogate")
    if probe.synapse is not None or probe.sample_every is not None:
        refuse("misses spikes: set neither synapse nor sample_every")
    return neurons

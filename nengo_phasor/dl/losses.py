"""Losses for Keras: on phasors, and on numbers of spikes.

Phasors are outputs of 2n values, read as shape (2, n) like `.Phasor`'s.
"""

from __future__ import annotations

from typing import Any

import nengo
import numpy as np
import tensorflow as tf
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike

from nengo_phasor.checks import check_positive
from nengo_phasor.dl.tables import NEURONS
from nengo_phasor.listing import public_names
from nengo_phasor.neurons import ResonateAndFire

saved = tf.keras.utils.register_keras_serializable("nengo_phasor")
"""Lets Keras load what it saved with a model, without being told of the class."""


@saved
class PhaseCosine(tf.keras.losses.Loss):
    r"""One minus the mean cosine between the output's phases and the targets'.

    .. math:: 1 - \frac{1}{n} \sum_k \cos(\pi (p_k - q_k))

    Targets are phasors in the shape of the output. See Olin-Ammentorp (2023), section 2.1: there
    the right class's target is phase 1/2 and the others' 0.
    """

    def call(self, y_true, y_pred):
        """Return the loss of each item and time step."""
        _check_targets(y_true, y_pred)
        units = tf.cast(tf.shape(_parts(y_pred)[0])[-1], y_pred.dtype)
        return 1.0 - tf.reduce_sum(y_true * y_pred, axis=-1) / units


@saved
class QuadratureCrossentropy(tf.keras.losses.Loss):
    r"""Cross-entropy of the classes whose outputs are nearest to phase 1/2.

    The logits are the outputs' imaginary parts, sin(pi p), times ``scale``.

    Parameters
    ----------
    scale : float
        The steepness: the greater, the less is gained by phases beyond what decides the class.
    **kwargs
        Of `tf.keras.losses.Loss`.

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
        """Return the scale beside Keras' own parameters."""
        return {**super().get_config(), "scale": self.scale}

    def call(self, y_true, y_pred):
        """Return the loss of each item and time step; targets as in `PhaseCosine`."""
        _check_targets(y_true, y_pred)
        quadrature = _parts(y_pred)[1]
        classes = tf.split(y_true, 2, axis=-1)[1]
        return tf.nn.softmax_cross_entropy_with_logits(classes, self.scale * quadrature)


@saved
class ReferenceDistance(tf.keras.losses.Loss):
    r"""How far the output's phases are from the reference, whatever the targets.

    .. math:: \frac{1}{n} \sum_k \sqrt{1 - \cos(\pi p_k) + \epsilon}

    For small phases that is proportional to abs(p), so each is either pulled to the reference,
    where a sparsifier may leave it out, or left to stand for something.

    Parameters
    ----------
    smoothing : float
        Epsilon, which keeps the gradient finite at phase 0.
    **kwargs
        Of `tf.keras.losses.Loss`.

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
        """Return the smoothing beside Keras' own parameters."""
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
    """Refuse targets that are no phasors: numbers of classes would be multiplied with each."""
    given, needed = y_true.shape[-1], y_pred.shape[-1]
    if given != needed and None not in (given, needed):
        raise ValidationError(
            f"has {given} values in its last dimension, the output {needed}: give phasors, as "
            "nengo_phasor.phases.to_rows makes them of phases",
            attr="y_true",
        )


@saved
class SpikesOutsideArc(tf.keras.losses.Loss):
    r"""About the share of a layer's spikes that an arc lets through, whatever the targets.

    .. math:: \frac{\sigma}{n} \sum_k s\left(\frac{r_k - 1}{\text{width}}\right), \quad
              r_k = \frac{\sin(\pi |p_k| / 2)}{\sin(\pi \, \text{arc} / 2)}

    with the logistic function s. For small phases r is abs(p)/arc: so every unit outside the arc
    costs about the same, and only those near its border are moved in. The weight sigma is a
    variable, for `.callbacks.SparsitySchedule`; it begins as 1.

    Parameters
    ----------
    arc : float
        As of `nengo_phasor.ArcSparsifier`, between 0 and 1.
    width : float
        Of the border, as a fraction of the arc: the smaller, the nearer to the exact share, and the
        fewer units that have a gradient.
    **kwargs
        Of `tf.keras.losses.Loss`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If arc is not between 0 and 1, or width not greater than 0.
    """

    smoothing = 1e-6
    """Added to the squared distance from the reference: keeps the gradient finite at phase 0."""

    def __init__(
        self, arc: float, width: float = 0.3, name: str = "spikes_outside_arc", **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        check_positive(arc, "arc", self)
        check_positive(width, "width", self)
        if arc >= 1:
            raise ValidationError(
                f"must be between 0 and 1, got {arc}: no other arc sorts spikes", "arc", self
            )
        self.arc, self.width = arc, width
        self.sigma = tf.Variable(1.0, trainable=False, name="sigma")

    def get_config(self) -> dict[str, Any]:
        """Return arc and width beside Keras' own parameters; sigma is the schedule's to set."""
        return {**super().get_config(), "arc": self.arc, "width": self.width}

    def share(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return about which share of each item's spikes is sent, at each time step."""
        cosine = _parts(y_pred)[0]
        border = np.sqrt(1.0 - np.cos(np.pi * self.arc))
        ratio = tf.sqrt(1.0 - cosine + self.smoothing) / border
        return tf.reduce_mean(tf.sigmoid((ratio - 1.0) / self.width), axis=-1)

    def call(self, y_true, y_pred):
        """Return the cost of each item and time step."""
        share = self.share(y_true, y_pred)
        return tf.cast(self.sigma, share.dtype) * share


class SpikeCount(tf.keras.losses.Loss):
    r"""The cost of a layer's spikes: how far each neuron's number of them is outside a band.

    .. math:: \sigma \, w \sum_i \max(0, n_i - \text{high}, \text{low} - n_i)

    With a band from 0 to 0, which is the default, it is :math:`\sigma w` times the number of
    spikes (Allred et al. 2020, equation 3). A target is a band that is one number. The weight sigma
    is a variable, for `.callbacks.SparsitySchedule`; it begins as 1.

    Parameters
    ----------
    probe : nengo.Probe
        The probe that the loss is for: of the spikes of neurons, in every step.
    dt : float
        The simulator's time step, in seconds.
    weight : float
        The weight of this layer, w.
    low, high : float or (n,) array_like
        The band, in spikes of a neuron in the whole window. ``high`` may be infinite: then there is
        no upper bound.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the probe is not of spikes, filtered, of some steps only, or of neurons that training has
        no derivative for; if dt is not greater than 0, the weight negative or infinite, low
        negative or greater than high, or a band neither one number nor one for each neuron.
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
        """Refuse: a probe can't be saved with a Keras model.

        Raises
        ------
        NotImplementedError
            Always. Save the network's parameters, and make the loss again.
        """
        raise NotImplementedError(
            f"{type(self).__name__} is for a probe of a Nengo network, which Keras can't save: "
            "save its parameters with sim.save_params, and make the loss again"
        )

    def _checked(self, values, attr, n_neurons):
        """Return numbers of 0 or more as an array: one, or one for each neuron."""
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
                f"has shape {tuple(y_pred.shape)}, needs (n_items, n_steps, n_neurons)", "y_pred"
            )
        return tf.reduce_sum(y_pred, axis=1) / tf.cast(self.height, y_pred.dtype)

    def spikes(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the mean number of the layer's spikes in an item: a metric for Keras."""
        return tf.reduce_mean(tf.reduce_sum(self.counts(y_pred), axis=-1))

    def call(self, y_true, y_pred):
        """Return the cost of each item; the targets don't matter, so give any."""
        counts = self.counts(y_pred)
        low, high, weight = (
            tf.cast(value, counts.dtype)
            for value in (self.low, self.high, self.sigma * self.weight)
        )
        outside = tf.maximum(tf.maximum(counts - high, low - counts), 0.0)
        return weight * tf.reduce_sum(outside, axis=-1)


def _spiking_neurons(probe: nengo.Probe) -> nengo.neurons.NeuronType:
    """Return the type of the spiking neurons that a probe counts, or say what is wrong with it."""

    def refuse(why):
        raise ValidationError(f"{probe} {why}", attr="probe")

    if not isinstance(probe, nengo.Probe):
        refuse("is no probe: give the nengo.Probe of an ensemble's `neurons`")
    if not isinstance(probe.obj, Neurons) or probe.attr not in ("output", "spikes"):
        refuse(f"is of {probe.obj}'s {probe.attr}: probe an ensemble's `neurons`")
    neurons = probe.obj.ensemble.neuron_type
    if not neurons.spiking:
        refuse(
            f"is of {type(neurons).__name__} neurons, which don't spike: there is nothing to count"
        )
    if NEURONS.builder_of(type(neurons)) is NEURONS.generic:
        name = type(neurons).__name__
        refuse(
            f"is of {name} neurons, which NengoDL runs in Python, without a derivative: give it a "
            f"builder with nengo_phasor.dl.register({name}, builder)"
        )
    if isinstance(neurons, ResonateAndFire) and neurons.surrogate is None:
        refuse(f"is of {neurons}, whose spikes have no derivative: give them a surrogate")
    if probe.synapse is not None or probe.sample_every is not None:
        refuse("misses spikes: give it neither a synapse nor sample_every")
    return neurons


def __dir__():
    return public_names(__name__)

"""Losses on phasors, for Keras: outputs of 2n values, read as shape (2, n) like `.Phasor`'s."""

from __future__ import annotations

import tensorflow as tf


class PhaseCosine(tf.keras.losses.Loss):
    r"""One minus the mean cosine between the output's phases and the targets'.

    .. math:: 1 - \frac{1}{n} \sum_k \cos(\pi (p_k - q_k))

    Targets are phasors in the shape of the output. See Olin-Ammentorp (2023), section 2.1: there
    the right class's target is phase 1/2 and the others' 0.
    """

    def call(self, y_true, y_pred):
        """Return the loss of each item and time step."""
        units = tf.cast(tf.shape(y_pred)[-1] // 2, y_pred.dtype)
        return 1.0 - tf.reduce_sum(y_true * y_pred, axis=-1) / units


class QuadratureCrossentropy(tf.keras.losses.Loss):
    r"""Cross-entropy of the classes whose outputs are nearest to phase 1/2.

    The logits are the outputs' imaginary parts, sin(pi p), times ``scale``.

    Parameters
    ----------
    scale : float
        The steepness: the greater, the less is gained by phases beyond what decides the class.
    """

    def __init__(self, scale: float = 5.0, name: str = "quadrature_crossentropy"):
        super().__init__(name=name)
        self.scale = scale

    def call(self, y_true, y_pred):
        """Return the loss of each item and time step; targets as in `PhaseCosine`."""
        quadrature = tf.split(y_pred, 2, axis=-1)[1]
        classes = tf.split(y_true, 2, axis=-1)[1]
        return tf.nn.softmax_cross_entropy_with_logits(classes, self.scale * quadrature)


class ReferenceDistance(tf.keras.losses.Loss):
    r"""How far the output's phases are from the reference, whatever the targets.

    .. math:: \frac{1}{n} \sum_k \sqrt{1 - \cos(\pi p_k) + \epsilon}

    For small phases that is proportional to abs(p), so each is either pulled to the reference,
    where a sparsifier may leave it out, or left to stand for something.

    Parameters
    ----------
    smoothing : float
        Epsilon, which keeps the gradient finite at phase 0.
    """

    def __init__(self, smoothing: float = 1e-3, name: str = "reference_distance"):
        super().__init__(name=name)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        """Return the distance of each item and time step."""
        cosine = tf.split(y_pred, 2, axis=-1)[0]
        return tf.reduce_mean(tf.sqrt(1.0 + self.smoothing - cosine), axis=-1)

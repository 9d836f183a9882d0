"""Keras callbacks, which change training from epoch to epoch."""

from __future__ import annotations

import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_phasor.listing import shows_public_names
from nengo_phasor.schedules import Schedule

__dir__ = shows_public_names(__name__)


class SparsitySchedule(tf.keras.callbacks.Callback):
    """Sets the cost of a spike before each epoch, and logs it as "sigma".

    Keras counts the epochs from ``initial_epoch``, so training that is resumed with
    ``fit(..., initial_epoch=done)`` continues the schedule.

    Parameters
    ----------
    schedule : `nengo_phasor.schedules.Schedule`
        The schedule of the weight sigma.
    *losses : losses with a weight ``sigma``
        The losses whose weight is set, such as `.losses.SpikeCount`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If ``schedule`` is not a Schedule, there is no loss, or a loss has no ``sigma``. When
        training begins: if it has more epochs than the schedule.
    """

    def __init__(self, schedule: Schedule, *losses: tf.keras.losses.Loss):
        super().__init__()
        if not isinstance(schedule, Schedule):
            raise ValidationError(
                f"must be a schedule of nengo_phasor.schedules, got {schedule!r}", "schedule", self
            )
        wrong = [loss for loss in losses if not hasattr(loss, "sigma")]
        if wrong or not losses:
            raise ValidationError(
                f"must be losses with a weight `sigma`, such as SpikeCount, got {wrong}",
                attr="losses",
                obj=self,
            )
        self.schedule, self.losses = schedule, losses

    def on_train_begin(self, logs=None):
        """Check that training is no longer than the schedule."""
        self.schedule(self.params["epochs"])

    def on_epoch_begin(self, epoch, logs=None):
        """Set the weight; Keras' first epoch is 0."""
        for loss in self.losses:
            loss.sigma.assign(self.schedule(epoch + 1))

    def on_epoch_end(self, epoch, logs=None):
        """Log the weight."""
        if logs is not None:
            logs["sigma"] = self.schedule(epoch + 1)

"""The units of analog networks: half-sigmoids, or rectifiers for graded spikes."""

from __future__ import annotations

from typing import Any

UNITS = ("half-sigmoid", "rectifier")


def unit_layer(units: str) -> Any:
    """Return the class of the Keras layer that consists of units, by a name in `UNITS`."""
    import tensorflow as tf

    from nengo_phasor.dl.activations import HalfSigmoid

    return {"half-sigmoid": HalfSigmoid, "rectifier": tf.keras.layers.ReLU}[units]

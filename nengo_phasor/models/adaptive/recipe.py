"""Recipes for training the analog networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nengo_phasor.models.adaptive.data import Augmentation


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    The learning rate falls to zero along a cosine. ``smoothing`` is the label smoothing.
    ``policy`` is Keras' policy of numbers: with ``mixed_bfloat16``, products are of half precision,
    which takes half the time on processors that have such instructions (AMX), and weights are not.
    ``activity`` weights the mean activation of all neurons in the loss: less activation means fewer
    spikes. ``noise`` is the m_f of the spikes whose deviations activations have in training: see
    `.layers.CodeNoise`. ``optimizer`` is a name in `tf.keras.optimizers`, and ``options`` are its
    other arguments.
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 1e-3
    smoothing: float = 0.0
    activity: float = 0.0
    noise: float = 0.0
    augmentation: Augmentation | None = None
    optimizer: str = "Adam"
    options: tuple[tuple[str, Any], ...] = ()
    policy: str = "float32"

    def n_batches(self, n: int) -> int:
        """Return the number of batches in an epoch of ``n`` samples; they differ by one in size."""
        return -(-n // self.batch_size)

"""Stacks of convolutions and dense layers that read images: the analog networks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from nengo_phasor import AdaptiveSpikingRate


@dataclass(frozen=True)
class Layout:
    """A network's layers: maps of 3 x 3 convolutions, with a pooling after each group; units."""

    convolutions: tuple[tuple[int, ...], ...]
    dense: tuple[int, ...]


def keras_model(
    layout: Layout,
    seed: int = 0,
    dropout: float = 0.0,
    map_dropout: float = 0.0,
    shape: tuple[int, int, int] = (28, 28, 1),
    classes: int = 10,
    noise: float = 0.0,
):
    """Return the analog network: an image in, logits of its classes out.

    Batch normalisation and the transfer function follow every layer and the pixels themselves.
    Normalisation has no gain, so that activations cannot shrink to a size for which spikes are too
    coarse. Pooling comes before the activation, with which it commutes, to save neurons.
    ``dropout`` applies to the input of dense layers, ``map_dropout`` to convolutions without
    pooling. With ``noise``, activations in training deviate as spikes do at that m_f.
    """
    import tensorflow as tf

    from nengo_phasor.dl.activations import HalfSigmoid
    from nengo_phasor.models.adaptive.layers import CodeNoise, Dropout

    layers, seeds = tf.keras.layers, count(1000 * (seed + 1))

    def activate(x, name, pool=False):
        x = layers.BatchNormalization(scale=False, name=f"{name}_norm")(x)
        if pool:
            x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
        x = HalfSigmoid(name=name)(x)
        if not noise:
            return x
        neurons = AdaptiveSpikingRate().at_precision(noise)
        return CodeNoise(neurons, next(seeds), name=f"{name}_noise")(x)

    image = layers.Input(shape, name="image")
    x = activate(image, "pixels")
    for j, group in enumerate(layout.convolutions):
        for k, maps in enumerate(group):
            name, pool = f"conv{j + 1}{'abc'[k]}", k == len(group) - 1
            x = layers.Conv2D(maps, 3, padding="same", use_bias=False, name=f"{name}_weights")(x)
            x = activate(x, name, pool)
            if map_dropout and not pool:
                x = Dropout(map_dropout, seed=seed + 10 * j + k, name=f"{name}_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    for k, units in enumerate(layout.dense):
        if dropout:
            x = Dropout(dropout, seed=seed + k, name=f"dropout{k + 1}")(x)
        x = layers.Dense(units, use_bias=False, name=f"dense{k + 1}_weights")(x)
        x = activate(x, f"dense{k + 1}")
    return tf.keras.Model(image, layers.Dense(classes, dtype="float32", name="classes")(x))

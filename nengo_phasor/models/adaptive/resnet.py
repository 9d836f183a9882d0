"""An identity-mapping ResNet-18, trained on small data."""

from __future__ import annotations

from nengo_phasor.models.adaptive.units import UNITS, unit_layer

MAPS = (64, 128, 256, 512)
BLOCKS = 2
"""The number of blocks, of two convolutions each, for every number of maps: 18 layers in all."""

LARGE = 64
"""The image height from which the first layers quarter the image, as for ImageNet."""

PRECISIONS = (0.05, 0.1, 0.2, 0.4)
"""The m_f to choose from."""

VALIDATION = 0.1
"""The fraction of the training set that chooses the epoch and the precision."""

SETS = ("fashion_mnist", "mnist", "cifar10", "cifar100")


def keras_model(
    shape: tuple[int, int, int], classes: int, width: float = 1.0, units: str = UNITS[0]
):
    """Return the analog network of the units: an image in, logits of its classes out.

    In a block, normalisation and the transfer function come before each convolution, so that the
    signal between blocks is a sum without a nonlinearity (He et al. 2016, "Identity mappings in
    deep residual networks"). Where the size changes, the sum starts again from a 1 x 1 convolution.
    Normalisation has no gain, and averages over about 10 batches, since small data sets have few.
    """
    import tensorflow as tf

    layers, unit = tf.keras.layers, unit_layer(units)
    sizes = [max(1, round(width * maps)) for maps in MAPS]
    stride = 2 if shape[0] >= LARGE else 1

    def convolution(x, maps, size, strides, name):
        return layers.Conv2D(maps, size, strides, padding="same", use_bias=False, name=name)(x)

    def activate(x, name, pool=False):
        x = layers.BatchNormalization(momentum=0.9, scale=False, name=f"{name}_norm")(x)
        if pool:
            x = layers.MaxPooling2D(3, 2, padding="same", name=f"{name}_pool")(x)
        return unit(name=name)(x)

    image = layers.Input(shape, name="image")
    x = activate(image, "pixels")
    x = convolution(x, sizes[0], 7 if stride == 2 else 3, stride, "stem_weights")
    total = active = activate(x, "stem", pool=stride == 2)
    for j, maps in enumerate(sizes):
        for k in range(BLOCKS):
            name = f"block{j + 1}{'abcd'[k]}"
            shrinks = j > 0 and k == 0
            if j + k > 0:
                active = activate(total, f"{name}_first")
            x = convolution(active, maps, 3, 2 if shrinks else 1, f"{name}_first_weights")
            x = activate(x, f"{name}_second")
            x = convolution(x, maps, 3, 1, f"{name}_second_weights")
            if shrinks:
                total = convolution(active, maps, 1, 2, f"{name}_shortcut")
            total = layers.Add(name=f"{name}_sum")([total, x])
    x = layers.GlobalAveragePooling2D(name="average")(activate(total, "last"))
    return tf.keras.Model(image, layers.Dense(classes, name="classes")(x))

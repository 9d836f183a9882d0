"""Adaptive spiking neurons in an identity-mapping ResNet-18: the paper's network for ImageNet.

It is built at any image size, width and number of classes, and converted end to end. Here it is
trained on small data alone; what it would take at full size is computed without building it in
spikes (Zambrano et al. 2017).

    \b
    python networks/adaptive_resnet.py estimate   neurons, synapses, spikes, memory at any size
    python networks/adaptive_resnet.py results    train on small data, measure; the estimate, too

"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import adaptive_common as common
import adaptive_runs as runs
import click
import numpy as np
from adaptive_spiking import DT, WINDOW

from nengo_phasor import AdaptiveSpiking, datasets, energy, results
from nengo_phasor.convert import keras_graph
from nengo_phasor.models.shared.commands import COUNT, Commands

MAPS = (64, 128, 256, 512)
BLOCKS = 2
"""Of two convolutions each, for every number of maps: with the first and the last layer, 18."""

LARGE = 64
"""From this height on, the first layers quarter the image, as for ImageNet; else they keep it."""

PAPER_RATES = {"precise": 66.0, "few spikes": 12.0}
"""Firing rates on ImageNet in Hz, Table 1, at 62.97 % and 53.77 % accuracy."""

PRECISIONS = (0.05, 0.1, 0.2, 0.4)
"""The m_f to choose from."""

VALIDATION = 0.1
"""The fraction of the training set that chooses the epoch and the precision."""

SETS = ("fashion_mnist", "mnist", "cifar10", "cifar100")


def keras_model(shape: tuple[int, int, int], classes: int, width: float = 1.0):
    """Return the analog network: an image in, logits of its classes out.

    In a block, normalisation and the transfer function come before each convolution, so that what
    goes from block to block is a sum without any of its own (He et al. 2016, "Identity mappings in
    deep residual networks"). Where the size changes, that sum starts anew from a 1 x 1 convolution.
    Normalisation has no gain, and remembers about 10 batches: small data has few in all.
    """
    import tensorflow as tf

    from nengo_phasor.dl.activations import HalfSigmoid

    layers = tf.keras.layers
    sizes = [max(1, round(width * maps)) for maps in MAPS]
    stride = 2 if shape[0] >= LARGE else 1

    def convolution(x, maps, size, strides, name):
        return layers.Conv2D(maps, size, strides, padding="same", use_bias=False, name=name)(x)

    def activate(x, name, pool=False):
        x = layers.BatchNormalization(momentum=0.9, scale=False, name=f"{name}_norm")(x)
        if pool:
            x = layers.MaxPooling2D(3, 2, padding="same", name=f"{name}_pool")(x)
        return HalfSigmoid(name=name)(x)

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


# ------------------------------------------------------------------------------------- estimate


def taps(n_in: int, n_out: int, size: int, stride: int, padding: str) -> int:
    """Return how many elements a kernel reads along an axis, over all its places, borders aside."""
    missing = max((n_out - 1) * stride + size - n_in, 0) if padding == "same" else 0
    starts = np.arange(n_out) * stride - missing // 2
    return int(np.sum(np.minimum(starts + size, n_in) - np.maximum(starts, 0)))


def links(layer: Any) -> int:
    """Return how many of a layer's inputs its outputs add up, all together."""
    shape_in, shape_out = tuple(layer.input_shape), layer.output_shape[1:]
    kind = type(layer).__name__
    if kind == "Conv2D":
        axes = zip(shape_in[1:3], shape_out[:2], layer.kernel_size, layer.strides, strict=True)
        rows, columns = (taps(*axis, layer.padding) for axis in axes)
        return rows * columns * layer.filters * shape_in[-1] // layer.groups
    if kind == "Dense":
        return shape_in[-1] * shape_out[-1]
    if kind == "GlobalAveragePooling2D":
        return int(np.prod(shape_in[1:]))
    return int(np.prod(shape_out))


def estimate(
    model: Any, rates: Mapping[str, float] = PAPER_RATES, window: float = WINDOW * DT
) -> dict[str, Any]:
    """Return what a model would take in spikes, from its layers' shapes alone.

    Parameters
    ----------
    model : tf.keras.Model
        As `convert.to_adaptive` takes it.
    rates : {str: float}
        Average firing rates in Hz, by names of one's own.
    window : float
        For which an image is shown, in seconds.

    Returns
    -------
    dict
        "parameters" of the model. "neurons". "synapses": places of weights, those of a convolution
        counted at every place. "memory", in bytes at single precision: "weights", shared as in
        convolutions; "states" of neurons and their filters for one image; "unshared", a weight for
        each synapse; "layerwise", the widest signal over the window. "at", for each name: "spikes"
        and "synaptic_operations" of an inference (`nengo_phasor.energy.synaptic_operations`), all
        neurons firing at the rate, and its "energy" in joules by device, without what a device
        has no figure for.
    """
    graph = keras_graph.pools_first(keras_graph.read(model))
    consumers = {name: [] for name in graph.steps}
    for name, step in graph.steps.items():
        for source in step.inputs:
            consumers[source].append(name)
    reach: dict[str, float] = {}
    for name in reversed(graph.steps):
        # How many ends, neurons or pooled places, a value at this layer's output gets to.
        size = _size(graph.steps[name].layer)
        ends = [
            size
            if graph.steps[c].kind in ("HalfSigmoid", *keras_graph.MAX_POOLS)
            else links(graph.steps[c].layer) * reach[c]
            for c in consumers[name]
        ]
        reach[name] = sum(ends) / size if ends else 1.0
    weighted = [s.layer for s in graph.steps.values() if s.kind in ("Conv2D", "Dense")]
    neurons = {n: _size(s.layer) for n, s in graph.steps.items() if s.kind == "HalfSigmoid"}
    pooled = sum(
        int(np.prod(s.layer.input_shape[1:]))
        for s in graph.steps.values()
        if s.kind in keras_graph.MAX_POOLS
    )
    n_neurons, synapses = sum(neurons.values()), sum(map(links, weighted))
    operations = sum(n * reach[name] for name, n in neurons.items())
    widest = max(_size(step.layer) for step in graph.steps.values())
    # A neuron's own, and one of its synapses' filter; two filters wherever activations are pooled.
    states = (len(AdaptiveSpiking.state) + 1) * n_neurons + 2 * pooled
    word, steps = 4, round(window / DT)

    def at(rate):
        costs = {
            "synapse": rate * window * operations,
            "update": (n_neurons + pooled) * steps,
        }
        return {
            "firing_rate": rate,
            "spikes": rate * window * n_neurons,
            "synaptic_operations": costs["synapse"],
            "energy": {
                name: energy.energy(costs, device).total for name, device in energy.DEVICES.items()
            },
        }

    return {
        "image": list(model.input_shape[1:]),
        "parameters": model.count_params(),
        "neurons": n_neurons,
        "synapses": synapses,
        "layers": neurons,
        "memory": {
            "weights": word * model.count_params(),
            "states": word * states,
            "unshared": word * synapses,
            "layerwise": word * steps * widest,
        },
        "analog_energy": {
            name: energy.energy({"mac": synapses}, device).total
            for name, device in energy.DEVICES.items()
            if device.mac is not None
        },
        "window": window,
        "at": {name: at(rate) for name, rate in rates.items()},
    }


def _size(layer: Any) -> int:
    """Return how many values a layer gives for an image."""
    shape = layer.output_shape
    return int(np.prod((shape[0] if isinstance(shape, list) else shape)[1:]))


# ------------------------------------------------------------------------------------- training


def measured(name, data, width, n, epochs, images, trials, seed, folder, resume) -> dict:
    """Train on ``n`` images of a data set, turn to spikes, measure and draw."""
    import adaptive_training as training

    loaded = datasets.load(name, data)
    x, y = common.subset(loaded.x_train, loaded.y_train, n, seed)
    shape = training.pixels(x[:1]).shape[1:]
    run = runs.trained(
        loaded,
        training.Parts(*datasets.split(x, y, VALIDATION, seed)),
        lambda dropout: keras_model(shape, len(loaded.classes), width),
        training.Recipe(epochs, learning_rate=5e-3, activity=0.3),
        seed,
        folder,
        resume,
        set=name,
        width=width,
        images=len(x),
    )
    title = f"Adaptive spiking neurons: {name}, ResNet-18 at {width} of its width"
    return runs.evaluated(run, common.compare, PRECISIONS, images, trials, seed, folder, title)


# --------------------------------------------------------------------------------- command line


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the network, or estimate what it takes."""


@main.command("estimate")
@click.option(
    "--size", default=224, type=COUNT, show_default=True, help="Height and width of the image."
)
@click.option("--channels", default=3, type=COUNT, show_default=True, help="Of the image.")
@click.option("--classes", default=1000, type=COUNT, show_default=True)
@click.option("--width", default=1.0, show_default=True, help="Fraction of ResNet-18's maps.")
def show_estimate(size, channels, classes, width):
    """Say what the network takes in spikes, without building it."""
    found = estimate(keras_model((size, size, channels), classes, width))
    for key in ("parameters", "neurons", "synapses"):
        click.echo(f"{key:28s} {found[key]:16,d}")
    for key, value in found["memory"].items():
        click.echo(f"{'memory, ' + key:28s} {value / 2**20:16,.1f} MiB")
    for name, point in found["at"].items():
        click.echo(f"{name}, {point['firing_rate']:g} Hz for {found['window']:g} s")
        for key in ("spikes", "synaptic_operations"):
            click.echo(f"  {key:26s} {point[key]:16,.0f}")
        for device, joules in point["energy"].items():
            click.echo(f"  {'energy, ' + device:26s} {1e3 * joules:16,.2f} mJ")


@main.command("results")
@runs.options(
    *runs.shown(500, 200),
    click.option("--width", default=0.125, show_default=True, help="Fraction of ResNet-18's maps."),
    click.option(
        "--training", default=10000, type=COUNT, show_default=True, help="Images, at random."
    ),
    click.option("--output", default="results/adaptive_resnet.json", show_default=True),
    sets=SETS,
    runs="runs/adaptive_resnet",
    epochs=5,
)
def make_results(
    name, data, width, training, epochs, images, trials, seed, folders, resume, output
):
    """Train on small data and measure; estimate ImageNet's size; write the quoted figures."""
    folder = folders / f"{name}-{width}-{seed}"
    found = measured(name, data, width, training, epochs, images, trials, seed, folder, resume)
    settings = {
        "set": name,
        "width": width,
        "training_images": training,
        "test_images": found["n_test"],
        "epochs": epochs,
        "window": WINDOW * DT,
        "precisions": PRECISIONS,
    }
    figures = {name: found, "imagenet_estimate": estimate(keras_model((224, 224, 3), 1000))}
    results.write(output, results.report(settings, [seed], figures, []))
    runs.echo_accuracies(found)


if __name__ == "__main__":
    main()

"""``nengo-phasor convert``: convert a trained network to spikes, and measure the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

import nengo_phasor
from nengo_phasor import compat, datasets, energy, metrics, phases, results
from nengo_phasor.cli.console import echo_table
from nengo_phasor.convert import keras_calls, to_adaptive, to_spiking
from nengo_phasor.convert.adaptive import Converted
from nengo_phasor.networks import PhasorDense, RandomProjection

click = compat.require("click")
tqdm = compat.require("tqdm").tqdm

SPARSIFIERS = {
    "arc": nengo_phasor.ArcSparsifier,
    "field": nengo_phasor.FieldSparsifier,
    "random": nengo_phasor.RandomSparsifier,
}


@click.group()
def convert():
    """Convert a trained network to spikes.

    \b
    nengo-phasor convert adaptive digits.keras --set mnist
    nengo-phasor convert phasor local_rhythms.npz --sparsifier arc

    Print the number of neurons and synapses, the accuracy, and the number of spikes, and write them
    as JSON with --output. In Python, nengo_phasor.convert returns the network itself:

    \b
    converted = nengo_phasor.convert.to_adaptive(keras_model)
    spiking, new = nengo_phasor.convert.to_spiking(phase_domain_network)
    """


def shared(command):
    """Add the options that both conversions have."""
    for option in (
        click.option(
            "--output",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write the measurements to this JSON file.",
        ),
        click.option("--data", type=click.Path(), help="Folder with the data set."),
        click.option(
            "--images",
            default=100,
            show_default=True,
            type=click.IntRange(1),
            help="Number of the first test items to run.",
        ),
    ):
        command = option(command)
    return command


def set_option(default: str | None):
    """Return the option that names the data set."""
    return click.option(
        "--set",
        "name",
        default=default,
        show_default=True,
        type=click.Choice(list(datasets.DATASETS)),
        help="Data set on which to measure the accuracy.",
    )


existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@convert.command("adaptive")
@click.argument("model", type=existing_file)
@click.option(
    "--m-f",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Coding precision; smaller values take more spikes.",
)
@click.option("--steps", default=500, show_default=True, type=click.IntRange(1), help="Of 1 ms.")
@set_option(None)
@shared
def convert_adaptive(model, m_f, steps, name, images, data, output):
    """Convert a Keras MODEL to adaptive spiking neurons.

    MODEL is a file written by save() of a model of Keras 2 or Keras 3 whose activations are ReLU,
    LeakyReLU or HalfSigmoid. Without --set, only the conversion is checked, with random inputs.
    Images are passed as values in [0, 1].

    \b
    nengo-phasor convert adaptive digits.keras --set mnist --m-f 0.2
    """
    trained = load_keras(model)
    converted = to_adaptive(trained)
    x, y = fitting_items(model, trained, name, data, images)
    found: dict[str, Any] = {
        "neurons": {name: layer.n_neurons for name, layer in converted.layers.items()},
        "synapses": energy.multiply_accumulates(converted.network),
        "rate network differs from Keras by": converted.verify(x[:16]),
    }
    if name:
        analog = trained.predict(x, verbose=0).argmax(axis=-1)
        found["accuracy of the Keras model"] = float(metrics.accuracy(analog, y))
        found |= run_adaptive(converted, x, y, m_f, steps)
    else:
        click.echo("Only the conversion was checked; use --set to run it in spikes.")
    settings = {"model": model.name, "m_f": m_f, "steps": steps, "set": name, "items": len(x)}
    report(found, settings, output)


def load_keras(path: Path):
    """Return the model of a file, which Keras 2 or Keras 3 has written."""
    try:
        return keras_calls.load(path)
    except ValidationError as error:
        raise click.ClickException(str(error)) from error


def fitting_items(path: Path, trained, name: str | None, folder: str | None, n: int):
    """Return items in the shape of the model's input, and their classes; random without a set."""
    shape = tuple(trained.input_shape[1:])
    if name is None:
        x, y = np.random.default_rng(0).random((16, *shape)), np.zeros(16, int)
    else:
        x, y = first_items(name, folder, n)
        if np.size(x[0]) != np.prod(shape):
            raise click.ClickException(f"{path} takes {shape}; {name} has items of {x.shape[1:]}")
        check_classes(path, int(np.prod(trained.output_shape[1:])), name)
    return x.reshape(len(x), *shape).astype(np.float32), y


def run_adaptive(converted: Converted, x, y, m_f: float, steps: int) -> dict[str, float]:
    """Return accuracy and firing rate of a converted model in spikes."""
    converted.set_precision(m_f)
    layers = list(converted.layers.values())
    with converted.network:
        probes = [nengo.Probe(layer.neurons) for layer in layers]
    right: list[bool] = []
    spikes = 0.0
    with nengo_phasor.layerwise.Simulator(
        converted.network, dtype="float32", progress_bar=False
    ) as sim:
        for part in chunks(len(x)):
            seen = sim.predict({converted.input: x[part].reshape(-1, 1, x[0].size)}, steps)
            right.extend(seen[converted.output][:, -1].argmax(axis=-1) == y[part])
            spikes += sum(np.count_nonzero(seen[probe]) for probe in probes)
        n_neurons = sum(layer.n_neurons for layer in layers)
        return {
            "accuracy in spikes": float(np.mean(right)),
            "firing rate (Hz)": float(spikes / (len(x) * n_neurons * steps * sim.dt)),
        }


@convert.command("phasor")
@click.argument("params", type=existing_file)
@click.option("--sparsifier", type=click.Choice(list(SPARSIFIERS)), help="After each layer.")
@click.option(
    "--strength", type=click.FloatRange(0, 1), help="Strength of the sparsifier; 0.1 by default."
)
@click.option(
    "--cycles", default=8, show_default=True, type=click.IntRange(1), help="Number of cycles."
)
@set_option("fashion_mnist")
@shared
def convert_phasor(params, sparsifier, strength, cycles, name, images, data, output):
    """Convert a phasor network to resonate-and-fire neurons.

    PARAMS is an npz file with a classifier's weights_0, bias_0, weights_1, ... and the seed and
    spread of the random projection from pixels to phases, like the package's file
    models/params/local_rhythms.npz. Receivers assume that a spike dropped by the sparsifier was at
    the reference.

    \b
    nengo-phasor convert phasor local_rhythms.npz --sparsifier arc --strength 0.1
    """
    if strength is not None and not sparsifier:
        raise click.UsageError("--strength needs --sparsifier")
    arrays = datasets.load_params(params, ("weights_0", "bias_0", "seed", "spread"))
    network, probes = phasor_network(params, arrays)
    check_classes(params, probes[-1].size_in // 2, name)
    x, y = first_items(name, data, images)
    project = RandomProjection(
        np.size(x[0]), network.input.size_out // 2, float(arrays["spread"]), int(arrays["seed"])
    )
    x = project.encode(x.reshape(len(x), -1).astype(np.float32))
    synapse = SPARSIFIERS[sparsifier](0.1 if strength is None else strength) if sparsifier else None
    twins = {"dense": to_spiking(network)}
    if sparsifier:
        twins[sparsifier] = to_spiking(network, None, synapse, assume_reference=True)
    found: dict[str, Any] = {
        "neurons": [probe.size_in // 2 for probe in probes],
        "synapses": sum(v.size for k, v in arrays.items() if k.startswith("weights_")),
        "accuracy in the phase domain": in_the_phase_domain(network, probes[-1], x, y),
    }
    for label, (twin, new) in twins.items():
        accuracy, spikes = in_spikes(
            twin, new[network.input], [new[p] for p in probes], x, y, cycles
        )
        found[f"accuracy in spikes, {label}"] = accuracy
        found[f"spikes per item, {label}"] = spikes
    settings = {"params": params.name, "sparsifier": str(synapse), "cycles": cycles}
    report(found, {**settings, "set": name, "items": len(x)}, output)


def in_the_phase_domain(network: nengo.Network, output: nengo.Probe, x, y) -> float:
    """Return the accuracy of a phasor network."""
    with nengo_phasor.layerwise.Simulator(network, progress_bar=False) as sim:
        rows = sim.predict({network.input: phases.to_rows(x)[:, None]})[output][:, 0]
    decoded = phases.from_complex(phases.from_rows(rows))
    return float(metrics.accuracy(metrics.phase_class(decoded), y))


def in_spikes(
    twin: nengo.Network, source: nengo.Node, probes: list[nengo.Probe], x, y, cycles: int
) -> tuple[float, float]:
    """Return the accuracy of a spiking network in the last cycle, and its spikes per item."""
    frequency = nengo_phasor.ResonateAndFire().frequency
    right: list[bool] = []
    spikes = 0.0
    with nengo_phasor.layerwise.Simulator(twin, dtype="float32", progress_bar=False) as sim:
        n_steps = round(cycles * phases.steps_per_cycle(frequency, sim.dt))
        for part in chunks(len(x)):
            seen = sim.predict({source: x[part, None]}, n_steps)
            last = phases.from_raster(seen[probes[-1]], frequency, sim.dt, cycles)[:, -1]
            right.extend(metrics.phase_class(last) == y[part])
            spikes += sum(metrics.spike_counts(seen[probe], sim.dt).sum() for probe in probes)
    return float(np.mean(right)), spikes / len(x)


def phasor_network(
    path: Path, arrays: Mapping[str, np.ndarray]
) -> tuple[nengo.Network, list[nengo.Probe]]:
    """Return fully connected layers of phasors with a file's weights, and a probe of each layer.

    Raises
    ------
    click.ClickException
        If the arrays are not weights of this form.
    """
    depth = sum(name.startswith("weights_") for name in arrays)
    n_in = None
    for k in range(depth):
        weights, bias = (np.shape(arrays.get(f"{name}_{k}", 0)) for name in ("weights", "bias"))
        if len(weights) != 2 or n_in not in (None, weights[0]) or bias[-1:] != weights[1:]:
            raise click.ClickException(
                f"{path}: weights_{k} has shape {weights}, bias_{k} {bias}; they need ("
                f"{n_in or 'inputs'}, units) and (units,)"
            )
        n_in = weights[1]
    with nengo.Network() as network:
        layers = []
        for k in range(depth):
            weights, bias = arrays[f"weights_{k}"], arrays[f"bias_{k}"]
            n_in, n_out = weights.shape
            layers.append(PhasorDense(n_in, n_out, weights, bias))
        network.input = nengo.Node(np.zeros(layers[0].input.size_in))
        nengo.Connection(network.input, layers[0].input, synapse=None)
        for pre, post in pairwise(layers):
            nengo.Connection(pre.output, post.input, synapse=None)
        return network, [nengo.Probe(layer.output) for layer in layers]


def check_classes(path: Path, n_outputs: int, name: str) -> None:
    """Raise a `click.ClickException` if a network does not have the classes of a data set."""
    n_classes = len(datasets.DATASETS[name].classes)
    if n_outputs != n_classes:
        raise click.ClickException(
            f"{path} has {n_outputs} outputs, but {name} has {n_classes} classes: choose the --set "
            "that it was trained on"
        )


def first_items(name: str, folder: str | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first test items of a data set, scaled to [0, 1] if bytes, and their classes."""
    data = datasets.load(name, folder)
    x, y = (data.x_test, data.y_test) if len(data.x_test) else (data.x_train, data.y_train)
    return (x[:n] / 255 if x.dtype == np.uint8 else x[:n]), y[:n]


def chunks(n: int, size: int = 50) -> Iterator[slice]:
    """Yield the slices of n items that run together, and show the progress."""
    for start in tqdm(range(0, n, size), desc=f"in spikes, by {size}", unit="part"):
        yield slice(start, start + size)


def report(found: Mapping[str, Any], settings: Mapping[str, Any], output: Path | None) -> None:
    """Print the measurements; write them in the form of results files."""
    echo_table(
        (name, f"{value:.6g}" if isinstance(value, float) else str(value))
        for name, value in found.items()
    )
    if output:
        results.write(output, results.report(settings, [], found, []))
        click.echo(f"wrote {output}")

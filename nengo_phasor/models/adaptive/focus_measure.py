"""A network that codes precisely where the object is, beside precise and coarse ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import nengo
import numpy as np

from nengo_phasor import compat, convert, metrics, results
from nengo_phasor.arousal import Focus
from nengo_phasor.models.adaptive.data import pixels, subset
from nengo_phasor.models.adaptive.runs import Trained
from nengo_phasor.models.adaptive.spiking import DT

LOOK = 60
"""The number of steps at low precision in which the place is found."""

WINDOW = 300
"""The number of steps for which an image is shown after that."""

SEEN_BY = "conv1a"
"""The layer whose spikes tell the place; it has the largest maps after the pixels."""

CHUNK = 25
"""The number of images that run together."""


SIZE = 0.5
"""The height and width of the window, as a fraction of the image's: those of a garment."""

PAIRS = ((0.4, 0.1), (0.6, 0.1), (0.6, 0.2), (0.8, 0.2))
"""The pairs of precisions, around and in the window, to choose from."""

LOST = 0.005
"""The accuracy that focus may lose on validation images, compared with the precise network."""


def run(converted: Any, x: np.ndarray, n_steps: int, *counted: str) -> tuple[np.ndarray, ...]:
    """Run images in spikes, at the precision that is set.

    Returns
    -------
    (n_items, n_classes) ndarray
        The read-out in the last step.
    (n_items,) ndarray
        The number of spikes.
    (n_items, n_neurons) ndarrays
        The number of spikes of each neuron of the ``counted`` layers.
    """
    from nengo_phasor import layerwise

    tqdm, network = compat.require("tqdm").tqdm, converted.copy()
    with network:
        probes = {name: nengo.Probe(e.neurons) for name, e in network.layers.items()}
    done = []
    with layerwise.Simulator(network, dt=DT, dtype="float32", progress_bar=False) as sim:
        for start in tqdm(range(0, len(x), CHUNK), desc=precisions(network), disable=None):
            part = x[start : start + CHUNK].reshape(-1, 1, network.input.size_out)
            seen = sim.predict({network.input: part}, n_steps)
            counts = {n: np.count_nonzero(seen[probe], axis=1) for n, probe in probes.items()}
            total = sum(each.sum(axis=1) for each in counts.values())
            done.append((seen[network.output][:, -1], total, *(counts[n] for n in counted)))
    return tuple(map(np.concatenate, zip(*done, strict=True)))


def precisions(network: nengo.Network) -> str:
    """Return a network's values of m_f in words."""
    values = sorted({e.neuron_type.m_f for e in network.layers.values()})
    return f"m_f {' and '.join(f'{m_f:g}' for m_f in values)}"


def places(converted: Any, focus: Focus, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each image, an index into ``focus.places``, and the spikes to find it."""
    converted.set_precision(focus.low)
    _, spikes, counts = run(converted, x, LOOK, SEEN_BY)
    shape = converted.network.shapes[SEEN_BY]
    return focus.chosen(counts.reshape(-1, *shape)), spikes


def focused(
    converted: Any, focus: Focus, x: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the outputs and the number of spikes of images, each in the network of its place."""
    outputs = np.empty((len(x), converted.output.size_in))
    spikes = np.empty(len(x))
    for k in np.unique(chosen):
        here = chosen == k
        network = converted.focused(focus, focus.places[k])
        outputs[here], spikes[here] = run(network, x[here], WINDOW)
    return outputs, spikes


def whole(
    converted: Any, x: np.ndarray, m_fs: Iterable[float]
) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Return the outputs and the number of spikes of images at each of some precisions."""
    found = {}
    for m_f in sorted(set(m_fs)):
        converted.set_precision(m_f)
        found[m_f] = run(converted, x, WINDOW)
    return found


def measure(
    converted: Any,
    focus: Focus,
    x: np.ndarray,
    y: np.ndarray,
    seed: int,
    everywhere: Mapping[float, tuple[np.ndarray, np.ndarray]],
) -> dict[str, Any]:
    """Compare ways to run images: precise, coarse, with focus, and with focus at random places.

    Parameters
    ----------
    converted : nengo_phasor.convert.Converted
        The network.
    focus : nengo_phasor.arousal.Focus
        The precisions and the window.
    x, y : ndarray
        Images in the model's form, and their classes.
    seed : int
        The seed of the random places.
    everywhere : {float: (ndarray, ndarray)}
        What `whole` returns for both precisions.

    Returns
    -------
    dict
        The "accuracy", the "spikes" of an image and the "firing_rate" of each way. The spikes with
        which the place is found are counted.
    """
    neurons = sum(e.n_neurons for e in converted.layers.values())
    chosen, looked = places(converted, focus, x)
    anywhere = np.random.RandomState(seed).randint(len(focus.places), size=len(x))
    found = {"precise": everywhere[focus.high], "coarse": everywhere[focus.low]}
    for name, where, before in (("focus", chosen, looked), ("random focus", anywhere, 0)):
        outputs, spikes = focused(converted, focus, x, where)
        found[name] = outputs, spikes + before
    return {
        name: {
            "accuracy": float(metrics.accuracy(outputs.argmax(axis=-1), y)),
            "spikes": float(spikes.mean()),
            "firing_rate": metrics.firing_rate(spikes, neurons, WINDOW * DT),
        }
        for name, (outputs, spikes) in found.items()
    }


def compare(run: Trained, images: int | None, trials: int, seed: int) -> dict[str, Any]:
    """Choose the precisions on validation images; compare the ways to run test images.

    Of the pairs of precisions with which focus loses at most `LOST`, the one with the fewest spikes
    is chosen, or if there is none, the most accurate one.

    Parameters
    ----------
    run : Trained
        The network and its data.
    images, trials : int or None
        The numbers of test and validation images to show; None means all.
    seed : int
        The seed of the images' choice, and of random places.
    """
    from nengo_phasor.models.adaptive.training import logits

    converted = convert.to_adaptive(run.model)
    parts, data = run.parts, run.data
    x, y = subset(parts.x_validation, parts.y_validation, trials, seed)
    seen = whole(converted, pixels(x), np.ravel(PAIRS).tolist())
    tried = {
        pair: measure(converted, Focus(*pair, SIZE), pixels(x), y, seed, seen) for pair in PAIRS
    }
    good = {
        pair: found
        for pair, found in tried.items()
        if found["precise"]["accuracy"] - found["focus"]["accuracy"] <= LOST
    }
    if good:
        pair = min(good, key=lambda pair: good[pair]["focus"]["spikes"])
    else:
        pair = max(tried, key=lambda pair: tried[pair]["focus"]["accuracy"])
    x, y = subset(data.x_test, data.y_test, images, seed)
    seen = whole(converted, pixels(x), pair)
    right = np.mean(logits(run.model, x).argmax(axis=-1) == y)
    return {
        "low": pair[0],
        "high": pair[1],
        "analog": {"accuracy": float(right)},
        **measure(converted, Focus(*pair, SIZE), pixels(x), y, seed, seen),
        "validation": [{"low": a, "high": b, **found} for (a, b), found in tried.items()],
    }


def claims(found: dict[str, Any]) -> list[results.Claim]:
    """Return the claims about focus, beside precise coding of the whole image."""
    precise, focus, anywhere = (found[name] for name in ("precise", "focus", "random focus"))
    lost = 100 * (precise["accuracy"] - focus["accuracy"])
    gained = 100 * (focus["accuracy"] - anywhere["accuracy"])
    spikes = focus["spikes"] / precise["spikes"]
    return [
        results.Claim("accuracy lost with focus", lost, "points", "<= 1"),
        results.Claim("spikes with focus, relative to without", spikes, "", "<= 0.75"),
        results.Claim("accuracy beyond that of random places", gained, "points", ">= 1"),
    ]

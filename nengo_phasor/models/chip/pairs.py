"""The networks that run on both substrates, with their inputs, outputs and decoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nengo
import numpy as np

from nengo_phasor import AdaptiveSpiking, ArcSparsifier, ResonateAndFire, convert, metrics, phases
from nengo_phasor.models import PARAMS as COMMITTED
from nengo_phasor.models.adaptive.spiking import WINDOW
from nengo_phasor.models.adaptive.stack import Layout, keras_model
from nengo_phasor.models.rhythms import network as rhythms

SETS = ("rhythms", "adaptive")
"""The names of the phasor classifier of garments and the adaptive classifier of digits."""

DT = 0.001
LAYOUT = Layout((), (128,))
M_F = 0.1
"""The coding precision of the adaptive classifier."""

PARAMS = COMMITTED / "on_chip_adaptive.npz"


@dataclass
class Pair:
    """A network to run on both substrates.

    Attributes
    ----------
    network : nengo.Network
        The network.
    source : nengo.Node
        The node that takes the data of the images.
    hidden, output : nengo.Probe
        The probes of the hidden neurons' spikes and of the output that is decoded.
    n_steps : int
        The number of steps for which an item is shown.
    classes : callable
        A function from outputs, (n_items, n_steps, n), to classes.
    frequency : float or None
        The frequency of the rhythm in Hz, or None without a rhythm.
    arc : float
        The strength of the sparsifier behind the hidden neurons; 0 means no sparsifier.
    """

    network: nengo.Network
    source: nengo.Node
    hidden: nengo.Probe
    output: nengo.Probe
    n_steps: int
    classes: Callable[[np.ndarray], np.ndarray]
    frequency: float | None = None
    arc: float = 0.0


def rhythm_pair(params: Mapping[str, np.ndarray], arc: float = 0.0) -> Pair:
    """Return the spiking local-rhythms network, sparsified by arc; its input is phases."""
    old = rhythms.phase_network(params)
    sparsifier = ArcSparsifier(arc, rhythms.FREQUENCY) if arc else None
    twin, new = convert.to_spiking(old, ResonateAndFire(rhythms.FREQUENCY), sparsifier, bool(arc))
    hidden, _ = old.classifier.layers
    with twin:
        spikes = nengo.Probe(new[hidden.units].neurons)
    n_steps = round(rhythms.CYCLES / (rhythms.FREQUENCY * DT))
    return Pair(
        twin,
        new[old.input],
        spikes,
        new[old.output],
        n_steps,
        phase_classes,
        rhythms.FREQUENCY,
        arc,
    )


def phase_classes(output: np.ndarray) -> np.ndarray:
    """Return the classes of output spikes in the decoded cycle."""
    decoded = phases.from_raster(output, rhythms.FREQUENCY, DT, rhythms.CYCLES, missing=0.0)
    return metrics.phase_class(decoded[..., rhythms.CYCLE, :])


def adaptive_pair(params: Path = PARAMS) -> Pair:
    """Return the adaptive classifier; its input is pixels, which are encoded on the host."""
    import nengo_loihi

    from nengo_phasor.models.adaptive import training

    model = keras_model(LAYOUT)
    training.load_weights(params, model)
    converted = convert.to_adaptive(model, AdaptiveSpiking(M_F))
    network = converted.network
    nengo_loihi.add_params(network)
    network.config[converted.layers["pixels"]].on_chip = False
    with network:
        hidden = nengo.Probe(converted.layers["dense1"].neurons)
    return Pair(
        network,
        converted.input,
        hidden,
        converted.output,
        WINDOW,
        lambda output: output[:, -1].argmax(axis=-1),
    )

"""A classifier that learns which of its spikes to leave out: its network, and its training.

There is a cost of each hidden spike outside an arc around the reference (Allred et al. 2020 make a
network pay for its spikes; here it pays for those that a sparsifier would not leave out). In
training each layer hears what it will hear in spikes: the reference in place of a spike within the
arc, and inputs as loud as they are in some cycle after they began.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import nengo
import numpy as np

from nengo_phasor import ResonateAndFire, schedules
from nengo_phasor.models import PARAMS as COMMITTED
from nengo_phasor.models.rhythms import fit, training
from nengo_phasor.models.rhythms.network import CYCLES, FREQUENCY, SIZES, classifier, layer_params

TAU = ResonateAndFire(FREQUENCY).tau * FREQUENCY
"""Of the spiking neurons, in cycles."""

PARAMS = COMMITTED / "phase_sparsity.npz"


@dataclass(frozen=True, kw_only=True)
class Recipe(training.Recipe):
    """How a network is trained: beside `.training.Recipe`, what spikes cost.

    ``sigma_0`` is the final weight of the share of spikes outside ``arc`` in the loss, to which it
    grows linearly over the epochs; ``width`` is that of the arc's border
    (see `nengo_phasor.dl.losses.SpikesOutsideArc`).
    """

    sigma_0: float
    arc: float = 0.15
    width: float = 0.3


SPARSE = Recipe(
    optimizer="Adam",
    learning_rate=1e-3,
    decay=True,
    batches=20 * 468,
    spread=0.5,
    gain=0.5,
    pull=0.0,
    sigma_0=0.3,
)
RECIPES = {"sparse": SPARSE, "sparser": replace(SPARSE, sigma_0=1.5)}


def loudness(xp, phase, cycle, tau: float):
    r"""Return how loud a resonating neuron hears spikes at its reference, in a cycle.

    Their part of its state, beside that of as many spikes at the reference itself:

    .. math:: e^{-a/\tau} \frac{1 - e^{-n/\tau}}{1 - e^{-(m + 1)/\tau}}

    for the n spikes that have come by then, the last of them :math:`a = (-p/2) \bmod 1` cycles
    ago, if spikes of phase p come from the first cycle on: m + 1 of those before the reference, m
    of those after it.

    Parameters
    ----------
    xp
        The array library: ``numpy`` or ``tensorflow``.
    phase : array
        In units of pi, in [-1, 1).
    cycle : array
        Number of the cycle m, the first being 0.
    tau : float
        Of the neuron, in cycles.
    """
    one_less = (1.0 - xp.exp(-cycle / tau)) / (1.0 - xp.exp(-(cycle + 1.0) / tau))
    later = one_less * np.exp(-1.0 / tau)
    return xp.exp(0.5 * phase / tau) * xp.where(phase > 0, later, xp.ones_like(later))


def received(rows, arc: float):
    """Return what a receiver takes a layer's phasors for: the reference, for those in the arc.

    The gradient passes as if nothing were left out.
    """
    import tensorflow as tf

    real, imag = tf.split(rows, 2, axis=-1)
    inside = real > np.cos(np.pi * arc)
    heard = tf.concat(
        [tf.where(inside, tf.ones_like(real), real), tf.where(inside, tf.zeros_like(imag), imag)],
        axis=-1,
    )
    return rows + tf.stop_gradient(heard - rows)


def heard_inputs(values):
    """Return the phasors of inputs, as rows, as loud as they are at the reference of a cycle.

    ``values`` are phases and, in the last column, the number of the cycle.
    """
    import tensorflow as tf

    phase, cycle = values[:, :-1], values[:, -1:]
    loud = loudness(tf, phase, cycle, TAU)
    return tf.concat([loud * tf.cos(np.pi * phase), loud * tf.sin(np.pi * phase)], axis=-1)


def training_network(recipe: Recipe, seed: int) -> nengo.Network:
    """Return the network in the phase domain, its layers hearing what they will hear in spikes.

    ``input`` takes phases and a cycle; see `heard_inputs`.
    """
    import nengo_dl

    with nengo.Network(label="phase sparsity", seed=seed) as net:
        net.input = nengo.Node(np.zeros(SIZES[0] + 1), label="phases and cycle")
        net.classifier = classifier(gain=recipe.gain)
        hidden, output = net.classifier.layers
        (wire,) = (c for c in net.classifier.connections if c.post is output.input)
        net.classifier.connections.remove(wire)
        for pre, heard, post in (
            (net.input, heard_inputs, hidden.input),
            (hidden.output, partial(received, arc=recipe.arc), output.input),
        ):
            listener = nengo_dl.TensorNode(heard, shape_in=(pre.size_out,), pass_time=False)
            nengo.Connection(pre, listener, synapse=None)
            nengo.Connection(listener, post, synapse=None)
        net.hidden = nengo.Probe(hidden.output, label="hidden")
        net.output = nengo.Probe(output.output, label="output")
    return net


def train(
    recipe: Recipe, seed: int, x: np.ndarray, y: np.ndarray, folder: Path
) -> tuple[dict, dict[str, np.ndarray]]:
    """Train in NengoDL; return the parameters, and losses by epoch. ``x`` are phases."""
    from nengo_phasor.dl import callbacks, losses

    def inputs(items, epoch):
        cycle = np.random.RandomState((seed, epoch, 1)).randint(CYCLES, size=(len(items), 1))
        return np.concatenate([x[items], cycle.astype(x.dtype)], axis=-1)

    net = training_network(recipe, seed)
    cost = losses.SpikesOutsideArc(recipe.arc, recipe.width)
    n_epochs = -(-recipe.batches // (len(y) // recipe.batch_size))
    schedule = schedules.Linear(recipe.sigma_0, n_epochs)
    objective = {
        "loss": {net.output: losses.PhaseCosine(), net.hidden: cost},
        "metrics": {net.hidden: cost.share},
    }
    paying = callbacks.SparsitySchedule(schedule, cost)
    history = fit.fit(net, recipe, seed, inputs, y, objective, folder, callbacks=[paying])
    return layer_params(net), history

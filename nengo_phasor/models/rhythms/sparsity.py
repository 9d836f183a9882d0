"""A classifier that learns which of its spikes to drop: its network, and its training.

The loss includes a cost of each hidden spike outside an arc around the reference. (Allred et al.
2020 include a cost of every spike; here only spikes that a sparsifier would not drop have a cost.)
In training, each layer receives the input that it has in the spiking network: the reference instead
of a spike within the arc, and inputs weighted as in some cycle after their onset.
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
"""The time constant of the spiking neurons, in cycles."""

PARAMS = COMMITTED / "phase_sparsity.npz"


@dataclass(frozen=True, kw_only=True)
class Recipe(training.Recipe):
    """How a network is trained: `.training.Recipe`, and the cost of spikes.

    The weight of the fraction of spikes outside ``arc`` in the loss grows linearly over the epochs,
    up to ``sigma_0``. ``width`` is the width of the arc's border (see
    `nengo_phasor.dl.losses.SpikesOutsideArc`).
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
RHYTHMIC = replace(SPARSE, sigma_0=0.6)
"""For networks that will follow their own rhythm, whose unit's spikes count as well."""


def input_weight(xp, phase, cycle, tau: float):
    r"""Return the weight of input spikes in a resonating neuron at the reference of a cycle.

    This is the amplitude that the spikes contribute to its state, relative to that of spikes at the
    reference in every cycle so far:

    .. math:: e^{-a/\tau} \frac{1 - e^{-n/\tau}}{1 - e^{-(m + 1)/\tau}}

    Spikes of phase p come from the first cycle on. By the reference of cycle m, n of them have
    arrived, the last one :math:`a = (-p/2) \bmod 1` cycles ago: n = m + 1 if they come before the
    reference, and n = m if they come after it.

    Parameters
    ----------
    xp
        The array library: ``numpy`` or ``tensorflow``.
    phase : array
        The phases p of the spikes, in [-1, 1), in units of pi.
    cycle : array
        The number m of the cycle, counted from 0.
    tau : float
        The time constant of the neuron, in cycles.
    """
    one_less = (1.0 - xp.exp(-cycle / tau)) / (1.0 - xp.exp(-(cycle + 1.0) / tau))
    later = one_less * np.exp(-1.0 / tau)
    return xp.exp(0.5 * phase / tau) * xp.where(phase > 0, later, xp.ones_like(later))


def received(rows, arc: float):
    """Return a layer's phasors as its receiver assumes them: those in the arc are the reference.

    The gradient passes as if no spike were dropped.
    """
    import tensorflow as tf

    real, imag = tf.split(rows, 2, axis=-1)
    inside = real > np.cos(np.pi * arc)
    assumed = tf.concat(
        [tf.where(inside, tf.ones_like(real), real), tf.where(inside, tf.zeros_like(imag), imag)],
        axis=-1,
    )
    return rows + tf.stop_gradient(assumed - rows)


def weighted_inputs(values):
    """Return the phasors of inputs as rows, weighted as they are at the reference of a cycle.

    The last column of ``values`` is the number of the cycle, and the others are phases.
    """
    import tensorflow as tf

    phase, cycle = values[:, :-1], values[:, -1:]
    weight = input_weight(tf, phase, cycle, TAU)
    return tf.concat([weight * tf.cos(np.pi * phase), weight * tf.sin(np.pi * phase)], axis=-1)


def training_network(recipe: Recipe, seed: int) -> nengo.Network:
    """Return the phase-domain network whose layers receive the same input as in spikes.

    ``input`` takes phases and a cycle; see `weighted_inputs`.
    """
    import nengo_dl

    with nengo.Network(label="phase sparsity", seed=seed) as net:
        net.input = nengo.Node(np.zeros(SIZES[0] + 1), label="phases and cycle")
        net.classifier = classifier(gain=recipe.gain)
        hidden, output = net.classifier.layers
        (wire,) = (c for c in net.classifier.connections if c.post is output.input)
        net.classifier.connections.remove(wire)
        for pre, function, post in (
            (net.input, weighted_inputs, hidden.input),
            (hidden.output, partial(received, arc=recipe.arc), output.input),
        ):
            receiver = nengo_dl.TensorNode(function, shape_in=(pre.size_out,), pass_time=False)
            nengo.Connection(pre, receiver, synapse=None)
            nengo.Connection(receiver, post, synapse=None)
        net.hidden = nengo.Probe(hidden.output, label="hidden")
        net.output = nengo.Probe(output.output, label="output")
    return net


def train(
    recipe: Recipe, seed: int, x: np.ndarray, y: np.ndarray, folder: Path
) -> tuple[dict, dict[str, np.ndarray]]:
    """Train with NengoDL on phases x and labels y; return the parameters and losses by epoch."""
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

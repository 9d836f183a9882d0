"""Residual blocks of phasors, in the phase domain: `PhasorResidual`."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_phasor.checks import check_number, check_positive_integer
from nengo_phasor.networks.phasor import PhasorDense, keep_biases, real_weights
from nengo_phasor.neurons import BindingPhasor


class PhasorResidual(nengo.Network):
    r"""Two layers of phasors with a skip connection, for deep networks.

    .. math:: h = \langle W_1^T x + b_1 \rangle, \quad g = W_2^T h, \quad
              \langle z \rangle = z / |z|

    The block joins its input x with g in one of three ways:

    - ``"bundling"``, a sum of phasors: :math:`y = \langle s x + g + b_2 \rangle`.
    - ``"binding"``, a sum of phases: :math:`y = x \langle \alpha g + b_2 \rangle`. The product of
      unit phasors turns x by the phase of the second factor, which is small while the scale
      :math:`\alpha` is, as the bias b_2 is 1 at first.
    - ``None``, no skip connection, as a control: :math:`y = \langle g + b_2 \rangle`.

    All weights are real, and all of them learn, including s and :math:`\alpha`. A small
    disturbance hardly grows from block to block with either skip connection, but does without.
    `.convert.to_spiking` turns the block into spikes: bundling is one more connection, and binding
    is done by `.BindingResonator` neurons.

    Parameters
    ----------
    size : int
        The number of phasors of the input and of the output.
    hidden : int, optional
        The number of phasors of the hidden layer. By default ``2 * size``.
    join : "bundling", "binding" or None
        The way in which the input is joined with the output of the two layers.
    skip : float
        The weight s of the input in a bundle, at first.
    scale : float
        The scale alpha before binding, at first. At 0 the block outputs its input.
    label, seed
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        The input, which takes 2 size values: real parts, then imaginary parts.
    hidden : PhasorDense
        The first layer.
    units : nengo.Ensemble
        The neurons of the second layer: 2 size `.Phasor` neurons, or 6 size `.BindingPhasor`
        neurons, whose y is the second factor.
    weights, bias : nengo.Connection
        The connections with the weights W_2 and the biases b_2.
    skip, scale : nengo.Connection or None
        The connections with the weights s and alpha.
    output : nengo.ensemble.Neurons or nengo.Node
        The 2 size outputs.

    Raises
    ------
    nengo.exceptions.ValidationError
        If a size is not a positive integer, join is unknown, or skip or scale is not a number of
        at least 0.

    References
    ----------
    Olin-Ammentorp and Bazhenov, Residual and Attentional Architectures for Vector-Symbols. There,
    alpha multiplies the phase of a whole layer (as Bachlechner et al., ReZero is All You Need,
    2021, multiply activations), which spikes cannot do. Here it multiplies the weights. For alpha
    = 0 and alpha = 1 this is the same.
    """

    def __init__(
        self,
        size: int,
        hidden: int | None = None,
        join: str | None = "bundling",
        skip: float = 3.0,
        scale: float = 0.1,
        label: str | None = None,
        seed: int | None = None,
    ):
        super().__init__(label=label or f"phasor residual {size}", seed=seed)
        check_positive_integer(size, "size", self)
        hidden = 2 * size if hidden is None else hidden
        check_positive_integer(hidden, "hidden", self)
        check_number(skip, "skip", self, low=0)
        check_number(scale, "scale", self, low=0)
        if not isinstance(join, str | None) or join not in JOINS:
            raise ValidationError(
                f"must be one of {', '.join(map(repr, JOINS))}, got {join!r}", "join", self
            )
        self.skip = self.scale = None
        with self:
            keep_biases(self)
            self.input = nengo.Node(size_in=2 * size, label="input")
            self.hidden = PhasorDense(size, hidden, label="hidden")
            nengo.Connection(self.input, self.hidden.input, synapse=None)
            JOINS[join](self, size, hidden, skip, scale)

    def _plain(self, size, hidden, skip, scale):
        """Add a second layer."""
        layer = PhasorDense(hidden, size, label="joined")
        nengo.Connection(self.hidden.output, layer.input, synapse=None)
        self.units, self.weights, self.bias = layer.units, layer.weights, layer.bias
        self.output = layer.output

    def _bundling(self, size, hidden, skip, scale):
        """Add a second layer that also receives the input."""
        self._plain(size, hidden, skip, scale)
        self.skip = nengo.Connection(
            self.input, self.units.neurons, transform=float(skip), synapse=None
        )

    def _binding(self, size, hidden, skip, scale):
        """Add a second layer that turns the input, and a relay of its output."""
        rows = np.arange(6 * size).reshape(2, 3, size)
        self.units = nengo.Ensemble(6 * size, 1, neuron_type=BindingPhasor(), label="joined")
        x, y, r = (self.units.neurons[rows[:, k].ravel()] for k in range(3))
        branch = nengo.Node(size_in=2 * size, label="branch")
        reference = nengo.Node([1.0, 0.0], label="reference")
        self.output = nengo.Node(size_in=2 * size, label="output")
        self.weights, self.scale, self.bias, *_ = (
            nengo.Connection(pre, post, transform=transform, synapse=None)
            for pre, post, transform in (
                (self.hidden.output, branch, real_weights(hidden, size)),
                (branch, y, float(scale)),
                (reference, y, real_weights(1, size, np.ones((1, size)))),
                (reference[np.repeat([0, 1], size)], r, None),
                (self.input, x, None),
                (x, self.output, None),
            )
        )


JOINS = {
    "bundling": PhasorResidual._bundling,
    "binding": PhasorResidual._binding,
    None: PhasorResidual._plain,
}
"""How a block joins its input with the output of its layers."""

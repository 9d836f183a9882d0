"""Attention between symbols of phasors, in the phase domain: `PhasorAttention`."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor.checks import check_memory, check_positive_integer
from nengo_phasor.networks.phasor import keep_biases
from nengo_phasor.networks.phasor_conv import PhasorConv
from nengo_phasor.neurons import AttendingPhasor


class PhasorAttention(nengo.Network):
    r"""Attention between symbols: each output is a sum of all values, weighted by similarity.

    .. math:: y_i = \left\langle \sum_j a_{ij} e^{i \pi v_j} \right\rangle, \quad
              s_{ij} = \frac{1}{d} \sum_k \cos \pi (q_{ik} - k_{jk}), \quad
              \langle z \rangle = z / |z|

    The input is n symbols, such as the rows of an image, each a vector of phases. Three
    `PhasorConv` layers, which all symbols share, turn each symbol into a query q, a key k and a
    value v, each of d phases. The weights are :math:`a_{ij} = s_{ij}`, or
    :math:`a_{ij} = \exp(\beta s_{ij}) / m` with beta, where m is the number of keys. With
    ``n_context``, keys and values come from the m symbols of a second input (cross-attention).

    `.convert.to_spiking` turns the block into spikes, with `.AttendingResonator` neurons.

    Parameters
    ----------
    n_symbols : int
        The number n of symbols of the input.
    size_in : int
        The number of phases of each symbol of the input.
    size_out : int, optional
        The number d of phases of each query, key, value and output. By default ``size_in``.
    beta : float, optional
        The sharpness of the attention, greater than 0. By default the weights are the similarities
        themselves.
    n_context : int, optional
        The number m of symbols of the second input. By default keys and values are those of the
        input itself.
    label, seed
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        The input, which takes 2 n size_in values: real parts, then imaginary parts, each symbol by
        symbol.
    context : nengo.Node
        The input of keys and values, which is ``input`` without ``n_context``.
    queries, keys, values : PhasorConv
        The layers, with a kernel of one symbol.
    units : nengo.Ensemble
        The 2 (n + 2 m) d `.AttendingPhasor` neurons. Their own biases stay 0 in training.
    output : nengo.Node
        A relay of the 2 n d values of the output.
    output_shape : (int, int, int)
        The shape (n, 1, d) of the output, as `PhasorConv` takes it.

    Raises
    ------
    nengo.exceptions.ValidationError
        If a size is not a positive integer, beta is not greater than 0, or the symbols do not fit
        into memory.

    References
    ----------
    Olin-Ammentorp and Bazhenov, Residual and Attentional Architectures for Vector-Symbols.

    Examples
    --------
    A classifier of images of 28 x 28 pixels, whose rows are the symbols::

        import nengo
        import numpy as np
        from nengo_phasor import networks

        with nengo.Network(seed=0) as net:
            net.config[nengo.Connection].synapse = None
            image = nengo.Node(np.zeros(2 * 28 * 28))
            attention = networks.PhasorAttention(28, 28, 64)
            last = networks.PhasorDense(28 * 64, 10)
            nengo.Connection(image, attention.input)
            nengo.Connection(attention.output, last.input)
            output = nengo.Probe(last.output)
    """

    def __init__(
        self,
        n_symbols: int,
        size_in: int,
        size_out: int | None = None,
        beta: float | None = None,
        n_context: int | None = None,
        label: str | None = None,
        seed: int | None = None,
    ):
        super().__init__(label=label or f"phasor attention of {n_symbols} symbols", seed=seed)
        size_out = size_in if size_out is None else size_out
        n_keys = n_symbols if n_context is None else n_context
        sizes = {
            "n_symbols": n_symbols,
            "size_in": size_in,
            "size_out": size_out,
            "n_context": n_keys,
        }
        for attr, size in sizes.items():
            check_positive_integer(size, attr, self)
        check_memory(n_symbols * n_keys, "n_symbols", self)
        self.output_shape = (n_symbols, 1, size_out)
        rows = np.arange(2 * (n_symbols + 2 * n_keys) * size_out).reshape(2, -1, size_out)
        parts = np.split(rows, [n_symbols, n_symbols + n_keys], axis=1)
        with self:
            keep_biases(self)
            self.input = nengo.Node(size_in=2 * n_symbols * size_in, label="input")
            self.context = self.input
            if n_context is not None:
                self.context = nengo.Node(size_in=2 * n_context * size_in, label="context")
            self.units = nengo.Ensemble(
                rows.size, 1, neuron_type=AttendingPhasor(n_symbols, n_keys, beta), label="units"
            )
            self.queries, self.keys, self.values = (
                PhasorConv((n, 1, size_in), size_out, 1, label=label)
                for n, label in ((n_symbols, "queries"), (n_keys, "keys"), (n_keys, "values"))
            )
            layers = (self.queries, self.keys, self.values)
            sources = (self.input, self.context, self.context)
            for source, layer, part in zip(sources, layers, parts, strict=True):
                nengo.Connection(source, layer.input, synapse=None)
                nengo.Connection(layer.output, self.units.neurons[part.ravel()], synapse=None)
            self.output = nengo.Node(size_in=2 * n_symbols * size_out, label="output")
            nengo.Connection(self.units.neurons[parts[0].ravel()], self.output, synapse=None)

"""Phasor networks in the phase domain, for training and for `.convert.to_spiking`.

Signals are phasors: 2n values, read as an array of shape (2, n), the real parts before the
imaginary parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import nengo
import numpy as np
from nengo.exceptions import ValidationError
from nengo.params import BoolParam

from nengo_phasor import phases
from nengo_phasor.checks import check_positive, check_positive_integer
from nengo_phasor.neurons import Phasor


def real_weights(size_in: int, size_out: int, init=None) -> nengo.Convolution:
    """Return a transform of phasors by one real weight matrix, which NengoDL can train.

    Real weights act alike on real and imaginary parts, so they are a convolution over these two
    rows with a kernel of 1, whose channels are the units.

    Parameters
    ----------
    size_in, size_out : int
        The numbers of input and output phasors.
    init : (size_in, size_out) array_like or Distribution, optional
        The weights. By default they are normally distributed with a variance of 1/size_in.

    Raises
    ------
    nengo.exceptions.ValidationError
        If a size is not a positive integer, or the weights have the wrong shape.
    """
    check_positive_integer(size_in, "size_in")
    check_positive_integer(size_out, "size_out")
    if init is None:
        init = nengo.dists.Gaussian(0, size_in**-0.5)
    elif not isinstance(init, nengo.dists.Distribution):
        _check_shape(init, [(size_in, size_out)], "init")
        init = np.asarray(init)[None]
    return nengo.Convolution(
        size_out, input_shape=(2, size_in), kernel_size=(1,), strides=(1,), init=init
    )


def _check_shape(array, shapes, attr, obj=None):
    """Check that an array has one of the shapes, which are those for (size_in, size_out)."""
    if np.shape(array) not in shapes:
        raise ValidationError(
            f"has shape {np.shape(array)}, but needs {' or '.join(map(str, shapes))}, from "
            "(size_in, size_out)",
            attr=attr,
            obj=obj,
        )


def keep_biases(network):
    """Let NengoDL and layerwise leave the biases of the neurons themselves at 0 in training."""
    untrained = BoolParam("trainable", default=False, optional=True)
    network.config[nengo.Ensemble].set_param("trainable", untrained)


class PhasorDense(nengo.Network):
    r"""A fully connected layer of phasors.

    .. math:: y = z / |z|, \quad z = W^T x + b

    W and b are real. The bias b is the weight of a reference, the constant phasor 1. In the spiking
    network it is a neuron that spikes at phase 0 of every cycle.

    Parameters
    ----------
    size_in, size_out : int
        The numbers of input and output phasors.
    weights : (size_in, size_out) array_like, optional
        The weights W. By default they are normally distributed with a variance of 1/size_in.
    bias : (size_out,) array_like, optional
        The biases b. By default 1 for each unit, which gathers the phases around the reference.
    label, seed
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        The input, which takes 2 size_in values.
    reference : nengo.Node
        The constant phasor 1.
    units : nengo.Ensemble
        The 2 size_out `.Phasor` neurons.
    weights, bias : nengo.Connection
        The connections from the input and from the reference to the units.
    output : nengo.ensemble.Neurons
        The neurons of the units.

    Raises
    ------
    nengo.exceptions.ValidationError
        If a size is not a positive integer, or weights or bias have the wrong shape.

    References
    ----------
    Olin-Ammentorp (2023), Sparsifying Spiking Networks through Local Rhythms, section 1.2.
    """

    def __init__(self, size_in: int, size_out: int, weights=None, bias=None, label=None, seed=None):
        super().__init__(label=label or f"phasor {size_in}-{size_out}", seed=seed)
        check_positive_integer(size_in, "size_in", self)
        check_positive_integer(size_out, "size_out", self)
        bias = np.ones(size_out) if bias is None else bias
        if not isinstance(weights, nengo.dists.Distribution | None):
            _check_shape(weights, [(size_in, size_out)], "weights", self)
        _check_shape(bias, [(size_out,), (1, size_out)], "bias", self)
        with self:
            self.input = nengo.Node(size_in=2 * size_in, label="input")
            self.reference = nengo.Node([1.0, 0.0], label="reference")
            self.units = nengo.Ensemble(2 * size_out, 1, neuron_type=Phasor(), label="units")
            self.weights = nengo.Connection(
                self.input,
                self.units.neurons,
                transform=real_weights(size_in, size_out, weights),
                synapse=None,
            )
            self.bias = nengo.Connection(
                self.reference,
                self.units.neurons,
                transform=real_weights(1, size_out, np.atleast_2d(bias)),
                synapse=None,
            )
        self.output = self.units.neurons


class PhasorClassifier(nengo.Network):
    """A chain of fully connected layers of phasors.

    The class is the output whose phase is nearest to 1/2 (see `.metrics.phase_class`).

    Parameters
    ----------
    sizes : sequence of int
        The numbers of phasors in the input and in each layer, such as (1024, 128, 10).
    label, seed
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        The input, which takes 2 sizes[0] values.
    layers : list of PhasorDense
        The layers, ordered from input to output.
    output : nengo.ensemble.Neurons
        The neurons of the last layer.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there are fewer than two sizes, or a size is not a positive integer.
    """

    def __init__(self, sizes: Sequence[int], label: str | None = None, seed: int | None = None):
        if np.ndim(sizes) != 1 or len(sizes) < 2:
            given = f"{sizes}, {label}" if isinstance(label, int) else f"{sizes}"
            raise ValidationError(
                "needs the sizes of the input and of at least one layer as one sequence, such as "
                f"PhasorClassifier((784, 10)), got {given}",
                attr="sizes",
                obj=self,
            )
        super().__init__(label=label or "phasor classifier", seed=seed)
        with self:
            self.layers = [PhasorDense(a, b) for a, b in pairwise(sizes)]
            for pre, post in pairwise(self.layers):
                nengo.Connection(pre.output, post.input, synapse=None)
        self.input = self.layers[0].input
        self.output = self.layers[-1].output


class RandomProjection(nengo.Network):
    """A fixed random projection of real inputs to phasors, normalised over its outputs.

    .. math:: p = \\frac{s}{\\sigma_h} (h - \\mu_h), \\quad h = P x, \\quad P_{jk} \\sim N(0, 1)

    The mean and the standard deviation are taken over the projections of each input, so that every
    input has the same spread of phases. P is drawn with the seed and is not trained.

    Parameters
    ----------
    size_in, size_out : int
        The numbers of inputs and of phasors.
    spread : float
        The standard deviation s of the phases, in units of pi.
    seed : int
        The seed of the projection.
    label
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        The input, which takes size_in values.
    output : nengo.Node
        The output, which gives 2 size_out values.
    projection : (size_in, size_out) ndarray
        The matrix P, transposed.

    Raises
    ------
    nengo.exceptions.ValidationError
        If a size is not a positive integer, or spread is not greater than 0.

    References
    ----------
    Olin-Ammentorp (2023), Sparsifying Spiking Networks through Local Rhythms, section 2.1.
    """

    def __init__(
        self, size_in: int, size_out: int, spread: float = 1 / 3, seed: int = 0, label=None
    ):
        super().__init__(label=label or "random projection", seed=seed)
        check_positive_integer(size_in, "size_in", self)
        check_positive_integer(size_out, "size_out", self)
        check_positive(spread, "spread", self)
        self.spread = spread
        self._last = (None, None)
        self.projection = np.random.RandomState(seed).standard_normal((size_in, size_out))
        with self:
            self.input = nengo.Node(size_in=size_in, label="input")
            self.output = nengo.Node(self._phasors, size_in=size_in, label="phasors")
            nengo.Connection(self.input, self.output, synapse=None)

    def _phasors(self, t, x):
        """Return the phasors of an input, which is usually that of the previous step."""
        known, phasors = self._last
        if not np.array_equal(known, x):
            phasors = phases.to_rows(self.encode(x))
            self._last = (x.copy(), phasors)
        return phasors

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return the phases of inputs of shape (..., size_in), in shape (..., size_out).

        An input whose projections are all equal, such as a black image, has phase 0 everywhere.

        Raises
        ------
        nengo.exceptions.ValidationError
            If the inputs have the wrong size.
        """
        x = np.asarray(x)
        if x.ndim < 1 or x.shape[-1] != len(self.projection):
            raise ValidationError(
                f"has shape {x.shape}, but needs {len(self.projection)} values in the last "
                "dimension: flatten images",
                attr="x",
                obj=self,
            )
        dtype = x.dtype if x.dtype.kind == "f" else float
        h = x @ self.projection.astype(dtype, copy=False)
        h -= h.mean(axis=-1, keepdims=True)
        size = h.std(axis=-1, keepdims=True)
        return phases.wrap(self.spread * h / np.where(size > 0, size, 1))

"""Convolutional phasor networks in the phase domain, for images of phasors.

An image of height h, width w and c channels is 2 h w c values: the real parts, then the imaginary
parts, each flattened with its channels last (`.phases.to_rows` of the flat image).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import nengo
import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike, NDArray

from nengo_phasor import phases
from nengo_phasor.checks import check_array, check_memory, check_positive_integer
from nengo_phasor.convolutions import RowwiseConvolution
from nengo_phasor.networks.phasor import keep_biases
from nengo_phasor.neurons import Phasor


def real_kernels(
    input_shape: Sequence[int],
    n_filters: int,
    kernel_size: int | Sequence[int] = 3,
    strides: int | Sequence[int] = 1,
    padding: str = "same",
    init=None,
) -> RowwiseConvolution:
    """Return a transform of images of phasors by real kernels.

    Real kernels act alike on real and imaginary parts, so they are one convolution of two images.

    Parameters
    ----------
    input_shape : (int, int, int)
        The height, width and number of channels of the image.
    n_filters : int
        The number of maps.
    kernel_size : int or (int, int)
        The height and width of the kernel.
    strides : int or (int, int)
        The steps from one place of the kernel to the next.
    padding : "same" or "valid"
        Whether the kernel extends beyond the borders of the image ("same"), so that there is a
        place for every stride, or stays inside ("valid").
    init : (height, width, channels, n_filters) array_like or Distribution, optional
        The kernels. By default they are normally distributed with a variance of
        1/(height * width * channels).

    Raises
    ------
    nengo.exceptions.ValidationError
        If a size is not a positive integer, the padding is unknown, a kernel that must stay inside
        the image is larger than it, or the kernels have the wrong shape.
    """
    return _kernels(None, "init", input_shape, n_filters, kernel_size, strides, padding, init)


def folded_bias(bias: ArrayLike, currents: ArrayLike) -> NDArray:
    r"""Return the biases with which a layer acts as if its currents had a mean length of 1.

    .. math:: \left\langle \frac{(K * x)_m}{s_m} + b_m \right\rangle
        = \left\langle (K * x)_m + s_m b_m \right\rangle,
        \quad s_m = \overline{|(K * x)_m|}

    The length of a sum of phasors does not matter, only the balance of its parts. So the statistics
    of a batch, by which the currents of each map m are divided, become a part of the biases, and
    the spiking network needs nothing else.

    Parameters
    ----------
    bias : (n_filters,) array_like
        The biases b of the normalised currents.
    currents : (..., 2n) array_like
        The currents K * x of a batch without the biases, real parts before imaginary parts; each
        with its maps last, as a node receives them through the layer's kernels. For a dense layer
        every unit is a map.

    Returns
    -------
    (n_filters,) ndarray
        The biases s b. A map without any current keeps its bias.

    Raises
    ------
    nengo.exceptions.ValidationError
        If there are no currents, if they do not consist of as many maps as there are biases, or if
        a value is not finite.
    """
    bias = check_array(bias, "bias", "(n_filters)")
    currents = check_array(currents, "currents", "(..., 2n)")
    n = currents.shape[-1] // 2
    if n % len(bias) or not currents.size:
        raise ValidationError(
            f"has shape {currents.shape}, {n} phasors, which are not a batch of {len(bias)} maps, "
            "one for each bias: give those of a single layer",
            attr="currents",
        )
    lengths = np.abs(phases.from_rows(currents)).reshape(-1, len(bias)).mean(axis=0)
    return np.where(lengths > 0, lengths, 1) * bias


def _kernels(obj, attr, input_shape, n_filters, kernel_size, strides, padding, init):
    """Return `real_kernels`; errors name the object and its argument ``attr``."""
    shape = _sizes(input_shape, 3, "input_shape", obj)
    check_positive_integer(n_filters, "n_filters", obj)
    kernel = _sizes(kernel_size, 2, "kernel_size", obj)
    strides = _sizes(strides, 2, "strides", obj)
    if padding not in ("same", "valid"):
        raise ValidationError(f"must be 'same' or 'valid', got {padding!r}", "padding", obj)
    if padding == "valid":
        _check_fits(kernel, shape, "kernel_size", "a smaller kernel or padding='same'", obj)
    check_memory(2 * prod(shape[:2]) * max(shape[2], n_filters), "input_shape", obj)
    full = (*kernel, shape[2], n_filters)
    if init is None:
        init = nengo.dists.Gaussian(0, prod(full[:3]) ** -0.5)
    elif not isinstance(init, nengo.dists.Distribution):
        init = _values(init, full, "(height, width, channels, n_filters)", attr, obj)[None]
    return RowwiseConvolution(
        n_filters, (2, *shape), (1, *kernel), (1, *strides), padding, init=init
    )


def _values(array, shape, names, attr, obj):
    """Return an array of finite numbers, after checking its shape."""
    array = check_array(array, attr, obj=obj)
    if array.shape != shape:
        raise ValidationError(f"has shape {array.shape}, but needs {shape}: {names}", attr, obj)
    return array


def _sizes(value, n, attr, obj) -> tuple[int, ...]:
    """Return n positive integers; a single one stands for both of two."""
    single = n == 2 and not np.iterable(value)
    sizes = (value,) * n if single else tuple(value) if np.iterable(value) else ()
    if len(sizes) != n:
        example = "(28, 28, 1)" if n == 3 else "3 or (3, 3)"
        raise ValidationError(f"must be {n} sizes, such as {example}, got {value!r}", attr, obj)
    for size in sizes:
        check_positive_integer(size, attr, obj)
    return tuple(map(int, sizes))


def _check_fits(window, shape, attr, remedy, obj):
    """Check that a window fits into an image."""
    if any(size > whole for size, whole in zip(window, shape[:2], strict=True)):
        raise ValidationError(
            f"is {window}, which does not fit into an image of {shape[:2]}: use {remedy}", attr, obj
        )


class PhasorConv(nengo.Network):
    r"""A convolutional layer of phasors.

    .. math:: y = z / |z|, \quad z = K * x + b

    The kernels K and the biases b are real, with one bias for each map. The bias is the weight of a
    reference, the constant phasor 1, which all units share. In the spiking network it is a single
    neuron that spikes at phase 0 of every cycle.

    Parameters
    ----------
    input_shape : (int, int, int)
        The height, width and number of channels of the image.
    n_filters : int
        The number of maps.
    kernel_size : int or (int, int)
        The height and width of the kernels.
    strides : int or (int, int)
        The steps from one place of a kernel to the next.
    padding : "same" or "valid"
        Whether kernels extend beyond the borders of the image ("same"), so that there is a place
        for every stride, or stay inside ("valid").
    weights : (height, width, channels, n_filters) array_like or Distribution, optional
        The kernels K. By default they are normally distributed with a variance of
        1/(height * width * channels).
    bias : (n_filters,) array_like, optional
        The biases b. By default 1 for each map, which gathers the phases around the reference.
    label, seed
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        The input, which takes 2 height width channels values: real parts, then imaginary parts.
    reference : nengo.Node
        The constant phasor 1.
    units : nengo.Ensemble
        The `.Phasor` neurons, two for each unit. Their own biases stay 0 in training.
    weights, bias : nengo.Connection
        The connections from the input and from the reference to the units.
    output : nengo.ensemble.Neurons
        The neurons of the units.
    output_shape : (int, int, int)
        The height, width and number of maps of the output.

    Raises
    ------
    nengo.exceptions.ValidationError
        If a size is not a positive integer, the padding is unknown, a kernel that must stay inside
        the image is larger than it, weights or bias have the wrong shape or are not finite, or the
        image does not fit into memory.

    Examples
    --------
    A classifier of images of 28 x 28 pixels in 10 classes::

        import nengo
        import numpy as np
        from nengo_phasor import networks

        with nengo.Network(seed=0) as net:
            net.config[nengo.Connection].synapse = None
            image = nengo.Node(np.zeros(2 * 28 * 28))
            first = networks.PhasorConv((28, 28, 1), 16, strides=2)
            pool = networks.PhasorPool(first.output_shape)
            second = networks.PhasorConv(pool.output_shape, 32)
            last = networks.PhasorDense(second.units.n_neurons // 2, 10)
            for pre, post in [
                (image, first.input),
                (first.output, pool.input),
                (pool.output, second.input),
                (second.output, last.input),
            ]:
                nengo.Connection(pre, post)
            output = nengo.Probe(last.output)

    References
    ----------
    Olin-Ammentorp (2023), Sparsifying Spiking Networks through Local Rhythms, section 1.2.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_filters: int,
        kernel_size: int | Sequence[int] = 3,
        strides: int | Sequence[int] = 1,
        padding: str = "same",
        weights=None,
        bias=None,
        label: str | None = None,
        seed: int | None = None,
    ):
        super().__init__(label=label or f"phasor convolution of {n_filters} maps", seed=seed)
        kernels = _kernels(
            self, "weights", input_shape, n_filters, kernel_size, strides, padding, weights
        )
        self.output_shape = kernels.output_shape.shape[1:]
        *size, _ = self.output_shape
        bias = np.ones(n_filters) if bias is None else bias
        bias = _values(bias, (n_filters,), "(n_filters,)", "bias", self)
        with self:
            self.input = nengo.Node(size_in=kernels.size_in, label="input")
            self.reference = nengo.Node([1.0, 0.0], label="reference")
            keep_biases(self)
            self.units = nengo.Ensemble(kernels.size_out, 1, neuron_type=Phasor(), label="units")
            self.weights = nengo.Connection(
                self.input, self.units.neurons, transform=kernels, synapse=None
            )
            self.bias = nengo.Connection(
                self.reference[np.repeat([0, 1], prod(size))],  # at every place
                self.units.neurons,
                transform=real_kernels((*size, 1), n_filters, 1, init=bias[None, None, None]),
                synapse=None,
            )
        self.output = self.units.neurons


class PhasorPool(nengo.Network):
    r"""Pools an image of phasors: the mean phasor of each window and channel, normalised.

    .. math:: y = z / |z|, \quad z = \sum_{k \in \text{window}} x_k

    The sum has the phase of the mean. Windows do not overlap, and rows and columns at the end that
    do not fill a window are dropped. The pool has no weights. Where the phasors of a window cancel,
    the output is 0 in the phase domain and no spike in the spiking network. A `PhasorConv` with
    strides makes images smaller, too, with fewer operations.

    Parameters
    ----------
    input_shape : (int, int, int)
        The height, width and number of channels of the image.
    pool_size : int or (int, int)
        The height and width of a window.
    label, seed
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        The input, which takes 2 height width channels values: real parts, then imaginary parts.
    units : nengo.Ensemble
        The `.Phasor` neurons, two for each unit. Their own biases stay 0 in training.
    output : nengo.ensemble.Neurons
        The neurons of the units.
    output_shape : (int, int, int)
        The height, width and number of channels of the output.

    Raises
    ------
    nengo.exceptions.ValidationError
        If a size is not a positive integer, the window is larger than the image, or the image does
        not fit into memory.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        pool_size: int | Sequence[int] = 2,
        label: str | None = None,
        seed: int | None = None,
    ):
        super().__init__(label=label or "phasor pool", seed=seed)
        shape = _sizes(input_shape, 3, "input_shape", self)
        window = _sizes(pool_size, 2, "pool_size", self)
        _check_fits(window, shape, "pool_size", "a smaller window", self)
        check_memory(2 * prod(shape), "input_shape", self)
        n_rows, n_columns = shape[0] // window[0], shape[1] // window[1]
        self.output_shape = (n_rows, n_columns, shape[2])
        places = np.arange(2 * prod(shape)).reshape(2, *shape)
        places = places[:, : n_rows * window[0], : n_columns * window[1]]
        with self:
            self.input = nengo.Node(size_in=2 * prod(shape), label="input")
            keep_biases(self)
            self.units = nengo.Ensemble(
                2 * prod(self.output_shape), 1, neuron_type=Phasor(), label="units"
            )
            for i, j in np.ndindex(*window):
                nengo.Connection(
                    self.input[places[:, i :: window[0], j :: window[1]].ravel()],
                    self.units.neurons,
                    synapse=None,
                )
        self.output = self.units.neurons

"""The weights between spikes, in `.to_spiking`, of the weights between phasors."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.base import ObjView
from nengo.exceptions import BuildError

from nengo_phasor.convolutions import of_one_row


def real_transform(connection: nengo.Connection, weights):
    """Return the transform of spikes that acts as a connection does on both parts of phasors.

    Parameters
    ----------
    connection : nengo.Connection
        The connection between phasors.
    weights : ndarray or None
        Its weights, as built.

    Returns
    -------
    transform : None, float, (n_post, n_pre) ndarray or nengo.Convolution
        None for no weights.

    Raises
    ------
    nengo.exceptions.BuildError
        If the weights do not act alike on real and imaginary parts.
    """
    transform = connection.transform
    n_post, n_pre = connection.size_out // 2, connection.size_in // 2
    if isinstance(transform, nengo.Convolution):
        if transform.channels_last and transform.input_shape.shape[0] == 2:
            if np.shape(weights) == (1, n_pre, n_post):
                return weights[0].T
            if (of_image := of_one_row(transform)) is not None:
                return nengo.Convolution(
                    of_image.n_filters,
                    of_image.input_shape,
                    of_image.kernel_size,
                    of_image.strides,
                    of_image.padding,
                    init=weights[0],
                    groups=of_image.groups,
                )
    elif weights is None or np.ndim(weights) == 0:
        return weights
    elif isinstance(transform, nengo.Dense):
        full = np.diag(weights) if np.ndim(weights) == 1 else weights
        real = full[:n_post, :n_pre]
        if np.array_equal(full, np.kron(np.eye(2), real)):
            return real
    raise BuildError(
        f"{connection}: {transform} is not a real weight matrix that acts alike on real and "
        "imaginary parts: use nengo_phasor.networks.real_weights or real_kernels"
    )


def taken(spikes, connection: nengo.Connection):
    """Return those of some spikes that correspond to the phasors that a connection takes.

    Parameters
    ----------
    spikes : nengo.Node, nengo.ensemble.Neurons or view of them
        One spike train for each phasor of the connection's pre object.
    connection : nengo.Connection
        The connection between phasors.

    Raises
    ------
    nengo.exceptions.BuildError
        If it takes the real parts of other phasors than the imaginary parts.
    """
    places = np.arange(connection.pre_obj.size_out)[connection.pre_slice]
    return _selected(spikes, places, connection.pre_obj.size_out, connection)


def reached(neurons, connection: nengo.Connection):
    """Return those of some neurons that correspond to the phasors that a connection reaches.

    Parameters
    ----------
    neurons : nengo.Node or nengo.ensemble.Neurons
        One neuron, or value of a relay, for each phasor of the connection's post object.
    connection : nengo.Connection
        The connection between phasors.

    Raises
    ------
    nengo.exceptions.BuildError
        If it reaches the real parts of other phasors than the imaginary parts.
    """
    places = np.arange(connection.post_obj.size_in)[connection.post_slice]
    return _selected(neurons, places, connection.post_obj.size_in, connection)


def _selected(spikes, places, size, connection):
    """Return the spikes that correspond to places among real, then imaginary parts."""
    if np.array_equal(places, np.arange(size)):
        return spikes
    real = places[: len(places) // 2]
    if not np.array_equal(places, np.concatenate([real, real + size // 2])):
        raise BuildError(
            f"{connection}: slices of phasors can be converted only if they take the real parts of "
            "some phasors, then the imaginary parts of the same: change the slice"
        )
    if isinstance(spikes, ObjView):
        return spikes.obj[np.arange(spikes.obj.size_out)[spikes.slice][real]]
    return spikes[real]

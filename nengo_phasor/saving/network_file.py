"""Networks in files: arrays in an npz file, and JSON that says what they are. No pickle.

Of a network are saved its ensembles, nodes, connections and probes with all their parameters, its
subnetworks, and those of its attributes that hold such objects, numbers, text or arrays, or lists
and dictionaries of these. Functions are code, which only pickle could save: they are refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import nengo
import numpy as np
from nengo.exceptions import ValidationError

import nengo_phasor
from nengo_phasor.checks import check_is
from nengo_phasor.convert.adaptive import Converted
from nengo_phasor.files import DatasetError, load_params, save_params
from nengo_phasor.saving.restoring import Restoring
from nengo_phasor.saving.storing import Storing

FORMAT = 1
"""The version of the files: raised when older readers could not read a new file."""

PathLike = str | os.PathLike


def save(path: PathLike, network: nengo.Network | Converted) -> None:
    """Save a network, such as a converted one, to a file that `load` reads.

    Parameters
    ----------
    path : path
        The file, which is replaced if it exists; the ending is usually ``.npz``. A failure leaves
        an older file as it was.
    network : nengo.Network or ``Converted``
        What `.convert.to_spiking` or `.convert.to_adaptive` returned, or any other network without
        functions. What should be found after loading must be an attribute of the network, such as
        ``spiking.input = mapping[network.input]``. Of a ``Converted`` its Keras model is not
        saved.

    Raises
    ------
    nengo.exceptions.ValidationError
        If network is something else, or holds what can't be saved, such as a node's function; the
        message names the object.
    """
    check_is(network, "network", (nengo.Network, Converted))
    is_converted = isinstance(network, Converted)
    storing = Storing()
    content = storing.network(network.network if is_converted else network)
    header = {
        "format": FORMAT,
        "versions": {"nengo_phasor": nengo_phasor.__version__, "nengo": nengo.__version__},
        "kind": "converted" if is_converted else "network",
        "network": content,
    }
    save_params(path, nengo_phasor=np.array(json.dumps(header)), **storing.arrays)


def load(path: PathLike, types: Sequence[type] = ()) -> nengo.Network | Converted:
    """Load what `save` saved.

    Parameters
    ----------
    path : path
        The file.
    types : sequence of type
        Your own classes of neurons, synapses and processes that the file may use. No other classes
        than Nengo's, ours and these are loaded, so that a file can't run code of its choice.

    Returns
    -------
    nengo.Network or ``Converted``
        As it was saved. A subclass of `nengo.Network` comes back as a plain network with the same
        attributes, a ``Converted`` without its Keras model.

    Raises
    ------
    `.files.DatasetError`
        If the file is missing, damaged, not written by `save`, or of a newer version, or uses a
        class that is not among ``types``. The message names the file and the remedy.
    """
    arrays = load_params(path)
    try:
        header = json.loads(str(arrays.pop("nengo_phasor")[()]))
        version, kind, content = (header[key] for key in ("format", "kind", "network"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DatasetError(
            f"{path} holds arrays, but not a network: give a file that nengo_phasor.save wrote, or "
            "read the arrays with nengo_phasor.datasets.load_params"
        ) from None
    if version != FORMAT:
        raise DatasetError(
            f"{path} is of format {version}, and this nengo_phasor reads format {FORMAT}: "
            "update nengo_phasor"
        )
    try:
        network = Restoring(arrays, types).network(content)
        return Converted(None, network) if kind == "converted" else network
    except ValidationError as error:
        raise DatasetError(f"{path} can't be loaded: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, ImportError) as error:
        raise DatasetError(
            f"{path} is damaged, or was written by hand ({error!r}): save the network again"
        ) from error

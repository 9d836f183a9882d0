"""Networks in files: arrays in an npz file with JSON that describes them, without pickle.

A file contains a network's ensembles, nodes, connections and probes with all their parameters, its
subnetworks, and those of its attributes that are such objects, numbers, text or arrays, or lists
and dictionaries of these. Functions are code, which only pickle could save, so they are rejected.
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
"""The version of the format, which increases when older readers could not read a new file."""

PathLike = str | os.PathLike


def save(path: PathLike, network: nengo.Network | Converted) -> None:
    """Save a network, such as a converted one, to a file that `load` reads.

    Parameters
    ----------
    path : path
        The file, which is replaced if it exists; its name usually ends in ``.npz``. If saving
        fails, an older file is kept.
    network : nengo.Network or ``Converted``
        The result of `.convert.to_spiking` or `.convert.to_adaptive`, or any other network without
        functions. Objects that should be found after loading must be attributes of the network,
        such as ``spiking.input = mapping[network.input]``. The Keras model of a ``Converted`` is
        not saved.

    Raises
    ------
    nengo.exceptions.ValidationError
        If network has the wrong type, or contains something that can't be saved, such as a node's
        function. The message names the object.
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
    """Load a network that was saved with `save`.

    Parameters
    ----------
    path : path
        The file.
    types : sequence of type
        Your own classes of neurons, synapses and processes that the file may use. Only these and
        the classes of Nengo and nengo_phasor are loaded, so that a file can't run arbitrary code.

    Returns
    -------
    nengo.Network or ``Converted``
        The network as it was saved. A subclass of `nengo.Network` is loaded as a plain network with
        the same attributes, and a ``Converted`` without its Keras model.

    Raises
    ------
    `.files.DatasetError`
        If the file is missing, damaged, not written by `save`, or of a newer version, or if it uses
        a class that is not among ``types``. The message names the file and the remedy.
    """
    arrays = load_params(path)
    try:
        header = json.loads(str(arrays.pop("nengo_phasor")[()]))
        version, kind, content = (header[key] for key in ("format", "kind", "network"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DatasetError(
            f"{path} contains arrays, but not a network: give a file that nengo_phasor.save "
            "wrote, or read the arrays with nengo_phasor.datasets.load_params"
        ) from None
    if version != FORMAT:
        raise DatasetError(
            f"{path} has format {version}, but this nengo_phasor reads format {FORMAT}: update "
            "nengo_phasor"
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

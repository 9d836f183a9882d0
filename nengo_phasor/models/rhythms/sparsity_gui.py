"""Nengo GUI's model: the classifier that was trained to be sparsified, with displays."""

from __future__ import annotations

import nengo
import numpy as np

from nengo_phasor import datasets
from nengo_phasor.models.rhythms import gui
from nengo_phasor.models.rhythms.sparsity import PARAMS

STRENGTH = 0.1
"""The strength of the arc. It was chosen on held-out training images."""


def gui_model() -> nengo.Network:
    """Return the network with the committed weights, which have half precision."""
    committed = datasets.load_params(PARAMS)
    floats = {k: v.astype(np.float32) for k, v in committed.items() if v.ndim == 2}
    return gui.shown({**committed, **floats}, STRENGTH)

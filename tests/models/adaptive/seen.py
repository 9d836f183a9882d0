"""Runs in spikes as they might have been seen."""

import numpy as np

from nengo_phasor.models.adaptive.spiking import Seen


def seen(classes, spikes, margins=None):
    """Two bins of outputs which differ by ``margins`` between the class and the next one."""
    classes = np.asarray(classes)
    margins = np.ones(len(classes)) if margins is None else np.asarray(margins)
    outputs = np.eye(3)[classes] * margins[:, None]
    return Seen(
        np.repeat(classes[:, None], 20, axis=1).astype(np.uint16),
        np.repeat(outputs[:, None], 2, axis=1),
        np.asarray(spikes, float),
        np.zeros(len(classes), bool),
    )

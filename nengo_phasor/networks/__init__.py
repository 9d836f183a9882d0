"""Building blocks that return a `nengo.Network`, as `nengo.networks` does."""

from nengo_phasor.networks.phasor import (
    PhasorClassifier,
    PhasorDense,
    RandomProjection,
    real_weights,
)

__all__ = ["PhasorClassifier", "PhasorDense", "RandomProjection", "real_weights"]


def __dir__():
    return __all__

"""Building blocks that return a `nengo.Network`, as `nengo.networks` does."""

from nengo_phasor.networks.local_rhythm import LocalRhythm
from nengo_phasor.networks.phase_bind import PhaseBind
from nengo_phasor.networks.phasor import (
    PhasorClassifier,
    PhasorDense,
    RandomProjection,
    real_weights,
)
from nengo_phasor.networks.phasor_attention import PhasorAttention
from nengo_phasor.networks.phasor_conv import (
    PhasorConv,
    PhasorPool,
    folded_bias,
    real_kernels,
)
from nengo_phasor.networks.phasor_residual import PhasorResidual

__all__ = [
    "LocalRhythm",
    "PhaseBind",
    "PhasorAttention",
    "PhasorClassifier",
    "PhasorConv",
    "PhasorDense",
    "PhasorPool",
    "PhasorResidual",
    "RandomProjection",
    "folded_bias",
    "real_kernels",
    "real_weights",
]


def __dir__():
    return __all__

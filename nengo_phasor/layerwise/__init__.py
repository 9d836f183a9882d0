"""A simulator for whole windows of time and batches of inputs, a layer at a time."""

from nengo_phasor.layerwise.rows import Row, register
from nengo_phasor.layerwise.simulator import Simulator
from nengo_phasor.layerwise.span import State
from nengo_phasor.settings import configure_settings

__all__ = ["Row", "Simulator", "State", "configure_settings", "register"]


def __dir__():
    return __all__

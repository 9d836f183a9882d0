"""A simulator for whole windows of time and batches of inputs, a layer at a time."""

from nengo_phasor.layerwise.neurons import Row, register
from nengo_phasor.layerwise.simulator import Simulator
from nengo_phasor.layerwise.span import State

__all__ = ["Row", "Simulator", "State", "register"]


def __dir__():
    return __all__

"""A simulator for whole windows of time and batches of inputs, a layer at a time."""

from nengo_phasor.layerwise.simulator import Simulator
from nengo_phasor.layerwise.window import State

__all__ = ["Simulator", "State"]

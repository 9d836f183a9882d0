"""Conversions between kinds of networks."""

from nengo_phasor.convert.adaptive import to_adaptive
from nengo_phasor.convert.phasor import to_spiking

__all__ = ["to_adaptive", "to_spiking"]

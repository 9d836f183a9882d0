"""Conversions between kinds of networks."""

from nengo_phasor.convert.phasor import to_spiking

__all__ = ["to_spiking"]

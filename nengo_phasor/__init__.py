"""Rhythm, phase and sparse spikes for Nengo."""

from nengo_phasor import compat

__version__ = "0.1.0"

compat.install()

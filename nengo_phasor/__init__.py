"""Rhythm, phase and sparse spikes for Nengo."""

__version__ = "0.1.0"

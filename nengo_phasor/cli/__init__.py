"""The command line ``nengo-phasor``. For people; the library never needs it."""

from nengo_phasor.cli.app import main

__all__ = ["main"]

"""The command line ``nengo-phasor``. The library itself does not need it."""

from nengo_phasor.cli.app import main

__all__ = ["main"]

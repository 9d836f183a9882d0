"""Running on the nengo-loihi emulator: a faster one, with the same results."""

from nengo_phasor import compat

compat.require("nengo_loihi")

from nengo_phasor.loihi import emulator  # noqa: E402

__all__ = ["emulator"]

"""Running on the nengo-loihi emulator: our neurons in fixed point, and a faster emulator.

After ``import nengo_phasor``, `nengo_loihi.Simulator` runs networks of them with ``target="sim"``.
"""

from nengo_phasor import compat

compat.require("nengo_loihi")

from nengo_phasor.loihi import emulator, fixed_point, install  # noqa: E402

__all__ = ["emulator", "fixed_point"]

install.install()

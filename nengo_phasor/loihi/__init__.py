"""Running on the nengo-loihi emulator: our neurons in fixed point, and a faster emulator.

After ``import nengo_phasor``, `nengo_loihi.Simulator` runs networks of our neurons with
``target="sim"``.
"""

from nengo_phasor import compat

compat.require("nengo_loihi")

from nengo_phasor.loihi import emulator, fixed_point, install  # noqa: E402
from nengo_phasor.loihi.compartments import Advanced, NeuronCompartment  # noqa: E402
from nengo_phasor.loihi.tables import register, register_gate  # noqa: E402

__all__ = [
    "Advanced",
    "NeuronCompartment",
    "emulator",
    "fixed_point",
    "register",
    "register_gate",
]

install.install()


def __dir__():
    return __all__

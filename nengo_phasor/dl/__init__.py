"""Training and running in NengoDL: builders for our types, activations, losses and callbacks."""

from nengo_phasor import compat

compat.check_internals(compat.require("nengo_dl"))

from nengo_phasor.dl import activations, builders, callbacks, losses, sizes  # noqa: E402, F401
from nengo_phasor.dl.tables import register  # noqa: E402

__all__ = ["activations", "builders", "callbacks", "losses", "register"]


def __dir__():
    return __all__

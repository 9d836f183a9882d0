"""Training and running in NengoDL: builders for our types, activations, losses."""

from nengo_phasor import compat

compat.require("nengo_dl")

from nengo_phasor.dl import activations, builders, losses, pooling  # noqa: E402

__all__ = ["activations", "builders", "losses", "pooling"]

"""Training and running in NengoDL: builders for our types, and losses."""

from nengo_phasor import compat

compat.require("nengo_dl")

from nengo_phasor.dl import builders, losses  # noqa: E402

__all__ = ["builders", "losses"]

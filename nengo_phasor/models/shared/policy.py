"""The precision in which Keras trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nengo_phasor import compat

HALF = "mixed_bfloat16"
"""Products in half precision, weights in single: faster on processors that have AMX."""


@contextmanager
def policy(name: str) -> Iterator[None]:
    """Let Keras create layers with a policy of that name, such as `HALF` or "float32"."""
    compat.use_keras_2()
    mixed_precision = compat.require("tensorflow").keras.mixed_precision
    before = mixed_precision.global_policy()
    mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        mixed_precision.set_global_policy(before)

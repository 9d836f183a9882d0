"""The threads of BLAS, beside those that `layerwise` starts itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from nengo_phasor import compat

compat.require("scipy.linalg.blas")
threadpoolctl = compat.require("threadpoolctl")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep BLAS from starting threads of its own in each of ours, which would wait for each other.

    Setting the limit takes about a millisecond.
    """
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> Any:
    """Return what limits the threads of BLAS, found once: a search takes milliseconds.

    NumPy's and SciPy's are there, since the imports above load them.
    """
    return threadpoolctl.ThreadpoolController()

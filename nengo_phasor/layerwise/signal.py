"""The signals of `.layerwise`, each of a batch of items over a window."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from nengo_phasor import compat
from nengo_phasor.layerwise import signal_loops

sparse = compat.require("scipy.sparse")


class Signal(NamedTuple):
    """A signal of a batch of items over a window, with every value or only its events.

    Parameters
    ----------
    values : (n_steps, n_items, n) ndarray, or sparse matrix of shape (n_steps * n_items, n)
        The values of the signal. The sparse matrix has a row for each step and item; the rows of
        the items of a step follow each other. A signal with fewer steps than the window repeats.
    n_items : int
        The number of items of the batch.
    """

    values: Any
    n_items: int

    @classmethod
    def of(cls, values: np.ndarray) -> Signal:
        """Return the signal of an array of shape (n_steps, n_items, n)."""
        return cls(values, values.shape[1])

    @classmethod
    def of_events(cls, rows, columns, values, n_steps: int, n_items: int, n: int) -> Signal:
        """Return the signal of events in order of their rows."""
        counts = np.bincount(rows, minlength=n_steps * n_items)
        return cls.of_rows(np.concatenate([[0], np.cumsum(counts)]), columns, values, n_items, n)

    @classmethod
    def of_rows(cls, starts, columns, values, n_items: int, n: int) -> Signal:
        """Return the signal of events, given where those of each row begin and the last end."""
        shape = (len(starts) - 1, n)
        return cls(sparse.csr_matrix((values, columns, starts), shape=shape), n_items)

    @property
    def is_sparse(self) -> bool:
        """Whether the signal contains only events."""
        return sparse.issparse(self.values)

    def is_thin(self, share: float) -> bool:
        """Return whether the signal contains only events, at most this fraction of all values."""
        return self.is_sparse and self.values.nnz <= share * math.prod(self.values.shape)

    @property
    def n_steps(self) -> int:
        """The number of steps before it repeats."""
        return len(self.values) if not self.is_sparse else self.values.shape[0] // self.n_items

    @property
    def size(self) -> int:
        """The number of values of a step of an item."""
        return self.values.shape[-1]

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The places where the events of each row begin, and the columns and values of events."""
        return self.values.indptr, self.values.indices, self.values.data

    @property
    def rows(self) -> np.ndarray:
        """The row of each event."""
        return np.repeat(np.arange(self.values.shape[0]), np.diff(self.values.indptr))

    def dense(self) -> np.ndarray:
        """Return every value, (n_steps, n_items, n)."""
        if not self.is_sparse:
            return self.values
        return self.values.toarray().reshape(-1, self.n_items, self.size)

    def events(self) -> Signal:
        """Return the signal with only its events."""
        if self.is_sparse:
            return self
        flat = self.values.reshape(-1, self.size)
        rows, columns = np.divmod(np.flatnonzero(flat), flat.shape[1])
        return Signal.of_events(rows, columns, flat[rows, columns], *self.values.shape)

    def kept(self, keep: np.ndarray, values: np.ndarray | None = None) -> Signal:
        """Return the signal of some of its events, with other values if these are given."""
        values = self.values.data if values is None else values
        shape = self.n_steps, self.n_items, self.size
        columns = self.values.indices
        return Signal.of_events(self.rows[keep], columns[keep], values[keep], *shape)

    def select(self, columns) -> Signal:
        """Return some of the values of each step, selected like a slice of a Nengo object."""
        if is_whole(columns):
            return self
        return Signal(self.values[..., np.arange(self.size)[columns]], self.n_items)

    def repeated(self, n_steps: int) -> Signal:
        """Return the first ``n_steps`` steps of a signal that repeats."""
        if n_steps == self.n_steps:
            return self
        if self.is_sparse:
            times = -(-n_steps // self.n_steps)
            whole = sparse.vstack([self.values] * times, "csr")
            return Signal(whole[: n_steps * self.n_items], self.n_items)
        return Signal(np.take(self.values, np.arange(n_steps) % self.n_steps, axis=0), self.n_items)

    def write(self, result: np.ndarray, steps: np.ndarray, n_steps: int) -> None:
        """Write some steps of a window of ``n_steps`` to an array of (n_items, n_samples, n)."""
        if self.is_sparse and len(steps) == n_steps == self.n_steps:
            step, item = np.divmod(self.rows, self.n_items)
            result[item, step, self.values.indices] = self.values.data
        else:
            result[...] = self.dense()[steps % self.n_steps].transpose(1, 0, 2)

    def summed(self, n_steps: int) -> np.ndarray:
        """Return the sum over a window of ``n_steps``, (n_items, 1, n)."""
        x = self.repeated(n_steps)
        if not x.is_sparse:
            return x.values.sum(axis=0)[:, None]
        total = np.zeros((x.n_items, x.size))
        signal_loops.add_sparse(total, *x.parts)
        return total[:, None].astype(x.values.dtype)


def is_whole(places) -> bool:
    """Return whether a slice of a Nengo object, which may be an array of places, selects it all."""
    return isinstance(places, slice) and places == slice(None)

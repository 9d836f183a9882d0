"""The contents of a simulator's ``data``: probed values, and the built forms of objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import nengo
import numpy as np


class SimulationData(Mapping):
    """The data of a `.layerwise.Simulator` by Nengo object, as in `nengo.Simulator`.

    Parameters
    ----------
    built : mapping
        The built form of each object: for ensembles `nengo.builder.ensemble.BuiltEnsemble` (gain,
        bias, encoders, eval_points, ...), for connections
        `nengo.builder.connection.BuiltConnection` (weights, ...).
    nothing : {nengo.Probe: (n_items, 0, n) ndarray}
        The data of each probe before the first run, which are empty.
    has_items : bool
        Whether a probe's data have an axis of items, (n_items, n_steps, n), or Nengo's own shape,
        (n_steps, n).

    Attributes
    ----------
    changed : callable, optional
        ``changed(obj, built)`` returns the form of an object after training.
    """

    def __init__(
        self, built: Mapping[Any, Any], nothing: dict[nengo.Probe, np.ndarray], has_items: bool
    ):
        self._built = built
        self._nothing = nothing
        self._has_items = has_items
        self.changed: Callable[[Any, Any], Any] | None = None
        self.clear()

    def clear(self) -> None:
        """Discard the probed values."""
        self._windows: dict[nengo.Probe, list[np.ndarray]] = {probe: [] for probe in self._nothing}

    def extend(self, seen: Mapping[nengo.Probe, np.ndarray]) -> None:
        """Add the values that the probes saw in the next window."""
        for probe, x in seen.items():
            self._windows[probe].append(x)

    def __getitem__(self, key):
        if key not in self._windows:
            built = self._built[key]
            return self.changed(key, built) if self.changed else built
        windows = self._windows[key]
        if len(windows) > 1:
            windows[:] = [np.concatenate(windows, axis=1)]
        whole = windows[0] if windows else self._nothing[key]
        return whole if self._has_items else whole[0]

    def __iter__(self) -> Iterator:
        return iter(self._built)

    def __len__(self) -> int:
        return len(self._built)

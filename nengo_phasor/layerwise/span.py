"""The steps and items that `.layerwise` runs at once, and the state of the network after them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from copy import deepcopy
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from nengo.exceptions import ValidationError


class State(NamedTuple):
    """The state of a network after some steps, for a batch of items; index it to select some.

    ``values`` have shape (n_states, n_items, n), or (1, n_items) if an item's state is an object.
    ``dt`` is the time step, in seconds.
    """

    n_steps: int
    values: dict[Any, np.ndarray]
    dt: float

    def __getitem__(self, items) -> State:  # type: ignore[override]
        """Return the state of some of the items."""
        return self._replace(values={key: value[:, items] for key, value in self.values.items()})

    @classmethod
    def joined(cls, states: list[State]) -> State:
        """Return the state of all items of several states."""
        values = {
            key: np.concatenate([state.values[key] for state in states], axis=1)
            for key in states[0].values
        }
        return states[0]._replace(values=values)


def check_state(state: Any, expected: set, n_items: int, dt: float) -> None:
    """Check that a state has the ``expected`` objects, the number of items and the time step."""
    if not isinstance(state, State):
        raise ValidationError(f"must be a State, got {state!r}", "state")
    for obj in (*expected.difference(state.values), *set(state.values).difference(expected)):
        has = "something" if obj in state.values else "nothing"
        raise ValidationError(f"is of another network: it has {has} of {obj}", "state")
    if state.dt != dt:
        raise ValidationError(f"is of another time step: {state.dt:g} s, not {dt:g} s", "state")
    if any(value.shape[1] != n_items for value in state.values.values()):
        raise ValidationError(
            f"has items other than the {n_items} of the data: select them with state[items]",
            attr="state",
        )


class Span:
    """Some steps of some items, starting from a given state.

    Parameters
    ----------
    n_steps : int
        Number of steps.
    items : (n_items,) ndarray
        The items' places in the whole batch.
    dt : float
        The time step in seconds.
    dtype : numpy.dtype
        The type of all numbers.
    before : `.State`, optional
        The state of the items. By default they are at rest.
    stopped : threading.Event
        An event that is set when the run was interrupted.
    seed : int
        The seed of the simulator, for random processes without their own.
    """

    def __init__(
        self, n_steps, items, dt, dtype, before: State | None, stopped: Event, seed: int = 0
    ):
        self.n_steps = n_steps
        self.items = items
        self.dt = dt
        self.dtype = dtype
        self.before = before
        self.stopped = stopped
        self.seed = seed
        self.start = before.n_steps if before else 0
        self.states: dict[Any, np.ndarray] = {}

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.items)

    @property
    def after(self) -> State:
        """The state of the items after the steps have run."""
        return State(self.start + self.n_steps, self.states, self.dt)

    def time(self, k: int) -> float:
        """Return the time of the span's step number k, from 0, in seconds."""
        return self.dt * (self.start + k + 1)

    def check(self) -> None:
        """Stop here if the run was interrupted."""
        if self.stopped.is_set():
            raise CancelledError

    def arrays(self, key, initial: np.ndarray) -> np.ndarray:
        """Return a batch's states, (k, n_items, n), to be advanced in place.

        ``initial``, of shape (k, n), is an item's at rest.
        """
        if self.before is None:
            at_rest = np.asarray(initial, self.dtype)
            self.states[key] = np.repeat(at_rest[:, None], self.n_items, axis=1)
        else:
            self.states[key] = np.array(self._reached(key, len(initial)), self.dtype, order="C")
        return self.states[key]

    def objects(self, key, make: Callable) -> np.ndarray:
        """Return each item's state, of any kind, to be advanced in place; ``make`` makes one."""
        if self.before is None:
            states = np.empty((1, self.n_items), object)
            for item in range(self.n_items):
                states[0, item] = make()
            self.states[key] = states
        else:
            self.states[key] = deepcopy(self._reached(key, 1))
        return self.states[key][0]

    def _reached(self, key, n_states):
        value = self.before.values[key]
        if len(value) != n_states:
            raise ValidationError(
                f"is of another network: it has {len(value)} states of {key}, which has {n_states}",
                attr="state",
            )
        return value

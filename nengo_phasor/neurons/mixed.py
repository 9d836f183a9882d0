"""Neurons whose parameters may differ from neuron to neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
from nengo.dists import Distribution
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType


class Mixed(NeuronType):
    """Base class of neurons with parameters that are a number, an array or a distribution.

    Attributes
    ----------
    per_neuron : tuple of str
        The names of these parameters, which are ``checks.PerNeuron``.
    trained : tuple of str
        The names of those that can train.
    """

    per_neuron: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()

    def limits(self, dt: float) -> dict[str, tuple[float, float]]:
        """Return the range within which training keeps each parameter, at a time step."""
        raise NotImplementedError("Neurons with parameters that train must define limits")

    @property
    def is_mixed(self) -> bool:
        """Whether a parameter is not one number for all neurons."""
        values = (getattr(self, name) for name in self.per_neuron)
        return any(isinstance(v, np.ndarray | Distribution) for v in values)

    def sampled(self, n_neurons: int, rng: np.random.RandomState) -> Any:
        """Return the neurons with an array in place of each distribution.

        Parameters
        ----------
        n_neurons : int
            The number of neurons.
        rng : numpy.random.RandomState
            The random numbers, which parameters use in the order of ``per_neuron``.

        Raises
        ------
        nengo.exceptions.ValidationError
            If an array has another length, or if a sampled value is out of range.
        """
        values = {name: getattr(self, name) for name in self.per_neuron}
        for name, value in values.items():
            if isinstance(value, np.ndarray) and len(value) != n_neurons:
                raise ValidationError(
                    f"has {len(value)} values for {n_neurons} neurons: give one number, a number "
                    "for each neuron, or a distribution",
                    attr=name,
                    obj=self,
                )
        drawn = {
            name: value.sample(n_neurons, rng=rng)
            for name, value in values.items()
            if isinstance(value, Distribution)
        }
        return self.with_values(**drawn) if drawn else self

    def with_values(self, **values) -> Any:
        """Return neurons with other values of some parameters, which are checked."""
        new = object.__new__(type(self))
        state = self.__getstate__()
        state.pop("_FrozenObject__argreprs", None)  # Nengo's cache of the text that shows them
        new.__setstate__({**state, **values})
        return new

    def check_sampled(self) -> None:
        """Refuse distributions, which have no values before the network is built."""
        for name in self.per_neuron:
            if isinstance(value := getattr(self, name), Distribution):
                raise ValidationError(
                    f"is {value!r}, which is sampled when a network is built: call "
                    "sampled(n_neurons, rng) first",
                    attr=name,
                    obj=self,
                )

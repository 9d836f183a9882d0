"""Neurons that have no firing rate to decode."""

from __future__ import annotations

import numpy as np
from nengo.exceptions import BuildError
from nengo.neurons import NeuronType

from nengo_phasor.listing import Described


class Rateless(Described, NeuronType):
    """Base class of neurons that oscillate. Their current is their input, without gain or bias.

    A constant input does not set their firing rate, so NEF decoding is impossible: connect from and
    to ``ensemble.neurons``.
    """

    def gain_bias(self, max_rates, intercepts):
        """Return gains of 1 and biases of 0: only the connections have weights."""
        max_rates = np.atleast_1d(np.asarray(max_rates, dtype=float))
        return np.ones_like(max_rates), np.zeros_like(max_rates)

    def max_rates_intercepts(self, gain, bias):
        """Return zeros, because these neurons have no tuning curves."""
        return np.zeros_like(gain), np.zeros_like(gain)

    def rates(self, x, gain, bias):
        """Raise an error, because these neurons have no firing rates.

        Raises
        ------
        nengo.exceptions.BuildError
            Always, because a constant input does not set the firing rate.
        """
        raise BuildError(
            f"{self} oscillates and has no firing rate to decode: connect from "
            "`ensemble.neurons` (or probe them) instead of from the ensemble"
        )

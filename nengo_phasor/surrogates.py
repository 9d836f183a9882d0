"""Surrogate derivatives, which replace the derivative of a spike in training.

A spike is the step function H of a distance to threshold, whose derivative is zero or infinite.
Training through time keeps the exact spike in the forward pass and replaces H'(x) in the backward
pass by one of these (Neftci, Mostafa and Zenke 2019). Each peaks at 1/width at the threshold and
integrates to one, except `FastSigmoid`, whose long tails make it integrate to two, and
`DoubleGaussian`.
"""

from __future__ import annotations

from typing import Any

from nengo.params import FrozenObject, Parameter

from nengo_phasor.checks import Number, Typed
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

Array = Any


class Surrogate(FrozenObject):
    """Base class of surrogate derivatives of the step function, which have a width.

    Parameters
    ----------
    width : float
        The scale of the distance to threshold, in units of the voltage, which is greater than 0.

    Raises
    ------
    nengo.exceptions.ValidationError
        If ``width`` is not a number greater than 0.
    """

    width = Number("width", low=0, low_open=True)

    def __init__(self, width: float = 1.0):
        super().__init__()
        self.width = width

    def get_config(self) -> dict[str, Any]:
        """Return the parameters, with which Keras saves a surrogate in a model."""
        return {parameter.name: getattr(self, parameter.name) for parameter in self._params}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Surrogate:
        """Return the surrogate with the parameters that `get_config` returned."""
        return cls(**config)

    def derivative(self, xp, x: Array) -> Array:
        """Return the surrogate for H'(x), in the shape of ``x``; ``xp`` is the array library."""
        raise NotImplementedError("Surrogates must provide derivative")


class PiecewiseLinear(Surrogate):
    """A triangle: H'(x) ~ max(0, 1 - abs(x)/width) / width."""

    def derivative(self, xp, x):
        return xp.maximum(1.0 - xp.abs(x) / self.width, 0.0) / self.width


class FastSigmoid(Surrogate):
    """The derivative of x / (1 + abs(x)): H'(x) ~ 1 / (1 + abs(x)/width)^2 / width."""

    def derivative(self, xp, x):
        return 1.0 / (1.0 + xp.abs(x) / self.width) ** 2 / self.width


class Exponential(Surrogate):
    """A two-sided exponential: H'(x) ~ exp(-2 abs(x)/width) / width."""

    def derivative(self, xp, x):
        return xp.exp(-2.0 * xp.abs(x) / self.width) / self.width


class Arctangent(Surrogate):
    """The derivative of an arctangent: H'(x) ~ 1 / (1 + (pi x/width)^2) / width."""

    def derivative(self, xp, x):
        return 1.0 / (1.0 + (3.141592653589793 * x / self.width) ** 2) / self.width


class DoubleGaussian(Surrogate):
    """The difference of two Gaussians G: H'(x) ~ (1.15 G(x; width) - 0.3 G(x; 6 width)) / 2.

    It is negative far from the threshold (Yin, Corradi and Bohte 2021). Its integral is 0.425, and
    its value at the threshold 0.219/width. By default its width is the published one, 0.5.
    """

    def __init__(self, width: float = 0.5):
        super().__init__(width)

    def derivative(self, xp, x):
        scaled = (x / self.width) ** 2
        narrow, wide = xp.exp(-0.5 * scaled), xp.exp(-scaled / 72.0)
        return (0.229391811 * narrow - 0.00997355701 * wide) / self.width


SURROGATES = (PiecewiseLinear, FastSigmoid, Exponential, Arctangent, DoubleGaussian)


class SurrogateParam(Typed, Parameter):
    """A parameter that holds a `Surrogate`."""

    equatable = True

    def coerce(self, instance, value):
        if value is not None:
            self.check_type(instance, value, Surrogate)
        return super().coerce(instance, value)


def heaviside(x):
    """Return the step function of NumPy arrays, 1 for x >= 0: the spike itself."""
    return (x >= 0).astype(x.dtype)


def above(x):
    """Return 1 for x > 0, else 0: the spike of neurons that fire above a threshold."""
    return (x > 0).astype(x.dtype)

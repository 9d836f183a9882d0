"""Reverse-mode differentiation of NumPy arrays: the plain reference for gradients through time.

It knows sums, products and the step function, and nothing of networks: what runs the equations of
`nengo_phasor.dynamics` with these variables is differentiated operation by operation.
"""

from itertools import count

import numpy as np

NUMBERS = count()
"""Variables are numbered as they are made, so that an operation's result comes after its inputs."""


class Var:
    """An array, and the variables that it was made of: pairs of these and of what pulls back."""

    __array_ufunc__ = None  # so that NumPy's numbers leave operations to it

    def __init__(self, value, made_of=()):
        self.value, self.made_of, self.number = np.asarray(value, float), made_of, next(NUMBERS)

    def __add__(self, other):
        value = self.value + value_of(other)
        return Var(value, [(self, lambda g: g), *((o, lambda g: g) for o in variables(other))])

    def __mul__(self, other):
        a, b = self.value, value_of(other)
        return Var(
            a * b, [(self, lambda g: g * b), *((o, lambda g: g * a) for o in variables(other))]
        )

    def __matmul__(self, other):
        a, b = self.value, other.value
        return Var(a @ b, [(self, lambda g: g @ b.T), (other, lambda g: a.T @ g)])

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    def __truediv__(self, other):
        if not isinstance(other, Var):
            return self * (1.0 / other)
        return self * Var(1.0 / other.value, [(other, lambda g: -g / other.value**2)])

    def __abs__(self):
        return Var(abs(self.value), [(self, lambda g: g * np.sign(self.value))])

    __radd__, __rmul__ = __add__, __mul__


def value_of(x):
    return x.value if isinstance(x, Var) else x


def variables(x):
    return [x] if isinstance(x, Var) else []


def step_function(surrogate=None, compare=np.greater_equal):
    """The step function, 1 where ``compare(x, 0)``, with a surrogate's derivative or none."""

    def step(x):
        up = compare(x.value, 0).astype(float)
        if surrogate is None:
            return Var(up)
        return Var(up, [(x, lambda g: g * surrogate.derivative(np, x.value))])

    return step


def gradients(outputs, by_outputs, wanted):
    """The gradients by the wanted variables of a sum of outputs, each weighted by an array."""
    total = {}
    pending = {}

    def give(variable, gradient):
        for _axis in range(gradient.ndim - variable.value.ndim):
            gradient = gradient.sum(axis=0)
        total[variable] = total.get(variable, 0) + gradient
        pending[variable.number] = variable

    for output, gradient in zip(outputs, by_outputs, strict=True):
        give(output, gradient)
    results = dict.fromkeys(wanted)
    while pending:
        variable = pending.pop(max(pending))
        gradient = total.pop(variable)
        if variable in results:
            results[variable] = gradient
        for source, pull in variable.made_of:
            give(source, pull(gradient))
    return [results[variable] for variable in wanted]

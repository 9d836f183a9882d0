"""Integrate-and-fire neurons that are trained through time."""

from __future__ import annotations

import numpy as np
from nengo.dists import Choice
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType
from nengo.params import EnumParam

from nengo_phasor import dynamics
from nengo_phasor.checks import Number
from nengo_phasor.listing import Described
from nengo_phasor.neurons.adaptive import check_intercepts
from nengo_phasor.surrogates import PiecewiseLinear, Surrogate, SurrogateParam, heaviside


class SurrogateLIF(Described, NeuronType):
    r"""A leaky integrate-and-fire neuron that NengoDL trains through time.

    .. math:: \tau_{rc} \frac{dv}{dt} = J - v

    Without a leak, dv/dt = J. The equation is integrated exactly for an input that is constant over
    a step. The neuron spikes, at most once in a step, when v reaches 1; then v is reset. Spikes are
    exact in the forward pass and have the surrogate's derivative in the backward pass; no gradient
    flows through the reset. There is no refractory time, and the voltage has no lower bound:
    without a leak, a negative current must be compensated before the next spike.

    Parameters
    ----------
    tau_rc : float or None
        The time constant of the membrane, in seconds. None removes the leak, which gives an
        integrate-and-fire neuron with a rate of J Hz.
    reset : "subtract" or "zero"
        The effect of a spike on the voltage. "subtract" subtracts 1 and keeps the excess over the
        threshold; "zero" sets the voltage to zero and discards the excess.
    surrogate : `.Surrogate`
        The surrogate for the derivative of a spike with respect to the voltage. By default it is
        `.PiecewiseLinear`.
    amplitude : float
        The amplitude of a spike, which is an output of amplitude/dt for one step.
    initial_state : {str: Distribution or array_like}
        The initial "voltage". By default it is zero.

    Raises
    ------
    nengo.exceptions.ValidationError
        If tau_rc or amplitude is not greater than 0, reset is neither "subtract" nor "zero", or
        surrogate is not a `.Surrogate`. When gains and biases are computed: if a rate is not
        greater than 0 or an intercept is not less than 1.

    References
    ----------
    Neftci, Mostafa and Zenke (2019), Surrogate Gradient Learning in Spiking Neural Networks.
    """

    negative = False
    spiking = True
    state = {"voltage": Choice([0])}  # noqa: RUF012

    tau_rc = Number("tau_rc", low=0, low_open=True, optional=True)
    reset = EnumParam("reset", values=("subtract", "zero"))
    surrogate = SurrogateParam("surrogate")
    amplitude = Number("amplitude", low=0, low_open=True)

    def __init__(
        self,
        tau_rc: float | None = 0.02,
        reset: str = "subtract",
        surrogate: Surrogate | None = None,
        amplitude: float = 1.0,
        initial_state=None,
    ):
        super().__init__(initial_state)
        self.tau_rc = tau_rc
        self.reset = reset
        self.surrogate = PiecewiseLinear() if surrogate is None else surrogate
        self.amplitude = amplitude

    @property
    def found_anew(self) -> set[str]:
        """The surrogate, where it is the one by default."""
        return {"surrogate"} if self.surrogate == PiecewiseLinear() else set()

    def constants(self, dt: float) -> dynamics.LeakyConstants:
        """Return the constants of a step of ``dt`` seconds."""
        return dynamics.leaky_constants(self.tau_rc, self.reset == "zero", self.amplitude, dt)

    def gain_bias(self, max_rates, intercepts):
        """Return gain and bias that make max_rates (Hz) at 1 and the first spikes at intercepts."""
        max_rates = np.atleast_1d(np.asarray(max_rates, dtype=float))
        intercepts = np.atleast_1d(np.asarray(intercepts, dtype=float))
        if np.any(max_rates <= 0):
            raise ValidationError(f"must be > 0 Hz, got {max_rates.min():.4g}", "max_rates", self)
        check_intercepts(self, intercepts)
        highest = dynamics.leaky_rate_inverse(np, max_rates, self.tau_rc)
        gain = (highest - self._rheobase) / (1.0 - intercepts)
        return gain, highest - gain

    def max_rates_intercepts(self, gain, bias):
        """Return the rates at 1, in Hz, and the intercepts, at which firing begins."""
        gain, bias = np.asarray(gain, dtype=float), np.asarray(bias, dtype=float)
        max_rates = dynamics.leaky_rate(np, gain + bias, self.tau_rc)
        return max_rates, (self._rheobase - bias) / gain

    @property
    def _rheobase(self) -> float:
        return 0.0 if self.tau_rc is None else 1.0

    def rates(self, x, gain, bias):
        """Return the mean output for short steps; see `.dynamics.leaky_rate`."""
        J = self.current(x, gain, bias)
        return self.amplitude * dynamics.leaky_rate(np, J, self.tau_rc)

    def step(self, dt, J, output, voltage):
        """Advance one step; see `.dynamics.leaky_spike`."""
        output[...], voltage[...] = dynamics.leaky_spike(
            J, voltage, self.constants(dt), heaviside, heaviside
        )

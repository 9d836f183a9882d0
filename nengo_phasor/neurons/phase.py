"""Neurons that code in phase: resonate-and-fire, and their twin in the phase domain."""

from __future__ import annotations

import numpy as np
from nengo.dists import Choice
from nengo.exceptions import BuildError, ValidationError
from nengo.neurons import NeuronType

from nengo_phasor import dynamics
from nengo_phasor.checks import Number
from nengo_phasor.phases import STEP_TOLERANCE, steps_per_cycle
from nengo_phasor.surrogates import Surrogate, SurrogateParam, heaviside


class PhaseCoding(NeuronType):
    """Base of the neurons that code in phase: their current is their input, without gain or bias.

    They have no firing rate that a constant input sets, so nothing can be decoded from them the
    NEF's way: connect from and to ``ensemble.neurons``.
    """

    def gain_bias(self, max_rates, intercepts):
        """Return gains of 1 and biases of 0: these neurons' weights are their connections'."""
        max_rates = np.atleast_1d(np.asarray(max_rates, dtype=float))
        return np.ones_like(max_rates), np.zeros_like(max_rates)

    def max_rates_intercepts(self, gain, bias):
        """Return zeros: there are no tuning curves."""
        return np.zeros_like(gain), np.zeros_like(gain)

    def rates(self, x, gain, bias):
        """Refuse.

        Raises
        ------
        nengo.exceptions.BuildError
            Always: a constant input sets no firing rate.
        """
        raise BuildError(
            f"{self} codes in phase and has no firing rate to decode: connect from "
            "`ensemble.neurons` (or probe them) instead of from the ensemble"
        )


class ResonateAndFire(PhaseCoding):
    r"""A damped oscillator that spikes at each peak of its voltage, if that is high enough.

    .. math:: \frac{dz}{dt} = \left(-\frac{1}{\tau} + 2 \pi i f\right) z + J

    The voltage is Re z, which the input drives, and the current is Im z. There is a spike where the
    current crosses zero upwards, at the voltage's maximum, if that is at or above the threshold.
    Between two time steps the maximum is interpolated: it is abs(z). Nothing is reset. So the
    spike's phase is that of the sum of the input's phasors, and a layer adds no phase of its own.

    Parameters
    ----------
    frequency : float
        The resonant frequency in Hz.
    tau : float, optional
        Time constant of the decay in seconds. By default five periods.
    threshold : float
        Height of the voltage's peak below which there is no spike. A spike through a weight of 1
        raises the voltage by the amplitude of the neuron that it comes from.
    amplitude : float
        A spike is an output of amplitude/dt for one step.
    initial_state : {str: Distribution or array_like}
        Initial "voltage" and "current". By default both are zero.
    surrogate : `.Surrogate`, optional
        If given, NengoDL trains the neuron through time: exact spikes forwards, this derivative
        backwards. Without, a spike has no derivative.

    Raises
    ------
    nengo.exceptions.ValidationError
        If frequency, tau, threshold or amplitude is not greater than 0. When the network is built
        or run: if dt leaves fewer than 4 steps to a cycle.

    References
    ----------
    Izhikevich (2001), Resonate-and-fire neurons; Olin-Ammentorp (2023), Sparsifying Spiking
    Networks through Local Rhythms, section 2.1, which drives Im z in place of Re z.
    """

    negative = False
    spiking = True
    state = {"voltage": Choice([0]), "current": Choice([0])}  # noqa: RUF012

    frequency = Number("frequency", low=0, low_open=True)
    tau = Number("tau", low=0, low_open=True)
    threshold = Number("threshold", low=0, low_open=True)
    amplitude = Number("amplitude", low=0, low_open=True)
    surrogate = SurrogateParam("surrogate", optional=True)

    def __init__(
        self,
        frequency: float = 10.0,
        tau: float | None = None,
        threshold: float = 0.1,
        amplitude: float = 1.0,
        initial_state=None,
        surrogate: Surrogate | None = None,
    ):
        super().__init__(initial_state)
        self.frequency = frequency
        self.tau = 5.0 / frequency if tau is None else tau
        self.threshold = threshold
        self.amplitude = amplitude
        self.surrogate = surrogate

    def constants(self, dt: float) -> dynamics.ResonateAndFireConstants:
        """Return the constants of a step of ``dt``, refusing one too long to tell phases."""
        steps_per_cycle(self.frequency, dt)
        return dynamics.ResonateAndFireConstants(
            *dynamics.rotation(self.frequency, self.tau, dt),
            dt,
            self.threshold,
            self.amplitude / dt,
            np.tan(2.0 * np.pi * self.frequency * dt * STEP_TOLERANCE),
        )

    def step(self, dt, J, output, voltage, current):
        """Advance one step; see `.dynamics.resonate_and_fire`."""
        output[...], voltage[...], current[...] = dynamics.resonate_and_fire(
            J, voltage, current, self.constants(dt), heaviside
        )


class Phasor(PhaseCoding):
    r"""The phase-domain twin of `ResonateAndFire`, for training.

    An ensemble of 2n such neurons stands for n units, read as shape (2, n): real parts, imaginary
    parts. Its output is its input current's phasor, at length 1:

    .. math:: y = z / |z|

    Real weights act alike on both rows, so connect them through a `nengo.Convolution` over the rows
    with a kernel of 1, as `.networks.PhasorDense` does.

    Parameters
    ----------
    floor : float
        Currents of this length or less have no phase: the output, and the gradient through it, is
        0.

    Raises
    ------
    nengo.exceptions.ValidationError
        If floor is not greater than 0. When the network is run: if the number of neurons is odd.

    References
    ----------
    Olin-Ammentorp and Bazhenov (2022), Deep Phasor Networks.
    """

    floor = Number("floor", low=0, low_open=True)

    def __init__(self, floor: float = 1e-6):
        super().__init__()
        self.floor = floor

    def units(self, n_neurons: int) -> int:
        """Return how many units ``n_neurons`` neurons are, refusing an odd number."""
        if n_neurons % 2:
            raise ValidationError(
                f"{n_neurons} neurons can't be read as real and imaginary parts: an ensemble of n "
                "units needs 2n neurons",
                attr="n_neurons",
                obj=self,
            )
        return n_neurons // 2

    def step(self, dt, J, output):
        """Normalise; see `.dynamics.unit_phasor`."""
        n_units = self.units(J.shape[-1])
        output[..., :n_units], output[..., n_units:] = dynamics.unit_phasor(
            np, J[..., :n_units], J[..., n_units:], self.floor
        )

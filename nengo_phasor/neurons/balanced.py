"""Balanced resonate-and-fire neurons, which learn from signals in time."""

from __future__ import annotations

import numpy as np
from nengo.dists import Choice, Distribution
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike

from nengo_phasor import dynamics
from nengo_phasor.checks import Number, PerNeuron
from nengo_phasor.neurons.mixed import Mixed
from nengo_phasor.neurons.rateless import Rateless
from nengo_phasor.surrogates import DoubleGaussian, Surrogate, SurrogateParam, heaviside

TAU_REFRACTORY = 0.0095
"""The published decay of the refraction, to 0.9 in 1 ms, as a time constant in seconds."""


class BalancedResonateAndFire(Mixed, Rateless):
    r"""A damped oscillator with a smooth reset, whose damping keeps it from diverging.

    .. math::
        \frac{du}{dt} &= b u - \omega v + J, \quad
        \frac{dv}{dt} = \omega u + b v, \quad \omega = 2 \pi f \\
        b &= p(\omega) - d - r q, \quad p(\omega) = \frac{\sqrt{1 - (\omega dt)^2} - 1}{dt} \\
        \frac{dq}{dt} &= -\frac{q}{\tau_q} + \sum_k \delta(t - t_k)

    The equations are integrated by Euler steps. At the divergence boundary p they neither grow nor
    decay, so every damping d > 0 is stable. The neuron spikes where the voltage u reaches the
    threshold plus the refraction q, at most once in a step. Each spike adds 1 to q, which raises
    the threshold and damps the oscillation for a while, in place of a reset.

    The published neuron has steps of 0.01 of its unit of time. With dt = 1 ms this unit is 0.1 s,
    so its angular frequency of 3 is one of 30 rad/s here, f = 4.8 Hz, and its offset b' of 0.1 is a
    damping of 1/s.

    Parameters
    ----------
    frequency : float, (n_neurons,) array_like or nengo.dists.Distribution
        The frequency of the oscillation, in Hz: one for all neurons, one for each, or a
        distribution that is sampled with the ensemble's seed when the network is built.
    damping : float, (n_neurons,) array_like or nengo.dists.Distribution
        The rate d of decay beyond the divergence boundary, in 1/s.
    threshold : float
        The voltage at which a neuron without refraction spikes.
    reset_damping : float
        The rate r of decay that a refraction of 1 adds, in 1/s.
    tau_refractory : float
        The time constant of the refraction's decay, in seconds. The default is the published decay
        to 0.9 in 1 ms.
    amplitude : float
        The amplitude of a spike, which is an output of amplitude/dt for one step.
    initial_state : {str: Distribution or array_like}
        The initial "voltage", "current" and "refraction". By default all are zero.
    surrogate : `.Surrogate`, optional
        The surrogate derivative of a spike, with which layerwise and NengoDL train the neuron
        through time. By default it is the published `.DoubleGaussian`.

    Raises
    ------
    nengo.exceptions.ValidationError
        If frequency, threshold, tau_refractory or amplitude is not greater than 0, or damping or
        reset_damping is negative. When the network is built or run: if a step turns by a radian or
        more, or if an array does not have one value for each neuron.

    References
    ----------
    Higuchi, Kairat, Bohte and Otte (2024), Balanced Resonate-and-Fire Neurons, ICML.
    """

    negative = False
    spiking = True
    state = {"voltage": Choice([0]), "current": Choice([0]), "refraction": Choice([0])}  # noqa: RUF012
    always_shown = ("frequency", "damping")
    per_neuron = ("frequency", "damping")
    trained = ("frequency", "damping")

    frequency = PerNeuron("frequency")
    damping = PerNeuron("damping", low_open=False)
    threshold = Number("threshold", low=0, low_open=True)
    reset_damping = Number("reset_damping", low=0)
    tau_refractory = Number("tau_refractory", low=0, low_open=True)
    amplitude = Number("amplitude", low=0, low_open=True)
    surrogate = SurrogateParam("surrogate")

    def __init__(
        self,
        frequency: float | ArrayLike | Distribution = 5.0,
        damping: float | ArrayLike | Distribution = 5.0,
        threshold: float = 1.0,
        reset_damping: float = 10.0,
        tau_refractory: float = TAU_REFRACTORY,
        amplitude: float = 1.0,
        initial_state=None,
        surrogate: Surrogate | None = None,
    ):
        super().__init__(initial_state)
        self.frequency = frequency
        self.damping = damping
        self.threshold = threshold
        self.reset_damping = reset_damping
        self.tau_refractory = tau_refractory
        self.amplitude = amplitude
        self.surrogate = DoubleGaussian() if surrogate is None else surrogate

    @property
    def found_anew(self) -> set[str]:
        """The surrogate, where it is the one by default."""
        return {"surrogate"} if self.surrogate == DoubleGaussian() else set()

    def constants(self, dt: float) -> dynamics.BalancedConstants:
        """Return the constants of a step of ``dt`` seconds, which must turn by less than 1 rad."""
        self.check_sampled()
        turn = 2.0 * np.pi * np.asarray(self.frequency) * dt
        if np.max(turn) >= 1.0:
            raise ValidationError(
                f"{np.max(self.frequency):g} Hz turns by {np.max(turn):.3g} rad in a step of "
                f"dt = {dt:g} s, and Euler steps of 1 rad or more diverge: use a frequency below "
                f"{1.0 / (2.0 * np.pi * dt):.4g} Hz, or a shorter dt",
                attr="frequency",
                obj=self,
            )
        growth = dynamics.divergence_boundary(turn) - np.asarray(self.damping) * dt
        if self.is_mixed:
            turn, growth = np.broadcast_arrays(turn, growth)
        return dynamics.BalancedConstants(
            turn,
            growth,
            dt,
            self.reset_damping * dt,
            np.exp(-dt / self.tau_refractory),
            self.threshold,
            self.amplitude / dt,
        )

    def limits(self, dt: float) -> dict[str, tuple[float, float]]:
        """Return the range within which training keeps the frequency and the damping."""
        return {"frequency": (1e-6 / dt, 0.99 / (2.0 * np.pi * dt)), "damping": (0.0, 1.0 / dt)}

    def step(self, dt, J, output, voltage, current, refraction):
        """Advance one step; see `.dynamics.balanced_resonate_and_fire`."""
        output[...], voltage[...], current[...], refraction[...] = (
            dynamics.balanced_resonate_and_fire(
                J, voltage, current, refraction, self.constants(dt), heaviside
            )
        )

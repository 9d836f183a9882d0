"""Neurons that code in phase: resonate-and-fire neurons and their phase-domain counterpart."""

from __future__ import annotations

import numpy as np
from nengo.dists import Choice, Distribution
from nengo.exceptions import ValidationError
from numpy.typing import ArrayLike

from nengo_phasor import dynamics
from nengo_phasor.checks import Number, PerNeuron
from nengo_phasor.neurons.mixed import Mixed
from nengo_phasor.neurons.rateless import Rateless
from nengo_phasor.phases import MIN_STEPS_PER_CYCLE, STEP_TOLERANCE, steps_per_cycle
from nengo_phasor.surrogates import Surrogate, SurrogateParam, heaviside


class PhaseCoding(Rateless):
    """Base class of neurons that code in phase. Their current is their input, without gain or bias.

    A constant input does not set their firing rate, so NEF decoding is impossible: connect from and
    to ``ensemble.neurons``.
    """


class ResonateAndFire(Mixed, PhaseCoding):
    r"""A damped oscillator that spikes at each peak of its voltage that reaches the threshold.

    .. math:: \frac{dz}{dt} = \left(-\frac{1}{\tau} + 2 \pi i f\right) z + J

    The voltage is Re z, which the input drives, and the current is Im z. The neuron spikes when the
    current crosses zero upwards, which is at the maximum of the voltage, if this maximum is at or
    above the threshold. A maximum between two time steps is interpolated: it is abs(z). There is no
    reset. The spike therefore has the phase of the sum of the input's phasors, and a layer adds no
    phase of its own.

    An ensemble with an array or a distribution of frequencies is a bank of resonators. Its neurons
    have no common rhythm, so sparsifiers with a clock and conversions refuse it. In a simulator,
    ``sim.data[ensemble.neurons]`` is the neuron type with the sampled values, for instance
    ``sim.data[ensemble.neurons].frequency``.

    Parameters
    ----------
    frequency : float, (n_neurons,) array_like or nengo.dists.Distribution
        The resonant frequency, in Hz: one for all neurons, one for each, or a distribution that is
        sampled with the ensemble's seed when the network is built.
    tau : float, (n_neurons,) array_like or nengo.dists.Distribution, optional
        The time constant of the decay, in seconds. By default it is five periods.
    threshold : float, (n_neurons,) array_like or nengo.dists.Distribution
        The voltage that a peak must reach to cause a spike. A spike through a weight of 1 raises
        the voltage by the amplitude of the neuron that sent it.
    amplitude : float
        The amplitude of a spike, which is an output of amplitude/dt for one step.
    initial_state : {str: Distribution or array_like}
        The initial "voltage" and "current". By default both are zero.
    surrogate : `.Surrogate`, optional
        The surrogate derivative of a spike. If it is given, NengoDL trains the neuron through time,
        with exact spikes in the forward pass and this derivative in the backward pass. Otherwise a
        spike has no derivative.

    Raises
    ------
    nengo.exceptions.ValidationError
        If frequency, tau, threshold or amplitude is not greater than 0. When the network is built
        or run: if a cycle has fewer than 4 time steps, or if an array does not have one value for
        each neuron.

    References
    ----------
    Izhikevich (2001), Resonate-and-fire neurons; Olin-Ammentorp (2023), Sparsifying Spiking
    Networks through Local Rhythms, section 2.1, which drives Im z in place of Re z.
    """

    negative = False
    spiking = True
    state = {"voltage": Choice([0]), "current": Choice([0])}  # noqa: RUF012
    always_shown = ("frequency", "tau")

    per_neuron: tuple[str, ...] = ("frequency", "tau", "threshold")
    trained: tuple[str, ...] = ("frequency", "tau")

    frequency = PerNeuron("frequency")
    tau = PerNeuron("tau", optional=True)
    threshold = PerNeuron("threshold")
    amplitude = Number("amplitude", low=0, low_open=True)
    surrogate = SurrogateParam("surrogate", optional=True)

    def __init__(
        self,
        frequency: float | ArrayLike | Distribution = 10.0,
        tau: float | ArrayLike | Distribution | None = None,
        threshold: float | ArrayLike | Distribution = 0.1,
        amplitude: float = 1.0,
        initial_state=None,
        surrogate: Surrogate | None = None,
    ):
        super().__init__(initial_state)
        self.frequency = frequency
        is_known = tau is None and not isinstance(frequency, Distribution)
        self.tau = 5.0 / self.frequency if is_known else tau
        self.threshold = threshold
        self.amplitude = amplitude
        self.surrogate = surrogate

    def constants(self, dt: float) -> dynamics.ResonateAndFireConstants:
        """Return the constants of a step of ``dt`` seconds, which must resolve phases."""
        self.check_sampled()
        steps_per_cycle(np.max(self.frequency), dt)
        cos, sin = dynamics.rotation(self.frequency, self.tau, dt)
        lean = np.tan(2.0 * np.pi * np.asarray(self.frequency) * dt * STEP_TOLERANCE)
        if self.is_mixed:
            cos, sin, lean, threshold = np.broadcast_arrays(cos, sin, lean, self.threshold)
        else:
            threshold = self.threshold
        return dynamics.ResonateAndFireConstants(cos, sin, dt, threshold, self.amplitude / dt, lean)

    def sampled(self, n_neurons: int, rng: np.random.RandomState) -> ResonateAndFire:
        """Return the neurons with sampled parameters; five periods are those of each neuron."""
        found = super().sampled(n_neurons, rng)
        return found if found.tau is not None else found.with_values(tau=5.0 / found.frequency)

    @property
    def found_anew(self) -> set[str]:
        """Tau, where it is the default of a bank: five periods of each neuron."""
        if isinstance(self.frequency, np.ndarray):
            return {"tau"} if np.array_equal(self.tau, 5.0 / self.frequency) else set()
        return {"tau"} if self.tau is None else set()

    def limits(self, dt: float) -> dict[str, tuple[float, float]]:
        """Return the range within which training keeps the frequency and tau."""
        return {"frequency": (1e-6 / dt, 1.0 / (MIN_STEPS_PER_CYCLE * dt)), "tau": (dt, 1e6 * dt)}

    @property
    def rhythm(self) -> float | None:
        """The frequency that all neurons have, in Hz; None if they may have several."""
        if isinstance(self.frequency, Distribution) or np.ptp(self.frequency) > 0:
            return None
        return float(np.mean(self.frequency))

    def step(self, dt, J, output, voltage, current):
        """Advance one step; see `.dynamics.resonate_and_fire`."""
        output[...], voltage[...], current[...] = dynamics.resonate_and_fire(
            J, voltage, current, self.constants(dt), heaviside
        )


class Phasor(PhaseCoding):
    r"""The phase-domain counterpart of `ResonateAndFire`, for training.

    An ensemble of 2n such neurons represents n units, as an array of shape (2, n): the real parts,
    then the imaginary parts. Its output is the phasor of its input current, normalised to length 1:

    .. math:: y = z / |z|

    Real weights act alike on both rows, so connect ensembles through a `nengo.Convolution` over the
    rows with a kernel of 1, as `.networks.PhasorDense` does.

    Parameters
    ----------
    floor : float
        The length of a current at or below which it has no phase: the output and its gradient are
        then 0.

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
        """Return the number of units that ``n_neurons`` neurons represent, which must be even."""
        if n_neurons % 2:
            raise ValidationError(
                f"{n_neurons} neurons can't represent real and imaginary parts: an ensemble of n "
                "units needs 2n neurons",
                attr="n_neurons",
                obj=self,
            )
        return n_neurons // 2

    def step(self, dt, J, output):
        """Normalise the phasors; see `.dynamics.unit_phasor`."""
        n_units = self.units(J.shape[-1])
        output[..., :n_units], output[..., n_units:] = dynamics.unit_phasor(
            np, J[..., :n_units], J[..., n_units:], self.floor
        )

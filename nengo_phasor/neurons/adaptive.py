"""Spiking neurons with an adaptive threshold, and the rate neurons that approximate them."""

from __future__ import annotations

from typing import Any

import numpy as np
from nengo.dists import Choice
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType
from nengo.params import BoolParam

from nengo_phasor import dynamics
from nengo_phasor.checks import Number, check_positive
from nengo_phasor.listing import Described
from nengo_phasor.surrogates import Surrogate, SurrogateParam, above


def check_intercepts(neurons: NeuronType, intercepts: np.ndarray) -> None:
    """Check that all intercepts are less than 1, where neurons reach their highest rate."""
    if np.any(intercepts >= 1):
        raise ValidationError(
            f"must be less than 1, where the rate is the highest, got {intercepts.max():.4g}",
            attr="intercepts",
            obj=neurons,
        )


class AdaptiveSpikingRate(Described, NeuronType):
    r"""The transfer function of `AdaptiveSpiking`: its mean output at a constant activation.

    .. math:: f(S) = \max\left(0, \frac{h}{\exp\frac{c_1 S + c_2}{c_3 S + c_4} - 1}
              - c_0 + \frac{h}{2}\right)

    The constants are computed from the parameters (`.dynamics.transfer_constants`). Networks are
    trained with these rate neurons. They have all the parameters of the spiking neuron except the
    initial state, so that each can replace the other.

    Parameters
    ----------
    m_f : float
        The fraction of itself by which a spike raises the threshold. It sets the coding precision:
        the smaller m_f, the more spikes represent the same value.
    theta_0 : float, optional
        The threshold at rest, in units of the activation. By default it is m_f.
    tau_gamma, tau_eta : float
        The time constants of the threshold's adaptation and of the refractory response, in seconds.
    tau_phi : float or None
        The time constant of the membrane's filter, in seconds. Use None for no filter, when the
        input is already filtered.
    tau_beta : float
        The time constant of the post-synaptic current, in seconds, which is that of the
        `nengo.Lowpass` on the connections from these neurons. The transfer function was derived for
        tau_beta = tau_eta; the more they differ, the less accurate it is.
    amplitude : float, optional
        The amplitude of a spike, which is an output of amplitude/dt for one step. In the paper's
        terms it is h tau_beta. By default it is chosen such that f(1) = 1. The amplitude of a
        graded spike is this times the threshold; by default it is tau_eta.
    initial_state : {str: Distribution or array_like}
        The initial "voltage", "refraction" and "adaptation" of `AdaptiveSpiking`. By default all
        are zero. The rate neurons have no state and reject an initial state, as Nengo's own rate
        neurons do.
    surrogate : `.Surrogate`, optional
        The surrogate derivative of a spike. If it is given, NengoDL trains the spiking neuron
        through time, with exact spikes in the forward pass and this derivative in the backward
        pass. Otherwise it trains with the transfer function.
    graded : bool
        Whether a spike carries the threshold at which it was sent, instead of the same height as
        every other. The mean output is then that of a rectified linear unit,
        f(S) = max(0, S) amplitude/tau_eta, to within half a spike, so that networks of these units
        need not be trained for spikes. The paper's discussion mentions this.

    Raises
    ------
    nengo.exceptions.ValidationError
        If theta_0, amplitude or a time constant is not greater than 0, or m_f is less than 0; if
        m_f is 0 and theta_0 is not given; if the initial state names an unknown state; or if
        theta_0 is 2 or more, so that an activation of 1 causes no spikes, and no amplitude is
        given.

    References
    ----------
    Zambrano, Nusselder, Scholte and Bohte (2017), Efficient Computation in Adaptive Artificial
    Spiking Neural Networks, equations (4) to (11).
    """

    negative = False
    spiking = False
    always_shown = ("m_f",)

    m_f = Number("m_f", low=0)
    theta_0 = Number("theta_0", low=0, low_open=True)
    tau_gamma = Number("tau_gamma", low=0, low_open=True)
    tau_eta = Number("tau_eta", low=0, low_open=True)
    tau_phi = Number("tau_phi", low=0, low_open=True, optional=True)
    tau_beta = Number("tau_beta", low=0, low_open=True)
    amplitude = Number("amplitude", low=0, low_open=True)
    surrogate = SurrogateParam("surrogate", optional=True)
    graded = BoolParam("graded")

    def __init__(
        self,
        m_f: float = 0.1,
        theta_0: float | None = None,
        tau_gamma: float = 0.015,
        tau_eta: float = 0.05,
        tau_phi: float | None = 0.0025,
        tau_beta: float = 0.05,
        amplitude: float | None = None,
        initial_state=None,
        surrogate: Surrogate | None = None,
        graded: bool = False,
    ):
        super().__init__(initial_state)
        self.surrogate = surrogate
        self.graded = graded
        self.m_f = m_f
        if theta_0 is None and not m_f:
            raise ValidationError("must be given if m_f is 0", attr="theta_0", obj=self)
        self.theta_0 = m_f if theta_0 is None else theta_0
        self.tau_gamma = tau_gamma
        self.tau_eta = tau_eta
        self.tau_phi = tau_phi
        self.tau_beta = tau_beta
        if amplitude is None:
            if self.theta_0 >= 2 and not graded:
                by_default = " (by default m_f)" if theta_0 is None else ""
                raise ValidationError(
                    f"must be less than 2 for an activation of 1 to cause spikes, got "
                    f"{self.theta_0}{by_default}; alternatively, give an amplitude",
                    attr="theta_0",
                    obj=self,
                )
            amplitude = self._transfer().height * tau_beta
        self.amplitude = amplitude

    def _transfer(self, height: float | None = None) -> dynamics.TransferConstants:
        times = (self.tau_gamma, self.tau_eta, self.tau_beta)
        return dynamics.transfer_constants(self.m_f, self.theta_0, *times, height, self.graded)

    @property
    def found_anew(self) -> set[str]:
        """The threshold and the amplitude, where they are the ones that m_f gives."""
        found = {"theta_0"} if self.theta_0 == self.m_f else set()
        if (
            self.theta_0 < 2 or self.graded
        ) and self.amplitude == self._transfer().height * self.tau_beta:
            found.add("amplitude")
        return found

    @property
    def transfer(self) -> dynamics.TransferConstants:
        """The constants of the transfer function."""
        return self._transfer(self.amplitude / self.tau_beta)

    @property
    def _of_rates(self) -> AdaptiveSpikingRate:
        """Neurons of the same spikes whose mean output is their rate times the amplitude."""
        if not self.graded:
            return self
        changes = {"graded": False, "amplitude": 1.0}
        return AdaptiveSpikingRate(**{**self.parameters, **changes})

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters by their names, except for the initial state."""
        times = ("tau_gamma", "tau_eta", "tau_phi", "tau_beta")
        names = ("m_f", "theta_0", *times, "amplitude", "surrogate", "graded")
        return {name: getattr(self, name) for name in names}

    def at_precision(self, m_f: float):
        """Return this neuron type with another m_f, scaling theta_0 in proportion and keeping f(1).

        Raises
        ------
        nengo.exceptions.ValidationError
            If this m_f is 0, so that theta_0 cannot be scaled, or the new m_f is out of range.
        """
        if not self.m_f:
            raise ValidationError(
                "is 0, so theta_0 cannot be scaled in proportion: create new neurons instead",
                "m_f",
                self,
            )
        check_positive(m_f, "m_f", self)
        theta_0 = self.theta_0 * m_f / self.m_f
        if theta_0 >= 2 and not self.graded:
            raise ValidationError(
                f"must be less than {2 * self.m_f / self.theta_0:g} for an activation of 1 to "
                f"cause spikes, got {m_f}",
                attr="m_f",
                obj=self,
            )
        changes = {**self.parameters, "m_f": m_f, "theta_0": theta_0, "amplitude": None}
        at_one = float(dynamics.adaptive_transfer(np, 1.0, self.transfer))
        changes["amplitude"] = at_one * type(self)(**changes).amplitude
        return type(self)(**changes, initial_state=self.initial_state)

    def gain_bias(self, max_rates, intercepts):
        """Return the gain and bias that give max_rates (Hz) at 1 and first spikes at intercepts.

        Raises
        ------
        nengo.exceptions.ValidationError
            If a rate is not between the rate at theta_0/2, where firing begins, and the rate at an
            infinite activation, or if an intercept is 1 or more.
        """
        max_rates = np.atleast_1d(np.asarray(max_rates, dtype=float))
        intercepts = np.atleast_1d(np.asarray(intercepts, dtype=float))
        neurons = self._of_rates
        c, amplitude = neurons.transfer, neurons.amplitude
        least = 0.5 * c.height / amplitude
        top = (c.height / np.expm1(c.ratio * c.c_1 / c.c_3) - c.offset) if c.c_1 else np.inf
        most = (top + 0.5 * c.height) / amplitude
        if np.any(max_rates <= least) or np.any(max_rates >= most):
            raise ValidationError(
                f"must be between {least:.4g} and {most:.4g} Hz, got {max_rates.min():.4g} to "
                f"{max_rates.max():.4g}; a smaller m_f allows higher rates",
                attr="max_rates",
                obj=self,
            )
        check_intercepts(self, intercepts)
        highest = dynamics.adaptive_transfer_inverse(np, max_rates * amplitude, c)
        gain = (highest - 0.5 * self.theta_0) / (1.0 - intercepts)
        return gain, highest - gain

    def max_rates_intercepts(self, gain, bias):
        """Return the rates at 1, in Hz, and the intercepts, at which firing begins."""
        gain, bias = np.asarray(gain, dtype=float), np.asarray(bias, dtype=float)
        neurons = self._of_rates
        means = dynamics.adaptive_transfer(np, gain + bias, neurons.transfer)
        return means / neurons.amplitude, (0.5 * self.theta_0 - bias) / gain

    def rates(self, x, gain, bias):
        """Return the mean output, f(gain x + bias)."""
        return dynamics.adaptive_transfer(np, self.current(x, gain, bias), self.transfer)

    def step(self, dt, J, output):
        """Apply the transfer function; see `.dynamics.adaptive_transfer`."""
        output[...] = dynamics.adaptive_transfer(np, J, self.transfer)


class AdaptiveSpiking(AdaptiveSpikingRate):
    r"""A neuron whose threshold adapts, so that few spikes represent a wide range of values.

    .. math::

        S(t) &= (\phi * J)(t) \qquad \text{spike where } S - \hat{S} > \theta / 2 \\
        \hat{S}(t) &= \sum_j \theta(t_j) \, e^{-(t - t_j)/\tau_\eta} \\
        \theta(t) &= \theta_0 + \sum_j m_f \, \theta(t_j) \, e^{-(t - t_j)/\tau_\gamma}

    The refractory response Shat tracks the activation S to within half the threshold. Every spike
    has the same height, unless spikes are graded: then the post-synaptic current is Shat itself.
    The mean output is that of `AdaptiveSpikingRate`, with which NengoDL trains unless a surrogate
    is given for training through time. Connect the neurons through ``nengo.Lowpass(tau_beta)``,
    which recovers S without a lag, because the spikes lead by tau_eta. To avoid this lead, for
    example in recurrent networks, set tau_phi = tau_eta. The parameters and errors are those of
    `AdaptiveSpikingRate`.

    References
    ----------
    Zambrano, Nusselder, Scholte and Bohte (2017), Efficient Computation in Adaptive Artificial
    Spiking Neural Networks, equations (4) to (7).
    """

    spiking = True
    state = {  # noqa: RUF012
        "voltage": Choice([0]),
        "refraction": Choice([0]),
        "adaptation": Choice([0]),
    }

    def constants(self, dt: float) -> dynamics.AdaptiveConstants:
        """Return the constants of a step of ``dt`` seconds."""
        keep_phi = 0.0 if self.tau_phi is None else np.exp(-dt / self.tau_phi)
        return dynamics.AdaptiveConstants(
            keep_phi,
            np.exp(-dt / self.tau_eta),
            np.exp(-dt / self.tau_gamma),
            self.m_f,
            self.theta_0,
            self.amplitude / dt,
            self.amplitude / dt * self.graded,
        )

    def rates(self, x, gain, bias):
        """Return the mean output: f(gain x + bias) above theta_0/2, and 0 up to it."""
        mean = super().rates(x, gain, bias)
        return np.where(0.5 * self.theta_0 < self.current(x, gain, bias), mean, 0.0)

    def step(self, dt, J, output, voltage, refraction, adaptation):
        """Advance one step; see `.dynamics.adaptive_spike`."""
        output[...], voltage[...], refraction[...], adaptation[...] = dynamics.adaptive_spike(
            J, voltage, refraction, adaptation, self.constants(dt), above
        )

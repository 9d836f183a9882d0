"""Neurons that bind phases: resonate-and-fire neurons and their phase-domain counterpart."""

from __future__ import annotations

import numpy as np
from nengo.exceptions import ValidationError

from nengo_phasor import dynamics
from nengo_phasor.checks import Number
from nengo_phasor.neurons.phase import Phasor, ResonateAndFire
from nengo_phasor.phases import STEP_TOLERANCE
from nengo_phasor.surrogates import heaviside


class BindingResonator(ResonateAndFire):
    r"""Resonate-and-fire neurons whose input is rotated by the phases of two other signals.

    An ensemble of 3n such neurons represents n units, as an array of shape (3, n): the neurons x,
    then the resonators y, then the resonators r. Resonators y and r are driven as
    `ResonateAndFire` neurons are, but send no spikes. They rotate the input of the neurons x:

    .. math:: \frac{dz_x}{dt} = \left(-\frac{1}{\tau} + 2 \pi i f\right) z_x
              + J_x \frac{z_y}{|z_y|} \frac{\bar z_r}{|z_r|}

    The quotient of the two states is slow in a steady rhythm, and each spike in the input of x
    samples it. The neurons x therefore spike at the phase x + y - r. With the reference as r, this
    binds x and y. With y and r exchanged, it unbinds y from x. `.networks.PhaseBind` connects the
    three signals.

    A resonator whose state is at or below the threshold has no phase, and then nothing reaches x.

    An ensemble of 3n + 1 neurons also has the unit of the layer's rhythm, as its last neuron. Its
    input is the mean of the rotated inputs, so it has the mean state of the neurons x, and it
    spikes as they do. `.networks.LocalRhythm` uses it.

    A spike is in the step whose end is nearest to the maximum of the voltage, half a step earlier
    on average than that of a `ResonateAndFire` neuron, so that binding adds no lag to a signal.

    Parameters
    ----------
    frequency : float
        The resonant frequency of all three, in Hz.
    tau : float, optional
        The time constant of the decay, in seconds. By default it is five periods.
    threshold : float
        The voltage that a peak must reach to cause a spike, and that the states of y and r must
        exceed to have a phase.
    amplitude : float
        The amplitude of a spike, which is an output of amplitude/dt for one step.
    initial_state : {str: Distribution or array_like}
        The initial "voltage" and "current". By default both are zero.
    surrogate : `.Surrogate`, optional
        The surrogate derivative of a spike, as in `ResonateAndFire`; NengoDL uses it.

    Raises
    ------
    nengo.exceptions.ValidationError
        If frequency, tau, threshold or amplitude is not greater than 0. When the network is built
        or run: if a cycle has fewer than 4 time steps, or the number of neurons is neither 3n nor
        3n + 1.

    References
    ----------
    Olin-Ammentorp and Bazhenov, Residual and Attentional Architectures for Vector-Symbols, bind
    phases with each other; they do not say how spikes do.
    """

    per_neuron = ()
    trained = ()

    frequency = Number("frequency", low=0, low_open=True)
    tau = Number("tau", low=0, low_open=True)
    threshold = Number("threshold", low=0, low_open=True)

    def constants(self, dt: float) -> dynamics.ResonateAndFireConstants:
        """Return the constants of a step of ``dt`` seconds, which must resolve phases."""
        half_a_step = np.pi * self.frequency * dt * (1.0 + 2.0 * STEP_TOLERANCE)
        return super().constants(dt)._replace(lean=np.tan(half_a_step))

    def units(self, n_neurons: int) -> int:
        """Return the number of units that ``n_neurons`` neurons represent."""
        if n_neurons % 3 == 1 and n_neurons > 1:
            return n_neurons // 3
        return _units(self, n_neurons, 3, "x, y and r")

    def sending(self, n_neurons: int) -> int:
        """Return how many of ``n_neurons`` neurons, the first, send the layer's spikes."""
        return self.units(n_neurons)

    def has_unit(self, n_neurons: int) -> bool:
        """Return whether the last of ``n_neurons`` neurons is the unit of the layer's rhythm."""
        return n_neurons % 3 == 1

    def step(self, dt, J, output, voltage, current):
        """Advance one step; see `.dynamics.bind_spikes`."""
        output[...], voltage[...], current[...] = dynamics.bind_spikes(
            np, J, voltage, current, self.constants(dt), heaviside
        )


class BindingPhasor(Phasor):
    r"""The phase-domain counterpart of `BindingResonator`, for training.

    An ensemble of 6n such neurons represents n units, as an array of shape (2, 3, n): the real
    parts of x, y and r, then their imaginary parts. The output of x is the product of unit phasors,

    .. math:: \frac{z_x}{|z_x|} \frac{z_y}{|z_y|} \frac{\bar z_r}{|z_r|},

    whose phase is x + y - r. The outputs of y and r are 0.

    Parameters
    ----------
    floor : float
        The length of a current at or below which it has no phase: the output and its gradient are
        then 0.

    Raises
    ------
    nengo.exceptions.ValidationError
        If floor is not greater than 0. When the network is run: if the number of neurons is not a
        multiple of 6.

    References
    ----------
    Olin-Ammentorp and Bazhenov, Residual and Attentional Architectures for Vector-Symbols.
    """

    def units(self, n_neurons: int) -> int:
        """Return the number of units that ``n_neurons`` neurons represent."""
        return _units(self, n_neurons, 6, "real and imaginary parts of x, y and r")

    def step(self, dt, J, output):
        """Multiply the phasors; see `.dynamics.bind_phasors`."""
        rows = J.reshape(*J.shape[:-1], 2, 3, self.units(J.shape[-1]))
        bound = dynamics.bind_phasors(np, rows[..., 0, :, :], rows[..., 1, :, :], self.floor)
        output[...] = bound.reshape(J.shape)


def _units(neuron_type, n_neurons, rows, what):
    if n_neurons % rows:
        raise ValidationError(
            f"{n_neurons} neurons can't represent {what}: an ensemble of n units needs {rows}n "
            "neurons",
            attr="n_neurons",
            obj=neuron_type,
        )
    return n_neurons // rows

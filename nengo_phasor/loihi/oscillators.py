"""Compartments of resonate-and-fire neurons, balanced or not; see `.compartments`."""

from __future__ import annotations

import warnings
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import BuildError
from nengo_loihi.block import LoihiBlock

from nengo_phasor import dynamics
from nengo_phasor.loihi import fixed_point
from nengo_phasor.loihi.compartments import Advanced, NeuronCompartment
from nengo_phasor.surrogates import heaviside

PHASE_TOLERANCE = 0.1
"""The greatest phase error of a resonator due to its rounded rotation, in units of pi."""

MEMORY = 0.5
"""The least fraction of a resonator's time constant that must remain after rounding."""

PEAK = 1.25
"""The height, in thresholds, of a resonator's lowest detected peak above which we warn. A peak is
detected if the step after it reaches the threshold."""

MORE = "Use a shorter dt or a lower frequency, or keep the ensemble off the chip: on_chip = False"

CYCLES = 5.0
"""The number of cycles over which a balanced neuron may add up inputs without clipping."""


class OscillatorCompartment(NeuronCompartment):
    """Base class of compartments of oscillators, which sum their inputs from cycle to cycle."""

    @classmethod
    def takes(cls, synapse: nengo.synapses.Synapse) -> bool:
        """Return whether a synapse only waits for a step, as spikes on the chip do anyway."""
        return waits_a_step(synapse)

    @property
    def per_weight(self) -> float:
        """The amount that one spike adds to the voltage, for a weight of 1."""
        return 1.0 / self.dt

    @property
    def threshold(self) -> float | np.ndarray:
        return self.constants.threshold

    @property
    def kept(self) -> np.ndarray:
        """The part of a state that is left after a cycle."""
        raise NotImplementedError("Compartments of oscillators must define kept")

    def headroom(self, fans: tuple[np.ndarray, np.ndarray]) -> float:
        """Return the largest state if every input spikes once per cycle, at any phase."""
        highest = np.max(np.add(*fans) / (1.0 - self.kept), initial=0.0) * self.dt
        return float(highest + 2 * self.largest_start)


class ResonateAndFireCompartment(OscillatorCompartment):
    """Compartments of `.ResonateAndFire` neurons, with real and imaginary part and no synapse."""

    states = ("voltage", "current")
    filters_named = "None, or nengo.Lowpass(0): a filter would shift the phase"
    remedy = "Shorten tau, or use fewer or smaller weights"

    def discretize(self, block: LoihiBlock) -> dict[str, Any]:
        """Convert constants to integers, after checking that these preserve the phase.

        Raises
        ------
        nengo.exceptions.BuildError
            If a neuron's rotation is lost in rounding; see also `.NeuronCompartment.discretize`.
        """
        c = fixed_point.resonate_and_fire_constants(self.constants, 1.0)
        own = np.atleast_1d(self.neuron_type.frequency), np.atleast_1d(self.neuron_type.tau)
        frequency, tau = np.broadcast_arrays(*own)
        error = phase_error(c, 1.0 / (frequency * self.dt))
        remembers = np.hypot(*c.turn[:, 0]) >= np.exp(-self.dt / (MEMORY * tau))
        lost = np.flatnonzero(~(remembers & (np.abs(error) <= PHASE_TOLERANCE)))
        if lost.size:
            raise BuildError(
                f"{self.neurons}: a frequency of {frequency[lost[0]]:g} Hz with tau = "
                f"{tau[lost[0]]:g} s has no rotation of {fixed_point.FACTOR_BITS} bits at dt = "
                f"{self.dt:g} s that preserves the phase. Use a higher frequency, a shorter tau or "
                "a longer dt, or keep the ensemble off the chip with on_chip = False"
            )
        return super().discretize(block)

    @property
    def kept(self) -> np.ndarray:
        """The part of a state that is left after a cycle."""
        return np.exp(-1.0 / (np.asarray(self.neuron_type.tau) * self.neuron_type.frequency))

    def fix(self) -> None:
        """Convert the constants to integers.

        The chip compares the threshold with the voltage of the step after a peak, when z has turned
        further by up to the rotation's angle.
        """
        self.constants = fixed_point.resonate_and_fire_constants(self.constants, self.scale)
        self.neuron_bias = np.round(self.neuron_bias * self.dt * self.scale).astype(np.int32)
        cos, sin = self.constants.turn[:, 0]
        n_steps = 1.0 / (np.max(self.neuron_type.frequency) * self.dt)
        seen = np.min(cos / np.hypot(cos, sin))
        if seen <= 0.0:
            raise BuildError(
                f"{self.neurons}: at {n_steps:.3g} steps per cycle, the voltage may vanish in the "
                f"step after a peak, which the chip compares with the threshold. {MORE}"
            )
        if seen * PEAK < 1.0:
            warnings.warn(
                f"{self.neurons}: at {n_steps:.3g} steps per cycle, spikes at peaks lower than "
                f"{1.0 / seen:.3g} thresholds may be lost: the chip compares the step after a "
                f"peak with the threshold. {MORE}, or lower the threshold",
                stacklevel=2,
            )

    def advance(self, arrived: np.ndarray, states: np.ndarray) -> Advanced:
        """Return the next step."""
        arrived = arrived + self.neuron_bias
        if self.is_fixed:
            return Advanced(*fixed_point.resonate_and_fire(arrived, states, self.constants))
        output, *new = dynamics.resonate_and_fire(arrived, *states, self.constants, heaviside)  # type: ignore[call-arg]
        return Advanced(output > 0, np.array(new, states.dtype))


class BalancedCompartment(OscillatorCompartment):
    """Compartments of `.BalancedResonateAndFire` neurons, with three states and no synapse."""

    states = ("voltage", "current", "refraction")
    filters_named = "None, or nengo.Lowpass(0)"
    remedy = "Use more damping, or fewer or smaller weights"

    @property
    def kept(self) -> np.ndarray:
        """The part of a state that is left after a cycle.

        The damping ends the sum of what cycles add, and at the latest the neuron's own spikes do.
        """
        damping, frequency = self.neuron_type.damping, self.neuron_type.frequency
        return np.exp(-np.maximum(np.divide(damping, frequency), 1.0 / CYCLES))

    def fix(self) -> None:
        """Convert the constants to integers."""
        self.constants = fixed_point.balanced_constants(self.constants, self.scale)
        self.neuron_bias = np.round(self.neuron_bias * self.dt * self.scale).astype(np.int32)

    def advance(self, arrived: np.ndarray, states: np.ndarray) -> Advanced:
        """Return the next step."""
        arrived = arrived + self.neuron_bias
        if self.is_fixed:
            return Advanced(
                *fixed_point.balanced_resonate_and_fire(arrived, states, self.constants)
            )
        output, *new = dynamics.balanced_resonate_and_fire(  # type: ignore[call-arg]
            arrived, *states, self.constants, heaviside
        )
        return Advanced(output > 0, np.array(new, states.dtype))


def waits_a_step(synapse: nengo.synapses.Synapse) -> bool:
    """Return whether a synapse is a delay of a step in Nengo, and no filter."""
    return isinstance(synapse, nengo.Lowpass) and synapse.tau == 0


def phase_error(c: fixed_point.ResonateAndFireConstants, steps_per_cycle: np.ndarray) -> np.ndarray:
    """Return the phase errors of resonators with rounded rotations, in units of pi.

    Spikes in every cycle add up to 1 / (1 - r), where r is the rotation of one cycle. This is a
    real number if the frequency is exact.
    """
    cos, sin = c.turn[:, 0]
    r = (cos + 1j * sin) ** steps_per_cycle
    return np.angle(1.0 / (1.0 - r)) / np.pi

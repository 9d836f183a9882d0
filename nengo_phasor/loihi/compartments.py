"""Compartments that Loihi 1 does not have: of resonate-and-fire and of adaptive spiking neurons.

Each is a `nengo_loihi.block.Compartment` with the constants of its neurons, in floats until it is
discretised, and one method that advances the neurons' states.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.exceptions import BuildError
from nengo_loihi.block import Compartment, LoihiBlock, SynapseConfig

from nengo_phasor import dynamics
from nengo_phasor.builders import explained
from nengo_phasor.loihi import fixed_point
from nengo_phasor.surrogates import above, heaviside

STATE_KEY = "state_"
"""What the key of a probe of our neurons' states begins with."""

PHASE_TOLERANCE = 0.1
"""Of a resonator: how far, in units of pi, its rounded rotation may move the phase."""

MEMORY = 0.5
"""Of a resonator: what fraction of its time constant must be left by rounding."""

PEAK = 1.25
"""Of a resonator: how many thresholds a peak may have to be high, for the step behind it to reach
the threshold, before a warning says so."""

RATE = 200.0
"""Of the spikes (Hz) at which all inputs of an adaptive neuron may come without being clipped."""

LEAST_THRESHOLD = 16
"""The smallest threshold, as a state, that rounding leaves precise enough."""

EXPONENTS = range(7, -8, -1)
"""Of the weights, from the finest states to the coarsest. nengo-loihi begins at 0 for the sake of
its thresholds' 17 bits; states of few units would fade by what each step rounds away."""

MORE = "Take a shorter dt or a lower frequency, or keep the ensemble off the chip: on_chip = False"

NO_WEIGHT = 1e-8
"""The largest weight that nengo-loihi takes for none."""


class Advanced(NamedTuple):
    """A time step of a compartment's neurons.

    Attributes
    ----------
    spiked : (n,) ndarray of bool
        Where there are spikes.
    states : (n_states, n) ndarray
        The new states.
    outside : (..., n) ndarray of bool, optional
        Where values were clipped.
    """

    spiked: np.ndarray
    states: np.ndarray
    outside: np.ndarray | None = None


class NeuronCompartment(Compartment):
    """Base class: what the emulator needs of neurons that it advances itself.

    A subclass says what its neurons' states are, how large they become, and how a step is taken,
    before and after it is discretised; `.register` puts it to use. The neuron type has to have a
    method ``constants(dt)``, which returns a NamedTuple of numbers or arrays that end in the number
    of neurons.

    Parameters
    ----------
    neurons : nengo.ensemble.Neurons
        Named in errors.
    bias : (n,) ndarray
        Of the neurons' currents.
    initial : {str: (n,) ndarray}
        The states to begin with, by name.
    dt : float
        The time step in seconds.

    Attributes
    ----------
    states : tuple of str
        Names of the states.
    scale : float
        As what number a state of 1 is held.
    is_fixed : bool
        Whether it is discretised.
    filters, filters_named : tuple of types, str
        Of the synapses before the neurons, besides None; and how to say what they can be.
    remedy : str
        What to do if states don't fit into their bits.
    """

    states: tuple[str, ...]
    filters: tuple[type, ...] = ()
    filters_named = "None"
    remedy = "Take fewer or smaller weights"

    def __init__(self, neurons: nengo.ensemble.Neurons, bias, initial, dt: float):
        super().__init__(len(bias), label=str(neurons.ensemble))
        self.neurons = neurons
        self.dt = dt
        self.constants = explained(neurons, neurons.ensemble.neuron_type.constants, dt)
        self.neuron_bias = np.array(bias, dtype=np.float32)
        self.initial = {k: np.broadcast_to(v, len(bias)) for k, v in initial.items()}
        self.scale = 1.0
        self.is_fixed = False
        # nengo-loihi's own update must find nothing to do
        self.vth[:] = np.inf

    def part(self, indices: list[int]) -> NeuronCompartment:
        """Return the compartment of some of the neurons."""
        new = copy.copy(self)
        new.n_compartments = len(indices)
        new.neuron_bias = self.neuron_bias[indices]
        new.initial = {k: v[indices] for k, v in self.initial.items()}
        for name in ("decay_u", "decay_v", "refract_delay", "vth", "bias", "enable_noise"):
            setattr(new, name, getattr(self, name)[indices].copy())
        return new

    @classmethod
    def joined(cls, parts: list[NeuronCompartment]) -> NeuronCompartment:
        """Return one compartment of all neurons, to advance them together."""
        new = copy.copy(parts[0])
        new.n_compartments = sum(part.n_compartments for part in parts)
        new.constants = type(new.constants)(
            *(
                np.concatenate(
                    [
                        np.broadcast_to(x, (*np.shape(x)[:-1], part.n_compartments))
                        for part, x in zip(parts, xs, strict=True)
                    ],
                    axis=-1,
                )
                for xs in zip(*(part.constants for part in parts), strict=True)
            )
        )
        for name in ("neuron_bias", "decay_u"):
            setattr(new, name, np.concatenate([getattr(part, name) for part in parts]))
        return new

    @property
    def largest_start(self) -> float:
        """The largest of the initial states."""
        return max((np.max(np.abs(v), initial=0.0) for v in self.initial.values()), default=0.0)

    @property
    def per_weight(self) -> float:
        """What one spike adds to the state over time, for a weight of 1."""
        raise NotImplementedError("Compartments must say what a spike adds")

    @property
    def threshold(self) -> float:
        """The threshold, as a state."""
        raise NotImplementedError("Compartments must have a threshold")

    def headroom(self, fans: tuple[np.ndarray, np.ndarray]) -> float:
        """Return the largest state, given the sums of each neuron's weights of either sign."""
        raise NotImplementedError("Compartments must say how large states become")

    def fix(self) -> None:
        """Turn constants and bias into whole numbers, given ``scale``."""
        raise NotImplementedError("Compartments must say what is held as whole numbers")

    def advance(self, arrived: np.ndarray, states: np.ndarray) -> Advanced:
        """Return the next step, given what spikes bring and the states, (n_states, n)."""
        raise NotImplementedError("Compartments must say how a step is taken")

    def start(self, dtype: np.dtype) -> np.ndarray:
        """Return the states to begin with, (n_states, n), in the order of ``states``."""
        rows = [self.initial.get(name, np.zeros(self.n_compartments)) for name in self.states]
        values = np.multiply(rows, self.scale)
        return (fixed_point.clip(np.round(values))[0] if self.is_fixed else values).astype(dtype)

    def discretize(self, block: LoihiBlock) -> dict[str, Any]:
        """Turn constants into whole numbers; return the scales, as nengo-loihi's function does.

        The weights get the largest exponent with which nothing is clipped that the neurons are made
        for; see `headroom`.

        Raises
        ------
        nengo.exceptions.BuildError
            If with no exponent, or if the threshold is lost in rounding.
        """
        fans = fan_in(block)
        if not np.all(np.isfinite(fans)):
            raise BuildError(f"{self.neurons}: weights are not finite; look at its connections")
        w_max = max((synapse.max_abs_weight() for synapse in block.synapses), default=0.0)
        w_max = max(w_max, NO_WEIGHT)
        highest = self.headroom(fans)
        needed = max(highest, self.threshold)
        for w_exp in EXPONENTS:
            per_unit = SynapseConfig.get_scale(w_exp) * self.per_weight
            w_scale = 2**20 / needed / per_unit if w_max == NO_WEIGHT else 255.0 / w_max
            scale = w_scale * per_unit
            if needed * scale <= fixed_point.HIGHEST:
                break
        else:
            remedy = self.remedy
            if highest < self.threshold:
                remedy = "Make the weights larger, or the threshold lower"
            raise BuildError(
                f"{self.neurons}: a state of up to {needed:.3g} beside a largest weight of "
                f"{w_max * self.dt:.3g} does not fit into {fixed_point.STATE_BITS} bits. "
                f"{remedy}, or keep the ensemble off the chip with on_chip = False"
            )
        if self.threshold * scale < LEAST_THRESHOLD:
            raise BuildError(
                f"{self.neurons}: a threshold of {self.threshold:.3g} is held as "
                f"{self.threshold * scale:.1f} beside a largest weight of {w_max * self.dt:.3g}: "
                "too coarse. Make the weights smaller, or the threshold higher"
            )
        self.scale = float(scale)
        self.fix()
        self.is_fixed = True
        self.scale_u = self.scale_v = False
        self.decay_u, self.decay_v, self.bias = np.zeros((3, self.n_compartments), np.int32)
        self.vth = np.full(self.n_compartments, np.iinfo(np.int32).max, np.int32)
        self.vmin, self.vmax = 0, 0
        self.discretize_info = {
            "w_max": w_max,
            "w_exp": w_exp,
            "v_scale": self.scale,
            "b_scale": self.scale,
            "w_scale": w_scale,
        }
        return self.discretize_info


class ResonateAndFireCompartment(NeuronCompartment):
    """Compartments of `.ResonateAndFire` neurons: real and imaginary part, no synapse."""

    states = ("voltage", "current")
    filters_named = "None: a filter would shift the phase"
    remedy = "Shorten tau, or take fewer or smaller weights"

    def __init__(self, neurons, bias, initial, dt):
        super().__init__(neurons, bias, initial, dt)
        neuron_type = neurons.ensemble.neuron_type
        c = fixed_point.resonate_and_fire_constants(self.constants, 1.0)
        error = phase_error(c, 1.0 / (neuron_type.frequency * dt))
        remembers = np.hypot(*c.turn.ravel()) >= np.exp(-dt / (MEMORY * neuron_type.tau))
        if not (remembers and abs(error) <= PHASE_TOLERANCE):
            raise BuildError(
                f"{neurons}: a frequency of {neuron_type.frequency:g} Hz with tau = "
                f"{neuron_type.tau:g} s has no rotation of {fixed_point.FACTOR_BITS} bits at dt = "
                f"{dt:g} s that keeps the phase. Take a higher frequency, a shorter tau or a "
                "longer dt, or keep the ensemble off the chip with on_chip = False"
            )

    @property
    def per_weight(self) -> float:
        """What one spike adds to the voltage, for a weight of 1."""
        return 1.0 / self.dt

    @property
    def threshold(self) -> float:
        return self.constants.threshold

    def headroom(self, fans: tuple[np.ndarray, np.ndarray]) -> float:
        """Return the largest |z| if every input spikes once a cycle, in whatever phase."""
        neuron_type = self.neurons.ensemble.neuron_type
        kept = np.exp(-1.0 / (neuron_type.tau * neuron_type.frequency))
        highest = np.max(np.add(*fans), initial=0.0) * self.dt / (1.0 - kept)
        return float(highest + 2 * self.largest_start)

    def fix(self) -> None:
        """Turn the constants into whole numbers.

        The chip compares the voltage of the step behind a peak with the threshold, which by then
        has turned by up to the rotation's angle.
        """
        self.constants = fixed_point.resonate_and_fire_constants(self.constants, self.scale)
        self.neuron_bias = np.round(self.neuron_bias * self.dt * self.scale).astype(np.int32)
        cos, sin = self.constants.turn.ravel()
        n_steps = 1.0 / (self.neurons.ensemble.neuron_type.frequency * self.dt)
        seen = cos / np.hypot(cos, sin)
        if seen <= 0.0:
            raise BuildError(
                f"{self.neurons}: at {n_steps:.3g} steps a cycle nothing is sure to be left of a "
                f"peak in the step behind it, which the chip compares with the threshold. {MORE}"
            )
        if seen * PEAK < 1.0:
            warnings.warn(
                f"{self.neurons}: at {n_steps:.3g} steps a cycle, spikes at peaks lower than "
                f"{1.0 / seen:.3g} thresholds may be lost: the chip compares the step behind a "
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


class AdaptiveCompartment(NeuronCompartment):
    """Compartments of `.AdaptiveSpiking` neurons behind a lowpass synapse, or none."""

    states = ("synapse", "voltage", "refraction", "adaptation")
    filters = (nengo.Lowpass,)
    filters_named = "a nengo.Lowpass or None"
    remedy = "Take fewer or smaller weights, or a smaller bias"

    def __init__(self, neurons, bias, initial, dt):
        super().__init__(neurons, bias, initial, dt)
        for name in ("keep_phi", "keep_eta", "keep_gamma"):
            if fixed_point.factor(getattr(self.constants, name)) >= 1.0:
                tau = name.replace("keep", "tau")
                value = getattr(neurons.ensemble.neuron_type, tau)
                raise BuildError(
                    f"{neurons}: a {tau} of {value:g} s never decays in factors of "
                    f"{fixed_point.FACTOR_BITS} bits at dt = {dt:g} s. Shorten it, or keep the "
                    "ensemble off the chip with on_chip = False"
                )

    @property
    def per_weight(self) -> float:
        """The sum over time of what one spike adds to the current, for a weight of 1."""
        return float(1.0 / (1.0 - self.keep[0]))

    @property
    def keep(self) -> np.ndarray:
        """What the synapse keeps in a step, as factors."""
        return fixed_point.factor(1.0 - self.decay_u)

    @property
    def threshold(self) -> float:
        return self.constants.theta_0

    def headroom(self, fans: tuple[np.ndarray, np.ndarray]) -> float:
        """Return the largest state if all inputs of one sign spike at once, at `RATE`.

        The refraction is up to twice the current, the first of a neuron's spikes taking it there.
        """
        steps = max(1.0, 1.0 / (RATE * self.dt))
        peak = (1.0 - self.keep[0]) / (1.0 - self.keep[0] ** steps)
        highest = np.max(np.maximum(*fans), initial=0.0) * peak
        bias = np.max(np.abs(self.neuron_bias), initial=0.0)
        return float(2 * (highest + bias + self.largest_start))

    def fix(self) -> None:
        """Turn the constants into whole numbers."""
        self.constants = fixed_point.adaptive_constants(
            self.constants, self.keep, self.neuron_bias, self.scale
        )

    def advance(self, arrived: np.ndarray, states: np.ndarray) -> Advanced:
        """Return the next step."""
        if self.is_fixed:
            spiked, *new, outside = fixed_point.adaptive_spike(arrived, *states, self.constants)  # type: ignore[call-arg]
            return Advanced(spiked, np.array(new), outside)
        synapse = (1 - self.decay_u) * states[0] + self.decay_u * arrived
        J = synapse + self.neuron_bias
        output, *new = dynamics.adaptive_spike(J, *states[1:], self.constants, above)  # type: ignore[call-arg]
        return Advanced(output > 0, np.array([synapse, *new], states.dtype))


def phase_error(c: fixed_point.ResonateAndFireConstants, steps_per_cycle: float) -> float:
    """Return how far a rounded rotation moves the phase of a resonator, in units of pi.

    Spikes in every cycle add up to 1 / (1 - r), r being the rotation of one cycle; that is a real
    number where the frequency is exact.
    """
    cos, sin = c.turn.ravel()
    r = (cos + 1j * sin) ** steps_per_cycle
    return float(np.angle(1.0 / (1.0 - r)) / np.pi)


def fan_in(block: LoihiBlock) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of the positive and of the negative weights of each compartment."""
    sums = np.zeros((2, block.n_neurons))
    for synapse in block.synapses:
        for axon in range(synapse.n_axons):
            base = synapse.axon_compartment_base(axon)
            if base is None:
                continue
            index = synapse.axon_weight_idx(axon)
            targets = base + synapse.indices[index]
            for sign, total in zip((1, -1), sums, strict=True):
                np.add.at(total, targets, np.maximum(sign * synapse.weights[index], 0))
    return sums[0], sums[1]

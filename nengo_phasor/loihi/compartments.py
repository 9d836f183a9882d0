"""Compartments of neurons that Loihi 1 does not have, and those of adaptive spiking neurons.

Each is a `nengo_loihi.block.Compartment` with the constants of its neurons, which are floats until
it is discretised, and one method that advances the neurons' states.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import nengo
import numpy as np
from nengo.exceptions import BuildError
from nengo_loihi.block import Compartment, LoihiBlock, SynapseConfig

from nengo_phasor import dynamics
from nengo_phasor.loihi import fixed_point
from nengo_phasor.surrogates import above
from nengo_phasor.wiring import explained

STATE_KEY = "state_"
"""The prefix of the keys of probes of our neurons' states."""

RATE = 200.0
"""The rate (Hz) at which all inputs of an adaptive neuron may spike without clipping."""

LEAST_THRESHOLD = 16
"""The smallest threshold, in units of the state, that is precise enough after rounding."""

EXPONENTS = range(7, -8, -1)
"""The exponents of the weights, from the finest states to the coarsest. nengo-loihi begins at 0
because its thresholds have 17 bits; here coarse states would decay through rounding."""

NO_WEIGHT = 1e-8
"""The largest weight that nengo-loihi treats as zero."""


class Advanced(NamedTuple):
    """The result of a time step of a compartment's neurons.

    Attributes
    ----------
    spiked : (n,) ndarray of bool
        Whether each neuron spiked.
    states : (n_states, n) ndarray
        The new states.
    outside : (..., n) ndarray of bool, optional
        Whether values were clipped.
    """

    spiked: np.ndarray
    states: np.ndarray
    outside: np.ndarray | None = None


class NeuronCompartment(Compartment):
    """Base class of the compartments of neurons that our emulator advances.

    A subclass defines the states of its neurons, their size, and a step of them, before and after
    discretisation. `.register` makes the emulator use it. The neuron type must have a method
    ``constants(dt)``, which returns a NamedTuple of numbers or of arrays whose last axis is that of
    the neurons.

    Parameters
    ----------
    neurons : nengo.ensemble.Neurons
        The neurons, which are named in errors.
    bias : (n,) ndarray
        The biases of the neurons' currents.
    initial : {str: (n,) ndarray}
        The initial states by name.
    dt : float
        The time step, in seconds.
    neuron_type : nengo.neurons.NeuronType, optional
        The neurons with sampled parameters, if they have parameters that may differ.

    Attributes
    ----------
    states : tuple of str
        The names of the states.
    scale : float
        The number that represents a state of 1.
    is_fixed : bool
        Whether the compartment is discretised.
    filters, filters_named : tuple of types, str
        The allowed types of synapses of the connections to the neurons, besides None, and their
        description for errors.
    remedy : str
        The remedy, for errors, if states do not fit into their bits.
    """

    states: tuple[str, ...]
    filters: tuple[type, ...] = ()
    filters_named = "None"
    remedy = "Use fewer or smaller weights"

    def __init__(
        self,
        neurons: nengo.ensemble.Neurons,
        bias,
        initial,
        dt: float,
        neuron_type: nengo.neurons.NeuronType | None = None,
    ):
        super().__init__(len(bias), label=str(neurons.ensemble))
        self.neurons = neurons
        self.neuron_type = neuron_type or neurons.ensemble.neuron_type
        self.dt = dt
        self.constants = explained(neurons, self.neuron_type.constants, dt)
        self.neuron_bias = np.array(bias, dtype=np.float32)
        self.initial = {k: np.broadcast_to(v, len(bias)) for k, v in initial.items()}
        self.scale = 1.0
        self.is_fixed = False
        # nengo-loihi's own update must have no effect
        self.vth[:] = np.inf

    def part(self, indices: list[int]) -> NeuronCompartment:
        """Return the compartment of the neurons with the given indices."""
        new = copy.copy(self)
        new.n_compartments = len(indices)
        new.neuron_bias = self.neuron_bias[indices]
        new.initial = {k: v[indices] for k, v in self.initial.items()}
        own = (_of_some(x, indices, self.n_compartments) for x in self.constants)
        new.constants = type(self.constants)(*own)
        for name in ("decay_u", "decay_v", "refract_delay", "vth", "bias", "enable_noise"):
            setattr(new, name, getattr(self, name)[indices].copy())
        return new

    @classmethod
    def joined(cls, parts: list[NeuronCompartment]) -> NeuronCompartment:
        """Return one compartment of all neurons, which advances them together."""
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

    @classmethod
    def takes(cls, synapse: nengo.synapses.Synapse) -> bool:
        """Return whether a connection to the neurons may have a synapse."""
        return isinstance(synapse, cls.filters)

    @property
    def largest_start(self) -> float:
        """The largest absolute value of the initial states."""
        return max((np.max(np.abs(v), initial=0.0) for v in self.initial.values()), default=0.0)

    @property
    def per_weight(self) -> float:
        """The total that one spike adds to the state over time, for a weight of 1."""
        raise NotImplementedError("Compartments must define per_weight")

    @property
    def threshold(self) -> float | np.ndarray:
        """The threshold, in units of the state; an array if neurons differ."""
        raise NotImplementedError("Compartments must define a threshold")

    def headroom(self, fans: tuple[np.ndarray, np.ndarray]) -> float:
        """Return the largest state, given the sums of each neuron's weights of either sign."""
        raise NotImplementedError("Compartments must define headroom")

    def fix(self) -> None:
        """Convert constants and biases to integers, given ``scale``."""
        raise NotImplementedError("Compartments must define fix")

    def advance(self, arrived: np.ndarray, states: np.ndarray) -> Advanced:
        """Return the next step, given the spikes' input, (n,), and the states, (n_states, n)."""
        raise NotImplementedError("Compartments must define advance")

    def start(self, dtype: np.dtype) -> np.ndarray:
        """Return the initial states, (n_states, n), in the order of ``states``."""
        rows = [self.initial.get(name, np.zeros(self.n_compartments)) for name in self.states]
        values = np.multiply(rows, self.scale)
        return (fixed_point.clip(np.round(values))[0] if self.is_fixed else values).astype(dtype)

    def discretize(self, block: LoihiBlock) -> dict[str, Any]:
        """Convert constants to integers; return the scales, as nengo-loihi's function does.

        The weights get the largest exponent with which the expected states are not clipped; see
        `headroom`.

        Raises
        ------
        nengo.exceptions.BuildError
            If there is no such exponent, or if the threshold is lost in rounding.
        """
        fans = fan_in(block)
        if not np.all(np.isfinite(fans)):
            raise BuildError(f"{self.neurons}: weights are not finite: check its connections")
        w_max = max((synapse.max_abs_weight() for synapse in block.synapses), default=0.0)
        w_max = max(w_max, NO_WEIGHT)
        highest, lowest = self.headroom(fans), float(np.min(self.threshold))
        needed = max(highest, float(np.max(self.threshold)))
        for w_exp in EXPONENTS:
            per_unit = SynapseConfig.get_scale(w_exp) * self.per_weight
            w_scale = 2**20 / needed / per_unit if w_max == NO_WEIGHT else 255.0 / w_max
            scale = w_scale * per_unit
            if needed * scale <= fixed_point.HIGHEST:
                break
        else:
            remedy = self.remedy
            if highest < np.max(self.threshold):
                remedy = "Make the weights larger, or the threshold lower"
            raise BuildError(
                f"{self.neurons}: a state of up to {needed:.3g} beside a largest weight of "
                f"{w_max * self.dt:.3g} does not fit into {fixed_point.STATE_BITS} bits. "
                f"{remedy}, or keep the ensemble off the chip with on_chip = False"
            )
        if lowest * scale < LEAST_THRESHOLD:
            raise BuildError(
                f"{self.neurons}: a threshold of {lowest:.3g} is held as "
                f"{lowest * scale:.1f} beside a largest weight of {w_max * self.dt:.3g}: "
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


class AdaptiveCompartment(NeuronCompartment):
    """Compartments of `.AdaptiveSpiking` neurons, with a lowpass synapse or none."""

    states = ("synapse", "voltage", "refraction", "adaptation")
    filters = (nengo.Lowpass,)
    filters_named = "a nengo.Lowpass or None"
    remedy = "Use fewer or smaller weights, or a smaller bias"

    def __init__(self, neurons, bias, initial, dt):
        super().__init__(neurons, bias, initial, dt)
        if self.constants.graded:
            raise BuildError(
                f"{neurons}: its spikes are graded, but a spike of the emulated chip, the first "
                "Loihi, carries no number. Use graded = False, or keep the ensemble off the chip "
                "with on_chip = False"
            )
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
        """The sum over time of the current due to one spike, for a weight of 1."""
        return float(1.0 / (1.0 - self.keep[0]))

    @property
    def keep(self) -> np.ndarray:
        """The fraction that the synapse keeps in a step, as factors."""
        return fixed_point.factor(1.0 - self.decay_u)

    @property
    def threshold(self) -> float:
        return self.constants.theta_0

    def headroom(self, fans: tuple[np.ndarray, np.ndarray]) -> float:
        """Return the largest state if all inputs of one sign spike at once, at `RATE`.

        The refraction is up to twice the current, which it reaches at a neuron's first spike.
        """
        steps = max(1.0, 1.0 / (RATE * self.dt))
        peak = (1.0 - self.keep[0]) / (1.0 - self.keep[0] ** steps)
        highest = np.max(np.maximum(*fans), initial=0.0) * peak
        bias = np.max(np.abs(self.neuron_bias), initial=0.0)
        return float(2 * (highest + bias + self.largest_start))

    def fix(self) -> None:
        """Convert the constants to integers."""
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


def _of_some(constant, indices: list[int], n: int):
    """Return a constant of some of n neurons, which may be one number for all."""
    each = np.ndim(constant) and np.shape(constant)[-1] == n
    return np.asarray(constant)[..., indices] if each else constant


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

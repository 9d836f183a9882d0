"""Every neuron type and spike synapse, and what the tests need of it: one entry a type.

A new type is tested by adding its entry to `TYPES`: the tests of all types and of agreement between
the substrates are parametrised over its examples. Those of the emulator leave out a type whose
entry has no ``chip``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
from nengo.dists import Choice, Uniform

from nengo_phasor import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    ArcSparsifier,
    AssumeReference,
    AssumeRhythm,
    AttendingPhasor,
    AttendingResonator,
    BalancedResonateAndFire,
    BindingPhasor,
    BindingResonator,
    DifferenceSparsifier,
    FieldSparsifier,
    PhaseEncoder,
    Phasor,
    RandomSparsifier,
    ReactiveSparsifier,
    ResonateAndFire,
    RhythmSparsifier,
    SurrogateLIF,
    phases,
    surrogates,
)
from tests.bounds import adaptive_bound, balanced_bound, resonator_bound

N = 6
"""The inputs of an example, and the neurons."""

# ------------------------------------------------------------------------- signals that drive types


def rhythmic_spikes(obj, rng, n_steps, dt):
    """Return spikes that are neither quite periodic nor quite regular, of the rhythm's height."""
    return raster(obj, rng, n_steps, dt) * (getattr(obj, "amplitude", 1.0) / dt)


def rhythmic_currents(obj, rng, n_steps, dt):
    """Return currents with a rhythm that is not quite the neuron's."""
    spikes = raster(obj, rng, n_steps, dt)
    return spikes @ rng.normal(0, 0.7, (N, N)) / dt + rng.normal(0, 0.01, (n_steps, N))


def raster(obj, rng, n_steps, dt):
    """Return where `rhythmic_spikes` has spikes."""
    own = getattr(obj, "rhythm", getattr(obj, "frequency", 10.0))  # a bank has no rhythm
    frequency = 0.97 * (own or 10.0)
    n_cycles = int(np.ceil(n_steps * frequency * dt))
    found = phases.to_raster(rng.uniform(-1, 1, (4, N)), frequency, n_cycles, dt)[:, :n_steps]
    found = found[0] | (found[1] & (rng.rand(n_steps, 1) < 0.3))
    return found & (rng.rand(n_steps, N) < 0.9)


def noisy_levels(obj, rng, n_steps, dt):
    """Return noisy currents that change their level, for neurons that integrate."""
    levels = np.repeat(rng.normal(0.5, 1, (-(-n_steps // 60), N)), 60, axis=0)[:n_steps]
    return levels + rng.normal(0, 0.2, (n_steps, N))


def strong_levels(obj, rng, n_steps, dt):
    """Return the same, strong enough for neurons with a threshold of 1, without leak or with."""
    return (4 if obj.tau_rc else 100) * noisy_levels(obj, rng, n_steps, dt)


def resonant_currents(obj, rng, n_steps, dt):
    """Return noisy currents that oscillate at 3 to 8 Hz, for balanced oscillators."""
    t = np.arange(n_steps)[:, None] * dt
    wave = 40 * np.sin(2 * np.pi * (rng.uniform(3, 8, N) * t + rng.uniform(0, 1, N)))
    return wave + rng.normal(0, 60, (n_steps, N))


def changing_phases(obj, rng, n_steps, dt):
    """Return phases that change."""
    return np.repeat(rng.uniform(-1, 1, (-(-n_steps // 150), N)), 150, axis=0)[:n_steps]


# ------------------------------------------------------------------------------------------ entries


@dataclass(frozen=True)
class Chip:
    """How the tests of the emulator drive a neuron type, and how far bits may move its states.

    ``bound`` is one of `tests.bounds`; ``synapse`` and ``weight`` (the weights' scale) bring spikes
    to the neurons, whose state they reach ``delay`` steps later than in Nengo. At least the part
    ``known`` of the bounds is finite.
    """

    bound: Callable
    synapse: nengo.synapses.Synapse | None = None
    weight: float = 1.0
    delay: int = 0
    known: float = 1.0


@dataclass(frozen=True)
class Entry:
    """A type: examples, the signal that makes them do things, and parameters' values it refuses.

    ``needed`` are the arguments that the type can't do without.
    """

    examples: tuple
    drive: Callable[[Any, np.random.RandomState, int, float], np.ndarray]
    refused: dict[str, tuple]
    needed: dict[str, Any] = field(default_factory=dict)
    chip: Chip | None = None


POSITIVE = (0, -1.5, math.nan, math.inf, True, "fast", [1.0, 2.0])
EACH = (*POSITIVE[:-1], [1.0, -2.0], [1.0, math.nan], [[1.0, 2.0]], [], [True, True])
FRACTION = (-0.01, 1.01, math.nan, math.inf, True, "most", [0.1, 0.2])

SURROGATE = (1.0, surrogates.FastSigmoid)
STATE = ({"charge": Choice([0])},)
ADAPTIVE = {
    "m_f": (-0.01, math.nan, math.inf, True, "strong", [0.1, 0.2]),
    **dict.fromkeys(("theta_0", "tau_gamma", "tau_eta", "tau_phi", "tau_beta"), POSITIVE),
    "amplitude": POSITIVE,
    "initial_state": STATE,
    "surrogate": SURROGATE,
    "graded": (1, 0.5, "yes", None),
}

TYPES = {
    ResonateAndFire: Entry(
        examples=(
            ResonateAndFire(),
            ResonateAndFire(frequency=7, tau=0.25, threshold=0.02, amplitude=2.5),
            ResonateAndFire(250, threshold=0.5),  # 4 steps a cycle
            ResonateAndFire(initial_state={"voltage": Uniform(-1, 1), "current": Choice([-0.3])}),
            ResonateAndFire(surrogate=surrogates.FastSigmoid(0.5)),
            ResonateAndFire([0.5, 3, 7, 10, 60, 200], threshold=0.02),
            ResonateAndFire(Uniform(5, 15), Uniform(0.1, 0.3), Uniform(0.02, 0.2), amplitude=2.5),
            ResonateAndFire(threshold=[0.01, 0.02, 0.05, 0.1, 0.2, 0.3]),
        ),
        drive=rhythmic_currents,
        refused={
            **dict.fromkeys(("frequency", "tau", "threshold"), EACH),
            "amplitude": POSITIVE,
            "surrogate": SURROGATE,
            "initial_state": STATE,
        },
        chip=Chip(resonator_bound, delay=1),
    ),
    BalancedResonateAndFire: Entry(
        examples=(
            BalancedResonateAndFire(),
            BalancedResonateAndFire(Uniform(3, 8), Uniform(1, 10)),
            BalancedResonateAndFire([0.5, 3, 5, 8, 20, 100], 2.0, 0.8, 5.0, 0.02, 2.5),
            BalancedResonateAndFire(
                surrogate=surrogates.FastSigmoid(0.5), initial_state={"voltage": Uniform(-1, 1)}
            ),
        ),
        drive=resonant_currents,
        refused={
            "frequency": EACH,
            "damping": EACH[1:],
            "reset_damping": POSITIVE[1:],
            **dict.fromkeys(("threshold", "tau_refractory", "amplitude"), POSITIVE),
            "surrogate": SURROGATE,
            "initial_state": STATE,
        },
        chip=Chip(balanced_bound, weight=5.0, delay=1, known=0.05),
    ),
    Phasor: Entry(
        examples=(Phasor(), Phasor(floor=0.7)),
        drive=rhythmic_currents,
        refused={"floor": POSITIVE},
    ),
    BindingResonator: Entry(
        examples=(
            BindingResonator(),
            BindingResonator(frequency=7, tau=0.25, threshold=0.02, amplitude=2.5),
            BindingResonator(initial_state={"voltage": Uniform(-1, 1), "current": Choice([-0.3])}),
        ),
        drive=rhythmic_currents,
        refused={
            **dict.fromkeys(("frequency", "tau", "threshold", "amplitude"), POSITIVE),
            "surrogate": SURROGATE,
            "initial_state": STATE,
        },
    ),
    BindingPhasor: Entry(
        examples=(BindingPhasor(), BindingPhasor(floor=0.7)),
        drive=rhythmic_currents,
        refused={"floor": POSITIVE},
    ),
    AttendingResonator: Entry(
        examples=(
            AttendingResonator(2, 2),
            AttendingResonator(1, 1, 3.0, frequency=7, tau=0.25, threshold=0.02, amplitude=2.5),
            AttendingResonator(
                4, 1, initial_state={"voltage": Uniform(-1, 1), "current": Choice([-0.3])}
            ),
        ),
        drive=rhythmic_currents,
        refused={
            **dict.fromkeys(("n_queries", "n_keys"), (0, -1, 1.5, math.nan, True, "all")),
            **dict.fromkeys(("beta", "frequency", "tau", "threshold", "amplitude"), POSITIVE),
            "surrogate": SURROGATE,
            "initial_state": STATE,
        },
        needed={"n_queries": 1, "n_keys": 1},
    ),
    AttendingPhasor: Entry(
        examples=(AttendingPhasor(1, 1), AttendingPhasor(1, 1, beta=3.0, floor=0.7)),
        drive=rhythmic_currents,
        refused={
            **dict.fromkeys(("n_queries", "n_keys"), (0, -1, 1.5, math.nan, True, "all")),
            "beta": POSITIVE,
            "floor": POSITIVE,
        },
        needed={"n_queries": 1, "n_keys": 1},
    ),
    SurrogateLIF: Entry(
        examples=(
            SurrogateLIF(),
            SurrogateLIF(reset="zero", surrogate=surrogates.Exponential(0.3)),
            SurrogateLIF(tau_rc=None, amplitude=2.5),
            SurrogateLIF(tau_rc=None, reset="zero", initial_state={"voltage": Uniform(-1, 1)}),
        ),
        drive=strong_levels,
        refused={
            "tau_rc": POSITIVE,
            "reset": ("half", 1, None),
            "amplitude": POSITIVE,
            "surrogate": SURROGATE,
            "initial_state": STATE,
        },
    ),
    AdaptiveSpiking: Entry(
        examples=(
            AdaptiveSpiking(),
            AdaptiveSpiking(surrogate=surrogates.Arctangent()),
            AdaptiveSpiking(m_f=0.03),
            AdaptiveSpiking(m_f=0.45, tau_phi=None),
            AdaptiveSpiking(m_f=0, theta_0=0.2, tau_phi=0.005, amplitude=1.5),
            AdaptiveSpiking(0.2, theta_0=0.05, tau_gamma=0.1, tau_eta=0.03, tau_beta=0.04),
            AdaptiveSpiking(
                initial_state={
                    "voltage": Uniform(-1, 1),
                    "refraction": Choice([0.3]),
                    "adaptation": Uniform(0, 0.4),
                }
            ),
            AdaptiveSpiking(graded=True),
            AdaptiveSpiking(0.3, amplitude=1.5, surrogate=surrogates.Arctangent(), graded=True),
        ),
        drive=noisy_levels,
        refused=ADAPTIVE,
        # Nengo's lowpass filter takes the step that the chip takes
        chip=Chip(adaptive_bound, synapse=nengo.Lowpass(0.05), weight=0.06),
    ),
    AdaptiveSpikingRate: Entry(
        examples=(
            AdaptiveSpikingRate(),
            AdaptiveSpikingRate(m_f=0.03, theta_0=0.1, tau_beta=0.02),
            AdaptiveSpikingRate(m_f=0, theta_0=2.5, amplitude=1.5),
            AdaptiveSpikingRate(graded=True),
        ),
        drive=noisy_levels,
        refused={**ADAPTIVE, "initial_state": ({"voltage": Choice([0])},)},  # it has no state
    ),
    ArcSparsifier: Entry(
        examples=(ArcSparsifier(0.3), ArcSparsifier(0.45, frequency=7)),
        drive=rhythmic_spikes,
        refused={"arc": FRACTION, "frequency": POSITIVE},
        needed={"arc": 0.5},
    ),
    FieldSparsifier: Entry(
        examples=(FieldSparsifier(0.3), FieldSparsifier(0.15, frequency=7)),
        drive=rhythmic_spikes,
        refused={"window": FRACTION, "frequency": POSITIVE},
        needed={"window": 0.5},
    ),
    RandomSparsifier: Entry(
        examples=(RandomSparsifier(0.5), RandomSparsifier(0.2, seed=1234567890)),
        drive=rhythmic_spikes,
        refused={"probability": FRACTION, "seed": (-1, 0.5, "x")},
        needed={"probability": 0.5},
    ),
    AssumeReference: Entry(
        examples=(AssumeReference(), AssumeReference(frequency=7, amplitude=2.5)),
        drive=rhythmic_spikes,
        refused={"frequency": POSITIVE, "amplitude": POSITIVE},
    ),
    ReactiveSparsifier: Entry(
        examples=(ReactiveSparsifier(0.9), ReactiveSparsifier(0.7, tau=0.03, amplitude=2.5)),
        drive=rhythmic_spikes,
        refused={"strength": FRACTION, "tau": POSITIVE, "amplitude": POSITIVE},
        needed={"strength": 0.5},
    ),
    RhythmSparsifier: Entry(
        examples=(RhythmSparsifier(0.3), RhythmSparsifier(0.15, frequency=7)),
        drive=rhythmic_spikes,
        refused={"window": FRACTION, "frequency": POSITIVE},
        needed={"window": 0.5},
    ),
    DifferenceSparsifier: Entry(
        examples=(DifferenceSparsifier(0.3), DifferenceSparsifier(0.15, frequency=7, tau=0.2)),
        drive=rhythmic_spikes,
        refused={"window": FRACTION, "frequency": POSITIVE, "tau": POSITIVE},
        needed={"window": 0.5},
    ),
    AssumeRhythm: Entry(
        examples=(AssumeRhythm(), AssumeRhythm(amplitude=2.5)),
        drive=rhythmic_spikes,
        refused={"amplitude": POSITIVE},
    ),
    PhaseEncoder: Entry(
        examples=(PhaseEncoder(), PhaseEncoder(frequency=7, amplitude=2.5)),
        drive=changing_phases,
        refused={"frequency": POSITIVE, "amplitude": POSITIVE},
    ),
}

# ------------------------------------------------------------------------- what tests make of these

NEURONS, SYNAPSES = (
    tuple(x for cls, entry in TYPES.items() if issubclass(cls, base) for x in entry.examples)
    for base in (nengo.neurons.NeuronType, nengo.synapses.Synapse)
)

REFUSED = [
    (cls, entry.needed, attr, value)
    for cls, entry in TYPES.items()
    for attr, values in entry.refused.items()
    for value in values
]


def name(obj):
    """Return a name for a parametrised test, with what differs from the defaults."""
    return str(obj).replace("nengo_phasor.", "")


def settled(neuron, n=N):
    """Return neurons of a type with arrays in place of distributions."""
    is_mixed = getattr(neuron, "is_mixed", False)
    return neuron.sampled(n, np.random.RandomState(1)) if is_mixed else neuron


def inputs(obj, n_steps, dt=0.001, seed=0):
    """Return a signal of shape (n_steps, N) that makes the neurons or the synapse do things.

    A type without an entry is driven as what it inherits from.
    """
    entry = next((TYPES[cls] for cls in type(obj).__mro__ if cls in TYPES), None)
    drive = rhythmic_currents if entry is None else entry.drive
    return drive(obj, np.random.RandomState(seed), n_steps, dt)

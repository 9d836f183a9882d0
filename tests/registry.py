"""Every neuron type and spike synapse with a few settings: what the tests are parametrised over.

A new type is tested by adding its lines here.
"""

import math

import nengo
import numpy as np
from nengo.dists import Choice, Uniform

from nengo_phasor import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    ArcSparsifier,
    AssumeReference,
    FieldSparsifier,
    PhaseEncoder,
    Phasor,
    RandomSparsifier,
    ResonateAndFire,
    SurrogateLIF,
    phases,
    surrogates,
)

NEURONS = (
    ResonateAndFire(),
    ResonateAndFire(frequency=7, tau=0.25, threshold=0.02, amplitude=2.5),
    ResonateAndFire(250, threshold=0.5),  # 4 steps a cycle
    ResonateAndFire(initial_state={"voltage": Uniform(-1, 1), "current": Choice([-0.3])}),
    ResonateAndFire(surrogate=surrogates.FastSigmoid(0.5)),
    Phasor(),
    Phasor(floor=0.7),
    SurrogateLIF(),
    SurrogateLIF(reset="zero", surrogate=surrogates.Exponential(0.3)),
    SurrogateLIF(tau_rc=None, amplitude=2.5),
    SurrogateLIF(tau_rc=None, reset="zero", initial_state={"voltage": Uniform(-1, 1)}),
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
    AdaptiveSpikingRate(),
    AdaptiveSpikingRate(m_f=0.03, theta_0=0.1, tau_beta=0.02),
    AdaptiveSpikingRate(m_f=0, theta_0=2.5, amplitude=1.5),
)

SYNAPSES = (
    ArcSparsifier(0.3),
    ArcSparsifier(0.45, frequency=7),
    FieldSparsifier(0.3),
    FieldSparsifier(0.15, frequency=7),
    RandomSparsifier(0.5),
    RandomSparsifier(0.2, seed=1234567890),
    AssumeReference(),
    AssumeReference(frequency=7, amplitude=2.5),
    PhaseEncoder(),
    PhaseEncoder(frequency=7, amplitude=2.5),
)

POSITIVE = (0, -1.5, math.nan, "fast", [1.0, 2.0])
FRACTION = (-0.01, 1.01, math.nan, "most", [0.1, 0.2])

ADAPTIVE = {
    "m_f": (-0.01, math.nan, "strong", [0.1, 0.2]),
    **dict.fromkeys(("theta_0", "tau_gamma", "tau_eta", "tau_phi", "tau_beta"), POSITIVE),
    "amplitude": POSITIVE,
    "initial_state": ({"charge": Choice([0])},),
    "surrogate": (1.0, surrogates.FastSigmoid),
}

# type: (arguments it needs, {parameter: values it refuses})
RANGES = {
    ResonateAndFire: (
        {},
        {
            "frequency": POSITIVE,
            "tau": POSITIVE,
            "threshold": POSITIVE,
            "amplitude": POSITIVE,
            "surrogate": (1.0, surrogates.FastSigmoid),
            "initial_state": ({"charge": Choice([0])},),
        },
    ),
    Phasor: ({}, {"floor": POSITIVE}),
    SurrogateLIF: (
        {},
        {
            "tau_rc": POSITIVE,
            "reset": ("half", 1, None),
            "amplitude": POSITIVE,
            "surrogate": (1.0, surrogates.FastSigmoid),
            "initial_state": ({"charge": Choice([0])},),
        },
    ),
    AdaptiveSpiking: ({}, ADAPTIVE),
    AdaptiveSpikingRate: ({}, ADAPTIVE),
    ArcSparsifier: ({"arc": 0.5}, {"arc": FRACTION, "frequency": POSITIVE}),
    FieldSparsifier: ({"window": 0.5}, {"window": FRACTION, "frequency": POSITIVE}),
    RandomSparsifier: ({"probability": 0.5}, {"probability": FRACTION, "seed": (-1, 0.5, "x")}),
    AssumeReference: ({}, {"frequency": POSITIVE, "amplitude": POSITIVE}),
    PhaseEncoder: ({}, {"frequency": POSITIVE, "amplitude": POSITIVE}),
}

REFUSED = [
    (cls, needed, attr, value)
    for cls, (needed, parameters) in RANGES.items()
    for attr, values in parameters.items()
    for value in values
]

N = 6
"""The inputs of an entry, and the neurons."""


def name(obj):
    """Return a name for a parametrised test, with what differs from the defaults."""
    return str(obj).replace("nengo_phasor.", "")


def inputs(obj, n_steps, dt=0.001, seed=0):
    """Return a signal of shape (n_steps, N) that makes the neurons or the synapse do things.

    Resonators get currents with a rhythm that is not quite theirs, neurons that integrate noisy
    currents that change their level, synapses get spikes that are neither quite periodic nor quite
    regular, or phases that change.
    """
    rng = np.random.RandomState(seed)
    if isinstance(obj, (AdaptiveSpikingRate, SurrogateLIF)):
        scale = {SurrogateLIF: 4 if getattr(obj, "tau_rc", None) else 100}.get(type(obj), 1)
        levels = np.repeat(rng.normal(0.5, 1, (-(-n_steps // 60), N)), 60, axis=0)[:n_steps]
        return scale * (levels + rng.normal(0, 0.2, (n_steps, N)))
    if isinstance(obj, PhaseEncoder):
        return np.repeat(rng.uniform(-1, 1, (-(-n_steps // 150), N)), 150, axis=0)[:n_steps]
    frequency = 0.97 * getattr(obj, "frequency", 10.0)
    n_cycles = int(np.ceil(n_steps * frequency * dt))
    raster = phases.to_raster(rng.uniform(-1, 1, (4, N)), frequency, n_cycles, dt)[:, :n_steps]
    raster = raster[0] | (raster[1] & (rng.rand(n_steps, 1) < 0.3))
    raster &= rng.rand(n_steps, N) < 0.9
    if isinstance(obj, nengo.neurons.NeuronType):
        return raster @ rng.normal(0, 0.7, (N, N)) / dt + rng.normal(0, 0.01, (n_steps, N))
    return raster * (getattr(obj, "amplitude", 1.0) / dt)

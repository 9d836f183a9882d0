"""Rhythm, phase and sparse spikes for Nengo.

Neurons that resonate and code in phase, synapses that drop spikes carrying little information, and
conversions between the phase domain, where networks train, and spikes. After ``import
nengo_phasor``, `nengo`, `nengo_dl` and `nengo_phasor.layerwise` run them.
"""

from importlib import import_module

from nengo_phasor import (
    arousal,
    builders,
    compat,
    convert,
    dynamics,
    energy,
    metrics,
    networks,
    neurons,
    phases,
    pooling,
    schedules,
    surrogates,
    synapses,
    vsa,
)
from nengo_phasor.neurons import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    AttendingPhasor,
    AttendingResonator,
    BalancedResonateAndFire,
    BindingPhasor,
    BindingResonator,
    Phasor,
    ResonateAndFire,
    SurrogateLIF,
)
from nengo_phasor.synapses import (
    ArcSparsifier,
    AssumeReference,
    AssumeRhythm,
    DifferenceSparsifier,
    FieldSparsifier,
    PhaseEncoder,
    RandomSparsifier,
    ReactiveSparsifier,
    RhythmSparsifier,
)

__version__ = "0.1.0"

__all__ = [
    "AdaptiveSpiking",
    "AdaptiveSpikingRate",
    "ArcSparsifier",
    "AssumeReference",
    "AssumeRhythm",
    "AttendingPhasor",
    "AttendingResonator",
    "BalancedResonateAndFire",
    "BindingPhasor",
    "BindingResonator",
    "DifferenceSparsifier",
    "FieldSparsifier",
    "PhaseEncoder",
    "Phasor",
    "RandomSparsifier",
    "ReactiveSparsifier",
    "ResonateAndFire",
    "RhythmSparsifier",
    "SurrogateLIF",
    "arousal",
    "builders",
    "compat",
    "convert",
    "dynamics",
    "energy",
    "metrics",
    "networks",
    "neurons",
    "phases",
    "pooling",
    "schedules",
    "surrogates",
    "synapses",
    "vsa",
]

_ON_DEMAND = ("datasets", "displays", "dl", "layerwise", "loihi", "models", "plots", "spa")
_SAVING = ("load", "save")

compat.install()
compat.on_import("nengo_dl", lambda module: import_module("nengo_phasor.dl"))
compat.on_import("nengo_loihi", lambda module: import_module("nengo_phasor.loihi"))


def __getattr__(name):
    """Import the modules that need an optional package, or time, when they are first used."""
    if name in _ON_DEMAND:
        return import_module(f"{__name__}.{name}")
    if name in _SAVING:
        return getattr(import_module(f"{__name__}.saving"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*__all__, *_ON_DEMAND, *_SAVING]

"""Neuron types: immutable, validated parameter objects with the methods that Nengo requires."""

from nengo_phasor.neurons.adaptive import AdaptiveSpiking, AdaptiveSpikingRate
from nengo_phasor.neurons.attention import AttendingPhasor, AttendingResonator
from nengo_phasor.neurons.balanced import BalancedResonateAndFire
from nengo_phasor.neurons.binding import BindingPhasor, BindingResonator
from nengo_phasor.neurons.lif import SurrogateLIF
from nengo_phasor.neurons.mixed import Mixed
from nengo_phasor.neurons.phase import PhaseCoding, Phasor, ResonateAndFire

NEURON_TYPES = (
    ResonateAndFire,
    BalancedResonateAndFire,
    Phasor,
    BindingResonator,
    BindingPhasor,
    AttendingResonator,
    AttendingPhasor,
    SurrogateLIF,
    AdaptiveSpiking,
    AdaptiveSpikingRate,
)

__all__ = [
    "AdaptiveSpiking",
    "AdaptiveSpikingRate",
    "AttendingPhasor",
    "AttendingResonator",
    "BalancedResonateAndFire",
    "BindingPhasor",
    "BindingResonator",
    "Mixed",
    "PhaseCoding",
    "Phasor",
    "ResonateAndFire",
    "SurrogateLIF",
]


def __dir__():
    return __all__

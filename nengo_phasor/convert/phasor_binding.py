"""The spiking neurons, in `.to_spiking`, of the neurons of the phase domain."""

from __future__ import annotations

import nengo
from nengo.exceptions import BuildError

from nengo_phasor.neurons import (
    AttendingPhasor,
    BindingPhasor,
    BindingResonator,
    Phasor,
    ResonateAndFire,
)

SHARED = ("frequency", "tau", "threshold", "amplitude", "initial_state", "surrogate")


def counterpart(old: Phasor, neuron_type: ResonateAndFire) -> ResonateAndFire:
    """Return the spiking neurons of a type of phasors: binding ones for those that bind.

    Parameters
    ----------
    old : Phasor
        The neurons of the phase domain.
    neuron_type : ResonateAndFire
        The spiking neurons of all others, whose parameters binding neurons share.
    """
    if isinstance(old, AttendingPhasor):
        raise BuildError(f"{old} has no spiking counterpart yet")
    if not isinstance(old, BindingPhasor):
        return neuron_type
    return BindingResonator(**{name: getattr(neuron_type, name) for name in SHARED})


def binds(ensemble: nengo.Ensemble) -> bool:
    """Return whether the neurons of an ensemble bind phases."""
    return isinstance(ensemble.neuron_type, BindingPhasor | BindingResonator)

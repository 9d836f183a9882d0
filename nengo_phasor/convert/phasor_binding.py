"""The spiking neurons, in `.to_spiking`, of the neurons of the phase domain."""

from __future__ import annotations

import nengo

from nengo_phasor.inheritance import nearest
from nengo_phasor.neurons import (
    AttendingPhasor,
    AttendingResonator,
    BindingPhasor,
    BindingResonator,
    Phasor,
    ResonateAndFire,
)

SHARED = ("frequency", "tau", "threshold", "amplitude", "initial_state", "surrogate")

COUNTERPARTS: dict[type, tuple[type, tuple[str, ...]]] = {
    BindingPhasor: (BindingResonator, ()),
    AttendingPhasor: (AttendingResonator, ("n_queries", "n_keys", "beta")),
}
"""The spiking neurons of phasors of several rows, and the parameters that both have."""


def counterpart(old: Phasor, neuron_type: ResonateAndFire) -> ResonateAndFire:
    """Return the spiking neurons of a type of phasors: those that bind or attend have their own.

    Parameters
    ----------
    old : Phasor
        The neurons of the phase domain.
    neuron_type : ResonateAndFire
        The spiking neurons of all others, whose parameters these share.
    """
    known = nearest(type(old), COUNTERPARTS)
    if known is None:
        return neuron_type
    new, own = COUNTERPARTS[known]
    parameters = {name: getattr(neuron_type, name) for name in SHARED}
    return new(**parameters, **{name: getattr(old, name) for name in own})


def attends(ensemble: nengo.Ensemble) -> bool:
    """Return whether the neurons of an ensemble, of the phase domain, attend."""
    return isinstance(ensemble.neuron_type, AttendingPhasor)


def has_own_unit(ensemble: nengo.Ensemble) -> bool:
    """Return whether an ensemble of the phase domain becomes one that contains its rhythm's unit.

    These are those that bind or attend. Their neurons are an array of rows, of which only the first
    ones send spikes.
    """
    return nearest(type(ensemble.neuron_type), COUNTERPARTS) is not None

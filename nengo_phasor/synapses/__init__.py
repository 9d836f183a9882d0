"""Synapses that remove spikes, replace missing spikes, or turn phases into spikes.

They are Nengo synapses. Put one on the connection from a layer's neurons to a relay (a Node without
output), and put the weights on the connection from the relay, because a connection's synapse acts
after its transform. Unlike Nengo's filters they act within the time step, so that the spikes they
pass keep their phase. A loop therefore needs another synapse, one with a delay.

Each synapse provides the constants of a time step and one pure function, ``advance``, which every
substrate runs.
"""

from nengo_phasor.dynamics import mean_over_neurons
from nengo_phasor.synapses.base import RhythmicSynapse, SpikeSynapse, Tick
from nengo_phasor.synapses.references import AssumeReference, PhaseEncoder
from nengo_phasor.synapses.rhythm import AssumeRhythm, DifferenceSparsifier, RhythmSparsifier
from nengo_phasor.synapses.sparsifiers import (
    ArcSparsifier,
    FieldSparsifier,
    RandomSparsifier,
    ReactiveSparsifier,
)

SYNAPSES = (
    ArcSparsifier,
    FieldSparsifier,
    RandomSparsifier,
    ReactiveSparsifier,
    RhythmSparsifier,
    DifferenceSparsifier,
    AssumeReference,
    AssumeRhythm,
    PhaseEncoder,
)

__all__ = [
    "ArcSparsifier",
    "AssumeReference",
    "AssumeRhythm",
    "DifferenceSparsifier",
    "FieldSparsifier",
    "PhaseEncoder",
    "RandomSparsifier",
    "ReactiveSparsifier",
    "RhythmSparsifier",
    "RhythmicSynapse",
    "SpikeSynapse",
    "Tick",
    "mean_over_neurons",
]


def __dir__():
    return __all__

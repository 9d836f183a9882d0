"""Conversion from the phase domain to spikes: `to_spiking`."""

from __future__ import annotations

import os
from typing import Any

import nengo
from nengo.exceptions import ValidationError

from nengo_phasor.convert.phasor import Conversion
from nengo_phasor.convert.rhythm import RhythmicConversion
from nengo_phasor.neurons import ResonateAndFire
from nengo_phasor.synapses import AssumeReference, AssumeRhythm, PhaseEncoder, SpikeSynapse
from nengo_phasor.synapses.rhythm import FollowsUnit


def to_spiking(
    network: nengo.Network,
    neuron_type: ResonateAndFire | None = None,
    sparsifier: SpikeSynapse | None = None,
    assume_reference: bool = False,
    rhythm: FollowsUnit | None = None,
) -> tuple[nengo.Network, dict[Any, Any]]:
    """Convert a phase-domain network to a network of resonate-and-fire neurons.

    Every ensemble of 2n `.Phasor` neurons becomes n `.ResonateAndFire` neurons, and every ensemble
    of `.BindingPhasor` or `.AttendingPhasor` neurons half as many `.BindingResonator` or
    `.AttendingResonator` neurons. Connections between them keep their weights: matrices as dense
    transforms, kernels as convolutions. Every node that outputs phasors becomes a node that outputs
    their n phases, which a `.PhaseEncoder` turns into one spike per cycle. A node without input
    (where NengoDL and the layerwise simulator take data) thus takes phases instead of phasors. Any
    topology is allowed: several layers, branches, skip connections. Subnetworks are kept, and so
    are the computations of nodes that precede the phasors.

    Parameters
    ----------
    network : nengo.Network
        The trained network, which is not changed. Call NengoDL's ``sim.freeze_params(network)``
        first; otherwise the network still has its weights from before training.
    neuron_type : ResonateAndFire, optional
        The spiking neurons. By default ``ResonateAndFire()``. Their frequency is that of the
        rhythm.
    sparsifier : SpikeSynapse, optional
        The sparsifier on the output of every layer. The spikes that it removes are neither sent nor
        seen by probes. If it has a seed, each layer gets a different seed derived from it.
    assume_reference : bool
        Whether receivers treat a silent neuron as spiking at the reference phase (see
        `.AssumeReference`). With ``rhythm``, the reference is the spike of the layer's unit.
    rhythm : RhythmSparsifier, DifferenceSparsifier or other FollowsUnit, optional
        In place of ``sparsifier`` and of the clock: every layer gets a `.LocalRhythm` with this
        sparsifier, and the biases of the next layers are spikes of its unit. A layer after several
        others shares its bias equally among their units. Only the network's inputs, and the biases
        of the layers that receive nothing else, keep the clock. ``RhythmSparsifier(0)`` removes no
        spikes.

    Returns
    -------
    spiking : nengo.Network
        The spiking network.
    mapping : dict
        The new network, node, ensemble, connection or probe for each old one. With ``rhythm``, the
        neurons of each old ensemble map to its `.LocalRhythm`, and a connection that carries a bias
        to the list of those that replace it.

    Raises
    ------
    nengo.exceptions.BuildError
        If an object can't be converted: neurons of another type, a synapse between phasors, a
        connection from or to anything but whole phasors, a transform that does not act alike on
        real and imaginary parts, decoded connections, functions, learning rules, gains other than
        1, nodes that take phasors. With ``rhythm``: if a layer other than a pool has no bias, or
        one with a phase other than 0, or if a connection reaches only a part of a layer that does
        not bind phases or attend.
    nengo.exceptions.ValidationError
        If network, neuron_type, sparsifier or rhythm has the wrong type, both sparsifier and rhythm
        are given, the frequencies of the sparsifier and of the neurons differ, or the neurons
        have several.
    """
    neuron_type = ResonateAndFire() if neuron_type is None else neuron_type
    _check_arguments(network, neuron_type, sparsifier, rhythm)
    rule = sparsifier if rhythm is None else rhythm
    frequency = getattr(rule, "frequency", neuron_type.rhythm)
    if frequency != neuron_type.rhythm:
        raise ValidationError(
            f"is {frequency:g} Hz, but that of the neurons is {neuron_type.rhythm:g} Hz: use "
            "the same for both",
            attr="frequency",
            obj=rule,
        )
    way = Conversion if rhythm is None else RhythmicConversion
    conversion = way(network, neuron_type, rule, assume_reference)
    twin = nengo.Network(label=network.label, seed=network.seed)
    conversion.objects(network, twin)
    conversion.links(network)
    return twin, conversion.mapping


def _check_arguments(network, neuron_type, sparsifier, rhythm):
    """Check the types of the arguments."""
    leaves_out = isinstance(sparsifier, SpikeSynapse) and not isinstance(
        sparsifier, AssumeReference | PhaseEncoder | FollowsUnit
    )
    follows = isinstance(rhythm, FollowsUnit) and not isinstance(rhythm, AssumeRhythm)
    wanted = {
        "network": (network, isinstance(network, nengo.Network), "a nengo.Network"),
        "neuron_type": (
            neuron_type,
            isinstance(neuron_type, ResonateAndFire),
            "a ResonateAndFire object, such as ResonateAndFire(frequency=20)",
        ),
        "sparsifier": (
            sparsifier,
            sparsifier is None or leaves_out,
            "a sparsifier, such as ArcSparsifier(0.1)",
        ),
        "rhythm": (
            rhythm,
            rhythm is None or follows,
            "a sparsifier that follows a rhythm unit, such as RhythmSparsifier(0.5)",
        ),
    }
    for attr, (value, fine, what) in wanted.items():
        if not fine:
            raise ValidationError(f"must be {what}, got {value!r}{_remedy(value)}", attr=attr)
    if neuron_type.rhythm is None:
        raise ValidationError(
            f"must have one frequency, but {neuron_type} have several frequencies, so that their "
            "spikes have no common phase: give one number",
            attr="neuron_type",
        )
    if sparsifier is not None and rhythm is not None:
        raise ValidationError(
            f"{rhythm} takes the place of a sparsifier, but sparsifier is {sparsifier}: give one "
            "of them",
            attr="rhythm",
        )


def _remedy(value):
    if isinstance(value, str | os.PathLike):
        return ": load it first, with nengo_phasor.load"
    return ": give it as rhythm" if isinstance(value, FollowsUnit) else ""

"""The tables of types for the chip: compartments of neurons, and synapses that neurons apply.

Both tables are open: `register` and `register_gate` add a user's type. A subclass is run like its
nearest parent in a table, provided that it has the same step.
"""

from __future__ import annotations

import nengo
from nengo.exceptions import BuildError, ValidationError
from nengo.neurons import NeuronType
from nengo_loihi import LoihiLIF, LoihiSpikingRectifiedLinear

from nengo_phasor.checks import check_subclass
from nengo_phasor.inheritance import keeps, nearest
from nengo_phasor.loihi.compartments import (
    AdaptiveCompartment,
    NeuronCompartment,
)
from nengo_phasor.loihi.oscillators import BalancedCompartment, ResonateAndFireCompartment
from nengo_phasor.neurons import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    AttendingResonator,
    BalancedResonateAndFire,
    BindingResonator,
    Phasor,
    ResonateAndFire,
    SurrogateLIF,
)
from nengo_phasor.synapses import ArcSparsifier, RandomSparsifier, SpikeSynapse

COMPARTMENTS: dict[type[NeuronType], type[NeuronCompartment] | None] = {
    ResonateAndFire: ResonateAndFireCompartment,
    BalancedResonateAndFire: BalancedCompartment,
    AdaptiveSpiking: AdaptiveCompartment,
    Phasor: None,
    BindingResonator: None,
    AttendingResonator: None,
    SurrogateLIF: None,
    AdaptiveSpikingRate: None,
}
"""The compartments of neuron types; None for types that run on the host by default."""

GATES: set[type[SpikeSynapse]] = {ArcSparsifier, RandomSparsifier}
"""The sparsifiers that a neuron can apply to its own spikes."""

STOCK = {
    nengo.LIF: LoihiLIF,
    nengo.SpikingRectifiedLinear: LoihiSpikingRectifiedLinear,
    nengo.RegularSpiking: nengo.RegularSpiking,
}
"""The neuron types for which nengo-loihi has compartments, and the types with the same step."""

OFF_CHIP = (
    "keep the ensemble off the chip: nengo_loihi.add_params(network) and "
    "network.config[ensemble].on_chip = False"
)


def register(
    neuron_type: type[NeuronType], compartments: type[NeuronCompartment] | None = None
) -> None:
    """Let the emulator run a neuron type, and its subclasses that don't override ``step``.

    Parameters
    ----------
    neuron_type : type
        A subclass of `nengo.neurons.NeuronType`.
    compartments : type, optional
        A subclass of `.NeuronCompartment`, which represents the neurons on the chip. Without it,
        the neurons run on the host with their own ``step``, unless
        ``network.config[ensemble].on_chip`` is True.

    Raises
    ------
    nengo.exceptions.ValidationError
        If either is not a class as described.
    """
    check_subclass(neuron_type, "neuron_type", NeuronType)
    if compartments is not None:
        remedy = "give the class, or omit it for neurons on the host"
        check_subclass(compartments, "compartments", NeuronCompartment, remedy=remedy)
    COMPARTMENTS[neuron_type] = compartments


def register_gate(synapse_type: type[SpikeSynapse]) -> None:
    """Let the chip's neurons apply a spike synapse, and its subclasses, to their own spikes.

    On a connection from neurons to a relay it then acts on the chip, and the spikes that it removes
    are never sent. Its ``advance`` gets 1 for a spike, and a spike is sent if it returns a non-zero
    value.

    Parameters
    ----------
    synapse_type : type
        A subclass of `.SpikeSynapse` without states. Its effect on a neuron's spike may depend only
        on that spike, the time and the neuron's place.

    Raises
    ------
    nengo.exceptions.ValidationError
        If it is not a class as described.
    """
    remedy = "other synapses act on the host without registration"
    check_subclass(synapse_type, "synapse_type", SpikeSynapse, remedy=remedy)
    if synapse_type.state_shapes:
        raise ValidationError(
            f"must not have states, got {synapse_type!r}: {remedy}", attr="synapse_type"
        )
    GATES.add(synapse_type)


def compartments_of(neuron_type: NeuronType | None) -> type[NeuronCompartment] | None:
    """Return our compartments for a type's neurons on the chip; None if there are none."""
    parent = nearest(type(neuron_type), COMPARTMENTS)
    if parent is None or not keeps(type(neuron_type), parent, "step"):
        return None
    return COMPARTMENTS[parent]


def is_on_host(neuron_type: NeuronType) -> bool:
    """Return whether neurons run on the host by default."""
    parent = nearest(type(neuron_type), COMPARTMENTS)
    return parent is not None and COMPARTMENTS[parent] is None


def is_gate(synapse) -> bool:
    """Return whether a neuron can apply a synapse to its own spikes."""
    parent = nearest(type(synapse), GATES)
    return parent is not None and keeps(type(synapse), parent, "advance", "make_step")


def steps_as_stock(neuron_type: NeuronType) -> bool:
    """Return whether nengo-loihi has compartments with the same step as a type's neurons."""
    parent = nearest(type(neuron_type), STOCK)
    return parent is not None and type(neuron_type).step in (parent.step, STOCK[parent].step)


def unknown(neuron_type: NeuronType, neurons) -> BuildError:
    """Return the error for neurons without compartments on the chip."""
    name = type(neuron_type).__name__
    parent = nearest(type(neuron_type), (*COMPARTMENTS, *STOCK))
    steps = ""
    if parent is not None and not keeps(type(neuron_type), parent, "step"):
        steps = f" (its step differs from that of its parent {parent.__name__})"
    return BuildError(
        f"{neurons}: The neuron type '{name}' cannot be simulated on Loihi{steps}. Give it "
        f"compartments with nengo_phasor.loihi.register({name}, compartments), put it on the host "
        f"with nengo_phasor.loihi.register({name}), or {OFF_CHIP}"
    )

"""What the chip knows of types: the compartments of neurons, the synapses that neurons apply.

Both tables are open: `register` and `register_gate` add a user's type. A subclass is run as the
nearest of its parents that is in a table, as long as it steps as that one does.
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
    ResonateAndFireCompartment,
)
from nengo_phasor.neurons import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    Phasor,
    ResonateAndFire,
    SurrogateLIF,
)
from nengo_phasor.synapses import ArcSparsifier, RandomSparsifier, SpikeSynapse

COMPARTMENTS: dict[type[NeuronType], type[NeuronCompartment] | None] = {
    ResonateAndFire: ResonateAndFireCompartment,
    AdaptiveSpiking: AdaptiveCompartment,
    Phasor: None,
    SurrogateLIF: None,
    AdaptiveSpikingRate: None,
}
"""The compartments of neuron types; None for those that are on the host unless one says else."""

GATES: set[type[SpikeSynapse]] = {ArcSparsifier, RandomSparsifier}
"""The sparsifiers that a neuron can apply to its own spikes."""

STOCK = {
    nengo.LIF: LoihiLIF,
    nengo.SpikingRectifiedLinear: LoihiSpikingRectifiedLinear,
    nengo.RegularSpiking: nengo.RegularSpiking,
}
"""The neuron types that nengo-loihi has compartments for, and what steps as these do."""

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
        A subclass of `.NeuronCompartment`, which holds the neurons on the chip. Without, they run
        on the host by their own ``step``, unless ``network.config[ensemble].on_chip`` is True.

    Raises
    ------
    nengo.exceptions.ValidationError
        If either is no such class.
    """
    check_subclass(neuron_type, "neuron_type", NeuronType)
    if compartments is not None:
        remedy = "give the class, or nothing for neurons of the host"
        check_subclass(compartments, "compartments", NeuronCompartment, remedy=remedy)
    COMPARTMENTS[neuron_type] = compartments


def register_gate(synapse_type: type[SpikeSynapse]) -> None:
    """Let the chip's neurons apply a spike synapse, and its subclasses, to their own spikes.

    On a connection from neurons to a relay it then acts on the chip, and what it leaves out never
    travels. Its ``advance`` gets 1 for a spike, and a spike is sent where it returns other than 0.

    Parameters
    ----------
    synapse_type : type
        A subclass of `.SpikeSynapse` without states. What it does to a neuron's spike must depend
        on nothing but that spike, the time and the neuron's place.

    Raises
    ------
    nengo.exceptions.ValidationError
        If it is no such class.
    """
    remedy = "others act on the host without being registered"
    check_subclass(synapse_type, "synapse_type", SpikeSynapse, remedy=remedy)
    if synapse_type.state_shapes:
        raise ValidationError(
            f"must be without states, got {synapse_type!r}: {remedy}", attr="synapse_type"
        )
    GATES.add(synapse_type)


def compartments_of(neuron_type: NeuronType | None) -> type[NeuronCompartment] | None:
    """Return the compartments that hold a type's neurons on the chip; None if we have none."""
    parent = nearest(type(neuron_type), COMPARTMENTS)
    if parent is None or not keeps(type(neuron_type), parent, "step"):
        return None
    return COMPARTMENTS[parent]


def is_on_host(neuron_type: NeuronType) -> bool:
    """Return whether neurons are on the host unless one says else."""
    parent = nearest(type(neuron_type), COMPARTMENTS)
    return parent is not None and COMPARTMENTS[parent] is None


def is_gate(synapse) -> bool:
    """Return whether a neuron can apply a synapse to its own spikes."""
    parent = nearest(type(synapse), GATES)
    return parent is not None and keeps(type(synapse), parent, "advance", "make_step")


def steps_as_stock(neuron_type: NeuronType) -> bool:
    """Return whether nengo-loihi has compartments for a type, which step as its neurons do."""
    parent = nearest(type(neuron_type), STOCK)
    return parent is not None and type(neuron_type).step in (parent.step, STOCK[parent].step)


def unknown(neuron_type: NeuronType, neurons) -> BuildError:
    """Return the error for neurons that the chip has no compartments for."""
    name = type(neuron_type).__name__
    parent = nearest(type(neuron_type), (*COMPARTMENTS, *STOCK))
    steps = ""
    if parent is not None and not keeps(type(neuron_type), parent, "step"):
        steps = f" (it does not step as its parent {parent.__name__})"
    return BuildError(
        f"{neurons}: The neuron type '{name}' cannot be simulated on Loihi{steps}. Give it "
        f"compartments with nengo_phasor.loihi.register({name}, compartments), put it on the host "
        f"with nengo_phasor.loihi.register({name}), or {OFF_CHIP}"
    )

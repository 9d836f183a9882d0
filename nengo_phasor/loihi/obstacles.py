"""Checks that a connection can be put on the chip, with errors that name the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import nengo
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError
from nengo.neurons import NeuronType
from nengo.transforms import NoTransform
from nengo_loihi.builder import Model
from nengo_loihi.passthrough import base_obj

from nengo_phasor.loihi.latency import latencies
from nengo_phasor.loihi.relays import is_plain, spike_height
from nengo_phasor.loihi.tables import OFF_CHIP, compartments_of, is_gate
from nengo_phasor.neurons import AttendingResonator, BindingResonator
from nengo_phasor.neurons.rateless import Rateless
from nengo_phasor.synapses import SpikeSynapse

CONVOLUTIONS = (nengo.Convolution, nengo.transforms.ConvolutionTranspose)

TRANSFORMS = (NoTransform, nengo.Dense, nengo.Sparse, *CONVOLUTIONS)


class Facts(NamedTuple):
    """The properties of a connection that decide how it is built.

    Attributes
    ----------
    conn : nengo.Connection
        The connection.
    to_rule : bool
        Whether it transmits the error of a learning rule.
    pre_on_chip, post_on_chip : bool
        Whether its ends are on the chip.
    sparsified : bool
        Whether its synapse acts on single spikes.
    pre_type, post_type : nengo.neurons.NeuronType or None
        The types of the neurons that it decodes and of those that it reaches.
    compartments : type or None
        The compartments of the neurons that it reaches, if they are ours.
    was_plain : bool
        Whether the synapse receives unweighted spikes.
    height : float or None
        The amplitude of the spikes that the host sends to neurons; None if it sends none.
    late : int
        The number of steps by which its spikes arrive on the host later than in Nengo.
    """

    conn: nengo.Connection
    to_rule: bool
    pre_on_chip: bool
    post_on_chip: bool
    sparsified: bool
    pre_type: NeuronType | None
    post_type: NeuronType | None
    compartments: Any
    was_plain: bool
    height: float | None
    late: int

    @property
    def in_phase(self) -> bool:
        """Whether the neurons that it reaches code in phase."""
        return isinstance(self.post_type, Rateless)

    @property
    def to_ours(self) -> bool:
        """Whether its spikes reach neurons of ours on the chip."""
        return self.post_on_chip and self.compartments is not None and self.as_spikes

    @property
    def as_spikes(self) -> bool:
        """Whether it transmits spikes, rather than values that nengo-loihi encodes."""
        from_neurons = isinstance(self.conn.pre_obj, Neurons)
        return self.pre_on_chip or from_neurons or self.height is not None or self.in_phase


def facts(model: Model, conn: nengo.Connection) -> Facts:
    """Return the facts about a connection."""
    to_rule = isinstance(conn.post_obj, nengo.connection.LearningRule)
    pre_on_chip = model.split.on_chip(base_obj(conn.pre))
    post_on_chip = not to_rule and model.split.on_chip(base_obj(conn.post))
    post_type = None if to_rule else getattr(base_obj(conn.post), "neuron_type", None)
    from_host = post_on_chip and not pre_on_chip
    return Facts(
        conn=conn,
        to_rule=to_rule,
        pre_on_chip=pre_on_chip,
        post_on_chip=post_on_chip,
        sparsified=isinstance(conn.synapse, SpikeSynapse),
        pre_type=getattr(conn.pre_obj, "neuron_type", None),
        post_type=post_type,
        compartments=compartments_of(post_type),
        was_plain=is_plain(conn) or conn in model.split.passthrough.to_add,
        height=_height(model.split.network, conn, post_type) if from_host else None,
        late=latencies(model).get(base_obj(conn.pre), 0) + int(pre_on_chip),
    )


def _height(network, conn, post_type):
    """Return the amplitude of spikes that the host sends to neurons; None if it sends none."""
    if not isinstance(conn.post_obj, Neurons):
        return None
    height = spike_height(network, conn.pre_obj)
    if isinstance(post_type, Rateless):
        return 1.0 if height is None else height
    # nengo-loihi handles neurons itself, except for sparsifiers
    known = isinstance(conn.pre_obj, Neurons) and not isinstance(conn.synapse, SpikeSynapse)
    return None if known else height


class Obstacle(NamedTuple):
    """A condition under which a connection can't be built, and the words for it."""

    is_there: Callable[[Facts], bool]
    words: Callable[[Facts], str]


def _name(obj) -> str:
    return type(obj).__name__


def _gated(f: Facts) -> bool:
    return f.was_plain and (
        not f.pre_on_chip or (isinstance(f.conn.pre, Neurons) and is_gate(f.conn.synapse))
    )


def _odd_convolution(f: Facts) -> bool:
    transform = f.conn.transform
    return isinstance(transform, CONVOLUTIONS) and (
        transform.dimensions != 2 or transform.groups != 1
    )


def _encoded(f: Facts) -> bool:
    to_spikes = isinstance(f.conn.post_obj, Neurons) and f.as_spikes
    return not to_spikes and nengo.Lowpass not in f.compartments.filters


OBSTACLES = (
    Obstacle(
        lambda f: isinstance(f.pre_type, Rateless),
        lambda f: (
            f"{_name(f.pre_type)} neurons code in phase: connect from `ensemble.neurons` (or probe "
            "them), not from the ensemble"
        ),
    ),
    Obstacle(
        lambda f: (
            isinstance(f.post_type, AttendingResonator | BindingResonator)
            and not f.post_on_chip
            and f.late > 0
        ),
        lambda f: (
            f"{_name(f.post_type)} neurons run on the host and compare the times of spikes, of "
            f"which those from the chip are late, here by {f.late} steps. For every ensemble that "
            f"sends to them, {OFF_CHIP}"
        ),
    ),
    Obstacle(
        lambda f: f.pre_on_chip and not _learnable(f.conn.learning_rule_type),
        lambda f: (
            f"{f.conn.learning_rule_type} can't learn from neurons on the chip; nengo.PES can. "
            f"Change it, or {OFF_CHIP}"
        ),
    ),
    Obstacle(
        lambda f: f.post_on_chip and f.sparsified and not _gated(f),
        lambda f: (
            f"a {_name(f.conn.synapse)} can't be put on the chip here. Put it on an unweighted "
            "connection to a relay, a nengo.Node(size_in=...), and the weights on the "
            "connection from the relay"
        ),
    ),
    Obstacle(
        lambda f: f.to_ours and f.in_phase and not isinstance(f.conn.post_obj, Neurons),
        lambda f: (
            f"{_name(f.post_type)} neurons code in phase: connect to `ensemble.neurons`, not to "
            "the ensemble"
        ),
    ),
    Obstacle(
        lambda f: f.post_on_chip and f.compartments is not None and _encoded(f),
        lambda f: (
            f"{_name(f.post_type)} neurons have no filter on the chip, which encoded "
            "values need: send spikes to `ensemble.neurons`, from neurons or a relay"
        ),
    ),
    Obstacle(
        lambda f: (
            f.post_on_chip
            and f.compartments is not None
            and not f.as_spikes
            and not isinstance(f.conn.transform, (NoTransform, nengo.Dense))
        ),
        lambda f: (
            f"a {_name(f.conn.transform)} can't transmit a node's values to neurons on the chip: "
            f"{OFF_CHIP}"
        ),
    ),
    Obstacle(
        lambda f: (
            f.to_ours
            and isinstance(f.conn.post_obj, Neurons)
            and not (isinstance(f.conn.post_slice, slice) and f.conn.post_slice == slice(None))
        ),
        lambda f: (
            "a connection to a part of the neurons can't be put on the chip: connect to all of "
            "them, with rows of zeros in the weights"
        ),
    ),
    Obstacle(
        lambda f: f.to_ours and not isinstance(f.conn.transform, TRANSFORMS),
        lambda f: (
            f"{_name(f.conn.transform)} can't be put on the chip; use one of "
            f"{', '.join(kind.__name__ for kind in TRANSFORMS)}, or {OFF_CHIP}"
        ),
    ),
    Obstacle(
        lambda f: f.to_ours and _odd_convolution(f),
        lambda f: (
            f"a {_name(f.conn.transform)} on the chip must have two dimensions and one group: "
            f"change it, or {OFF_CHIP}"
        ),
    ),
    Obstacle(
        lambda f: (
            f.to_ours
            and f.conn.synapse is not None
            and not f.sparsified
            and not f.compartments.takes(f.conn.synapse)
        ),
        lambda f: (
            f"{f.conn.synapse} can't be put on the chip before {_name(f.post_type)} neurons: the "
            f"synapse must be {f.compartments.filters_named}; change it, or {OFF_CHIP}"
        ),
    ),
)
"""The obstacles, of which the first that applies is named in the error."""


def _learnable(rules) -> bool:
    return rules is None or isinstance(rules, nengo.PES)


def check(f: Facts) -> None:
    """Check that a connection can be built.

    Raises
    ------
    nengo.exceptions.BuildError
        If it can't. The message names the connection, the obstacle, and the remedy.
    """
    for obstacle in OBSTACLES:
        if obstacle.is_there(f):
            raise BuildError(f"{f.conn}: {obstacle.words(f)}")

"""What can't be put on the chip: refused with the remedy, once a connection's facts are known."""

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

from nengo_phasor.loihi.relays import is_plain, spike_height
from nengo_phasor.loihi.tables import OFF_CHIP, compartments_of, is_gate
from nengo_phasor.neurons import PhaseCoding
from nengo_phasor.synapses import SpikeSynapse

CONVOLUTIONS = (nengo.Convolution, nengo.transforms.ConvolutionTranspose)

TRANSFORMS = (NoTransform, nengo.Dense, nengo.Sparse, *CONVOLUTIONS)


class Facts(NamedTuple):
    """All that is asked about a connection.

    Attributes
    ----------
    conn : nengo.Connection
        The connection.
    to_rule : bool
        Whether it brings the error to a learning rule.
    pre_on_chip, post_on_chip : bool
        Where its ends are.
    sparsified : bool
        Whether its synapse acts on single spikes.
    pre_type, post_type : nengo.neurons.NeuronType or None
        Of the neurons that it decodes, and of those that it reaches.
    compartments : type or None
        That hold those it reaches, if they are ours.
    was_plain : bool
        Whether the synapse gets spikes as they are, before any weight.
    height : float or None
        The amplitude of the spikes that the host sends to neurons; None if it sends none.
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

    @property
    def in_phase(self) -> bool:
        """Whether the neurons that it reaches code in phase."""
        return isinstance(self.post_type, PhaseCoding)

    @property
    def to_ours(self) -> bool:
        """Whether its spikes reach neurons of ours on the chip."""
        return self.post_on_chip and self.compartments is not None and self.as_spikes

    @property
    def as_spikes(self) -> bool:
        """Whether what it brings are spikes, and no values that nengo-loihi encodes."""
        from_neurons = isinstance(self.conn.pre_obj, Neurons)
        return self.pre_on_chip or from_neurons or self.height is not None or self.in_phase


def facts(model: Model, conn: nengo.Connection) -> Facts:
    """Return what there is to know of a connection."""
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
    )


def _height(network, conn, post_type):
    """Return the amplitude of spikes that the host sends to neurons; None if it doesn't."""
    if not isinstance(conn.post_obj, Neurons):
        return None
    height = spike_height(network, conn.pre_obj)
    if isinstance(post_type, PhaseCoding):
        return 1.0 if height is None else height
    # nengo-loihi knows what to do with neurons, but for sparsifiers
    known = isinstance(conn.pre_obj, Neurons) and not isinstance(conn.synapse, SpikeSynapse)
    return None if known else height


class Obstacle(NamedTuple):
    """Whether something is in a connection's way, and the words for it."""

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
        lambda f: isinstance(f.pre_type, PhaseCoding),
        lambda f: (
            f"{_name(f.pre_type)} neurons code in phase: connect from `ensemble.neurons` (or probe "
            "them), not from the ensemble"
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
            f"a {_name(f.conn.synapse)} can't be put on the chip here. Put it on a connection "
            "without weights to a relay, a nengo.Node(size_in=...), and the weights on the "
            "connection from there"
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
            f"{_name(f.post_type)} neurons have no filter on the chip, through which encoded "
            "values come: send spikes to `ensemble.neurons`, from neurons or a relay"
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
            f"a {_name(f.conn.transform)} can't bring a node's values to neurons on the chip: "
            f"{OFF_CHIP}, where they turn them to spikes"
        ),
    ),
    Obstacle(
        lambda f: (
            f.to_ours and isinstance(f.conn.post_obj, Neurons) and f.conn.post_slice != slice(None)
        ),
        lambda f: (
            "a part of the neurons can't be connected to on the chip: connect to all of them, "
            "through weights with rows of zeros"
        ),
    ),
    Obstacle(
        lambda f: f.to_ours and not isinstance(f.conn.transform, TRANSFORMS),
        lambda f: (
            f"{_name(f.conn.transform)} can't be put on the chip; take one of "
            f"{', '.join(kind.__name__ for kind in TRANSFORMS)}, or {OFF_CHIP}"
        ),
    ),
    Obstacle(
        lambda f: f.to_ours and _odd_convolution(f),
        lambda f: (
            f"a {_name(f.conn.transform)} on the chip is over two dimensions, in one group: change "
            f"it, or {OFF_CHIP}"
        ),
    ),
    Obstacle(
        lambda f: (
            f.to_ours
            and f.conn.synapse is not None
            and not f.sparsified
            and not isinstance(f.conn.synapse, f.compartments.filters)
        ),
        lambda f: (
            f"{f.conn.synapse} can't be put on the chip before {_name(f.post_type)} neurons: the "
            f"synapse must be {f.compartments.filters_named}; change it, or {OFF_CHIP}"
        ),
    ),
)
"""The first that is there is the one that is named."""


def _learnable(rules) -> bool:
    return rules is None or isinstance(rules, nengo.PES)


def check(f: Facts) -> None:
    """Refuse a connection that can't be built.

    Raises
    ------
    nengo.exceptions.BuildError
        That names the connection, what is in the way, and the remedy.
    """
    for obstacle in OBSTACLES:
        if obstacle.is_there(f):
            raise BuildError(f"{f.conn}: {obstacle.words(f)}")

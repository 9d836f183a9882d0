"""Conversion from the phase domain to spikes: `to_spiking`."""

from __future__ import annotations

import os
from typing import Any

import nengo
import numpy as np
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError, ValidationError

from nengo_phasor import phases
from nengo_phasor.builders import sparsifier_seed
from nengo_phasor.convert.built import built
from nengo_phasor.convert.phasor_weights import real_transform, taken
from nengo_phasor.neurons import Phasor, ResonateAndFire
from nengo_phasor.synapses import AssumeReference, PhaseEncoder, SpikeSynapse


def to_spiking(
    network: nengo.Network,
    neuron_type: ResonateAndFire | None = None,
    sparsifier: SpikeSynapse | None = None,
    assume_reference: bool = False,
) -> tuple[nengo.Network, dict[Any, Any]]:
    """Convert a phase-domain network to a network of resonate-and-fire neurons.

    Every ensemble of 2n `.Phasor` neurons becomes n `.ResonateAndFire` neurons. Connections between
    them keep their weights: matrices as dense transforms, kernels as convolutions. Every node that
    outputs phasors becomes a node that outputs their n phases, which a `.PhaseEncoder` turns into
    one spike per cycle. A node without input (where NengoDL and the layerwise simulator take data)
    thus takes phases instead of phasors. Any topology is allowed: several layers, branches, skip
    connections. Subnetworks are kept, and so are the computations of nodes that precede the
    phasors.

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
        `.AssumeReference`).

    Returns
    -------
    spiking : nengo.Network
        The spiking network.
    mapping : dict
        The new network, node, ensemble, connection or probe for each old one.

    Raises
    ------
    nengo.exceptions.BuildError
        If an object can't be converted: neurons of another type, a synapse between phasors, a
        connection to a part of a layer or from anything but whole phasors, a transform that does
        not act alike on real and imaginary parts, decoded connections, functions, learning rules,
        gains other than 1, nodes that take phasors.
    nengo.exceptions.ValidationError
        If network, neuron_type or sparsifier has the wrong type, or the frequencies of the
        sparsifier and of the neurons differ.
    """
    neuron_type = ResonateAndFire() if neuron_type is None else neuron_type
    _check_arguments(network, neuron_type, sparsifier)
    rhythm = getattr(sparsifier, "frequency", neuron_type.frequency)
    if rhythm != neuron_type.frequency:
        raise ValidationError(
            f"is {rhythm:g} Hz, but that of the neurons is {neuron_type.frequency:g} Hz: use the "
            "same for both",
            attr="frequency",
            obj=sparsifier,
        )
    conversion = _Conversion(network, neuron_type, sparsifier, assume_reference)
    twin = nengo.Network(label=network.label, seed=network.seed)
    conversion.objects(network, twin)
    conversion.links(network)
    return twin, conversion.mapping


def _check_arguments(network, neuron_type, sparsifier):
    """Check the types of the arguments."""
    leaves_out = isinstance(sparsifier, SpikeSynapse) and not isinstance(
        sparsifier, AssumeReference | PhaseEncoder
    )
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
    }
    for attr, (value, fine, what) in wanted.items():
        if not fine:
            path = isinstance(value, str | os.PathLike)
            remedy = ": load it first, with nengo_phasor.load" if path else ""
            raise ValidationError(f"must be {what}, got {value!r}{remedy}", attr=attr)


class _Conversion:
    """The state of one conversion, with the counterpart of each old object."""

    def __init__(self, network, neuron_type, sparsifier, assume_reference):
        self.neuron_type = neuron_type
        self.sparsifier = sparsifier
        self.assumption = assume_reference and AssumeReference(
            neuron_type.frequency, neuron_type.amplitude
        )
        self.params = built(network).params
        self.phasors = _phasor_valued(network)
        self.mapping = {}
        self.sent = {}  # what probes of an old object see: its spikes after the sparsifier
        self.received = {}  # what an old object's outgoing connections start from

    def objects(self, network, twin):
        """Create the counterparts of the nodes and ensembles, subnetwork by subnetwork."""
        self.mapping[network] = twin
        with twin:
            for old in network.ensembles:
                self.mapping[old] = self.ensemble(old)
            for old in network.nodes:
                self.mapping[old] = self.node(old)
            for old in network.networks:
                self.objects(old, nengo.Network(label=old.label, seed=old.seed))

    def links(self, network):
        """Create the counterparts of the connections and probes."""
        with self.mapping[network]:
            for old in network.connections:
                self.mapping[old] = self.connection(old)
            for old in network.probes:
                self.mapping[old] = self.probe(old)
        for old in network.networks:
            self.links(old)

    def ensemble(self, old):
        """Return the resonate-and-fire ensemble, with its bias and its sparsified output."""
        if not isinstance(old.neuron_type, Phasor):
            raise BuildError(
                f"{old}: {type(old.neuron_type).__name__} neurons have no spiking counterpart: use "
                "Phasor, or remove them from the network to be converted"
            )
        if np.any(self.params[old].gain != 1):
            raise BuildError(
                f"{old}: gains can't be converted: scale the weights of the connections instead"
            )
        new = nengo.Ensemble(old.n_neurons // 2, 1, neuron_type=self.neuron_type, label=old.label)
        bias = phases.from_rows(self.params[old].bias)
        if np.any(bias):
            source = nengo.Node(np.angle(bias) / np.pi, label=_label(old, "bias"))
            spikes = self.relay(source, self.encoder, _label(old, "bias spikes"))
            own = nengo.Sparse(
                (len(bias), len(bias)),
                indices=np.tile(np.arange(len(bias))[:, None], 2),
                init=np.abs(bias),
            )
            nengo.Connection(spikes, new.neurons, transform=own, synapse=None)
        sparsifier = self.sparsifier
        if sparsifier is not None and sparsifier.seed is not None:  # else layers share a mask
            sparsifier = sparsifier.with_seed(sparsifier_seed(sparsifier.seed, len(self.sent)))
        self.sent[old.neurons] = self.relay(new.neurons, sparsifier, _label(old, "sent"))
        self.received[old.neurons] = self.relay(
            self.sent[old.neurons], self.assumption, _label(old, "received")
        )
        return new

    def node(self, old):
        """Return the same node, a relay of half the size, or a source of encoded phases."""
        if old not in self.phasors:
            return nengo.Node(old.output, old.size_in, _size_out(old), label=old.label)
        if old.size_out % 2:
            raise BuildError(
                f"{old}: {old.size_out} values can't be phasors: n phasors are n real parts, then "
                "n imaginary parts, as returned by phases.to_rows"
            )
        if _is_relay(old):
            new = nengo.Node(size_in=old.size_in // 2, label=old.label)
            self.sent[old] = self.received[old] = new
        else:
            new = nengo.Node(
                _phases_of(old), old.size_in, old.size_out // 2, label=_label(old, "phases")
            )
            self.sent[old] = self.received[old] = self.relay(new, self.encoder, old.label)
        return new

    @property
    def encoder(self):
        return PhaseEncoder(self.neuron_type.frequency, self.neuron_type.amplitude)

    def relay(self, source, synapse, label):
        """Return a node that relays ``source`` through the synapse, else ``source`` itself."""
        if not synapse:
            return source
        node = nengo.Node(size_in=source.size_out, label=label)
        nengo.Connection(source, node, synapse=synapse)
        return node

    def connection(self, old):
        """Return the counterpart: real weights between phasors, the same connection elsewhere."""
        if old.pre_obj not in self.phasors:
            return self.plain(old)
        obstacles = {
            f"{old.post_obj} takes phasors, but is neither Phasor neurons nor a passthrough node": (
                not _takes_phasors(old.post_obj, self.phasors)
            ),
            "slices of phasors can't be converted where a connection ends": isinstance(
                old.post, ObjView
            ),
            "functions of phasors can't be converted": old.function is not None,
            f"a synapse ({old.synapse}) would filter phasors, not spikes": old.synapse is not None,
            "learning rules can't be converted": old.learning_rule_type is not None,
        }
        for obstacle in (what for what, is_there in obstacles.items() if is_there):
            raise BuildError(f"{old}: {obstacle}; change or remove the connection")
        return nengo.Connection(
            taken(self.received[old.pre_obj], old),
            self.target(old.post_obj),
            transform=real_transform(old, self.params[old].weights),
            synapse=None,
        )

    def plain(self, old):
        """Return the same connection between the counterparts of nodes that carry no phasors."""
        if not isinstance(old.pre_obj, nengo.Node) or not isinstance(old.post_obj, nengo.Node):
            raise BuildError(
                f"{old}: only connections between nodes, or from neurons to neurons, can be "
                "converted: connect `ensemble.neurons` instead of the ensemble"
            )
        return nengo.Connection(
            self.mapping[old.pre_obj][old.pre_slice],
            self.mapping[old.post_obj][old.post_slice],
            synapse=old.synapse,
            function=old.function,
            transform=old.transform,
        )

    def target(self, old):
        """Return the counterpart of a connection's post object."""
        return self.mapping[old.ensemble].neurons if isinstance(old, Neurons) else self.mapping[old]

    def probe(self, old):
        """Return a probe of the spikes or values that correspond to the old target."""
        if old.obj in self.phasors and old.attr == "output" and not isinstance(old.target, ObjView):
            return self.copied_probe(old, self.sent[old.obj])
        if isinstance(old.obj, nengo.Node) and old.obj not in self.phasors:
            return self.copied_probe(old, self.mapping[old.obj][old.slice or slice(None)])
        raise BuildError(
            f"{old}: only the whole output of neurons or nodes can be probed in the spiking network"
        )

    def copied_probe(self, old, target):
        """Return the same probe of another target."""
        return nengo.Probe(
            target, synapse=old.synapse, sample_every=old.sample_every, label=old.label
        )


def _label(obj, part):
    return f"{obj.label or type(obj).__name__.lower()} {part}"


def _size_out(node):
    """Return the size_out to give to a node's copy, which is None for a passthrough node."""
    return None if node.output is None else node.size_out


def _is_relay(obj):
    return isinstance(obj, nengo.Node) and obj.output is None and obj.size_in > 0


def _takes_phasors(obj, phasors):
    if isinstance(obj, Neurons):
        return isinstance(obj.ensemble.neuron_type, Phasor)
    return obj in phasors and _is_relay(obj)


def _phasor_valued(network):
    """Return the neurons and nodes whose output is phasors.

    These are Phasor neurons, objects that connect to them, relays of these, and objects that
    connect to such relays.
    """
    found = {e.neurons for e in network.all_ensembles if isinstance(e.neuron_type, Phasor)}
    size = -1
    while size != len(found):
        size = len(found)
        for connection in network.all_connections:
            if _takes_phasors(connection.post_obj, found):
                found.add(connection.pre_obj)
            if connection.pre_obj in found and _is_relay(connection.post_obj):
                found.add(connection.post_obj)
    return found


def _phases_of(node):
    """Return the output of a node's counterpart: the phases of the phasors that the node outputs.

    A phasor of length 0 has no phase. It becomes phase 0, because outputs of nodes must be finite.
    """
    output = node.output
    if output is None:
        return np.zeros(node.size_out // 2)
    if isinstance(output, np.ndarray):
        return _angles(output)
    if isinstance(output, nengo.processes.PresentInput):
        inputs = output.inputs.reshape(len(output.inputs), -1)
        return nengo.processes.PresentInput(_angles(inputs), output.presentation_time)
    if callable(output):
        return lambda *args: _angles(output(*args))
    raise BuildError(
        f"{node}: phasors from a {type(output).__name__} can't be converted: give the node an "
        "array, a function or a PresentInput process"
    )


def _angles(rows):
    return phases.wrap(np.angle(phases.from_rows(rows)) / np.pi)

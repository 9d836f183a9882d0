"""How each part of a network in the phase domain becomes spiking; see `.to_spiking`."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError

from nengo_phasor import phases
from nengo_phasor.builders import sparsifier_seed
from nengo_phasor.convert.built import built
from nengo_phasor.convert.phasor_binding import counterpart
from nengo_phasor.convert.phasor_weights import reached, real_transform, taken
from nengo_phasor.neurons import Phasor
from nengo_phasor.synapses import AssumeReference, PhaseEncoder


class Conversion:
    """The state of one conversion, with the counterpart of each old object."""

    def __init__(self, network, neuron_type, sparsifier, assume_reference):
        self.neuron_type = neuron_type
        self.sparsifier = sparsifier
        self.assumption = assume_reference and AssumeReference(
            neuron_type.rhythm, neuron_type.amplitude
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
        neuron_type = counterpart(old.neuron_type, self.neuron_type)
        new = nengo.Ensemble(self.size(old), 1, neuron_type=neuron_type, label=old.label)
        self.bias(old, new, phases.from_rows(self.params[old].bias))
        self.output(old, new)
        return new

    def size(self, old):
        """Return the number of spiking neurons of an ensemble."""
        return old.n_neurons // 2

    def bias(self, old, new, bias):
        """Connect the spikes of an ensemble's own bias, given as complex numbers."""
        if np.any(bias):
            source = nengo.Node(np.angle(bias) / np.pi, label=_label(old, "bias"))
            spikes = self.relay(source, self.encoder, _label(old, "bias spikes"))
            own = nengo.Sparse(
                (len(bias), len(bias)),
                indices=np.tile(np.arange(len(bias))[:, None], 2),
                init=np.abs(bias),
            )
            nengo.Connection(spikes, new.neurons, transform=own, synapse=None)

    def output(self, old, new):
        """Connect what the neurons send, and what others receive of it."""
        sparsifier = self.sparsifier
        if sparsifier is not None and sparsifier.seed is not None:  # else layers share a mask
            sparsifier = sparsifier.with_seed(sparsifier_seed(sparsifier.seed, len(self.sent)))
        self.sent[old.neurons] = self.relay(new.neurons, sparsifier, _label(old, "sent"))
        self.received[old.neurons] = self.relay(
            self.sent[old.neurons], self.assumption, _label(old, "received")
        )

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
        return PhaseEncoder(self.neuron_type.rhythm, self.neuron_type.amplitude)

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
            "functions of phasors can't be converted": old.function is not None,
            f"a synapse ({old.synapse}) would filter phasors, not spikes": old.synapse is not None,
            "learning rules can't be converted": old.learning_rule_type is not None,
        }
        for obstacle in (what for what, is_there in obstacles.items() if is_there):
            raise BuildError(f"{old}: {obstacle}; change or remove the connection")
        return nengo.Connection(
            taken(self.source(old), old),
            reached(self.target(old.post_obj), old),
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

    def source(self, old):
        """Return what the counterpart of a connection starts from."""
        return self.received[old.pre_obj]

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

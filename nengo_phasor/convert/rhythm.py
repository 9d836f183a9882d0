"""Conversion to spikes in which every layer has a rhythm of its own; see `.to_spiking`."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.exceptions import BuildError

from nengo_phasor.convert.phasor import Conversion
from nengo_phasor.convert.phasor_binding import attends, has_own_unit
from nengo_phasor.networks import LocalRhythm


class RhythmicConversion(Conversion):
    """A conversion in which a layer's rhythm unit takes the place of the clock for the next."""

    def __init__(self, network, neuron_type, sparsifier, assume_reference):
        super().__init__(network, neuron_type, sparsifier, assume_reference)
        self.network = network
        self.references = {}  # the spikes at the reference of each layer, by its neurons
        self.arriving = {}  # the new connections to each layer, by its neurons

    def size(self, old):
        """Return the number of spiking neurons of an ensemble, with its unit if it contains it."""
        return super().size(old) + has_own_unit(old)

    def bias(self, old, new, bias):
        """Check an ensemble's own bias; `links` connects it, when all layers have their units."""
        if np.any(bias.imag):
            raise BuildError(
                f"{old}: a bias with a phase other than 0 has no counterpart in a rhythm, whose "
                "units spike once a cycle: make it real, or convert without rhythm"
            )

    def output(self, old, new):
        """Give the layer a rhythm unit; the sparsifier that follows it decides what is sent."""
        rhythm = LocalRhythm(
            new.neurons,
            sparsifier=self.sparsifier,
            assume=bool(self.assumption),
            label=f"{old.label or 'layer'} rhythm",
        )
        self.mapping[old.neurons] = rhythm
        self.sent[old.neurons] = self.received[old.neurons] = self.as_array(rhythm.sent, old)
        if self.assumption:
            self.received[old.neurons] = self.as_array(rhythm.received, old)

    def as_array(self, spikes, old):
        """Return a layer's spikes, with the rows that are silent if it binds or attends."""
        if not has_own_unit(old):
            return spikes
        rows = nengo.Node(size_in=super().size(old), label=f"{old.label or 'layer'} rows")
        nengo.Connection(spikes, rows[: spikes.size_out], synapse=None)
        return rows

    def links(self, network):
        """Create the counterparts of connections, of the ensembles' own biases, and of probes."""
        with self.mapping[network]:
            for old in network.ensembles:
                bias = self.params[old].bias[: old.n_neurons // 2]
                if np.any(bias):
                    self.arrives(self.own_bias(old.neurons, bias), old.neurons)
        super().links(network)
        if network is self.network:
            for old in network.all_ensembles:
                self.follow(old)

    def follow(self, old):
        """Let a layer's unit follow the layer, or the rhythm before it if the layer has no bias.

        The unit of a layer that binds or attends needs nothing: it is one of the layer's neurons.
        One that attends has no bias of its own, but gathers phases that its values' biases gather.

        Raises
        ------
        nengo.exceptions.BuildError
            If a layer has no bias and is not a pool: it has no reference.
        """
        rhythm = self.mapping[old.neurons]
        if attends(old) or (has_own_unit(old) and old.neurons in self.references):
            return
        if old.neurons in self.references:
            for connection in self.arriving[old.neurons]:
                rhythm.follow(connection)
        elif self.averages(old.neurons) and not has_own_unit(old):
            with rhythm:
                rhythm.pass_on(self.reference(old.neurons, self.clock))
        else:
            raise BuildError(
                f"{old}: has no bias, so its phases gather around no reference and its mean "
                "field has no rhythm: give it a bias, as PhasorDense does, or convert without "
                "rhythm"
            )

    def averages(self, neurons):
        """Return whether all weights of a layer's inputs are at least 0, as those of a pool are."""
        arriving = [c for c in self.network.all_connections if c.post_obj == neurons]
        weights = [self.params[c].weights for c in arriving]
        return bool(arriving) and all(w is None or np.all(w >= 0) for w in weights)

    def own_bias(self, neurons, bias):
        """Return the connection of an ensemble's own bias from its reference."""
        return nengo.Connection(
            self.reference(neurons, self.clock),
            self.target(neurons),
            transform=bias[:, None],
            synapse=None,
        )

    def clock(self):
        """Return the spikes of a clock of their own."""
        return self.relay(nengo.Node([0.0], label="clock"), self.encoder, "reference")

    def connection(self, old):
        """Return the counterpart, which the unit of the layer follows."""
        part = isinstance(old.post, ObjView) and isinstance(old.post_obj, Neurons)
        if part and not has_own_unit(old.post_obj.ensemble):
            raise BuildError(
                f"{old.post_obj}: connections reach only a part of them, but a rhythm's unit "
                "follows only connections to all: convert without rhythm"
            )
        return self.arrives(super().connection(old), old.post_obj)

    def target(self, old):
        """Return the counterpart of a connection's post object, of a layer without its unit."""
        target = super().target(old)
        if isinstance(old, Neurons) and has_own_unit(old.ensemble):
            return target[: super().size(old.ensemble)]
        return target

    def arrives(self, new, old_post):
        """Return a new connection after noting where it ends."""
        if isinstance(old_post, Neurons):
            self.arriving.setdefault(old_post, []).append(new)
        return new

    def source(self, old):
        """Return what the counterpart of a connection starts from."""
        spikes = super().source(old)
        if isinstance(old.post_obj, Neurons) and _is_reference(old.pre_obj):
            return self.reference(old.post_obj, lambda: spikes)
        return spikes

    def reference(self, neurons, clock):
        """Return the spikes of a layer's reference, given what returns those of the clock.

        They are those of the units of the layers that it receives, or of the clock if it receives
        the network's inputs or nothing. If there are several, they share its bias equally.
        """
        if neurons not in self.references:
            before = self.before(neurons)
            units = [self.mapping[pre].reference for pre in before if isinstance(pre, Neurons)]
            spikes = units if len(units) == len(before) > 0 else [*units, clock()]
            self.references[neurons] = spikes[0] if len(spikes) == 1 else _mean(spikes)
        return self.references[neurons]

    def before(self, neurons):
        """Return the layers and inputs that a layer receives, directly or through relays."""
        found, seen, places = [], {neurons}, [neurons]
        while places:
            post = places.pop()
            for connection in self.network.all_connections:
                pre = connection.pre_obj
                if connection.post_obj == post and pre not in seen and not _is_reference(pre):
                    seen.add(pre)
                    relays = isinstance(pre, nengo.Node) and pre.size_in > 0
                    (places if relays else found).append(pre)
        return found


def _mean(spikes):
    """Return a relay of the mean of several neurons' spikes."""
    relay = nengo.Node(size_in=1, label="reference")
    for each in spikes:
        nengo.Connection(each, relay, transform=1 / len(spikes), synapse=None)
    return relay


def _is_reference(obj):
    """Return whether an object is a node that outputs a single phasor of phase 0, a constant."""
    output = getattr(obj, "output", None)
    constant = isinstance(obj, nengo.Node) and isinstance(output, np.ndarray)
    return constant and np.shape(output) == (2,) and output[0] > 0 and output[1] == 0

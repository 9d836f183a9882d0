"""The parts of Nengo's built model that do not depend on dt: weights, biases and seeds."""

from __future__ import annotations

import nengo
from nengo.base import Process
from nengo.builder import Model, Signal
from nengo.neurons import NeuronType


class _WithoutTime(Model):
    """Builds everything except what depends on dt: steps of neurons, synapses and processes."""

    def build(self, obj, *args, **kwargs):
        """Build an object; replace the output of a process by a signal that is never written."""
        if isinstance(obj, NeuronType):
            return None
        if isinstance(obj, Process):
            return _output(*args, **kwargs)
        return super().build(obj, *args, **kwargs)


def _output(sig_in=None, sig_out=None, mode="set"):
    return Signal(shape=sig_in.shape) if sig_out is None else sig_out


def built(network: nengo.Network) -> Model:
    """Return the built model, with ``params`` of ensembles and connections, and ``seeds``.

    Since dt is not used, rhythms that need a short time step and long delays do not matter.
    """
    model = _WithoutTime()
    model.build(network)
    return model

"""What Nengo's builder makes of a network, whatever the time step: weights, biases and seeds."""

from __future__ import annotations

import nengo
from nengo.base import Process
from nengo.builder import Model, Signal
from nengo.neurons import NeuronType


class _WithoutTime(Model):
    """Builds everything but what depends on the time step: neurons' steps, synapses, processes."""

    def build(self, obj, *args, **kwargs):
        """Build an object; what a process would put out is a signal that nothing writes."""
        if isinstance(obj, NeuronType):
            return None
        if isinstance(obj, Process):
            return _output(*args, **kwargs)
        return super().build(obj, *args, **kwargs)


def _output(sig_in=None, sig_out=None, mode="set"):
    return Signal(shape=sig_in.shape) if sig_out is None else sig_out


def built(network: nengo.Network) -> Model:
    """Return the built network: ``params`` of ensembles and connections, and ``seeds``.

    A rhythm that only a fine time step can tell, or a delay that a fine one would store at length,
    is no obstacle.
    """
    model = _WithoutTime()
    model.build(network)
    return model

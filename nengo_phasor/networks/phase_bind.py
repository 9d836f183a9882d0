"""Binding of phases in spikes: `PhaseBind`."""

from __future__ import annotations

import nengo
import numpy as np
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError

from nengo_phasor.checks import check_is
from nengo_phasor.neurons import BindingResonator
from nengo_phasor.wiring import Ends


class PhaseBind(nengo.Network):
    r"""Binds two signals of spikes: the phase of each output is the sum of two phases.

    .. math:: p_k = wrap(x_k + y_k), \quad \text{or with unbind:} \quad p_k = wrap(x_k - y_k)

    Phases are measured from the spikes of a reference, which spikes once per cycle at phase 0. A
    spike of x is an impulse on a resonator, rotated by the phase of y at this moment as the
    reference's resonator measures it (see `.BindingResonator`). No object reads a clock: if all
    three signals shift, so does the output.

    From the third cycle on, each output neuron spikes once per cycle. Its phase is as exact as the
    time step: with steady inputs it is at most 1.5 steps off.

    Parameters
    ----------
    x, y : nengo.ensemble.Neurons or nengo.Node
        The neurons or relays, or slices of these, that send the n spikes of each signal.
    reference : nengo.ensemble.Neurons or nengo.Node
        The neuron or relay, of size 1, that sends the spikes of the reference.
    unbind : bool
        Whether to subtract the phases of y instead of adding them.
    neuron_type : BindingResonator, optional
        The binding neurons. By default ``BindingResonator()``. Their frequency must be that of the
        signals.
    label, seed
        As in `nengo.Network`.

    Attributes
    ----------
    units : nengo.Ensemble
        The 3n neurons.
    output : nengo.Node
        A relay of the n output spikes.

    Raises
    ------
    nengo.exceptions.ValidationError
        If x, y or the reference is missing or sends no spikes, if their sizes do not match, or if
        the frequency of a neuron or an encoder that leads to them is not that of neuron_type.

    References
    ----------
    Binding is that of :func:`nengo_phasor.vsa.bind` (Plate, "Holographic Reduced Representation",
    CSLI 2003, chapter 4). Olin-Ammentorp and Bazhenov, Residual and Attentional Architectures for
    Vector-Symbols, use it in the phase domain.

    Examples
    --------
    Two signals of 50 phases, and the reference::

        with nengo.Network() as net:
            sources = [nengo.Node(phase) for phase in (x, y, [0.0])]
            spikes = [nengo.Node(size_in=source.size_out) for source in sources]
            for source, relay in zip(sources, spikes):
                nengo.Connection(source, relay, synapse=nengo_phasor.PhaseEncoder())

            bound = nengo_phasor.networks.PhaseBind(*spikes)
    """

    def __init__(
        self,
        x,
        y,
        reference,
        unbind: bool = False,
        neuron_type: BindingResonator | None = None,
        label: str | None = None,
        seed: int | None = None,
    ):
        super().__init__(label=label or ("phase unbind" if unbind else "phase bind"), seed=seed)
        neuron_type = BindingResonator() if neuron_type is None else neuron_type
        check_is(unbind, "unbind", bool, self)
        check_is(neuron_type, "neuron_type", BindingResonator, self)
        for attr, source in {"x": x, "y": y, "reference": reference}.items():
            self._check_source(attr, source)
        n = x.size_out
        self._check_size("y", y, n, f"as many spikes as x: {n}")
        self._check_size("reference", reference, 1, "a single spike, that of phase 0: 1")
        added, subtracted = slice(n, 2 * n), slice(2 * n, 3 * n)
        if unbind:
            added, subtracted = subtracted, added
        with self:
            self.units = nengo.Ensemble(3 * n, 1, neuron_type=neuron_type, label="units")
            neurons = self.units.neurons
            nengo.Connection(x, neurons[:n], synapse=None)
            nengo.Connection(y, neurons[added], synapse=None)
            nengo.Connection(
                reference, neurons[subtracted], transform=np.ones((n, 1)), synapse=None
            )
            self.output = nengo.Node(size_in=n, label="output")
            nengo.Connection(neurons[:n], self.output, synapse=None)
        self._check_rhythms(neuron_type.frequency)

    def _check_source(self, attr, source):
        """Check that a signal is there, and comes from what sends spikes."""
        obj = source.obj if isinstance(source, ObjView) else source
        if not isinstance(obj, Neurons | nengo.Node):
            remedy = (
                "connect from its neurons, ensemble.neurons"
                if isinstance(obj, nengo.Ensemble)
                else "give neurons, or a relay that a PhaseEncoder sends spikes to"
            )
            raise ValidationError(f"must send spikes, got {source!r}: {remedy}", attr, self)

    def _check_size(self, attr, source, size, what):
        """Check that a signal has a size."""
        if source.size_out != size:
            raise ValidationError(
                f"must send {what}, got {source.size_out} from {source!r}", attr, self
            )

    def _check_rhythms(self, frequency):
        """Check that neurons and encoders that lead here have the binding neurons' frequency."""
        top = nengo.Network.context[0] if nengo.Network.context else self
        arriving = Ends(top.all_connections, "post_obj", "pre_obj")
        for connection, _ in arriving.reached_from([self.units]):
            neurons = isinstance(connection.pre_obj, Neurons)
            sender = connection.pre_obj.ensemble.neuron_type if neurons else None
            for source in (sender, connection.synapse):
                other = getattr(source, "frequency", frequency)
                if other != frequency:
                    raise ValidationError(
                        f"{frequency:g} Hz differs from the {other:g} Hz of {source}, which sends "
                        f"through {connection}: signals of different frequencies have no common "
                        "phase; give all the same frequency",
                        "frequency",
                        self,
                    )

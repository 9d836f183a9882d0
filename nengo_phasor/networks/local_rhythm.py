"""A rhythm without a clock: a unit that resonates as the mean of its layer."""

from __future__ import annotations

from collections.abc import Iterable

import nengo
import numpy as np
from nengo.base import ObjView
from nengo.ensemble import Neurons
from nengo.exceptions import ValidationError

from nengo_phasor.neurons import AttendingResonator, BindingResonator, ResonateAndFire
from nengo_phasor.synapses import AssumeRhythm
from nengo_phasor.synapses.rhythm import FollowsUnit

WITH_UNIT = (BindingResonator, AttendingResonator)
"""The types of neurons whose layer can contain the unit, as its last neuron."""


class LocalRhythm(nengo.Network):
    r"""A unit that spikes in the rhythm of a layer, and the layer's spikes after a sparsifier.

    The dynamics of resonate-and-fire neurons are linear. So a unit with the mean of the layer's
    weights has the mean of the layer's states, to rounding:

    .. math:: \dot{z}_I = \left(-\frac{1}{\tau} + 2\pi i f\right) z_I + \frac{1}{n} \sum_k w_k s

    It spikes once a cycle, at the layer's mean phase. A sparsifier that follows it removes the
    layer's spikes that say little more than the unit does. The next layer receives the unit's
    spikes as its reference: they carry its bias, and with ``assume`` they take the place of the
    spikes that are missing. So nothing after the first layer needs a clock.

    The neurons of a layer that binds have rotated inputs, which no weights give, and those of a
    layer that attends have weights that change (`.AttendingResonator`). There the unit is
    a neuron of the layer itself, the last of 3n + 1 `.BindingResonator` neurons. It receives the
    mean of the rotated inputs and so has the mean state, too. A layer without a rhythm of its own,
    such as a pool, can `pass_on` that of the layers before it.

    Parameters
    ----------
    layer : nengo.ensemble.Neurons
        The n resonate-and-fire neurons of the layer, or 3n + 1 neurons that bind n phases.
    inputs : iterable of nengo.Connection, optional
        All connections to the layer, without synapses: the mean of their weights drives the unit.
        Those that are made later are given to `follow`. A layer that contains its unit needs
        none.
    sparsifier : RhythmSparsifier, DifferenceSparsifier or other FollowsUnit, optional
        Which spikes of the layer are removed. By default none.
    assume : bool
        Whether ``received`` treats a silent neuron as spiking with the unit (see `.AssumeRhythm`).
    neuron_type : ResonateAndFire, optional
        The neuron type of the unit. By default, and where a layer contains its unit, it is
        the layer's.
    label, seed
        As in `nengo.Network`.

    Attributes
    ----------
    unit : nengo.Ensemble or None
        The unit, a single neuron, or None for a layer that contains its unit.
    reference : nengo.ensemble.Neurons or view of them
        The spikes of the unit, of size 1.
    field : nengo.Node or None
        The layer's mean input, if the sparsifier follows this instead of the unit's spikes. Where
        the unit binds or passes on a rhythm, it is a spike train of this rhythm: its resonator has
        the phase of the unit's.
    sent : nengo.Node or view of it
        The n neurons' spikes after the sparsifier.
    received : nengo.Node or view of it
        The input of the next layer: ``sent``, with the spikes that it assumes if ``assume`` is set.

    Raises
    ------
    nengo.exceptions.ValidationError
        If layer is not the neurons of a resonate-and-fire ensemble without gains and biases of its
        own, if a layer that binds has no unit, or gets another one or inputs for it, if a
        connection does not end at the whole layer, has a synapse or has weights that are known only
        when the network is built, or if the frequencies of the layer, the unit and the sparsifier
        differ.

    Examples
    --------
    >>> import nengo, numpy as np, nengo_phasor as nph
    >>> with nengo.Network(seed=0) as net:
    ...     phases = nengo.Node(np.linspace(-0.4, 0.4, 5))
    ...     spikes = nengo.Node(size_in=5)
    ...     nengo.Connection(phases, spikes, synapse=nph.PhaseEncoder())
    ...     layer = nengo.Ensemble(20, 1, neuron_type=nph.ResonateAndFire())
    ...     weights = np.random.RandomState(0).uniform(0, 0.4, (20, 5))
    ...     inputs = nengo.Connection(spikes, layer.neurons, transform=weights, synapse=None)
    ...     rhythm = nph.networks.LocalRhythm(layer.neurons, [inputs], nph.RhythmSparsifier(0.1))
    ...     sent = nengo.Probe(rhythm.sent)
    """

    def __init__(
        self,
        layer: Neurons,
        inputs: Iterable[nengo.Connection] = (),
        sparsifier: FollowsUnit | None = None,
        assume: bool = False,
        neuron_type: ResonateAndFire | None = None,
        label: str | None = None,
        seed: int | None = None,
    ):
        super().__init__(label=label or "local rhythm", seed=seed)
        self._check(layer, sparsifier)
        self._check_own_unit(layer, neuron_type)
        neuron_type = layer.ensemble.neuron_type if neuron_type is None else neuron_type
        self._check_frequencies(layer.ensemble.neuron_type, neuron_type, sparsifier)
        self.layer = layer
        with self:
            self.unit, spikes = None, layer
            if self._has_own_unit:
                n = neuron_type.sending(layer.size_out)
                spikes, self.reference = layer[:n], layer[layer.size_out - 1 :]
            else:
                self.unit = nengo.Ensemble(1, 1, neuron_type=neuron_type, label="rhythm unit")
                self.reference = self.unit.neurons
            self.field = None
            if getattr(sparsifier, "follows", None) == "field":
                self.field = nengo.Node(size_in=1, label="field")
                if self._has_own_unit:
                    nengo.Connection(self.reference, self.field, synapse=None)
            self.sent = self.received = spikes
            if sparsifier is not None:
                self.sent = self.received = self._beside_unit(spikes, sparsifier, "sent")
            if assume:
                self.received = self._beside_unit(
                    self.sent, AssumeRhythm(neuron_type.amplitude), "received"
                )
        for connection in inputs:
            self.follow(connection)

    @property
    def _has_own_unit(self):
        return isinstance(self.layer.ensemble.neuron_type, WITH_UNIT)

    def _check(self, layer, sparsifier):
        resonates = isinstance(layer, Neurons) and isinstance(
            layer.ensemble.neuron_type, ResonateAndFire
        )
        if not resonates:
            raise ValidationError(
                f"must be the neurons of an ensemble of ResonateAndFire neurons, got {layer}: only "
                "these have a linear state, whose mean the unit has",
                attr="layer",
                obj=self,
            )
        for attr, plain in (("gain", 1), ("bias", 0)):
            value = getattr(layer.ensemble, attr)
            if value is not None and not np.all(np.equal(value, plain)):
                raise ValidationError(
                    f"{layer} has a {attr} of its own, which the unit does not follow: use weights "
                    "of connections instead",
                    attr="layer",
                    obj=self,
                )
        if not isinstance(sparsifier, FollowsUnit | None) or isinstance(sparsifier, AssumeRhythm):
            raise ValidationError(
                f"must follow the unit, as RhythmSparsifier and DifferenceSparsifier do, got "
                f"{sparsifier}: put others on a connection of their own",
                attr="sparsifier",
                obj=self,
            )

    def _check_own_unit(self, layer, neuron_type):
        """Check that a layer that binds or attends has a unit, and gets no other."""
        if not isinstance(layer.ensemble.neuron_type, WITH_UNIT):
            return
        if not layer.ensemble.neuron_type.has_unit(layer.size_out):
            raise ValidationError(
                f"{layer} binds or attends, but has no unit: give the ensemble one neuron more, "
                f"{layer.size_out + 1}",
                attr="layer",
                obj=self,
            )
        if neuron_type is not None:
            raise ValidationError(
                f"{layer} contains its unit, which is of the same type, but got {neuron_type}: "
                "leave it out",
                attr="neuron_type",
                obj=self,
            )

    def _check_frequencies(self, layer, unit, sparsifier):
        frequency = layer.rhythm
        for attr, other in (("layer", layer), ("neuron_type", unit), ("sparsifier", sparsifier)):
            own = getattr(other, "rhythm", getattr(other, "frequency", frequency))
            if own is None:
                raise ValidationError(
                    f"has neurons of several frequencies, {other}, which have no common rhythm: "
                    "use one frequency",
                    attr=attr,
                    obj=self,
                )
            if own != frequency:
                raise ValidationError(
                    f"has {own:g} Hz, but the layer {frequency:g} Hz: use the same "
                    "frequency for both",
                    attr=attr,
                    obj=self,
                )

    def _beside_unit(self, spikes, synapse, label):
        """Return a node with n spikes after a synapse that follows the unit."""
        n = spikes.size_out
        both = nengo.Node(size_in=n + 1, label=f"{label}: layer and {synapse.follows}")
        after = nengo.Node(size_in=n + 1, label=label)
        unit = self.field if synapse.follows == "field" else self.reference
        nengo.Connection(spikes, both[:n], synapse=None)
        nengo.Connection(unit, both[n], synapse=None)
        nengo.Connection(both, after, synapse=synapse)
        return after[:n]

    def follow(self, connection: nengo.Connection) -> nengo.Connection:
        """Connect the source of one more connection to the layer with the unit.

        Parameters
        ----------
        connection : nengo.Connection
            A connection to the whole layer.

        Returns
        -------
        nengo.Connection
            The connection to the unit, whose weights are the mean of the given one's.
        """
        obstacles = {
            "is not needed, because the layer contains its unit, as it binds or attends": (
                self._has_own_unit
            ),
            f"ends at {connection.post}, not at the layer {self.layer}": (
                connection.post != self.layer
            ),
            f"has the synapse {connection.synapse}; put it before a relay": (
                connection.synapse is not None
            ),
            "has a learning rule, which the unit can't follow": (
                connection.learning_rule_type is not None
            ),
        }
        for obstacle in (what for what, is_there in obstacles.items() if is_there):
            raise ValidationError(f"{connection} {obstacle}", attr="inputs", obj=self)
        pre, weights = _each_once(
            connection.pre, mean_weights(connection.transform, self.layer.size_in)
        )
        mean = {"function": connection.function, "transform": weights[None], "synapse": None}
        with self:
            if self.field is not None:
                nengo.Connection(pre, self.field, **mean)
            return nengo.Connection(pre, self.reference, **mean)

    def pass_on(self, reference) -> nengo.Connection:
        """Let the unit pass on another rhythm in place of the layer's own.

        A pool has no bias, around which its phases would gather. They gather where those of its
        inputs do, but the mean of what a sparsifier leaves of the inputs may have no rhythm.

        Parameters
        ----------
        reference : nengo.ensemble.Neurons, nengo.Node or view of them
            The spikes of the other rhythm, of size 1, such as the ``reference`` of the layer
            before.

        Returns
        -------
        nengo.Connection
            The connection to the unit.

        Raises
        ------
        nengo.exceptions.ValidationError
            If the layer binds or attends.
        """
        if self._has_own_unit:
            raise ValidationError(
                f"{self.layer} binds or attends and so has a rhythm of its own",
                attr="reference",
                obj=self,
            )
        with self:
            if self.field is not None:
                nengo.Connection(reference, self.field, synapse=None)
            return nengo.Connection(reference, self.reference, synapse=None)


def _each_once(pre, weights):
    """Return a source and its weights without the repetitions that Nengo gives no dense weights."""
    if not isinstance(pre, ObjView):
        return pre, weights
    places = np.arange(pre.obj.size_out)[pre.slice]
    if len(np.unique(places)) == len(places):
        return pre, weights
    return pre.obj, np.bincount(places, weights, pre.obj.size_out)


def mean_weights(transform: nengo.transforms.Transform, n: int) -> np.ndarray:
    """Return the mean over n outputs of a transform's weights, of shape (size_in,).

    Raises
    ------
    nengo.exceptions.ValidationError
        If the weights are a distribution, from which they are drawn when the network is built, or
        the transform is of another kind than dense, sparse and convolution.
    """
    if isinstance(transform, nengo.transforms.NoTransform):
        return np.full(n, 1 / n)
    if not isinstance(transform, nengo.Dense | nengo.Sparse | nengo.Convolution):
        raise ValidationError(
            f"{transform} is none of Dense, Sparse and Convolution: give one of these",
            attr="inputs",
        )
    if isinstance(transform.init, nengo.dists.Distribution):
        raise ValidationError(
            f"{transform} draws its weights when the network is built, so their mean is not known: "
            "give the weights as an array",
            attr="inputs",
        )
    if isinstance(transform, nengo.Convolution):
        return _mean_of_kernels(transform)
    weights = transform.sample()
    if isinstance(transform, nengo.Sparse):
        return np.bincount(weights.indices[:, 1], weights.data, transform.size_in) / n
    if np.ndim(weights) < 2:  # the same factor for all, or one for each
        return np.full(n, weights / n) if np.ndim(weights) == 0 else weights / n
    return weights.sum(axis=0) / n


def _mean_of_kernels(convolution: nengo.Convolution) -> np.ndarray:
    """Return the same for a convolution: each input's kernels, where they are inside, over all."""
    shape = convolution.input_shape
    kernels = np.asarray(convolution.init, float)
    groups = convolution.groups  # each with its own channels, which come one after another
    by_group = kernels.reshape(*kernels.shape[:-1], groups, -1).sum(axis=-1)  # over the filters
    total = np.swapaxes(by_group, -1, -2).reshape(*kernels.shape[:-2], -1)
    for axis in range(convolution.dimensions):
        inside = _is_inside(
            shape.spatial_shape[axis],
            convolution.output_shape.spatial_shape[axis],
            convolution.kernel_size[axis],
            convolution.strides[axis],
            convolution.padding,
        )
        total = np.moveaxis(np.tensordot(inside, total, (1, axis)), 0, axis)
    if not shape.channels_last:
        total = np.moveaxis(total, -1, 0)
    return total.ravel() / convolution.output_shape.size


def _is_inside(n_in: int, n_out: int, size: int, stride: int, padding: str) -> np.ndarray:
    """Return in how many outputs an input meets each place of the kernel, (n_in, size)."""
    before = max(0, (n_out - 1) * stride + size - n_in) // 2 if padding == "same" else 0
    met = np.zeros((n_in + size, size))  # the padding's inputs fall into the rows beyond n_in
    for start in np.arange(n_out) * stride - before:
        places = np.arange(size)
        rows = np.where((start + places >= 0) & (start + places < n_in), start + places, n_in)
        met[rows, places] += 1
    return met[:n_in]

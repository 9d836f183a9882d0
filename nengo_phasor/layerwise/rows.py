"""The table of neuron types that `.layerwise` runs fast, which users can extend by `register`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import nengo
import numpy as np
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType

from nengo_phasor import compat, dynamics, gradients
from nengo_phasor.checks import check_is, check_subclass
from nengo_phasor.inheritance import entry
from nengo_phasor.layerwise import backward, banks, compiled
from nengo_phasor.layerwise.attention import attend
from nengo_phasor.neurons import (
    AdaptiveSpiking,
    AdaptiveSpikingRate,
    AttendingPhasor,
    AttendingResonator,
    BalancedResonateAndFire,
    BindingPhasor,
    BindingResonator,
    Phasor,
    ResonateAndFire,
    SurrogateLIF,
)


class Row(NamedTuple):
    """The properties of a neuron type whose ``step`` can run a whole batch at once.

    An entry declares that ``step`` takes arrays of shape (n_items, n_neurons) as well as
    (n_neurons,), writes its whole output, uses no random numbers, and treats each item separately.
    Each state must be one real number per neuron, which is checked when a network is built.

    Parameters
    ----------
    window : callable, optional
        A compiled loop over a whole window, which runs instead of ``step``. ``compiled.window_of``
        makes it from a loop over a row of neurons. The type's ``constants(dt)`` must return a
        NamedTuple of numbers with a field ``height``, the output of a spike. The output is either
        ``height`` or 0, unless the loop is that of ``graded`` spikes.
    back : callable, optional
        A backward loop through a row of neurons, for training through time; see
        ``nengo_phasor.layerwise.backward.window_back_of``. The type must have a ``window``.
    pull : callable, optional
        ``pull(neurons, J, by_output)`` returns the gradient with respect to the input current,
        given that with respect to the output, in arrays of shape (..., n_neurons). The type must
        not have a state.
    trains_as : callable, optional
        ``trains_as(neurons)`` returns the neuron type that ``Simulator.fit`` runs instead, such as
        the type of the mean rates, or None to run the neurons themselves.
    packed : callable, optional
        ``packed(neurons, J, n_steps, states, c)`` runs a whole window, for a type whose ``step``
        can't run a batch, because its states are not one number per neuron. J, of shape
        (n_steps or fewer, n_items, n_neurons), repeats. Each row of ``states``, one per item, holds
        all its states one after another, which are advanced in place. c are the type's constants.
        It returns the spikes as a ``window`` does.
    variant : callable, optional
        ``variant(neurons)`` returns the entry of neurons whose parameters need one of their own, or
        None.
    each : tuple of str
        The names of the constants that the loops take as arrays, with a number for each neuron.
    by_parameters : callable, optional
        ``by_parameters(neurons, dt, by_constants)`` returns the gradients by parameters of the
        neurons, {name: (n_neurons,) array}, of a type whose neurons' parameters can train. ``back``
        then takes a ``nengo_phasor.layerwise.banks.Backward`` as c, and adds the gradients by the
        constants to it.
    """

    window: Callable | None = None
    back: Callable | None = None
    pull: Callable | None = None
    trains_as: Callable | None = None
    packed: Callable | None = None
    variant: Callable | None = None
    each: tuple[str, ...] = ()
    by_parameters: Callable | None = None


TABLE: dict[type, Row] = {}


def known(neurons: NeuronType) -> Row | None:
    """Return the entry of a neuron type, if there is one."""
    row = entry(TABLE, type(neurons))
    own = row and row.variant and row.variant(neurons)
    return own or row


def register(neuron_type: type, row: Row) -> None:
    """Let layerwise run a neuron type faster than item by item.

    Without an entry a type runs by its own ``step``, separately for each item, as in
    `nengo.Simulator`. This is exact for every type, but slow. An entry also applies to the
    subclasses, except for those that override a method or a property of the type: register such a
    subclass, too, if the entry holds for it.

    Parameters
    ----------
    neuron_type : type
        A class derived from `nengo.neurons.NeuronType`.
    row : `.Row`
        The properties of the type that make it fast.

    Raises
    ------
    nengo.exceptions.ValidationError
        If neuron_type is not a class of neurons, if row is not a `.Row`, or if row has a loop but
        the type has no ``constants``.

    Examples
    --------
    A type whose ``step`` works on arrays of any shape, element by element::

        nengo_phasor.layerwise.register(MyNeurons, nengo_phasor.layerwise.Row())
    """
    check_subclass(neuron_type, "neuron_type", NeuronType)
    check_is(row, "row", Row)
    if row.window and not hasattr(neuron_type, "constants"):
        raise ValidationError(
            f"has a compiled loop, but {neuron_type.__name__} has no constants(dt) for it: give "
            "the class this method",
            attr="row",
        )
    TABLE[neuron_type] = row


def _pull_phasor(neurons, J, by_output):
    parts = (*np.split(J, 2, axis=-1), *np.split(by_output, 2, axis=-1))
    return np.concatenate(gradients.unit_phasor(np, *parts, neurons.floor), axis=-1)


def _pull_binding(neurons, J, by_output):
    rows = (*J.shape[:-1], 2, 3, neurons.units(J.shape[-1]))
    parts, by_output = J.reshape(rows), by_output.reshape(rows)
    real, imag = parts[..., 0, :, :], parts[..., 1, :, :]
    output = dynamics.bind_phasors(np, real, imag, neurons.floor)
    by_parts = gradients.bind_phasors(np, real, imag, output, by_output, neurons.floor)
    return np.stack(by_parts, axis=-3).reshape(J.shape)


def _pull_attending(neurons, J, by_output):
    rows = (*J.shape[:-1], 2, -1, neurons.units(J.shape[-1]))
    parts, by_output = J.reshape(rows), by_output.reshape(rows)[..., : neurons.n_queries, :]
    by_parts = gradients.attend_phasors(
        np,
        *(array[..., k, :, :] for array in (parts, by_output) for k in range(2)),
        neurons.n_queries,
        neurons.beta,
        neurons.floor,
    )
    return np.stack(by_parts, axis=-3).reshape(J.shape)


def _pull_transfer(neurons, J, by_output):
    return gradients.adaptive_transfer(np, J, by_output, neurons.transfer)


def _pull_lif(neurons, J, by_output):
    slope = gradients.lif_rate(np, J, neurons.tau_rc, neurons.tau_ref)
    return by_output * neurons.amplitude * slope


def _pull_rectified(neurons, J, by_output):
    return by_output * neurons.amplitude * (J > 0)


def _pull_sigmoid(neurons, J, by_output):
    share = 1.0 / (1.0 + np.exp(-J))
    return by_output * share * (1.0 - share) / neurons.tau_ref


def _pull_tanh(neurons, J, by_output):
    return by_output * (1.0 - np.tanh(J) ** 2) / neurons.tau_ref


def _lif_rate(neurons):
    return nengo.LIFRate(neurons.tau_rc, neurons.tau_ref, neurons.amplitude)


def _rectified(neurons):
    return nengo.RectifiedLinear(neurons.amplitude)


def _transfer(neurons):
    if neurons.surrogate is not None:
        return None
    return AdaptiveSpikingRate(**neurons.parameters)


def _compiled(row: Callable, back: Callable, graded: bool = False, **others) -> Row:
    return Row(compiled.window_of(row, compiled.SOURCES, graded=graded), back, **others)


_GRADED = _compiled(
    compiled.graded_spike_row, backward.adaptive_spike_back, graded=True, trains_as=_transfer
)


_RESONATORS = Row(
    compiled.window_of(banks.resonators_row, banks.SOURCES),
    banks.resonators_back,
    each=("cos", "sin", "threshold", "lean"),
    by_parameters=banks.by_rotation,
)

for _type, _row in {
    Phasor: Row(pull=_pull_phasor),
    BindingPhasor: Row(pull=_pull_binding),
    AttendingPhasor: Row(pull=_pull_attending),
    AttendingResonator: Row(packed=attend),
    BindingResonator: Row(
        compiled.window_of(compiled.bind_spikes_row, compiled.SOURCES, whole_layers=True)
    ),
    AdaptiveSpikingRate: Row(pull=_pull_transfer),
    nengo.AdaptiveLIF: Row(),
    nengo.AdaptiveLIFRate: Row(),
    nengo.Izhikevich: Row(),
    nengo.LIF: Row(trains_as=_lif_rate),
    nengo.LIFRate: Row(pull=_pull_lif),
    nengo.RectifiedLinear: Row(pull=_pull_rectified),
    nengo.RegularSpiking: Row(),
    nengo.Sigmoid: Row(pull=_pull_sigmoid),
    nengo.SpikingRectifiedLinear: Row(trains_as=_rectified),
    nengo.Tanh: Row(pull=_pull_tanh),
    ResonateAndFire: _compiled(
        compiled.resonate_and_fire_row,
        backward.resonate_and_fire_back,
        variant=lambda neurons: _RESONATORS if neurons.is_mixed else None,
    ),
    BalancedResonateAndFire: Row(
        compiled.window_of(banks.balanced_row, banks.SOURCES),
        banks.balanced_back,
        each=("turn", "growth"),
        by_parameters=banks.by_balance,
    ),
    SurrogateLIF: _compiled(compiled.leaky_spike_row, backward.leaky_spike_back),
    AdaptiveSpiking: _compiled(
        compiled.adaptive_spike_row,
        backward.adaptive_spike_back,
        trains_as=_transfer,
        variant=lambda neurons: _GRADED if neurons.graded else None,
    ),
}.items():
    register(_type, _row)


def _pull_soft_lif(neurons, J, by_output):
    constants = neurons.sigma, neurons.tau_rc, neurons.tau_ref
    return by_output * neurons.amplitude * gradients.soft_lif_rate(np, J, *constants)


compat.on_import(
    "nengo_dl", lambda nengo_dl: register(nengo_dl.SoftLIFRate, Row(pull=_pull_soft_lif))
)

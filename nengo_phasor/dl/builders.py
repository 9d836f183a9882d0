"""NengoDL builders, which run the same pure step functions in TensorFlow as NumPy does.

Importing this module registers the builders with NengoDL.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from nengo.exceptions import BuildError
from nengo_dl.builder import Builder, OpBuilder
from nengo_dl.neuron_builders import SimNeuronsBuilder, TFNeuronBuilder
from nengo_dl.transform_builders import ConvIncBuilder

from nengo_phasor import dynamics
from nengo_phasor.builders import SimRows, SimRowwiseConvolution
from nengo_phasor.dl.tables import register
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
from nengo_phasor.pooling import MaxPool
from nengo_phasor.synapses import SpikeSynapse, Tick


def heaviside(surrogate=None, compare=tf.greater_equal):
    """Return the step function, with the derivative of the surrogate if there is one.

    It is 1 where ``compare(x, 0)`` is true: for x >= 0, or for x > 0 with ``tf.greater``.
    """

    def step(x):
        return tf.cast(compare(x, tf.zeros_like(x)), x.dtype)

    @tf.custom_gradient
    def with_derivative(x):
        return step(x), lambda upstream: upstream * surrogate.derivative(tf, x)

    return step if surrogate is None else with_derivative


class SpikingBuilder(TFNeuronBuilder):
    """Base class of builders that also run spikes in training, through time with a surrogate."""

    compare = staticmethod(tf.greater_equal)

    def build_pre(self, signals, config):
        """Compute the constants; merged operators have equal neuron types."""
        super().build_pre(signals, config)
        neurons = self.ops[0].neurons
        constants = neurons.constants(signals.dt_val)
        arrays = (tf.constant(c, signals.dtype) if np.ndim(c) else c for c in constants)
        self.constants = type(constants)(*arrays)
        self.heaviside = heaviside(neurons.surrogate, self.compare)


class ResonateAndFireBuilder(SpikingBuilder):
    """Runs `.dynamics.resonate_and_fire`."""

    def step(self, J, dt, voltage, current):
        """Return the output and the new states."""
        return dynamics.resonate_and_fire(J, voltage, current, self.constants, self.heaviside)


class BalancedResonateAndFireBuilder(SpikingBuilder):
    """Runs `.dynamics.balanced_resonate_and_fire`."""

    def step(self, J, dt, voltage, current, refraction):
        """Return the output and the new states."""
        return dynamics.balanced_resonate_and_fire(
            J, voltage, current, refraction, self.constants, self.heaviside
        )


class SurrogateLIFBuilder(SpikingBuilder):
    """Runs `.dynamics.leaky_spike`."""

    def step(self, J, dt, voltage):
        """Return the output and the new state."""
        return dynamics.leaky_spike(J, voltage, self.constants, self.heaviside, heaviside())


class AdaptiveSpikingRateBuilder(TFNeuronBuilder):
    """Runs `.dynamics.adaptive_transfer`."""

    def build_pre(self, signals, config):
        """Compute the constants; merged operators have equal neuron types."""
        super().build_pre(signals, config)
        self.transfer = self.ops[0].neurons.transfer

    def step(self, J, dt):
        """Return the mean output."""
        return dynamics.adaptive_transfer(tf, J, self.transfer)


class AdaptiveSpikingBuilder(SpikingBuilder):
    """Runs `.dynamics.adaptive_spike`; trains through time, or with the transfer function."""

    compare = staticmethod(tf.greater)

    def build_pre(self, signals, config):
        """Compute the constants, and choose how to train."""
        super().build_pre(signals, config)
        neurons = self.ops[0].neurons
        self.transfer = neurons.transfer
        # NengoDL trains neurons that are marked as spiking with `training_step`.
        self.spiking = neurons.surrogate is None

    def step(self, J, dt, voltage, refraction, adaptation):
        """Return the output and the new states."""
        return dynamics.adaptive_spike(
            J, voltage, refraction, adaptation, self.constants, self.heaviside
        )

    def training_step(self, J, dt, **state):
        """Return the mean output."""
        return dynamics.adaptive_transfer(tf, J, self.transfer)


class PhasorBuilder(TFNeuronBuilder):
    """Runs `.dynamics.unit_phasor`."""

    def build_pre(self, signals, config):
        """Store the floor."""
        super().build_pre(signals, config)
        self.floor = self.ops[0].neurons.floor

    def step(self, J, dt):
        """Return the phasors, real parts before imaginary parts."""
        return tf.concat(dynamics.unit_phasor(tf, *tf.split(J, 2, axis=-1), self.floor), axis=-1)


class BindingPhasorBuilder(PhasorBuilder):
    """Runs `.dynamics.bind_phasors`."""

    def step(self, J, dt):
        """Return the phasors, real parts before imaginary parts."""
        rows = tf.reshape(J, (J.shape[0], 2, 3, -1))
        bound = dynamics.bind_phasors(tf, rows[:, 0], rows[:, 1], self.floor)
        return tf.reshape(bound, J.shape)


class AttendingPhasorBuilder(PhasorBuilder):
    """Runs `.dynamics.attend_phasors`."""

    def step(self, J, dt):
        """Return the phasors, real parts before imaginary parts."""
        neurons = self.ops[0].neurons
        rows = tf.reshape(J, (J.shape[0], 2, -1, neurons.units(J.shape[-1])))
        attended = dynamics.attend_phasors(
            tf, rows[:, 0], rows[:, 1], neurons.n_queries, neurons.beta, self.floor
        )
        output = tf.stack(dynamics.unit_phasor(tf, *attended.sums, self.floor), 1)
        silent = [[0, 0], [0, 0], [0, 2 * neurons.n_keys], [0, 0]]  # keys and values
        return tf.reshape(tf.pad(output, silent), J.shape)


class BindingResonatorBuilder(SpikingBuilder):
    """Runs `.dynamics.bind_spikes`."""

    def step(self, J, dt, voltage, current):
        """Return the output and the new states."""
        return dynamics.bind_spikes(tf, J, voltage, current, self.constants, self.heaviside)


class AttendingResonatorBuilder(SpikingBuilder):
    """Runs `.dynamics.attend_spikes`."""

    def step(self, J, dt, voltage, current, held):
        """Return the output and the new states."""
        neurons = self.ops[0].neurons
        size = neurons.units(J.shape[-1])
        cosines = tf.reshape(held, (J.shape[0], neurons.n_queries, size, neurons.n_keys))
        *advanced, cosines = dynamics.attend_spikes(
            tf,
            J,
            voltage,
            current,
            cosines,
            self.constants,
            neurons.n_queries,
            neurons.beta,
            self.heaviside,
        )
        return *advanced, tf.reshape(cosines, held.shape)


@Builder.register(SimRows)
class SimRowsBuilder(SimNeuronsBuilder):
    """Runs each ensemble separately, because these operators are never merged."""

    mergeable = staticmethod(OpBuilder.mergeable)


Builder.register(SimRowwiseConvolution)(ConvIncBuilder)  # NengoDL's for its operators that set


class Double:
    """TensorFlow for a synapse's ``advance``, with Python numbers in double precision as in NumPy.

    TensorFlow itself would convert numbers that are not combined with an array to single precision
    or to integers.
    """

    def __getattr__(self, name):
        return getattr(tf, name)

    @staticmethod
    def where(condition, x, y):
        """Return x where the condition holds, else y."""
        like = next((value for value in (x, y) if hasattr(value, "dtype")), np.float64())
        x, y = (v if hasattr(v, "dtype") else tf.constant(v, like.dtype) for v in (x, y))
        return tf.where(condition, x, y)


class SpikeSynapseBuilder(OpBuilder):
    """Runs the ``advance`` of any `.SpikeSynapse`."""

    xp = Double()

    def build_pre(self, signals, config):
        """Find the signals and compute the constants."""
        super().build_pre(signals, config)
        (op,) = self.ops
        self.synapse = op.process
        self.mode = "inc" if op.mode == "inc" else "update"
        self.time = signals[op.t].reshape(())
        self.input, self.output = signals[op.input], signals[op.output]
        self.states = [signals[state] for state in op.state.values()]
        self.constants = self.synapse.constants(
            signals.dt_val,
            np.arange(op.input.shape[0]),
            np.arange(signals.minibatch_size)[:, None],
        )
        self.dt = signals.dt_val

    def build_step(self, signals):
        """Advance by one step, in double precision: single precision loses the phase with time."""
        number, x, *states = (
            tf.cast(signals.gather(signal), tf.float64)
            for signal in (self.time, self.input, *self.states)
        )
        number = tf.round(number / self.dt)
        tick = Tick(number, tf.cast(tf.cast(number, tf.int64), tf.uint32))
        output, *states = self.advance(tick, x, *states)
        signals.scatter(self.output, tf.cast(output, self.output.dtype), mode=self.mode)
        for signal, state in zip(self.states, states, strict=True):
            signals.scatter(signal, tf.cast(state, signal.dtype))

    def advance(self, tick, x, *states):
        """Call the synapse's ``advance``; explain the error if it needs NumPy."""
        try:
            return self.synapse.advanced(self.xp, tick, x, self.constants, *states)
        except (AttributeError, NotImplementedError, TypeError) as error:
            name = type(self.synapse).__name__
            raise BuildError(
                f"{self.synapse}: {name}.advance does not run in TensorFlow ({error}). Use "
                "only functions of its argument xp that TensorFlow has, too; or give NengoDL "
                f"a builder with nengo_phasor.dl.register({name}, builder)"
            ) from error


class MaxPoolBuilder(OpBuilder):
    """Runs a single `.MaxPool`."""

    def build_pre(self, signals, config):
        """Find the signals."""
        super().build_pre(signals, config)
        (op,) = self.ops
        self.process = op.process
        self.mode = "inc" if op.mode == "inc" else "update"
        self.input = signals[op.input].reshape(op.process.input_shape)
        self.output = signals[op.output]

    def build_step(self, signals):
        """Pool the images."""
        images = signals.gather(self.input)
        pooled = tf.nn.max_pool2d(
            images, self.process.pool_size, self.process.strides, self.process.padding.upper()
        )
        pooled = tf.reshape(pooled, (signals.minibatch_size, -1))
        signals.scatter(self.output, pooled, mode=self.mode)


BUILDERS = {
    ResonateAndFire: ResonateAndFireBuilder,
    BalancedResonateAndFire: BalancedResonateAndFireBuilder,
    Phasor: PhasorBuilder,
    BindingResonator: BindingResonatorBuilder,
    BindingPhasor: BindingPhasorBuilder,
    AttendingResonator: AttendingResonatorBuilder,
    AttendingPhasor: AttendingPhasorBuilder,
    SurrogateLIF: SurrogateLIFBuilder,
    AdaptiveSpiking: AdaptiveSpikingBuilder,
    AdaptiveSpikingRate: AdaptiveSpikingRateBuilder,
    SpikeSynapse: SpikeSynapseBuilder,
    MaxPool: MaxPoolBuilder,
}

for _type, _builder in BUILDERS.items():
    register(_type, _builder)

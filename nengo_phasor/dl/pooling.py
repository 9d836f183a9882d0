"""Runs `.MaxPool` in TensorFlow. Importing this module registers it with NengoDL."""

from __future__ import annotations

import tensorflow as tf
from nengo_dl.builder import OpBuilder
from nengo_dl.process_builders import SimProcessBuilder

from nengo_phasor.dl.builders import merge
from nengo_phasor.pooling import MaxPool


class MaxPoolBuilder(OpBuilder):
    """Runs one `.MaxPool`; such operators are never merged."""

    def build_pre(self, signals, config):
        """Find the signals."""
        super().build_pre(signals, config)
        (op,) = self.ops
        self.process = op.process
        self.mode = "inc" if op.mode == "inc" else "update"
        self.input = signals[op.input].reshape(op.process.input_shape)
        self.output = signals[op.output]

    def build_step(self, signals):
        """Pool."""
        images = signals.gather(self.input)
        pooled = tf.nn.max_pool2d(
            images, self.process.pool_size, self.process.strides, self.process.padding.upper()
        )
        pooled = tf.reshape(pooled, (signals.minibatch_size, -1))
        signals.scatter(self.output, pooled, mode=self.mode)


SimProcessBuilder.TF_PROCESS_IMPL[MaxPool] = MaxPoolBuilder
merge(SimProcessBuilder, "process", MaxPool, if_equal=False)

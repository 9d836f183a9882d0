"""Deep phasor networks in spikes, without a clock: convolutional, residual and attention classifiers.

Data -> network -> designs -> training -> spikes -> runs -> claims -> report.
"""

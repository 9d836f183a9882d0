"""Deep phasor networks in spikes, without a clock: convolutional and residual classifiers.

Data -> network -> designs -> training -> spikes -> runs -> claims -> report.
"""

"""Deep networks in spikes without a clock: convolutions, residual blocks, attention.

Data -> network -> designs -> training -> spikes -> runs -> claims -> report.
"""

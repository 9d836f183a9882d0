"""Trained networks on the nengo-loihi emulator, in fixed point, compared with floating point.

Pairs of a network with its input and output -> measure -> runs -> claims -> report.
"""

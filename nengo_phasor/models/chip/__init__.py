"""Trained networks on the nengo-loihi emulator, in fixed point, beside the same in floats.

Pairs of a network and what goes in and out of it -> measure -> runs -> claims -> report.
"""

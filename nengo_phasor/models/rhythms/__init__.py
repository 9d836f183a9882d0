"""Phasor networks of resonate-and-fire neurons, sparsified through their rhythm.

`local_rhythms` sparsifies a network after training, `phase_sparsity` trains it to be sparsified.
Both run FashionMNIST: data -> network -> training -> sweep -> claims -> report.
"""

"""Sparsifying spiking networks through local rhythms: the paper's system.

A phasor network is trained on FashionMNIST, converted to resonate-and-fire neurons, and sparsified
in three ways: by arc, by the layer's own field, and at random (Olin-Ammentorp 2023).

    \b
    python networks/local_rhythms.py demo       the whole story in a few minutes
    python networks/local_rhythms.py results    the committed figures
    nengo networks/local_rhythms.py             Nengo GUI, from committed weights

"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("local_rhythms")
else:
    model, on_start = models.opened("local_rhythms")

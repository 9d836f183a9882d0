"""Adaptive spiking neurons read digits: the paper's network for MNIST, and a small one.

An analog network is trained with the neurons' transfer function, converted to adaptive spiking
neurons, and run at several coding precisions (Zambrano et al. 2017). FashionMNIST works likewise.

    python networks/adaptive_digits.py train               train a network, with checkpoints
    python networks/adaptive_digits.py evaluate --resume   convert it to spikes, measure it, draw
    python networks/adaptive_digits.py results --resume    the committed figures
    python networks/adaptive_digits.py export              commit the weights of a run
    nengo networks/adaptive_digits.py                      Nengo GUI, from committed weights
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_digits")
else:
    model, on_start = models.opened("adaptive_digits")

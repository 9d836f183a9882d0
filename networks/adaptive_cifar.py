"""Adaptive spiking neurons classify small photographs: the paper's networks for CIFAR.

An analog network of 14 layers, at a fraction of the paper's width, is trained with the neurons'
transfer function and converted to adaptive spiking neurons (Zambrano et al. 2017).

    python networks/adaptive_cifar.py train      train a network, with checkpoints
    python networks/adaptive_cifar.py evaluate   convert a trained network to spikes and measure it
    python networks/adaptive_cifar.py results    both, and the committed figures
    python networks/adaptive_cifar.py export     commit the weights of a run
    nengo networks/adaptive_cifar.py             Nengo GUI, from committed weights

In Nengo GUI it runs at about 0.6 times real time on one core (results/gui_speed.json).
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_cifar")
else:
    model, on_start = models.opened("adaptive_cifar")

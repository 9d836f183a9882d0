"""Adaptive spiking neurons read garments: the networks for digits, on FashionMNIST.

python networks/adaptive_garments.py train               train a network, with checkpoints
python networks/adaptive_garments.py evaluate --resume   convert it to spikes, measure it, draw
python networks/adaptive_garments.py results --resume    the committed figures
python networks/adaptive_garments.py export              commit the weights of a run
nengo networks/adaptive_garments.py                      Nengo GUI, from committed weights
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_garments")
else:
    model, on_start = models.opened("adaptive_garments")

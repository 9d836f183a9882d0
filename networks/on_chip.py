"""Trained networks on the nengo-loihi emulator, in fixed point, compared with floating point.

The local-rhythms classifier runs with all its spikes, and with more and more hidden spikes dropped;
a small adaptive classifier reads digits. Each image is shown to the emulator and to the network in
double precision.

    \b
    python networks/on_chip.py results --resume    the committed figures
    python networks/on_chip.py train               train the adaptive classifier
    nengo networks/on_chip.py -b nengo_loihi       Nengo GUI, from committed weights
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("on_chip")
else:
    model, on_start = models.opened("on_chip")

"""Heart beats: a recurrent network of balanced resonate-and-fire neurons names each wave.

The network of Higuchi, Kairat, Bohte and Otte (2024) learns ECG-QTDB through time: weights, and the
frequency and damping of each neuron. It is compared with a wider one that pays for its spikes, and
with leaky and adaptive neurons in the same place, and it runs on the emulated chip.

    \b
    python networks/heart_beats.py train --design published    one network, with checkpoints
    python networks/heart_beats.py results --resume            the committed figures
    nengo networks/heart_beats.py                              Nengo GUI, a running heart beat

"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("heart_beats")
else:
    model, on_start = models.opened("heart_beats")

"""Deep networks in spikes without a clock: convolutions, residual blocks, attention.

Networks are trained in the phase domain on FashionMNIST and CIFAR-10, converted to
resonate-and-fire neurons, and sparsified by a clock's arc, by the rhythm of each layer, by the
difference from its mean field, by reactive inhibition and at random.

    \b
    python networks/deep_rhythms.py train --design convolutional    one network
    python networks/deep_rhythms.py results                         the committed figures
    python networks/deep_rhythms.py results --resume                from where it stopped
    nengo networks/deep_rhythms.py                                  Nengo GUI, a trained network

"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("deep_rhythms")
else:
    model, on_start = models.opened("deep_rhythms")

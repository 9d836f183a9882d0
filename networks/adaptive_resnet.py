"""Adaptive spiking neurons in an identity-mapping ResNet-18: the paper's network for ImageNet.

It is built at any image size, width and number of classes, and converted end to end. Here it is
trained on small data alone; what it would take at full size is computed without building it in
spikes (Zambrano et al. 2017).

    python networks/adaptive_resnet.py estimate   neurons, synapses, spikes, memory at any size
    python networks/adaptive_resnet.py results    train on small data, measure; the estimate, too
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_resnet")

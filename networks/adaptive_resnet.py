"""Adaptive spiking neurons in an identity-mapping ResNet-18: the paper's network for ImageNet.

It can be built for any image size, width and number of classes, and is converted as a whole. Here
it is only trained on small data; its cost at full size is computed without building the spiking
network (Zambrano et al. 2017).

    python networks/adaptive_resnet.py estimate   neurons, synapses, spikes, memory at any size
    python networks/adaptive_resnet.py results    train on small data, measure, and estimate
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_resnet")

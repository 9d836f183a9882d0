"""Adaptive spiking neurons in an identity-mapping ResNet-18: the paper's network for ImageNet.

It can be built for any image size, width and number of classes, and is converted as a whole. Here
it is trained on small data; at full size, images run in it with random weights, which shows its
time, memory, spikes and energy (Zambrano et al. 2017).

    python networks/adaptive_resnet.py measure   an image in the large network
    python networks/adaptive_resnet.py results   train on small data, measure both networks
"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_resnet")

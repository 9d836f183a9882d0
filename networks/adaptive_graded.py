"""Graded spikes: ordinary networks of rectifiers, converted to adaptive spikes without retraining.

Three networks are trained without any thought of spikes: two dense layers for MNIST, six
convolutions for CIFAR-10, separable convolutions for FashionMNIST. Their conversions send graded
spikes; beside them are twins of half-sigmoids with plain spikes, and NengoDL's conversions of the
same networks. Zambrano et al. (2017) mention graded spikes in their discussion.

    \b
    python networks/adaptive_graded.py train              train a network, with checkpoints
    python networks/adaptive_graded.py results --resume   all networks, and the committed figures

"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("adaptive_graded")

"""Phase sparsity, trained: a network that learns which of its spikes to drop.

This is the network of `local_rhythms`, with a cost of each hidden spike outside an arc around the
reference. (Allred et al. 2020 include a cost of every spike; here only spikes that a sparsifier
would not drop have a cost.) In training, each layer receives the input that it has in the spiking
network: the reference instead of a spike within the arc, and inputs weighted as in some cycle after
their onset.

    \b
    python networks/phase_sparsity.py demo       one network in a few minutes
    python networks/phase_sparsity.py results    the committed figures
    nengo networks/phase_sparsity.py             Nengo GUI, from committed weights

"""

from nengo_phasor import models

if __name__ == "__main__":
    models.main("phase_sparsity")
else:
    model, on_start = models.opened("phase_sparsity")

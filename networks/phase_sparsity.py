"""Phase sparsity, trained: a network that learns which of its spikes to leave out.

The network of `local_rhythms`, with a cost of each hidden spike outside an arc around the reference
(Allred et al. 2020 make a network pay for its spikes; here it pays for those that a sparsifier
would not leave out). In training each layer hears what it will hear in spikes: the reference in
place of a spike within the arc, and inputs as loud as they are in some cycle after they began.

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
